"""Scans, ranges, samples and descriptions on a real Weaviate."""

from __future__ import annotations

import threading
import time
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import Equals
from connectors.model import ALL, CollectionPlan, PayloadField, Range, Row, SearchOptions, Target, VectorField
from connectors.weaviate import positions
from connectors.weaviate.adapter import WeaviateConnector
from console.search.proportions import clopper_pearson
from tests.connectors.weaviate_kit import N, ask, bits, collection, plain_rows, raw_collection, uid, vector
from tests.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate


@pytest.fixture(scope="module")
def wv(weaviate_server: WeaviateServer) -> Iterator[WeaviateConnector]:
    connector = WeaviateConnector(weaviate_server.spec(timeout=60))
    yield connector
    connector.close()


def _random(n: int) -> list[str]:
    rng = np.random.default_rng(4)
    return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]


SHAPES: dict[str, list[str]] = {
    "random": _random(700),
    "counted": [uid(n) for n in range(700)],
    "clock": [
        str(uuid.UUID(int=(0x0190_0000_0000 + n // 50 << 80) | 7 << 76 | n * 2**50)) for n in range(700)
    ],
    "two_heaps": [uid(n) for n in range(350)] + [uid(2**128 - 1 - n) for n in range(350)],
    "few": [uid(0), uid(2**127), uid(2**128 - 1)],
    "one": [uid(2**128 - 1)],
    "none": [],
}


@pytest.fixture(scope="module", params=list(SHAPES))
def shaped(wv: WeaviateConnector, request: pytest.FixtureRequest) -> Iterator[tuple[Target, list[str]]]:
    ids = SHAPES[request.param]
    with collection(
        wv,
        f"Shape{request.param.title().replace('_', '')}",
        N,
        vectors=(VectorField("clip", index={"type": "flat"}),),
    ) as t:
        assert len(wv.insert(t, plain_rows(ids), "replace").done) == len(ids)
        yield t, sorted(ids)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_ranges_hold_every_row_exactly_once(
    wv: WeaviateConnector, shaped: tuple[Target, list[str]], n: int
) -> None:
    t, ids = shaped
    ranges = wv.ranges(t, n)
    parts = [[i for b in wv.scan(t, [], r, page_bytes=4096) for i in b.ids] for r in ranges]
    assert [i for part in parts for i in part] == ids
    assert (ranges[0].start, ranges[-1].stop) == (None, None)
    assert len(ranges) <= n
    if len(ids) == 700:
        assert len(ranges) == n
        assert max(len(part) for part in parts) < 2.2 * 700 / n


def test_a_scan_starts_and_stops_anywhere_half_open(
    wv: WeaviateConnector, shaped: tuple[Target, list[str]]
) -> None:
    t, ids = shaped
    edges = [
        uid(0),
        uid(1),
        *ids[:2],
        *ids[len(ids) // 2 : len(ids) // 2 + 1],
        *ids[-2:],
        uid(2**128 - 1),
        uid(2**100),
    ]
    for start in (None, 5, *edges):
        for stop in (None, 7, *edges):
            over = Range(None, start, stop)
            got = [i for b in wv.scan(t, [], over, page_bytes=2000) for i in b.ids]
            assert got == [i for i in ids if over.holds(i)], over


def test_a_sample_is_distinct_complete_and_the_same_for_a_seed(
    wv: WeaviateConnector, shaped: tuple[Target, list[str]]
) -> None:
    t, ids = shaped
    for n in (1, 10, 5000):
        drawn = wv.sample(t, n, ["clip"], ["n"], seed=3)
        assert len(set(drawn.ids)) == len(drawn) == min(n, len(ids))
        assert set(drawn.ids) <= set(ids)
        assert wv.sample(t, n, seed=3).ids == drawn.ids
    assert wv.sample(t, 10_000).ids == tuple(ids)
    if len(ids) == 700:
        assert wv.sample(t, 10, seed=4).ids != wv.sample(t, 10, seed=3).ids


def test_positions_follow_the_density_of_skewed_ids() -> None:
    """The cells of 50,000 ids, of which 90% sit in a sliver of the space, drawn from by their weight."""
    rng = np.random.default_rng(1)
    dense = [2**100 + int(x) for x in rng.integers(0, 2**60, 45_000)]
    thin = [int.from_bytes(rng.bytes(16)) for _ in range(5_000)]
    ids = sorted({*dense, *thin})
    keys = np.array(ids, dtype=object)

    def look(position: int, n: int) -> list[int]:
        at = int(np.searchsorted(keys, position))
        return ids[at : at + n]

    cells = positions.cells(look, len(ids), 64)
    assert sum(c.rows for c in cells) == pytest.approx(len(ids), rel=0.35)
    drawn = positions.draw(cells, 4000, rng)
    inside = sum(1 for p in drawn if 2**100 <= p < 2**100 + 2**60) / len(drawn)
    assert inside == pytest.approx(0.9, abs=0.08)
    cut = positions.cuts(cells, 8)
    counts = np.diff([0, *(int(np.searchsorted(keys, p)) for p in cut), len(ids)])
    assert len(counts) == 8
    assert counts.max() < 2 * len(ids) / 8


@pytest.mark.parametrize("pauses", [0, 200])
def test_a_sample_by_position_holds_a_fault_in_a_run_of_ids_within_its_interval(pauses: int) -> None:
    """Ids in the order of time, one row in twenty at fault, all in one run of ingestion: with eight neighbours of
    each position the 95% interval held the truth in half of the samples; with pauses in .38 of them."""
    from connectors.weaviate import sampling

    rows, n, faulty, inside, held = 100_000, 1_000, 5_000, 0, 40
    ids: list[int] = []
    for seed in range(held):
        rng = np.random.default_rng(seed)
        if not seed % 10:
            steps = rng.exponential(1e6, rows).astype(np.int64) + 1
            steps[rng.choice(rows, pauses, replace=False)] += rng.exponential(2e9, pauses).astype(np.int64)
            ids = [(1 << 100) + (i << 40) for i in np.cumsum(steps).tolist()]

        def look(position: int, n: int, ids: list[int] = ids) -> list[int]:
            at = bisect_left(ids, position)
            return ids[at : at + n]

        first = int(rng.integers(rows - faulty))
        cells = positions.cells(look, rows, 64, sampling.LOOKED, positions.typical)
        drawn = positions.sampled(
            cells, n, rng, lambda where, look=look: [look(p, sampling.RUN) for p in where]
        )
        assert len(set(drawn)) == n
        hits = sum(ids[first] <= i < ids[first + faulty] for i in drawn)
        low, high = clopper_pearson(hits, n)
        inside += low <= faulty / rows <= high
    assert inside >= 0.85 * held


def test_a_large_sample_by_position_is_distinct_and_as_likely_for_every_row(
    wv: WeaviateConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts over 40 seeds of 60 rows each scatter no more than the documented bias allows."""
    from connectors.weaviate import sampling

    monkeypatch.setattr(sampling, "_EVENLY_FEW", 100)
    for shape in ("random", "counted"):
        ids = SHAPES[shape]
        with collection(wv, "ByPosition", N, vectors=(VectorField("clip", index={"type": "flat"}),)) as t:
            wv.insert(t, plain_rows(ids), "replace")
            seen: Counter[Any] = Counter(dict.fromkeys(ids, 0))
            for seed in range(40):
                drawn = wv.sample(t, 60, seed=seed)
                assert len(drawn) == len(set(drawn.ids)) == 60
                seen.update(drawn.ids)
            counts = np.array([seen[i] for i in sorted(ids)])
            assert counts.max() < 16
            thirds = counts[:699].reshape(3, 233).sum(1) / 2400
            assert thirds == pytest.approx([1 / 3] * 3, abs=0.12)
            assert wv.sample(t, 60, seed=1).ids == wv.sample(t, 60, seed=1).ids


def test_a_fault_in_a_run_of_ids_is_in_samples_of_a_real_server_as_often_as_by_chance(
    wv: WeaviateConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.weaviate import sampling

    monkeypatch.setattr(sampling, "_EVENLY_FEW", 100)
    monkeypatch.setattr(sampling, "_FEW", 100)
    rows, n, seeds = 2_400, 120, 12
    ids = [str(uuid.UUID(int=(1 << 100) + (i << 40))) for i in range(rows)]
    with collection(wv, "InARun", N, vectors=(VectorField("clip", index={"type": "flat"}),)) as t:
        wv.insert(t, plain_rows(ids), "replace")
        inside = 0
        for seed in range(seeds):
            first = 97 * seed
            drawn = wv.sample(t, n, seed=seed).ids
            assert len(set(drawn)) == n
            hits = len(set(ids[first : first + rows // 10]).intersection(str(i) for i in drawn))
            low, high = clopper_pearson(hits, n)
            inside += low <= 0.1 <= high
        assert inside >= 0.85 * seeds


def test_pages_follow_their_bytes_and_together_are_the_collection(wv: WeaviateConnector) -> None:
    with collection(wv, "Pages", N) as t:
        rows = plain_rows(_random(900), dimension=64)
        wv.insert(t, rows, "replace")
        pages = list(wv.scan(t, ["clip"], payload=("n",), page_bytes=64 * 1024))
        sizes = [p.vectors["clip"].matrix.nbytes for p in pages]
        assert len(pages) > 5
        assert max(sizes) < 64 * 1024
        by_id = {str(r.id): r for r in rows}
        got = [
            (i, p.columns["n"][at], p.vectors["clip"].matrix[at]) for p in pages for at, i in enumerate(p.ids)
        ]
        assert len(got) == 900
        for i, n, held in got:
            assert n == by_id[str(i)].payload["n"]
            assert bits(held) == bits(by_id[str(i)].vectors["clip"])
        for page in pages:
            matrix = page.vectors["clip"].matrix
            assert (matrix.dtype, matrix.shape[1], matrix.flags.c_contiguous) == (np.float32, 64, True)


def test_rows_without_a_vector_are_masked_and_a_field_without_any_is_empty(wv: WeaviateConnector) -> None:
    fields = (VectorField("clip"), VectorField("rare"), VectorField("never", index={"type": "flat"}))
    with collection(wv, "Masked", N, vectors=fields) as t:
        rows = [Row(uid(n), {"clip": vector(n, 1)} if n % 3 else {}, {"n": n}) for n in range(1, 100)]
        rows.append(Row(uid(100), {"rare": vector(1, 2, 3)}, {}))
        wv.insert(t, rows, "replace")
        batches = list(wv.scan(t, ["clip", "rare", "never"], page_bytes=1500))
        present = np.concatenate([b.vectors["clip"].present for b in batches])
        assert present.tolist() == [bool(n % 3) for n in range(1, 100)] + [False]
        assert all((b.vectors["clip"].matrix[~b.vectors["clip"].present] == 0).all() for b in batches)
        assert {b.vectors["rare"].matrix.shape[1] for b in batches} == {3}
        assert sum(int(b.vectors["rare"].present.sum()) for b in batches) == 1
        assert {b.vectors["never"].matrix.shape[1] for b in batches} == {0}
        assert {f.name: f.dimension for f in wv.describe(t).vectors} == {"clip": 2, "rare": 3, "never": None}
        for name in ("hnsw", "flat"):
            assert (
                wv.search(t, "never" if name == "flat" else "rare", np.ones((1, 3), np.float32), 5)
                is not None
            )


@pytest.mark.parametrize("quantization", [None, {"type": "bq"}, {"type": "rq"}])
@pytest.mark.parametrize("kind", ["hnsw", "flat"])
def test_the_dimension_is_known_where_the_first_rows_lack_the_vector(
    wv: WeaviateConnector, kind: str, quantization: dict[str, Any] | None
) -> None:
    field = VectorField("clip", index={"type": kind}, quantization=quantization)
    with collection(wv, "LateVector", N, vectors=(field,)) as t:
        late = Row(uid(99), {"clip": np.ones(37, np.float32)}, {})
        wv.insert(t, [*(Row(uid(n), {}, {}) for n in range(1, 60)), late], "replace")
        assert wv.describe(t).vectors[0].dimension == 37


def test_columns_and_whole_payloads_are_decoded_where_asked_for(wv: WeaviateConnector) -> None:
    body = {
        "class": "Columns",
        "properties": [
            {"name": "n", "dataType": ["int"]},
            {"name": "tags", "dataType": ["text[]"]},
            {"name": "o", "dataType": ["object"], "nestedProperties": [{"name": "k", "dataType": ["text"]}, {"name": "m", "dataType": ["number"]}]},
            {"name": "blob", "dataType": ["blob"]},
        ],
    }  # fmt: skip
    with raw_collection(wv, body) as t:
        payloads: list[dict[str, Any]] = [
            {"n": 1, "tags": ["a"], "o": {"k": "x", "m": 0.5}, "blob": "aGVsbG8="},
            {"o": {"m": 1.0}},
            {},
        ]
        wv.insert(t, [Row(uid(i + 1), {}, p) for i, p in enumerate(payloads)])
        batch = next(iter(wv.scan(t, [], payload=["n", "o.k", "absent", "o", "tags", '"n"'])))
        assert batch.columns == {
            "n": [1, None, None],
            "o.k": ["x", None, None],
            "absent": [None] * 3,
            "o": [{"k": "x", "m": 0.5}, {"m": 1.0}, None],
            "tags": [["a"], None, None],
            '"n"': [1, None, None],
        }
        assert batch.payloads is None
        whole = next(iter(wv.scan(t, [], payload=ALL)))
        assert whole.payloads == tuple(payloads)
        assert dict(next(iter(wv.scan(t, []))).columns) == {}


def test_fetch_keeps_the_order_of_the_ids_and_leaves_out_what_is_not_there(wv: WeaviateConnector) -> None:
    with collection(wv, "Fetched", N) as t:
        ids = _random(600)
        wv.insert(t, plain_rows(ids), "replace")
        wanted = [ids[5], uid(12345), ids[3], ids[5].upper(), *ids[100:500]]
        batch = wv.fetch(t, wanted, ["clip"], ["n"])
        assert batch.ids == (ids[5], ids[3], *ids[100:500])
        assert batch.columns["n"] == [5, 3, *range(100, 500)]
        assert len(wv.fetch(t, [], ["clip"])) == 0
        with pytest.raises(PlumblineError) as caught:
            wv.fetch(t, [5], [])
        assert caught.value.code == "usage"
        assert "UUID" in caught.value.message


def test_neighbours_are_those_of_the_metric_and_a_wrong_dimension_is_caught_first(
    wv: WeaviateConnector,
) -> None:
    fields = (VectorField("cos"), VectorField("dot", metric="dot"), VectorField("l2", metric="euclid"))
    rng = np.random.default_rng(0)
    held = rng.standard_normal((200, 16)).astype(np.float32)
    queries = rng.standard_normal((5, 16)).astype(np.float32)
    with collection(wv, "Metrics", N, vectors=fields) as t:
        wv.insert(
            t,
            [Row(uid(i + 1), {"cos": v, "dot": v, "l2": v}, {"n": i}) for i, v in enumerate(held)],
            "replace",
        )
        unit = held / np.linalg.norm(held, axis=1, keepdims=True)
        cosine = 1 - (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ unit.T
        truths = {
            "cos": cosine,
            "dot": -(queries @ held.T),
            "l2": ((queries[:, None] - held[None]) ** 2).sum(-1),
        }
        for name, truth in truths.items():
            answers = wv.search(t, name, queries, 7, payload=["n"])
            for at, hits in enumerate(answers):
                assert [h.payload["n"] for h in hits] == np.argsort(truth[at])[:7].tolist()
                assert [h.score for h in hits] == pytest.approx(np.sort(truth[at])[:7].tolist(), abs=1e-4)
                assert {h.score_kind for h in hits} == {"distance"}
        filtered = wv.search(t, "cos", queries[:1], 3, Equals("n", 17))[0]
        assert [h.payload for h in filtered] == [{"n": 17}]
        for call, code in (
            (lambda: wv.search(t, "cos", np.ones((1, 8), np.float32), 3), "dimension-mismatch"),
            (lambda: wv.search(t, "nope", queries, 3), "not-found"),
            (lambda: wv.search(t, "cos", queries, 3, options=SearchOptions(exact=True)), "unsupported"),
            (lambda: wv.search(t, "cos", queries, 3, options=SearchOptions(ef=10)), "unsupported"),
            (lambda: wv.search(t, "cos", queries * np.nan, 3), "usage"),
        ):
            with pytest.raises(PlumblineError) as caught:
                call()
            assert caught.value.code == code


def test_keywords_are_found_in_the_fields_that_are_indexed_for_them(wv: WeaviateConnector) -> None:
    fields = (PayloadField("caption", "text"), PayloadField("title", "text"), PayloadField("code", "keyword"))
    with collection(wv, "Words", *fields) as t:
        wv.insert(t, [
            Row(uid(1), {"clip": vector(1, 1)}, {"caption": "a red circle", "title": "blue", "code": "red"}),
            Row(uid(2), {"clip": vector(1, 1)}, {"caption": "a blue square and a blue circle", "title": "x"}),
        ])  # fmt: skip
        hits = wv.search_text(t, "blue", 5)
        assert {h.id for h in hits} == {uid(1), uid(2)}
        assert all(h.score_kind == "similarity" and h.score > 0 for h in hits)
        assert [h.id for h in wv.search_text(t, "blue", 5, fields=["title"])] == [uid(1)]
        assert wv.search_text(t, "blue", 5, fields=["title"], payload=["title"])[0].payload == {
            "title": "blue"
        }
        assert wv.search_text(t, "  ", 5) == []
        assert wv.search_text(t, "nothing of it", 5, fields=["title"]) == []
        with pytest.raises(PlumblineError) as caught:
            wv.search_text(t, "red", 5, fields=["code"])
        assert caught.value.code == "unsupported"


def test_values_are_counted_per_type_and_merged_with_a_limit(wv: WeaviateConnector) -> None:
    fields = (PayloadField("tag", "text"), PayloadField("flag", "bool"), PayloadField("tags", "keyword[]"), N)
    with collection(wv, "Facets", *fields) as t:
        rows = [
            Row(
                uid(n + 1),
                {},
                {"tag": f"Tag {n % 150}", "flag": n % 4 == 0, "n": n % 3, "tags": ["a", "b"][: n % 3]},
            )
            for n in range(600)
        ]
        wv.insert(t, [*rows, Row(uid(9000), {}, {})], "replace")
        top = wv.facet(t, "tag")
        assert (len(top.values), set(top.values.values()), top.rest, top.rows) == (100, {4}, 201, 601)
        every = wv.facet(t, "tag", limit=1000)
        assert (len(every.values), every.rest) == (150, 1)
        assert wv.facet(t, "flag").values == {"false": 450, "true": 150}
        assert wv.facet(t, "n").values == {"0": 200, "1": 200, "2": 200}
        assert wv.facet(t, "tags").rest is None
        assert wv.facet(t, "tags").values == {"a": 400, "b": 200}
        assert wv.facet(t, "tag", Equals("n", 1), limit=1000).rows == 200


def test_hundreds_of_collections_are_listed_quickly_and_one_that_fails_carries_its_error(
    wv: WeaviateConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"Many{n:03}" for n in range(60)]
    for name in names:
        wv.create(name, CollectionPlan((VectorField("clip"),)))
    try:
        wv.insert(Target("Many007"), plain_rows([uid(1)], 5))
        true = WeaviateConnector._aggregate

        def failing(self: WeaviateConnector, opened: Any, *rest: Any, **named: Any) -> int:
            if opened.name == "Many013":
                raise PlumblineError("busy", "shard is loading", where="here")
            return true(self, opened, *rest, **named)

        monkeypatch.setattr(WeaviateConnector, "_aggregate", failing)
        began = time.perf_counter()
        listed = {c.name: c for c in wv.collections()}
        assert time.perf_counter() - began < 5
        assert set(names) <= set(listed)
        assert list(listed) == sorted(listed)
        assert (listed["Many007"].rows, listed["Many007"].vectors[0].dimension) == (1, 5)
        assert listed["Many013"].error == {
            "code": "busy",
            "message": "shard is loading",
            "where": "here",
            "hint": "",
        }
        assert listed["Many013"].rows is None
        assert all(c.error is None for name, c in listed.items() if name != "Many013")
    finally:
        for name in names:
            wv.drop(name)


def test_one_connector_serves_many_threads(wv: WeaviateConnector) -> None:
    with collection(wv, "Threads", N) as t:
        ids = _random(300)
        wv.insert(t, plain_rows(ids), "replace")
        gate = threading.Barrier(8)

        def work(at: int) -> int:
            gate.wait()
            total = sum(len(b) for b in wv.scan(t, ["clip"], page_bytes=3000))
            hits = wv.search(t, "clip", np.ones((2, 4), np.float32), 5)
            return total + wv.count(t, Equals("n", at)).rows + len(hits[0])

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(8))) == [306] * 8


def test_an_index_says_what_it_waits_for(wv: WeaviateConnector) -> None:
    with collection(wv, "Indexed", N) as t:
        assert wv.index_state(t).status == "ready"
        wv.insert(t, plain_rows(_random(50)), "replace")
        state = wv.index_state(t)
        assert (state.status, state.rows, state.indexed, state.queue) == ("ready", 50, 50, 0)
        shard = ask(wv.spec, "GET", "/schema/Indexed/shards")[0]["name"]
        ask(wv.spec, "PUT", f"/schema/Indexed/shards/{shard}", {"status": "READONLY"})
        stalled = wv.index_state(t)
        assert stalled.status == "stalled"
        assert "read-only" in stalled.why
        refused = wv.insert(t, plain_rows([uid(7)]), "replace")
        assert "read-only" in refused.failed[uid(7)]
        with pytest.raises(PlumblineError) as caught:
            wv.insert(t, plain_rows([uid(7)]), "new")
        assert caught.value.code == "read-only"
        ask(wv.spec, "PUT", f"/schema/Indexed/shards/{shard}", {"status": "READY"})


def test_several_shards_are_read_as_one_collection(wv: WeaviateConnector) -> None:
    body = {
        "class": "Sharded",
        "shardingConfig": {"desiredCount": 3},
        "vectorConfig": {"clip": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}},
        "properties": [{"name": "t", "dataType": ["text"]}],
    }
    with raw_collection(wv, body) as t:
        ids = sorted([uid(0), *_random(499)])
        rows = [Row(i, {"clip": vector(n, 1)}, {"t": ["A b", "a B"][n % 2]}) for n, i in enumerate(ids)]
        assert len(wv.insert(t, rows, "replace").done) == 500
        assert [i for b in wv.scan(t, ["clip"], page_bytes=3000) for i in b.ids] == ids
        assert [i for r in wv.ranges(t, 3) for b in wv.scan(t, [], r) for i in b.ids] == ids
        assert wv.count(t, Equals("t", "A b")).rows == 250
        assert wv.facet(t, "t").values == {"A b": 250, "a B": 250}
        query = np.array([[499, 1]], np.float32)
        assert {h.payload["t"] for h in wv.search(t, "clip", query, 300, Equals("t", "a B"))[0]} == {"a B"}
        wv.create_like(t, "ShardedCopy")
        try:
            assert ask(wv.spec, "GET", "/schema/ShardedCopy")["shardingConfig"]["actualCount"] == 3
        finally:
            wv.drop("ShardedCopy")


def test_capabilities_say_why_not(wv: WeaviateConnector) -> None:
    with collection(wv, "Capable", PayloadField("code", "keyword")) as t:
        can = wv.capabilities(t)
        assert not can.exact_search
        assert "flag" in can.exact_search.why
        assert not can.keyword_search
        assert not can.tenants
        assert can.random_sample.supported is None
        assert "likelier" in can.random_sample.why
        assert all(
            can.to_json()[name]["why"]
            for name, value in can.to_json().items()
            if isinstance(value, dict) and not value["supported"]
        )
