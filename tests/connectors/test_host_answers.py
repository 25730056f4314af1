"""The host's answers are those of Qdrant's server. The expected texts were read from a real 1.18.3."""

from __future__ import annotations

import json
import math
import struct
import uuid
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from qdrant_client import grpc as wire
from qdrant_client import models

from connectors.qdrant.host.protos import METHODS, pb
from tests.connectors.test_host_life import everything, make
from tests.doubles import Double, double

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with double(tmp_path_factory.mktemp("answers")) as running:
        yield running


@pytest.fixture
def c(server: Double) -> Any:
    client = server.client()
    for held in client.get_collections().collections:
        client.delete_collection(held.name)
    make(client)
    return client


def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as said:
        call()
    return said.value.code(), said.value.details()  # type: ignore[attr-defined]


def point(row: Any, vector: Any = (1.0, 2.0, 3.0, 4.0), **payload: Any) -> models.PointStruct:
    held = list(vector) if isinstance(vector, tuple) else vector
    return models.PointStruct(id=row, vector=held, payload=payload)


def ids(c: Any, *must: Any) -> list[Any]:
    return [r.id for r in c.scroll("c", limit=100, scroll_filter=models.Filter(must=list(must)))[0]]


PAYLOADS: list[Any] = [
    0,
    -1,
    2**63 - 1,
    -(2**63),
    1.0,
    1e300,
    -0.0,
    5e-324,
    0.1,
    True,
    False,
    None,
    "",
    "\x00",
    "ü😀‮",
    "x" * 10_000,
    [],
    {},
    [[], [None], {"": {"": []}}],
    {"a.b": 1, 'q"': 2, "[]": 3},
    [1, 1.0, "1", True, None],
]


@pytest.mark.parametrize("value", PAYLOADS, ids=lambda v: repr(v)[:20])
def test_payload_comes_back_with_its_types(c: Any, value: Any) -> None:
    c.upsert("c", [point(1, key=value)], wait=True)
    held = c.retrieve("c", [1])[0].payload["key"]
    assert json.dumps(held, sort_keys=True) == json.dumps(value, sort_keys=True)


def test_payload_that_json_cannot_carry_is_refused(c: Any) -> None:
    code, text = refusal(lambda: c.upsert("c", [point(1, key=math.nan)]))
    assert (code, text) == (CODE.INVALID_ARGUMENT, "cannot convert to json number")


def test_quiet_nan_bits_infinities_and_zero_signs_come_back(server: Double, c: Any) -> None:
    bits = [0x7FC12345, 0xFFC00001, 0x80000000, 0x7F800000]
    data = struct.pack("4I", *bits)
    request = pb.UpsertPoints(collection_name="c")
    row = request.points.add()
    row.id.num = 1
    row.vectors.vector.dense.data = data
    key = (("api-key", server.key),)
    with grpc.insecure_channel(f"{server.host}:{server.port}") as channel:
        channel.unary_unary("/qdrant.Points/Upsert")(request.SerializeToString(), metadata=key, timeout=10)
        ask = pb.ScrollPoints(collection_name="c")
        ask.with_vectors.enable = True
        raw = channel.unary_unary("/qdrant.Points/Scroll")(ask.SerializeToString(), metadata=key, timeout=10)
    assert pb.ScrollResponse.FromString(raw).result[0].vectors.vector.dense.data == data


def test_ids_are_numbers_or_uuids_and_come_in_order(c: Any) -> None:
    small, large = str(uuid.UUID(int=1)), str(uuid.UUID(int=2**128 - 1))
    c.upsert("c", [point(i) for i in (large, 2**64 - 1, small, 0, 7)], wait=True)
    order = [0, 7, 2**64 - 1, small, large]
    assert ids(c) == order
    for first in range(5):
        page, following = c.scroll("c", limit=2, offset=order[first])
        assert [r.id for r in page] == order[first : first + 2]
        assert following == (order[first + 2] if first + 2 < 5 else None)
    assert [r.id for r in c.scroll("c", limit=9, offset=8)[0]] == order[2:]
    code, text = refusal(
        lambda: c._client.grpc_points.Get(
            wire.GetPoints(collection_name="c", ids=[wire.PointId(uuid="no uuid")])
        )
    )
    assert (code, text) == (CODE.INVALID_ARGUMENT, "Unable to parse UUID: no uuid")


