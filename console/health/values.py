"""Payload values as groups, hashes and times."""

from __future__ import annotations

import enum
import json
import math
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias, cast

import xxhash

from connectors.filters.reference import instant

Key: TypeAlias = tuple[str, Any]
"""A value with its kind: 1, 1.0 and True are three groups."""


class Other(enum.Enum):
    """The group of all values past the bound."""

    OTHER = "(other)"


OTHER: Final = Other.OTHER
UNBOUND: Final[frozenset[Key]] = frozenset({("none", None), ("other", None)})
"""Keys that no bound on values counts."""


def key_of(value: Any) -> Key:
    if value is None:
        return ("none", None)
    if value is OTHER:
        return ("other", None)
    return (type(value).__name__, value)


def rank_of(key: Key, heavy: frozenset[Key] = frozenset()) -> int:
    """By it values are kept where there are too many: heavy ones first, the others by a hash.

    It is the same whatever came before, so what is kept does not depend on the order of rows or of merging.
    """
    return 0 if key in heavy else hash64(repr(key))


def hash64(text: str) -> int:
    """Not 0, the same for equal text."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")) or 1


def canonical(value: Any) -> str:
    """JSON text in which equal values are equal, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def text_of(value: Any) -> str:
    """A value as people and JSON keys have it."""
    return value if isinstance(value, str) else canonical(value)


def seconds(value: Any) -> float:
    """A time as seconds since 1970, NaN where it is none.

    RFC 3339 and other ISO 8601 text (UTC without a zone), `datetime`, and numbers or digits: seconds,
    or what is too large for that: milliseconds, microseconds, nanoseconds.
    """
    if isinstance(value, str):
        nanos = instant(value)
        if nanos is not None:
            return nanos / 1e9
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return math.nan
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    # 1e11 s is the year 5138; 1e11 ms is 1973.
    for unit in (1.0, 1e3, 1e6, 1e9):
        if abs(number) < 1e11 * unit:
            return number / unit
    return math.nan


def empty(value: Any) -> bool:
    """Whether a value says nothing: null, blank text, an empty list or map."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (list, dict)) and not cast("list[Any]", value))
