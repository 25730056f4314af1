"""The searching half of `qdrant.Points`: Query, its batch and groups, and the older Search."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final, cast

import qdrant_edge as edge

from connectors.qdrant.host import filters, vectors
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import invalid, missing, unserved, wrong
from connectors.qdrant.host.shard import Shard
from connectors.qdrant.host.store import Store
from connectors.qdrant.host.values import point_id, put_fields, put_id
from connectors.qdrant.host.vectors import VectorSpec

_DEFAULT_LIMIT: Final = 10
_DEFAULT_GROUP_SIZE: Final = 3
_RRF_K: Final = 2
_DIRECTIONS: Final[tuple[Any, ...]] = (edge.Direction.Asc, edge.Direction.Desc)


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


def payload_choice(request: Any, default: bool | None = None) -> Any:
    """What the engine calls `with_payload`."""
    selector = request.with_payload
    match selector.WhichOneof("selector_options"):
        case "enable":
            return selector.enable
        case "include":
            return edge.PayloadSelector.Include(list(selector.include.fields))
        case "exclude":
            return edge.PayloadSelector.Exclude(list(selector.exclude.fields))
        case _:
            return bool(default)


def vectors_choice(request: Any, specs: Mapping[str, VectorSpec]) -> Any:
    if not request.HasField("with_vectors"):
        return False
    selector = request.with_vectors
    if selector.WhichOneof("selector_options") == "include":
        names = list(selector.include.names)
        for name in names:
            vectors.spec_of(specs, name)
        return names
    return selector.enable


def _wants_vectors(request: Any) -> bool:
    selector = request.with_vectors
    return bool(selector.enable or selector.WhichOneof("selector_options") == "include")


def order_by(given: Any) -> Any:
    start: Any = None
    match given.start_from.WhichOneof("value") if given.HasField("start_from") else None:
        case "float":
            start = given.start_from.float
        case "integer":
            start = given.start_from.integer
        case "timestamp":
            start = given.start_from.timestamp.ToJsonString()
        case "datetime":
            start = given.start_from.datetime
        case _:
            pass
    direction = _DIRECTIONS[given.direction] if given.HasField("direction") else None
    return edge.OrderBy(given.key, direction, start)


def search_params(owner: Any) -> edge.SearchParams | None:
    if not owner.HasField("params"):
        return None
    given = owner.params
    quantization = acorn = idf = None
    if given.HasField("quantization"):
        part = given.quantization
        quantization = edge.QuantizationSearchParams(
            part.ignore,
            part.rescore if part.HasField("rescore") else None,
            part.oversampling if part.HasField("oversampling") else None,
        )
    if given.HasField("acorn"):
        acorn = edge.AcornSearchParams(
            given.acorn.enable,
            given.acorn.max_selectivity if given.acorn.HasField("max_selectivity") else None,
        )
    if given.HasField("idf"):
        idf = edge.IdfParams(filters.field(given.idf, "corpus"))
    return edge.SearchParams(
        given.hnsw_ef if given.HasField("hnsw_ef") else None,
        given.exact,
        quantization,
        given.indexed_only,
        acorn,
        idf,
    )


class Plan:
    """Turns one request into the engine's, resolving ids to vectors. Holds the ids to leave out."""

    def __init__(self, store: Store, shard: Shard) -> None:
        self._store = store
        self._shard = shard

    def request(self, given: Any, limit: int, offset: int = 0) -> edge.QueryRequest:
        asked = set[Any]()
        query = self._query(given, asked)
        prefetches = [self._prefetch(p) for p in given.prefetch]
        if given.HasField("params") and prefetches and query is None:
            raise wrong("params can't be used with a prefetch and no query")
        return edge.QueryRequest(
            limit=limit,
            offset=offset,
            query=query,
            prefetches=prefetches,
            with_vector=vectors_choice(given, self._shard.specs),
            with_payload=payload_choice(given),
            filter=self._filter(given, asked),
            score_threshold=given.score_threshold if given.HasField("score_threshold") else None,
            params=search_params(given),
        )

    def _prefetch(self, given: Any) -> edge.Prefetch:
        asked = set[Any]()
        query = self._query(given, asked)
        return edge.Prefetch(
            limit=given.limit if given.HasField("limit") else _DEFAULT_LIMIT,
            query=query,
            prefetches=[self._prefetch(p) for p in given.prefetch],
            params=search_params(given),
            filter=self._filter(given, asked),
            score_threshold=given.score_threshold if given.HasField("score_threshold") else None,
        )

    @staticmethod
    def _filter(given: Any, asked: set[Any]) -> Any:
        """A row that is the query is no answer to it (1.18)."""
        held = filters.field(given, "filter")
        if not asked:
            return held
        without = edge.HasIdCondition(asked)
        return edge.Filter(must=[held] if held is not None else None, must_not=[without])

    def _query(self, given: Any, asked: set[Any]) -> Any:
        if not given.HasField("query"):
            return None
        query = given.query
        using = given.using if given.HasField("using") else ""
        kind = query.WhichOneof("variant")
        match kind:
            case "nearest":
                return edge.Query.Nearest(self._vector(query.nearest, using, given, asked), using)
            case "nearest_with_mmr":
                part = query.nearest_with_mmr
                diversity = part.mmr.diversity if part.mmr.HasField("diversity") else 0.5
                limit = given.limit if given.HasField("limit") else _DEFAULT_LIMIT
                return edge.Mmr(
                    self._vector(part.nearest, using, given, asked),
                    1.0 - diversity,
                    part.mmr.candidates_limit if part.mmr.HasField("candidates_limit") else limit,
                    using,
                )
            case "recommend":
                return self._recommend(query.recommend, using, given, asked)
            case "discover":
                part = query.discover
                target = self._vector(part.target, using, given, asked)
                return edge.Query.Discover(
                    edge.DiscoverQuery(target, self._pairs(part.context.pairs, using, given, asked)), using
                )
            case "context":
                return edge.Query.Context(
                    edge.ContextQuery(self._pairs(query.context.pairs, using, given, asked)), using
                )
            case "order_by":
                return order_by(query.order_by)
            case "fusion":
                return edge.Fusion.Rrf(_RRF_K) if query.fusion == 0 else edge.Fusion.Dbsf()
            case "rrf":
                weights = list(query.rrf.weights) or None
                return edge.Fusion.Rrf(query.rrf.k if query.rrf.HasField("k") else _RRF_K, weights)
            case "sample":
                return edge.Sample.Random
            case "text":
                scoring = query.text.bm25
                return edge.TextQuery(
                    using,
                    query.text.query,
                    edge.Bm25Params(
                        scoring.k if scoring.HasField("k") else None,
                        scoring.b if scoring.HasField("b") else None,
                    ),
                )
            case None:
                raise invalid("Query variant is missing")
            case _:
                raise unserved(f"queries of the kind {kind}")

    def _pairs(self, pairs: Any, using: str, given: Any, asked: set[Any]) -> list[Any]:
        return [
            edge.ContextPair(
                self._vector(p.positive, using, given, asked), self._vector(p.negative, using, given, asked)
            )
            for p in pairs
        ]

    def _recommend(self, part: Any, using: str, given: Any, asked: set[Any]) -> Any:
        positive = [self._vector(v, using, given, asked) for v in part.positive]
        negative = [self._vector(v, using, given, asked) for v in part.negative]
        if part.strategy == 0:
            return edge.Query.Nearest(_average(positive, negative), using)
        asks = edge.RecommendQuery(positive, negative)
        if part.strategy == 1:
            return edge.Query.RecommendBestScore(asks, using)
        return edge.Query.RecommendSumScores(asks, using)

    def _vector(self, given: Any, using: str, owner: Any, asked: set[Any]) -> Any:
        """A vector, or the vector of a stored row."""
        if given.WhichOneof("variant") != "id":
            return vectors.read(given, vectors.spec_of(self._shard.specs, using))
        shard, name = self._shard, using
        if owner.HasField("lookup_from"):
            shard = self._store.shard(owner.lookup_from.collection_name)
            if owner.lookup_from.HasField("vector_name"):
                name = owner.lookup_from.vector_name
        vectors.spec_of(shard.specs, name)
        row = point_id(given.id)
        records = shard.read(lambda e: e.retrieve([row], False, [name]))
        if not records:
            raise missing(f"No point with id {row} found")
        held: Any = records[0].vector
        if isinstance(held, dict):
            held = cast("dict[str, Any]", held).get(name)
        if held is None or held == []:
            raise missing(f'Vector with name "{name}" for point not found')
        if shard is self._shard:
            asked.add(row)
        return held


def _average(positive: list[Any], negative: list[Any]) -> Any:
    """avg(positive) + avg(positive) - avg(negative), as the server's `average_vector`."""
    if not positive:
        raise wrong("Positive vectors should not be empty with `average` strategy")
    if any(isinstance(v, edge.SparseVector) or (v and isinstance(v[0], list)) for v in positive + negative):
        raise unserved("average_vector over sparse or multi-vectors")
    size = len(positive[0])
    mean = [sum(v[i] for v in positive) / len(positive) for i in range(size)]
    if negative:
        mean = [2 * m - sum(v[i] for v in negative) / len(negative) for i, m in enumerate(mean)]
    return memoryview(struct.pack(f"{size}f", *mean)).cast("f")


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
        limit = request.limit if request.HasField("limit") else _DEFAULT_LIMIT
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
