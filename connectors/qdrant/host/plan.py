"""A query of Qdrant's API as the engine's own, with ids resolved to the vectors of their rows."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final, cast

import qdrant_edge as edge

from connectors.qdrant.host import filters, vectors
from connectors.qdrant.host.refused import invalid, missing, unserved, wrong
from connectors.qdrant.host.shard import Shard
from connectors.qdrant.host.store import Store
from connectors.qdrant.host.values import point_id
from connectors.qdrant.host.vectors import VectorSpec

DEFAULT_LIMIT: Final = 10
_RRF_K: Final = 2
_DIRECTIONS: Final[tuple[Any, ...]] = (edge.Direction.Asc, edge.Direction.Desc)


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
            limit=given.limit if given.HasField("limit") else DEFAULT_LIMIT,
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
                limit = given.limit if given.HasField("limit") else DEFAULT_LIMIT
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
