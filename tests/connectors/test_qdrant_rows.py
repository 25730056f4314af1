"""Rows in and out of Qdrant's engine, bit for bit, and what the engine itself alters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import Equals, Ids, IsEmpty
from connectors.model import (
    ALL,
    CollectionPlan,
    PayloadField,
    Range,
    Row,
    Sparse,
    Target,
    VectorField,
    id_key,
)
from connectors.qdrant.adapter import QdrantConnector
from tests.connectors.qdrant_stores import Made, engine, made

__all__ = ["engine", "made"]

MIXED = (
    VectorField("clip", "dense", 4, "dot"),
    VectorField("late", "multi", 3, "cosine"),
    VectorField("words", "sparse", index={"modifier": "idf"}),
)


def bits(array: Any) -> bytes:
    return np.ascontiguousarray(array, np.float32).tobytes()


def exported(engine: QdrantConnector, t: Target) -> dict[Any, Row]:
    return {row.id: row for row in engine.export(t)}


def test_dense_sparse_and_multi_vectors_come_back_whole(made: Made) -> None:
    t = made.collection(*MIXED)
    sparse = Sparse(np.array([7, 2**32 - 1, 9], np.uint32), np.array([0.1, -2.5, 1e-30], np.float32))
    many = np.eye(3, dtype=np.float32)[[0, 2, 1, 0]]
    dense = np.array([0.1, -0.0, 1e-42, 3e38], np.float32)
    rows = [
        Row(2**64 - 1, {"clip": dense, "late": many, "words": sparse}, {"a": 1}),
        Row("0f8fad5b-d9cb-469f-a165-70867728950e", {"words": sparse}, {}),
        Row(0, {}, {"nothing": None}),
    ]
    result = made.connector.insert(t, rows)
    assert result.done == (2**64 - 1, "0f8fad5b-d9cb-469f-a165-70867728950e", 0), result
    out = exported(made.connector, t)
    first = out[2**64 - 1]
    assert bits(first.vectors["clip"]) == bits(dense)
    assert bits(first.vectors["late"]) == bits(many)
    held = first.vectors["words"]
    assert isinstance(held, Sparse)
    order = np.argsort(sparse.indices)
    mine = np.argsort(held.indices)
    assert np.array_equal(held.indices[mine], sparse.indices[order])
    assert bits(held.values[mine]) == bits(sparse.values[order])
    assert set(out[rows[1].id].vectors) == {"words"}
    assert out[0].vectors == {}
    assert out[0].payload == {"nothing": None}
    again = made.collection(*MIXED)
    assert not made.connector.insert(again, list(out.values())).failed
    assert {
        i: bits(r.vectors["clip"]) for i, r in exported(made.connector, again).items() if "clip" in r.vectors
    } == {2**64 - 1: bits(dense)}


def test_the_bits_of_a_nan_survive_both_ways(made: Made) -> None:
    t = made.collection()
    words = np.array([0x7FC00001, 0xFFC12345, 0x7F800000, 0x3F800000], np.uint32)
    matrix = words.view(np.float32)[None]
    made.connector.insert(t, [Row(1, {"": matrix[0]}, {}), Row(2, {"": np.ones(4, np.float32)}, {})])
    (row, other) = made.connector.export(t)
    assert bits(row.vectors[""]) == words.tobytes()
    (batch,) = made.connector.scan(t, ("",))
    assert bits(batch.vectors[""].matrix[0]) == words.tobytes()
    assert bits(other.vectors[""]) == bits(np.ones(4))


def test_a_row_with_nan_does_not_break_a_search(made: Made) -> None:
    t = made.collection()
    bad = np.array([np.nan, 1, 1, 1], np.float32)
    made.connector.insert(t, [Row(1, {"": bad}, {}), Row(2, {"": np.ones(4, np.float32)}, {})])
    (hits,) = made.connector.search(t, "", np.ones((1, 4), np.float32), 5)
    # A 1.18.3 server puts the row with NaN first, the engine of 1.19 leaves it out.
    assert [h.score for h in hits if h.id == 2] == [4.0]
    assert all(np.isnan(h.score) and hits[0] is h for h in hits if h.id == 1)


def test_cosine_fields_are_normalised_by_the_engine_and_described_so(made: Made) -> None:
    t = made.collection(VectorField("", dimension=4, metric="cosine"))
    (field,) = made.connector.describe(t).vectors
    assert field.normalised_on_write
    made.connector.insert(
        t, [Row(1, {"": np.full(4, 5, np.float32)}, {}), Row(2, {"": np.zeros(4, np.float32)}, {})]
    )
    (batch,) = made.connector.scan(t, ("",))
    assert np.linalg.norm(batch.vectors[""].matrix, axis=1) == pytest.approx([1, 0], abs=1e-6)


@pytest.mark.parametrize(("storage", "held"), [("uint8", [1, 2, 200, 255]), ("float16", [0.5, -2, 1024, 0])])
def test_small_storages_are_read_as_float32(made: Made, storage: Any, held: list[float]) -> None:
    t = made.collection(VectorField("v", dimension=4, metric="dot", storage=storage))
    assert made.connector.describe(t).vectors[0].storage == storage
    made.connector.insert(t, [Row(1, {"v": np.array(held, np.float32)}, {})])
    (batch,) = made.connector.scan(t, ("v",))
    assert batch.vectors["v"].matrix.tolist() == [held]


PAYLOAD: dict[str, Any] = {
    "int": 1, "float": 1.0, "big": 2**63 - 1, "small": -(2**63), "long": 0.1, "text": "a\x00b\u202e🦀", "empty": "",
    "null": None, "truth": True, "list": [1, 1.0, "1", None, [], {}], "object": {"a": {"b": [{"c": False}]}},
    "dotted.key": 1, 'quo"te': 2, "": 3, "[]": 4, "long text": "x" * 100_000,
}  # fmt: skip


def test_payload_keeps_every_value_and_its_kind(made: Made) -> None:
    t = made.collection()
    made.connector.insert(t, [Row(1, {"": np.ones(4, np.float32)}, PAYLOAD)])
    (row,) = made.connector.export(t)
    assert repr(sorted(row.payload.items())) == repr(sorted(PAYLOAD.items()))
    batch = made.connector.fetch(t, [1], (), ("object.a.b", '"dotted.key"', "absent", "list", "null"))
    assert {k: v[0] for k, v in batch.columns.items()} == {
        "object.a.b": [{"c": False}],
        '"dotted.key"': 1,
        "absent": None,
        "list": PAYLOAD["list"],
        "null": None,
    }


def test_what_qdrant_cannot_hold_fails_that_row_alone_with_the_reason(made: Made) -> None:
    t = made.collection()
    one = np.ones(4, np.float32)
    rows = [
        Row(1, {"": one}, {"n": float("nan")}),
        Row(2, {"": one}, {"n": 2**63}),
        Row(3, {"": one}, {"n": "\ud800"}),
        Row(4, {"": one}, {"n": b"bytes"}),
        Row(5, {"": np.ones(5, np.float32)}, {}),
        Row(6, {"other": one}, {}),
        Row(7, {"": np.ones((2, 4), np.float32)}, {}),
        Row(8, {"": one}, {}, references={"to": ("x",)}),
        Row(9, {"": one}, {}, unread=("vector 'x'",)),
        Row(10, {"": one}, {}),
        Row(10, {"": one * 2}, {}),
    ]
    result = made.connector.insert(t, rows)
    assert set(result.failed) == set(range(1, 10))
    assert all(result.failed.values())
    assert result.done == (10,)
    assert set(result.skipped) == {10}
    assert [row.id for row in made.connector.export(t)] == [10]


def test_an_integer_and_a_uuid_keep_their_place_in_a_scan(made: Made) -> None:
    t = made.collection()
    ids = [
        0,
        5,
        2**63,
        2**64 - 1,
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ]
    made.connector.insert(t, [Row(i, {"": np.ones(4, np.float32)}, {}) for i in reversed(ids)])
    assert [i for b in made.connector.scan(t, ()) for i in b.ids] == ids == sorted(ids, key=id_key)
    over = Range(None, 2**63, "00000000-0000-0000-0000-000000000001")
    assert [i for b in made.connector.scan(t, (), over) for i in b.ids] == ids[2:5]


@pytest.mark.parametrize("n", [2, 7, 64])
def test_ranges_of_skewed_ids_are_even(made: Made, n: int) -> None:
    t = made.collection()
    ids = [*range(3_000), *(2**63 + i * 7 for i in range(1_000)), *range(10**12, 10**12 + 1_000)]
    made.connector.insert(t, [Row(i, {}, {}) for i in ids])
    ranges = made.connector.ranges(t, n)
    sizes = [sum(len(b) for b in made.connector.scan(t, (), r)) for r in ranges]
    assert sum(sizes) == len(ids)
    assert len(ranges) == n
    assert max(sizes) < 2.5 * len(ids) / n


def test_pages_are_sized_in_bytes(made: Made) -> None:
    t = made.collection()
    made.connector.insert(
        t, [Row(i, {"": np.ones(4, np.float32)}, {"text": "x" * 1_000}) for i in range(300)]
    )
    sizes = [len(b) for b in made.connector.scan(t, (), payload=ALL, page_bytes=20_000)]
    assert sum(sizes) == 300
    assert max(sizes[1:-1]) <= 20
    assert len(next(made.connector.scan(t, ("",)))) == 300


def test_two_fields_are_read_in_one_pass_and_unknown_or_sparse_ones_are_refused(made: Made) -> None:
    t = made.collection(
        VectorField("a", dimension=2, metric="dot"), VectorField("b", dimension=3, metric="dot"), MIXED[2]
    )
    made.connector.insert(
        t, [Row(1, {"a": np.ones(2, np.float32)}, {}), Row(2, {"b": np.ones(3, np.float32)}, {})]
    )
    (batch,) = made.connector.scan(t, ("a", "b"))
    assert batch.vectors["a"].present.tolist() == [True, False]
    assert batch.vectors["b"].matrix.tolist() == [[0, 0, 0], [1, 1, 1]]
    for field, code in (("words", "unsupported"), ("nothing", "not-found"), ("", "not-found")):
        with pytest.raises(PlumblineError) as caught:
            list(made.connector.scan(t, (field,)))
        assert caught.value.code == code


def test_an_unnamed_vector_beside_a_sparse_one(made: Made) -> None:
    t = made.collection(VectorField("", dimension=4, metric="dot"), MIXED[2])
    sparse = Sparse(np.array([1], np.uint32), np.ones(1, np.float32))
    made.connector.insert(
        t, [Row(1, {"": np.ones(4, np.float32), "words": sparse}, {}), Row(2, {"words": sparse}, {})]
    )
    (batch,) = made.connector.scan(t, ("",))
    assert batch.vectors[""].present.tolist() == [True, False]
    assert {f.name: f.kind for f in made.connector.describe(t).vectors} == {"": "dense", "words": "sparse"}
    (hits,) = made.connector.search(t, "", np.ones((1, 4), np.float32), 5)
    assert [h.id for h in hits] == [1]


def test_a_marker_leaves_other_metadata_alone(made: Made) -> None:
    t = made.collection(marker={"encoder": "a"})
    from connectors.qdrant import values
    from connectors.qdrant.stubs import pb

    request = pb.UpdateCollection(collection_name=t.collection)
    values.put(request.metadata["theirs"], {"keep": 1})
    made.connector.ask("Collections/Update", request, 5.0)
    made.connector.set_marker(t, {"encoder": "b"})
    described = made.connector.describe(t)
    assert described.marker == {"encoder": "b"}
    assert described.settings["metadata"]["theirs"] == {"keep": 1}
    made.connector.set_marker(t, None)
    described = made.connector.describe(t)
    assert described.marker is None
    assert described.settings["metadata"]["theirs"] == {"keep": 1}


def test_create_like_copies_indexes_quantization_and_settings(made: Made) -> None:
    t = made.collection(
        VectorField(
            "clip", dimension=8, metric="dot", index={"m": 24, "ef_construct": 77},
            quantization={"scalar": {"type": "Int8", "quantile": 0.97}},
        ),
        *MIXED[1:],
        payload=(PayloadField("tag", "keyword", True, {"is_tenant": True}), PayloadField("n", "integer", True)),
        options={"hnsw": {"m": 20}, "on_disk_payload": True},
    )  # fmt: skip
    name = t.collection + "b"
    assert made.connector.create_like(t, name, vectors={"clip": {"dimension": 6}}) == ()
    made.names.append(name)
    first, second = made.connector.describe(t), made.connector.describe(Target(name))
    assert [(f.name, f.kind, f.metric, f.index, f.quantization) for f in first.vectors] == [
        (f.name, f.kind, f.metric, f.index, f.quantization) for f in second.vectors
    ]
    assert second.vectors[0].dimension == 6
    clip = first.field("clip")
    assert clip is not None
    assert (clip.index["m"], clip.index["ef_construct"]) == (24, 77)
    assert clip.quantization is not None
    assert clip.quantization["scalar"]["quantile"] == pytest.approx(0.97)
    assert [(p.name, p.type) for p in second.payload] == [("n", "integer"), ("tag", "keyword")]
    assert second.payload[1].details["is_tenant"] is True
    assert second.settings["hnsw"]["m"] == 20


def test_a_tenant_is_a_value_of_the_tenant_field(made: Made) -> None:
    t = made.collection(payload=(PayloadField("org", "keyword", True, {"is_tenant": True}),))
    one = np.ones(4, np.float32)
    made.connector.insert(t, [Row(i, {"": one}, {"org": "a" if i % 3 else "b"}) for i in range(9)])
    tenants = made.connector.tenants(t)
    assert tenants is not None
    assert [(x.name, x.rows) for x in tenants] == [("a", 6), ("b", 3)]
    mine = Target(t.collection, "b")
    assert made.connector.count(mine).rows == 3
    assert [i for b in made.connector.scan(mine, ()) for i in b.ids] == [0, 3, 6]
    assert made.connector.fetch(mine, [0, 1, 2, 3], ()).ids == (0, 3)
    (hits,) = made.connector.search(mine, "", np.ones((1, 4), np.float32), 9)
    assert {h.id for h in hits} == {0, 3, 6}
    assert made.connector.capabilities(t).tenants.supported is True


def test_facets_of_integers_and_booleans_and_their_rest(made: Made) -> None:
    t = made.collection(payload=(PayloadField("n", "integer", True), PayloadField("f", "bool", True)))
    one = np.ones(4, np.float32)
    payloads: list[dict[str, Any]] = [
        {"n": 1, "f": True},
        {"n": 1, "f": False},
        {"n": [1, 2]},
        {},
        {"n": "text"},
    ]
    made.connector.insert(t, [Row(i, {"": one}, p) for i, p in enumerate(payloads)])
    facet = made.connector.facet(t, "n")
    assert (dict(facet.values), facet.rest, facet.rows) == ({"1": 3, "2": 1}, 2, 5)
    facet = made.connector.facet(t, "f")
    assert (dict(facet.values), facet.rest) == ({"true": 1, "false": 1}, 3)
    facet = made.connector.facet(t, "n", limit=1)
    assert (dict(facet.values), facet.rest) == ({"1": 3}, 2)
    facet = made.connector.facet(t, "n", IsEmpty("f"))
    assert (facet.rows, facet.values["2"]) == (3, 1)


def test_the_keyword_leg_ranks_by_rarity(made: Made) -> None:
    t = made.collection(payload=(PayloadField("caption", "text", True),))
    one = np.ones(4, np.float32)
    captions = [
        "a red circle",
        "a blue circle",
        "a red square",
        "a blue square",
        "a circle, red and round",
        "",
        None,
    ]
    made.connector.insert(t, [Row(i, {"": one}, {"caption": c}) for i, c in enumerate(captions)])
    hits = made.connector.search_text(t, "Red circle", 3)
    assert {h.id for h in hits[:2]} == {0, 4}
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert made.connector.search_text(t, "unheard", 3) == []
    assert made.connector.search_text(t, "?!", 3) == []
    (hit,) = made.connector.search_text(
        t, "square", 3, Equals("caption", "a red square"), payload=("caption",)
    )
    assert (hit.id, hit.payload) == (2, {"caption": "a red square"})
    with pytest.raises(PlumblineError) as caught:
        made.connector.search_text(t, "red", 3, fields=("other",))
    assert caught.value.code == "unsupported"


def test_dropping_an_alias_is_refused(made: Made, alias: str) -> None:
    described = made.connector.describe(Target(alias))
    assert described.via_alias == alias
    assert described.aliases == (alias,)
    assert alias in {a.name for a in made.connector.aliases()}
    with pytest.raises(PlumblineError) as caught:
        made.connector.drop(alias)
    assert caught.value.code == "usage"
    assert described.target.collection in str(caught.value)
    assert made.connector.count(Target(alias)).rows == 0


@pytest.fixture
def alias(made: Made) -> Iterator[str]:
    from connectors.qdrant.stubs import pb

    t = made.collection()
    name = t.collection + "alias"

    def move(action: Any) -> None:
        request = pb.ChangeAliases(actions=[action])
        made.connector.ask("Collections/UpdateAliases", request, 5.0)

    move(pb.AliasOperations(create_alias=pb.CreateAlias(collection_name=t.collection, alias_name=name)))
    yield name
    move(pb.AliasOperations(delete_alias=pb.DeleteAlias(alias_name=name)))


def test_strict_mode_is_described_and_kept_to(made: Made) -> None:
    strict = {"enabled": True, "max_query_limit": 50, "search_allow_exact": False, "upsert_max_batchsize": 30}
    t = made.collection(options={"strict_mode": strict})
    assert made.connector.describe(t).settings["strict_mode"]["max_query_limit"] == 50
    assert made.connector.capabilities(t).exact_search.supported is False
    rows = [Row(i, {"": np.ones(4, np.float32)}, {}) for i in range(200)]
    assert len(made.connector.insert(t, rows).done) == 200
    assert [i for b in made.connector.scan(t, ("",)) for i in b.ids] == list(range(200))
    assert len(made.connector.fetch(t, list(range(200)), ("",))) == 200
    assert len(made.connector.sample(t, 120)) == 120
    counted = made.connector.count(t, Ids((1, 2, 500)))
    assert (counted.rows, counted.scanned) == (2, True)
    assert not made.connector.count(t).exact
    assert sum(len(b) for r in made.connector.ranges(t, 4) for b in made.connector.scan(t, (), r)) == 200


def test_an_unknown_option_or_metric_is_refused_before_anything_is_made(made: Made) -> None:
    for field, options, code in [
        (VectorField("", dimension=4), {"colour": 1}, "usage"),
        (VectorField("", dimension=4, metric="hamming"), {}, "unsupported"),
        (VectorField("", dimension=None), {}, "usage"),
    ]:
        with pytest.raises(PlumblineError) as caught:
            made.connector.create("never", CollectionPlan((field,), options=options))
        assert caught.value.code == code
    assert "never" not in {c.name for c in made.connector.collections()}


def test_a_payload_as_deep_as_can_be_written_is_read() -> None:
    from connectors.qdrant import values
    from connectors.qdrant.stubs import pb

    deep: dict[str, Any] = {}
    for _ in range(values.DEEPEST - 1):
        deep = {"k": deep}
    row = pb.RetrievedPoint()
    values.put(row.payload["deep"], deep)
    read = pb.RetrievedPoint.FromString(row.SerializeToString())
    assert read == row
