"""Means over queries: what `console.search.means` gives, under the name that checks use."""

from console.search.means import (
    DRAWS,
    IMPERFECT,
    TAIL,
    Gap,
    Mean,
    draws,
    gaps,
    mean,
    normal_quantile,
    poisson,
)

__all__ = [
    "DRAWS",
    "IMPERFECT",
    "TAIL",
    "Gap",
    "Mean",
    "draws",
    "gaps",
    "mean",
    "normal_quantile",
    "poisson",
]
