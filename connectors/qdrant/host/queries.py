"""The searching half of `qdrant.Points`: Query, its batch and groups, and the older Search."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from connectors.qdrant.host import filters, vectors
from connectors.qdrant.host.plan import DEFAULT_LIMIT, Plan, payload_choice, search_params, vectors_choice
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import invalid
from connectors.qdrant.host.store import Store
from connectors.qdrant.host.values import put_fields, put_id


def put_record(into: Any, record: Any, with_vectors: bool = True) -> None:
    """A row of Scroll or Get."""
    put_id(into.id, record.id)
    payload, held = record.payload, record.vector
    if payload:
        put_fields(into.payload, payload)
    if held is not None and with_vectors:
        vectors.write_all(into.vectors, held)
    if record.order_value is not None:
        _put_order(into.order_value, record.order_value)


def put_hit(into: Any, hit: Any, with_vectors: bool = True) -> None:
    """A hit. The engine gives vectors that nobody asked for where it needed them itself (MMR)."""
    put_record(into, hit, with_vectors)
    into.score = hit.score
    into.version = hit.version


def _put_order(into: Any, value: Any) -> None:
    if isinstance(value, int):
        into.int = value
    else:
        into.float = value


def _wants_vectors(request: Any) -> bool:
    selector = request.with_vectors
    return bool(selector.enable or selector.WhichOneof("selector_options") == "include")


class Queries:
    """The searching methods of the service."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def Query(self, request: Any) -> Any:
        answer = pb.QueryResponse()
        for hit in self._query(request):
            put_hit(answer.result.add(), hit, _wants_vectors(request))
        return answer

    def _query(self, request: Any) -> list[Any]:
        shard = self._store.asked(request)
        limit = request.limit if request.HasField("limit") else DEFAULT_LIMIT
        if limit == 0:
            raise invalid("Validation error in body: [limit: value 0 invalid, must be 1 or larger]")
        asked = Plan(self._store, shard).request(request, limit, request.offset)
        hits: list[Any] = shard.read(lambda e: e.query(asked))
        if request.HasField("query") and request.query.WhichOneof("variant") == "order_by":
            # A row with several values comes once, with its first one.
            hits = list({hit.id: hit for hit in reversed(hits)}.values())[::-1]
        return hits

    def QueryBatch(self, request: Any) -> Any:
        answer = pb.QueryBatchResponse()
        for query in request.query_points:
            if not query.collection_name:
                query.collection_name = request.collection_name
            batch = answer.result.add()
            for hit in self._query(query):
                put_hit(batch.result.add(), hit, _wants_vectors(query))
        return answer

    def Search(self, request: Any) -> Any:
        answer = pb.SearchResponse()
        for hit in self._search(request):
            put_hit(answer.result.add(), hit)
        return answer

    def SearchBatch(self, request: Any) -> Any:
        answer = pb.SearchBatchResponse()
        for search in request.search_points:
            if not search.collection_name:
                search.collection_name = request.collection_name
            batch = answer.result.add()
            for hit in self._search(search):
                put_hit(batch.result.add(), hit)
        return answer

    def _search(self, request: Any) -> list[Any]:
        shard = self._store.asked(request)
        if request.limit == 0:
            raise invalid("Validation error in body: [limit: value 0 invalid, must be 1 or larger]")
        using = request.vector_name if request.HasField("vector_name") else ""
        spec = vectors.spec_of(shard.specs, using)
        given = pb.VectorInput()
        if request.HasField("sparse_indices"):
            given.sparse.indices.extend(request.sparse_indices.data)
            given.sparse.values.extend(vectors.floats(request.vector))
        else:
            given.dense.data = request.vector
        asked = edge.SearchRequest(
            edge.Query.Nearest(vectors.read(given, spec), using),
            request.limit,
            request.offset,
            filters.field(request, "filter"),
            search_params(request),
            vectors_choice(request, shard.specs),
            payload_choice(request),
            request.score_threshold if request.HasField("score_threshold") else None,
        )
        return shard.read(lambda e: e.search(asked))
