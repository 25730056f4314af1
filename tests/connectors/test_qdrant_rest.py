"""REST where gRPC can't be reached: the same answers as gRPC from one server, and what JSON can't carry."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import And, AnyOf, Between, Equals, Exists, Ids, Not
from connectors.model import ALL, PayloadField, Row, SearchOptions, Sparse, Target, VectorField
from connectors.qdrant.adapter import QdrantConnector
from tests.connectors.qdrant_stores import Made, server_spec
from tests.ports import closed_port

pytestmark = pytest.mark.qdrant_server

FIELDS = (
    VectorField("clip", "dense", 8, "cosine", index={"m": 24}, quantization={"scalar": {"type": "Int8"}}),
    VectorField("late", "multi", 3, "dot"),
    VectorField("words", "sparse", index={"modifier": "idf"}),
    VectorField("small", "dense", 4, "euclid", storage="uint8"),
)
PAYLOAD = (
    PayloadField("tag", "keyword", True, {"is_tenant": True}),
    PayloadField("n", "integer", True),
    PayloadField("caption", "text", True, {"tokenizer": "Word", "lowercase": True}),
    PayloadField("f", "bool", True),
)


@pytest.fixture
def both() -> Iterator[tuple[QdrantConnector, QdrantConnector]]:
    with closed_port() as nobody:
        grpc, rest = QdrantConnector(server_spec()), QdrantConnector(server_spec(grpc_port=nobody))
        yield grpc, rest
        grpc.close()
        rest.close()


def rows(n: int) -> list[Row]:
    rng = np.random.default_rng(0)
    made: list[Row] = []
    for i in range(n):
        held = {
            "clip": rng.standard_normal(8).astype(np.float32),
            "late": rng.standard_normal((i % 3 + 1, 3)).astype(np.float32),
            "words": Sparse(np.array([i, i + 5], np.uint32), rng.random(2).astype(np.float32)),
            "small": rng.integers(0, 255, 4).astype(np.float32),
        }
        if i % 4 == 0:
            del held["clip"]
        payload = {
            "tag": f"t{i % 3}",
            "n": i,
            "caption": f"picture {i}",
            "f": i % 2 == 0,
            "x": {"y": [1, 1.0, None]},
        }
        made.append(Row(i, held, payload))
    return made


def same(left: Row, right: Row) -> bool:
    def plain(row: Row) -> object:
        held = {
            name: (v.indices.tolist(), v.values.tobytes())
            if isinstance(v, Sparse)
            else (v.shape, v.tobytes())
            for name, v in row.vectors.items()
        }
        return row.id, sorted(held.items()), repr(sorted(row.payload.items()))

    return plain(left) == plain(right)


def test_both_ways_make_describe_and_read_the_same(both: tuple[QdrantConnector, QdrantConnector]) -> None:
    grpc, rest = both
    assert rest.server().transport == "rest"
    assert any("gRPC can't be reached" in note for note in rest.server().notes)
    assert rest.capabilities().sees_non_finite.supported is False
    assert grpc.capabilities().sees_non_finite.supported is True
    made = Made(rest)
    t = made.collection(
        *FIELDS, payload=PAYLOAD, marker={"encoder": "a"}, options={"hnsw": {"ef_construct": 64}}
    )
    other = Made(grpc)
    u = other.collection(
        *FIELDS, payload=PAYLOAD, marker={"encoder": "a"}, options={"hnsw": {"ef_construct": 64}}
    )
    assert len(rest.insert(t, rows(50)).done) == 50
    assert len(grpc.insert(u, rows(50)).done) == 50
    assert dataclasses.replace(rest.describe(t), settings={}) == dataclasses.replace(
        grpc.describe(t), settings={}
    )
    assert rest.describe(t).vectors == rest.describe(u).vectors
    a, b, c = (list(x) for x in (rest.export(t), grpc.export(t), grpc.export(u)))
    assert all(same(x, y) and same(y, z) for x, y, z in zip(a, b, c, strict=True))
    (batch,), (again,) = (list(x.scan(t, ("clip", "small"), payload=ALL)) for x in (rest, grpc))
    assert batch.payloads == again.payloads
    for name in ("clip", "small"):
        assert np.array_equal(batch.vectors[name].matrix, again.vectors[name].matrix)
        assert np.array_equal(batch.vectors[name].present, again.vectors[name].present)
    query = np.ones((2, 8), np.float32)
    for where in (
        None,
        And((Equals("tag", "t1"), Not(Between("n", lt=9)))),
        AnyOf("n", (1, 2, "x")),
        Ids((3, 5)),
        Exists("x.y"),
    ):
        assert rest.count(t, where) == grpc.count(t, where)
        left, right = (x.search(t, "clip", query, 5, where, SearchOptions(exact=True)) for x in (rest, grpc))
        assert [[h.id for h in hits] for hits in left] == [[h.id for h in hits] for hits in right]
        assert [h.score for h in left[0]] == pytest.approx([h.score for h in right[0]], abs=1e-6)
    for field in ("tag", "n", "f"):
        assert rest.facet(t, field) == grpc.facet(t, field)
    assert rest.tenants(t) == grpc.tenants(t)
    assert set(rest.sample(t, 10).ids) <= set(range(50))
    assert {c.name: c for c in rest.collections()}[t.collection].rows == 50
    assert rest.search_text(t, "picture 7", 1)[0].id == 7
    assert rest.create_like(t, t.collection + "b") == ("the marker: it belongs to the source",)
    made.names.append(t.collection + "b")
    assert rest.describe(Target(t.collection + "b")).vectors == grpc.describe(t).vectors
    made.clean()
    other.clean()


def test_nan_is_refused_by_row_and_read_as_nan(both: tuple[QdrantConnector, QdrantConnector]) -> None:
    grpc, rest = both
    made = Made(grpc)
    t = made.collection()
    bad = np.array([np.nan, 1, 1, 1], np.float32)
    one = np.ones(4, np.float32)
    result = rest.insert(t, [Row(1, {"": bad}, {}), Row(2, {"": one}, {})])
    assert result.done == (2,)
    assert "JSON" in result.failed[1]
    grpc.insert(t, [Row(3, {"": bad}, {})])
    held = {row.id: row.vectors[""] for row in rest.export(t)}
    assert isinstance(held[3], np.ndarray)
    assert np.isnan(held[3][0])
    assert held[3][1] == 1
    (hits,) = rest.search(t, "", np.ones((1, 4), np.float32), 5)
    assert 2 in {h.id for h in hits}
    made.clean()


def test_faults_have_the_same_codes(both: tuple[QdrantConnector, QdrantConnector]) -> None:
    for connector in both:
        for call, code in (
            (lambda c: c.count(Target("NoSuchCollection")), "not-found"),
            (lambda c: c.describe(Target("NoSuchCollection")), "not-found"),
            (lambda c: c.drop("NoSuchCollection"), "not-found"),
        ):
            with pytest.raises(PlumblineError) as caught:
                call(connector)
            assert caught.value.code == code
            assert "NoSuchCollection" in str(caught.value)


def test_the_grpc_port_in_the_url_is_understood() -> None:
    spec = server_spec()
    assert spec.url is not None
    if spec.grpc_port is None:
        pytest.skip("QDRANT_GRPC names no port")
    wrong = server_spec(url=spec.url.rsplit(":", 1)[0] + f":{spec.grpc_port}", grpc_port=None)
    connector = QdrantConnector(wrong)
    assert connector.server().transport == "grpc"
    connector.close()


def test_the_http_port_given_for_grpc_is_said() -> None:
    spec = server_spec()
    assert spec.url is not None
    port = int(spec.url.rsplit(":", 1)[1].strip("/"))
    connector = QdrantConnector(server_spec(grpc_port=port))
    server = connector.server()
    assert server.transport == "rest"
    assert any("speaks HTTP, not gRPC" in note for note in server.notes)
    connector.close()
    only = QdrantConnector(server_spec(url=None, grpc_host="127.0.0.1", grpc_port=port))
    with pytest.raises(PlumblineError) as caught:
        only.server()
    assert caught.value.code == "wrong-protocol"
    only.close()
