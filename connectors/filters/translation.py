"""From a filter to what a server understands: exact where it can be, wider where it can't, never narrower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from connectors.filters.model import And, Atom, Filter, Not, Or

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Translated(Generic[T]):
    """A server's filter that lets every matching row through. `server` None: all rows.

    Where `exact` is False it may let others through too, and each row is rechecked with `matches`.
    """

    server: T | None
    exact: bool


class Dialect(Protocol[T]):
    """How one server says things. Negations reach it at atoms only."""

    def atom(self, atom: Atom, negated: bool) -> Translated[T]: ...
    def all_of(self, parts: Sequence[T]) -> T: ...
    def any_of(self, parts: Sequence[T]) -> T: ...
    def nothing(self) -> T: ...


def translate(what: Filter | None, dialect: Dialect[T], negated: bool = False) -> Translated[T]:
    """Translate a filter, coarser where the dialect can't be exact; a coarse part never loses a row."""
    match what:
        case None:
            return Translated(None, True)
        case Not(part):
            return translate(part, dialect, not negated)
        case And(parts) | Or(parts):
            translated = [translate(p, dialect, negated) for p in parts]
            if isinstance(what, And) is not negated:
                return _conjunction(translated, dialect)
            return _disjunction(translated, dialect)
        case _:
            return dialect.atom(what, negated)


def _conjunction(parts: list[Translated[T]], dialect: Dialect[T]) -> Translated[T]:
    exact = all(p.exact for p in parts)
    servers = [p.server for p in parts if p.server is not None]
    if not servers:
        return Translated(None, exact)
    return Translated(servers[0] if len(servers) == 1 else dialect.all_of(servers), exact)


def _disjunction(parts: list[Translated[T]], dialect: Dialect[T]) -> Translated[T]:
    if not parts:
        return Translated(dialect.nothing(), True)
    servers = [p.server for p in parts if p.server is not None]
    if len(servers) < len(parts):
        return Translated(None, any(p.exact for p in parts if p.server is None))
    exact = all(p.exact for p in parts)
    return Translated(servers[0] if len(servers) == 1 else dialect.any_of(servers), exact)
