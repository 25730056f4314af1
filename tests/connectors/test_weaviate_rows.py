"""Whole rows in and out of a real Weaviate, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, PayloadField, Row, Sparse, Target, VectorField
from connectors.weaviate.adapter import WeaviateConnector
from tests.connectors.weaviate_kit import N, ask, bits, collection, plain_rows, raw_collection, uid, vector
from tests.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate

NONE = {"vectorizer": {"none": {}}}
ALL_TYPES: dict[str, Any] = {
    "class": "AllTypes",
    "description": "written by people",
    "invertedIndexConfig": {"indexTimestamps": True},
    "vectorConfig": {
        "clip": {**NONE, "vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "dot"}},
        "flat": {**NONE, "vectorIndexType": "flat", "vectorIndexConfig": {"distance": "l2-squared"}},
        "many": {**NONE, "vectorIndexType": "hnsw", "vectorIndexConfig": {"multivector": {"enabled": True}}},
    },
    "properties": [
        {"name": "text", "dataType": ["text"]},
        {"name": "int", "dataType": ["int"]},
        {"name": "number", "dataType": ["number"]},
        {"name": "boolean", "dataType": ["boolean"]},
        {"name": "date", "dataType": ["date"]},
        {"name": "uuid", "dataType": ["uuid"]},
        {"name": "blob", "dataType": ["blob"]},
        {"name": "geo", "dataType": ["geoCoordinates"]},
        {"name": "phone", "dataType": ["phoneNumber"]},
        *({"name": f"{t}s", "dataType": [f"{t}[]"]} for t in ("text", "int", "number", "boolean", "date", "uuid")),
        {
            "name": "object",
            "dataType": ["object"],
            "nestedProperties": [
                {"name": "text", "dataType": ["text"]},
                {"name": "number", "dataType": ["number"]},
                {"name": "numbers", "dataType": ["number[]"]},
                {"name": "inner", "dataType": ["object"], "nestedProperties": [{"name": "ints", "dataType": ["int[]"]}]},
            ],
        },
        {"name": "objects", "dataType": ["object[]"], "nestedProperties": [{"name": "text", "dataType": ["text"]}]},
        {"name": "to", "dataType": ["Pointed"]},
        {"name": "either", "dataType": ["Pointed", "PointedToo"]},
    ],
}  # fmt: skip


def beacon(name: str, n: int) -> str:
    return f"weaviate://localhost/{name}/{uid(n)}"


PHONE = {
    "countryCode": 49, "defaultCountry": "DE", "input": "0171 1234567", "internationalFormatted": "+49 171 1234567",
    "national": 1711234567, "nationalFormatted": "0171 1234567", "valid": True,
}  # fmt: skip

FULL = Row(
    uid(1),
    {"clip": vector(0.1, -0.0, 1e-45), "flat": vector(3.4e38, 22.50459), "many": np.array([[1, 2], [3, -0.0]], np.float32)},
    {
        "text": "line\nbreak \u202e🙂 \x00 e\u0301",
        "int": -(2**53),
        "number": 0.1,
        "boolean": False,
        "date": "2024-02-29T23:59:59.123456789+02:00",
        "uuid": "ab3e4567-e89b-12d3-a456-426614174000",
        "blob": "aGVsbG8=",
        "geo": {"latitude": 52.123455, "longitude": -1.5},
        "phone": PHONE,
        "texts": ["", "a", "a"],
        "ints": [1, -2, 2**53],
        "numbers": [1.0, -0.0, 5e-324, 1.7976931348623157e308],
        "booleans": [True, False],
        "dates": ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
        "uuids": [uid(3)],
        "object": {"text": "", "number": 2.5, "numbers": [1.5], "inner": {"ints": [7]}},
        "objects": [{"text": "x"}, {}],
    },
    {"to": (beacon("Pointed", 10), beacon("Pointed", 11)), "either": (beacon("PointedToo", 20), beacon("Pointed", 10))},
)  # fmt: skip


@pytest.fixture(scope="module")
def wv(weaviate_server: WeaviateServer) -> Iterator[WeaviateConnector]:
    connector = WeaviateConnector(weaviate_server.spec())
    yield connector
    connector.close()


@pytest.fixture(scope="module")
def types(wv: WeaviateConnector) -> Iterator[Target]:
    with (
        raw_collection(wv, {"class": "Pointed"}) as one,
        raw_collection(wv, {"class": "PointedToo"}) as two,
        raw_collection(wv, ALL_TYPES) as t,
    ):
        assert wv.insert(one, [Row(uid(n), {}, {}) for n in (10, 11)]).done
        assert wv.insert(two, [Row(uid(20), {}, {})]).done
        yield t


def assert_same(left: Row, right: Row) -> None:
    assert left.id == right.id
    assert left.payload == right.payload
    assert str(left.payload) == str(right.payload) or left.payload.keys() == right.payload.keys()
    assert dict(left.references) == dict(right.references)
    assert left.vectors.keys() == right.vectors.keys()
    for name, held in left.vectors.items():
        other = right.vectors[name]
        assert not isinstance(held, Sparse)
        assert not isinstance(other, Sparse)
        assert held.shape == other.shape
        assert bits(held) == bits(other), name


@pytest.mark.parametrize("mode", ["new", "replace"])
def test_every_type_comes_back_bit_for_bit(wv: WeaviateConnector, types: Target, mode: Any) -> None:
    with raw_collection(wv, {**ALL_TYPES, "class": f"Copy{mode.title()}"}) as copy:
        assert wv.insert(copy, [FULL], mode).done == (FULL.id,)
        exported = next(wv.export(copy))
        assert_same(exported, FULL)
        assert exported.unread == ()
        assert exported.server["updated_ms"] >= exported.server["created_ms"] > 0
        assert str(exported.payload["numbers"][1]) == "-0.0"
        assert_same(next(wv.export(copy, [FULL.id])), FULL)


def test_an_export_restores_rows_that_hold_nothing_and_empty_lists(
    wv: WeaviateConnector, types: Target
) -> None:
    bare = Row(uid(100), {}, {})
    empty = Row(
        uid(101),
        {"clip": vector(1, 2, 3)},
        {"texts": [], "numbers": [], "objects": [], "object": {}, "text": ""},
    )
    with raw_collection(wv, {**ALL_TYPES, "class": "Bare"}) as t:
        assert len(wv.insert(t, [bare, empty]).done) == 2
        exported = list(wv.export(t))
        assert_same(exported[0], bare)
        assert_same(exported[1], empty)
        wv.insert(t, exported, "replace")
        assert_same(list(wv.export(t))[1], empty)


@pytest.mark.parametrize("mode", ["new", "replace"])
def test_bits_of_nan_and_infinity_survive(wv: WeaviateConnector, types: Target, mode: Any) -> None:
    odd = np.array([0x7FC12345, 0xFFC00001, 0x7F800000, 0xFF800000], "<u4").view("<f4")
    many = np.array([[np.nan, 1], [np.inf, -0.0]], np.float32)
    with raw_collection(wv, {**ALL_TYPES, "class": f"Odd{mode.title()}"}) as t:
        rows = [
            Row(uid(1), {"flat": odd, "many": many}, {"text": "odd"}),
            Row(uid(2), {"flat": vector(1, 2, 3, 4)}, {}),
        ]
        assert set(wv.insert(t, rows, mode).done) == {uid(1), uid(2)}
        exported = list(wv.export(t))
        assert bits(exported[0].vectors["flat"]) == bits(odd)
        assert bits(exported[0].vectors["many"]) == bits(many)
        batch = next(iter(wv.scan(t, ["flat"])))
        assert bits(batch.vectors["flat"].matrix[0]) == bits(odd)
        again = wv.insert(t, [Row(uid(1), {"flat": odd}, {"text": "other"})], "new")
        assert (again.done, set(again.skipped)) == ((), {uid(1)})
        assert next(wv.export(t)).payload == {"text": "odd"}


def test_references_that_point_nowhere_are_kept(wv: WeaviateConnector, types: Target) -> None:
    lost = Row(
        uid(1),
        {"clip": vector(1, 2, 3)},
        {"text": "x"},
        {"to": (beacon("Pointed", 10), beacon("Pointed", 999))},
    )
    for name, mode in (("LostNew", "new"), ("LostReplace", "replace")):
        with raw_collection(wv, {**ALL_TYPES, "class": name}) as t:
            assert wv.insert(t, [lost], mode).done == (lost.id,)
            assert_same(next(wv.export(t)), lost)
            assert_same(next(wv.export(t, [lost.id])), lost)


def test_new_leaves_a_row_alone_and_replace_replaces_it_whole(wv: WeaviateConnector) -> None:
    with collection(wv, "Modes", N, vectors=(VectorField("clip"), VectorField("other"))) as t:
        first = Row(uid(1), {"clip": vector(1, 2), "other": vector(3)}, {"n": 1})
        second = Row(uid(1), {"clip": vector(5, 6)}, {})
        assert wv.insert(t, [first], "new").done == (uid(1),)
        result = wv.insert(t, [second, Row(uid(2), {}, {})], "new")
        assert (result.done, set(result.skipped)) == ((uid(2),), {uid(1)})
        assert_same(next(wv.export(t)), first)
        assert wv.insert(t, [second], "replace").done == (uid(1),)
        assert_same(next(wv.export(t)), second)


def test_each_row_that_fails_says_why_and_the_others_are_stored(wv: WeaviateConnector) -> None:
    with collection(wv, "Failing", N) as t:
        assert wv.insert(t, [Row(uid(1), {"clip": vector(1, 2)}, {})]).done
        rows = [
            Row(uid(2), {"clip": vector(1, 2, 3)}, {}),
            Row(uid(3), {"clip": vector(3, 4)}, {"n": 3}),
            Row(uid(4), {"nope": vector(3, 4)}, {}),
            Row(uid(5), {"clip": Sparse(np.array([1], np.uint32), vector(1))}, {}),
            Row(6, {"clip": vector(3, 4)}, {}),
            Row(uid(7), {"clip": vector(3, 4)}, {"n": "seven"}),
            Row(uid(8), {"clip": vector(3, 4)}, {"Upper": 1}),
            Row(uid(9), {"clip": vector(3, 4)}, {"x": float("nan")}),
            Row(uid(10), {"clip": vector(3, 4)}, {}, {"to": (beacon("Failing", 1),)}),
            Row(uid(11), {"clip": np.ones((2, 2), np.float32)}, {}),
        ]
        for mode in ("new", "replace"):
            result = wv.insert(t, rows, mode)
            assert set(result.failed) == {r.id for r in rows} - {uid(3)}
            assert "UUID" in result.failed[6]
            assert "sparse" in result.failed[uid(5)]
            assert "Upper" in result.failed[uid(8)]
            assert all(result.failed.values())
        assert [i for b in wv.scan(t, []) for i in b.ids] == [uid(1), uid(3)]


def test_a_collection_that_is_gone_is_not_made_again_by_an_insert(wv: WeaviateConnector) -> None:
    with pytest.raises(PlumblineError) as caught:
        wv.insert(Target("NeverMade"), [Row(uid(1), {}, {})], "replace")
    assert caught.value.code == "not-found"
    assert all(c.name != "NeverMade" for c in wv.collections())


def test_the_unnamed_vector_has_the_empty_name(wv: WeaviateConnector) -> None:
    with collection(wv, "Legacy", N, vectors=(VectorField("", metric="euclid"),)) as t:
        odd = vector(np.nan, 1, 2)
        rows = [
            Row(uid(1), {"": vector(1, 2, 3)}, {"n": 1}),
            Row(uid(2), {}, {"n": 2}),
            Row(uid(3), {"": vector(2, 2, 3)}, {}),
        ]
        assert len(wv.insert(t, rows).done) == 3
        hits = wv.search(t, "", np.array([[1, 2, 3]], np.float32), 2)[0]
        assert [(h.id, h.score, h.score_kind) for h in hits] == [
            (uid(1), 0, "distance"),
            (uid(3), 1, "distance"),
        ]
        assert wv.insert(t, [Row(uid(4), {"": odd}, {})], "replace").done
        described = wv.describe(t)
        assert [(f.name, f.dimension, f.metric) for f in described.vectors] == [("", 3, "euclid")]
        for row, exported in zip(rows, wv.export(t), strict=False):
            assert_same(exported, row)
        batch = next(iter(wv.scan(t, [""])))
        assert batch.vectors[""].present.tolist() == [True, False, True, True]
        assert bits(batch.vectors[""].matrix[3]) == bits(odd)


def test_a_new_collection_is_described_as_it_was_planned(wv: WeaviateConnector) -> None:
    planned = CollectionPlan(
        (
            VectorField("a", metric="dot", quantization={"type": "rq", "bits": 8}),
            VectorField("b", metric="manhattan", index={"type": "flat"}),
            VectorField("c", kind="multi", metric="cosine"),
            VectorField("d", metric="hamming", index={"type": "hnsw", "maxConnections": 7, "ef": 55}),
        ),
        (
            PayloadField("tag", "keyword", True),
            PayloadField("caption", "text", True),
            PayloadField("taken", "datetime[]", True),
            PayloadField("place", "geo"),
            PayloadField("size", "float", details={"indexRangeFilters": True}),
        ),
        marker={"encoder": "x", "n": 1},
        options={"description": "for people"},
    )
    wv.create("Planned", planned)
    try:
        d = wv.describe(Target("Planned"))
        assert d.rows == 0
        fields = {f.name: f for f in d.vectors}
        assert {n: (f.kind, f.metric, f.dimension) for n, f in fields.items()} == {
            "a": ("dense", "dot", None),
            "b": ("dense", "manhattan", None),
            "c": ("multi", "cosine", None),
            "d": ("dense", "hamming", None),
        }
        assert fields["a"].quantization is not None
        assert fields["a"].quantization["type"] == "rq"
        assert fields["b"].index["type"] == "flat"
        assert (fields["d"].index["maxConnections"], fields["d"].index["ef"]) == (7, 55)
        assert {f.name: f.type for f in d.payload} == {
            "tag": "keyword", "caption": "text", "taken": "datetime[]", "place": "geo", "size": "float",
        }  # fmt: skip
        details = {f.name: f.details for f in d.payload}
        assert details["tag"]["tokenization"] == "field"
        assert details["size"]["indexRangeFilters"] is True
        assert d.marker == {"encoder": "x", "n": 1}
        assert d.settings["description"] == "for people"
        with pytest.raises(PlumblineError) as caught:
            wv.create("Planned", planned)
        assert caught.value.code == "changed"
    finally:
        wv.drop("Planned")


@pytest.mark.parametrize(
    ("name", "plan", "code"),
    [
        ("lower", CollectionPlan((VectorField("clip"),)), "usage"),
        ("With-Dash", CollectionPlan((VectorField("clip"),)), "usage"),
        ("Ok", CollectionPlan((VectorField("clip", kind="sparse"),)), "unsupported"),
        ("Ok", CollectionPlan((VectorField("clip", storage="uint8"),)), "unsupported"),
        ("Ok", CollectionPlan((VectorField("clip"),), (PayloadField("a", "tensor"),)), "unsupported"),
        ("Ok", CollectionPlan((VectorField("clip"),), options={"shard_number": 2}), "usage"),
    ],
)
def test_what_weaviate_can_not_hold_is_refused(
    wv: WeaviateConnector, name: str, plan: CollectionPlan, code: str
) -> None:
    with pytest.raises(PlumblineError) as caught:
        wv.create(name, plan)
    assert caught.value.code == code
    assert all(c.name not in (name, name.title()) for c in wv.collections())


def test_the_marker_stands_behind_the_text_for_people(wv: WeaviateConnector) -> None:
    body = {
        "class": "Marked",
        "description": "Pictures of ports.\nOwner: Ada {x}",
        "properties": ALL_TYPES["properties"][:6],
    }
    with raw_collection(wv, body) as t:
        assert wv.marker(t) is None
        for marker in ({"encoder": "scenes-v2", "text": "ü\n{}"}, {"a": [1, {"b": None}]}):
            wv.set_marker(t, marker)
            assert wv.marker(t) == marker
            assert wv.describe(t).settings["description"] == body["description"]
        raw = ask(wv.spec, "GET", "/schema/Marked")
        assert raw["description"].startswith(body["description"])
        wv.set_marker(t, None)
        assert wv.marker(t) is None
        assert ask(wv.spec, "GET", "/schema/Marked")["description"] == body["description"]
        with pytest.raises(PlumblineError) as caught:
            wv.set_marker(t, {"x": float("nan")})
        assert caught.value.code == "usage"


def test_a_copy_has_the_sources_settings_and_none_of_its_rows(wv: WeaviateConnector, types: Target) -> None:
    body = {
        "class": "Source",
        "invertedIndexConfig": {"indexNullState": True, "bm25": {"b": 0.5, "k1": 1.5}, "stopwords": {"preset": "none"}},
        "multiTenancyConfig": {"enabled": True},
        "vectorConfig": {
            "clip": {**NONE, "vectorIndexType": "hnsw", "vectorIndexConfig": {"efConstruction": 77, "distance": "dot", "bq": {"enabled": True}}},
            "flat": {**NONE, "vectorIndexType": "flat"},
        },
        "properties": [
            {"name": "t", "dataType": ["text"], "tokenization": "whitespace", "indexSearchable": False},
            {"name": "n", "dataType": ["int"], "indexRangeFilters": True, "indexFilterable": False},
            {"name": "to", "dataType": ["Pointed"]},
        ],
    }  # fmt: skip
    with raw_collection(wv, body) as source:
        wv.set_marker(source, {"encoder": "x"})
        left_out = wv.create_like(source, "Copied", vectors={"clip": {"dimension": 192, "metric": "cosine"}})
        try:
            mine, theirs = ask(wv.spec, "GET", "/schema/Copied"), ask(wv.spec, "GET", "/schema/Source")
            for key in ("invertedIndexConfig", "multiTenancyConfig", "replicationConfig", "properties"):
                assert mine[key] == theirs[key], key
            assert mine["vectorConfig"]["clip"]["vectorIndexConfig"].pop("distance") == "cosine"
            assert theirs["vectorConfig"]["clip"]["vectorIndexConfig"].pop("distance") == "dot"
            assert mine["vectorConfig"] == theirs["vectorConfig"]
            assert wv.marker(Target("Copied")) is None
            assert any("marker" in x for x in left_out)
            assert any("tenants" in x for x in left_out)
        finally:
            wv.drop("Copied")
        with pytest.raises(PlumblineError) as caught:
            wv.create_like(source, "Copied", vectors={"absent": {"dimension": 3}})
        assert caught.value.code == "not-found"
    assert all(c.name != "Copied" for c in wv.collections())


def test_a_copy_of_the_unnamed_vector_and_of_every_type_takes_the_sources_rows(
    wv: WeaviateConnector, types: Target
) -> None:
    with collection(wv, "LegacySource", N, vectors=(VectorField("", metric="dot"),)) as t:
        wv.create_like(t, "LegacyCopy")
        try:
            assert [(f.name, f.metric) for f in wv.describe(Target("LegacyCopy")).vectors] == [("", "dot")]
        finally:
            wv.drop("LegacyCopy")
    wv.insert(types, [FULL], "replace")
    wv.create_like(types, "TypesCopy")
    try:
        wv.insert(Target("TypesCopy"), wv.export(types))
        assert_same(next(wv.export(Target("TypesCopy"))), FULL)
    finally:
        wv.drop("TypesCopy")


def test_an_unnamed_vector_beside_a_named_one_is_read_written_and_copied(wv: WeaviateConnector) -> None:
    with raw_collection(wv, {"class": "Mixed"}) as t:
        schema = ask(wv.spec, "GET", "/schema/Mixed")
        ask(
            wv.spec,
            "PUT",
            "/schema/Mixed",
            {**schema, "vectorConfig": {"a": {**NONE, "vectorIndexType": "hnsw"}}},
        )
        rows = [
            Row(uid(1), {"": vector(1, 2, 3), "a": vector(1, 2)}, {}),
            Row(uid(2), {"a": vector(3, 4)}, {}),
            Row(uid(3), {"": vector(np.nan, 0, 0)}, {}),
        ]
        assert len(wv.insert(t, rows).done) == 3
        wv.create_like(t, "MixedCopy")
        try:
            assert [f.name for f in wv.describe(Target("MixedCopy")).vectors] == ["", "a"]
            wv.insert(Target("MixedCopy"), wv.export(t), "replace")
            for name in ("Mixed", "MixedCopy"):
                for row, exported in zip(rows, wv.export(Target(name)), strict=True):
                    assert_same(exported, row)
                batch = next(iter(wv.scan(Target(name), ["", "a"])))
                assert batch.vectors[""].present.tolist() == [True, False, True]
                assert batch.vectors["a"].present.tolist() == [True, True, False]
                assert wv.search(Target(name), "a", vector(3, 4).reshape(1, 2), 1)[0][0].id == uid(2)
        finally:
            wv.drop("MixedCopy")


def test_a_drop_takes_the_exact_name_only(wv: WeaviateConnector) -> None:
    with collection(wv, "Kept") as t:
        with pytest.raises(PlumblineError) as caught:
            wv.drop("kept")
        assert caught.value.code == "usage"
        assert wv.count(t).rows == 0
    with pytest.raises(PlumblineError) as caught:
        wv.drop("Kept")
    assert caught.value.code == "not-found"


def test_a_read_only_connection_changes_nothing(
    weaviate_server: WeaviateServer, wv: WeaviateConnector
) -> None:
    with collection(wv, "Guarded") as t:
        careful = WeaviateConnector(weaviate_server.spec(read_only=True))
        changes = [
            lambda: careful.insert(t, plain_rows([uid(1)])),
            lambda: careful.create("Other", CollectionPlan((VectorField("clip"),))),
            lambda: careful.create_like(t, "Other"),
            lambda: careful.drop("Guarded"),
            lambda: careful.set_marker(t, {}),
            lambda: careful.delete(t, [uid(1)], "none"),
        ]
        for change in changes:
            with pytest.raises(PlumblineError) as caught:
                change()
            assert caught.value.code == "read-only"
        assert careful.count(t).rows == 0
        careful.close()


def test_later_writes_are_refused_as_unsupported(wv: WeaviateConnector) -> None:
    with collection(wv, "Later") as t:
        for call in (
            lambda: wv.delete(t, [uid(1)], "window"),
            lambda: wv.merge_payload(t, [uid(1)], [{}], "window"),
            lambda: wv.point_alias("A", "Later", None),
            lambda: wv.index_payload(t, []),
            lambda: wv.add_field(t, VectorField("x")),
            lambda: wv.drop_field(t, "clip"),
            lambda: wv.snapshot(t, "/nowhere"),
        ):
            with pytest.raises(PlumblineError) as caught:
                call()
            assert caught.value.code == "unsupported"