def test_an_upsert_replaces_the_whole_payload_and_all_vectors(c: Any) -> None:
    c.upsert("c", [point(1, a=1, b=2)], wait=True)
    c.upsert("c", [point(1, (0.0, 0.0, 0.0, 9.0), c=3)], wait=True)
    assert everything(c) == {1: ([0.0, 0.0, 0.0, 9.0], {"c": 3})}


def test_update_modes_and_conditions(c: Any) -> None:
    c.upsert("c", [point(1, tag="a")], wait=True)
    c.upsert("c", [point(1, tag="x"), point(2, tag="x")], update_mode=models.UpdateMode.INSERT_ONLY)
    assert {i: p["tag"] for i, (_, p) in everything(c).items()} == {1: "a", 2: "x"}
    c.upsert("c", [point(1, tag="y"), point(3, tag="y")], update_mode=models.UpdateMode.UPDATE_ONLY)
    assert {i: p["tag"] for i, (_, p) in everything(c).items()} == {1: "y", 2: "x"}
    only_x = models.Filter(must=[models.FieldCondition(key="tag", match=models.MatchValue(value="x"))])
    c.upsert("c", [point(1, tag="z"), point(2, tag="z")], update_filter=only_x)
    assert {i: p["tag"] for i, (_, p) in everything(c).items()} == {1: "y", 2: "z"}


def test_nothing_of_a_message_with_one_wrong_row_is_written(c: Any) -> None:
    said = refusal(lambda: c.upsert("c", [point(1), point(2, (1.0, 2.0, 3.0))]))
    assert said == (
        CODE.INVALID_ARGUMENT,
        "Wrong input: Vector dimension error: expected dim: 4, got 3",
    )
    assert c.count("c").count == 0


def test_update_vectors_with_a_missing_id_writes_the_others_and_says_so(c: Any) -> None:
    c.upsert("c", [point(1)], wait=True)
    new = [models.PointVectors(id=i, vector=[0.0, 0.0, 0.0, 1.0]) for i in (1, 99)]
    assert refusal(lambda: c.update_vectors("c", new)) == (
        CODE.NOT_FOUND,
        "Not found: No point with id 99 found",
    )
    assert everything(c)[1][0] == [0.0, 0.0, 0.0, 1.0]


def test_errors_have_the_servers_codes_and_words(c: Any) -> None:
    c.upsert("c", [point(1)], wait=True)
    size = models.VectorParams(size=4, distance=models.Distance.DOT)
    assert refusal(lambda: c.get_collection("no")) == (
        CODE.NOT_FOUND,
        "Not found: Collection `no` doesn't exist!",
    )
    assert refusal(lambda: c.create_collection("c", vectors_config=size)) == (
        CODE.ALREADY_EXISTS,
        "Wrong input: Collection `c` already exists!",
    )
    assert refusal(lambda: c.query_points("c", query=[1.0, 2.0])) == (
        CODE.INVALID_ARGUMENT,
        "Wrong input: Vector dimension error: expected dim: 4, got 2",
    )
    assert refusal(lambda: c.query_points("c", query=[1.0] * 4, using="no")) == (
        CODE.INVALID_ARGUMENT,
        "Wrong input: Not existing vector name error: no",
    )
    assert refusal(lambda: c.query_points("c", query=99)) == (
        CODE.NOT_FOUND,
        "Not found: No point with id 99 found",
    )
    code, text = refusal(lambda: c.facet("c", "a"))
    assert code is CODE.INVALID_ARGUMENT
    assert text.startswith("Wrong input: No appropriate index for faceting: `a`")
    bad = models.Filter(must=[models.FieldCondition(key="a[", match=models.MatchValue(value=1))])
    assert refusal(lambda: c.count("c", bad)) == (CODE.INVALID_ARGUMENT, "Invalid json path: 'a['")


def test_booleans_match_booleans_and_integers_match_integers(c: Any) -> None:
    """The engine's own binding takes True for 1 (qdrant-edge 0.9.0)."""
    c.upsert("c", [point(1, v=True), point(2, v=1), point(3, v=False), point(4, v=0)], wait=True)
    for index in (None, models.PayloadSchemaType.BOOL):
        if index:
            c.create_payload_index("c", "v", index, wait=True)
        for value, expected in ((True, [1]), (1, [2]), (False, [3]), (0, [4])):
            match = models.FieldCondition(key="v", match=models.MatchValue(value=value))
            assert ids(c, match) == expected


