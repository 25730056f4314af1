"""Vectors between the wire and the engine. Dense ones stay bytes: never a Python list on the way in."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import qdrant_edge as edge

from connectors.qdrant.host.refused import invalid, unserved, wrong

Floats = Any
"""A memoryview of floats, which the engine reads without a Python list in between."""

EngineVector = Any
"""memoryview of floats, `edge.SparseVector`, or a list of memoryviews."""


@dataclass(frozen=True, slots=True)
class VectorSpec:
    """What the collection says of one vector. `size` is None for sparse ones."""

    kind: Literal["dense", "sparse", "multi"]
    size: int | None


def floats(data: bytes) -> Floats:
    if len(data) % 4:
        raise invalid("failed to decode Protobuf message: a float has 4 bytes")
    return memoryview(data).cast("f")


def _sized(data: Floats, size: int | None) -> Floats:
    if len(data) != size:
        raise wrong(f"Vector dimension error: expected dim: {size}, got {len(data)}")
    return data


def read(given: Any, spec: VectorSpec) -> EngineVector:
    """A `Vector` or `VectorInput` as the engine takes it, held against the collection's own."""
    stored = "vector" in given.DESCRIPTOR.oneofs_by_name
    match given.WhichOneof("vector" if stored else "variant"):
        case "dense":
            return _dense(given.dense.data, spec)
        case "sparse":
            return _sparse(list(given.sparse.indices), list(given.sparse.values), spec)
        case "multi_dense":
            return _multi([floats(v.data) for v in given.multi_dense.vectors], spec)
        case "document" | "image" | "object":
            raise unserved("inference: send the vector itself")
        case _:
            if not stored:
                raise invalid("VectorInput variant is missing")
            return _deprecated(given, spec)


def _deprecated(given: Any, spec: VectorSpec) -> EngineVector:
    """The fields from before Qdrant 1.13, which its servers still take."""
    data = floats(given.data)
    if given.HasField("indices"):
        return _sparse(list(given.indices.data), list(data), spec)
    if given.HasField("vectors_count"):
        count = given.vectors_count
        if not count or len(data) % count:
            raise wrong("Vector dimension error: multi-vectors of unequal length")
        step = len(data) // count
        return _multi([data[i : i + step] for i in range(0, len(data), step)], spec)
    return _dense(given.data, spec)


def _dense(data: bytes, spec: VectorSpec) -> EngineVector:
    if spec.kind == "sparse":
        raise wrong("Conversion between sparse and regular vectors failed")
    row = _sized(floats(data), spec.size)
    return [row] if spec.kind == "multi" else row


def _multi(rows: list[Floats], spec: VectorSpec) -> EngineVector:
    if spec.kind != "multi":
        raise wrong("Conversion between multi and regular vectors failed")
    if not rows:
        raise invalid("Validation error in body: [multi_dense: must not be empty]")
    return [_sized(row, spec.size) for row in rows]


def _sparse(indices: list[int], values: list[float], spec: VectorSpec) -> EngineVector:
    if spec.kind != "sparse":
        raise wrong("Conversion between sparse and regular vectors failed")
    if len(indices) != len(values):
        raise invalid("Validation error in body: [values: must be the same length as indices]")
    if len(set(indices)) != len(indices):
        raise invalid("Validation error in body: [indices: must be unique]")
    return edge.SparseVector(indices, values)


def read_all(given: Any, specs: Mapping[str, VectorSpec]) -> dict[str, EngineVector]:
    """A `Vectors` message: the unnamed vector is named ""."""
    kind = given.WhichOneof("vectors_options")
    if kind is None:
        return {}
    named = {"": given.vector} if kind == "vector" else given.vectors.vectors
    return {name: read(vector, spec_of(specs, name)) for name, vector in named.items()}


def spec_of(specs: Mapping[str, VectorSpec], name: str) -> VectorSpec:
    spec = specs.get(name)
    if spec is None:
        raise wrong(f"Not existing vector name error: {name}")
    return spec


def size_in_bytes(vectors: Mapping[str, EngineVector]) -> int:
    total = 0
    for vector in vectors.values():
        if isinstance(vector, memoryview):
            total += vector.nbytes
        elif isinstance(vector, list):
            total += sum(row.nbytes for row in cast("list[Floats]", vector))
        else:
            total += 8 * len(vector.indices)
    return total


@lru_cache(maxsize=64)
def _format(size: int) -> struct.Struct:
    return struct.Struct(f"<{size}f")


def _packed(held: list[float]) -> bytes:
    """The engine hands out lists; `struct` packs them in half the time of `array` or numpy."""
    return _format(len(held)).pack(*held)


def write(into: Any, held: Any) -> None:
    """The engine's vector into a `VectorOutput`."""
    if isinstance(held, edge.SparseVector):
        into.sparse.SetInParent()
        into.sparse.indices.extend(held.indices)
        into.sparse.values.extend(held.values)
    elif held and isinstance(held[0], list):
        for row in held:
            into.multi_dense.vectors.add().data = _packed(row)
    else:
        into.dense.data = _packed(held)


def write_all(into: Any, held: Any) -> None:
    """A row's vectors into a `VectorsOutput`: the unnamed one alone, or all by name, as the server does."""
    if isinstance(held, dict):
        named = cast("dict[str, Any]", held)
        if not named:
            into.vectors.SetInParent()
            return
        if set(named) == {""}:
            write(into.vector, named[""])
            return
        into.vectors.SetInParent()
        for name, vector in named.items():
            write(into.vectors.vectors[name], vector)
    else:
        write(into.vector, held)
