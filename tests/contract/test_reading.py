"""describe, count, scan, ranges, fetch, sample: the same facts on every database."""

from __future__ import annotations

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import ALL, Range, Row, Target, id_key
from tests.contract.conftest import Harness, plan, rows, vectors


def test_the_server_says_who_it_is(store: Harness) -> None:
    server = store.connector.server()
    assert server.version
    assert server.transport == "grpc"
    assert server.latency_ms > 0
    assert server.embedded is (store.kind == "embedded")


def test_a_new_collection_is_described_as_it_was_planned(store: Harness) -> None:
    t = store.fresh(plan(8, "dot"))
    described = store.connector.describe(t)
    assert described.rows == 0
    assert [(f.name, f.kind, f.metric) for f in described.vectors] == [("clip", "dense", "dot")]
    assert not described.vectors[0].normalised_on_write
    listed = {c.name: c for c in store.connector.collections()}
    assert listed[t.collection].rows == 0
    assert listed[t.collection].error is None


def test_the_dimension_is_known_once_there_are_rows(store: Harness) -> None:
    t = store.fresh(plan(8))
    store.fill(t, rows(store.ids(3), vectors(3)))
    (field,) = store.connector.describe(t).vectors
    assert field.dimension == 8


def test_a_missing_collection_is_not_found_by_every_call(store: Harness) -> None:
    t = Target("NoSuchCollection")
    c = store.connector
    calls = [
        lambda: c.describe(t),
        lambda: c.count(t),
        lambda: list(c.scan(t, ("clip",))),
        lambda: c.fetch(t, store.ids(1), ("clip",)),
        lambda: c.search(t, "clip", vectors(1), 3),
        lambda: c.sample(t, 3),
        lambda: c.ranges(t, 3),
        lambda: list(c.export(t)),
        lambda: c.drop("NoSuchCollection"),
        lambda: c.index_state(t),
    ]
    for call in calls:
        with pytest.raises(PlumblineError) as caught:
            call()
        assert caught.value.code == "not-found"
        assert "NoSuchCollection" in str(caught.value)


@pytest.mark.parametrize("n", [0, 1, 2, 257])
def test_a_scan_yields_every_row_once_in_id_order_with_its_vector(store: Harness, n: int) -> None:
    t = store.fresh(plan(8, "dot"))
    ids, matrix = store.ids(n), vectors(n)
    store.fill(t, rows(ids, matrix))
    batches = list(store.connector.scan(t, ("clip",), payload=("exact", "count"), page_bytes=4096))
    seen = [row for b in batches for row in b.ids]
    assert seen == sorted(ids, key=id_key)
    where = {row: i for i, row in enumerate(ids)}
    for b in batches:
        held = b.vectors["clip"]
        assert held.matrix.dtype == np.float32
        assert held.matrix.shape == (len(b), 8)
        assert held.present.all()
        for i, row in enumerate(b.ids):
            assert np.array_equal(held.matrix[i], matrix[where[row]])
            assert b.columns["exact"][i] == f"tag-{where[row] % 3}"
            assert b.columns["count"][i] == where[row]
    assert store.connector.count(t).rows == n


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("size", [0, 1, 3, 120])
def test_ranges_hold_every_row_exactly_once(store: Harness, n: int, size: int) -> None:
    t = store.fresh(plan(4))
    ids = store.ids(size, seed=size)
    store.fill(t, rows(ids, vectors(size, 4)))
    ranges = store.connector.ranges(t, n)
    assert ranges
    assert all(Range.from_json(r.to_json()) == r for r in ranges)
    seen = [row for r in ranges for b in store.connector.scan(t, (), r) for row in b.ids]
    assert sorted(seen, key=id_key) == sorted(ids, key=id_key)
    for outside in store.ids(20, seed=99):
        assert sum(r.holds(outside) for r in ranges) == 1


def test_a_scan_starts_and_stops_where_the_range_says(store: Harness) -> None:
    t = store.fresh(plan(4))
    ids = sorted(store.ids(60), key=id_key)
    store.fill(t, rows(ids, vectors(60, 4)))
    for start, stop in [(10, 20), (0, 1), (59, None), (None, 3), (30, 30)]:
        over = Range(None, None if start is None else ids[start], None if stop is None else ids[stop])
        seen = [row for b in store.connector.scan(t, (), over, page_bytes=512) for row in b.ids]
        assert seen == ids[slice(start, stop)]


def test_rows_without_the_vector_are_masked_not_lost(store: Harness) -> None:
    t = store.fresh(plan(4, names=("clip", "other")))
    ids, matrix = store.ids(9), vectors(9, 4)
    both = [Row(r, {"clip": matrix[i], "other": matrix[i]}, {"count": i}) for i, r in enumerate(ids[:4])]
    one = [Row(r, {"other": matrix[i + 4]}, {"count": i}) for i, r in enumerate(ids[4:])]
    store.fill(t, both + one)
    seen = {
        row: (bool(b.vectors["clip"].present[i]), bool(b.vectors["other"].present[i]))
        for b in store.connector.scan(t, ("clip", "other"))
        for i, row in enumerate(b.ids)
    }
    assert seen == {**dict.fromkeys(ids[:4], (True, True)), **dict.fromkeys(ids[4:], (False, True))}


def test_fetch_gives_the_rows_that_exist_in_the_order_asked(store: Harness) -> None:
    t = store.fresh(plan(4, "dot"))
    ids, matrix = store.ids(10), vectors(10, 4)
    store.fill(t, rows(ids, matrix))
    absent = store.ids(2, seed=7)[1]
    batch = store.connector.fetch(t, [ids[5], absent, ids[2], ids[5]], ("clip",), ALL)
    assert batch.ids == (ids[5], ids[2])
    assert np.array_equal(batch.vectors["clip"].matrix, matrix[[5, 2]])
    assert batch.payloads is not None
    assert [p["count"] for p in batch.payloads] == [5, 2]
    assert len(store.connector.fetch(t, [], ("clip",))) == 0


@pytest.mark.parametrize(("size", "n"), [(0, 5), (3, 5), (200, 50)])
def test_a_sample_holds_distinct_rows_of_the_collection(store: Harness, size: int, n: int) -> None:
    t = store.fresh(plan(4))
    ids = store.ids(size)
    store.fill(t, rows(ids, vectors(size, 4)))
    batch = store.connector.sample(t, n, ("clip",), ("count",), seed=3)
    assert len(batch) == min(size, n)
    assert len(set(batch.ids)) == len(batch)
    assert set(batch.ids) <= set(ids)
    assert len(batch.columns["count"]) == len(batch)


def test_capabilities_are_never_a_guess(store: Harness) -> None:
    t = store.fresh(plan(4))
    for capabilities in (store.connector.capabilities(t), store.connector.capabilities()):
        for name, value in capabilities.to_json().items():
            if isinstance(value, dict) and value["supported"] is not True:
                assert value["why"], name
    assert store.connector.capabilities(t).exact_search.supported is (store.kind != "weaviate")


def test_the_index_state_is_known_or_says_why_not(store: Harness) -> None:
    t = store.fresh(plan(4))
    store.fill(t, rows(store.ids(5), vectors(5, 4)))
    state = store.connector.index_state(t)
    assert state.status in ("ready", "building", "stalled", "failed") or state.why
