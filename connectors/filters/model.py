"""What a filter is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from connectors.model import RowId

Scalar: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Equals:
    """`true` is another condition than `1`, which Python's own equality takes for the same; `1` is `1.0`."""

    field: str
    value: Scalar

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equals) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> object:
        return self.field, _typed(self.value)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """As with `Equals`, `true` is not `1`."""

    field: str
    values: tuple[Scalar, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyOf) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> object:
        return self.field, tuple(_typed(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds are all numbers, or all RFC 3339 text."""

    field: str
    gt: float | str | None = None
    gte: float | str | None = None
    lt: float | str | None = None
    lte: float | str | None = None

    def bounds(self) -> dict[str, float | str]:
        pairs = (("gt", self.gt), ("gte", self.gte), ("lt", self.lt), ("lte", self.lte))
        return {name: bound for name, bound in pairs if bound is not None}

    @property
    def of_instants(self) -> bool:
        return any(isinstance(bound, str) for bound in self.bounds().values())


@dataclass(frozen=True, slots=True)
class Exists:
    field: str


@dataclass(frozen=True, slots=True)
class IsEmpty:
    field: str


@dataclass(frozen=True, slots=True)
class Ids:
    ids: tuple[RowId, ...]


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


Atom: TypeAlias = Equals | AnyOf | Between | Exists | IsEmpty | Ids
Filter: TypeAlias = Atom | And | Or | Not


def _typed(value: Scalar) -> tuple[bool, Scalar]:
    return isinstance(value, bool), value


def fields_of(what: Filter | None) -> tuple[str, ...]:
    """The field paths that a filter reads, each once."""
    match what:
        case None | Ids():
            return ()
        case And(parts) | Or(parts):
            return tuple(dict.fromkeys(f for p in parts for f in fields_of(p)))
        case Not(part):
            return fields_of(part)
        case _:
            return (what.field,)
