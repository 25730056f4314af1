"""Collections made, copied and dropped; payload indexes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, PayloadField, Target
from connectors.qdrant import fields as settings
from connectors.qdrant import values
from connectors.qdrant.describing import shard_key
from connectors.qdrant.plans import change, index_request, put_options, put_vectors
from connectors.qdrant.searching import Searching
from connectors.qdrant.stubs import pb

INDEX_PAUSE: Final = 0.05
BUILDING: Final = 60.0
"""Seconds that making, indexing and dropping may take where the caller names none: more than a reading."""


class Making(Searching):
    def create(self, name: str, plan: CollectionPlan, *, timeout: float | None = None) -> None:
        """`plan.options`: shard_number, replication_factor, write_consistency_factor, on_disk_payload,
        sharding_method, shard_keys, and as objects in Qdrant's own words hnsw, optimizer, wal, quantization,
        strict_mode. Payload fields that are `indexed` get an index. `plan.tenants`: nothing to prepare here."""
        at = self.where(name)
        self.writable(at)
        timeout = self._building(timeout)
        if plan.marker is not None:
            self._marks(at)
        request = pb.CreateCollection(collection_name=name)
        put_vectors(request, plan.vectors, at)
        put_options(request, plan.options, at)
        if plan.marker is not None:
            values.put(request.metadata[settings.MARKER], dict(plan.marker))
        self._odd.clear()
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
        timeout = self._building(timeout)
        config, params = info.config, info.config.params
        request = pb.CreateCollection(collection_name=name)
        request.vectors_config.CopyFrom(params.vectors_config)
        if not params.HasField("vectors_config"):
            request.ClearField("vectors_config")
        if params.HasField("sparse_vectors_config"):
            request.sparse_vectors_config.CopyFrom(params.sparse_vectors_config)
        change(request, vectors or {}, at)
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
        for part in ("payload", "id_tracker"):
            if params.HasField(part):
                getattr(request, part).CopyFrom(getattr(params, part))
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
            self._building(timeout),
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
        timeout = self._building(timeout)
        for field in fields:
            request = index_request(t.collection, field, at)
            self.ask("Points/CreateFieldIndex", request, timeout, at=at, write=True)
            self._usable(t, field, request, timeout)

    # Parts

    def _building(self, timeout: float | None) -> float:
        return max(self.spec.timeout, BUILDING) if timeout is None else timeout

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
