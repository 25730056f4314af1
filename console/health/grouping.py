"""The group that a set of rows is named by, and the exact probability that chance did as well."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np

from console.health.findings import Group, Mask
from console.health.method import CONSTANT
from console.health.table import ABSENT, I64, Codes, RowTable

_FAINT: Final = 1e-14
"""Terms of a tail below this part of its sum are left away."""


class Groups:
    """Names row sets of one table; what every set needs is counted once."""

    def __init__(self, table: RowTable) -> None:
        self._table = table
        self._totals: dict[str, I64] = {}

    def name(self, affected: Mask, examined: Mask | None = None, skip: Collection[str] = ()) -> Group | None:
        """As `name_group`."""
        hits, looked = self._rows(affected, examined)
        if not len(hits):
            return None
        fields = [(f, c, self._counts(f, c, examined)) for f, c in self._fields(skip)]
        tests = sum(_rivals(totals, len(hits)) for _, _, totals in fields)
        found = [
            held for f, c, totals in fields if (held := _best(f, c, totals, hits, looked, tests)) is not None
        ]
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def pair(
        self, affected: Mask, examined: Mask | None = None, skip: Collection[str] = ()
    ) -> Sequence[Mapping[str, Any]] | None:
        """Two (field, value) that together coincide with the rows where neither does alone, else None."""
        hits, looked = self._rows(affected, examined)
        if not len(hits):
            return None
        sides: list[tuple[str, Any, Mask, float]] = []
        for field, held in self._fields(skip):
            counts = np.bincount(held.codes[hits], minlength=len(held.values) + 1)
            counts = counts[: len(held.values) + 1].copy()
            counts[ABSENT] = 0
            top = int(np.argmax(counts))
            if counts[top] < CONSTANT["group_recall"] * len(hits) or top in (ABSENT, held.other):
                continue
            mask = held.codes == top if examined is None else (held.codes == top) & examined
            total = int(np.count_nonzero(mask))
            if total < looked:
                sides.append((field, held.values[top - 1], mask, float(counts[top]) / total))
        best: tuple[float, Sequence[Mapping[str, Any]]] | None = None
        tests = max(1, sum(len(c.values) for _, c in self._fields(skip)) ** 2)
        for i, (field, value, mask, alone) in enumerate(sides):
            for other_field, other_value, other, other_alone in sides[i + 1 :]:
                both = mask & other
                rows, inside = int(np.count_nonzero(both)), int(np.count_nonzero(both[hits]))
                if not rows:
                    continue
                precision, recall = inside / rows, inside / len(hits)
                if (
                    precision < CONSTANT["group_precision"]
                    or recall < CONSTANT["group_recall"]
                    or precision < max(alone, other_alone) + CONSTANT["pair_gain"]
                    or chance(inside, looked, rows, len(hits)) * tests > CONSTANT["chance"]
                ):
                    continue
                score = 2 * precision * recall / (precision + recall)
                if best is None or score > best[0]:
                    named = ({"field": field, "value": value}, {"field": other_field, "value": other_value})
                    best = (score, named)
        return None if best is None else best[1]

    def within(
        self, affected: Mask, examined: Mask | None = None, skip: Collection[str] = ()
    ) -> Mapping[str, Any] | None:
        """The smallest (field, value) that all of the rows carry, though many others carry it too, else None.

        It does not name the rows, and still says where to look: 600 bad rows that all come from one loader of
        four did not come there by chance. Among the values that hold `within_recall` of the rows, and at most
        `within_share` of all rows, that with the fewest; chance by the hypergeometric tail over all values.
        """
        hits, looked = self._rows(affected, examined)
        if not len(hits):
            return None
        best: tuple[int, Mapping[str, Any]] | None = None
        fields = [(f, c, self._counts(f, c, examined)) for f, c in self._fields(skip)]
        tests = sum(int(np.count_nonzero(totals[1:])) for _, _, totals in fields)
        for field, held, totals in fields:
            inside = np.bincount(held.codes[hits], minlength=len(totals))[: len(totals)].astype(np.int64)
            inside[ABSENT] = 0
            if held.other is not None and held.other < len(inside):
                inside[held.other] = 0
            at = int(np.argmax(inside))
            mine, total = int(inside[at]), int(totals[at])
            if (
                mine < CONSTANT["within_recall"] * len(hits)
                or total > CONSTANT["within_share"] * looked
                or (best is not None and total >= best[0])
                or chance(mine, looked, total, len(hits)) * tests > CONSTANT["chance"] / 10
            ):
                continue
            value = held.values[at - 1]
            best = (
                total,
                {
                    "field": field,
                    "value": value,
                    "rows": total,
                    "precision": mine / total,
                    "recall": mine / len(hits),
                },
            )
        return None if best is None else best[1]

    def rows(self, group: Group) -> Mask:
        """The table's rows of a group."""
        held = self._table.groups.get(group.field)
        return np.zeros(len(self._table), np.bool_) if held is None else held.mask(group.value)

    def _rows(self, affected: Mask, examined: Mask | None) -> tuple[I64, int]:
        if examined is None:
            return np.flatnonzero(affected), len(self._table)
        return np.flatnonzero(affected & examined), int(np.count_nonzero(examined))

    def _fields(self, skip: Collection[str]) -> list[tuple[str, Codes]]:
        return [(f, c) for f, c in self._table.groups.items() if f not in skip]

    def _counts(self, field: str, held: Codes, examined: Mask | None) -> I64:
        """Rows per code."""
        size = len(held.values) + 1
        if examined is not None:
            return np.bincount(held.codes[examined], minlength=size)[:size]
        if field not in self._totals:
            self._totals[field] = np.bincount(held.codes, minlength=size)[:size]
        return self._totals[field]


