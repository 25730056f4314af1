"""Differences of several cohorts, with intervals that hold for all of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from console.search.means import F64
from console.search.paired import t_quantile

CONFIDENCE: Final = 0.95
CHANCE: Final = 0.9
"""Of the line that the worst of so many equal cohorts stays above: one time in ten it lies below for nothing."""
RESAMPLES: Final = 2_000
_ROOM: Final = 4_000_000
"""Numbers drawn at once."""


@dataclass(frozen=True, slots=True)
class CohortBounds:
    """`low`, `high`: the 95% interval for all cohorts together. `chance`: the upper bound, one-sided, that of so many
    equal cohorts none lies below 0 in nine gates of ten."""

    mean: float
    low: float
    high: float
    chance: float
    sd: float
    n: int


def cohorts(differences: F64, members: Sequence[npt.NDArray[np.bool_]], seed: int = 0) -> list[CohortBounds]:
    """Of each cohort, a bitmap over `differences` (n,); cohorts may overlap.

    Studentised max-t bootstrap over queries (Romano and Wolf, Econometrica 73, 2005): with all cohorts unchanged, every
    interval holds 0 in at least 95% of the cases. A cohort's variance gets the part of one more query half a unit
    off, and no bar is below Student's quantile for so many cohorts.
    """
    if not members:
        return []
    of = np.stack(members, axis=1).astype(np.float64)
    n = of.sum(axis=0)
    sums, squares = differences @ of, np.square(differences) @ of
    mean, error = _studied(n, sums, squares)
    rng = np.random.default_rng([seed, len(differences), len(members)])
    weighed = np.concatenate([of, of * differences[:, None], of * np.square(differences)[:, None]], axis=1)
    worst: list[F64] = []
    lowest: list[F64] = []
    step = max(1, _ROOM // len(differences))
    for start in range(0, RESAMPLES, step):
        times = _times(min(step, RESAMPLES - start), len(differences), rng)
        count, total, square = np.split(times @ weighed, 3, axis=1)
        again, spread = _studied(np.maximum(count, 1.0), total, square)
        apart = (again - mean) / spread
        worst.append(np.abs(apart).max(axis=1))
        lowest.append(-apart.min(axis=1))
    both, one = (float(np.quantile(np.concatenate(d), c)) for d, c in ((worst, CONFIDENCE), (lowest, CHANCE)))
    out: list[CohortBounds] = []
    for i, size in enumerate(n.astype(np.int64).tolist()):
        bar = max(both, t_quantile(1 - (1 - CONFIDENCE) / 2 / len(members), max(1, size - 1)))
        line = max(one, t_quantile(1 - (1 - CHANCE) / len(members), max(1, size - 1)))
        at, off = float(mean[i]), float(error[i])
        out.append(
            CohortBounds(at, at - bar * off, at + bar * off, at + line * off, off * math.sqrt(size), size)
        )
    return out


def _times(draws: int, n: int, rng: np.random.Generator) -> F64:
    """(draws, n): how often each of n queries comes in a draw of n with replacement."""
    places = rng.integers(0, n, (draws, n)) + n * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float64)


def _studied(n: F64, sums: F64, squares: F64) -> tuple[F64, F64]:
    """Means and their standard errors."""
    mean = sums / n
    variance = (np.maximum(squares - sums * mean, 0) + 0.25) / n
    return mean, np.sqrt(variance / n)
