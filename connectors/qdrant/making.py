"""Collections made, copied and dropped; payload indexes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, PayloadField, Target, VectorField
from connectors.qdrant import fields as settings
from connectors.qdrant import values
from connectors.qdrant.describing import shard_key
from connectors.qdrant.searching import Searching
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
INDEX_PAUSE: Final = 0.05


class Making(Searching):
    def create(self, name: str, plan: CollectionPlan, *, timeout: float | None = None) -> None:
        """`plan.options`: shard_number, replication_factor, write_consistency_factor, on_disk_payload,
        sharding_method, shard_keys, and as objects in Qdrant's own words hnsw, optimizer, wal, quantization,
        strict_mode. Payload fields that are `indexed` get an index. `plan.tenants`: nothing to prepare here."""
        at = self.where(name)
        self.writable(at)
        if plan.marker is not None:
            self._marks(at)
        request = pb.CreateCollection(collection_name=name)
        _put_vectors(request, plan.vectors, at)
        _put_options(request, plan.options, at)
        if plan.marker is not None:
            values.put(request.metadata[settings.MARKER], dict(plan.marker))
        self._make(request, timeout, at)
        for key in plan.options.get("shard_keys", ()):
            self._add_shard_key(name, shard_key(str(key)), timeout)
        self.index_payload(Target(name), [f for f in plan.payload if f.indexed], timeout=timeout)

    def create_like(
        self,
        source: Target,
        name: str,
        *,
        vectors: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: float | None = None,
    ) -> tuple[str, ...]:
        at = self.where(name)
        self.writable(at)
        info = self.info(source, timeout)
        config, params = info.config, info.config.params
        request = pb.CreateCollection(collection_name=name)
        request.vectors_config.CopyFrom(params.vectors_config)
        if not params.HasField("vectors_config"):
            request.ClearField("vectors_config")
        if params.HasField("sparse_vectors_config"):
            request.sparse_vectors_config.CopyFrom(params.sparse_vectors_config)
        _change(request, vectors or {}, at)
        request.hnsw_config.CopyFrom(config.hnsw_config)
        request.optimizers_config.CopyFrom(config.optimizer_config)
        request.wal_config.CopyFrom(config.wal_config)
        for part in ("quantization_config", "strict_mode_config"):
            if config.HasField(part):
                getattr(request, part).CopyFrom(getattr(config, part))
        for key, value in config.metadata.items():
            if key != settings.MARKER:
                request.metadata[key].CopyFrom(value)
        request.shard_number = params.shard_number
        if self._custom(info):
            # With shard keys the number is per key, which is what the server gives and takes.
            request.sharding_method = pb.ShardingMethod.Custom
        for part in ("replication_factor", "write_consistency_factor"):
            if params.HasField(part):
                setattr(request, part, getattr(params, part))
        request.on_disk_payload = params.on_disk_payload
        self._make(request, timeout, at)
        lost = self._copy_shard_keys(info, source, name, timeout)
        lost += self._copy_indexes(info, name, timeout)
        for part in ("read_fan_out_factor", "read_fan_out_delay_ms"):
            if params.HasField(part) and getattr(params, part):
                lost.append(f"{part} = {getattr(params, part)}")
        if settings.marker_of(info) is not None:
            lost.append("the marker: it belongs to the source")
        return tuple(lost)

    def drop(self, name: str, *, timeout: float | None = None) -> None:
        at = self.where(name)
        self.writable(at)
        # A deletion by an alias's name is answered with success, and removes nothing or more than was meant.
        alias = next((a for a in self._aliases_or_none(timeout) if a.name == name), None)
        if alias is not None:
            raise PlumblineError(
                "usage",
                f"{name!r} is an alias of the collection {alias.collection!r}.",
                where=at,
                hint="Drop the collection by its own name.",
            )
        self.info(name, timeout)
        request = pb.DeleteCollection(collection_name=name)
        self.get(
            "Collections/Delete",
            request,
            "CollectionOperationResponse",
            timeout,
            at=at,
            write=True,
            again=False,
        )

    def index_payload(
        self, t: Target, fields: Sequence[PayloadField], *, timeout: float | None = None
    ) -> None:
        """Waits until the index answers. `details` are Qdrant's own index parameters."""
        at = self.where(t)
        self.writable(at)
        for field in fields:
            request = _index_request(t.collection, field, at)
            self.ask("Points/CreateFieldIndex", request, timeout, at=at, write=True)
            self._usable(t, field, request, timeout)

    # Parts

    def _marks(self, at: str) -> None:
        if self.since(1, 16, 0) is False:
            raise PlumblineError(
                "unsupported",
                f"Qdrant {self._version_text} keeps no metadata with a collection, so no marker.",
                where=at,
                hint="It came with 1.16.",
            )

    def _make(self, request: Any, timeout: float | None, at: str) -> None:
        answer = self.get(
            "Collections/Create",
            request,
            "CollectionOperationResponse",
            timeout,
            at=at,
            write=True,
            again=False,
        )
        if not answer.result:
            raise PlumblineError(
                "internal", "The server did not make the collection, and says no why.", where=at
            )

    def _add_shard_key(self, name: str, key: Any, timeout: float | None) -> None:
        request = pb.CreateShardKeyRequest(collection_name=name, request=pb.CreateShardKey(shard_key=key))
        self.ask("Collections/CreateShardKey", request, timeout, at=self.where(name), write=True, again=False)

    def _copy_shard_keys(self, info: Any, source: Target, name: str, timeout: float | None) -> list[str]:
        if not self._custom(info):
            return []
        lost: list[str] = []
        for key, _ in self._shards(source.collection, timeout):
            try:
                self._add_shard_key(name, shard_key(key), timeout)
            except PlumblineError as fault:
                lost.append(f"shard key {key}: {fault.message}")
        return lost

    def _copy_indexes(self, info: Any, name: str, timeout: float | None) -> list[str]:
        lost: list[str] = []
        for key, schema in sorted(info.payload_schema.items()):
            kind = settings.FIELD_TYPES.get(settings.TYPES.get(schema.data_type, ""))
            if kind is None:
                lost.append(f"the index on {key}: its type is not known to this version")
                continue
            request = pb.CreateFieldIndexCollection(collection_name=name, wait=True, field_name=key)
            request.field_type = kind
            if schema.HasField("params"):
                request.field_index_params.CopyFrom(schema.params)
            self.ask("Points/CreateFieldIndex", request, timeout, at=self.where(name), write=True)
        return lost

    def _usable(self, t: Target, field: PayloadField, request: Any, timeout: float | None) -> None:
        """Until the collection says that it has the index, and a facet over it succeeds (1.18.3: not at once)."""
        deadline = time.monotonic() + self.timeout(timeout)
        while True:
            info = self.info(t, max(deadline - time.monotonic(), 0.001))
            schema = info.payload_schema.get(request.field_name)
            if schema is not None:
                if not settings.facetable(schema):
                    return
                facet = pb.FacetCounts(collection_name=t.collection, key=request.field_name, limit=1)
                try:
                    self.ask("Points/Facet", facet, max(deadline - time.monotonic(), 0.001), at=self.where(t))
                except PlumblineError as fault:
                    if "No appropriate index" not in fault.message:
                        return
                else:
                    return
            if time.monotonic() + INDEX_PAUSE >= deadline:
                raise PlumblineError(
                    "timeout",
                    f"The index on {field.name!r} is not usable yet.",
                    where=self.where(t),
                    hint="The server goes on building it.",
                )
            time.sleep(INDEX_PAUSE)


def _put_vectors(request: Any, vectors: Sequence[VectorField], at: str) -> None:
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


def _put_options(request: Any, options: Mapping[str, Any], at: str) -> None:
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


def _change(request: Any, changes: Mapping[str, Mapping[str, Any]], at: str) -> None:
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


def _index_request(name: str, field: PayloadField, at: str) -> Any:
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
