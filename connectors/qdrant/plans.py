"""Plans of collections and indexes in Qdrant's messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

from connectors.errors import PlumblineError
from connectors.model import PayloadField, VectorField
from connectors.qdrant import fields as settings
from connectors.qdrant import values
from connectors.qdrant.stubs import message, pb

NUMBERS: Final = ("shard_number", "replication_factor", "write_consistency_factor")


PARTS: Final = {
    "hnsw": ("hnsw_config", "HnswConfigDiff"),
    "optimizer": ("optimizers_config", "OptimizersConfigDiff"),
    "wal": ("wal_config", "WalConfigDiff"),
    "quantization": ("quantization_config", "QuantizationConfig"),
    "strict_mode": ("strict_mode_config", "StrictModeConfig"),
}


OPTIONS: Final = (*NUMBERS, "on_disk_payload", "sharding_method", "shard_keys", *PARTS)


def put_vectors(request: Any, vectors: Sequence[VectorField], at: str) -> None:
    dense = [f for f in vectors if f.kind != "sparse"]
    for field in vectors:
        if field.kind == "sparse":
            _put_sparse(request.sparse_vectors_config.map[field.name], field, at)
    if [f.name for f in dense] == [""]:
        _put_dense(request.vectors_config.params, dense[0], at)
        return
    request.vectors_config.params_map.SetInParent()
    for field in dense:
        _put_dense(request.vectors_config.params_map.map[field.name], field, at)


def _put_dense(params: Any, field: VectorField, at: str) -> None:
    if field.dimension is None:
        raise PlumblineError("usage", f"The vector field {field.name!r} needs a dimension.", where=at)
    distance = settings.DISTANCES.get(field.metric or "cosine")
    if distance is None:
        raise PlumblineError("unsupported", f"Qdrant has no metric {field.metric!r}.", where=at)
    params.size, params.distance = field.dimension, distance
    if field.storage not in (None, "float32"):
        params.datatype = settings.DATATYPES[field.storage]
    index = {k: v for k, v in field.index.items() if k not in ("type", "comparator", "vectors_on_disk")}
    if index:
        _parse(index, params.hnsw_config, at)
    if "vectors_on_disk" in field.index:
        params.on_disk = bool(field.index["vectors_on_disk"])
    if field.quantization is not None:
        _parse(field.quantization, params.quantization_config, at)
    if field.kind == "multi":
        params.multivector_config.comparator = pb.MultiVectorComparator.MaxSim


def _put_sparse(params: Any, field: VectorField, at: str) -> None:
    params.SetInParent()
    index = {k: v for k, v in field.index.items() if k not in ("type", "modifier")}
    if index:
        _parse(index, params.index, at)
    if field.storage not in (None, "float32"):
        params.index.datatype = settings.DATATYPES[field.storage]
    if field.index.get("modifier") == "idf":
        params.modifier = pb.Modifier.Idf


def put_options(request: Any, options: Mapping[str, Any], at: str) -> None:
    for key, value in options.items():
        if key in NUMBERS:
            setattr(request, key, int(value))
        elif key == "on_disk_payload":
            request.on_disk_payload = bool(value)
        elif key == "sharding_method":
            request.sharding_method = (
                pb.ShardingMethod.Custom if str(value).lower() == "custom" else pb.ShardingMethod.Auto
            )
        elif key in PARTS:
            attribute, kind = PARTS[key]
            getattr(request, attribute).CopyFrom(_parse(value, message(kind)(), at))
        elif key != "shard_keys":
            raise PlumblineError(
                "usage", f"Qdrant knows no option {key!r}.", where=at, hint=f"There are {', '.join(OPTIONS)}."
            )


def _parse(value: Any, into: Any, at: str) -> Any:
    try:
        return ParseDict(value, into)
    except ParseError as fault:
        raise PlumblineError("usage", f"A setting can't be read: {fault}.", where=at) from None


CHANGES: Final = ("dimension", "metric", "storage")


def change(request: Any, changes: Mapping[str, Mapping[str, Any]], at: str) -> None:
    for name, change in changes.items():
        config = request.vectors_config
        if config.WhichOneof("config") == "params" and not name:
            params = config.params
        elif name in config.params_map.map:
            params = config.params_map.map[name]
        else:
            raise PlumblineError("not-found", f"The source has no dense vector field {name!r}.", where=at)
        for key, value in change.items():
            match key:
                case "dimension":
                    params.size = int(value)
                case "metric":
                    if value not in settings.DISTANCES:
                        raise PlumblineError("unsupported", f"Qdrant has no metric {value!r}.", where=at)
                    params.distance = settings.DISTANCES[value]
                case "storage":
                    if value not in settings.DATATYPES:
                        raise PlumblineError("unsupported", f"Qdrant has no storage {value!r}.", where=at)
                    params.datatype = settings.DATATYPES[value]
                case _:
                    raise PlumblineError(
                        "usage",
                        f"{key!r} can't be changed.",
                        where=at,
                        hint=f"There are {', '.join(CHANGES)}.",
                    )


def index_request(name: str, field: PayloadField, at: str) -> Any:
    kind = field.type.removesuffix("[]")
    if kind not in settings.FIELD_TYPES:
        raise PlumblineError(
            "unsupported",
            f"Qdrant has no index for fields of type {field.type!r}.",
            where=at,
            hint=f"There are {', '.join(settings.FIELD_TYPES)}.",
        )
    key = values.json_path(field.name)
    if key is None:
        raise PlumblineError("unsupported", f"Qdrant can't name the field {field.name!r}.", where=at)
    request = pb.CreateFieldIndexCollection(collection_name=name, wait=True, field_name=key)
    request.field_type = settings.FIELD_TYPES[kind]
    details = {k: v for k, v in field.details.items() if k != "rows"}
    if details:
        _parse(details, getattr(request.field_index_params, f"{kind}_index_params"), at)
    return request