def test_filters_reach_the_engine_as_they_are(c: Any) -> None:
    c.upsert(
        "c",
        [
            point(1, n=1, s="Ab", tags=["x", "y"], at="2024-01-01T00:00:00Z", deep={"k": [{"v": 1}]}),
            point(2, n=1.5, s="ab", tags=[], at="2025-01-01T00:00:00Z", null=None),
            point(3, n=2, s="", where={"lon": 1.0, "lat": 2.0}),
            point(str(uuid.UUID(int=9)), n="1"),
        ],
        wait=True,
    )
    f, m = models.FieldCondition, models
    last = str(uuid.UUID(int=9))
    expected: list[tuple[Any, list[Any]]] = [
        (f(key="n", match=m.MatchValue(value=1)), [1]),
        (f(key="n", match=m.MatchValue(value="1")), [last]),
        (f(key="s", match=m.MatchValue(value="")), [3]),
        (f(key="s", match=m.MatchAny(any=["Ab", "zz"])), [1]),
        (f(key="n", match=m.MatchExcept(**{"except": [1]})), [2, 3, last]),
        (f(key="n", range=m.Range(gt=1, lte=2)), [2, 3]),
        (f(key="at", range=m.DatetimeRange(gte="2024-06-01T00:00:00Z")), [2]),
        (f(key="tags", values_count=m.ValuesCount(gte=2)), [1]),
        (f(key="deep.k[].v", match=m.MatchValue(value=1)), [1]),
        (m.IsNullCondition(is_null=m.PayloadField(key="null")), [2]),
        (m.IsEmptyCondition(is_empty=m.PayloadField(key="tags")), [2, 3, last]),
        (m.HasIdCondition(has_id=[3, 4, last]), [3, last]),
        (m.HasIdCondition(has_id=[]), []),
        (f(key="where", geo_radius=m.GeoRadius(center=m.GeoPoint(lon=1, lat=2), radius=5.0)), [3]),
        (m.Filter(must_not=[f(key="s", match=m.MatchValue(value="ab"))]), [1, 3, last]),
        (
            m.NestedCondition(
                nested=m.Nested(key="deep.k", filter=m.Filter(must=[f(key="v", match=m.MatchValue(value=1))]))
            ),
            [1],
        ),
    ]
    for condition, rows in expected:
        assert ids(c, condition) == rows, condition


def test_slices_part_the_rows(c: Any) -> None:
    c.upsert("c", [point(i) for i in range(100)], wait=True)
    parts: list[list[int]] = []
    for index in range(3):
        condition = wire.Condition(slice=wire.SliceCondition(total=3, index=index))
        answer = c._client.grpc_points.Scroll(
            wire.ScrollPoints(collection_name="c", filter=wire.Filter(must=[condition]), limit=200)
        )
        parts.append([r.id.num for r in answer.result])
    assert sorted(i for part in parts for i in part) == list(range(100))
    assert all(parts)


def test_searches(c: Any) -> None:
    c.upsert("c", [point(i, (float(i), 1.0, 0.0, 0.0), i=i) for i in range(10)], wait=True)

    def found(**how: Any) -> list[Any]:
        return [
            h.id for h in c.query_points("c", **{"query": [1.0, 0.0, 0.0, 0.0], "limit": 3, **how}).points
        ]

    assert found() == [9, 8, 7]
    assert found(offset=2) == [7, 6, 5]
    assert found(search_params=models.SearchParams(exact=True, hnsw_ef=16)) == [9, 8, 7]
    assert found(score_threshold=8.0) == [9]  # strictly above, as a server 1.18
    few = models.Filter(must=[models.FieldCondition(key="i", range=models.Range(lt=4))])
    assert found(query_filter=few) == [3, 2, 1]
    assert found(query=9) == [8, 7, 6]
    assert len(found(query=models.SampleQuery(sample=models.Sample.RANDOM))) == 3
    fused = found(
        query=models.FusionQuery(fusion=models.Fusion.RRF),
        prefetch=[models.Prefetch(query=[1.0, 0.0, 0.0, 0.0], limit=3), models.Prefetch(query=9, limit=3)],
    )
    assert set(fused) <= {9, 8, 7, 6}
    batch = c.query_batch_points(
        "c", [models.QueryRequest(query=[1.0, 0.0, 0.0, 0.0], limit=1), models.QueryRequest(query=3, limit=2)]
    )
    assert [[h.id for h in b.points] for b in batch] == [[9], [9, 8]]


