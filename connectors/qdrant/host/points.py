"""The service `qdrant.Points`: its writes. Reading is in `reads`, searching in `queries`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import qdrant_edge as edge

from connectors.qdrant.host import changes, filters, payload_index, schema, vectors
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.reads import Reads
from connectors.qdrant.host.refused import invalid
from connectors.qdrant.host.shard import Shard
from connectors.qdrant.host.store import Store
from connectors.qdrant.host.values import from_fields, point_id

_COMPLETED: Final = 2
_MODES: Final[tuple[Any, ...]] = (
    edge.UpdateMode.Upsert,
    edge.UpdateMode.InsertOnly,
    edge.UpdateMode.UpdateOnly,
)
_ROWS_AT_ONCE: Final = 2_000
_BYTES_AT_ONCE: Final = 4 * 1024 * 1024

Op = edge.UpdateOperation


class Points(Reads):
    """One method per method of the service; each takes the request and returns the answer."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)

    # Writes

    def Upsert(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        self._upsert(shard, request.points, request)
        return _done()

    def _upsert(self, shard: Shard, given: Any, request: Any) -> None:
        condition = filters.field(request, "update_filter")
        mode = _mode(request)
        if not given:
            raise invalid("Bad request: Empty update request")
        if any(not p.HasField("vectors") for p in given):
            raise invalid("Expected some vectors")
        rows = [
            (point_id(p.id), vectors.read_all(p.vectors, shard.specs), from_fields(p.payload)) for p in given
        ]
        with shard.writing():
            for part, size in _parts(rows):
                points = [edge.Point(i, v, p) for i, v, p in part]
                adds = 0 if mode == edge.UpdateMode.UpdateOnly else len({i for i, _, _ in part})
                shard.write(Op.upsert_points(points, condition, mode), adds=adds, size=size)

    def UpdateVectors(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        condition = filters.field(request, "update_filter")
        self._update_vectors(shard, request.points, condition)
        return _done()

    def _update_vectors(self, shard: Shard, given: Any, condition: Any) -> None:
        if not given:
            raise invalid("Bad request: Empty update request")
        read = [(point_id(p.id), vectors.read_all(p.vectors, shard.specs), None) for p in given]
        rows = [row for row in read if row[1]]
        with shard.writing():
            for part, size in _parts(rows):
                held = [edge.PointVectors(i, v) for i, v, _ in part]
                shard.write(Op.update_vectors(held, condition), size=size)

    def Delete(self, request: Any) -> Any:
        self._delete(self._store.asked(request, writes=True), request.points)
        return _done()

    def _delete(self, shard: Shard, selector: Any) -> None:
        ids, chosen = _selected(selector)
        if ids is not None:
            shard.write(Op.delete_points(ids), removes=len(set(ids)))
        else:
            shard.write(Op.delete_points_by_filter(chosen), removes=None)

    def DeleteVectors(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        self._delete_vectors(shard, request.points_selector, list(request.vectors.names))
        return _done()

    def _delete_vectors(self, shard: Shard, selector: Any, names: list[str]) -> None:
        if not names:
            raise invalid("Validation error in body: [vectors: must not be empty]")
        for name in names:
            vectors.spec_of(shard.specs, name)
        ids, chosen = _selected(selector)
        if ids is not None:
            shard.write(Op.delete_vectors(ids, names))
        else:
            shard.write(Op.delete_vectors_by_filter(chosen, names))

    def SetPayload(self, request: Any) -> Any:
        self._set_payload(request, request, "set_payload")
        return _done()

    def OverwritePayload(self, request: Any) -> Any:
        self._set_payload(request, request, "overwrite_payload")
        return _done()

    def _set_payload(self, request: Any, given: Any, how: str) -> None:
        shard = self._store.asked(request, writes=True)
        ids, chosen = _selected(given.points_selector)
        key = given.key if given.HasField("key") else None
        payload = from_fields(given.payload)
        if ids is not None:
            shard.write(getattr(Op, how)(ids, payload, key))
        else:
            shard.write(getattr(Op, f"{how}_by_filter")(chosen, payload, key))

    def DeletePayload(self, request: Any) -> Any:
        self._delete_payload(request, request)
        return _done()

    def _delete_payload(self, request: Any, given: Any) -> None:
        shard = self._store.asked(request, writes=True)
        ids, chosen = _selected(given.points_selector)
        keys = list(given.keys)
        shard.write(
            Op.delete_payload(ids, keys) if ids is not None else Op.delete_payload_by_filter(chosen, keys)
        )

    def ClearPayload(self, request: Any) -> Any:
        self._clear_payload(request, request.points)
        return _done()

    def _clear_payload(self, request: Any, selector: Any) -> None:
        shard = self._store.asked(request, writes=True)
        ids, chosen = _selected(selector)
        shard.write(Op.clear_payload(ids) if ids is not None else Op.clear_payload_by_filter(chosen))

    def UpdateBatch(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        with shard.writing():
            for operation in request.operations:
                self._one_of_batch(shard, request, operation)
        done = [pb.UpdateResult(operation_id=0, status=_COMPLETED) for _ in request.operations]
        return pb.UpdateBatchResponse(result=done)

    def _one_of_batch(self, shard: Shard, request: Any, operation: Any) -> None:
        kind = operation.WhichOneof("operation")
        given: Any = getattr(operation, kind) if kind else None
        match kind:
            case "upsert":
                self._upsert(shard, given.points, given)
            case "delete_points":
                self._delete(shard, given.points)
            case "delete_deprecated":
                self._delete(shard, given)
            case "set_payload" | "overwrite_payload":
                self._set_payload(request, given, kind)
            case "delete_payload":
                self._delete_payload(request, given)
            case "clear_payload":
                self._clear_payload(request, given.points)
            case "clear_payload_deprecated":
                self._clear_payload(request, given)
            case "update_vectors":
                self._update_vectors(shard, given.points, filters.field(given, "update_filter"))
            case "delete_vectors":
                self._delete_vectors(shard, given.points_selector, list(given.vectors.names))
            case _:
                raise invalid("Malformed PointsUpdateOperation")

    # The schema of a collection

    def CreateFieldIndex(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        shard.write(Op.create_field_index(request.field_name, payload_index.read(request)))
        return _done()

    def DeleteFieldIndex(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        shard.write(Op.delete_field_index(request.field_name))
        return _done()

    def CreateVectorName(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        with shard.writing():
            changed = pb.CollectionConfig()
            changed.CopyFrom(shard.config)
            if changes.add_vector(changed, request):
                shard.write(_creation(request))
                shard.reconfigure(changed)
        return _done()

    def DeleteVectorName(self, request: Any) -> Any:
        shard = self._store.asked(request, writes=True)
        with shard.writing():
            changed = pb.CollectionConfig()
            changed.CopyFrom(shard.config)
            if changes.remove_vector(changed, request.vector_name):
                shard.write(Op.delete_vector_name(request.vector_name))
                shard.reconfigure(changed)
        return _done()


def _done() -> Any:
    return pb.PointsOperationResponse(result=pb.UpdateResult(operation_id=0, status=_COMPLETED))


def _mode(request: Any) -> Any:
    if not request.HasField("update_mode"):
        return edge.UpdateMode.Upsert
    if request.update_mode >= len(_MODES):
        raise invalid("Unknown update mode")
    return _MODES[request.update_mode]


def _parts(rows: list[Any]) -> Iterator[tuple[list[Any], int]]:
    """Rows in parts that hold the engine for well under 0.5 s, each with the bytes of its vectors."""
    part: list[Any] = []
    size = 0
    for row in rows:
        held = vectors.size_in_bytes(row[1])
        if part and (size + held > _BYTES_AT_ONCE or len(part) == _ROWS_AT_ONCE):
            yield part, size
            part, size = [], 0
        part.append(row)
        size += held
    if part:
        yield part, size


def _selected(selector: Any) -> tuple[list[Any] | None, Any]:
    """Ids, or None and a filter."""
    match selector.WhichOneof("points_selector_one_of"):
        case "points":
            return [point_id(i) for i in selector.points.ids], None
        case "filter":
            return None, filters.read(selector.filter) or edge.Filter()
        case _:
            raise invalid("points_selector is expected")


def _creation(request: Any) -> Any:
    """The engine's operation for a `CreateVectorName`, whose settings `changes.add_vector` has checked."""
    name = request.vector_name
    if request.WhichOneof("vector_config") == "sparse_config":
        sparse = request.sparse_config
        modifier = edge.Modifier.Idf if sparse.modifier == 1 else None
        return Op.create_sparse_vector(name, modifier, schema.DATATYPES.get(sparse.datatype))
    dense = request.dense_config
    multi = dense.HasField("multivector_config")
    return Op.create_dense_vector(
        name,
        dense.size,
        schema.DISTANCES[dense.distance],
        edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if multi else None,
        schema.DATATYPES.get(dense.datatype),
    )
