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

import math
import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

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
from connectors.weaviate import stubs
from connectors.weaviate.schema import SCALARS, Property, Schema

Filters: TypeAlias = stubs.base.Filters
_F = stubs.base.Filters

_ALL: Final[Translated[Filters]] = Translated(None, True)
_UNKNOWN: Final[Translated[Filters]] = Translated(None, False)
_INT64: Final = (-(2**63), 2**63 - 1)
_LONGEST_TEXT: Final = 8_000
_LOWEST_ID: Final = str(uuid.UUID(int=0))
_HIGHEST_ID: Final = str(uuid.UUID(int=2**128 - 1))


def to_server(what: Filter | None, schema: Schema, has_not: bool) -> Translated[Filters]:
    """Translate for one collection. `has_not`: the server knows NOT (from 1.33)."""
    return translate(what, WeaviateDialect(schema, has_not))


def id_filter(ids: Sequence[str]) -> Filters:
    """Rows with one of these ids, at least one."""
    return _F(
        operator=_F.OPERATOR_CONTAINS_ANY,
        target=stubs.base.FilterTarget(property="_id"),
        value_text_array=stubs.base.TextArray(values=ids),
    )


def both(left: Filters | None, right: Filters | None) -> Filters | None:
    if left is None or right is None:
        return left if right is None else right
    return _F(operator=_F.OPERATOR_AND, filters=[left, right])


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
        return self.all_of([_is_id(_LOWEST_ID), _is_id(_HIGHEST_ID)])

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
        ids = [i for i in atom.ids if isinstance(i, str) and _is_canonical(i)]
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
        return Translated(_is_null(prop.name, False), True)

    def _empty(self, path: str) -> Translated[Filters]:
        prop, whole = self._find(path)
        if prop is None or (not whole and prop.type in SCALARS):
            return _ALL
        if not self._knows_null(prop, whole) or not self._has_not:
            return _UNKNOWN
        server = _F(operator=_F.OPERATOR_NOT, filters=[_is_null(prop.name, False)])
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
            return Translated(_atom(prop, _F.OPERATOR_EQUAL, boolean=value), True)
        if isinstance(value, bool):
            return self._nothing()
        if kind in ("int", "number"):
            if isinstance(value, str):
                return self._nothing()
            return self._equals_number(prop, value)
        if not isinstance(value, str) or not _is_unicode(value):
            return self._nothing()
        if kind == "uuid":
            if not _is_canonical(value):
                return self._nothing()
            return Translated(_atom(prop, _F.OPERATOR_EQUAL, text=value), True)
        if kind == "date":
            moment = instant(value)
            if moment is None or not _INT64[0] <= moment <= _INT64[1]:
                return _UNKNOWN
            return Translated(_atom(prop, _F.OPERATOR_EQUAL, text=_rfc3339(moment)), False)
        if len(value) > _LONGEST_TEXT or not has_tokens(value, prop.tokenization, self._schema.stopwords):
            return _UNKNOWN
        return Translated(_atom(prop, _F.OPERATOR_EQUAL, text=value), False)

    def _equals_number(self, prop: Property, value: float) -> Translated[Filters]:
        if prop.type == "int":
            if value != value or math.isinf(value) or value != int(value):
                return self._nothing()
            whole = int(value)
            if not _INT64[0] <= whole <= _INT64[1]:
                return self._nothing()
            return Translated(_atom(prop, _F.OPERATOR_EQUAL, integer=whole), True)
        number = _as_float(value)
        if number is None or number != value:
            return self._nothing()
        if number == 0:
            keys = [_atom(prop, _F.OPERATOR_EQUAL, number=zero) for zero in (0.0, -0.0)]
            return Translated(self.any_of(keys), True)
        return Translated(_atom(prop, _F.OPERATOR_EQUAL, number=number), True)

    def _between(self, prop: Property, atom: Between) -> Translated[Filters]:
        bounds = atom.bounds()
        if not bounds:
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
                    _whole_bound(prop, name, bound) if prop.type == "int" else _float_bound(prop, name, bound)
                )
        if not parts:
            return _UNKNOWN
        server = parts[0] if len(parts) == 1 else self.all_of(parts)
        return Translated(server, len(parts) == 1 or not prop.array)

    def _between_instants(self, prop: Property, atom: Between) -> Translated[Filters]:
        lows = [_moment(b) for b in (atom.gt, atom.gte) if isinstance(b, str)]
        highs = [_moment(b) for b in (atom.lt, atom.lte) if isinstance(b, str)]
        inside = [m for m in (*lows, *highs) if m is not None and _INT64[0] <= m <= _INT64[1]]
        if not lows or not highs or len(inside) < len(lows) + len(highs):
            return _UNKNOWN
        parts = [
            _atom(prop, _F.OPERATOR_GREATER_THAN_EQUAL, text=_rfc3339(max(m for m in lows if m is not None))),
            _atom(prop, _F.OPERATOR_LESS_THAN_EQUAL, text=_rfc3339(min(m for m in highs if m is not None))),
        ]
        return Translated(self.all_of(parts), False)


