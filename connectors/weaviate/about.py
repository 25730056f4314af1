"""What a Weaviate server and its collections are: versions, schemas, capabilities, index state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from connectors.errors import PlumblineError, unsupported
from connectors.model import (
    YES,
    Capabilities,
    Capability,
    CollectionSummary,
    Description,
    IndexState,
    ServerInfo,
    ShardCopy,
    Target,
    Tenant,
    Tombstones,
    VectorField,
)
from connectors.weaviate import stubs
from connectors.weaviate.core import TESTED, Opened
from connectors.weaviate.dimensions import Dimensions
from connectors.weaviate.schema import Schema

_COUNTED_TENANTS: Final = 1000
"""Up to so many active tenants a list of collections counts one by one."""


class About(Dimensions):
    """Reading that touches no row's content."""

    def server(self, *, timeout: float | None = None) -> ServerInfo:
        """Version and latency. gRPC that can't be reached is a note here and an error where it is needed."""
        meta = self._meta(timeout)
        began = time.perf_counter()
        self._transport.rest("GET", "/v1/.well-known/live", timeout=timeout)
        latency = (time.perf_counter() - began) * 1000
        text = str(meta["version"])
        version = self._server_version(timeout)
        notes: list[str] = []
        grpc = True
        if version[:2] > TESTED[:2]:
            notes.append(f"Weaviate {text} is newer than 1.39, for which this adapter was made.")
        try:
            self._probe_grpc(timeout)
        except PlumblineError as fault:
            grpc = False
            notes.append(
                f"Without gRPC nothing can be searched, read or counted: {fault.message} {fault.hint}"
            )
        return ServerInfo("weaviate", text, "grpc" if grpc else "rest", latency, notes=tuple(notes))

    def _probe_grpc(self, timeout: float | None) -> None:
        """Raises where gRPC does not answer as Weaviate's: any refusal of an unknown collection will do."""
        request = stubs.aggregate.AggregateRequest(collection="PlumblineProbe", objects_count=True)
        try:
            self._transport.call("Aggregate", request, timeout=min(timeout or self.spec.timeout, 5.0))
        except PlumblineError as fault:
            if fault.code in ("unreachable", "wrong-protocol", "tls", "timeout"):
                raise

    def collections(self, *, timeout: float | None = None) -> tuple[CollectionSummary, ...]:
        self._server_version(timeout)
        held: Any = self._transport.rest("GET", "/v1/schema", timeout=timeout)
        schemas = sorted(
            (
                Schema(c)
                for c in cast("list[dict[str, Any]]", cast("dict[str, Any]", held or {}).get("classes") or [])
            ),
            key=lambda s: s.name,
        )
        names = self._readable_aliases(timeout)

        def summary(schema: Schema) -> CollectionSummary:
            aliases = names.get(schema.name, ())
            try:
                parts: tuple[str | None, ...] = (None,)
                if schema.has_tenants:
                    found = self._tenants(schema, timeout)
                    parts = tuple(x.name for x in found if x.state == "active")
                opened = Opened(schema, parts)
                rows = None
                if len(parts) <= _COUNTED_TENANTS:
                    rows = sum(self._aggregate(opened, part, timeout=timeout) for part in parts)
                vectors = self._with_dimensions(opened, timeout) if rows != 0 else schema.vectors
            except PlumblineError as fault:
                return CollectionSummary(schema.name, None, schema.vectors, aliases, fault.to_json())
            return CollectionSummary(schema.name, rows, vectors, aliases)

        return tuple(self._each(schemas, summary))

    def _with_dimensions(self, opened: Opened, timeout: float | None) -> tuple[VectorField, ...]:
        return tuple(
            replace(f, dimension=self._dimension(opened, f.name, timeout)) for f in opened.schema.vectors
        )

    def tombstones(self, t: Target, *, timeout: float | None = None) -> Tombstones:
        """The nodes' status, also with every shard (1.39), has none; the metrics' port is not a client's."""
        raise unsupported(
            "Weaviate tells its tombstones in its own metrics only, not to a client.", self.spec.name
        )

    def copies(self, t: Target, *, timeout: float | None = None) -> tuple[ShardCopy, ...]:
        raise unsupported("Weaviate's copies are compared by repeated reads.", self.spec.name)

    def describe(self, t: Target, *, timeout: float | None = None) -> Description:
        opened = self._open(t, timeout=timeout)
        schema = opened.schema
        tenants: tuple[Tenant, ...] | None = None
        if schema.has_tenants:
            tenants = self._counted(opened, self._tenants(schema, timeout), timeout)
            counts = {x.name: x.rows for x in tenants}
            rows = sum(counts.get(str(part)) or 0 for part in opened.parts)
        else:
            rows = self._rows(opened, timeout)
        return Description(
            Target(schema.name, t.tenant),
            rows,
            self._with_dimensions(opened, timeout) if rows else schema.vectors,
            schema.payload,
            self._aliases_of(schema.name, timeout),
            tenants,
            tuple(schema.references),
            schema.marker,
            schema.settings,
            opened.via_alias,
        )

    def tenants(self, t: Target, *, timeout: float | None = None) -> tuple[Tenant, ...] | None:
        """Every tenant; those that are active with their rows. None where the collection has none."""
        schema = self._schema(t.collection, timeout)
        if not schema.has_tenants:
            return None
        found = self._tenants(schema, timeout)
        return self._counted(Opened(schema, ()), found, timeout)

    def _counted(
        self, opened: Opened, tenants: tuple[Tenant, ...], timeout: float | None
    ) -> tuple[Tenant, ...]:
        def count(tenant: Tenant) -> Tenant:
            if tenant.state != "active":
                return tenant
            try:
                return replace(tenant, rows=self._aggregate(opened, tenant.name, timeout=timeout))
            except PlumblineError as fault:
                if fault.code == "unsupported":
                    return replace(tenant, state="inactive")
                raise

        return tuple(self._each(tenants, count))

    def marker(self, t: Target, *, timeout: float | None = None) -> Mapping[str, Any] | None:
        return self._schema(t.collection, timeout).marker

    def capabilities(self, t: Target | None = None, *, timeout: float | None = None) -> Capabilities:
        version = self._server_version(timeout)
        schema = self._schema(t.collection, timeout) if t is not None else None
        searchable: Capability = YES
        tenants = Capability(None, "It depends on the collection.")
        if schema is not None:
            if not any(p.searchable for p in schema.properties.values()):
                searchable = Capability(
                    False, "No property of the collection is indexed for BM25 (indexSearchable)."
                )
            tenants = (
                YES if schema.has_tenants else Capability(False, "Multi-tenancy is off for this collection.")
            )
        return Capabilities(
            exact_search=Capability(
                False, "Weaviate has no exact flag; truth is computed from scanned vectors."
            ),
            facet=Capability(True, "Group-by Aggregate, with filters that are exact only."),
            random_sample=Capability(
                None,
                "Weaviate draws no samples: of up to 200,000 rows ids are drawn evenly; beyond, one of the 16 ids after "
                "each of many random positions, by the density of ids, so that rows where it changes suddenly are "
                "somewhat likelier than others, or less likely.",
            ),
            slices=Capability(False, "Ranges of ids are used instead."),
            sees_non_finite=Capability(True, "gRPC carries NaN and infinity."),
            keyword_search=searchable,
            insert_only=Capability(True, "POST /objects refuses an id that is there (422)."),
            conditional_write=Capability(False, "Weaviate has none up to 1.39."),
            write_guard="window",
            field_add=Capability(
                False, "Weaviate can (since 1.31); Plumbline's writes to vectors come later."
            ),
            field_drop=Capability(False, "Weaviate can't drop a named vector."),
            aliases=Capability(
                True, "Weaviate has them since 1.32; Plumbline reads them and does not move them yet."
            ),
            marker=Capability(True, "Kept in the collection's description."),
            snapshots=Capability(False, "Weaviate's backups are taken by the server's own modules."),
            tenants=tenants,
            quantization_control=Capability(
                False, "Rescoring and oversampling are settings of the index here."
            ),
            update_queue=Capability(True, "The vector queue of each shard, under `index_state`."),
            payload_index=Capability(False, f"Plumbline builds none on Weaviate {version[0]}.{version[1]}."),
        )

    def index_state(self, t: Target, *, timeout: float | None = None) -> IndexState:
        opened = self._open(t, timeout=timeout)
        rows = self._rows(opened, timeout)
        try:
            held: Any = self._transport.rest(
                "GET", f"/v1/nodes/{opened.name}", params={"output": "verbose"}, timeout=timeout
            )
        except PlumblineError as fault:
            if fault.code in ("unauthorised", "not-found", "unsupported"):
                return IndexState("unknown", f"The server does not tell: {fault.message}", rows)
            raise
        nodes = cast("list[dict[str, Any]]", cast("dict[str, Any]", held or {}).get("nodes") or [])
        wanted = None if t.tenant is None else {t.tenant}
        shards = [
            {**shard, "node": node.get("name")}
            for node in nodes
            for shard in cast("list[dict[str, Any]]", node.get("shards") or [])
            if wanted is None or shard.get("name") in wanted
        ]
        return _judge(rows, nodes, shards, len(opened.schema.vectors))


