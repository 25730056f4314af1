"""The rows of each value of a group field, with a bound on values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from console.health.frequent import Frequent, Others
from console.health.kernel import RowFigures
from console.health.sketches import Norms
from console.health.table import F64, I64, MISSING, NON_FINITE, ZERO, Codes
from console.health.values import OTHER, UNBOUND, Key, key_of, rank_of, text_of

QUANTILES: Final = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
VALUES: Final = 128
"""Values of one field with statistics of their own. Each keeps a float64 vector: 16 fields of 512-d take 8 MiB."""


class NormStats(Protocol):
    """Lengths of rows that are present and finite; exact zeros are left out."""

    @property
    def n(self) -> int: ...
    @property
    def mean(self) -> float: ...
    @property
    def minimum(self) -> float: ...
    @property
    def maximum(self) -> float: ...
    @property
    def std(self) -> float: ...
    def quantiles(self, at: Sequence[float]) -> list[float]: ...
    def histogram(self, edges: F64) -> F64:
        """Rows per bin of `edges` (ascending lengths), from the sketch."""
        ...


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


class GroupField:
    """One field's groups. Past the bound, values that rank last are put together under `OTHER`.

    A value that was put away ranks behind `VALUES` others for good, and counts do not depend on the order of
    merging (see `rank_of`). `heavy`: values that are known to be common, which are kept first.
    """

    def __init__(self, d: int, heavy: frozenset[Key] = frozenset()) -> None:
        self._d = d
        self._heavy = heavy
        self._held: dict[Key, GroupStats] = {}
        self._values: dict[Key, Any] = {}
        self._put_away: Frequent | None = None

    @property
    def named(self) -> dict[Any, GroupStats]:
        """By value. Where 1, 1.0 and true are groups of one field, the latter two go by their JSON text."""
        named: dict[Any, GroupStats] = {}
        for key in sorted(self._held, key=lambda k: _KINDS.index(k[0]) if k[0] in _KINDS else -1):
            value = self._values[key]
            name = text_of(value) if value in named else value
            named[name] = named[name].merge(self._held[key]) if name in named else self._held[key]
        return named

    @property
    def others(self) -> Others | None:
        """What `OTHER` stands for, None where every value has a group of its own."""
        held = self._held.get(key_of(OTHER))
        return None if held is None else (self._put_away or Frequent()).among(held.rows)

    def widen(self, d: int) -> None:
        """Rows before had no dimension yet."""
        self._d = d
        for stats in self._held.values():
            stats.d = d

    def places(self, codes: Codes) -> tuple[I64, list[Key]]:
        """For each row its group's place among the keys that come with them."""
        counts = np.bincount(codes.codes, minlength=1)
        occurring = np.flatnonzero(counts).tolist()
        at = np.zeros(max([*occurring, 0]) + 1, np.int64)
        keys: dict[Key, int] = {}
        last = self._last()
        for code in occurring:
            value = OTHER if code == codes.other else None if code == 0 else codes.values[code - 1]
            key = key_of(value)
            if last is not None and key not in self._held and key not in UNBOUND and self._rank(key) > last:
                self._put({key: int(counts[code])})
                value, key = OTHER, key_of(OTHER)
            self._values[key] = value
            at[code] = keys.setdefault(key, len(keys))
        self._put(codes.others)
        return at[codes.codes], list(keys)

    def add(self, places: I64, keys: Sequence[Key], figures: RowFigures, sums: F64 | None) -> None:
        """Rows by their place among `keys`; `sums` (len(keys), d): of their vectors at length 1."""
        k = len(keys)
        rows = counts = np.bincount(places, minlength=k).tolist()
        missing = non_finite = zero = [0] * k
        mine, lengths = places, figures.length
        if figures.flags.any():
            missing, non_finite, zero = (
                np.bincount(places[(figures.flags & np.uint16(bit)) != 0], minlength=k).tolist()
                for bit in (MISSING, NON_FINITE, ZERO)
            )
            good = figures.good
            mine, lengths = places[good], lengths[good]
            counts = np.bincount(mine, minlength=k).tolist()
        lengths = lengths[np.argsort(mine.astype(np.uint16), kind="stable")]
        end = 0
        for i, key in enumerate(keys):
            stats = self._held.get(key)
            if stats is None:
                stats = self._held[key] = GroupStats(self._d)
            stats.rows += rows[i]
            stats.missing += missing[i]
            stats.non_finite += non_finite[i]
            stats.zero += zero[i]
            begin, end = end, end + counts[i]
            stats.norms.update(lengths[begin:end])
            stats.unit_n += counts[i]
            if sums is not None and sums.shape[1]:
                stats.unit_sum = _added(stats.unit_sum, sums[i])
        self._bound()

    def merge(self, other: GroupField) -> GroupField:
        out = GroupField(max(self._d, other._d), self._heavy | other._heavy)
        away = [one._put_away for one in (self, other) if one._put_away is not None]
        out._put_away = Frequent.of(away) if away else None
        for one in (self, other):
            out._values.update(one._values)
            for key, stats in one._held.items():
                out._held[key] = out._held.get(key, GroupStats(out._d)).merge(stats)
        out._bound()
        return out

    def _put(self, rows: Mapping[Key, int]) -> None:
        if rows:
            if self._put_away is None:
                self._put_away = Frequent()
            self._put_away.update(rows)

    def _rank(self, key: Key) -> int:
        return rank_of(key, self._heavy)

    def _last(self) -> int | None:
        """The rank of the last value that is kept, None while there is room."""
        ranks = [self._rank(key) for key in self._held if key not in UNBOUND]
        return max(ranks) if len(ranks) >= VALUES else None

    def _bound(self) -> None:
        bounded = [key for key in self._held if key not in UNBOUND]
        if len(bounded) <= VALUES:
            return
        other = key_of(OTHER)
        self._values[other] = OTHER
        for key in sorted(bounded, key=self._rank)[VALUES:]:
            gone = self._held.pop(key)
            self._held[other] = self._held.get(other, GroupStats(self._d)).merge(gone)
            self._put({key: gone.rows})
            del self._values[key]


_KINDS: Final = ("int", "float", "bool")


def labelled(named: Mapping[Any, GroupStats]) -> dict[str, GroupStats]:
    """By JSON key; what has one text (1 and "1") is one group there."""
    out: dict[str, GroupStats] = {}
    for value, stats in named.items():
        name = label(value)
        out[name] = out[name].merge(stats) if name in out else stats
    return out


def label(value: Any) -> str:
    """A group's value as a JSON key."""
    if value is OTHER:
        return OTHER.value
    return "(none)" if value is None else text_of(value)


def _added(one: F64, other: F64) -> F64:
    """The sum, where either may not have been begun."""
    return one + other if len(one) and len(other) else one if len(one) else other.copy()


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
