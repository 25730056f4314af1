"""`plumbline query`: a live search, as the page does it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import PlumblineError
from console.cli.context import Context
from console.cli.output import pairs, printable, sentence, shown, table
from console.settings import parse_address, readable

if TYPE_CHECKING:
    from console.search import HitRow, QueryAnswer, QueryRequest, Side

_PREVIEW = 120


def query(args: Namespace, context: Context) -> int:
    """Search; exit 2 where one of the addresses could not be searched, the others are still printed."""
    from console.search import run

    if args.timeout is not None and not 0 < args.timeout <= 3600:
        raise PlumblineError("usage", "The timeout lies between 0 and 3600 seconds.", where="--timeout")
    asked = request(args)
    answer = run(context.workspace, asked)
    data = answer.to_json()
    for warning in answer.warnings if context.out.json else ():
        context.out.note(f"Warning: {warning}")
    context.out.show(data, lambda: _lines(answer))
    if answer.error is None:
        return 0
    if context.out.json:
        context.out.note(f"plumbline: {sentence(answer.error.to_json())}")
    return 2


def request(args: Namespace) -> QueryRequest:
    """The query that the options ask for. Raises `usage`, `not-found`."""
    from connectors import filters
    from console.search import QueryRequest, RowPart, Upload
    from console.search.vectors import read_vector

    image = vector = None
    if args.image is not None:
        image = Upload.parse(args.image) or Path(args.image)
    if args.vector is not None:
        vector = Upload.parse(args.vector) or read_vector(args.vector)
    return QueryRequest(
        addresses=tuple(parse_address(a) for a in args.addresses),
        text=args.text,
        image=image,
        row=RowPart.parse(args.id) if args.id is not None else None,
        vector=vector,
        fuse=args.fuse,
        legs=tuple(args.leg or ("vector",)),
        weights=tuple(args.weight or ()),
        encoder=args.encoder,
        k=args.k,
        filter=filters.parse(args.filter) if args.filter is not None else None,
        exact=args.exact,
        cutoff=args.cutoff,
        allow_mismatch=args.allow_mismatch,
        timeout=args.timeout,
        **({"blend": args.blend} if args.blend is not None else {}),
    ).check()


def _lines(answer: QueryAnswer) -> Iterator[str]:
    for warning in answer.warnings:
        yield printable(f"Warning: {warning}")
        yield ""
    if answer.fusion is not None:
        for side in answer.sides:
            yield from _side(side)
        yield f"Fused by {answer.fusion}"
        yield from _hits(answer.hits, several=len(answer.sides) > 1)
        return
    for n, side in enumerate(answer.sides):
        if n:
            yield ""
        yield from _side(side)
        if side.error is None:
            yield from _hits(answer.hits_of(side.address), several=False)


def _side(side: Side) -> Iterator[str]:
    if side.error is not None:
        yield sentence(side.error.to_json(), readable(side.address))
        return
    yield readable(side.address)
    held: list[tuple[str, Any]] = []
    if side.encoder is not None:
        held.append(("  Encoder", f"{side.encoder.name} {side.encoder.fingerprint[:12]}"))
    if side.versions is not None:
        shares = ", ".join(f"{tag} {share:.1%}" for tag, share in side.versions.shares.items())
        held.append(("  Versions", f"{shares or 'none'}; untagged {side.versions.untagged:.1%}"))
    took = side.timings.to_json()
    held.append(("  Time", ", ".join(f"{name} {ms:.0f} ms" for name, ms in took.items() if ms >= 0.5)))
    yield from pairs(held)


def _hits(hits: tuple[HitRow, ...], several: bool) -> Iterator[str]:
    yield ""
    if not hits:
        yield "Nothing was found."
        return
    head = ["", "Score", "Id", "Version", "Modality", "Row"]
    rows = [[h.rank, _score(h.score), str(h.id), h.version, h.modality, _row(h)] for h in hits]
    if several:
        head.insert(2, "Address")
        for row, hit in zip(rows, hits, strict=True):
            row.insert(2, readable(hit.address))
    if not any(h.modality for h in hits):
        head.remove("Modality")
        for row in rows:
            del row[-2]
    yield from table(head, rows, whole=[head.index("Id")])
    yield f"Score: {hits[0].score_kind}"


def _score(score: float) -> str:
    return f"{score:.4f}" if score == score else "-"


def _row(hit: HitRow) -> str:
    text = hit.caption or shown(hit.payload)
    return text if len(text) <= _PREVIEW else f"{text[: _PREVIEW - 1]}…"
