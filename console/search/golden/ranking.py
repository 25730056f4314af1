"""Many golden queries on one address, each ranked as `console.search.run` ranks it, with each of its parts alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from connectors.model import ALL, Hit, RowId, SearchOptions
from console.progress import Cancelled, Progress, Tell, quiet
from console.search.encoding import Vector
from console.search.fusion import depth
from console.search.golden.asking import Opened, leg_parts
from console.search.golden.model import GoldenQuery, key_text
from console.search.merge import Leg, merge, settle
from console.search.request import BLEND, MOST_HITS, Part
from console.search.vectors import blend

BATCH: Final = 32
"""Queries in one call to the database."""
PER_KEY: Final = 3
"""Rows that are asked for each key, where several rows may have one key."""
KEYLESS: Final = "\0row "
"""Begins what stands for a row that has no key."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """A query's first k keys, best first, and the same of each part alone where it has several.

    `modality`: of the keys that say so. `hits`: the keys' best rows, in the order of `keys`.
    """

    keys: tuple[str, ...]
    legs: Mapping[Part, tuple[str, ...]]
    modality: Mapping[str, str]
    hits: tuple[Hit, ...]


def ranked(
    opened: Opened,
    queries: Sequence[GoldenQuery],
    key_field: str | None,
    k: int,
    *,
    whole: bool = False,
    tell: Tell = quiet,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, Ranking]:
    """Production searches through the index: of each query that was not dropped.

    Text and picture become one vector, as on the page; other combinations are fused by reciprocal rank. A query's own
    row is left out. With a `key_field`, `PER_KEY` k rows are asked for, so that k different keys can be among them.

    Args:
        whole: whether the hits carry whole payloads; else only key and modality.
    """
    asked = [q for q in queries if q.id not in opened.dropped]
    wants = [want for query in asked for want in _wants(opened, query, k, key_field)]
    found: dict[tuple[str, str], list[Hit]] = {}
    order = sorted(range(len(wants)), key=lambda i: wants[i].limit)
    at = 0
    while at < len(order):
        if cancelled():
            raise Cancelled
        some = [wants[i] for i in order[at : at + BATCH]]
        some = [w for w in some if w.limit == some[0].limit]
        answers = opened.connector.search(
            opened.target,
            opened.vector.name,
            np.stack([w.vector for w in some]),
            some[0].limit,
            None,
            SearchOptions(),
            ALL if whole else _columns(opened, key_field),
        )
        for want, hits in zip(some, answers, strict=True):
            kept = [h for h in hits if want.row is None or h.id != want.row]
            found[want.query, want.leg] = settle(kept[: want.kept])
        at += len(some)
        tell(Progress("Searching", at, len(order)))
    return {query.id: _ranking(opened, query, found, key_field, k, whole) for query in asked}


@dataclass(frozen=True, slots=True, eq=False)
class _Want:
    query: str
    leg: str
    vector: Vector
    row: RowId | None
    """Left out of the answer."""
    limit: int
    kept: int


def _wants(opened: Opened, query: GoldenQuery, k: int, key_field: str | None) -> list[_Want]:
    parts = leg_parts(query)
    vectors = {part: opened.vectors[query.id, part] for part in parts}
    fused = len(parts) > 1 and parts != ("text", "image")
    rows = min((depth(k) if fused else k) * (1 if key_field is None else PER_KEY), MOST_HITS)
    spare = 0
    if query.row is not None:
        tenants = opened.described.tenants
        spare = 1 if opened.target.tenant or not tenants else len(tenants)
    limit = min(rows + spare, MOST_HITS)
    out = [_Want(query.id, part, vectors[part], query.row, limit, rows) for part in parts]
    if parts == ("text", "image"):
        mixed = blend(vectors["text"], vectors["image"], BLEND)
        out.append(_Want(query.id, "", mixed, None, limit, rows))
    return out


def _ranking(
    opened: Opened,
    query: GoldenQuery,
    found: Mapping[tuple[str, str], Sequence[Hit]],
    key_field: str | None,
    k: int,
    whole: bool,
) -> Ranking:
    parts = leg_parts(query)
    legs = {part: found[query.id, part] for part in parts}
    if len(parts) == 1:
        hits = legs[parts[0]]
    elif (query.id, "") in found:
        hits = found[query.id, ""]
    else:
        fused, _ = merge(
            [
                Leg(part, opened.address, opened.target.collection, opened.fields, legs[part])
                for part in parts
            ],
            "rrf",
            by_weight=False,
        )
        hits = [m.hit for m in fused]

    def keyed(some: Sequence[Hit]) -> dict[str, Hit]:
        held: dict[str, Hit] = {}
        for hit in some:
            held.setdefault(_key(hit, key_field, whole), hit)
            if len(held) == k:
                break
        return held

    first = keyed(hits)
    modality = {
        key: said for key, hit in first.items() if (said := _modality(opened, hit, whole)) is not None
    }
    alone: dict[Part, tuple[str, ...]] = {}
    if len(parts) > 1:
        alone = {part: tuple(keyed(legs[part])) for part in parts}
    return Ranking(tuple(first), alone, modality, tuple(first.values()))


def _columns(opened: Opened, key_field: str | None) -> tuple[str, ...]:
    return (opened.modality_field,) if key_field is None else (key_field, opened.modality_field)


def _key(hit: Hit, key_field: str | None, whole: bool) -> str:
    if key_field is None:
        return str(hit.id)
    return key_text(_value(hit, key_field, whole)) or f"{KEYLESS}{hit.id}"


def _modality(opened: Opened, hit: Hit, whole: bool) -> str | None:
    return key_text(_value(hit, opened.modality_field, whole))


def _value(hit: Hit, path: str, whole: bool) -> object:
    """A search that was asked for columns gives them under their whole paths."""
    from connectors.filters import MISSING, lookup

    value = lookup(hit.payload, path) if whole else hit.payload.get(path)
    return None if value is MISSING else value
