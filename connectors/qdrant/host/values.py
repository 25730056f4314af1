"""Payloads and ids: protobuf <-> Python, with every type kept (integers and floats, null, nesting)."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any, cast

from connectors.qdrant.host.refused import invalid

PointId = int | str


def point_id(given: Any) -> PointId:
    """An id as the engine takes it. A number and its text are different ids; a UUID has one form."""
    kind = given.WhichOneof("point_id_options")
    if kind == "num":
        return int(given.num)
    if kind is None:
        raise invalid("No ID options provided")
    try:
        return str(uuid.UUID(given.uuid))
    except ValueError:
        raise invalid(f"Unable to parse UUID: {given.uuid}") from None


def put_id(into: Any, held: Any) -> None:
    if isinstance(held, int):
        into.num = held
    else:
        into.uuid = str(held)


def from_value(given: Any) -> Any:
    kind = given.WhichOneof("kind")
    match kind:
        case None | "null_value":
            return None
        case "struct_value":
            return from_fields(given.struct_value.fields)
        case "list_value":
            return [from_value(v) for v in given.list_value.values]
        case "double_value":
            if not math.isfinite(given.double_value):
                raise invalid("cannot convert to json number")
            return given.double_value
        case _:
            return getattr(given, kind)


def from_fields(given: Any) -> dict[str, Any]:
    return {key: from_value(value) for key, value in given.items()}


def put_value(into: Any, held: Any) -> None:
    """Write a Python value into a `Value`. An integer beyond 64 bits becomes a double, as on the server."""
    if isinstance(held, str):
        into.string_value = held
    elif held is None:
        into.null_value = 0
    elif isinstance(held, bool):
        into.bool_value = held
    elif isinstance(held, int):
        if -(2**63) <= held < 2**63:
            into.integer_value = held
        else:
            into.double_value = float(held)
    elif isinstance(held, float):
        into.double_value = held
    elif isinstance(held, Mapping):
        into.struct_value.SetInParent()
        put_fields(into.struct_value.fields, cast("Mapping[str, Any]", held))
    else:
        into.list_value.SetInParent()
        for element in held:
            put_value(into.list_value.values.add(), element)


def put_fields(into: Any, held: Mapping[str, Any]) -> None:
    for key, value in held.items():
        put_value(into[key], value)
