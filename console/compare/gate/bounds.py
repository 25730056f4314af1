"""Bounds of paired differences, of cohorts and of percentiles: numbers only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from console.compare.gate.gaffke import least
from console.health.table import F64, I64
from console.search.means import IMPERFECT, normal_quantile
from console.search.paired import t_quantile
from console.search.simultaneous import CHANCE, CohortBounds, cohorts

__all__ = ["CHANCE", "CohortBounds", "cohorts"]

CONFIDENCE: Final = 0.95
SURE: Final = 0.975
"""Of the bound that proves a loss: the upper end of a two-sided 95% interval, so that equal models fail rarely."""
POWER: Final = 1.645 + 0.84
"""Standard errors that a margin must measure, so that a true difference of 0 is seen four times in five."""
ONE_IN_FIVE: Final = 0.84
"""Quantile of the standard normal that one sample in five lies beyond."""
FELT: Final = 0.01
"""Points below which a loss does not show what a query that is lost whole would look like."""
STEP: Final = 1.05
"""From one number of queries that is tried to the next."""
MOST: Final = 1_000_000
"""Queries: nobody judges more."""
MANY: Final = IMPERFECT + 2
"""Losses; of fewer, a sample may by luck have less than `IMPERFECT`."""
RESAMPLES: Final = 2_000
PERCENTILE: Final = 0.95
BLOCK: Final = 20
"""Searches that follow each other and share what the machine was doing."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A mean of `n` values with its spread. `low` holds at 95%, `high` at 97.5%."""

    mean: float
    low: float
    high: float
    sd: float
    n: int


def paired(differences: F64) -> Bounds:
    """The mean of `differences` (n,) in -1 to 1, n > 0, and its two bounds.

    Student's t, widened by the skewness as Johnson's and Hall's corrections do (Hall, JRSS B 54, 1992), never
    narrowed. While fewer than `IMPERFECT` queries got worse, the lower bound comes from `least`: a regression that
    strikes one query in twenty leaves no trace in twenty queries one time in three, and a t bound of what is left would
    call it equal. The same for the upper bound and the queries that got better.
    """
    n = len(differences)
    mean = float(differences.mean())
    sd = float(differences.std(ddof=1)) if n > 1 else 0.0
    worse, better = np.count_nonzero(differences < -FELT), np.count_nonzero(differences > FELT)
    low = mean - _reach(-differences, CONFIDENCE) if worse >= IMPERFECT else least(differences, CONFIDENCE)
    high = mean + _reach(differences, SURE) if better >= IMPERFECT else -least(-differences, SURE)
    return Bounds(mean, min(low, mean), max(high, mean), sd, n)


def _reach(values: F64, confidence: float) -> float:
    """From the mean up to its upper bound."""
    n, sd = len(values), float(values.std(ddof=1))
    if sd == 0:
        return 0.0
    z = normal_quantile(confidence)
    apart: F64 = values - values.mean()
    skew = float((apart**3).mean()) / float(values.std()) ** 3
    lean = max(0.0, skew * sd * (2 * z * z + 1) / (6 * n))
    return t_quantile(confidence, n - 1) * sd / math.sqrt(n) + lean


def queries_needed(differences: F64, margin: float) -> int:
    """Queries after which a true difference of 0 has its lower bound above -`margin` about four times in five, where
    as large a share of them differs, and as much, as of `differences` (n,).

    ((1.645 + .84) sd / margin)^2, and more where so few differ that the bound is not Student's: each number is tried
    on the sample that the luck of one in five would give. Never fewer than it takes where none differs at all.
    """
    n, apart = len(differences), differences - differences.mean()
    sd = float(apart.std(ddof=1)) if n > 1 else 0.0
    none = math.log(1 - CONFIDENCE) / math.log(1 - min(margin, 0.999))
    needed = math.ceil(max((POWER * sd / margin) ** 2, none) - 1e-9)
    if not sd:
        return needed
    # The size whose losses carry the spread: of many small ones and a few whole ones, nearly a whole one.
    size = min(1.0, max(sd, float((np.abs(apart) ** 3).sum() / np.square(apart).sum())))
    passed = False
    while needed < MOST:
        sample = _unlucky(needed, (sd / size) ** 2, size)
        if np.count_nonzero(sample < 0) >= MANY:
            break
        # Losses are whole numbers: one number of queries may pass where the next does not.
        passes = least(sample, CONFIDENCE) >= -margin
        if passes and passed:
            break
        passed, needed = passes, math.ceil(needed * STEP)
    return needed


def _unlucky(n: int, share: float, size: float) -> F64:
    """Differences of n queries, of which `share` differ by `size` up or down; one sample in five has more losses."""
    differ = share * n
    losses = min(n, math.ceil(differ / 2 + ONE_IN_FIVE * math.sqrt(differ) / 2 - 1e-9))
    gains = min(n - losses, max(0, math.floor(differ - losses + 1e-9)))
    return np.repeat([-size, size, 0.0], [losses, gains, n - losses - gains])


@dataclass(frozen=True, slots=True)
class Slower:
    """95th percentiles of both sides in milliseconds; the ratio right / left with its bounds, and by how much the
    right is slower at most. Each bound holds at 95%."""

    left: float
    right: float
    ratio: float
    low: float
    high: float
    most: float
    n: int

    @property
    def difference(self) -> float:
        return self.right - self.left

    def decides(self, ratio: float, milliseconds: float) -> bool | None:
        """Whether the right side is slower by neither, or by both (False); None: either may be."""
        if self.high <= ratio or self.most <= milliseconds:
            return True
        return False if self.low > ratio and self.difference > milliseconds else None


def slower(left: F64, right: F64, seed: int = 0) -> Slower:
    """From times (n,) of searches made in turn, in their order. Moving blocks are drawn, of both sides at once:
    what the machine was doing then stays with both (Künsch, Annals of Statistics 17, 1989)."""
    n = len(left)
    places = _blocks(n, np.random.default_rng([seed, n]))
    a, b = (np.quantile(side[places], PERCENTILE, axis=1) for side in (left, right))
    before, after = (float(np.quantile(side, PERCENTILE)) for side in (left, right))
    low, high = (float(x) for x in np.quantile(b / np.maximum(a, 1e-9), (1 - CONFIDENCE, CONFIDENCE)))
    most = float(np.quantile(b - a, CONFIDENCE))
    ratio = after / max(before, 1e-9)
    return Slower(before, after, ratio, min(low, ratio), max(high, ratio), max(most, after - before), n)


def _blocks(n: int, rng: np.random.Generator) -> I64:
    """(draws, n) places: blocks of neighbours, around the end."""
    size = min(BLOCK, n)
    starts = rng.integers(0, n, (RESAMPLES // 2, -(-n // size)))
    places = (starts[:, :, None] + np.arange(size)).reshape(len(starts), -1)[:, :n] % n
    return places.astype(np.int64)
