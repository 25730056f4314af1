"""The map of one space to another that its rows fit best: a shift and a scale, and a rotation where it may turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from console.health.neighbours import unit
from console.health.table import F32, F64


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """x -> scale (x - one) rotation + other, of `rows` rows of d dimensions; `rotation` (d, d), None where it doesn't
    turn. `spread`: the mean squared distance of the right's rows from `other`.
    """

    one: F64
    other: F64
    scale: float
    rotation: F64 | None
    spread: float
    rows: int

    def residuals(self, x: F64, y: F64) -> F64:
        """(m,) squared distances of the mapped rows of x from those of y, both (m, d), as shares of the spread."""
        moved = x - self.one
        if self.rotation is not None:
            moved = moved @ self.rotation
        apart = self.scale * moved - (y - self.other)
        return np.einsum("ij,ij->i", apart, apart) / self.spread


def fitted(x: F64, y: F64, *, turned: bool) -> Map | None:
    """Of (n, d) both, row i of both the same: least squares, `turned` with a rotation (Schönemann, Psychometrika 31,
    1966). A scale is never negative. None where all rows of a side are alike.
    """
    one, other = x.mean(axis=0), y.mean(axis=0)
    a, b = x - one, y - other
    size, total = float(np.square(a).sum()), float(np.square(b).sum())
    if not (size > 0 and total > 0):
        return None
    if turned:
        u, strength, v = np.linalg.svd(a.T @ b)
        return Map(one, other, float(strength.sum()) / size, u @ v, total / len(b), len(x))
    scale = max(0.0, float(np.einsum("ij,ij->", a, b))) / size
    return Map(one, other, scale, None, total / len(b), len(x))


def ready(rows: F32, metric: str | None) -> F64:
    """(n, d) as the metric sees them: under cosine at length 1."""
    held = unit(rows) if metric in (None, "cosine") else rows
    return held.astype(np.float64)


def widened(x: F64, d: int) -> F64:
    """Filled up with zeros to d dimensions."""
    return np.pad(x, ((0, 0), (0, d - x.shape[1])))
