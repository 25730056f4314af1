"""Weaviate's gRPC answers as batches and rows: vectors by `np.frombuffer`, properties as its REST gives them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from connectors.filters import MISSING, lookup, split_path
from connectors.model import ALL, Batch, Matrix, Payload, Row, RowId, Vectors
from connectors.weaviate import stubs
from connectors.weaviate.schema import Property, Schema

SearchRequest = stubs.search_get.SearchRequest
SearchResult = stubs.search_get.SearchResult
References = Mapping[str, tuple[str, ...]]
"""Reference property -> beacons (`weaviate://localhost/COLLECTION/UUID`), dangling ones too: REST tells those."""
_MULTI: Final = stubs.base.Vectors.VECTOR_TYPE_MULTI_FP32


def listing(
    schema: Schema,
    tenant: str | None,
    limit: int,
    vectors: Iterable[str] = (),
    payload: Sequence[str] | str = (),
    after: str = "",
) -> SearchRequest:
    """A request for rows. `vectors` by name, "" for the unnamed one; `payload`: `ALL` or field paths."""
    request = SearchRequest(collection=schema.name, tenant=tenant or "", limit=limit, after=after)
    request.uses_127_api = True
    request.metadata.uuid = True
    for name in vectors:
        if name:
            request.metadata.vectors.append(name)
        else:
            request.metadata.vector = True
    request.properties.SetInParent()
    for prop in _chosen(schema, payload):
        if prop.type == "object":
            request.properties.object_properties.append(_keys(prop))
        else:
            request.properties.non_ref_properties.append(prop.name)
    return request


def _chosen(schema: Schema, payload: Sequence[str] | str) -> list[Property]:
    if isinstance(payload, str) and payload == ALL:
        return [p for p in schema.properties.values() if p.known]
    paths = (payload,) if isinstance(payload, str) else payload
    names = dict.fromkeys(split_path(path)[0] for path in paths)
    return [p for n in names if (p := schema.properties.get(n)) is not None and p.known]


def _keys(prop: Property) -> stubs.search_get.ObjectPropertiesRequest:
    made = stubs.search_get.ObjectPropertiesRequest(prop_name=prop.name)
    for key in prop.nested:
        if key.type == "object":
            made.object_properties.append(_keys(key))
        else:
            made.primitive_properties.append(key.name)
    return made


def matrix(parts: Sequence[bytes], dimension: int | None = None) -> Vectors:
    """Little-endian float32 vectors, one per row (b"" where the row has none), as one (n, d) matrix.

    Without `dimension` it is that of most rows; a row with another one counts as having none.
    """
    n = len(parts)
    if dimension is None:
        lengths = [len(p) for p in parts if p]
        size = max(set(lengths), key=lengths.count) if lengths else 0
    else:
        size = dimension * 4
    joined = bytearray().join(parts)
    if size and len(joined) == n * size and all(len(p) == size for p in parts):
        whole = np.frombuffer(joined, "<f4").reshape(n, size // 4)
        return Vectors(whole.astype(np.float32, copy=False), np.ones(n, np.bool_))
    held: Matrix = np.zeros((n, size // 4), np.float32)
    present = np.zeros(n, np.bool_)
    for i, part in enumerate(parts):
        if size and len(part) == size:
            held[i] = np.frombuffer(part, "<f4")
            present[i] = True
    return Vectors(held, present)


def results_of(raw: bytes) -> Sequence[SearchResult]:
    """The rows in the bytes of a reply."""
    return stubs.search_get.SearchReply.FromString(raw).results


def vector_parts(results: Sequence[SearchResult], name: str) -> list[bytes]:
    """One vector's bytes per row, b"" where the row has none."""
    return _parts([r.metadata for r in results], name)


def _parts(rows: Sequence[Any], name: str) -> list[bytes]:
    """The same of rows' metadata. Each look into a message makes an object of it, so there is one look at each."""
    if not name:
        return [row.vector_bytes for row in rows]
    out: list[bytes] = []
    for row in rows:
        held = row.vectors
        if len(held) == 1:
            only = held[0]
            out.append(only.vector_bytes if only.name == name else b"")
        else:
            out.append(next((v.vector_bytes for v in held if v.name == name), b""))
    return out


def dimension_of(result: SearchResult, name: str, is_multi: bool) -> int | None:
    """The dimension of one row's vector, None where it has none."""
    part = vector_parts([result], name)[0]
    if not part:
        return None
    return int.from_bytes(part[:2], "little") if is_multi else len(part) // 4


def ids_of(results: Iterable[SearchResult]) -> tuple[str, ...]:
    return tuple(r.metadata.id for r in results)


