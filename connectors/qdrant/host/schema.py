"""A collection's configuration: Qdrant's message, kept as the client gave it, and the engine's form of it."""

from __future__ import annotations

from typing import Any, Final

import qdrant_edge as edge
from google.protobuf import json_format

from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import invalid, unserved
from connectors.qdrant.host.vectors import VectorSpec

DISTANCES: Final = {
    1: edge.Distance.Cosine,
    2: edge.Distance.Euclid,
    3: edge.Distance.Dot,
    4: edge.Distance.Manhattan,
}
DATATYPES: Final = {
    1: edge.VectorStorageDatatype.Float32,
    2: edge.VectorStorageDatatype.Uint8,
    3: edge.VectorStorageDatatype.Float16,
}
_FLOAT_BYTES: Final = 4

NO_VECTORS: Final = "plumbline-none"
"""The engine wants a vector where a server's collection may have none: a sparse one that no row holds."""

LONGEST_NAME: Final = 255
_NEVER: Final = frozenset("/\0")
_FORBIDDEN: Final = frozenset('<>:"/\\|?*\0\x1f')


def check_name(name: str, new: bool = False) -> str:
    """A collection's name, as Qdrant's server allows it (1.18): a `new` one is held to more. Raises Refused."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise invalid(
            f'Validation error in body: [collection_name: value "{name}" invalid, must be from 1 to 255 characters]'
        )
    for char in name:
        if char in (_FORBIDDEN if new else _NEVER):
            raise invalid(
                f'Validation error in body: [collection_name: collection name cannot contain "{char}" char]'
            )
    return name


def from_request(request: Any) -> Any:
    """The `CollectionConfig` of a `CreateCollection`, with the server's defaults filled in."""
    config = pb.CollectionConfig()
    params = config.params
    params.shard_number = 1
    params.replication_factor = 1
    params.write_consistency_factor = 1
    params.on_disk_payload = request.on_disk_payload if request.HasField("on_disk_payload") else True
    if request.HasField("shard_number") and request.shard_number > 1:
        raise unserved("more than one shard per collection")
    if request.HasField("sharding_method") and request.sharding_method:
        raise unserved("custom sharding")
    if request.HasField("vectors_config"):
        params.vectors_config.CopyFrom(request.vectors_config)
    if request.HasField("sparse_vectors_config"):
        params.sparse_vectors_config.CopyFrom(request.sparse_vectors_config)
    hnsw = config.hnsw_config
    hnsw.m, hnsw.ef_construct, hnsw.full_scan_threshold = 16, 100, 10_000
    hnsw.max_indexing_threads, hnsw.on_disk = 0, False
    hnsw.MergeFrom(request.hnsw_config)
    optimizer = config.optimizer_config
    optimizer.deleted_threshold, optimizer.vacuum_min_vector_number = 0.2, 1000
    optimizer.default_segment_number, optimizer.flush_interval_sec = 0, 5
    optimizer.indexing_threshold = 10_000
    optimizer.MergeFrom(request.optimizers_config)
    wal = config.wal_config
    wal.wal_capacity_mb, wal.wal_segments_ahead, wal.wal_retain_closed = 32, 0, 1
    config.wal_config.MergeFrom(request.wal_config)
    if request.HasField("quantization_config"):
        config.quantization_config.CopyFrom(request.quantization_config)
    if request.HasField("strict_mode_config"):
        config.strict_mode_config.CopyFrom(request.strict_mode_config)
    merge_metadata(config.metadata, request.metadata)
    for vector in dense_params(config).values():
        check_dense(vector)
    return config


def read(held: Any) -> Any:
    """The `CollectionConfig` that was kept as JSON. Raises json_format.ParseError."""
    return json_format.ParseDict(held, pb.CollectionConfig(), ignore_unknown_fields=True)


def merge_metadata(held: Any, given: Any) -> None:
    """New keys replace old ones, a null removes its key: as on the server 1.18."""
    for key, value in given.items():
        if value.WhichOneof("kind") in (None, "null_value"):
            held.pop(key, None)
        else:
            held[key].CopyFrom(value)


def dense_params(config: Any) -> dict[str, Any]:
    """The dense and multi vectors by name; the unnamed one is ""."""
    vectors = config.params.vectors_config
    kind = vectors.WhichOneof("config")
    if kind == "params":
        return {"": vectors.params}
    return dict(vectors.params_map.map) if kind == "params_map" else {}


def sparse_params(config: Any) -> dict[str, Any]:
    return dict(config.params.sparse_vectors_config.map)


def specs(config: Any) -> dict[str, VectorSpec]:
    found: dict[str, VectorSpec] = {
        name: VectorSpec("multi" if p.HasField("multivector_config") else "dense", p.size)
        for name, p in dense_params(config).items()
    }
    found.update((name, VectorSpec("sparse", None)) for name in sparse_params(config))
    return found


