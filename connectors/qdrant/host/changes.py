"""Changes of a collection's configuration while it lives."""

from __future__ import annotations

from typing import Any

from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import invalid, unserved, wrong
from connectors.qdrant.host.schema import check_dense, dense_params, merge_metadata, sparse_params


def update(config: Any, request: Any) -> bool:
    """Apply an `UpdateCollection`; returns whether the index must be built anew."""
    rebuild = False
    if request.HasField("vectors_config"):
        known = dense_params(config)
        diff = request.vectors_config
        changes = {"": diff.params} if diff.WhichOneof("config") == "params" else dict(diff.params_map.map)
        for name, change in changes.items():
            if name not in known:
                raise wrong(f"Not existing vector name error: {name}")
            _apply(known[name], change, ("hnsw_config", "on_disk"))
            rebuild = True
    if request.HasField("sparse_vectors_config"):
        raise unserved("a change of sparse_vectors_config on a collection that exists")
    if request.HasField("hnsw_config") or request.HasField("quantization_config"):
        _apply(config, request, ("hnsw_config",))
        rebuild = True
    if request.HasField("params"):
        if request.params.HasField("replication_factor") and request.params.replication_factor > 1:
            raise unserved("replicas")
        _apply(config.params, request.params, ("on_disk_payload",))
    config.optimizer_config.MergeFrom(request.optimizers_config)
    if request.HasField("strict_mode_config"):
        config.strict_mode_config.MergeFrom(request.strict_mode_config)
    merge_metadata(config.metadata, request.metadata)
    return rebuild


def _apply(held: Any, change: Any, names: tuple[str, ...]) -> None:
    """Merge the named fields, and replace or disable the quantization where the change has any."""
    for name in names:
        if change.HasField(name):
            part = getattr(change, name)
            if isinstance(part, bool):
                setattr(held, name, part)
            else:
                getattr(held, name).MergeFrom(part)
    if "quantization_config" in change.DESCRIPTOR.fields_by_name and change.HasField("quantization_config"):
        kind = change.quantization_config.WhichOneof("quantization")
        held.ClearField("quantization_config")
        if kind not in (None, "disabled"):
            getattr(held.quantization_config, kind).CopyFrom(getattr(change.quantization_config, kind))


def add_vector(config: Any, request: Any) -> bool:
    """Apply a `CreateVectorName`; False where the same vector is there already, as on the server."""
    name = request.vector_name
    kind = request.WhichOneof("vector_config")
    if kind is None:
        raise invalid("Malformed vector_config")
    added: Any = pb.SparseVectorParams() if kind == "sparse_config" else pb.VectorParams()
    if kind == "sparse_config":
        given = request.sparse_config
        if given.HasField("modifier"):
            added.modifier = given.modifier
        if given.HasField("datatype"):
            added.index.datatype = given.datatype
    else:
        given = request.dense_config
        added.size, added.distance = given.size, given.distance
        if given.HasField("datatype"):
            added.datatype = given.datatype
        if given.HasField("multivector_config"):
            added.multivector_config.CopyFrom(given.multivector_config)
        check_dense(added)
    held = {**dense_params(config), **sparse_params(config)}.get(name)
    if held is not None:
        if held.DESCRIPTOR is not added.DESCRIPTOR or _identity(held) != _identity(added):
            raise wrong(f"Vector `{name}` already exists with a different configuration")
        return False
    if kind == "sparse_config":
        config.params.sparse_vectors_config.map[name].CopyFrom(added)
    else:
        _by_name(config)[name].CopyFrom(added)
    return True


def remove_vector(config: Any, name: str) -> bool:
    """Apply a `DeleteVectorName`; False where there is no such vector, as on the server."""
    params = config.params
    if name in params.sparse_vectors_config.map:
        del params.sparse_vectors_config.map[name]
    elif name in dense_params(config):
        del _by_name(config)[name]
    else:
        return False
    return True


def _by_name(config: Any) -> Any:
    """The dense vectors as a map; the unnamed one becomes a member of it."""
    vectors = config.params.vectors_config
    if vectors.WhichOneof("config") == "params":
        unnamed = pb.VectorParams()
        unnamed.CopyFrom(vectors.params)
        vectors.params_map.map[""].CopyFrom(unnamed)
    return vectors.params_map.map


def _identity(params: Any) -> tuple[Any, ...]:
    if params.DESCRIPTOR.name == "SparseVectorParams":
        return (params.modifier,)
    return (params.size, params.distance, params.datatype or 1, params.HasField("multivector_config"))
