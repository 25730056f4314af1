"""Counting, facets, neighbours and keywords; filters that the server can't decide are rechecked here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

import numpy as np

from connectors.errors import PlumblineError, unsupported
from connectors.filters import Filter, Translated, fields_of, matches, split_path
from connectors.model import (
    ALL,
    PAGE_BYTES,
    PLAIN,
    Count,
    Facet,
    Hit,
    Matrix,
    ScoreKind,
    SearchOptions,
    Target,
)
from connectors.weaviate import stubs, wire
from connectors.weaviate.atoms import Filters, both, id_filter
from connectors.weaviate.core import MOST_ROWS, Opened
from connectors.weaviate.dimensions import near
from connectors.weaviate.exporting import Exporting
from connectors.weaviate.filters import to_server
from connectors.weaviate.reading import PayloadChoice
from connectors.weaviate.schema import SCALARS

_NOT_SINCE: Final = (1, 33, 0)
_GROUPS: Final = 10_000

Prepare = Callable[[wire.SearchRequest], None]


class Searching(Exporting):
    """Everything that a filter narrows."""

    def _translate(self, opened: Opened, where: Filter | None, timeout: float | None) -> Translated[Filters]:
        return to_server(where, opened.schema, self._server_version(timeout) >= _NOT_SINCE)

    def count(self, t: Target, where: Filter | None = None, *, timeout: float | None = None) -> Count:
        """Exact. By Aggregate, or, where the server can't decide the filter, by reading its fields."""
        opened = self._open(t, timeout=timeout)
        said = self._translate(opened, where, timeout)
        if said.exact or where is None:
            counts = self._each(opened.parts, lambda p: self._aggregate(opened, p, said.server, timeout))
            return Count(sum(counts))
        rows = sum(
            1 for part in opened.parts for _ in self._passing(opened, part, said.server, where, timeout)
        )
        return Count(rows, scanned=True)

    def _passing(
        self, opened: Opened, part: str | None, server: Filters | None, where: Filter, timeout: float | None
    ) -> Iterator[str]:
        """The ids of all rows of one part that pass a filter which the server can't decide."""
        request = wire.listing(opened.schema, part, 256, payload=fields_of(where))
        pages: Iterator[Sequence[Any]] | None = None
        if server is not None:
            coarse = self._aggregate(opened, part, server, timeout)
            if coarse == 0:
                return
            if coarse <= MOST_ROWS // 2:
                filtered = wire.listing(opened.schema, part, coarse + 64, payload=fields_of(where))
                filtered.filters.CopyFrom(server)
                try:
                    results = self._search(filtered, opened, part, timeout)
                except PlumblineError as fault:
                    if fault.code != "quota":
                        raise
                else:
                    if len(results) < filtered.limit:
                        pages = iter([results])
        for page in pages or self._pages(opened, part, request, None, PAGE_BYTES, timeout):
            for result in page:
                if matches(where, wire.payload_of(result), result.metadata.id):
                    yield result.metadata.id

    def facet(
        self,
        t: Target,
        field: str,
        where: Filter | None = None,
        limit: int = 100,
        *,
        timeout: float | None = None,
    ) -> Facet:
        """The most frequent values, exactly, by group-by Aggregate.

        `rest` counts the rows with none of `values`; for a list property, whose rows may be in several
        groups, None. Raises `unsupported` for a field or filter that would need rows to be read.
        """
        opened = self._open(t, timeout=timeout)
        said = self._translate(opened, where, timeout)
        place = self._place(opened, t.tenant)
        if not said.exact:
            raise unsupported(
                "The server can't decide this filter exactly, so counting values would need a scan.",
                place,
                "Leave the filter out, or read the rows.",
            )
        first, *deeper = split_path(field)
        prop = opened.schema.properties.get(first)
        if prop is None:
            raise unsupported(f"The collection has no property {first!r}, so no values to count.", place)
        if deeper or prop.type not in SCALARS:
            raise unsupported(f"Weaviate counts no values of {field!r} ({prop.neutral_type}).", place)
        rows = sum(self._each(opened.parts, lambda p: self._aggregate(opened, p, said.server, timeout)))
        merged: dict[str, int] = {}
        for groups in self._each(
            opened.parts, lambda p: self._groups(opened, p, first, said.server, timeout)
        ):
            for value, count in groups:
                merged[value] = merged.get(value, 0) + count
        top = sorted(merged.items(), key=lambda item: (-item[1], item[0]))[: max(0, limit)]
        rest = None if prop.array else rows - sum(count for _, count in top)
        return Facet(dict(top), rest, True, rows)

    def _groups(
        self, opened: Opened, part: str | None, prop: str, server: Filters | None, timeout: float | None
    ) -> list[tuple[str, int]]:
        request = stubs.aggregate.AggregateRequest(
            collection=opened.name, tenant=part or "", objects_count=True, limit=_GROUPS
        )
        request.group_by.collection = opened.name
        request.group_by.property = prop
        if server is not None:
            request.filters.CopyFrom(server)
        reply = self._transport.call("Aggregate", request, timeout=timeout, where=self._place(opened, part))
        return [
            (_group_name(group.grouped_by), int(group.objects_count))
            for group in reply.grouped_results.groups
        ]

    def search(
        self,
        t: Target,
        field: str,
        queries: Matrix,
        k: int,
        where: Filter | None = None,
        options: SearchOptions = PLAIN,
        payload: PayloadChoice = ALL,
        *,
        timeout: float | None = None,
    ) -> list[list[Hit]]:
        """Scores are the database's distances: smaller is nearer, for `dot` too (the negative product).

        Without a tenant, the neighbours in all active ones together.
        """
        opened = self._open(t, timeout=timeout)
        self._check_dense(opened, [field])
        self._check_options(opened, options)
        asked = np.ascontiguousarray(queries, np.float32)
        if asked.ndim != 2:
            raise PlumblineError("usage", "Queries are a matrix (q, d).", where=self._where(t))
        if not np.isfinite(asked).all():
            raise PlumblineError("usage", "A query vector holds NaN or infinity.", where=self._where(t))
        dimension = self._dimension(opened, field, timeout)
        if dimension is None or k <= 0:
            return [[] for _ in asked]
        if asked.shape[1] != dimension:
            raise PlumblineError(
                "dimension-mismatch",
                f"The query has {asked.shape[1]} dimensions, {field or 'the vector'!r} has {dimension}.",
                where=self._where(t),
                hint="Encode the query with the model that made the collection's vectors.",
            )
        said = self._translate(opened, where, timeout)

        def one(job: tuple[int, str | None]) -> list[Hit]:
            at, part = job
            raw = asked[at].astype("<f4").tobytes()

            def prepare(request: wire.SearchRequest) -> None:
                near(request, field, raw)
                request.metadata.distance = True

            return self._hits(opened, part, prepare, "distance", k, where, said, payload, timeout)

        jobs = [(at, part) for at in range(len(asked)) for part in opened.parts]
        found = iter(self._each(jobs, one))
        merged: list[list[Hit]] = []
        for _ in asked:
            hits = [hit for _ in opened.parts for hit in next(found)]
            merged.append(_best(hits, k) if len(opened.parts) != 1 else hits)
        return merged

    def _check_options(self, opened: Opened, options: SearchOptions) -> None:
        where = self._place(opened, None)
        if options.exact:
            raise unsupported(
                "Weaviate has no exact search.", where, "Exact neighbours are computed from scanned vectors."
            )
        if options != PLAIN:
            raise unsupported(
                "On Weaviate ef, quantization, rescoring and oversampling belong to the index, not to a query.",
                where,
            )

    def search_text(
        self,
        t: Target,
        text: str,
        k: int,
        where: Filter | None = None,
        fields: Sequence[str] = (),
        payload: PayloadChoice = ALL,
        *,
        timeout: float | None = None,
    ) -> list[Hit]:
        """BM25 over `fields`, or over every text property with a search index."""
        opened = self._open(t, timeout=timeout)
        place = self._place(opened, t.tenant)
        searchable = [p.name for p in opened.schema.properties.values() if p.searchable]
        wrong = [f for f in fields if f not in searchable]
        if wrong or not searchable:
            what = f"{wrong[0]!r} is" if wrong else "No property is"
            names = f"Indexed for it: {', '.join(searchable)}." if searchable else ""
            raise unsupported(f"{what} indexed for keyword search.", place, names)
        if not text.strip() or k <= 0:
            return []
        said = self._translate(opened, where, timeout)

        def prepare(request: wire.SearchRequest) -> None:
            request.bm25_search.query = text
            request.bm25_search.properties.extend(fields or searchable)
            request.metadata.score = True

        def one(part: str | None) -> list[Hit]:
            return self._hits(opened, part, prepare, "similarity", k, where, said, payload, timeout)

        hits = [hit for found in self._each(opened.parts, one) for hit in found]
        return _best(hits, k) if len(opened.parts) != 1 else hits

    def _hits(
        self,
        opened: Opened,
        part: str | None,
        prepare: Prepare,
        kind: ScoreKind,
        k: int,
        where: Filter | None,
        said: Translated[Filters],
        payload: PayloadChoice,
        timeout: float | None,
    ) -> list[Hit]:
        """The k best rows of one part. Where the server can't decide the filter it is asked for more rows
        until k pass, at most 10,000; after that, among the rows that a scan has found to pass."""

        def ask(limit: int, filters: Filters | None) -> Sequence[Any]:
            columns = payload if said.exact or payload == ALL else (*payload, *fields_of(where))
            request = wire.listing(opened.schema, part, limit, payload=columns)
            prepare(request)
            if filters is not None:
                request.filters.CopyFrom(filters)
            return self._search(request, opened, part, timeout)

        def hit(result: Any) -> Hit:
            score = result.metadata.distance if kind == "distance" else result.metadata.score
            held = wire.narrowed(wire.payload_of(result), payload)
            return Hit(result.metadata.id, score, kind, held, part)

        if said.exact or where is None:
            return [hit(r) for r in ask(min(k, MOST_ROWS), said.server)]
        limit = min(MOST_ROWS, max(4 * k, 64))
        while True:
            results = ask(limit, said.server)
            passing = [r for r in results if matches(where, wire.payload_of(r), r.metadata.id)]
            if len(passing) >= k or len(results) < limit:
                return [hit(r) for r in passing[:k]]
            if limit >= MOST_ROWS:
                break
            limit = min(MOST_ROWS, limit * 8)
        ids = list(self._passing(opened, part, said.server, where, timeout))
        found = [
            hit(r)
            for at in range(0, len(ids), MOST_ROWS)
            for r in ask(min(k, MOST_ROWS), both(said.server, id_filter(ids[at : at + MOST_ROWS])))
        ]
        return _best(found, k)


def _best(hits: list[Hit], k: int) -> list[Hit]:
    """The k best of hits from several answers; a score that is no number comes last."""

    def rank(hit: Hit) -> tuple[bool, float]:
        return (math.isnan(hit.score), hit.score if hit.score_kind == "distance" else -hit.score)

    return sorted(hits, key=rank)[:k]


def _group_name(held: Any) -> str:
    kind = held.WhichOneof("value")
    value: Any = getattr(held, kind) if kind else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return str(cast("Any", value))
