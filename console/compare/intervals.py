"""95% intervals over queries: of means, and of whatever is computed from drawn queries."""

from __future__ import annotations

import functools
import math

import numpy as np

from console.health.means import DRAWS, TAIL, Mean, draws, mean, normal_quantile
from console.health.table import F64

MANY = 5_000
"""From so many queries on the mean is as good as normal."""


def over_queries(values: F64) -> Mean | None:
    """The mean of `values` (q,) in 0 to 1, queries without one (NaN) left out; None where none is left."""
    held = values[~np.isnan(values)]
    return mean(held) if len(held) else None


def anywhere(values: F64) -> Mean | None:
    """The mean of `values` (q,) of any size, NaN left out; None of fewer than two. Percentile bootstrap over queries."""
    held = values[~np.isnan(values)]
    n = len(held)
    if n < 2:
        return None
    value = float(held.mean())
    if n >= MANY:
        reach = normal_quantile(1 - TAIL) * float(held.std(ddof=1)) / math.sqrt(n)
        return Mean(value, value - reach, value + reach, n)
    low, high = np.quantile(held[draws(n)].mean(axis=1), (TAIL, 1 - TAIL))
    return Mean(value, float(low), float(high), n)


@functools.lru_cache(maxsize=8)
def times(q: int) -> F64:
    """(DRAWS, q) how often each query comes in a draw of q with replacement, the same for the same q."""
    rng = np.random.default_rng([q, DRAWS])
    out: F64 = rng.multinomial(q, np.full(q, 1 / q), DRAWS).astype(np.float64) if q else np.zeros((DRAWS, 0))
    out.flags.writeable = False
    return out


def between(drawn: F64, value: float) -> tuple[float, float]:
    """The middle 95% of `drawn` (b,), numbers that are finite, and the value itself; NaN where there are too few."""
    held = drawn[np.isfinite(drawn)]
    if 2 * len(held) < len(drawn) or not len(held):
        return math.nan, math.nan
    low, high = np.quantile(held, (TAIL, 1 - TAIL))
    return min(float(low), value), max(float(high), value)
