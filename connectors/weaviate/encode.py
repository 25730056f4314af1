"""Whole rows in Weaviate's words: as objects of a gRPC batch, or as the JSON of `POST /v1/objects`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import numpy as np

from connectors.model import Row, Sparse
from connectors.weaviate import stubs
from connectors.weaviate.schema import Property, Schema

BatchObject = stubs.batch.BatchObject
ValueProperties = stubs.base.ObjectPropertiesValue
_SINGLE: Final = stubs.base.Vectors.VECTOR_TYPE_SINGLE_FP32
_MULTI: Final = stubs.base.Vectors.VECTOR_TYPE_MULTI_FP32
_NAME: Final = re.compile(r"[_a-z][_0-9A-Za-z]{0,230}")
_BEACON: Final = re.compile(r"/(?:([A-Z][_0-9A-Za-z]*)/)?([0-9a-fA-F-]{36})")


class Unwritable(ValueError):
    """Why a row can't be stored as it is."""


def check(row: Row, schema: Schema) -> None:
    """Raises `Unwritable` where Weaviate would refuse a row, drop a part of it, or alter more than it says."""
    names = {f.name for f in schema.vectors}
    for name, vector in row.vectors.items():
        if name not in names:
            raise Unwritable(f"the collection has no vector {name!r}")
        if isinstance(vector, Sparse):
            raise Unwritable(f"{name!r} is sparse, which Weaviate does not have")
        wanted = 2 if schema.vector(name).kind == "multi" else 1
        if vector.ndim != wanted:
            raise Unwritable(f"{name!r} has {vector.ndim} axes, the collection's field {wanted}")
    for name in row.payload:
        if not _NAME.fullmatch(name) or name in ("id", "_id", "_additional", "vector"):
            raise Unwritable(
                f"Weaviate takes no property named {name!r} (a lower-case letter or _, then letters, digits, _)"
            )
    for name in row.references:
        if name not in schema.references:
            raise Unwritable(f"the collection has no reference {name!r}")


def is_finite(row: Row) -> bool:
    return all(not isinstance(v, Sparse) and bool(np.isfinite(v).all()) for v in row.vectors.values())


def to_rest(row: Row, schema: Schema, tenant: str | None) -> dict[str, Any]:
    """The body of `POST /v1/objects`. Its vectors must be finite. Raises `Unwritable`."""
    properties = {
        name: _plain(value, schema.properties.get(name), name)
        for name, value in row.payload.items()
        if value is not None
    }
    for name, beacons in row.references.items():
        properties[name] = [{"beacon": beacon} for beacon in beacons]
    body: dict[str, Any] = {"class": schema.name, "id": row.id, "properties": properties}
    if tenant:
        body["tenant"] = tenant
    vectors = {n: cast("Any", v).tolist() for n, v in row.vectors.items() if not isinstance(v, Sparse)}
    if "" in vectors:
        body["vector"] = vectors.pop("")
    if vectors:
        body["vectors"] = vectors
    return body


def _plain(value: Any, prop: Property | None, name: str) -> Any:
    if prop is not None and prop.type == "phoneNumber" and isinstance(value, Mapping):
        return _phone(cast("Mapping[str, Any]", value))
    _check_finite(value, name)
    return value


