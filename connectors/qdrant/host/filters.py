"""Qdrant's filter messages as the engine's own filters, one to one."""

from __future__ import annotations

from typing import Any, Final, cast

import qdrant_edge as edge

from connectors.qdrant.host.refused import invalid, unserved
from connectors.qdrant.host.values import point_id

DEEPEST: Final = 64
_SLICE: Final[Any] = vars(edge)["SliceCondition"]
"""Missing in the engine's type stubs (0.9.0)."""


def read(given: Any, depth: int = 0) -> edge.Filter | None:
    """None for a filter without conditions, which holds every row."""
    if depth > DEEPEST:
        raise invalid("the filter is nested too deeply")
    parts: dict[str, Any] = {}
    for name in ("must", "should", "must_not"):
        conditions = getattr(given, name)
        if conditions:
            parts[name] = [condition(c, depth) for c in conditions]
    if given.HasField("min_should"):
        parts["min_should"] = edge.MinShould(
            [condition(c, depth) for c in given.min_should.conditions], given.min_should.min_count
        )
    return edge.Filter(**parts) if parts else None


def field(owner: Any, name: str) -> edge.Filter | None:
    """The filter in a field of a request."""
    return read(getattr(owner, name)) if owner.HasField(name) else None


def condition(given: Any, depth: int) -> Any:
    kind = given.WhichOneof("condition_one_of")
    match kind:
        case "field":
            return _field(given.field)
        case "is_empty":
            return edge.IsEmptyCondition(given.is_empty.key)
        case "is_null":
            return edge.IsNullCondition(given.is_null.key)
        case "has_id":
            return edge.HasIdCondition({point_id(i) for i in given.has_id.has_id})
        case "has_vector":
            return edge.HasVectorCondition(given.has_vector.has_vector)
        case "filter":
            return read(given.filter, depth + 1) or edge.Filter()
        case "nested":
            return edge.NestedCondition(
                given.nested.key, read(given.nested.filter, depth + 1) or edge.Filter()
            )
        case "slice":
            if given.slice.total == 0 or given.slice.index >= given.slice.total:
                raise invalid("slice: index must be below total")
            return _SLICE(given.slice.total, given.slice.index)
        case None:
            raise invalid("Malformed Condition type")
        case _:
            raise unserved(f"the filter condition {kind}")


def _field(given: Any) -> edge.FieldCondition:
    parts: dict[str, Any] = {}
    if given.HasField("match"):
        parts["match"] = _match(given.match)
    if given.HasField("range"):
        parts["range"] = edge.RangeFloat(**_bounds(given.range))
    if given.HasField("datetime_range"):
        parts["range"] = edge.RangeDateTime(
            **{name: moment.ToJsonString() for name, moment in _bounds(given.datetime_range).items()}
        )
    if given.HasField("values_count"):
        parts["values_count"] = edge.ValuesCount(**_bounds(given.values_count))
    if given.HasField("geo_bounding_box"):
        box = given.geo_bounding_box
        parts["geo_bounding_box"] = edge.GeoBoundingBox(_geo(box.top_left), _geo(box.bottom_right))
    if given.HasField("geo_radius"):
        parts["geo_radius"] = edge.GeoRadius(_geo(given.geo_radius.center), given.geo_radius.radius)
    if given.HasField("geo_polygon"):
        polygon = given.geo_polygon
        parts["geo_polygon"] = edge.GeoPolygon(
            [_geo(p) for p in polygon.exterior.points],
            [[_geo(p) for p in line.points] for line in polygon.interiors],
        )
    for name in ("is_empty", "is_null"):
        if given.HasField(name):
            parts[name] = getattr(given, name)
    if not parts:
        raise invalid("Validation error in body: [field: at least one condition is required]")
    return edge.FieldCondition(given.key, **parts)


def _bounds(given: Any) -> dict[str, Any]:
    return {name: getattr(given, name) for name in ("lt", "gt", "gte", "lte") if given.HasField(name)}


def _geo(given: Any) -> edge.GeoPoint:
    return edge.GeoPoint(given.lon, given.lat)


def _match_bool(value: bool) -> Any:
    """qdrant-edge 0.9.0 takes a Python bool for the integer 0 or 1, which matches no boolean; it takes
    numpy's bool for what it is."""
    import numpy as np

    return edge.MatchValue(cast("bool", np.bool_(value)))


def _match(given: Any) -> Any:
    kind = given.WhichOneof("match_value")
    match kind:
        case "keyword" | "integer":
            return edge.MatchValue(getattr(given, kind))
        case "boolean":
            return _match_bool(given.boolean)
        case "keywords":
            return edge.MatchAny(list(given.keywords.strings))
        case "integers":
            return edge.MatchAny(list(given.integers.integers))
        case "except_keywords":
            return edge.MatchExcept(list(given.except_keywords.strings))
        case "except_integers":
            return edge.MatchExcept(list(given.except_integers.integers))
        case "text":
            return edge.MatchText(given.text)
        case "text_any":
            return edge.MatchTextAny(given.text_any)
        case "phrase":
            return edge.MatchPhrase(given.phrase)
        case "prefix":
            return edge.MatchPrefix(given.prefix)
        case "substring":
            return edge.MatchSubstring(given.substring)
        case None:
            raise invalid("Malformed Match condition")
        case _:
            raise unserved(f"the match condition {kind}")