def row_bytes(config: Any) -> int:
    """Bytes of one row's dense vectors in memory, for the size of a segment."""
    return sum(p.size * _FLOAT_BYTES for p in dense_params(config).values()) or 64


def for_engine(config: Any) -> edge.EdgeConfig:
    """The engine's configuration. Its optimizer settings work in the builder only: see `builder`."""
    given = config.optimizer_config

    def pick(name: str) -> Any:
        return getattr(given, name) if given.HasField(name) else None

    return edge.EdgeConfig(
        vectors={name: _dense(p) for name, p in dense_params(config).items()},
        sparse_vectors={name: _sparse(p) for name, p in sparse_params(config).items()}
        or (None if dense_params(config) else {NO_VECTORS: edge.EdgeSparseVectorParams()}),
        on_disk_payload=config.params.on_disk_payload,
        hnsw_config=_hnsw(config.hnsw_config),
        quantization_config=_quantization(config) if config.HasField("quantization_config") else None,
        optimizers=edge.EdgeOptimizersConfig(
            deleted_threshold=pick("deleted_threshold"),
            vacuum_min_vector_number=pick("vacuum_min_vector_number"),
            default_segment_number=pick("default_segment_number"),
            max_segment_size=pick("max_segment_size"),
            indexing_threshold=pick("indexing_threshold"),
        ),
    )


def check_dense(params: Any) -> None:
    if not 1 <= params.size <= 65_536:
        raise invalid(
            f"Validation error in body: [vectors_config.config.size: value {params.size} invalid, must be from 1 to 65536]"
        )
    if params.distance not in DISTANCES:
        raise invalid("Distance is not specified" if not params.distance else "Unknown distance")
    if params.datatype and params.datatype not in DATATYPES:
        raise unserved("this storage type of vectors")


def _dense(params: Any) -> edge.EdgeVectorParams:
    return edge.EdgeVectorParams(
        size=params.size,
        distance=DISTANCES[params.distance],
        on_disk=params.on_disk if params.HasField("on_disk") else None,
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
        if params.HasField("multivector_config")
        else None,
        datatype=DATATYPES.get(params.datatype),
        quantization_config=_quantization(params) if params.HasField("quantization_config") else None,
        hnsw_config=_hnsw(params.hnsw_config) if params.HasField("hnsw_config") else None,
    )


def _sparse(params: Any) -> edge.EdgeSparseVectorParams:
    index = params.index
    return edge.EdgeSparseVectorParams(
        full_scan_threshold=index.full_scan_threshold if index.HasField("full_scan_threshold") else None,
        on_disk=index.on_disk if index.HasField("on_disk") else None,
        modifier=edge.Modifier.Idf if params.modifier == 1 else None,
        datatype=DATATYPES.get(index.datatype),
    )


def _hnsw(given: Any) -> edge.HnswIndexConfig:
    def pick(name: str, default: Any) -> Any:
        return getattr(given, name) if given.HasField(name) else default

    return edge.HnswIndexConfig(
        m=pick("m", 16),
        ef_construct=pick("ef_construct", 100),
        full_scan_threshold=pick("full_scan_threshold", 10_000),
        max_indexing_threads=pick("max_indexing_threads", 0),
        on_disk=pick("on_disk", None),
        payload_m=pick("payload_m", None),
    )


_COMPRESSIONS: Final = ("X4", "X8", "X16", "X32", "X64")
_ENCODINGS: Final = ("OneBit", "TwoBits", "OneAndHalfBits")
_TURBO_BITS: Final = ("Bits1", "Bits1_5", "Bits2", "Bits4", "Bits8")
_QUERY_ENCODINGS: Final = ("Default", "Binary", "Scalar4Bits", "Scalar8Bits")


def _quantization(owner: Any) -> Any:
    given = owner.quantization_config
    kind = given.WhichOneof("quantization")
    if kind is None:
        return None
    part: Any = getattr(given, kind)
    ram = part.always_ram if part.HasField("always_ram") else None
    match kind:
        case "scalar":
            return edge.ScalarQuantizationConfig(
                edge.ScalarType.Int8, part.quantile if part.HasField("quantile") else None, ram
            )
        case "product":
            return edge.ProductQuantizationConfig(
                getattr(edge.CompressionRatio, _COMPRESSIONS[int(part.compression)]), ram
            )
        case "binary":
            return edge.BinaryQuantizationConfig(
                ram,
                getattr(edge.BinaryQuantizationEncoding, _ENCODINGS[int(part.encoding)])
                if part.HasField("encoding")
                else None,
                getattr(
                    edge.BinaryQuantizationQueryEncoding, _QUERY_ENCODINGS[int(part.query_encoding.setting)]
                )
                if part.HasField("query_encoding")
                else None,
            )
        case "turboquant":
            return edge.TurboQuantQuantizationConfig(
                ram,
                getattr(edge.TurboQuantBitSize, _TURBO_BITS[int(part.bits)])
                if part.HasField("bits")
                else None,
            )
        case _:
            raise unserved(f"{kind} quantization")
