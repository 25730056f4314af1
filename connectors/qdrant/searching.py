"""Searching, with filters that are exact."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from connectors.errors import PlumblineError, unsupported
from connectors.filters import Filter, fields_of, matches
from connectors.model import (
    ALL,
    PLAIN,
    Hit,
    Matrix,
    Payload,
    SearchOptions,
    Target,
    VectorField,
)
from connectors.qdrant import fields as settings
from connectors.qdrant import keywords, values, wire
from connectors.qdrant.counting import Counting
from connectors.qdrant.filters import ServerFilter
from connectors.qdrant.scanning import Scope
from connectors.qdrant.stubs import pb
from connectors.qdrant.values import Choice

QUERIES_AT_ONCE: Final = 64
BYTES_AT_ONCE: Final = 4 * 1024 * 1024
RECHECKED_AT_MOST: Final = 10
"""A search whose filter is rechecked here asks for at most this many times k rows."""


class Searching(Counting):
    def search(
        self,
        t: Target,
        field: str,
        queries: Matrix,
        k: int,
        where: Filter | None = None,
        options: SearchOptions = PLAIN,
        payload: Choice = ALL,
        *,
        timeout: float | None = None,
    ) -> list[list[Hit]]:
        """Scores are Qdrant's own: similarity for cosine and dot, distance for euclid and manhattan."""
        at = self.where(t)
        info = self.info(t, timeout)
        scope = self.scope(t, info)
        (dimension,) = settings.dimensions(info, (field,), at).values()
        matrix = np.atleast_2d(np.asarray(queries, np.float32))
        if matrix.shape[1] != dimension:
            raise PlumblineError(
                "dimension-mismatch",
                f"The query has {matrix.shape[1]} dimensions, the field {field!r} has {dimension}.",
                where=at,
                hint="Use the encoder that made the collection's vectors.",
            )
        if not np.isfinite(matrix).all():
            raise PlumblineError("usage", "A query vector holds NaN or Inf.", where=at)
        self._allowed(info, options, at)
        if k <= 0 or not len(matrix):
            return [[] for _ in range(len(matrix))]
        held = next(f for f in settings.vector_fields(info) if f.name == field)
        server = self.translated(scope, where, info, timeout)
        hits: list[list[Hit]] = []
        most = self._queries_at_once(dimension, info)
        for i in range(0, len(matrix), most):
            some = matrix[i : i + most]
            hits += self._searched(scope, held, some, k, where, server, options, payload, info, timeout)
        return hits

    def search_text(
        self,
        t: Target,
        text: str,
        k: int,
        where: Filter | None = None,
        fields: Sequence[str] = (),
        payload: Choice = ALL,
        *,
        timeout: float | None = None,
    ) -> list[Hit]:
        """Qdrant's full-text match gives no score. Rows that match are ranked here: each word of the query that a
        row's text holds counts by its rarity (idf), from exact counts of the server. At most 1,000 rows that hold
        all words, then rows that hold some, are ranked."""
        at = self.where(t)
        info = self.info(t, timeout)
        scope = self.scope(t, info)
        indexed = settings.text_fields(info)
        chosen = [f for f in indexed if not fields or f in fields]
        missing = [f for f in fields if f not in indexed]
        if not chosen or missing:
            lacking = f"{missing[0]!r} has" if missing else "No payload field has"
            raise unsupported(
                f"{lacking} no full-text index." if missing else f"{lacking} a full-text index.",
                at,
                "Create a text index on the field that holds the words.",
            )
        words = keywords.words(text)
        if not words or k <= 0:
            return []
        return keywords.search(self, scope, info, chosen, words, k, where, payload, timeout)

    # Parts

    def _allowed(self, info: Any, options: SearchOptions, at: str) -> None:
        if options.exact and settings.forbids_exact(info):
            raise PlumblineError(
                "strict-mode",
                "The collection's strict mode forbids exact search (search_allow_exact).",
                where=at,
                hint="Search through the index, or allow it in the collection's strict mode.",
            )

    def _queries_at_once(self, dimension: int, info: Any) -> int:
        most = min(QUERIES_AT_ONCE, max(BYTES_AT_ONCE // (4 * dimension), 1))
        strict = settings.strict_mode(info)
        if strict is not None and strict.HasField("search_max_batchsize"):
            most = max(min(most, int(strict.search_max_batchsize)), 1)
        return most

    def _searched(
        self,
        scope: Scope,
        field: VectorField,
        matrix: Matrix,
        k: int,
        where: Filter | None,
        server: ServerFilter,
        options: SearchOptions,
        payload: Choice,
        info: Any,
        timeout: float | None,
    ) -> list[list[Hit]]:
        deadline = time.monotonic() + self.timeout(timeout)
        recheck = None if where is None or server.exact else where
        most = k * RECHECKED_AT_MOST
        limit = k if recheck is None else min(2 * k + 8, most)
        found: dict[int, list[Hit]] = {}
        waiting = list(range(len(matrix)))
        while waiting:
            left = max(deadline - time.monotonic(), 0.001)
            answers = self._query(
                scope, field, matrix[waiting], limit, server, options, payload, recheck, left
            )
            short: list[int] = []
            for i, points in zip(waiting, answers, strict=True):
                hits: list[Hit] = []
                for point in points:
                    kept = values.payload(point.payload)
                    if recheck is None or matches(recheck, kept, wire.row_id(point.id)):
                        hits.append(_hit(point, field, payload, kept))
                found[i] = hits[:k]
                if recheck is not None and len(hits) < k and len(points) >= limit and limit < most:
                    short.append(i)
            waiting, limit = short, min(limit * 4, most)
        return [found[i] for i in range(len(matrix))]

    def _query(
        self,
        scope: Scope,
        field: VectorField,
        matrix: Matrix,
        limit: int,
        server: ServerFilter,
        options: SearchOptions,
        payload: Choice,
        recheck: Filter | None,
        timeout: float,
    ) -> Sequence[Sequence[Any]]:
        base = pb.QueryPoints(
            collection_name=scope.name,
            limit=limit,
            using=field.name,
            with_payload=values.selector(payload, fields_of(recheck)),
            params=_params(options),
        )
        if not field.name:
            base.ClearField("using")
        if server.filter is not None:
            base.filter.CopyFrom(server.filter)
        if scope.conditions:
            base.filter.must.extend(scope.conditions)
        if (shard := scope.selector()) is not None:
            base.shard_key_selector.CopyFrom(shard)
        common = base.SerializeToString()
        request = wire.message("QueryBatchPoints")(collection_name=scope.name)
        for vector in matrix:
            query = request.query_points.add()
            query.MergeFromString(common)
            query.query.nearest.dense.data = wire.raw(vector)
        at = self.where(scope.name)
        answer = self.get("Points/QueryBatch", request, "QueryBatchResponse", timeout, at=at)
        return [batch.result for batch in answer.result]


def _params(options: SearchOptions) -> Any:
    params = pb.SearchParams()
    if options.exact:
        params.exact = True
    if options.ef is not None:
        params.hnsw_ef = options.ef
    if options.rescore is not None:
        params.quantization.rescore = options.rescore
    if options.oversampling is not None:
        params.quantization.oversampling = options.oversampling
    if options.unquantized:
        params.quantization.ignore = True
    return params


def _hit(point: Any, field: VectorField, payload: Choice, kept: Payload) -> Hit:
    # A row with NaN in its vector scores NaN, and comes first (1.18.3, qdrant#9201); 1.19's engine leaves it out.
    score = float(point.score)
    return Hit(
        wire.row_id(point.id),
        math.nan if math.isnan(score) else score,
        field.score_kind,
        values.chosen(kept, payload),
    )
