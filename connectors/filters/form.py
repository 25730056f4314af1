"""The JSON of a filter: what `--filter` takes and the URL of a query carries."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
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
from connectors.filters.reference import instant, split_path
from connectors.model import parse_id

DEEPEST: Final = 20


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
