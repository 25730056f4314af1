"""Legs into one ranking: which rows of different addresses are one, and what each leg said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.model import Hit, RowId, ScoreKind, id_key
from console.search.answer import FusedFrom
from console.search.fields import RowFields, same_row
from console.search.fusion import Ranking, order, rrf, weighted
from console.search.request import Fusion, Part
from console.settings import Address


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """One query part on one address. `collection` is the real one behind an alias."""

    part: Part
    address: Address
    collection: str
    fields: RowFields
    hits: Sequence[Hit]
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """A row of the fused ranking, as the leg that ranked it best gave it."""

    leg: Leg
    hit: Hit
    score: float
    origins: tuple[FusedFrom, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    number: int
    leg: Leg
    hit: Hit


class _Rows:
    """Tells which hits are one row."""

    def __init__(self) -> None:
        self._by_id: dict[RowId, list[_Row]] = {}
        self._count = 0
        self.split: set[RowId] = set()

    def number(self, leg: Leg, hit: Hit) -> int:
        held = self._by_id.setdefault(hit.id, [])
        for row in held:
            if _same(row, leg, hit):
                return row.number
        if held:
            self.split.add(hit.id)
        self._count += 1
        held.append(_Row(self._count, leg, hit))
        return self._count


def merge(legs: Sequence[Leg], how: Fusion, by_weight: bool) -> tuple[list[Merged], int]:
    """All rows that any leg found, best first, and how many ids stand for different rows.

    `by_weight` False lets reciprocal rank count each leg once, as in the paper.
    """
    rows = _Rows()
    keyed = [[(rows.number(leg, hit), hit) for hit in leg.hits] for leg in legs]
    rankings: list[Ranking[int]] = [[(n, similarity(hit)) for n, hit in held] for held in keyed]
    weights = [leg.weight for leg in legs]
    scores = rrf(rankings, weights if by_weight else None) if how == "rrf" else weighted(rankings, weights)
    origins: dict[int, list[FusedFrom]] = {}
    best: dict[int, tuple[int, Leg, Hit]] = {}
    for leg, held in zip(legs, keyed, strict=True):
        weight = leg.weight if by_weight or how == "weighted" else 1.0
        for rank, (number, hit) in enumerate(held, 1):
            origins.setdefault(number, []).append(FusedFrom(leg.part, leg.address, rank, hit.score, weight))
            if number not in best or rank < best[number][0]:
                best[number] = (rank, leg, hit)
    ordered = order(scores, rankings, lambda number: id_key(best[number][2].id))
    merged = [Merged(best[n][1], best[n][2], scores[n], tuple(origins[n])) for n in ordered]
    return merged, len(rows.split)


def similarity(hit: Hit) -> float:
    """A score of which more is better: distances are turned."""
    return -hit.score if hit.score_kind == "distance" else hit.score


def settle(hits: Sequence[Hit]) -> list[Hit]:
    """The database's order with ties settled by id, which a database leaves to chance."""
    out: list[Hit] = []
    tied: list[Hit] = []
    for hit in hits:
        if tied and tied[0].score != hit.score:
            out += sorted(tied, key=lambda h: id_key(h.id))
            tied = []
        tied.append(hit)
    return out + sorted(tied, key=lambda h: id_key(h.id))


def passes(score: float, kind: ScoreKind, cutoff: float | None) -> bool:
    """Similarity >= cutoff, distance <= cutoff, fused >= cutoff; a score that is no number never."""
    if cutoff is None:
        return True
    if math.isnan(score):
        return False
    return score <= cutoff if kind == "distance" else score >= cutoff


def _same(row: _Row, leg: Leg, hit: Hit) -> bool:
    one, other = row.leg, leg
    if (one.address.connection, one.collection) == (other.address.connection, other.collection):
        return (row.hit.part or one.address.tenant) == (hit.part or other.address.tenant)
    return same_row(one.fields, row.hit.payload, hit.payload, other.fields)