def _judge(rows: int, nodes: list[dict[str, Any]], shards: list[dict[str, Any]], vectors: int) -> IndexState:
    """Node and shard states as one; the worst that is known decides."""
    queue = sum(int(shard.get("vectorQueueLength") or 0) for shard in shards)
    states: dict[str, int] = {}
    for shard in shards:
        state = str(shard.get("vectorIndexingStatus") or "unknown").upper()
        states[state] = states.get(state, 0) + 1
    sick = {
        str(n.get("name")): str(n.get("status")) for n in nodes if n.get("status") not in ("HEALTHY", None)
    }
    details: dict[str, Any] = {
        "shards": len(shards),
        "states": states,
        "nodes": {str(n.get("name")): n.get("status") for n in nodes},
        "compressed": sum(1 for shard in shards if shard.get("compressed")),
    }
    indexed = max(0, rows - queue) if vectors == 1 else (rows if queue == 0 else None)
    if sick:
        names = ", ".join(f"{name} is {state}" for name, state in sorted(sick.items()))
        return IndexState("unknown", f"Not every node is well: {names}.", rows, None, queue, details)
    if not shards:
        why = "The server lists no shards of this collection." if rows else ""
        return IndexState(
            "unknown" if rows else "ready", why, rows, indexed if rows == 0 else None, queue, details
        )
    if states.get("READONLY"):
        why = f"{states['READONLY']} of {len(shards)} shards are read-only: often the disk is nearly full."
        return IndexState("stalled", why, rows, indexed, queue, details)
    if states.get("INDEXING") or queue:
        return IndexState("building", f"{queue} vectors wait to be indexed.", rows, indexed, queue, details)
    lazy = sum(n for state, n in states.items() if state != "READY")
    if lazy:
        others = ", ".join(f"{n} {state}" for state, n in sorted(states.items()) if state != "READY")
        return IndexState("unknown", f"Not every shard is loaded: {others}.", rows, None, queue, details)
    return IndexState("ready", "", rows, indexed, queue, details)