def _rivals(totals: I64, rows: int) -> int:
    """Values of about as many rows: those that chance could let coincide."""
    few, many = CONSTANT["group_recall"] * rows, rows / CONSTANT["group_precision"]
    return int(np.count_nonzero((totals[1:] >= few) & (totals[1:] <= many)))


def _best(
    field: str, held: Codes, totals: I64, hits: I64, looked: int, tests: int
) -> tuple[float, Group] | None:
    """The value of one field with the best F1, and that; None where none coincides, or chance would do it."""
    inside = np.bincount(held.codes[hits], minlength=len(totals))[: len(totals)].astype(np.float64)
    with np.errstate(all="ignore"):
        precision = np.where(totals > 0, inside / totals, 0.0)
    recall = inside / len(hits)
    fits = (precision >= CONSTANT["group_precision"]) & (recall >= CONSTANT["group_recall"])
    fits[ABSENT] = False
    if held.other is not None and held.other < len(fits):
        fits[held.other] = False
    if not fits.any():
        return None
    score = np.where(fits, 2 * inside / (totals + len(hits)), -1.0)
    at = int(np.argmax(score))
    rows = int(totals[at])
    if chance(int(inside[at]), looked, rows, len(hits)) * tests > CONSTANT["chance"]:
        return None
    group = Group(field, held.values[at - 1], rows, float(precision[at]), float(recall[at]))
    return float(score[at]), group


def name_group(
    table: RowTable, affected: Mask, examined: Mask | None = None, skip: Collection[str] = ()
) -> Group | None:
    """The (field, value) with the best F1 against the rows, precision and recall both >= .8; else None.

    None as well where a random set of rows would coincide as well (hypergeometric, Bonferroni over all values),
    as in a value that every row has. Fields in `skip` name nothing: those that are the fault itself.
    """
    return Groups(table).name(affected, examined, skip)


def chance(hits: int, population: int, marked: int, drawn: int) -> float:
    """The probability that `drawn` of `population` rows, taken at random, hold at least `hits` of `marked` ones.

    Upper tail of the hypergeometric distribution; the population must hold both sets.
    """
    least = max(0, marked + drawn - population)
    most = min(marked, drawn)
    if hits <= least:
        return 1.0
    if hits > most:
        return 0.0
    if hits <= marked * drawn / population:
        return 1.0
    term = total = 1.0
    for x in range(hits, most):
        term *= (marked - x) * (drawn - x) / ((x + 1) * (population - marked - drawn + x + 1))
        total += term
        if term < _FAINT * total:
            break
    return min(1.0, math.exp(_log_mass(hits, population, marked, drawn) + math.log(total)))


def _log_mass(hits: int, population: int, marked: int, drawn: int) -> float:
    return (
        _log_choose(marked, hits)
        + _log_choose(population - marked, drawn - hits)
        - _log_choose(population, drawn)
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
