"""Vectors at wire speed.

A packed `repeated float` and a `bytes` field look the same on the wire. These are copies of Qdrant's messages
in which every run of floats is declared as `bytes`: numpy reads it in place, no Python float is ever made, and
the bits of a NaN survive. The wire is little-endian, as is every machine that Qdrant runs on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from connectors.errors import PlumblineError
from connectors.model import Matrix, RowId, Sparse, Vectors
from connectors.qdrant.stubs import pb

FLOATS: Final = {
    ("DenseVector", "data"),
    ("SparseVector", "values"),
    ("Vector", "data"),
    ("VectorOutput", "data"),
}

assert sys.byteorder == "little", "Qdrant's wire format is read in place, which needs a little-endian machine"


@cache
def message(name: str) -> Any:
    """The class of a message of points.proto whose floats are bytes."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"qdrant.{name}"))  # pyright: ignore[reportUnknownMemberType]


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    seen: set[str] = set()

    def add(file: Any) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for needed in file.dependencies:
            add(needed)
        copied = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copied)
        for kind in copied.message_type:
            for field in kind.field:
                if (kind.name, field.name) in FLOATS:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                    field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
        pool.Add(copied)  # pyright: ignore[reportUnknownMemberType]

    add(pb.ScrollPoints.DESCRIPTOR.file)
    return pool


def point_id(row: RowId) -> Any:
    return pb.PointId(num=row) if isinstance(row, int) else pb.PointId(uuid=row)


def row_id(point: Any) -> RowId:
    """The id of a `PointId`, of either kind of class."""
    return point.uuid or point.num


def output(point: Any, field: str) -> Any | None:
    """The `VectorOutput` of one vector of a point, or None where the row lacks it."""
    held = point.vectors
    named = held.vectors.vectors.get(field)
    if named is None and not field and held.WhichOneof("vectors_options") == "vector":
        return held.vector
    return named


def outputs(point: Any) -> Mapping[str, Any]:
    """Every vector that a point has, by name."""
    held = point.vectors
    match held.WhichOneof("vectors_options"):
        case "vectors":
            return held.vectors.vectors
        case "vector":
            return {"": held.vector}
        case _:
            return {}


def dense(points: Sequence[Any], field: str, dimension: int) -> Vectors:
    """One dense field of points parsed with `message("ScrollResponse")` and the like: ((n, d) float32, mask)."""
    width = 4 * dimension
    runs: list[bytes] = []
    for point in points:
        vector = output(point, field)
        # Older servers fill the deprecated `data`, 1.18 the oneof.
        runs.append(b"" if vector is None else vector.dense.data or vector.data)
    if all(len(run) == width for run in runs):
        matrix = np.frombuffer(bytearray().join(runs), "<f4").reshape(len(runs), dimension)
        return Vectors(matrix, np.ones(len(runs), np.bool_))
    matrix = np.zeros((len(runs), dimension), np.float32)
    present = np.zeros(len(runs), np.bool_)
    for i, run in enumerate(runs):
        if len(run) == width:
            matrix[i] = np.frombuffer(run, "<f4")
            present[i] = True
        elif run:
            raise PlumblineError(
                "changed",
                f"A vector of {len(run) // 4} numbers came where the collection says {dimension}.",
                hint="Was the collection made anew while it was read? Describe it again.",
            )
    return Vectors(matrix, present)


def whole(vector: Any) -> npt.NDArray[np.float32] | Sparse | None:
    """A `VectorOutput` as it is kept in a `Row`, or None where it can't be told."""
    match vector.WhichOneof("vector"):
        case "dense":
            return floats(vector.dense.data)
        case "sparse":
            return Sparse(np.array(vector.sparse.indices, np.uint32), floats(vector.sparse.values))
        case "multi_dense":
            runs = [floats(v.data) for v in vector.multi_dense.vectors]
            return np.stack(runs) if len({len(r) for r in runs}) == 1 else None
        case _:
            pass
    if vector.HasField("indices"):
        return Sparse(np.array(vector.indices.data, np.uint32), floats(vector.data))
    if not vector.data:
        return None
    held = floats(vector.data)
    if vector.HasField("vectors_count") and vector.vectors_count:
        return held.reshape(vector.vectors_count, -1)
    return held


def floats(run: bytes) -> Matrix:
    """A run of floats as a writable float32 array."""
    return np.frombuffer(bytearray(run), "<f4")


def raw(values: npt.NDArray[Any]) -> bytes:
    """The wire form of an array of floats."""
    return np.ascontiguousarray(values, "<f4").tobytes()


def put(into: Any, value: npt.NDArray[np.float32] | Sparse, old: bool) -> None:
    """Fill a `Vector`. `old`: in the form of servers before 1.16, which newer ones still read."""
    if isinstance(value, Sparse):
        if old:
            into.data = raw(value.values)
            into.indices.data.extend(value.indices.tolist())
        else:
            into.sparse.values = raw(value.values)
            into.sparse.indices.extend(value.indices.tolist())
    elif value.ndim == 2:
        if old:
            into.data = raw(value)
            into.vectors_count = len(value)
        else:
            into.multi_dense.vectors.extend(message("DenseVector")(data=raw(v)) for v in value)
    elif old:
        into.data = raw(value)
    else:
        into.dense.data = raw(value)


def ids(points: Iterable[Any]) -> tuple[RowId, ...]:
    return tuple(row_id(p.id) for p in points)
