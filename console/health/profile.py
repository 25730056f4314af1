"""The mergeable statistics of one vector field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from connectors.model import Mask, Matrix
from console.health.frequent import Others
from console.health.groups import GroupField, labelled, norms_json
from console.health.groups import GroupStats as GroupStats
from console.health.groups import NormStats as NormStats
from console.health.kernel import Moments, RowFigures, measure
from console.health.sketches import Norms
from console.health.table import F64, MISSING, NON_FINITE, U16, ZERO, Codes, RowTable
from console.health.values import OTHER as OTHER
from console.health.values import Key
from console.search.fields import VERSION


@dataclass(frozen=True, slots=True, eq=False)
class DimensionStats:
    """Raw values of the good rows per dimension; arrays of shape (d,). Population variance."""

    n: int
    mean: F64
    variance: F64
    minimum: F64
    maximum: F64
    zeros: F64


class Profile:
    """Counts, norms, per-dimension moments and groups of the rows of one vector field."""

    rows: int
    missing: int
    non_finite: int
    zero: int
    """Exact zeros."""
    norms: Norms
    unit_n: int
    version: str
    """The field whose groups are version tags."""
    duplicates: int | None
    """Rows whose vector an earlier row has, bit for bit; None where nobody counted them."""

    def __init__(self, d: int = 0, heavy: Mapping[str, frozenset[Key]] | None = None) -> None:
        self.rows = self.missing = self.non_finite = self.zero = self.unit_n = 0
        self.norms = Norms()
        self.version = VERSION
        self.duplicates = None
        self._moments = Moments.empty(d)
        self._unit_sum = np.zeros(d)
        self._groups = {name: GroupField(d, keys) for name, keys in (heavy or {}).items()}

    @classmethod
    def of(cls, matrix: Matrix, present: Mask, table: RowTable) -> Profile:
        """The profile of rows, (n, d), and their table."""
        made = cls(matrix.shape[1])
        made.update(matrix, present, table.groups, digests=False)
        made.duplicates = duplicates(table)
        return made

    @property
    def dimension(self) -> int:
        """0 while no row showed one."""
        return len(self._unit_sum)

    @property
    def dims(self) -> DimensionStats:
        held = self._moments
        if not held.n:
            nothing = np.zeros(self.dimension)
            return DimensionStats(0, nothing, nothing, nothing, nothing, nothing)
        return DimensionStats(held.n, held.mean, held.m2 / held.n, held.minimum, held.maximum, held.zeros)

    @property
    def unit_mean(self) -> F64:
        """(d,) mean of the vectors at length 1; zeros without such rows."""
        return self._unit_sum / self.unit_n if self.unit_n else np.zeros(self.dimension)

    @property
    def groups(self) -> Mapping[str, Mapping[Any, GroupStats]]:
        """Field -> value -> statistics. Values past the bound are under `OTHER`, rows without one under None."""
        return {name: held.named for name, held in self._groups.items()}

    @property
    def others(self) -> Mapping[str, Others]:
        """Of each field with values past the bound, what `OTHER` stands for."""
        return {name: found for name, held in self._groups.items() if (found := held.others) is not None}

    def update(
        self, matrix: Matrix, present: Mask, groups: Mapping[str, Codes], *, digests: bool = True
    ) -> RowFigures:
        """Add rows, in place: `matrix` (n, d), with a code per row for each group field."""
        d = matrix.shape[1]
        if d and not self.dimension:
            self._moments, self._unit_sum = Moments.empty(d), np.zeros(d)
            for held in self._groups.values():
                held.widen(d)
        for name in groups:
            self._groups.setdefault(name, GroupField(self.dimension))
        placed = {name: self._groups[name].places(codes) for name, codes in groups.items()}
        wanted = {name: (at, len(keys)) for name, (at, keys) in placed.items()}
        block = measure(matrix, present, wanted, digests=digests)
        figures = block.rows
        lengths = figures.length[figures.good]
        self.rows += len(matrix)
        self.missing += _count(figures.flags, MISSING)
        self.non_finite += _count(figures.flags, NON_FINITE)
        self.zero += _count(figures.flags, ZERO)
        self.norms.update(lengths)
        self.unit_n += len(lengths)
        if d:
            self._moments.add(block.moments)
            self._unit_sum += block.unit_sum
        for name, (at, keys) in placed.items():
            self._groups[name].add(at, keys, figures, block.sums.get(name))
        return figures

    def merge(self, other: Profile) -> Profile:
        """Both together; neither changes. Any split and order gives the same counts, and figures to rounding.

        `duplicates` is not known afterwards: the same vector may be on both sides.
        """
        d = max(self.dimension, other.dimension)
        out = Profile(d)
        out.version = self.version
        for one in (self, other):
            out.rows += one.rows
            out.missing += one.missing
            out.non_finite += one.non_finite
            out.zero += one.zero
            out.unit_n += one.unit_n
            if one.dimension:
                out._moments.add(one._moments)
                out._unit_sum = out._unit_sum + one._unit_sum
            for name, held in one._groups.items():
                out._groups[name] = out._groups.get(name, GroupField(d)).merge(held)
        out.norms = self.norms.merge(other.norms)
        return out

    def to_json(self) -> dict[str, Any]:
        """The `profile` of `plumbline check`; without the dimension where no row showed one."""
        nothing: Mapping[Any, GroupStats] = {}
        groups = self.groups
        tags = groups.get(self.version, nothing)
        tagged = {value: stats for value, stats in tags.items() if value is not None}
        others = self.others
        shown = {"dimension": self.dimension} if self.dimension else {}
        return shown | {
            "norms": norms_json(self.norms),
            "zero": self.zero,
            "non_finite": self.non_finite,
            "missing": self.missing,
            "duplicates": self.duplicates,
            "versions": {name: stats.rows for name, stats in labelled(tagged).items()},
            "untagged": tags[None].rows if None in tags else 0 if tags else self.rows,
            "groups": {
                name: {
                    value: stats.to_json()
                    | (others[name].to_json() if value == OTHER.value and name in others else {})
                    for value, stats in labelled(held).items()
                }
                for name, held in groups.items()
            },
        }


def duplicates(table: RowTable) -> int:
    """Rows whose vector an earlier row of the table has, bit for bit."""
    digests = np.sort(table.digest[table.present])
    return int((digests[1:] == digests[:-1]).sum())


def _count(flags: U16, bit: int) -> int:
    return int(np.count_nonzero(flags & np.uint16(bit)))
