"""Qdrant's collection settings in the console's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from connectors.errors import PlumblineError
from connectors.model import Metric, Payload, PayloadField, Storage, VectorField
from connectors.qdrant.stubs import pb
from connectors.qdrant.values import payload

MARKER: Final = "plumbline"
"""The key of the collection's metadata that holds what `set_marker` wrote."""

METRICS: Final[dict[int, Metric]] = {
    pb.Distance.Cosine: "cosine",
    pb.Distance.Dot: "dot",
    pb.Distance.Euclid: "euclid",
    pb.Distance.Manhattan: "manhattan",
}
DISTANCES: Final = {name: number for number, name in METRICS.items()}
STORAGES: Final[dict[int, Storage]] = {
    pb.Datatype.Default: "float32",
    pb.Datatype.Float32: "float32",
    pb.Datatype.Uint8: "uint8",
    pb.Datatype.Float16: "float16",
}
DATATYPES: Final[dict[str, int]] = {
    "float32": pb.Datatype.Float32,
    "uint8": pb.Datatype.Uint8,
    "float16": pb.Datatype.Float16,
}
TYPES: Final[dict[int, str]] = {
    pb.PayloadSchemaType.Keyword: "keyword",
    pb.PayloadSchemaType.Integer: "integer",
    pb.PayloadSchemaType.Float: "float",
    pb.PayloadSchemaType.Geo: "geo",
    pb.PayloadSchemaType.Text: "text",
    pb.PayloadSchemaType.Bool: "bool",
    pb.PayloadSchemaType.Datetime: "datetime",
    pb.PayloadSchemaType.Uuid: "uuid",
}
FIELD_TYPES: Final[dict[str, int]] = {
    "keyword": pb.FieldType.FieldTypeKeyword,
    "integer": pb.FieldType.FieldTypeInteger,
    "float": pb.FieldType.FieldTypeFloat,
    "geo": pb.FieldType.FieldTypeGeo,
    "text": pb.FieldType.FieldTypeText,
    "bool": pb.FieldType.FieldTypeBool,
    "datetime": pb.FieldType.FieldTypeDatetime,
    "uuid": pb.FieldType.FieldTypeUuid,
}


def as_dict(message: Any) -> dict[str, Any]:
    """A settings message as plain values under Qdrant's own names; only what is set."""
    held: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return {key: _number(value) for key, value in held.items()}


