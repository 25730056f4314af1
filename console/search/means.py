"""Means over queries with their 95% intervals, and the differences between cohorts adjusted for their number."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from console.search.proportions import clopper_pearson

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

DRAWS: Final = 1_000
MANY: Final = 5_000
"""From so many queries on the mean is as good as normal, and its draws would fill the memory."""
IMPERFECT: Final = 10
"""Below so many queries that are not perfect, a binomial interval on queries (HEALTH.md, Conventions)."""
TAIL: Final = 0.025


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over `n` queries and its 95% interval."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int]:
        return {"value": self.value, "low": self.low, "high": self.high, "queries": self.n}


def mean(values: F64) -> Mean:
    """`values` (n,) in 0 to 1, n > 0: a percentile bootstrap over queries, or a binomial interval.

    A variable in 0 to 1 spreads at most like a coin of the same mean, so the binomial interval of the rounded sum
    (down for the lower bound, up for the upper one) holds the mean at least as often as it says. The bootstrap
    of 50 perfect queries would be [1, 1].
    """
    n, value = len(values), float(values.mean())
    if np.count_nonzero(values < 1.0) < IMPERFECT or np.count_nonzero(values > 0.0) < IMPERFECT:
        total = float(values.sum())
        low = clopper_pearson(min(n, math.floor(total + 1e-9)), n)[0]
        high = clopper_pearson(min(n, math.ceil(total - 1e-9)), n)[1]
        return Mean(value, min(low, value), max(high, value), n)
    if n >= MANY:
        reach = normal_quantile(1 - TAIL) * float(values.std(ddof=1)) / math.sqrt(n)
        return Mean(value, value - reach, value + reach, n)
    drawn = values[draws(n)].mean(axis=1)
    low, high = np.quantile(drawn, (TAIL, 1 - TAIL))
    return Mean(value, float(low), float(high), n)


@functools.lru_cache(maxsize=16)
def draws(n: int) -> I64:
    """(DRAWS, n) places drawn with replacement, the same ones for the same n."""
    out: I64 = np.random.default_rng(n).integers(0, n, (DRAWS, n))
    out.flags.writeable = False
    return out


def poisson(count: int) -> tuple[float, float]:
    """The exact 95% interval of a Poisson mean (Garwood, Biometrika 28, 1936)."""
    low = 0.0 if count == 0 else _poisson_mean(count - 1, 1 - TAIL)
    return low, _poisson_mean(count, TAIL)


def _poisson_mean(count: int, at_most: float) -> float:
    """The mean at which `count` or fewer have the probability `at_most`."""
    low, high = 0.0, count + 10.0 * math.sqrt(count + 1.0) + 20.0
    for _ in range(100):
        middle = (low + high) / 2
        below = sum(math.exp(i * math.log(middle) - middle - math.lgamma(i + 1)) for i in range(count + 1))
        low, high = (low, middle) if below < at_most else (middle, high)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Gap:
    """How much worse one cohort is than the others. `low`, `high`: 95% for all cohorts together."""

    name: str
    value: float
    low: float
    high: float
    mean: float
    others: float
    queries: int


def gaps(families: Sequence[Sequence[tuple[str, F64]]], seed: int = 0) -> list[Gap]:
    """Each family holds (name, values in 0 to 1) of its cohorts: the others' mean minus the cohort's own.

    Studentised max-t bootstrap (Romano and Wolf, Econometrica 73, 2005): with all cohorts alike, none of the lower
    bounds lies above 0 in at least 95% of the cases. Queries are resampled within each cohort. A cohort's
    variance is not taken to be below the others', and gets the part of one more query half a unit off: a cohort
    of perfect queries has none of its own. A family of one cohort says nothing.
    """
    rng = np.random.default_rng([seed, len(families)])
    found: list[tuple[str, F64, float, float, float]] = []
    largest = np.zeros(DRAWS)
    for family in families:
        if len(family) < 2:
            continue
        held = [values for _, values in family]
        n = np.array([len(v) for v in held], np.float64)
        sums, squares = np.array([v.sum() for v in held]), np.array([np.square(v).sum() for v in held])
        gap, error = _studied(n, sums[None], squares[None])
        drawn = [v[rng.integers(0, len(v), (DRAWS, len(v)))] for v in held]
        again = np.stack([d.sum(axis=1) for d in drawn], axis=1)
        gap_again, error_again = _studied(
            n, again, np.stack([np.square(d).sum(axis=1) for d in drawn], axis=1)
        )
        largest = np.maximum(largest, (np.abs(gap_again - gap) / error_again).max(axis=1))
        total = float(sums.sum())
        for i, (name, values) in enumerate(family):
            others = (total - float(sums[i])) / float(n.sum() - n[i])
            found.append((name, values, float(gap[0, i]), float(error[0, i]), others))
    if not found:
        return []
    # With few and skewed values: never narrower than the normal quantile for so many cohorts.
    bar = max(float(np.quantile(largest, 0.95)), normal_quantile(1 - TAIL / len(found)))
    return [
        Gap(name, gap, gap - bar * error, gap + bar * error, float(values.mean()), others, len(values))
        for name, values, gap, error, others in found
    ]


def _studied(n: F64, sums: F64, squares: F64) -> tuple[F64, F64]:
    """Gaps and their standard errors, (b, cohorts), from counts (cohorts,) and sums (b, cohorts)."""
    rest, rest_sums = n.sum() - n, sums.sum(axis=1, keepdims=True) - sums
    rest_squares = squares.sum(axis=1, keepdims=True) - squares
    own = (np.maximum(squares - sums**2 / n, 0) + 0.25) / n
    others = (np.maximum(rest_squares - rest_sums**2 / rest, 0) + 0.25) / rest
    return rest_sums / rest - sums / n, np.sqrt(np.maximum(own, others) / n + others / rest)


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal for p > .5, from P(|Z| < z) = P(Z^2 < z^2) by bisection."""
    low, high = 0.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * math.erfc(-middle / math.sqrt(2)) < p else (low, middle)
    return (low + high) / 2
