"""The filter builder's rows, and the filter that they mean. Knows nothing of the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from connectors import filters
from connectors.errors import PlumblineError
from connectors.filters import And, AnyOf, Between, Equals, Exists, Filter, IsEmpty, Not, Or, Scalar

Operator = Literal[
    "is", "is not", "is one of", "at least", "at most", "more than", "less than", "is there", "is empty"
]
OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
WITHOUT_VALUE: Final[frozenset[Operator]] = frozenset({"is there", "is empty"})
Join = Literal["all", "any"]

_BOUNDS: Final[dict[Operator, str]] = {
    "at least": "gte",
    "at most": "lte",
    "more than": "gt",
    "less than": "lt",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the builder, as typed."""

    field: str = ""
    operator: Operator = "is"
    value: str = ""


def to_filter(rows: Sequence[Condition], join: Join, types: Mapping[str, str]) -> Filter | None:
    """The filter of the rows that name a field; None where none does. Raises `usage` naming the row.

    `types`: neutral type of each known payload field, by which a typed value is read.
    """
    parts = [
        _atom(i, row, types.get(row.field.strip())) for i, row in enumerate(rows, 1) if row.field.strip()
    ]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return And(tuple(parts)) if join == "all" else Or(tuple(parts))


def from_filter(what: Filter | None) -> tuple[tuple[Condition, ...], Join] | None:
    """The rows that show a filter, or None where rows can't: then it is shown as JSON."""
    if what is None:
        return (), "all"
    join: Join = "any" if isinstance(what, Or) else "all"
    parts = what.parts if isinstance(what, (And, Or)) else (what,)
    rows = [_condition(p) for p in parts]
    if not all(rows) or (isinstance(what, (And, Or)) and len(parts) < 2):
        return None
    shown = tuple(r for r in rows if r is not None)
    types: dict[str, str] = {}
    return (shown, join) if to_filter(shown, join, types) == what else None


def parse_json(text: str) -> Filter | None:
    """The filter of raw JSON; None for blank text. Raises `usage`."""
    return filters.parse(text) if text.strip() else None


def _atom(number: int, row: Condition, kind: str | None) -> Filter:
    field, where = row.field.strip(), f"condition {number}"
    match row.operator:
        case "is there":
            return Exists(field)
        case "is empty":
            return IsEmpty(field)
        case "is":
            return Equals(field, _value(row.value, kind, where))
        case "is not":
            return Not(Equals(field, _value(row.value, kind, where)))
        case "is one of":
            return AnyOf(field, tuple(_value(v, kind, where) for v in _several(row.value)))
        case _:
            bound = {_BOUNDS[row.operator]: _bound(row.value, where)}
            return filters.from_json({"range": {"field": field, **bound}}, where)


def _condition(what: Filter) -> Condition | None:
    match what:
        case Equals(field, value):
            return Condition(field, "is", _typed(value))
        case Not(Equals(field, value)):
            return Condition(field, "is not", _typed(value))
        case AnyOf(field, values):
            return Condition(field, "is one of", ", ".join(_typed(v, listed=True) for v in values))
        case Exists(field):
            return Condition(field, "is there")
        case IsEmpty(field):
            return Condition(field, "is empty")
        case Between() if len(bounds := what.bounds()) == 1:
            ((name, bound),) = bounds.items()
            operator = next(o for o, b in _BOUNDS.items() if b == name)
            return Condition(what.field, operator, _typed(bound) if not isinstance(bound, str) else bound)
        case _:
            return None


def _value(text: str, kind: str | None, where: str) -> Scalar:
    """A typed value by the field's type; without one: a number, true, false, or text ("12" in quotes is text)."""
    text = text.strip()
    base = (kind or "").removesuffix("[]")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            held = json.loads(text)
        except ValueError:
            held = text[1:-1]
        return str(held)
    if base in ("keyword", "text", "uuid", "datetime"):
        return text
    read = _scalar(text)
    if base in ("integer", "float") and (isinstance(read, bool) or not isinstance(read, (int, float))):
        raise _wrong(f"{text[:40]!r} is not a number.", where)
    if base == "bool" and not isinstance(read, bool):
        raise _wrong(f"{text[:40]!r} is neither true nor false.", where)
    return read


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    try:
        number: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
        return text
    return number


def _bound(text: str, where: str) -> float | str:
    read = _scalar(text.strip())
    if isinstance(read, bool) or (isinstance(read, str) and filters.instant(read) is None):
        raise _wrong(f"{text[:40]!r} is neither a number nor a time such as 2026-11-19T22:10:00Z.", where)
    return read


def _several(text: str) -> list[str]:
    """Values between commas; a comma inside double quotes belongs to the value."""
    out, held, quoted = [], "", False
    for c in text:
        if c == '"':
            quoted = not quoted
        if c == "," and not quoted:
            out.append(held)
            held = ""
        else:
            held += c
    return [v for v in (*out, held) if v.strip()]


def _typed(value: Scalar, listed: bool = False) -> str:
    """How a value is typed so that it is read back the same."""
    if isinstance(value, str):
        plain = value == value.strip() and value and _scalar(value) == value and '"' not in value
        return value if plain and not (listed and "," in value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _wrong(message: str, where: str) -> PlumblineError:
    return PlumblineError(
        "usage", message, where=where, hint="Put text that looks like a number in double quotes."
    )