def batch(
    results: Sequence[SearchResult],
    fields: Sequence[str],
    payload: Sequence[str] | str,
    part: str | None,
    dimensions: Mapping[str, int | None],
) -> Batch:
    """Rows of one answer. `dimensions` of the fields where they are known."""
    rows: list[Any] = [r.metadata for r in results]
    vectors = {name: matrix(_parts(rows, name), dimensions.get(name)) for name in fields}
    columns: dict[str, list[Any]] = {}
    payloads: tuple[Payload, ...] | None = None
    if payload == ALL:
        payloads = tuple(payload_of(r) for r in results)
    elif payload:
        paths = (payload,) if isinstance(payload, str) else payload
        held = [payload_of(r) for r in results]
        columns = {path: [_column(row, path) for row in held] for path in paths}
    ids: tuple[RowId, ...] = tuple([row.id for row in rows])
    return Batch(ids, vectors, columns, payloads, part)


def _column(row: Payload, path: str) -> Any:
    value = lookup(row, path)
    return None if value is MISSING else value


def payload_of(result: SearchResult) -> Payload:
    return _properties(result.properties.non_ref_props)


def narrowed(row: Payload, payload: Sequence[str] | str) -> Payload:
    """What a hit shows: the whole payload, or the chosen paths that are there, under their paths."""
    if payload == ALL:
        return row
    paths = (payload,) if isinstance(payload, str) else payload
    return {path: value for path in paths if (value := lookup(row, path)) is not MISSING}


def _properties(held: stubs.properties.Properties) -> Payload:
    found: Payload = {}
    for name, value in held.fields.items():
        kind = value.WhichOneof("kind")
        if kind == "text_value":
            found[name] = value.text_value
        elif kind is not None and kind != "null_value":
            found[name] = _value(kind, value)
    return found


def _value(kind: str, value: stubs.properties.Value) -> Any:
    match kind:
        case "object_value":
            return _properties(value.object_value)
        case "list_value":
            return _list(value.list_value)
        case "geo_value":
            geo = value.geo_value
            return {"latitude": shortest(geo.latitude), "longitude": shortest(geo.longitude)}
        case "phone_value":
            return _phone(value.phone_value)
        case _:
            return getattr(value, kind)


def _list(held: stubs.properties.ListValue) -> list[Any]:
    match held.WhichOneof("kind"):
        case "text_values":
            return list(held.text_values.values)
        case "int_values":
            raw = held.int_values.values
            return list(struct.unpack(f"<{len(raw) // 8}q", raw))
        case "number_values":
            raw = held.number_values.values
            return list(struct.unpack(f"<{len(raw) // 8}d", raw))
        case "bool_values":
            return list(held.bool_values.values)
        case "date_values":
            return list(held.date_values.values)
        case "uuid_values":
            return list(held.uuid_values.values)
        case "object_values":
            return [_properties(o) for o in held.object_values.values]
        case _:
            return []


def shortest(value: float) -> float:
    """A float32 as the shortest decimal that means it, as the REST interface prints it."""
    return float(str(np.float32(value)))


def _phone(phone: stubs.properties.PhoneNumber) -> dict[str, Any]:
    found: dict[str, Any] = {
        "countryCode": phone.country_code,
        "input": phone.input,
        "internationalFormatted": phone.international_formatted,
        "national": phone.national,
        "nationalFormatted": phone.national_formatted,
        "valid": phone.valid,
    }
    if phone.default_country:
        found["defaultCountry"] = phone.default_country
    return found


def row(result: SearchResult, schema: Schema, part: str | None, references: References) -> Row:
    """A whole row. Reference beacons come from REST: gRPC leaves dangling ones out."""
    vectors: dict[str, npt.NDArray[np.float32]] = {}
    unread = [p.name for p in schema.properties.values() if not p.known or p.type == "blobHash"]
    if result.metadata.vector_bytes:
        vectors[""] = dense(result.metadata.vector_bytes)
    for vector in result.metadata.vectors:
        if vector.type == _MULTI:
            vectors[vector.name] = multi(vector.vector_bytes)
        elif vector.vector_bytes:
            vectors[vector.name] = dense(vector.vector_bytes)
    meta = result.metadata
    server = {"created_ms": meta.creation_time_unix, "updated_ms": meta.last_update_time_unix}
    return Row(
        meta.id,
        vectors,
        payload_of(result),
        references,
        part,
        server,
        tuple(unread),
    )


def dense(raw: bytes) -> npt.NDArray[np.float32]:
    return np.frombuffer(raw, "<f4").astype(np.float32, copy=True)


def multi(raw: bytes) -> npt.NDArray[np.float32]:
    """A multi-vector: its dimension as uint16, then the float32 rows."""
    if len(raw) < 2:
        return np.zeros((0, 0), np.float32)
    dimension = int.from_bytes(raw[:2], "little")
    return np.frombuffer(raw, "<f4", offset=2).reshape(-1, dimension).astype(np.float32, copy=True)
