"""Spaces with known neighbours, and agreement with ties by its definition, row by row in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from console.compare.nearest import Nearest, NearestSearch


def nearest(
    rows: np.ndarray,
    queries: np.ndarray,
    own: np.ndarray | None = None,
    *,
    metric: str = "cosine",
    depth: int = 100,
    order: np.ndarray | None = None,
) -> Nearest:
    """Of rows that arrive in some order."""
    search = NearestSearch(queries.astype(np.float32), own, metric, depth, rows=len(rows), threads=1)
    numbers = np.arange(len(rows)) if order is None else order
    search.add(rows[numbers].astype(np.float32), numbers)
    return search.result()


def whole(scores: Sequence[float], own: int = -1) -> dict[int, Fraction]:
    """Exact scores of all rows but the query's own."""
    return {i: Fraction(s) for i, s in enumerate(scores) if i != own}


def weight(scores: dict[int, Fraction], d: int) -> dict[int, Fraction]:
    """The weight of each row among the first d: rows of equal score share the places that are left."""
    order = sorted(scores.values(), reverse=True)
    if len(order) <= d:
        return dict.fromkeys(scores, Fraction(1))
    level = order[d - 1]
    above = sum(s > level for s in order)
    share = Fraction(d - above, sum(s == level for s in order))
    return {i: Fraction(1) if s > level else share if s == level else Fraction(0) for i, s in scores.items()}


def shared(left: dict[int, Fraction], right: dict[int, Fraction], d: int) -> Fraction:
    one, other = weight(left, d), weight(right, d)
    return sum((min(one[i], other[i]) for i in one if i in other), Fraction(0))


def listed(scores: np.ndarray, depth: int, own: np.ndarray, twins: bool = True) -> Nearest:
    """Lists of (q, n) whole-number scores; rows of equal scores in all columns are twins."""
    held = scores.astype(np.float64).copy()
    held[np.flatnonzero(own >= 0), own[own >= 0]] = -np.inf
    rows = np.argsort(-held, axis=1, kind="stable")[:, :depth]
    found = np.take_along_axis(held, rows, axis=1)
    rows = np.where(np.isfinite(found), rows, -1)
    spare = ((0, 0), (0, depth - rows.shape[1]))
    rows = np.pad(rows, spare, constant_values=-1)
    found = np.pad(found, spare, constant_values=-np.inf)
    classes = np.unique(scores.T, axis=0, return_inverse=True)[1].ravel().astype(np.uint64) + np.uint64(1)
    return Nearest(rows, found, classes if twins else None, own, np.ones(len(scores)))
