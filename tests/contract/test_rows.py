"""export, insert, create_like, markers: what goes in comes out, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import ALL, CollectionPlan, PayloadField, Range, Row, Target, VectorField
from tests.contract.conftest import FIELDS, Harness, plan, rows, vectors

ODD = {
    "caption": "ünïcode \u202e <b>&amp; 'quotes' \"double\" \\ emoji 🦀 zero\u200bwidth",
    "exact": "Tag-1",
    "count": -(2**53),
    "size": 0.1,
    "flag": False,
    "labels": ["a", "b", "a"],
}


def bits(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array, np.float32).tobytes()


def test_every_settable_value_survives_export_and_insert(store: Harness) -> None:
    first = store.fresh(plan(8, "dot"))
    ids, matrix = store.ids(6), vectors(6)
    matrix[1] = 0
    matrix[2] *= 1e-30
    matrix[3] *= 1e30
    matrix[4, 3] = -0.0
    put = [Row(r, {"clip": matrix[i]}, {**ODD, "count": i}) for i, r in enumerate(ids)]
    store.fill(first, put)
    out = {row.id: row for row in store.connector.export(first)}
    assert set(out) == set(ids)
    second = store.fresh(plan(8, "dot"))
    store.fill(second, list(out.values()))
    again = {row.id: row for row in store.connector.export(second)}
    for i, r in enumerate(ids):
        assert out[r].payload == put[i].payload == again[r].payload
        assert bits(out[r].vectors["clip"]) == bits(matrix[i]) == bits(again[r].vectors["clip"])
        assert not out[r].unread


def test_nan_and_inf_survive_with_their_bits_where_the_database_keeps_them(store: Harness) -> None:
    t = store.fresh(plan(4, "dot"))
    matrix = vectors(3, 4)
    matrix[0, 1] = np.frombuffer(b"\x01\x00\xc0\x7f", np.float32)[0]
    matrix[1, 2] = np.inf
    ids = store.ids(3)
    store.fill(t, rows(ids, matrix))
    out = {row.id: row for row in store.connector.export(t)}
    for i, r in enumerate(ids):
        assert bits(out[r].vectors["clip"]) == bits(matrix[i])
    (batch,) = store.connector.scan(t, ("clip",))
    assert sum(not np.isfinite(v).all() for v in batch.vectors["clip"].matrix) == 2


def test_insert_new_leaves_an_existing_row_alone_and_replace_replaces_it_whole(store: Harness) -> None:
    t = store.fresh(plan(4, "dot"))
    ids, matrix = store.ids(3), vectors(3, 4)
    store.fill(t, rows(ids[:2], matrix[:2]))
    other = [Row(r, {"clip": matrix[2]}, {"exact": "later"}) for r in ids]
    result = store.connector.insert(t, other, "new")
    assert set(result.done) == {ids[2]}
    assert set(result.skipped) == set(ids[:2])
    batch = store.connector.fetch(t, ids, ("clip",), ALL)
    assert batch.payloads is not None
    assert batch.payloads[0]["exact"] == "tag-0"
    assert np.array_equal(batch.vectors["clip"].matrix[0], matrix[0])
    result = store.connector.insert(t, other, "replace")
    assert set(result.done) == set(ids)
    batch = store.connector.fetch(t, ids, ("clip",), ALL)
    assert batch.payloads is not None
    assert list(batch.payloads) == [{"exact": "later"}] * 3
    assert np.array_equal(batch.vectors["clip"].matrix, np.repeat(matrix[2:3], 3, axis=0))


def test_a_wrong_dimension_fails_that_row_and_says_so(store: Harness) -> None:
    t = store.fresh(plan(4))
    ids, matrix = store.ids(3), vectors(3, 4)
    store.fill(t, rows(ids[:1], matrix[:1]))
    bad = [Row(ids[1], {"clip": vectors(1, 5)[0]}, {}), Row(ids[2], {"clip": matrix[2]}, {})]
    try:
        result = store.connector.insert(t, bad)
    except PlumblineError as fault:
        assert fault.code == "dimension-mismatch"  # noqa: PT017 (refusing the whole call is as good)
    else:
        assert ids[1] in result.failed
        assert "5" in result.failed[ids[1]]
    assert store.connector.count(t).rows in (1, 2)


def test_several_named_vectors_come_back_each_under_its_name(store: Harness) -> None:
    t = store.fresh(
        CollectionPlan(
            (VectorField("image", "dense", 4, "dot"), VectorField("words", "dense", 6, "euclid")), FIELDS
        )
    )
    ids = store.ids(2)
    a, b = vectors(2, 4), vectors(2, 6)
    store.fill(t, [Row(ids[0], {"image": a[0], "words": b[0]}, {}), Row(ids[1], {"words": b[1]}, {})])
    out = {row.id: row for row in store.connector.export(t)}
    assert set(out[ids[0]].vectors) == {"image", "words"}
    assert set(out[ids[1]].vectors) == {"words"}
    assert bits(out[ids[0]].vectors["words"]) == bits(b[0])


def test_multi_vectors_are_described_and_exported_whole(store: Harness) -> None:
    t = store.fresh(
        CollectionPlan(
            (VectorField("clip", "dense", 4, "cosine"), VectorField("late", "multi", 3, "dot")), FIELDS
        )
    )
    matrix, many = vectors(1, 4), vectors(5, 3)
    (row,) = store.ids(1)
    store.fill(t, [Row(row, {"clip": matrix[0], "late": many}, {})])
    kinds = {f.name: f.kind for f in store.connector.describe(t).vectors}
    assert kinds == {"clip": "dense", "late": "multi"}
    (out,) = store.connector.export(t)
    assert bits(out.vectors["late"]) == bits(many)
    assert out.vectors["late"].shape == (5, 3)


def test_export_takes_ids_or_a_range(store: Harness) -> None:
    t = store.fresh(plan(4))
    ids = store.ids(9)
    store.fill(t, rows(ids, vectors(9, 4)))
    assert {r.id for r in store.connector.export(t, ids[2:5])} == set(ids[2:5])
    (one, *rest) = store.connector.ranges(t, 2)
    parts = [r.id for over in (one, *rest) for r in store.connector.export(t, over)]
    assert sorted(map(str, parts)) == sorted(map(str, ids))
    assert list(store.connector.export(t, [])) == []
    assert len(list(store.connector.export(t, Range()))) == 9


def test_create_like_copies_vectors_and_schema(store: Harness) -> None:
    t = store.fresh(plan(8, "euclid", names=("clip", "other")))
    name = t.collection + "Copy"
    lost = store.connector.create_like(t, name, vectors={"clip": {"dimension": 12}})
    store.made.append(name)
    assert isinstance(lost, tuple)
    first, copy = store.connector.describe(t), store.connector.describe(Target(name))
    assert copy.rows == 0
    assert [(f.name, f.kind, f.metric) for f in copy.vectors] == [
        (f.name, f.kind, f.metric) for f in first.vectors
    ]
    assert {(p.name, p.type) for p in copy.payload} == {(p.name, p.type) for p in first.payload}
    store.fill(
        Target(name), [Row(store.ids(1)[0], {"clip": vectors(1, 12)[0], "other": vectors(1, 8)[0]}, {})]
    )
    assert {f.name: f.dimension for f in store.connector.describe(Target(name)).vectors} == {
        "clip": 12,
        "other": 8,
    }


def test_creating_what_is_there_is_refused(store: Harness) -> None:
    t = store.fresh(plan(4))
    with pytest.raises(PlumblineError) as caught:
        store.connector.create(t.collection, plan(4))
    assert caught.value.code == "changed"


def test_a_marker_is_kept_and_removed(store: Harness) -> None:
    t = store.fresh(plan(4, marker={"encoder": "scenes-v2", "made_by": "test"}))
    assert store.connector.marker(t) == {"encoder": "scenes-v2", "made_by": "test"}
    store.connector.set_marker(t, {"encoder": "other", "nested": {"a": [1, 2.5, None, "ü"]}})
    assert store.connector.marker(t) == {"encoder": "other", "nested": {"a": [1, 2.5, None, "ü"]}}
    assert store.connector.describe(t).marker == store.connector.marker(t)
    store.connector.set_marker(t, None)
    assert store.connector.marker(t) is None


def test_facets_count_every_value_exactly_or_say_why_not(store: Harness) -> None:
    t = store.fresh(plan(4))
    ids, matrix = store.ids(20), vectors(20, 4)
    put = [
        Row(r, {"clip": matrix[i]}, {"exact": ["v1", "V1", "v-1", "v1 b"][i % 4]} if i < 16 else {})
        for i, r in enumerate(ids)
    ]
    store.fill(t, put)
    index = store.connector.capabilities(t).payload_index
    if index:
        store.connector.index_payload(t, (PayloadField("exact", "keyword"),))
    else:
        assert index.why
    facet = store.connector.facet(t, "exact")
    assert dict(facet.values) == {"v1": 4, "V1": 4, "v-1": 4, "v1 b": 4}
    assert facet.rest == 4
    assert facet.rows == 20
    with pytest.raises(PlumblineError) as caught:
        store.connector.facet(t, "no_such_field")
    assert caught.value.code == "unsupported"
