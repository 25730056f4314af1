"""The neutral filter in Weaviate's words: exact where that can be proved, else coarser, else all rows.

What was learnt from 1.39 and decides here:

- `equal` on text compares tokens: with tokenization `field` too, which trims white space. So no text
  comparison is exact, and a negated one must let every row through.
- a value without tokens (blank, punctuation, only stopwords) is an error or matches nothing.
- a date is indexed by its nanoseconds in 64 bits, which wrap before 1677 and after 2262: only a range
  with both ends, both inside, never loses a row. Equal instants may be written differently.
- `isNull` counts "" as null, and rows older than the property are in neither of its lists: so "is
  empty" is asked as NOT (isNull = false).
- -0.0 and 0.0 have different keys.
- conditions on a list hold for some element each, not for one element together.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from connectors.filters import (
    AnyOf,
    Atom,
    Between,
    Equals,
    Exists,
    Filter,
    Ids,
    IsEmpty,
    Scalar,
    Translated,
    instant,
    split_path,
    translate,
)
from connectors.weaviate.atoms import (
    INT64,
    Filters,
    as_float,
    condition,
    float_bound,
    has_tokens,
    id_filter,
    is_canonical,
    is_finite,
    is_id,
    is_null,
    is_unicode,
    rfc3339,
    whole_bound,
)
from connectors.weaviate.schema import SCALARS, Property, Schema

_F = Filters

_ALL: Final[Translated[Filters]] = Translated(None, True)
_UNKNOWN: Final[Translated[Filters]] = Translated(None, False)
_LONGEST_TEXT: Final = 8_000
_TEXT: Final = ("text", "string")
_LOWEST_ID: Final = str(uuid.UUID(int=0))
_HIGHEST_ID: Final = str(uuid.UUID(int=2**128 - 1))


def to_server(what: Filter | None, schema: Schema, has_not: bool) -> Translated[Filters]:
    """Translate for one collection. `has_not`: the server knows NOT (from 1.33)."""
    return translate(what, WeaviateDialect(schema, has_not))


class WeaviateDialect:
    """How one collection on one server says things; see `connectors.filters.Dialect`."""

    def __init__(self, schema: Schema, has_not: bool) -> None:
        self._schema = schema
        self._has_not = has_not

    def all_of(self, parts: Sequence[Filters]) -> Filters:
        return _F(operator=_F.OPERATOR_AND, filters=list(parts))

    def any_of(self, parts: Sequence[Filters]) -> Filters:
        return _F(operator=_F.OPERATOR_OR, filters=list(parts))

    def nothing(self) -> Filters:
        return self.all_of([is_id(_LOWEST_ID), is_id(_HIGHEST_ID)])

    def atom(self, atom: Atom, negated: bool) -> Translated[Filters]:
        if isinstance(atom, Ids):
            return self._signed(self._ids(atom), negated)
        if isinstance(atom, Exists | IsEmpty):
            empty = isinstance(atom, IsEmpty) is not negated
            return self._empty(atom.field) if empty else self._exists(atom.field)
        return self._signed(self._comparison(atom), negated)

    def _signed(self, said: Translated[Filters], negated: bool) -> Translated[Filters]:
        if not negated:
            return said
        if not said.exact:
            return _UNKNOWN
        if said.server is None:
            return Translated(self.nothing(), True)
        if self._is_nothing(said):
            return _ALL
        if not self._has_not:
            return _UNKNOWN
        return Translated(_F(operator=_F.OPERATOR_NOT, filters=[said.server]), True)

    def _nothing(self) -> Translated[Filters]:
        return Translated(self.nothing(), True)

    def _is_nothing(self, said: Translated[Filters]) -> bool:
        return said.exact and said.server is not None and said.server == self.nothing()

    def _ids(self, atom: Ids) -> Translated[Filters]:
        ids = [i for i in atom.ids if isinstance(i, str) and is_canonical(i)]
        return Translated(id_filter(ids), True) if ids else self._nothing()

    def _find(self, path: str) -> tuple[Property | None, bool]:
        """The property that a path begins at, and whether the path ends there."""
        first, *rest = split_path(path)
        return self._schema.properties.get(first), not rest

    def _exists(self, path: str) -> Translated[Filters]:
        prop, whole = self._find(path)
        if prop is None or (not whole and prop.type in SCALARS):
            return self._nothing()
        if not self._knows_null(prop, whole) or (prop.type in _TEXT and not prop.array):
            return _UNKNOWN
        return Translated(is_null(prop.name, False), True)

    def _empty(self, path: str) -> Translated[Filters]:
        prop, whole = self._find(path)
        if prop is None or (not whole and prop.type in SCALARS):
            return _ALL
        if not self._knows_null(prop, whole) or not self._has_not:
            return _UNKNOWN
        server = _F(operator=_F.OPERATOR_NOT, filters=[is_null(prop.name, False)])
        return Translated(server, prop.type not in _TEXT or prop.array)

    def _knows_null(self, prop: Property, whole: bool) -> bool:
        return whole and prop.type in SCALARS and prop.filterable and self._schema.indexes_null

    def _comparison(self, atom: Equals | AnyOf | Between) -> Translated[Filters]:
        prop, whole = self._find(atom.field)
        if prop is None:
            return self._nothing()
        if not whole:
            return self._nothing() if prop.type in SCALARS else _UNKNOWN
        if prop.type in ("object", "geoCoordinates", "phoneNumber"):
            return self._nothing()
        if prop.type not in SCALARS or not prop.filterable:
            return _UNKNOWN
        if isinstance(atom, Between):
            return self._between(prop, atom)
        values = (atom.value,) if isinstance(atom, Equals) else atom.values
        return self._one_of([self._equals(prop, value) for value in values])

    def _one_of(self, parts: list[Translated[Filters]]) -> Translated[Filters]:
        parts = [p for p in parts if not self._is_nothing(p)]
        servers = [p.server for p in parts if p.server is not None]
        if not parts:
            return self._nothing()
        if len(servers) < len(parts):
            return _UNKNOWN
        exact = all(p.exact for p in parts)
        return Translated(servers[0] if len(servers) == 1 else self.any_of(servers), exact)

    def _equals(self, prop: Property, value: Scalar) -> Translated[Filters]:
        kind = prop.type
        if kind == "boolean":
            if not isinstance(value, bool):
                return self._nothing()
            return Translated(condition(prop, _F.OPERATOR_EQUAL, boolean=value), True)
        if isinstance(value, bool):
            return self._nothing()
        if kind in ("int", "number"):
            if isinstance(value, str):
                return self._nothing()
            return self._equals_number(prop, value)
        if not isinstance(value, str) or not is_unicode(value):
            return self._nothing()
        if kind == "uuid":
            if not is_canonical(value):
                return self._nothing()
            return Translated(condition(prop, _F.OPERATOR_EQUAL, text=value), True)
        if kind == "date":
            moment = instant(value)
            if moment is None or not INT64[0] <= moment <= INT64[1]:
                return _UNKNOWN
            return Translated(condition(prop, _F.OPERATOR_EQUAL, text=rfc3339(moment)), False)
        if len(value) > _LONGEST_TEXT or not has_tokens(value, prop.tokenization, self._schema.stopwords):
            return _UNKNOWN
        return Translated(condition(prop, _F.OPERATOR_EQUAL, text=value), False)

    def _equals_number(self, prop: Property, value: float) -> Translated[Filters]:
        if prop.type == "int":
            if not is_finite(value) or value != int(value):
                return self._nothing()
            whole = int(value)
            if not INT64[0] <= whole <= INT64[1]:
                return self._nothing()
            return Translated(condition(prop, _F.OPERATOR_EQUAL, integer=whole), True)
        number = as_float(value)
        if number is None or number != value:
            return self._nothing()
        if number == 0:
            keys = [condition(prop, _F.OPERATOR_EQUAL, number=zero) for zero in (0.0, -0.0)]
            return Translated(self.any_of(keys), True)
        return Translated(condition(prop, _F.OPERATOR_EQUAL, number=number), True)

    def _between(self, prop: Property, atom: Between) -> Translated[Filters]:
        bounds = atom.bounds()
        if not bounds or any(not isinstance(b, str) and not is_finite(b) for b in bounds.values()):
            return _UNKNOWN
        if atom.of_instants:
            if prop.type in _TEXT:
                return _UNKNOWN
            return self._between_instants(prop, atom) if prop.type == "date" else self._nothing()
        if prop.type not in ("int", "number"):
            return self._nothing()
        parts: list[Filters] = []
        for name, bound in bounds.items():
            if not isinstance(bound, str):
                parts += (
                    whole_bound(prop, name, bound) if prop.type == "int" else float_bound(prop, name, bound)
                )
        if not parts:
            return _UNKNOWN
        server = parts[0] if len(parts) == 1 else self.all_of(parts)
        return Translated(server, len(parts) == 1 or not prop.array)

    def _between_instants(self, prop: Property, atom: Between) -> Translated[Filters]:
        lows = [instant(b) for b in (atom.gt, atom.gte) if isinstance(b, str)]
        highs = [instant(b) for b in (atom.lt, atom.lte) if isinstance(b, str)]
        inside = [m for m in (*lows, *highs) if m is not None and INT64[0] <= m <= INT64[1]]
        if not lows or not highs or len(inside) < len(lows) + len(highs):
            return _UNKNOWN
        parts = [
            condition(
                prop, _F.OPERATOR_GREATER_THAN_EQUAL, text=rfc3339(max(m for m in lows if m is not None))
            ),
            condition(
                prop, _F.OPERATOR_LESS_THAN_EQUAL, text=rfc3339(min(m for m in highs if m is not None))
            ),
        ]
        return Translated(self.all_of(parts), False)
