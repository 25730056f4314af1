"""Pages of rows and single rows by id: what all reading stands on."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import PlumblineError
from connectors.filters import Filter
from connectors.model import PAGE_BYTES, Count, Description, Range, RowId, Target, Tenant, id_key
from connectors.qdrant import fields as settings
from connectors.qdrant import values, wire
from connectors.qdrant.conditions import keyword
from connectors.qdrant.describing import Describing, shard_key
from connectors.qdrant.filters import ServerFilter, server_filter
from connectors.qdrant.stubs import pb
from connectors.qdrant.values import Choice
from connectors.spec import ConnectionSpec

ROWS_AT_MOST: Final = 16_384


FIRST_ROWS: Final = 64


GROWTH: Final = 8
ODD_FOR: Final = 30.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows of a collection a target means: a tenant is a shard key or a value of the tenant field."""

    name: str
    conditions: tuple[Any, ...] = ()
    shard: Any | None = None

    def selector(self) -> Any | None:
        return None if self.shard is None else pb.ShardKeySelector(shard_keys=[self.shard])


@dataclass(frozen=True, slots=True)
class Page:
    points: Sequence[Any]
    following: RowId | None
    size: int


class Paging(Describing):
    def __init__(self, spec: ConnectionSpec) -> None:
        super().__init__(spec)
        self._odd: dict[tuple[str, bytes], tuple[float, bool]] = {}

    def scope(self, t: Target, info: Any) -> Scope:
        """Raises `not-found` where a collection without tenants is asked for one."""
        if t.tenant is None:
            return Scope(t.collection)
        if self._custom(info):
            return Scope(t.collection, shard=shard_key(t.tenant))
        names = settings.tenant_fields(info)
        if len(names) != 1:
            raise PlumblineError(
                "not-found",
                f"There is no tenant {t.tenant!r}: the collection has neither shard keys nor one tenant field.",
                where=self.where(t),
            )
        return Scope(t.collection, (keyword(names[0], t.tenant),))

    def describe(self, t: Target, *, timeout: float | None = None) -> Description:
        info = self.info(t, timeout)
        aliases = self._aliases_or_none(timeout)
        real = next((a.collection for a in aliases if a.name == t.collection), t.collection)
        held = settings.settings(info)
        shards = self._shards(real, timeout) if self._custom(info) else None
        if shards is not None:
            held["shard_keys"] = [name for name, _ in shards]
        return Description(
            Target(real, t.tenant),
            self._about(self.scope(t, info), None, timeout).rows,
            settings.vector_fields(info),
            settings.payload_fields(info),
            tuple(a.name for a in aliases if a.collection == real),
            None if shards is None else tuple(Tenant(name, "active", rows) for name, rows in shards),
            marker=settings.marker_of(info),
            settings=held,
            via_alias=t.collection if real != t.collection else None,
        )

    def translated(
        self, scope: Scope, where: Filter | None, info: Any, timeout: float | None
    ) -> ServerFilter:
        """The filter for the server. Whether odd rows are there is asked once in 30 s, and again after an own write."""

        def odd(condition: Any) -> bool:
            key = (scope.name, condition.SerializeToString(deterministic=True))
            known = self._odd.get(key)
            if known is not None and time.monotonic() - known[0] < ODD_FOR:
                return known[1]
            try:
                found = self._count(Scope(scope.name), pb.Filter(must=[condition]), timeout) > 0
            except PlumblineError as fault:
                if fault.code not in ("timeout", "strict-mode", "busy"):
                    raise
                found = True
            self._odd[key] = (time.monotonic(), found)
            return found

        return server_filter(where, info.payload_schema, odd, self.json)

    def _scroll(self, scope: Scope, fields: Sequence[str] | None, payload: Choice) -> Any:
        """`fields` None: every vector."""
        request = pb.ScrollPoints(
            collection_name=scope.name, with_payload=values.selector(payload), with_vectors=vectors(fields)
        )
        if scope.conditions:
            request.filter.must.extend(scope.conditions)
        if (shard := scope.selector()) is not None:
            request.shard_key_selector.CopyFrom(shard)
        return request

    def _pages(
        self,
        request: Any,
        over: Range | None,
        page_bytes: int,
        expected: int | None,
        info: Any,
        timeout: float | None,
        at: str,
    ) -> Iterator[Sequence[Any]]:
        """Pages of points in id order. `expected`: bytes per row where known, else the first page is small."""
        if over is not None and over.start is not None and over.start == over.stop:
            return
        most = self._most(info)
        limit = FIRST_ROWS if expected is None else page_bytes // expected
        limit = min(max(limit, 1), most)
        if over is not None and over.part is not None:
            request.shard_key_selector.shard_keys.append(shard_key(over.part))
        stop = None if over is None or over.stop is None else id_key(over.stop)
        ahead: Future[Page] | None = None
        start = None if over is None else over.start
        ahead = self._ahead(request, start, limit, timeout, at)
        try:
            while ahead is not None:
                page = ahead.result()
                ahead = None
                points, following = page.points, page.following
                if stop is not None and points and id_key(wire.row_id(points[-1].id)) >= stop:
                    keys = [id_key(wire.row_id(p.id)) for p in points]
                    points, following = points[: bisect_left(keys, stop)], None
                if stop is not None and following is not None and id_key(following) >= stop:
                    following = None
                if following is not None:
                    each = max(page.size / max(len(page.points), 1), 1.0)
                    limit = min(max(int(page_bytes / each), 1), limit * GROWTH, most)
                    ahead = self._ahead(request, following, limit, timeout, at)
                if points:
                    yield points
        finally:
            if ahead is not None:
                ahead.cancel()

    def _ahead(
        self, request: Any, start: RowId | None, limit: int, timeout: float | None, at: str
    ) -> Future[Page]:
        asked = pb.ScrollPoints()
        asked.CopyFrom(request)
        asked.limit = limit
        if start is not None:
            asked.offset.CopyFrom(wire.point_id(start))

        def page() -> Page:
            raw = self.ask("Points/Scroll", asked, timeout, at=at)
            answer = wire.message("ScrollResponse").FromString(raw)
            more = answer.HasField("next_page_offset")
            return Page(answer.result, wire.row_id(answer.next_page_offset) if more else None, len(raw))

        return self.workers.submit(page)

    def _most(self, info: Any) -> int:
        """Rows that one answer may hold: strict mode may set a limit."""
        strict = settings.strict_mode(info)
        if strict is not None and strict.HasField("max_query_limit"):
            return max(min(ROWS_AT_MOST, strict.max_query_limit), 1)
        return ROWS_AT_MOST

    def _rows_at_once(self, sizes: Mapping[str, int], info: Any) -> int:
        width = 512 + sum(4 * d for d in sizes.values())
        return max(min(2 * PAGE_BYTES // width, self._most(info)), 1)

    def _get(
        self,
        scope: Scope,
        ids: Sequence[RowId],
        sizes: Mapping[str, int] | None,
        payload: Any,
        info: Any,
        timeout: float | None,
    ) -> dict[RowId, Any]:
        """The points that exist among `ids`. `sizes` None: with every vector."""
        found: dict[RowId, Any] = {}
        at = self.where(scope.name)
        for some in chunks(ids, self._rows_at_once(sizes or {}, info)):
            request = pb.GetPoints(
                collection_name=scope.name,
                ids=[wire.point_id(i) for i in some],
                with_payload=payload,
                with_vectors=vectors(None if sizes is None else list(sizes)),
            )
            if (shard := scope.selector()) is not None:
                request.shard_key_selector.CopyFrom(shard)
            raw = self.ask("Points/Get", request, timeout, at=at)
            answer = wire.message("GetResponse").FromString(raw)
            found.update((wire.row_id(p.id), p) for p in answer.result)
        if scope.conditions and found:
            inside = self._ids_where(scope, list(found), timeout)
            found = {i: p for i, p in found.items() if i in inside}
        return found

    def _ids_where(self, scope: Scope, ids: Sequence[RowId], timeout: float | None) -> set[RowId]:
        asked = pb.HasIdCondition(has_id=[wire.point_id(i) for i in ids])
        request = pb.ScrollPoints(collection_name=scope.name, limit=len(ids))
        request.filter.must.extend([*scope.conditions, pb.Condition(has_id=asked)])
        request.with_payload.enable = False
        answer = self.get("Points/Scroll", request, "ScrollResponse", timeout, at=self.where(scope.name))
        return set(wire.ids(answer.result))

    def _about(self, scope: Scope, where: Any | None, timeout: float | None) -> Count:
        """As exact as the collection's strict mode allows: without exact search it allows no exact count (1.18.3)."""
        try:
            return Count(self._count(scope, where, timeout))
        except PlumblineError as fault:
            if fault.code != "strict-mode":
                raise
            return Count(self._count(scope, where, timeout, exact=False), exact=False)

    def _count(self, scope: Scope, where: Any | None, timeout: float | None, exact: bool = True) -> int:
        request = pb.CountPoints(collection_name=scope.name, exact=exact)
        if where is not None:
            request.filter.CopyFrom(where)
        if scope.conditions:
            request.filter.must.extend(scope.conditions)
        if (shard := scope.selector()) is not None:
            request.shard_key_selector.CopyFrom(shard)
        answer = self.get("Points/Count", request, "CountResponse", timeout, at=self.where(scope.name))
        return int(answer.result.count)


def vectors(fields: Sequence[str] | None) -> Any:
    """Which vectors the server is to send; None for all."""
    if fields is None:
        return pb.WithVectorsSelector(enable=True)
    if not fields:
        return pb.WithVectorsSelector(enable=False)
    if tuple(fields) == ("",):
        return pb.WithVectorsSelector(enable=True)
    return pb.WithVectorsSelector(include=pb.VectorsSelector(names=list(fields)))


def chunks(items: Sequence[RowId], size: int) -> Iterator[Sequence[RowId]]:
    for i in range(0, len(items), size):
        yield items[i : i + size]
