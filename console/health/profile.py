"""The mergeable statistics of one vector field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from console.health.table import F64


class NormStats(Protocol):
    """Lengths of rows that are present and finite; exact zeros are left out."""

    n: int
    mean: float
    std: float
    minimum: float
    maximum: float

    def quantiles(self, at: Sequence[float]) -> list[float]: ...
    def histogram(self, edges: F64) -> F64:
        """Rows per bin of `edges` (ascending lengths), from the sketch."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class DimensionStats:
    """Raw values of the good rows per dimension; arrays of shape (d,)."""

    n: int
    mean: F64
    variance: F64
    minimum: F64
    maximum: F64
    zeros: F64


@dataclass(frozen=True, slots=True, eq=False)
class GroupStats:
    """The rows of one value of one group field."""

    rows: int
    missing: int
    non_finite: int
    zero: int
    norms: NormStats
    unit_mean: F64
    """(d,) mean of the vectors at length 1."""
    unit_n: int


class Profile:
    """Counts, norms, per-dimension moments and groups of the rows of one vector field."""

    rows: int
    missing: int
    non_finite: int
    zero: int
    """Exact zeros."""
    norms: NormStats
    dims: DimensionStats
    unit_mean: F64
    """(d,) mean of the vectors at length 1; zeros without such rows."""
    unit_n: int
    groups: Mapping[str, Mapping[Any, GroupStats]]
    """Field -> value -> statistics. Values past the bound are under `OTHER`, rows without one under None."""

    def merge(self, other: Profile) -> Profile:
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """The `profile` of `plumbline check`."""
        raise NotImplementedError
