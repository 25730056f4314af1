"""A neutral filter, its JSON, and its reference evaluation in plain Python.

What a filter means is fixed here and nowhere else; an adapter translates it exactly, or gives the
server a coarser filter and rechecks the rows with `matches`, or refuses.

- A field path is split at dots and goes through objects, never through lists. A segment in double
  quotes is taken whole: `"a.b".c`.
- `equals` and `any_of` compare text by code points, numbers by value (1 equals 1.0) and booleans only
  with booleans. A list matches where one of its elements does.
- `range` compares numbers, or instants where its bounds are RFC 3339 text (without a zone: UTC).
- `exists` is: there, not null and not an empty list. `is_empty` is its negation. "" is a value.
- `not` is plain negation: a row without the field does not match `equals` and matches its negation.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast

from connectors.errors import PlumblineError
from connectors.model import RowId, parse_id

Scalar: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Equals:
    field: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class AnyOf:
    field: str
    values: tuple[Scalar, ...]


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

MISSING: Final = object()
DEEPEST: Final = 20


# Reference evaluation


def matches(what: Filter, payload: Mapping[str, Any], row: RowId | None = None) -> bool:
    """Whether a row with this payload (and id) passes the filter."""
    match what:
        case And(parts):
            return all(matches(p, payload, row) for p in parts)
        case Or(parts):
            return any(matches(p, payload, row) for p in parts)
        case Not(part):
            return not matches(part, payload, row)
        case Ids(ids):
            return row in ids
        case Exists(field):
            return _there(lookup(payload, field))
        case IsEmpty(field):
            return not _there(lookup(payload, field))
        case Equals(field, value):
            return any(same(held, value) for held in _elements(lookup(payload, field)))
        case AnyOf(field, values):
            return any(same(held, v) for held in _elements(lookup(payload, field)) for v in values)
        case Between():
            return any(_inside(held, what) for held in _elements(lookup(payload, what.field)))


def lookup(payload: Mapping[str, Any], path: str) -> Any:
    """The value at a path, or `MISSING`."""
    held: Any = payload
    for segment in split_path(path):
        if not isinstance(held, Mapping) or segment not in held:
            return MISSING
        held = cast("Mapping[str, Any]", held)[segment]
    return held


def split_path(path: str) -> tuple[str, ...]:
    """`a."b.c".d` -> ("a", "b.c", "d")."""
    if '"' not in path:
        return tuple(path.split("."))
    segments = re.findall(r'(?:^|\.)(?:"([^"]*)"|([^".]+))(?=\.|$)', path)
    if sum(len(q) + 2 if q else len(p) for q, p in segments) + len(segments) - 1 != len(path):
        raise PlumblineError("usage", f"The field path {path!r} can't be read.", where="filter")
    return tuple(quoted or plain for quoted, plain in segments)


def same(held: Any, value: Scalar) -> bool:
    """Equality of the contract: numbers by value, booleans and text only with their own kind."""
    if isinstance(held, bool) or isinstance(value, bool):
        return isinstance(held, bool) and isinstance(value, bool) and held is value
    if isinstance(held, (int, float)) and isinstance(value, (int, float)):
        return held == value
    return isinstance(held, str) and isinstance(value, str) and held == value


def instant(text: str) -> int | None:
    """Nanoseconds since the epoch of RFC 3339 text (a date, or a date and time; no zone: UTC), or None."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC)
        if clock:
            hours, minutes, seconds = (
                int(p) for p in (clock if clock.count(":") == 2 else clock + ":00").split(":")
            )
            moment = moment.replace(hour=hours, minute=minutes, second=seconds)
        if zone and zone not in "zZ":
            sign = -1 if zone[0] == "-" else 1
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
            moment = moment.replace(tzinfo=timezone(sign * offset))
    except ValueError:
        return None
    whole = (moment - _EPOCH) // timedelta(seconds=1)
    return whole * 10**9 + int((fraction or "").ljust(9, "0")[:9])


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?\s?([zZ]|[+-]\d\d:?\d\d)?)?", re.ASCII
)


def _there(held: Any) -> bool:
    return held is not MISSING and held is not None and held != []


def _elements(held: Any) -> Iterable[Any]:
    return cast("list[Any]", held) if isinstance(held, list) else (held,)


def _inside(held: Any, between: Between) -> bool:
    value: float | int
    bounds: dict[str, float]
    if between.of_instants:
        moment = instant(held) if isinstance(held, str) else None
        if moment is None:
            return False
        value = moment
        bounds = {name: _moment(cast("str", bound)) for name, bound in between.bounds().items()}
    else:
        if isinstance(held, bool) or not isinstance(held, (int, float)):
            return False
        value = held
        bounds = cast("dict[str, float]", between.bounds())
    return all(_COMPARE[name](value, bound) for name, bound in bounds.items())


def _moment(bound: str) -> int:
    moment = instant(bound)
    if moment is None:
        raise PlumblineError("usage", f"{bound!r} is not an RFC 3339 time.", where="filter")
    return moment


_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


# JSON


