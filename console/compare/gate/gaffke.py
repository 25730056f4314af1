"""The lower bound of a mean, whatever the law, computed and not drawn: the same sample has the same bound."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from console.health.table import F64
from console.search.proportions import clopper_pearson

STEP: Final = 0.05
"""Of the logarithm that is summed over: a tail of .05 is then right to 1e-10 (against the incomplete beta function)."""
PRECISION: Final = 1e-7
_DAMPED: Final = 30.0
"""Where the integrand is below exp(-30) it is left out."""
_NEGLIGIBLE: Final = 1e-10
_MOST: Final = 256
"""Different values that are told apart; more are rounded down, which can only lower the bound."""


def least(values: F64, confidence: float = 0.95, floor: float = -1.0) -> float:
    """Lower bound of the mean of values (n,) that may be as low as `floor`.

    Gaffke's bound: a quantile of the mean that a Bayesian bootstrap gives with one more value, at the floor. For values
    that are 0 or `floor` it is Clopper and Pearson's (Learned-Miller and Thomas, arXiv:1905.06208, 2019).
    """
    held, counts = np.unique(np.append(_rounded(values), floor), return_counts=True)
    if len(held) == 1:
        return floor
    if len(held) == 2:
        top = float(held[1])
        lost = clopper_pearson(int(counts[0]) - 1, len(values), 2 * confidence - 1)[1]
        return top - (top - floor) * lost
    weights = counts.astype(np.float64)
    mean, spread = _moments(held, weights)
    # Cantelli's inequality: the quantile lies between these.
    odds = math.sqrt(confidence / (1 - confidence))
    low, high = max(floor, mean - odds * spread), mean + spread / odds
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle, held, weights) < 1 - confidence else (low, middle)
    return low


def below(line: float, held: F64, counts: F64) -> float:
    """Chance that the mean of `held` (m,) lies below `line` where its weights are Dirichlet's with `counts` (m,).

    Such weights are exponential variables over their sum, so that it is the chance of a weighted sum of them being
    negative: from its characteristic function (Gil-Pelaez, Biometrika 38, 1951; Imhof, Biometrika 48, 1961). Right for a
    line within some standard deviations of the mean; beyond, the integrand turns faster than the sum steps.
    """
    apart = held - line
    start = math.log(_NEGLIGIBLE / float(np.abs(apart) @ counts))
    end = start
    while float(np.log1p((apart * math.exp(end)) ** 2) @ counts) < 2 * _DAMPED:
        end += 1
    at = np.exp(np.arange(start, end, STEP))[:, None] * apart
    angle, damping = np.arctan(at) @ counts, np.log1p(at * at) @ counts / 2
    return 0.5 - float((np.sin(angle) * np.exp(-damping)).sum()) * STEP / math.pi


def _moments(held: F64, counts: F64) -> tuple[float, float]:
    """Mean and standard deviation of the mean of `held` with such weights."""
    n = float(counts.sum())
    mean = float(held @ counts) / n
    return mean, math.sqrt(max(0.0, float(np.square(held - mean) @ counts) / n / (n + 1)))


def _rounded(values: F64) -> F64:
    if len(np.unique(values)) <= _MOST:
        return values
    span = float(np.ptp(values))
    low = float(values.min())
    return low + np.floor((values - low) / span * _MOST) * span / _MOST
