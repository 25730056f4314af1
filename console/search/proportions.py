"""Exact confidence intervals of a share, without a statistics package."""

from __future__ import annotations

import math
from typing import Final

CONFIDENCE: Final = 0.95
_TINY: Final = 1e-300


def clopper_pearson(hits: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact binomial interval of `hits` out of `n` (Clopper and Pearson, Biometrika 26, 1934).

    The lower bound is where `hits` or more has the probability (1 - confidence) / 2, the upper one
    where `hits` or fewer has; at 0 and at n one of them is 0 or 1. Raises ValueError unless 0 <= hits <= n, n > 0.
    """
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} of {n} is not a share")
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _quantile(tail, hits, n - hits + 1)
    high = 1.0 if hits == n else _quantile(1 - tail, hits + 1, n - hits)
    return low, high


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), relative error about 1e-12.

    Continued fraction by Lentz's method (Press et al., Numerical Recipes, 3rd ed., 6.4).
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, _safe(1 - (a + b) * x / (a + 1))
    d = 1 / d
    out = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _safe(1 + even * d)
        c = _safe(1 + even / c)
        out *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _safe(1 + odd * d)
        c = _safe(1 + odd / c)
        step = d * c
        out *= step
        if abs(step - 1) < 1e-15:
            break
    return out


def _safe(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _quantile(p: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high) and high - low > 1e-15 * high:
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2
