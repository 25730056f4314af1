"""The space of UUIDs, cut where the rows are: for parallel ranges and for samples.

Weaviate tells no quantiles of ids. A short look after any position tells how dense the ids are there;
the cell that seems to hold most rows is halved until none holds much. So ids that are all small, made
from clocks or share a prefix are found too.
"""

from __future__ import annotations

import heapq
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

SPACE: Final = 2**128
LOOK: Final = 16
_ROUNDS: Final = 16
_SLACK: Final = 1.5
"""How much denser than its cell was taken for a place may be and still be drawn as often as it should."""
_NEAR: Final = 2.0
"""Typical distances that the next id may be away: of steady ids 86% of the positions pass."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Ids from `first` (that of a row) up to `stop`; `rows` is counted where `exact`, else estimated."""

    first: int
    stop: int
    rows: float
    exact: bool
    last: int = -1
    """The last row, where the cell is exact."""

    @property
    def span(self) -> int:
        """Ids from the first row on among which rows are."""
        return (self.last + 1 if self.exact else self.stop) - self.first


Look = Callable[[int, int], Sequence[int]]
"""(position, n) -> up to n ids of rows at or after the position, ascending."""


def mean(ids: Sequence[int]) -> float:
    """Distance of neighbouring ids (ascending, two or more)."""
    return max(1, ids[-1] - ids[0]) / (len(ids) - 1)


Spacing = Callable[[Sequence[int]], float]


def cells(look: Look, total: int, wanted: int, looked: int = LOOK, spacing: Spacing = mean) -> list[Cell]:
    """Cells that together hold every row, about none with more than total / wanted rows, by id.

    `looked`: ids by which the density of a cell is told; its error is about 1 / sqrt(looked).
    """
    root = _cell(look, 0, SPACE, looked, spacing)
    if root is None:
        return []
    heap: list[tuple[float, int, Cell]] = [(-root.rows, root.first, root)]
    done: list[Cell] = []
    budget = 8 * wanted + 600
    while heap and budget > 0:
        largest = heapq.heappop(heap)[2]
        if largest.exact or largest.rows <= max(total / wanted, 1.0) or largest.stop - largest.first <= 1:
            done.append(largest)
            continue
        middle = (largest.first + largest.stop) // 2
        for low, high in ((largest.first, middle), (middle, largest.stop)):
            budget -= 1
            half = _cell(look, low, high, looked, spacing)
            if half is not None:
                heapq.heappush(heap, (-half.rows, half.first, half))
    return sorted((*done, *(c for _, _, c in heap)), key=lambda c: c.first)


def _cell(look: Look, low: int, high: int, looked: int, spacing: Spacing) -> Cell | None:
    """The cell of [low, high), begun at its first row; None where there is none."""
    ids = [i for i in look(low, looked) if i < high]
    if not ids:
        return None
    if len(ids) < looked:
        return Cell(ids[0], high, float(len(ids)), True, ids[-1])
    return Cell(ids[0], high, (high - ids[0]) / spacing(ids), False)


def cuts(found: Sequence[Cell], n: int) -> list[int]:
    """Up to n - 1 positions that cut the rows of the cells into about n equal parts."""
    if n <= 1 or not found:
        return []
    ends = np.cumsum([c.rows for c in found])
    share = float(ends[-1]) / n
    positions: list[int] = []
    for k in range(1, n):
        at = int(np.searchsorted(ends, k * share, side="right"))
        if at >= len(found):
            break
        cell = found[at]
        inside = (k * share - (float(ends[at]) - cell.rows)) / cell.rows
        position = cell.first + int(inside * (cell.stop - cell.first)) if not cell.exact else cell.first
        if position > (positions[-1] if positions else found[0].first):
            positions.append(position)
    return positions


def draw(found: Sequence[Cell], n: int, rng: np.random.Generator) -> list[int]:
    """`n` positions, each cell as likely as it is full, evenly inside it."""
    weights = np.array([c.rows for c in found], np.float64)
    chosen = rng.choice(len(found), n, p=weights / weights.sum())
    inside = rng.random(n)
    return [
        found[int(c)].first + int(float(f) * (found[int(c)].stop - found[int(c)].first))
        for c, f in zip(chosen, inside, strict=True)
    ]


def typical(ids: Sequence[int]) -> float:
    """Distance of neighbouring ids (ascending, two or more) by its median, so that a pause among them changes little.

    The mean where distances are exponential, as those of random ids are.
    """
    steps = sorted(b - a for a, b in pairwise(ids))
    return max(1.0, steps[len(steps) // 2] / math.log(2))


def sampled(
    found: Sequence[Cell],
    n: int,
    rng: np.random.Generator,
    looks: Callable[[Sequence[int]], Sequence[Sequence[int]]],
    each: int = 1,
) -> list[int]:
    """Up to `n` distinct ids, ascending, `each` of the few after each of many positions.

    One each where shares are estimated, since rows with neighbouring ids often share a fault: several of a run would say less than as many
    rows drawn apart, and an interval around their share would be too narrow. A position is passed over where the next
    id is far (most positions lie in pauses, the rows after which would be drawn too often), and as often as ids are
    less dense there than in its cell by `draw`: what remains follows the density of ids, whatever `draw` took for it.
    `looks`: positions -> of each the ids at or after it, ascending. `found`: `cells` by their `typical` distances.
    """
    ids: dict[int, None] = {}
    weights = np.array([c.rows for c in found], np.float64)
    weights /= weights.sum()
    for _ in range(_ROUNDS):
        missing = n - len(ids)
        if missing <= 0:
            break
        drawn = rng.choice(len(found), int(missing * _SLACK / each) + 8, p=weights)
        of = [found[int(c)] for c in drawn]
        where = [c.first + int(f * c.span) for c, f in zip(of, rng.random(len(of)).tolist(), strict=True)]
        luck = rng.random(len(of)).tolist()
        for cell, position, chance, run in zip(of, where, luck, looks(where), strict=True):
            if len(run) > 1:
                step = typical(run)
                if run[0] - position > _NEAR * step or chance * _SLACK * cell.rows * step > cell.span:
                    continue
            for _ in range(min(each, len(run))):
                ids[run[int(rng.integers(len(run)))]] = None
    listed = sorted(ids)
    if len(listed) <= n:
        return listed
    return [listed[int(i)] for i in np.sort(rng.choice(len(listed), n, replace=False))]


def after(position: int) -> str:
    """The cursor whose next row is the first at or after the position."""
    return "" if position <= 0 else str(uuid.UUID(int=min(position, SPACE) - 1))
