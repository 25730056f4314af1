"""The mergeable statistics of one vector field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from connectors.model import Mask, Matrix
from console.health.kernel import Moments, RowFigures, measure
from console.health.sketches import Norms
from console.health.table import F64, I64, MISSING, NON_FINITE, U16, ZERO, Codes, RowTable
from console.health.values import OTHER as OTHER
from console.health.values import UNBOUND, Key, key_of, rank_of, text_of

QUANTILES: Final = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
VALUES: Final = 128
"""Values of one field with statistics of their own. Each keeps a float64 vector: 16 fields of 512-d take 8 MiB."""


class NormStats(Protocol):
    """Lengths of rows that are present and finite; exact zeros are left out."""

    n: int
    mean: float
    minimum: float
    maximum: float

    @property
    def std(self) -> float: ...
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


@dataclass(slots=True, eq=False)
class GroupStats:
    """The rows of one value of one group field."""

    d: int
    rows: int = 0
    missing: int = 0
    non_finite: int = 0
    zero: int = 0
    norms: Norms = field(default_factory=Norms)
    unit_sum: F64 = field(default_factory=lambda: np.zeros(0))
    unit_n: int = 0

    @property
    def unit_mean(self) -> F64:
        """(d,) mean of the vectors at length 1."""
        return self.unit_sum / self.unit_n if self.unit_n else np.zeros(self.d)

    def merge(self, other: GroupStats) -> GroupStats:
        return GroupStats(
            max(self.d, other.d),
            self.rows + other.rows,
            self.missing + other.missing,
            self.non_finite + other.non_finite,
            self.zero + other.zero,
            self.norms.merge(other.norms),
            _added(self.unit_sum, other.unit_sum),
            self.unit_n + other.unit_n,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "missing": self.missing,
            "non_finite": self.non_finite,
            "zero": self.zero,
            "norms": norms_json(self.norms),
        }


class Profile:
    """Counts, norms, per-dimension moments and groups of the rows of one vector field.

    `duplicates`: rows whose vector an earlier row has, bit for bit; None where nobody counted them.
    """

    def __init__(self, d: int = 0) -> None:
        self.rows = 0
        self.missing = 0
        self.non_finite = 0
        self.zero = 0
        """Exact zeros."""
        self.norms = Norms()
        self.unit_n = 0
        self.duplicates: int | None = None
        self._moments = Moments.empty(d)
        self._unit_sum = np.zeros(d)
        self._groups: dict[str, dict[Key, GroupStats]] = {}
        self._values: dict[str, dict[Key, Any]] = {}

    @classmethod
    def of(cls, matrix: Matrix, present: Mask, table: RowTable) -> Profile:
        """The profile of rows and their table."""
        made = cls(matrix.shape[1])
        made.update(matrix, present, table.groups)
        made.duplicates = duplicates(table)
        return made

    @property
    def dimension(self) -> int:
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
        return {name: _named(held, self._values[name]) for name, held in self._groups.items()}

    def update(
        self, matrix: Matrix, present: Mask, groups: Mapping[str, Codes], *, digests: bool = False
    ) -> RowFigures:
        """Add rows, in place: `matrix` (n, d), with a code per row for each group field."""
        d = matrix.shape[1]
        if d and not self.dimension:
            self._widen(d)
        placed = {name: self._places(name, codes) for name, codes in groups.items()}
        wanted = {name: (np.asarray(at[codes.codes], np.int64), len(keys))
                  for (name, codes), (at, keys) in zip(groups.items(), placed.values(), strict=True)}  # fmt: skip
        block = measure(matrix, present, wanted, digests=digests)
        figures = block.rows
        good = figures.good
        lengths = figures.length[good]
        self.rows += len(matrix)
        self.missing += _count(figures.flags, MISSING)
        self.non_finite += _count(figures.flags, NON_FINITE)
        self.zero += _count(figures.flags, ZERO)
        self.norms.update(lengths)
        self.unit_n += len(lengths)
        if d:
            self._moments.add(block.moments)
            self._unit_sum += block.unit_sum
        for name, (_, keys) in placed.items():
            self._group(name, keys, wanted[name][0], figures, good, lengths, block.sums.get(name))
        return figures

    def merge(self, other: Profile) -> Profile:
        """Both together; neither changes. Any split and order gives the same counts, and figures to rounding."""
        d = max(self.dimension, other.dimension)
        out = Profile(d)
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
                mine = out._groups.setdefault(name, {})
                out._values.setdefault(name, {}).update(one._values[name])
                for key, stats in held.items():
                    mine[key] = (mine[key] if key in mine else GroupStats(d)).merge(stats)
        out.norms = self.norms.merge(other.norms)
        for name in out._groups:
            out._bound(name)
        return out

    def to_json(self, version: str | None = None) -> dict[str, Any]:
        """The `profile` of `plumbline check`. `version`: the field of the version tags."""
        tags = self.groups.get(version, {}) if version is not None else {}
        return {
            "dimension": self.dimension,
            "norms": norms_json(self.norms),
            "zero": self.zero,
            "non_finite": self.non_finite,
            "missing": self.missing,
            "duplicates": self.duplicates,
            "versions": {label(value): stats.rows for value, stats in tags.items() if value is not None},
            "untagged": tags[None].rows if None in tags else 0 if tags else self.rows,
            "groups": {
                name: {label(value): stats.to_json() for value, stats in held.items()}
                for name, held in self.groups.items()
            },
        }

    def _widen(self, d: int) -> None:
        self._moments, self._unit_sum = Moments.empty(d), np.zeros(d)
        for held in self._groups.values():
            for stats in held.values():
                stats.d = d

    def _places(self, name: str, codes: Codes) -> tuple[I64, list[Key]]:
        """For each code of a block its group's place among `keys`."""
        held = self._groups.setdefault(name, {})
        values = self._values.setdefault(name, {})
        occurring = np.flatnonzero(np.bincount(codes.codes, minlength=1)).tolist()
        at = np.zeros(max([*occurring, 0]) + 1, np.int64)
        keys: dict[Key, int] = {}
        last = self._last(name)
        for code in occurring:
            value = OTHER if code == codes.other else None if code == 0 else codes.values[code - 1]
            key = key_of(value)
            if last is not None and key not in held and key not in UNBOUND and rank_of(key) > last:
                value, key = OTHER, key_of(OTHER)
            values[key] = value
            at[code] = keys.setdefault(key, len(keys))
        return at, list(keys)

    def _last(self, name: str) -> int | None:
        """The rank of the last value that is kept, None while there is room."""
        ranks = [rank_of(key) for key in self._groups[name] if key not in UNBOUND]
        return max(ranks) if len(ranks) >= VALUES else None

    def _group(
        self,
        name: str,
        keys: list[Key],
        places: I64,
        figures: RowFigures,
        good: Mask,
        lengths: F64,
        sums: F64 | None,
    ) -> None:
        k = len(keys)
        held = self._groups[name]
        counts = [
            np.bincount(places[mask], minlength=k).tolist()
            for mask in (slice(None), *(figures.flags & bit != 0 for bit in (MISSING, NON_FINITE, ZERO)))
        ]
        mine = places[good]
        order = np.argsort(mine, kind="stable")
        parts = np.split(lengths[order], np.cumsum(np.bincount(mine, minlength=k))[:-1])
        for i, key in enumerate(keys):
            stats = held.get(key)
            if stats is None:
                stats = held[key] = GroupStats(self.dimension)
            stats.rows += counts[0][i]
            stats.missing += counts[1][i]
            stats.non_finite += counts[2][i]
            stats.zero += counts[3][i]
            stats.norms.update(parts[i])
            stats.unit_n += len(parts[i])
            if sums is not None and sums.shape[1]:
                stats.unit_sum = _added(stats.unit_sum, sums[i])
        self._bound(name)

    def _bound(self, name: str) -> None:
        """Keep the values that rank first and put the others together.

        The rank is a hash of the value, so it is the same whatever was seen before: a value that was put
        away ranks behind `VALUES` others for good, and counts do not depend on the order of merging.
        """
        held, values = self._groups[name], self._values[name]
        bounded = [key for key in held if key not in UNBOUND]
        if len(bounded) <= VALUES:
            return
        other = key_of(OTHER)
        values[other] = OTHER
        for key in sorted(bounded, key=rank_of)[VALUES:]:
            held[other] = held.get(other, GroupStats(self.dimension)).merge(held.pop(key))
            del values[key]


