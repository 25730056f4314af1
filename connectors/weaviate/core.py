"""What every part of the Weaviate adapter stands on: names, versions, tenants, small parallel calls."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

from connectors.errors import PlumblineError, unsupported
from connectors.model import Alias, ConnectionSpec, Range, Target, Tenant
from connectors.weaviate import stubs
from connectors.weaviate.schema import Schema
from connectors.weaviate.transport import Transport

S = TypeVar("S")
T = TypeVar("T")

Version = tuple[int, int, int]

OLDEST: Final[Version] = (1, 32, 0)
TESTED: Final[Version] = (1, 39, 0)
MOST_ROWS: Final = 10_000
"""QUERY_MAXIMUM_RESULTS as servers ship it: the most that one answer holds."""
_WORKERS: Final = 12
_VERSION_KEPT: Final = 30.0

_STATES: Final = {
    "HOT": "active",
    "ACTIVE": "active",
    "COLD": "inactive",
    "INACTIVE": "inactive",
    "FROZEN": "offloaded",
    "OFFLOADED": "offloaded",
}


@dataclass(frozen=True)
class Opened:
    """A target found on the server: the real collection, its schema, and the tenants to read."""

    schema: Schema
    parts: tuple[str | None, ...]
    via_alias: str | None = None

    @property
    def name(self) -> str:
        return self.schema.name


class Core:
    """One connection; thread-safe."""

    def __init__(self, spec: ConnectionSpec) -> None:
        self.spec = spec
        self._transport = Transport(spec)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._version: tuple[float, Version] | None = None

    def close(self) -> None:
        """Release the connections. Later calls raise."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    # Server

    def _meta(self, timeout: float | None) -> Mapping[str, Any]:
        """`GET /v1/meta`, after which it is sure that this is Weaviate. Raises `wrong-protocol`."""
        try:
            held: object = self._transport.rest("GET", "/v1/meta", timeout=timeout)
        except PlumblineError as fault:
            if fault.code in ("not-found", "internal"):
                raise self._not_weaviate(timeout) from None
            raise
        if not isinstance(held, dict) or not isinstance(cast("dict[str, Any]", held).get("version"), str):
            raise self._not_weaviate(timeout)
        return cast("dict[str, Any]", held)

    def _not_weaviate(self, timeout: float | None) -> PlumblineError:
        what = "something else"
        try:
            held: object = self._transport.rest("GET", "/", timeout=timeout)
            if (
                isinstance(held, dict)
                and "qdrant" in str(cast("dict[str, Any]", held).get("title", "")).lower()
            ):
                what = "Qdrant"
        except PlumblineError:
            pass
        return PlumblineError(
            "wrong-protocol",
            f"What answers at {self._transport.url} is not Weaviate but {what}.",
            where=self.spec.name,
            hint='Is the `kind` right ("qdrant" or "weaviate"), and does the URL lead to Weaviate\'s REST interface?',
        )

    def _server_version(self, timeout: float | None = None) -> Version:
        """The server's version, asked again every 30 s. Raises `unsupported` below 1.32."""
        kept = self._version
        if kept is not None and time.monotonic() - kept[0] < _VERSION_KEPT:
            return kept[1]
        text = str(self._meta(timeout)["version"])
        version = parse_version(text)
        if version < OLDEST:
            raise unsupported(
                f"Weaviate {text} is older than 1.32, which Plumbline needs.",
                self.spec.name,
                "Upgrade the server.",
            )
        self._version = (time.monotonic(), version)
        return version

    # Collections

    def _schema(self, collection: str, timeout: float | None = None) -> Schema:
        """The collection's schema now, an alias followed. Raises `not-found`."""
        self._server_version(timeout)
        where = f"{self.spec.name}/{collection}"
        held: object = None
        if collection and not re.search(r"[^A-Za-z0-9_]", collection):
            try:
                held = self._transport.rest(
                    "GET", f"/v1/schema/{quote(collection)}", timeout=timeout, where=where
                )
            except PlumblineError as fault:
                if fault.code != "not-found":
                    raise
        if not isinstance(held, dict) or "class" not in held:
            raise PlumblineError(
                "not-found",
                f"There is no collection or alias {collection!r}.",
                where=where,
                hint="`collections` lists what is there.",
            )
        return Schema(cast("dict[str, Any]", held))

    def _open(self, t: Target, over: Range | None = None, timeout: float | None = None) -> Opened:
        """Find a target. Raises `not-found`, and `unsupported` for a tenant that is not active."""
        schema = self._schema(t.collection, timeout)
        via = t.collection if schema.name.lower() != t.collection.lower() else None
        tenant = t.tenant
        if over is not None and over.part is not None:
            if tenant is not None and tenant != over.part:
                raise PlumblineError(
                    "usage",
                    f"The range belongs to tenant {over.part!r}, the address to {tenant!r}.",
                    where=self._where(t),
                )
            tenant = over.part
        if not schema.has_tenants:
            if tenant is not None:
                raise PlumblineError(
                    "not-found",
                    f"{schema.name} has no tenants.",
                    where=self._where(t),
                    hint="Leave the tenant out of the address.",
                )
            return Opened(schema, (None,), via)
        if tenant is None:
            found = self._tenants(schema, timeout)
            return Opened(schema, tuple(x.name for x in found if x.state == "active"), via)
        self._active(schema, tenant, self._where(t), timeout)
        return Opened(schema, (tenant,), via)

    def _active(self, schema: Schema, tenant: str, where: str, timeout: float | None) -> None:
        """Raises where the tenant is not there or not active: asking such a one could wake it."""
        missing = PlumblineError(
            "not-found",
            f"{schema.name} has no tenant {tenant!r}.",
            where=where,
            hint="`describe` lists the tenants.",
        )
        if not tenant:
            raise missing
        path = f"/v1/schema/{schema.name}/tenants/{quote(tenant, safe='')}"
        try:
            held: Any = self._transport.rest("GET", path, timeout=timeout, where=where)
        except PlumblineError as fault:
            if fault.code == "not-found":
                raise missing from None
            raise
        state = _state(cast("dict[str, Any]", held or {}).get("activityStatus"))
        if state != "active":
            raise unsupported(
                f"Tenant {tenant!r} is {state}; Plumbline wakes no tenant.",
                where,
                "Activate it in Weaviate first, then look again.",
            )

    def _tenants(self, schema: Schema, timeout: float | None) -> tuple[Tenant, ...]:
        """Every tenant by name, without counts."""
        held: Any = self._transport.rest(
            "GET",
            f"/v1/schema/{schema.name}/tenants",
            timeout=timeout,
            where=f"{self.spec.name}/{schema.name}",
        )
        found = [
            Tenant(str(x["name"]), _state(x.get("activityStatus")))
            for x in cast("list[dict[str, Any]]", held or [])
        ]
        return tuple(sorted(found, key=lambda x: x.name))

    def aliases(self, *, timeout: float | None = None) -> tuple[Alias, ...]:
        """Every alias, by name. Never cached."""
        self._server_version(timeout)
        held: Any = self._transport.rest("GET", "/v1/aliases", timeout=timeout)
        listed = cast("list[dict[str, Any]]", cast("dict[str, Any]", held or {}).get("aliases") or [])
        return tuple(sorted((Alias(str(a["alias"]), str(a["class"])) for a in listed), key=lambda a: a.name))

    def _aliases_of(self, collection: str, timeout: float | None) -> tuple[str, ...]:
        return self._readable_aliases(timeout).get(collection, ())

    def _readable_aliases(self, timeout: float | None) -> Mapping[str, tuple[str, ...]]:
        """Collection -> its aliases; none where the key may not read them."""
        found: dict[str, tuple[str, ...]] = {}
        try:
            listed = self.aliases(timeout=timeout)
        except PlumblineError as fault:
            if fault.code not in ("unauthorised", "not-found"):
                raise
            return {}
        for alias in listed:
            found[alias.collection] = (*found.get(alias.collection, ()), alias.name)
        return found

    # Small reads

    def _aggregate(
        self, opened: Opened, part: str | None, filters: Any = None, timeout: float | None = None
    ) -> int:
        """Exact count of rows."""
        request = stubs.aggregate.AggregateRequest(
            collection=opened.name, tenant=part or "", objects_count=True
        )
        if filters is not None:
            request.filters.CopyFrom(filters)
        reply = self._transport.call("Aggregate", request, timeout=timeout, where=self._place(opened, part))
        return int(reply.single_result.objects_count)

    def _rows(self, opened: Opened, timeout: float | None = None) -> int:
        return sum(self._each(opened.parts, lambda part: self._aggregate(opened, part, timeout=timeout)))

    def _search(
        self,
        request: Any,
        opened: Opened,
        part: str | None,
        timeout: float | None = None,
        patient: bool = False,
    ) -> Sequence[Any]:
        reply = self._transport.call(
            "Search", request, timeout=timeout, where=self._place(opened, part), patient=patient
        )
        return cast("Sequence[Any]", reply.results)

    # Ways of speaking

    def _where(self, t: Target) -> str:
        return f"{self.spec.name}/{t.collection}" + (f"@{t.tenant}" if t.tenant else "")

    def _place(self, opened: Opened, part: str | None) -> str:
        return f"{self.spec.name}/{opened.name}" + (f"@{part}" if part else "")

    def _each(self, items: Iterable[S], do: Callable[[S], T]) -> list[T]:
        """`do` of every item, in parallel and in order; the first fault is raised. Not to be nested."""
        listed = list(items)
        if len(listed) <= 1:
            return [do(item) for item in listed]
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="weaviate")
            pool = self._pool
        try:
            futures = [pool.submit(do, item) for item in listed]
        except RuntimeError:
            raise PlumblineError("internal", "The connection was closed.", where=self.spec.name) from None
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def parse_version(text: str) -> Version:
    """`1.39.0-rc.1+build` -> (1, 39, 0)."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _state(text: object) -> Any:
    return "active" if text in (None, "") else _STATES.get(str(text).upper(), "other")
