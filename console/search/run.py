"""One query from its request to its answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from connectors.errors import clean
from console.search.answer import HitRow, QueryAnswer
from console.search.encoding import Encoders, Encoding, early, read_picture, read_query_vector
from console.search.fusion import WEIGHTS, depth
from console.search.guard import Mixes, mixes_of
from console.search.likeness import Source
from console.search.merge import Leg, Merged, merge, passes
from console.search.request import BLEND, MOST_HITS, Fusion, QueryRequest
from console.search.side import legs_fused_per_address, search_side
from console.search.work import Shared, SideResult
from console.settings import Address, readable

if TYPE_CHECKING:
    from console.workspace import Workspace


def run(
    ws: Workspace, request: QueryRequest, *, pool: Encoders | None = None, mixes: Mixes | None = None
) -> QueryAnswer:
    """Search every address of the request, each in a thread of its own.

    What concerns the whole query raises (`usage`, `image-refused`, `not-found` for an upload); what
    goes wrong on one address stands in its side, and the others still answer. `pool` and `mixes`
    default to those that the process shares.
    """
    start = time.perf_counter()
    request.check()
    if len(request.addresses) == 1:
        ws.spec(request.addresses[0].connection)
    vector = read_query_vector(request, ws.home)
    picture = read_picture(request, ws.settings)
    fused = request.fuse is not None or legs_fused_per_address(request)
    shared = Shared(
        ws=ws,
        request=request,
        encoding=Encoding(request, pool or _shared_pool(), picture),
        mixes=mixes if mixes is not None else mixes_of(ws),
        vector=vector,
        source=_source(ws, request),
        fuses=fused,
    )
    results = _sides(shared)
    warnings = [w for r in results for w in r.warnings]
    fusion: Fusion | None = request.fuse or ("rrf" if fused else None)
    legs = _weighted_legs(request, results)
    if fusion is None:
        hits = [hit for leg in legs for hit in _plain(leg, request)]
    else:
        groups = [legs] if request.fuse else [[g for g in legs if g.address == a] for a in request.addresses]
        hits = [hit for group in groups for hit in _fused(group, fusion, request, warnings)]
        warnings += _about_fusion(request, results, fusion)
    if request.blend != BLEND and not early(request):
        warnings.append("--blend has no effect here: it mixes a text with an image where nothing is fused.")
    warnings += _about_nothing(request, results, hits)
    return QueryAnswer(
        request=request,
        sides=tuple(r.side for r in results),
        hits=tuple(hits),
        fusion=fusion,
        fusion_depth=min(depth(request.k), MOST_HITS) if fusion else None,
        warnings=tuple(dict.fromkeys(clean(w) for w in warnings)),
        elapsed_ms=(time.perf_counter() - start) * 1e3,
    )


def _shared_pool() -> Encoders:
    from console.encoders import shared

    return shared()


def _source(ws: Workspace, request: QueryRequest) -> Source | None:
    if request.row is None or "row" not in request.parts():
        return None
    address = request.row.address or request.addresses[0]
    ws.spec(address.connection)
    return Source(ws, address, request.row.id, request.encoder)


def _sides(shared: Shared) -> list[SideResult]:
    addresses = shared.request.addresses
    if len(addresses) == 1:
        return [search_side(shared, addresses[0])]
    with ThreadPoolExecutor(len(addresses), thread_name_prefix="query") as threads:
        return list(threads.map(partial(search_side, shared), addresses))


def _weighted_legs(request: QueryRequest, results: Sequence[SideResult]) -> list[Leg]:
    """The legs in the order of addresses, then of parts, each with its weight."""
    parts = request.parts()
    out: list[Leg] = []
    for index, result in enumerate(results):
        for leg in result.legs:
            weight = WEIGHTS[leg.part]
            if request.weights:
                place = parts.index(leg.part)
                per_leg = len(request.weights) > len(parts)
                weight = request.weights[index * len(parts) + place if per_leg else place]
            out.append(replace(leg, weight=weight))
    return out


def _plain(leg: Leg, request: QueryRequest) -> list[HitRow]:
    kept = [h for h in leg.hits if passes(h.score, h.score_kind, request.cutoff)]
    return [_hit(rank, leg, Merged(leg, hit, hit.score, ())) for rank, hit in enumerate(kept[: request.k], 1)]


def _fused(legs: Sequence[Leg], how: Fusion, request: QueryRequest, warnings: list[str]) -> list[HitRow]:
    merged, split = merge(legs, how, by_weight=bool(request.weights))
    if split:
        warnings.append(
            f"{split} {'ids stand' if split > 1 else 'id stands'} for different rows on different addresses:"
            " they were kept apart."
        )
    kept = [m for m in merged if passes(m.score, "fused", request.cutoff)]
    return [_hit(rank, m.leg, m) for rank, m in enumerate(kept[: request.k], 1)]


def _hit(rank: int, leg: Leg, merged: Merged) -> HitRow:
    hit, fields = merged.hit, leg.fields
    return HitRow(
        rank=rank,
        id=hit.id,
        address=leg.address,
        score=merged.score,
        score_kind="fused" if merged.origins else hit.score_kind,
        payload=hit.payload,
        fused_from=merged.origins or None,
        version=fields.version_of(hit.payload),
        modality=fields.modality_of(hit.payload),
        image=fields.image_of(hit.payload),
        caption=fields.caption_of(hit.payload),
        part=hit.part,
    )


def _about_fusion(request: QueryRequest, results: Sequence[SideResult], how: Fusion) -> list[str]:
    out: list[str] = []
    failed = [str(r.side.address) for r in results if r.side.error is not None]
    if request.fuse is not None and failed and len(failed) < len(results):
        out.append(f"The fusion lacks {', '.join(failed)}: see its error.")
    if request.fuse is None:
        parts = ", ".join(request.parts())
        out.append(
            f"The legs of one address ({parts}) were fused by reciprocal rank; --fuse weighted or rrf says so."
        )
    return out


def _about_nothing(request: QueryRequest, results: Sequence[SideResult], hits: Sequence[HitRow]) -> list[str]:
    """Why a side that answered has no hits, where that can be told."""
    shown: set[Address] = {hit.address for hit in hits}
    out: list[str] = []
    for result in results:
        address = result.side.address
        if result.side.error is not None or address in shown or (request.fuse is not None and hits):
            continue
        found = [h for leg in result.legs for h in leg.hits]
        if found and request.cutoff is not None:
            out.append(
                f"{readable(address)}: the cutoff {request.cutoff:g} let none of the rows through{_best(result)}."
            )
        elif not found and request.filter is not None:
            out.append(f"{readable(address)}: no row passed the filter.")
    return out


def _best(result: SideResult) -> str:
    hits = [h for leg in result.legs[:1] for h in leg.hits if h.score == h.score]
    if not hits or len(result.legs) > 1:
        return ""
    return f"; the best {hits[0].score_kind} is {hits[0].score:.4g}"
