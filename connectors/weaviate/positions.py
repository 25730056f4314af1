"""The space of UUIDs, cut where the rows are: for parallel ranges and for samples.

Weaviate tells no quantiles of ids. A short look after any position tells how dense the ids are there;
the cell that seems to hold most rows is halved until none holds much. So ids that are all small, made
from clocks or share a prefix are found too.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

SPACE: Final = 2**128
_LOOK: Final = 16


@dataclass(frozen=True, slots=True)
class Cell:
    """Ids from `first` (that of a row) up to `stop`; `rows` is counted where `exact`, else estimated."""

    first: int
    stop: int
    rows: float
    exact: bool


Look = Callable[[int, int], Sequence[int]]
"""(position, n) -> up to n ids of rows at or after the position, ascending."""


def cells(look: Look, total: int, wanted: int) -> list[Cell]:
    """Cells that together hold every row, about none with more than total / wanted rows, by id."""
    root = _cell(look, 0, SPACE)
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
            half = _cell(look, low, high)
            if half is not None:
                heapq.heappush(heap, (-half.rows, half.first, half))
    return sorted((*done, *(c for _, _, c in heap)), key=lambda c: c.first)


def _cell(look: Look, low: int, high: int) -> Cell | None:
    """The cell of [low, high), begun at its first row; None where there is none."""
    ids = [i for i in look(low, _LOOK) if i < high]
    if not ids:
        return None
    if len(ids) < _LOOK:
        return Cell(ids[0], high, float(len(ids)), True)
    span = max(1, ids[-1] - ids[0])
    return Cell(ids[0], high, (len(ids) - 1) * (high - ids[0]) / span, False)


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


def after(position: int) -> str:
    """The cursor whose next row is the first at or after the position."""
    return "" if position <= 0 else str(uuid.UUID(int=min(position, SPACE) - 1))