def test_every_kind_of_vector_comes_back(c: Any) -> None:
    m = models
    c.create_collection(
        "kinds",
        vectors_config={
            "dense": m.VectorParams(size=2, distance=m.Distance.DOT),
            "half": m.VectorParams(size=2, distance=m.Distance.DOT, datatype=m.Datatype.FLOAT16),
            "byte": m.VectorParams(size=2, distance=m.Distance.DOT, datatype=m.Datatype.UINT8),
            "multi": m.VectorParams(
                size=2,
                distance=m.Distance.DOT,
                multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
            ),
        },
        sparse_vectors_config={"sparse": m.SparseVectorParams()},
    )
    vectors: dict[str, Any] = {
        "dense": [1.5, -2.5],
        "half": [0.5, 0.25],
        "byte": [3.0, 250.0],
        "multi": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        "sparse": m.SparseVector(indices=[1, 7], values=[0.5, 0.25]),
    }
    c.upsert("kinds", [m.PointStruct(id=1, vector=vectors), m.PointStruct(id=2, vector={})], wait=True)
    held = everything(c, "kinds")
    assert held[1][0] == vectors
    assert held[2][0] == {}
    some = c.retrieve("kinds", [1, 2], with_vectors=["multi", "sparse"])
    assert [set(r.vector) for r in some] == [{"multi", "sparse"}, set()]
    assert c.retrieve("kinds", [1])[0].vector is None
    for using, query in (("sparse", vectors["sparse"]), ("multi", [[1.0, 0.0]]), ("half", [1.0, 0.0])):
        assert [h.id for h in c.query_points("kinds", query=query, using=using).points] == [1]
    for wrong in (
        {"dense": m.SparseVector(indices=[1], values=[1.0])},
        {"sparse": [1.0, 2.0]},
        {"multi": [[1.0]]},
        {"nobody": [1.0]},
        {"sparse": m.SparseVector(indices=[1, 1], values=[1.0, 2.0])},
    ):
        code, _ = refusal(lambda w=wrong: c.upsert("kinds", [m.PointStruct(id=3, vector=w)]))
        assert code is CODE.INVALID_ARGUMENT
    assert c.count("kinds").count == 2


def test_named_vectors_come_and_go_on_a_live_collection(c: Any) -> None:
    points, collections = c._client.grpc_points, c._client.grpc_collections
    c.upsert("c", [point(1)], wait=True)
    dense = wire.DenseVectorCreationConfig(size=2, distance=wire.Distance.Dot)
    create = wire.CreateVectorNameRequest(collection_name="c", vector_name="new", dense_config=dense)
    points.CreateVectorName(create)
    points.CreateVectorName(create)
    c.update_vectors("c", [models.PointVectors(id=1, vector={"new": [5.0, 6.0]})], wait=True)
    assert everything(c)[1][0] == {"": [1.0, 2.0, 3.0, 4.0], "new": [5.0, 6.0]}
    assert set(c.get_collection("c").config.params.vectors) == {"", "new"}
    drop = wire.DeleteVectorNameRequest(collection_name="c", vector_name="new")
    points.DeleteVectorName(drop)
    points.DeleteVectorName(drop)
    assert everything(c)[1][0] == [1.0, 2.0, 3.0, 4.0]
    assert collections.Get(wire.GetCollectionInfoRequest(collection_name="c")).result.points_count == 1


def test_metadata_merges_and_a_null_removes(c: Any) -> None:
    c.update_collection("c", metadata={"a": {"x": [1, 2.0, None]}, "b": True})
    assert c.get_collection("c").config.metadata == {"a": {"x": [1, 2.0, None]}, "b": True}
    c.update_collection("c", metadata={"a": None, "c": "ü"})
    assert c.get_collection("c").config.metadata == {"b": True, "c": "ü"}