def _named(held: Mapping[Key, GroupStats], values: Mapping[Key, Any]) -> dict[Any, GroupStats]:
    """By value. Where 1 and true are two groups of one field, the later one goes by its JSON text."""
    named: dict[Any, GroupStats] = {}
    for key, stats in held.items():
        value = values[key]
        named[text_of(value) if value in named else value] = stats
    return named


def _added(one: F64, other: F64) -> F64:
    """The sum, where either may not have been begun."""
    return one + other if len(one) and len(other) else one if len(one) else other.copy()


def _count(flags: U16, bit: int) -> int:
    return int(np.count_nonzero(flags & np.uint16(bit)))


def duplicates(table: RowTable) -> int:
    """Rows whose vector an earlier row of the table has, bit for bit."""
    digests = np.sort(table.digest[table.present])
    return int((digests[1:] == digests[:-1]).sum())


def norms_json(norms: NormStats) -> dict[str, Any]:
    """Null where there are no rows."""
    if not norms.n:
        return {"mean": None, "std": None, "min": None, "max": None, "quantiles": {}}
    return {
        "mean": norms.mean,
        "std": norms.std,
        "min": norms.minimum,
        "max": norms.maximum,
        "quantiles": {f"{q:g}": v for q, v in zip(QUANTILES, norms.quantiles(QUANTILES), strict=True)},
    }


def label(value: Any) -> str:
    """A group's value as a JSON key."""
    if value is OTHER:
        return OTHER.value
    return "(none)" if value is None else text_of(value)
