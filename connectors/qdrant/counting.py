"""Counting and faceting, with filters that are exact."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from connectors.errors import PlumblineError, unsupported
from connectors.filters import Filter, fields_of, matches
from connectors.model import PAGE_BYTES, Count, Facet, Target
from connectors.qdrant import fields as settings
from connectors.qdrant import values, wire
from connectors.qdrant.filters import narrowed
from connectors.qdrant.paging import Scope
from connectors.qdrant.scanning import Scanning
from connectors.qdrant.stubs import pb

FACET_PAUSE: Final = 0.1


class Counting(Scanning):
    def count(self, t: Target, where: Filter | None = None, *, timeout: float | None = None) -> Count:
        info = self.info(t, timeout)
        scope = self.scope(t, info)
        server = self.translated(scope, where, info, timeout)
        if where is None:
            return self._about(scope, None, timeout)
        strict = settings.forbids_exact(info)
        if server.exact and not strict:
            return Count(self._count(scope, server.filter, timeout))
        if server.doubt is None or strict:
            return Count(self._recount(scope, where, server.filter, info, timeout), scanned=True)
        sure = self._count(scope, narrowed(server, inside=False), timeout)
        unsure = narrowed(server, inside=True)
        if not self._count(scope, unsure, timeout):
            return Count(sure)
        return Count(sure + self._recount(scope, where, unsure, info, timeout), scanned=True)

    def facet(
        self,
        t: Target,
        field: str,
        where: Filter | None = None,
        limit: int = 100,
        *,
        timeout: float | None = None,
    ) -> Facet:
        """Exact counts. Needs a keyword, integer, bool or uuid index on the field."""
        at = self.where(t)
        info = self.info(t, timeout)
        scope = self.scope(t, info)
        self._facets(info, field, at)
        key = values.json_path(field)
        server = self.translated(scope, where, info, timeout)
        if key is None or not server.exact:
            raise unsupported(
                "A facet under this filter would need a scan.", at, "Count the values one by one instead."
            )
        request = pb.FacetCounts(collection_name=t.collection, key=key, limit=limit, exact=True)
        if server.filter is not None:
            request.filter.CopyFrom(server.filter)
        request.filter.must.extend(scope.conditions)
        if (shard := scope.selector()) is not None:
            request.shard_key_selector.CopyFrom(shard)
        hits = self._faceted(request, timeout, at)
        counts = {_name(hit.value): int(hit.count) for hit in hits}
        rows = self._count(scope, server.filter, timeout)
        return Facet(counts, self._rest(scope, key, hits, server.filter, timeout), True, rows)

    def _recount(
        self, scope: Scope, where: Filter, server: Any | None, info: Any, timeout: float | None
    ) -> int:
        """Count by reading the rows that the server lets through."""
        paths = fields_of(where)
        request = self._scroll(scope, (), paths)
        if server is not None:
            request.filter.must.append(pb.Condition(filter=server))
        at = self.where(scope.name)
        pages = self._pages(request, None, PAGE_BYTES, None, info, timeout, at)
        return sum(
            matches(where, values.payload(p.payload), wire.row_id(p.id)) for points in pages for p in points
        )

    def _facets(self, info: Any, field: str, at: str) -> None:
        schema = info.payload_schema.get(field) if field in info.payload_schema else None
        if schema is None or not settings.facetable(schema):
            held = "none" if schema is None else settings.TYPES.get(schema.data_type, "another")
            raise unsupported(
                f"Counting the values of {field!r} needs a keyword, integer, bool or uuid index; it has {held}.",
                at,
                "Index the field, or count over a sample.",
            )
        if self.since(1, 12, 0) is False:
            raise unsupported("Facets came with Qdrant 1.12.", at)

    def _faceted(self, request: Any, timeout: float | None, at: str) -> Sequence[Any]:
        """A segment that is being optimised may lack the index for a moment, up to 1.18 at least: ask again."""
        deadline = time.monotonic() + self.timeout(timeout)
        while True:
            try:
                left = max(deadline - time.monotonic(), 0.001)
                return self.get("Points/Facet", request, "FacetResponse", left, at=at).hits
            except PlumblineError as fault:
                passing = "No appropriate index" in fault.message
                if not passing or time.monotonic() + FACET_PAUSE >= deadline:
                    raise
                time.sleep(FACET_PAUSE)

    def _rest(
        self, scope: Scope, key: str, hits: Sequence[Any], where: Any | None, timeout: float | None
    ) -> int:
        """Rows with none of the counted values."""
        texts = [h.value.string_value for h in hits if h.value.WhichOneof("variant") == "string_value"]
        numbers = [h.value.integer_value for h in hits if h.value.WhichOneof("variant") == "integer_value"]
        truths = [h.value.bool_value for h in hits if h.value.WhichOneof("variant") == "bool_value"]
        found: list[Any] = []
        if texts:
            found.append(pb.Match(keywords=pb.RepeatedStrings(strings=texts)))
        if numbers:
            found.append(pb.Match(integers=pb.RepeatedIntegers(integers=numbers)))
        found.extend(pb.Match(boolean=truth) for truth in truths)
        others = pb.Filter(
            must_not=[pb.Condition(field=pb.FieldCondition(key=key, match=match)) for match in found]
        )
        if where is not None:
            others.must.append(pb.Condition(filter=where))
        return self._count(scope, others, timeout)


def _name(value: Any) -> str:
    """A facet's value as a key of JSON."""
    match value.WhichOneof("variant"):
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "integer_value":
            return str(value.integer_value)
        case _:
            return value.string_value