def test_facets_count_as_the_server_does(c: Any) -> None:
    c.upsert("c", [point(i, tag="ab"[i % 2], n=i % 3, b=i < 2) for i in range(9)], wait=True)
    for key, kind in (("tag", "keyword"), ("n", "integer"), ("b", "bool")):
        c.create_payload_index("c", key, kind, wait=True)
    assert {h.value: h.count for h in c.facet("c", "tag", exact=True).hits} == {"a": 5, "b": 4}
    assert {h.value: h.count for h in c.facet("c", "n", exact=True).hits} == {0: 3, 1: 3, 2: 3}
    assert {h.value: h.count for h in c.facet("c", "b", exact=True).hits} == {True: 2, False: 7}
    assert len(c.facet("c", "n", limit=2, exact=True).hits) == 2


def test_strict_mode_forbids_what_it_says(c: Any) -> None:
    c.create_collection(
        "s",
        vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT),
        strict_mode_config=models.StrictModeConfig(
            enabled=True, search_allow_exact=False, unindexed_filtering_retrieve=False, max_query_limit=5
        ),
    )
    c.upsert("s", [point(1, a=1)], wait=True)
    exact = models.SearchParams(exact=True)
    assert refusal(lambda: c.query_points("s", query=[1.0] * 4, limit=1, search_params=exact)) == (
        CODE.INVALID_ARGUMENT,
        "Bad request: Exact search disabled!. Help: Set exact=false.",
    )
    code, text = refusal(lambda: c.scroll("s", limit=6))
    assert (code, text) == (
        CODE.INVALID_ARGUMENT,
        'Bad request: Limit exceeded 6 > 5 for "limit". Help: Reduce the "limit" parameter to or below 5.',
    )
    unindexed = models.Filter(must=[models.FieldCondition(key="a", match=models.MatchValue(value=1))])
    assert "Index required but not found" in refusal(lambda: c.count("s", unindexed, exact=False))[1]
    c.create_payload_index("s", "a", models.PayloadSchemaType.INTEGER, wait=True)
    assert c.count("s", unindexed, exact=False).count == 1


def test_a_change_of_the_index_is_taken_over(c: Any) -> None:
    c.update_collection(
        "c",
        hnsw_config=models.HnswConfigDiff(m=8),
        quantization_config=models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
        ),
    )
    config = c.get_collection("c").config
    assert config.hnsw_config.m == 8
    assert config.quantization_config.scalar.type == models.ScalarType.INT8


def test_what_is_not_served_is_said(server: Double, c: Any) -> None:
    served = {"Points/Upsert", "Points/Query", "Collections/Get", "Qdrant/HealthCheck"}
    unserved: dict[str, str] = {}
    with grpc.insecure_channel(f"{server.host}:{server.port}") as channel:
        for method in METHODS:
            said = channel.unary_unary(method.path).future(
                b"", metadata=(("api-key", server.key),), timeout=10
            )
            if said.exception() is not None and said.code() is CODE.UNIMPLEMENTED:
                unserved[method.path.removeprefix("/qdrant.")] = said.details()
    assert all(name in text for name, text in unserved.items())
    assert "Points/Recommend" in unserved
    assert not served & unserved.keys()


def test_a_message_of_many_megabytes_goes_both_ways(c: Any) -> None:
    matrix = np.random.default_rng(3).standard_normal((4_000, 1_024)).astype(np.float32)
    c.create_collection("big", vectors_config=models.VectorParams(size=1_024, distance=models.Distance.DOT))
    points = [wire.PointStruct(id=wire.PointId(num=i)) for i in range(4_000)]
    for i, row in enumerate(points):
        row.vectors.vector.dense.data.extend(matrix[i].tolist())
    c._client.grpc_points.Upsert(wire.UpsertPoints(collection_name="big", points=points))
    held, following = c.scroll("big", limit=4_000, with_vectors=True)
    assert following is None
    assert np.array_equal(np.array([r.vector for r in held], dtype=np.float32), matrix)


def test_collections_live_apart(tmp_path: Path) -> None:
    with double(tmp_path) as running:
        other = running.client()
        make(other, "a", 3)
        make(other, "b", 5)
        other.delete_collection("a")
        assert not other.collection_exists("a")
        assert other.count("b").count == 5
        make(other, "a", 1)
        assert other.count("a").count == 1