def parse(text: str) -> Filter:
    """The filter of `--filter JSON`. Raises `usage` with the place of the fault."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise PlumblineError(
            "usage", f"The filter is not JSON ({fault}).", where="filter", hint=_EXAMPLE
        ) from None
    return from_json(data)


def from_json(data: object, at: str = "filter", depth: int = 0) -> Filter:
    """A filter from its JSON form: one object with one key."""
    if depth > DEEPEST:
        raise PlumblineError("usage", f"The filter is nested deeper than {DEEPEST}.", where="filter")
    if not isinstance(data, Mapping) or len(cast("Mapping[str, Any]", data)) != 1:
        raise PlumblineError("usage", "A filter is an object with exactly one key.", where=at, hint=_EXAMPLE)
    (key, body), *_ = cast("Mapping[str, Any]", data).items()
    here = f"{at}.{key}"
    if key in ("and", "or"):
        if not isinstance(body, list):
            raise PlumblineError("usage", f"`{key}` takes a list of filters.", where=here)
        parts = tuple(
            from_json(p, f"{here}[{i}]", depth + 1) for i, p in enumerate(cast("list[object]", body))
        )
        return And(parts) if key == "and" else Or(parts)
    if key == "not":
        return Not(from_json(body, here, depth + 1))
    if key == "ids":
        if not isinstance(body, list):
            raise PlumblineError("usage", "`ids` takes a list.", where=here)
        try:
            return Ids(tuple(parse_id(i) for i in cast("list[Any]", body)))
        except (ValueError, AttributeError, TypeError):
            raise PlumblineError("usage", "An id is an unsigned integer or a UUID.", where=here) from None
    allowed = _KEYS.get(key)
    if allowed is None:
        raise PlumblineError("usage", f"There is no filter {key!r}.", where=at, hint=_EXAMPLE)
    if not isinstance(body, Mapping):
        raise PlumblineError("usage", f"`{key}` takes an object with {', '.join(allowed)}.", where=here)
    held = dict(cast("Mapping[str, Any]", body))
    field = held.pop("field", None)
    if not isinstance(field, str) or not field or any(not s for s in split_path(field)):
        raise PlumblineError("usage", f"`{key}` needs a `field`.", where=here)
    if unknown := set(held) - set(allowed):
        raise PlumblineError("usage", f"`{key}` knows no {sorted(unknown)[0]!r}.", where=here)
    return _atom(key, field, held, here)


def _atom(key: str, field: str, held: dict[str, Any], here: str) -> Filter:
    if key == "equals":
        return Equals(field, _scalar(held.get("value"), here))
    if key == "any_of":
        values = held.get("values")
        if not isinstance(values, list):
            raise PlumblineError("usage", "`any_of` needs a list of `values`.", where=here)
        return AnyOf(field, tuple(_scalar(v, here) for v in cast("list[Any]", values)))
    if key == "range":
        return _between(field, held, here)
    return Exists(field) if key == "exists" else IsEmpty(field)


def _between(field: str, held: dict[str, Any], here: str) -> Between:
    bounds = {name: bound for name, bound in held.items() if bound is not None}
    texts = [b for b in bounds.values() if isinstance(b, str)]
    numbers = [b for b in bounds.values() if isinstance(b, (int, float)) and not isinstance(b, bool)]
    if not bounds or len(texts) not in (0, len(bounds)) or len(texts) + len(numbers) != len(bounds):
        raise PlumblineError(
            "usage", "`range` needs bounds that are all numbers or all RFC 3339 times.", where=here
        )
    if any(instant(t) is None for t in texts) or any(not math.isfinite(n) for n in numbers):
        raise PlumblineError(
            "usage", "A bound of `range` is neither a finite number nor an RFC 3339 time.", where=here
        )
    return Between(field, **bounds)


def _scalar(value: Any, here: str) -> Scalar:
    if isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise PlumblineError(
        "usage", "A value is text, a finite number or a boolean.", where=here, hint="For null use `is_empty`."
    )


def to_json(what: Filter) -> dict[str, Any]:
    """The JSON form; `from_json(to_json(f)) == f`."""
    match what:
        case And(parts):
            return {"and": [to_json(p) for p in parts]}
        case Or(parts):
            return {"or": [to_json(p) for p in parts]}
        case Not(part):
            return {"not": to_json(part)}
        case Ids(ids):
            return {"ids": list(ids)}
        case Exists(field):
            return {"exists": {"field": field}}
        case IsEmpty(field):
            return {"is_empty": {"field": field}}
        case Equals(field, value):
            return {"equals": {"field": field, "value": value}}
        case AnyOf(field, values):
            return {"any_of": {"field": field, "values": list(values)}}
        case Between():
            return {"range": {"field": what.field, **what.bounds()}}


_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "equals": ("field", "value"),
    "any_of": ("field", "values"),
    "range": ("field", "gt", "gte", "lt", "lte"),
    "exists": ("field",),
    "is_empty": ("field",),
}
_EXAMPLE: Final = 'For example {"equals": {"field": "modality", "value": "image"}}; also any_of, range, exists, is_empty, ids, and, or, not.'


# Translation

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
