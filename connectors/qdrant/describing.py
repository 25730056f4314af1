"""What is on the server: collections, their fields, settings and state, and what the server can do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from connectors.errors import PlumblineError
from connectors.model import (
    YES,
    Alias,
    Capabilities,
    Capability,
    CollectionSummary,
    IndexState,
    Target,
    Tenant,
)
from connectors.qdrant import fields
from connectors.qdrant.link import Link
from connectors.qdrant.stubs import pb


class Describing(Link):
    def collections(self, *, timeout: float | None = None) -> tuple[CollectionSummary, ...]:
        """Rows are the server's quick count here, which can differ from the exact one while it optimises."""
        deadline = time.monotonic() + self.timeout(timeout)
        answer = self.get("Collections/List", pb.ListCollectionsRequest(), "ListCollectionsResponse", timeout)
        names = sorted(c.name for c in answer.collections)
        if not names:
            return ()
        by_name: dict[str, list[str]] = {}
        try:
            for alias in self.aliases(timeout=max(deadline - time.monotonic(), 0.001)):
                by_name.setdefault(alias.collection, []).append(alias.name)
        except PlumblineError as fault:
            # A key for some collections only may not list aliases.
            if fault.code not in ("unauthorised", "unsupported"):
                raise

        def summary(name: str) -> CollectionSummary:
            aliases = tuple(by_name.get(name, ()))
            try:
                info = self.info(name, max(deadline - time.monotonic(), 0.001))
                return CollectionSummary(name, int(info.points_count), fields.vector_fields(info), aliases)
            except PlumblineError as fault:
                return CollectionSummary(name, None, (), aliases, fault.at(self.where(name)).to_json())

        return tuple(self.workers.map(summary, names))

    def aliases(self, *, timeout: float | None = None) -> tuple[Alias, ...]:
        answer = self.get("Collections/ListAliases", pb.ListAliasesRequest(), "ListAliasesResponse", timeout)
        found = (Alias(a.alias_name, a.collection_name) for a in answer.aliases)
        return tuple(sorted(found, key=lambda a: a.name))

    def marker(self, t: Target, *, timeout: float | None = None) -> Mapping[str, Any] | None:
        return fields.marker_of(self.info(t, timeout))

    def index_state(self, t: Target, *, timeout: float | None = None) -> IndexState:
        info = self.info(t, timeout)
        rows, indexed = int(info.points_count), int(info.indexed_vectors_count)
        queue = int(info.update_queue.length) if info.HasField("update_queue") else None
        details: dict[str, Any] = {
            "server_status": pb.CollectionStatus.Name(info.status).lower(),
            "segments": int(info.segments_count),
        }
        if info.HasField("update_queue") and info.update_queue.HasField("deferred_points"):
            details["deferred_rows"] = int(info.update_queue.deferred_points)
        error = info.optimizer_status.error
        match info.status:
            case pb.CollectionStatus.Green:
                status, why = "ready", "small segments are searched without an index on purpose"
            case pb.CollectionStatus.Yellow:
                status, why = "building", "the optimizer is at work"
            case pb.CollectionStatus.Grey:
                status, why = "stalled", "optimisation waits for the next write since the server's restart"
            case pb.CollectionStatus.Red:
                status, why = "failed", error or "the server reports a failed shard"
            case _:
                status, why = "unknown", "the server gives no status"
        if error and status != "failed":
            status, why = "failed", error
        return IndexState(status, why, rows, indexed, queue, details)

    def tenants(self, t: Target, *, timeout: float | None = None) -> tuple[Tenant, ...] | None:
        """Shard keys with their rows, else the values of the payload field whose index says `is_tenant`."""
        info = self.info(t, timeout)
        if self._custom(info):
            return tuple(Tenant(name, "active", rows) for name, rows in self._shards(t.collection, timeout))
        names = fields.tenant_fields(info)
        if len(names) != 1:
            return None
        request = pb.FacetCounts(collection_name=t.collection, key=names[0], limit=10_000, exact=True)
        answer = self.get("Points/Facet", request, "FacetResponse", timeout, at=self.where(t))
        found = ((hit.value.string_value, int(hit.count)) for hit in answer.hits)
        return tuple(Tenant(name, "active", rows) for name, rows in sorted(found))

    def capabilities(self, t: Target | None = None, *, timeout: float | None = None) -> Capabilities:
        version = self.version(timeout)
        rest = self._open is not None and self._open.kind == "rest"
        info = self.info(t, timeout) if t is not None else None
        made = {
            "facet": self._from((1, 12)),
            "random_sample": self._from((1, 11)),
            "slices": self._from((1, 19), "an older server ignores the condition silently"),
            "insert_only": self._from(
                (1, 17), "rows are looked up before they are written: a window remains (`window`)"
            ),
            "conditional_write": self._from((1, 16), "an older server ignores the condition silently"),
            "field_add": self._from((1, 18)),
            "field_drop": self._from((1, 18)),
            "marker": self._from((1, 16), "the collection has no metadata"),
            "update_queue": self._from((1, 17)),
            "aliases": YES,
            "snapshots": YES,
            "payload_index": YES,
            "quantization_control": YES,
            "exact_search": YES,
            "sees_non_finite": Capability(False, "JSON can't carry NaN and Inf, and gRPC can't be reached")
            if rest
            else YES,
            "tenants": Capability(None, "asked without a collection"),
            "keyword_search": Capability(None, "asked without a collection"),
        }
        if self.spec.path is not None:
            made["snapshots"] = Capability(
                False, "the embedded store is a folder: copy it while it is closed"
            )
        if info is not None:
            made |= self._of_collection(info)
        if self.spec.read_only:
            why = Capability(False, "the connection is configured read-only")
            made |= dict.fromkeys(("insert_only", "conditional_write", "field_add", "field_drop"), why)
        conditional = version is not None and version >= (1, 16, 0)
        return Capabilities(**made, write_guard="window" if conditional else "none")

    # Parts

    def _from(self, version: tuple[int, int], without: str = "") -> Capability:
        known = self._version
        if known is None:
            return Capability(None, "the server's version is not known")
        if known >= version:
            return YES
        since = f"from Qdrant {version[0]}.{version[1]} on; this is {self._version_text}"
        return Capability(False, f"{since}: {without}" if without else since)

    def _of_collection(self, info: Any) -> dict[str, Capability]:
        made: dict[str, Capability] = {}
        if fields.forbids_exact(info):
            made["facet"] = Capability(False, "strict mode forbids exact counts (search_allow_exact)")
            made["exact_search"] = Capability(False, "strict mode forbids it (search_allow_exact)")
        texts = fields.text_fields(info)
        made["keyword_search"] = (
            Capability(
                True,
                f"full-text index on {', '.join(texts)}; the server finds the rows, which are ranked here "
                "by the rarity of the words that they hold",
            )
            if texts
            else Capability(False, "no payload field has a full-text index")
        )
        indexed = [n for n, s in info.payload_schema.items() if fields.facetable(s)]
        if not indexed and "facet" not in made:
            made["facet"] = Capability(False, "no payload field has a keyword, integer, bool or uuid index")
        tenants = fields.tenant_fields(info)
        if self._custom(info):
            made["tenants"] = Capability(True, "shard keys")
        elif tenants:
            made["tenants"] = Capability(True, f"payload field {', '.join(tenants)} (is_tenant)")
        else:
            made["tenants"] = Capability(False, "neither shard keys nor a payload index with is_tenant")
        return made

    def _aliases_or_none(self, timeout: float | None) -> tuple[Alias, ...]:
        try:
            return self.aliases(timeout=timeout)
        except PlumblineError as fault:
            if fault.code in ("unauthorised", "unsupported"):
                return ()
            raise

    @staticmethod
    def _custom(info: Any) -> bool:
        return info.config.params.sharding_method == pb.ShardingMethod.Custom

    def _shards(self, name: str, timeout: float | None) -> list[tuple[str, int | None]]:
        """Shard keys in order, with rows where every shard of the key is on the node that answers."""
        request = pb.CollectionClusterInfoRequest(collection_name=name)
        answer = self.get(
            "Collections/CollectionClusterInfo",
            request,
            "CollectionClusterInfoResponse",
            timeout,
            at=self.where(name),
        )
        local: dict[str, dict[int, int]] = {}
        remote: dict[str, set[int]] = {}
        for shard in answer.local_shards:
            if shard.HasField("shard_key"):
                local.setdefault(shard_name(shard.shard_key), {})[shard.shard_id] = int(shard.points_count)
        for shard in answer.remote_shards:
            if shard.HasField("shard_key"):
                remote.setdefault(shard_name(shard.shard_key), set()).add(shard.shard_id)
        made: list[tuple[str, int | None]] = []
        for name_ in sorted({*local, *remote}):
            here = local.get(name_, {})
            whole = remote.get(name_, set()) <= set(here)
            made.append((name_, sum(here.values()) if whole else None))
        return made


def shard_name(key: Any) -> str:
    """A shard key as text; a number is written as JSON writes it, a text that looks like one in quotes."""
    if key.WhichOneof("key") == "number":
        return str(key.number)
    return f'"{key.keyword}"' if key.keyword.isdigit() else key.keyword


def shard_key(name: str) -> Any:
    """The inverse of `shard_name`."""
    if name.isdigit():
        return pb.ShardKey(number=int(name))
    quoted = len(name) > 2 and name[0] == name[-1] == '"' and name[1:-1].isdigit()
    return pb.ShardKey(keyword=name[1:-1] if quoted else name)