def _number(value: Any) -> Any:
    # The JSON form of protobuf writes 64-bit integers as text.
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if isinstance(value, dict):
        return {key: _number(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def dense_params(info: Any) -> dict[str, Any]:
    """Name -> `VectorParams` of the dense and multi-vectors. The unnamed one is ""."""
    config = info.config.params.vectors_config
    match config.WhichOneof("config"):
        case "params":
            return {"": config.params}
        case "params_map":
            return dict(sorted(config.params_map.map.items()))
        case _:
            return {}


def vector_fields(info: Any) -> tuple[VectorField, ...]:
    """All vectors of a collection: dense and multi first, sparse after them."""
    dense = [_dense(name, params, info.config) for name, params in dense_params(info).items()]
    sparse = [
        _sparse(name, params) for name, params in sorted(info.config.params.sparse_vectors_config.map.items())
    ]
    return (*dense, *sparse)


def _dense(name: str, params: Any, config: Any) -> VectorField:
    metric = METRICS.get(params.distance)
    storage = STORAGES.get(params.datatype)
    own = params if params.HasField("quantization_config") else config
    quantization = own.quantization_config if own.HasField("quantization_config") else None
    index = {"type": "hnsw", **as_dict(config.hnsw_config), **as_dict(params.hnsw_config)}
    if params.HasField("on_disk"):
        index["vectors_on_disk"] = params.on_disk
    multi = params.HasField("multivector_config")
    if multi:
        index["comparator"] = "max_sim"
    if storage is None:
        index["datatype"] = pb.Datatype.Name(params.datatype)
    return VectorField(
        name,
        "multi" if multi else "dense",
        params.size,
        metric,
        storage,
        # Uint8 vectors are stored as they come; every float storage is normalised, float16 after it rounds.
        normalised_on_write=metric == "cosine" and storage != "uint8",
        index=index,
        quantization=None if quantization is None else as_dict(quantization),
    )


def _sparse(name: str, params: Any) -> VectorField:
    index = {"type": "inverted", **as_dict(params.index)}
    if params.HasField("modifier"):
        index["modifier"] = pb.Modifier.Name(params.modifier).lower()
    storage = STORAGES.get(params.index.datatype)
    return VectorField(name, "sparse", None, "dot", storage, index=index)


def payload_fields(info: Any) -> tuple[PayloadField, ...]:
    """The indexed payload fields: Qdrant knows no others."""
    made: list[PayloadField] = []
    for name, schema in sorted(info.payload_schema.items()):
        chosen = schema.params.WhichOneof("index_params")
        details = as_dict(getattr(schema.params, chosen)) if chosen else {}
        if schema.HasField("points"):
            details["rows"] = schema.points
        made.append(PayloadField(name, TYPES.get(schema.data_type, "unknown"), True, details))
    return tuple(made)


def tenant_fields(info: Any) -> tuple[str, ...]:
    """Payload fields whose index says that they tell tenants apart."""
    return tuple(
        name
        for name, schema in sorted(info.payload_schema.items())
        if schema.params.keyword_index_params.is_tenant or schema.params.uuid_index_params.is_tenant
    )


FACETED: Final = {
    pb.PayloadSchemaType.Keyword,
    pb.PayloadSchemaType.Integer,
    pb.PayloadSchemaType.Bool,
    pb.PayloadSchemaType.Uuid,
}


def facetable(schema: Any) -> bool:
    """Whether an index counts values: keyword, bool, uuid, and integer unless it is made for ranges only."""
    integers = schema.params.integer_index_params
    return schema.data_type in FACETED and not (integers.HasField("lookup") and not integers.lookup)


def text_fields(info: Any) -> tuple[str, ...]:
    return tuple(
        name
        for name, schema in sorted(info.payload_schema.items())
        if schema.data_type == pb.PayloadSchemaType.Text
    )


def marker_of(info: Any) -> Payload | None:
    metadata = info.config.metadata
    held = payload(metadata).get(MARKER) if MARKER in metadata else None
    return held if isinstance(held, dict) else None  # pyright: ignore[reportUnknownVariableType]


def strict_mode(info: Any) -> Any | None:
    """The strict mode in force, or None."""
    held = info.config.strict_mode_config
    return held if info.config.HasField("strict_mode_config") and held.enabled else None


def forbids_exact(info: Any) -> bool:
    """Strict mode without exact search, which forbids exact counts and facets too (1.18.3)."""
    strict = strict_mode(info)
    return strict is not None and strict.HasField("search_allow_exact") and not strict.search_allow_exact


def settings(info: Any) -> dict[str, Any]:
    """The collection's own configuration, for people."""
    params = as_dict(info.config.params)
    params.pop("vectors_config", None)
    params.pop("sparse_vectors_config", None)
    made: dict[str, Any] = {
        **params,
        "hnsw": as_dict(info.config.hnsw_config),
        "optimizer": as_dict(info.config.optimizer_config),
        "wal": as_dict(info.config.wal_config),
        "segments": info.segments_count,
    }
    if info.config.HasField("quantization_config"):
        made["quantization"] = as_dict(info.config.quantization_config)
    if (strict := strict_mode(info)) is not None:
        made["strict_mode"] = as_dict(strict)
    if tenants := tenant_fields(info):
        made["tenant_fields"] = list(tenants)
    if info.config.metadata:
        made["metadata"] = payload(info.config.metadata)
    if info.warnings:
        made["warnings"] = [w.message for w in info.warnings]
    return made


def dimensions(info: Any, fields: Mapping[str, Any] | tuple[str, ...], where: str) -> dict[str, int]:
    """Dimension of each dense field. Raises `not-found`, and `unsupported` for sparse and multi-vectors."""
    known = {f.name: f for f in vector_fields(info)}
    made: dict[str, int] = {}
    for name in fields:
        field = known.get(name)
        if field is None:
            there = ", ".join(repr(n) for n in known) or "none"
            raise PlumblineError(
                "not-found", f"There is no vector field {name!r}; there are: {there}.", where=where
            )
        if field.kind != "dense" or field.dimension is None:
            raise PlumblineError(
                "unsupported",
                f"The vector field {name!r} holds {field.kind} vectors, which have no place in a matrix.",
                where=where,
                hint="Export reads them whole.",
            )
        made[name] = field.dimension
    return made