def _check_finite(value: Any, name: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise Unwritable(f"{name!r} holds {value}, which Weaviate can't store")
    if isinstance(value, list):
        for held in cast("list[Any]", value):
            _check_finite(held, name)
    elif isinstance(value, Mapping):
        for held in cast("Mapping[Any, Any]", value).values():
            _check_finite(held, name)


def _phone(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a client may set of a phone number; the server computes the rest again."""
    return {key: value[key] for key in ("input", "defaultCountry") if value.get(key)}


def to_batch(row: Row, schema: Schema, tenant: str | None, with_references: bool = True) -> BatchObject:
    """One object of a batch. Raises `Unwritable`."""
    made = BatchObject(uuid=str(row.id), collection=schema.name, tenant=tenant or "")
    _fill(made.properties, row.payload, schema.properties)
    for name, vector in row.vectors.items():
        if isinstance(vector, Sparse):
            continue
        raw = np.ascontiguousarray(vector, "<f4").tobytes()
        if not name:
            made.vector_bytes = raw
        elif vector.ndim == 2:
            raw = int(vector.shape[1]).to_bytes(2, "little") + raw
            made.vectors.add(name=name, vector_bytes=raw, type=_MULTI)
        else:
            made.vectors.add(name=name, vector_bytes=raw, type=_SINGLE)
    if with_references:
        for name, beacons in row.references.items():
            _refer(made, name, beacons, schema)
    return made


def _refer(made: BatchObject, name: str, beacons: tuple[str, ...], schema: Schema) -> None:
    parsed = [parse_beacon(beacon) for beacon in beacons]
    if len(schema.references[name]) == 1:
        made.properties.single_target_ref_props.add(prop_name=name, uuids=[row for _, row in parsed])
        return
    for collection in dict.fromkeys(c for c, _ in parsed):
        if collection is None:
            raise Unwritable(f"a reference in {name!r} does not name its collection")
        made.properties.multi_target_ref_props.add(
            prop_name=name, target_collection=collection, uuids=[r for c, r in parsed if c == collection]
        )


def parse_beacon(beacon: str) -> tuple[str | None, str]:
    """`weaviate://localhost/Things/UUID` -> ("Things", UUID). Raises `Unwritable`."""
    found = _BEACON.fullmatch(urlsplit(beacon).path)
    if found is None:
        raise Unwritable(f"{beacon!r} is not a reference")
    return found[1], found[2].lower()


def _fill(
    into: BatchObject.Properties | ValueProperties,
    values: Mapping[str, Any],
    known: Mapping[str, Property],
) -> None:
    for name, value in values.items():
        if value is None:
            continue
        _check_finite(value, name)
        prop = known.get(name)
        if isinstance(value, list):
            _fill_list(into, name, cast("list[Any]", value), prop)
        elif isinstance(value, Mapping):
            held = cast("Mapping[str, Any]", value)
            if prop is not None and prop.type == "phoneNumber":
                _update(into, name, _phone(held))
            elif prop is not None and prop.type == "geoCoordinates":
                _update(into, name, dict(held))
            else:
                made = into.object_properties.add(prop_name=name)
                made.value.SetInParent()
                _fill(made.value, held, _by_name(prop))
        elif isinstance(value, str | bool | int | float):
            _update(into, name, value)
        else:
            raise Unwritable(f"{name!r} holds a {type(value).__name__}")


def _by_name(prop: Property | None) -> Mapping[str, Property]:
    return {p.name: p for p in prop.nested} if prop is not None else {}


def _update(into: BatchObject.Properties | ValueProperties, name: str, value: Any) -> None:
    try:
        into.non_ref_properties.update({name: value})
    except (ValueError, TypeError, OverflowError) as fault:
        raise Unwritable(f"{name!r} can't be sent: {fault}") from None


def _fill_list(
    into: BatchObject.Properties | ValueProperties, name: str, values: list[Any], prop: Property | None
) -> None:
    kinds: set[type] = {type(v) for v in values}
    try:
        if not values:
            into.empty_list_props.append(name)
        elif kinds == {str}:
            into.text_array_properties.add(prop_name=name, values=values)
        elif kinds == {bool}:
            into.boolean_array_properties.add(prop_name=name, values=values)
        elif kinds == {int} and (prop is None or prop.type != "number"):
            into.int_array_properties.add(prop_name=name, values=values)
        elif kinds <= {int, float}:
            raw = np.array(values, "<f8").tobytes()
            into.number_array_properties.add(prop_name=name, values_bytes=raw)
        elif kinds == {dict}:
            made = into.object_array_properties.add(prop_name=name)
            for value in values:
                _fill(made.values.add(), value, _by_name(prop))
        else:
            names = ", ".join(sorted(k.__name__ for k in kinds))
            raise Unwritable(f"{name!r} holds a list of {names}")
    except Unwritable:
        raise
    except (ValueError, TypeError, OverflowError) as fault:
        raise Unwritable(f"{name!r} can't be sent: {fault}") from None
