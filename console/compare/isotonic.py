"""The rising curve nearest to some values: how likely a score means a relevant row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from console.health.table import F64


@dataclass(frozen=True, slots=True, eq=False)
class Isotonic:
    """Points (m,) of a curve that does not fall, straight between them and level beyond."""

    x: F64
    y: F64

    def at(self, x: F64) -> F64:
        return np.interp(x, self.x, self.y)


def isotonic(x: F64, y: F64, weight: F64 | None = None) -> Isotonic:
    """Least squares under the condition that `y` (n,) does not fall with `x` (n,), n > 0, weights not negative.

    Pool adjacent violators (Ayer et al., Annals of Mathematical Statistics 26, 1955); values at one x are averaged.
    Raises ValueError where there is no weight.
    """
    held = np.ones(len(x)) if weight is None else weight
    some = held > 0
    if not some.any():
        raise ValueError("a curve through no points")
    at, place = np.unique(x[some], return_inverse=True)
    total: F64 = np.bincount(place, held[some]).astype(np.float64)
    mean: F64 = np.bincount(place, held[some] * y[some]) / total
    return Isotonic(at, _pooled(mean, total))


def _pooled(values: F64, weights: F64) -> F64:
    """Neighbours that fall are merged at their mean, until none does."""
    levels: list[float] = []
    sizes: list[float] = []
    counts: list[int] = []
    for value, size in zip(values.tolist(), weights.tolist(), strict=True):
        count = 1
        while levels and levels[-1] >= value:
            before = sizes.pop()
            value = (levels.pop() * before + value * size) / (before + size)
            size += before
            count += counts.pop()
        levels.append(value)
        sizes.append(size)
        counts.append(count)
    return np.repeat(np.array(levels), counts)
