"""What a filter means: its evaluation in plain Python, to which every adapter is held."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final, cast

from connectors.errors import PlumblineError
from connectors.filters.model import (
    And,
    AnyOf,
    Between,
    Equals,
    Exists,
    Filter,
    Ids,
    IsEmpty,
    Not,
    Or,
    Scalar,
)
from connectors.model import RowId

MISSING: Final = object()


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