_TEXT: Final = ("text", "string")


def _is_id(row: str) -> Filters:
    return _F(operator=_F.OPERATOR_EQUAL, target=stubs.base.FilterTarget(property="_id"), value_text=row)


def _is_null(name: str, value: bool) -> Filters:
    return _F(
        operator=_F.OPERATOR_IS_NULL, target=stubs.base.FilterTarget(property=name), value_boolean=value
    )


def _atom(
    prop: Property,
    operator: stubs.base.Filters.Operator,
    *,
    text: str | None = None,
    integer: int | None = None,
    number: float | None = None,
    boolean: bool | None = None,
) -> Filters:
    made = _F(operator=operator, target=stubs.base.FilterTarget(property=prop.name))
    if text is not None:
        made.value_text = text
    elif integer is not None:
        made.value_int = integer
    elif number is not None:
        made.value_number = number
    elif boolean is not None:
        made.value_boolean = boolean
    return made


def _whole_bound(prop: Property, name: str, bound: float) -> Iterator[Filters]:
    """A bound on integers as an inclusive one; one beyond 64 bits lets all or none through."""
    if name in ("gt", "gte"):
        low = math.floor(bound) + 1 if name == "gt" else math.ceil(bound)
        if low > _INT64[1]:
            yield _atom(prop, _F.OPERATOR_GREATER_THAN, integer=_INT64[1])
        else:
            yield _atom(prop, _F.OPERATOR_GREATER_THAN_EQUAL, integer=max(low, _INT64[0]))
    else:
        high = math.ceil(bound) - 1 if name == "lt" else math.floor(bound)
        if high < _INT64[0]:
            yield _atom(prop, _F.OPERATOR_LESS_THAN, integer=_INT64[0])
        else:
            yield _atom(prop, _F.OPERATOR_LESS_THAN_EQUAL, integer=min(high, _INT64[1]))


def _float_bound(prop: Property, name: str, bound: float) -> Iterator[Filters]:
    """A bound on floats: an integer that no float equals is moved to the next float on the right side."""
    number = _as_float(bound)
    if number is None:
        number = math.inf if bound > 0 else -math.inf
    if name in ("gt", "gte"):
        inclusive = number > bound or (name == "gte" and number == bound)
        if number == 0:
            number = -0.0 if inclusive else 0.0
        operator = _F.OPERATOR_GREATER_THAN_EQUAL if inclusive else _F.OPERATOR_GREATER_THAN
    else:
        inclusive = number < bound or (name == "lte" and number == bound)
        if number == 0:
            number = 0.0 if inclusive else -0.0
        operator = _F.OPERATOR_LESS_THAN_EQUAL if inclusive else _F.OPERATOR_LESS_THAN
    yield _atom(prop, operator, number=number)


def _as_float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _moment(text: str) -> int | None:
    return instant(text)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _rfc3339(nanoseconds: int) -> str:
    whole, fraction = divmod(nanoseconds, 10**9)
    moment = _EPOCH + timedelta(seconds=whole)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def _is_canonical(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_tokens(text: str, tokenization: str, stopwords: frozenset[str]) -> bool:
    """Whether the server surely finds a token to ask for; where in doubt, no."""
    match tokenization:
        case "word":
            return any(
                word not in stopwords and _folded(word) not in stopwords for word in _words(text.lower())
            )
        case "lowercase" | "whitespace" | "field":
            return bool(text.strip())
        case "trigram":
            return len("".join(_words(text))) >= 3
        case _:
            return False


def _words(text: str) -> list[str]:
    return "".join(c if unicodedata.category(c)[0] in "LN" else " " for c in text).split()


def _folded(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
