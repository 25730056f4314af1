"""How directions lie, in figures that two reports can be held against each other by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from console.health.findings import Mask
from console.health.table import F32, F64, I64

if TYPE_CHECKING:
    from console.health.evidence import Evidence

PAIRS: Final = 20_000
"""Random pairs of rows whose cosines are kept: their own noise is then a third of what KS fires on."""
SHIFTS: Final = 4
_GRID: Final = np.linspace(0.05, 0.95, 19)
_BRIDGE: Final = 3.26
"""99th percentile of the supremum of a Brownian bridge (1.63) in units of its largest standard deviation (.5)."""
_NORMAL: Final = 2.326
"""99th percentile of the normal distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """Cosines of random pairs of the reservoir's good rows, to be filtered when rows are left out.

    `unit`: (m, d) float32, the reservoir's rows at length 1, zeros without a direction. `pairs`: (p, 2)
    positions in the reservoir; each row stands in about equally many. `cosines`: (p,).
    """

    unit: F32
    pairs: I64
    cosines: F32


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """`mean`: (d,) of the vectors at length 1. `trace`, `trace2`: of their covariance and of its square.

    `scores`: (p,) cosines of random pairs. `noise`: the largest standard deviation of their distribution
    function, as an estimate for the collection.
    """

    n: int
    mean: F64
    trace: float
    trace2: float
    scores: F32
    noise: float

    @property
    def participation(self) -> float:
        """The number of directions that the spread is as good as equal in."""
        return self.trace**2 / self.trace2 if self.trace2 > 0 else 1.0


def scatter(evidence: Evidence, rng: np.random.Generator) -> Scatter:
    """Pairs at fixed shifts of a random order: every row in as many, so that the figures' noise is small."""
    places, m = evidence.places, len(evidence.places)
    unit = np.zeros((len(evidence.reservoir.rows), evidence.reservoir.matrix.shape[1]), np.float32)
    unit[places] = evidence.unit
    if m < 3:
        return Scatter(unit, np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
    order = places[rng.permutation(m)]
    wanted = max(SHIFTS, math.ceil(PAIRS / m))
    possible = (m - 1) // 2
    shifts = 1 + rng.choice(possible, min(wanted, possible), replace=False)
    pairs = np.concatenate([np.stack([order, np.roll(order, -int(s))], axis=1) for s in shifts])
    cosines = np.concatenate(
        [np.einsum("ij,ij->i", unit[part[:, 0]], unit[part[:, 1]]) for part in np.split(pairs, len(shifts))]
    )
    return Scatter(unit, pairs, cosines.astype(np.float32))


def spread(held: Scatter, alive: Mask) -> Spread:
    """The figures of the rows that are `alive` (m,), of those that have a direction."""
    weight = alive.astype(np.float32)
    n = int(np.count_nonzero(alive))
    if n == 0:
        return Spread(
            0, np.zeros(int(held.unit.shape[1]), np.float64), 0.0, 0.0, np.zeros(0, np.float32), math.inf
        )
    total: F32 = weight @ held.unit
    mean = total.astype(np.float64) / n
    radius = float(mean @ mean)
    keep = alive[held.pairs[:, 0]] & alive[held.pairs[:, 1]]
    pairs, scores = (held.pairs, held.cosines) if keep.all() else (held.pairs[keep], held.cosines[keep])
    along = held.unit @ mean.astype(np.float32)
    centred = scores - along[pairs[:, 0]] - along[pairs[:, 1]] + np.float32(radius)
    trace2 = float(np.mean(centred.astype(np.float64) ** 2)) if len(scores) else 0.0
    return Spread(n, mean, max(0.0, 1 - radius), trace2, scores, _noise(scores, pairs, len(alive)))


def _noise(scores: F32, pairs: I64, m: int) -> float:
    """The distribution function of pair scores is a U-statistic: its variance at t is 4 zeta(t) / n + F (1 - F) / p.

    zeta is the covariance of two pairs that share a row (Hoeffding 1948), here from all pairs of each row.
    """
    p = len(scores)
    if p < 2:
        return math.inf
    at = np.quantile(scores, _GRID)
    both = np.concatenate([pairs[:, 0], pairs[:, 1]])
    of_row = np.bincount(both, minlength=m).astype(np.float64)
    n, ordered = int(np.count_nonzero(of_row)), float((of_row * (of_row - 1)).sum())
    worst = 0.0
    for t in at:
        below = (scores <= t).astype(np.float64)
        share = float(below.mean())
        hits = np.bincount(both, weights=np.concatenate([below, below]), minlength=m)
        shared = float((hits * (hits - 1)).sum()) / ordered - share**2 if ordered else 0.0
        worst = max(worst, 4 * max(0.0, shared) / n + share * (1 - share) / p)
    return math.sqrt(worst)


def ks(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """The two-sample Kolmogorov-Smirnov statistic of as many scores of each side as the shorter one has."""
    n = min(len(a), len(b))
    if n == 0:
        return 0.0
    one, other = np.sort(a[:n]), np.sort(b[:n])
    both = np.concatenate([one, other])
    return float(
        np.abs(np.searchsorted(one, both, "right") - np.searchsorted(other, both, "right")).max() / n
    )


def ks_chance(then: float, now: float) -> float:
    """What `ks` of two samples of one collection stays under in 99 of 100, from the noise of each."""
    return _BRIDGE * math.hypot(then, now)


def mean_shift(then: Spread, now: Spread) -> float:
    """sqrt(max(0, d2 - tr S1 / n1 - tr S2 / n2)) / sqrt(tr S): the distance of the means in spreads, noise taken off."""
    trace = (then.trace + now.trace) / 2
    if not (then.n and now.n and trace > 0):
        return 0.0
    gap = now.mean - then.mean
    return math.sqrt(max(0.0, float(gap @ gap) - then.trace / then.n - now.trace / now.n) / trace)


def mean_shift_chance(then: Spread, now: Spread) -> float:
    """What `mean_shift` of two samples of one collection stays under in 99 of 100.

    d2 over its expectation is about chi-squared over its degrees of freedom, which are the participation ratio
    (Satterthwaite 1946); its 99th percentile by Wilson and Hilferty (1931).
    """
    if not (then.n and now.n):
        return math.inf
    freedom = min(then.participation, now.participation)
    third = 2 / (9 * freedom)
    ratio = (1 - third + _NORMAL * math.sqrt(third)) ** 3
    return math.sqrt(max(0.0, ratio - 1) * (1 / then.n + 1 / now.n))
