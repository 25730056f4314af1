"""The difference of two systems on the same queries: its interval, and whether chance alone would make it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from console.search.means import F64, I64, MANY, TAIL, draws, normal_quantile
from console.search.proportions import beta_cdf

EXACT: Final = 12
"""Up to so many queries that differ, every sign is tried."""
FLIPS: Final = 10_000
_ROOM: Final = 2_000_000
"""Signs at once."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Mean of the differences of `n` queries. `low`, `high`: 95%. `p_value`: two-sided; `differing`: queries."""

    mean: float
    low: float
    high: float
    p_value: float
    sd: float
    n: int
    differing: int

    def to_json(self) -> dict[str, Any]:
        return {
            "mean": self.mean,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "sd": self.sd,
            "queries": self.n,
            "differing": self.differing,
        }


def paired(differences: F64, seed: int = 0) -> Paired:
    """`differences` (n,) in -1 to 1, n > 0: first system minus second on each query.

    The interval is a percentile bootstrap over queries, its levels expanded so that it is as wide as Student's t
    where that is exact (Hesterberg, The American Statistician 69, 2015), and nowhere narrower than Student's t with
    the spread of one more query half a unit off: 50 queries that do not differ say little of the 51st. For the p-value
    see `randomised`.
    """
    n, mean = len(differences), float(differences.mean())
    low, high = interval(differences)
    sd = float(differences.std(ddof=1)) if n > 1 else 0.0
    return Paired(mean, low, high, randomised(differences, seed), sd, n, int(np.count_nonzero(differences)))


def interval(differences: F64) -> tuple[float, float]:
    """The 95% interval of the mean of `differences` (n,), see `paired`."""
    n, mean = len(differences), float(differences.mean())
    spread = math.sqrt(float(np.square(differences - mean).sum()) + 0.25) / n
    reach = t_quantile(1 - TAIL, max(n - 1, 1)) * spread
    low, high = mean - reach, mean + reach
    if 1 < n < MANY and differences.any():
        tail = 0.5 * math.erfc(math.sqrt(n / (n - 1)) * t_quantile(1 - TAIL, n - 1) / math.sqrt(2))
        below, above = np.quantile(differences[draws(n)].mean(axis=1), (tail, 1 - tail))
        low, high = min(low, float(below)), max(high, float(above))
    return max(low, -1.0), min(high, 1.0)


def randomised(differences: F64, seed: int = 0) -> float:
    """Two-sided p-value of the paired randomisation test (Fisher; Smucker, Allan and Carterette, CIKM 2007).

    How often signs given by chance make a mean at least as far from 0. Every assignment is tried where at most `EXACT`
    queries differ, else `FLIPS` drawn ones, with the observed one counted among them.
    """
    held = differences[differences != 0]
    if not len(held):
        return 1.0
    bar = abs(float(held.sum())) - 1e-9 * float(np.abs(held).sum())
    if len(held) <= EXACT:
        numbers: I64 = np.arange(2 ** len(held), dtype=np.int64)
        places: I64 = np.arange(len(held), dtype=np.int64)
        every = (numbers[:, None] >> places) & 1
        return float(np.mean(np.abs(_sums(every, held)) >= bar))
    rng = np.random.default_rng([seed, len(held)])
    wide = -(-len(held) // 8)
    as_far = done = 0
    while done < FLIPS:
        some = min(FLIPS - done, max(1, _ROOM // len(held)))
        drawn = np.frombuffer(rng.bytes(some * wide), np.uint8).reshape(some, wide)
        bits = np.unpackbits(drawn, axis=1, count=len(held))
        as_far += int(np.count_nonzero(np.abs(_sums(bits, held)) >= bar))
        done += some
    return (as_far + 1) / (FLIPS + 1)


def _sums(bits: npt.NDArray[np.integer[Any]], held: F64) -> F64:
    """The sums of `held` (n,) with the signs that `bits` (m, n) say."""
    return 2.0 * (bits.astype(np.float64) @ held) - float(held.sum())


@functools.lru_cache(maxsize=256)
def t_quantile(p: float, freedom: int) -> float:
    """Quantile of Student's t for p > .5, by bisection on the incomplete beta function; relative error 1e-9."""
    low, high = 0.0, 1.0
    while _t_cdf(high, freedom) < p:
        high *= 2
    low = normal_quantile(p) if high > 2 else low
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_cdf(middle, freedom) < p else (low, middle)
    return (low + high) / 2


def _t_cdf(t: float, freedom: int) -> float:
    return 1 - 0.5 * beta_cdf(freedom / (freedom + t * t), freedom / 2, 0.5)
