"""Evaluations by production searches, on collections whose answers are known to the row."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import Equals, Ids
from connectors.model import PayloadField, Row
from console.progress import Cancelled, Progress, quiet
from console.search import QueryRequest, RowPart, golden, uploads
from console.search.evaluate import Evaluation, evaluate
from console.search.golden import GoldenQuery, GoldenSet, Judgement, Rule
from console.search.golden.asking import opened
from console.search.golden.figures import Judged, cohorts
from console.search.golden.ranking import ranked
from console.search.golden.resolving import Resolved
from console.search.retrieval import names
from console.settings import Address
from tests.search.conftest import PAYLOAD, PHRASES, Bench, row_id


def key(phrase: str) -> str:
    return str(row_id(PHRASES.index(phrase)))


def untied(bench: Bench) -> Address:
    """18 rows of which no two are equally near to anything: a database may break ties as it likes."""
    address = bench.collection(phrases=())
    vectors = np.random.default_rng(4).normal(size=(18, 8)).astype(np.float32)
    payload = {"embedding_version": "toy-a", "modality": "image"}
    bench.fill(
        address.collection, [Row(row_id(i), {"clip": v}, dict(payload)) for i, v in enumerate(vectors)]
    )
    return address


def run(bench: Bench, asked: GoldenSet | str, address: Address, **more: Any) -> Evaluation:
    return evaluate(bench.ws, asked, address, pool=bench.pool, mixes=bench.mixes, **more)


def of(evaluation: Evaluation, query: str) -> Mapping[str, Any]:
    return next(line for line in evaluation.data["per_query"] if line["query"] == query)


@pytest.fixture
def kinds(bench: Bench, pictures: Mapping[str, Path]) -> dict[str, GoldenQuery]:
    """A query of each kind, each with a row of its own."""
    held = {colour: uploads.keep(bench.ws.home, path.read_bytes()) for colour, path in pictures.items()}
    made = [
        GoldenQuery("text", "big red circle"),
        GoldenQuery("image", image=held["blue"]),
        GoldenQuery("row", row=row_id(4)),
        GoldenQuery("text+image", "star", held["green"]),
        GoldenQuery("text+row", "small blue", row=row_id(2)),
        GoldenQuery("all", "square", held["red"], row_id(7)),
    ]
    return {q.id: q for q in made}


@pytest.mark.parametrize("k", [3, 10])
def test_every_kind_of_query_is_ranked_as_the_page_ranks_it(
    bench: Bench, kinds: Mapping[str, GoldenQuery], k: int
) -> None:
    address = untied(bench)
    asked = list(kinds.values())
    held = opened(
        bench.ws, address, asked, pool=bench.pool, mixes=bench.mixes, tell=quiet, cancelled=lambda: False
    )
    found = ranked(held, asked, None, k)
    for query in asked:
        live = QueryRequest(
            (address,), query.text, query.image, RowPart(query.row) if query.row is not None else None, k=k
        )
        answer = bench.ask(*live.addresses, text=live.text, image=live.image, row=live.row, k=k)
        assert answer.error is None
        assert found[query.id].keys == tuple(str(h.id) for h in answer.hits), query.id
        assert set(found[query.id].legs) == (set(query.parts) if len(query.parts) > 1 else set())
        for part, keys in found[query.id].legs.items():
            if query.row is None:
                alone = bench.ask(address, **{part: getattr(live, part)}, k=k)
                assert keys == tuple(str(h.id) for h in alone.hits)
    assert held.encoder is not None
    assert (held.encoder.name, held.encoder.known_by) == ("toy-a", "marker")


def test_metrics_are_those_of_the_hits_by_hand(bench: Bench) -> None:
    address = untied(bench)
    hits = [str(h.id) for h in bench.ask(address, text="red circle", k=18).hits]
    asked = GoldenSet(
        "toys",
        queries=(GoldenQuery("q", "red circle"),),
        judgements=(Judgement("q", hits[0], 0), Judgement("q", hits[1], 2), Judgement("q", hits[9], 1)),
    )
    found = run(bench, asked, address, k=4)
    line = of(found, "q")
    assert line["metrics"] == pytest.approx(
        {
            "ndcg@4": (2 / math.log2(3)) / (2 + 1 / math.log2(3)),
            "precision@4": 0.25,
            "recall@4": 0.5,
            "mrr": 0.5,
            "map": 0.25,
            "hit@4": 1.0,
            "bpref": 0.0,
            "judged@4": 0.5,
        }
    )
    assert [h["key"] for h in line["hits"]] == hits[:4]
    assert [h["grade"] for h in line["hits"]] == [0, 2, None, None]
    assert found.data["unjudged"] == {"hits": 2, "of": 4, "queries": 1}
    assert (found.data["judged@4"], found.data["scored"], found.data["queries"]) == (0.5, 1, 1)
    assert (found.data["version"], found.data["golden"]) == ("draft", "toys")
    assert found.data["hash"] == golden.content_hash(asked)


def test_rules_judge_every_row(bench: Bench) -> None:
    """Nine of 18 rows are big; a query for them finds ten, of which nine are right."""
    rows = tuple(row_id(i) for i, p in enumerate(PHRASES) if p.startswith("big"))
    asked = GoldenSet("toys", queries=(GoldenQuery("q", "big"),), rules=(Rule("q", Ids(rows), 1),))
    found = run(bench, asked, bench.collection(), k=10)
    line = of(found, "q")
    assert line["metrics"]["recall@10"] == line["metrics"]["bpref"] == line["metrics"]["judged@10"] == 1.0
    assert (line["metrics"]["precision@10"], line["relevant"], line["found"], line["unjudged"]) == (
        0.9,
        9,
        9,
        0,
    )
    assert found.data["rules"] == {"rows_read": 18}
    assert {m["modality"]: (m["relevant"], m["found"], m["recall"]) for m in found.data["by_modality"]} == {
        "image": (4, 4, 1.0),
        "text": (5, 5, 1.0),
    }


def test_a_version_is_named_and_a_draft_that_went_on_is_said(bench: Bench) -> None:
    address = bench.collection()
    golden.put(
        bench.ws,
        GoldenSet(
            "toys", queries=(GoldenQuery("q", "red"),), judgements=(Judgement("q", key("big red circle"), 1),)
        ),
    )
    try:
        assert run(bench, "toys", address).data["version"] == "draft"
        golden.freeze(bench.ws, "toys")
        first = run(bench, "toys", address).data
        assert (first["version"], first["warnings"]) == (1, [])
        golden.judge(bench.ws, "toys", "q", key("big red star"), 1)
        second = run(bench, "toys", address).data
        assert (second["version"], second["hash"]) == (1, first["hash"])
        assert "has changed since version 1" in second["warnings"][0]
        draft = run(bench, "toys@draft", address).data
        assert draft["version"] == "draft"
        assert draft["hash"] != first["hash"]
    finally:
        golden.remove(bench.ws, "toys")


def test_what_can_not_be_asked_or_scored_is_said(bench: Bench) -> None:
    address = bench.collection()
    gone = uploads.Upload("12" * 32)
    asked = GoldenSet(
        "toys",
        queries=(
            GoldenQuery("good", "red"),
            GoldenQuery("picture", image=gone),
            GoldenQuery("row", row=row_id(999)),
            GoldenQuery("rule", "blue"),
            GoldenQuery("zero", "green"),
            GoldenQuery("smoke", "star", must=(key("big red star"),)),
        ),
        judgements=(
            Judgement("good", key("big red circle"), 1),
            Judgement("good", str(row_id(998)), 1),
            Judgement("picture", key("big red circle"), 1),
            Judgement("row", key("big red circle"), 1),
            Judgement("zero", key("big red circle"), 0),
        ),
        rules=(Rule("rule", Equals("modality", "sound"), 1),),
    )
    found = run(bench, asked, address, k=18)
    assert {n["query"]: n["why"].split(":")[0] for n in found.data["not_scored"]} == {
        "picture": "Its picture can't be used",
        "row": f"Its row {row_id(999)} is not in the collection.",
        "rule": "No row passes its rules.",
        "zero": "Nothing is judged relevant to it.",
    }
    assert found.data["missing"] == [{"query": "good", "label": "red", "keys": [str(row_id(998))]}]
    assert of(found, "good")["metrics"]["recall@18"] == 0.5
    assert any("no longer there" in w for w in found.data["warnings"])
    assert any("2 queries could not be asked" in w for w in found.data["warnings"])
    assert found.data["metrics"]["mrr"]["queries"] == found.data["scored"] == 1


def test_a_set_of_smoke_items_alone_has_no_metrics_and_fails_by_them(bench: Bench) -> None:
    asked = GoldenSet(
        "toys",
        queries=(
            GoldenQuery(
                "q", "big red circle", must=(key("big red circle"),), must_not=(key("small blue star"),)
            ),
            GoldenQuery(
                "r",
                "big red star",
                must=(key("small blue square"), str(row_id(99))),
                must_not=(key("big red star"),),
            ),
            GoldenQuery("s", row=row_id(99), must_not=(key("big red star"),)),
        ),
    )
    found = run(bench, asked, bench.collection(), k=3)
    assert found.data["metrics"]["ndcg@3"] == {"mean": None, "low": None, "high": None, "queries": 0}
    assert [(i["query"], i["kind"], i["rank"], i["passed"]) for i in found.data["smoke"]] == [
        ("q", "must", 1, True),
        ("q", "must_not", None, True),
        ("r", "must", None, False),
        ("r", "must", None, False),
        ("r", "must_not", 1, False),
        ("s", "must_not", None, False),
    ]
    assert found.smoke_failed == found.data["smoke_failed"] == 4
    assert found.data["smoke"][3]["why"] == "No row of the collection has this key."
    assert "is not in the collection" in found.data["smoke"][5]["why"]


def test_the_fusion_that_lost_what_a_part_had_is_named(bench: Bench, pictures: Mapping[str, Path]) -> None:
    """A star with a green picture: the text has rows 0 and 1, the picture 3 and 4, both in one vector 0 and 1."""
    phrases = [
        "star",
        "star big",
        "star big red",
        "green",
        "green small",
        "green small circle",
        "blue",
        "square",
    ]
    address = bench.collection(phrases=phrases)
    green = uploads.keep(bench.ws.home, pictures["green"].read_bytes())
    rows = [str(row_id(i)) for i in range(len(phrases))]
    both = ("star", green)
    queries = (
        *(GoldenQuery(name, *both) for name in ("lost", "deaf", "good")),
        GoldenQuery("text", "star"),
        GoldenQuery("image", image=green),
    )
    right = {"lost": 4, "deaf": 7, "good": 0, "text": 7, "image": 3}
    asked = GoldenSet(
        "toys", queries=queries, judgements=tuple(Judgement(q, rows[i], 1) for q, i in right.items())
    )
    found = run(bench, asked, address, k=2)
    assert [h["key"] for h in of(found, "good")["hits"]] == rows[:2]
    assert {q: of(found, q)["failed"] for q in right} == {
        "lost": "fusion",
        "deaf": "every part",
        "good": None,
        "text": "text",
        "image": None,
    }
    told = found.data["failed_modality"]
    assert told["text"] == {"queries": 1, "missed": 1, "in_fusions": {"queries": 3, "missed": 2}}
    assert told["image"] == {"queries": 1, "missed": 0, "in_fusions": {"queries": 3, "missed": 2}}
    assert told["fusion"] == {
        "queries": 3,
        "missed": 1,
        "missed_by_every_part": 1,
        "lost_keys": 1,
        "had_by": {"image": 1},
        "lost": [{"query": "lost", "key": rows[4], "rank": {"image": 2}}],
    }
    assert {name: held["mean"] for name, held in told["legs"].items()} == pytest.approx(
        {"text": 1 / 3, "image": 1 / math.log2(3) / 3, "fusion": 1 / 3}
    )


def test_two_addresses_are_paired_query_by_query(bench: Bench) -> None:
    """The old collection lacks every second vector's right place: its rows are another encoder's."""
    good, bad = bench.collection("toy-a", "toy-a"), bench.collection("toy-b", "toy-b")
    queries = tuple(GoldenQuery(f"q{i}", p, cohort={"size": p.split()[0]}) for i, p in enumerate(PHRASES))
    asked = GoldenSet(
        "toys",
        queries=queries,
        judgements=tuple(Judgement(q.id, str(row_id(i)), 1) for i, q in enumerate(queries)),
    )
    same = run(bench, asked, good, against=bad, k=3)
    assert same.data["address"].startswith(str(good))
    assert same.data["against"]["address"].startswith(str(bad))
    assert [s["encoder"]["name"] for s in (same.data, same.data["against"])] == ["toy-a", "toy-b"]
    gap = same.data["against"]["difference"]["ndcg@3"]
    assert (gap["mean"], gap["p_value"], gap["queries"], gap["differing"]) == (0.0, 1.0, 18, 0)
    shuffled = bench.collection(ids=[row_id((i + 9) % 18) for i in range(18)])
    worse = run(bench, asked, good, against=shuffled, k=3)
    gap = worse.data["against"]["difference"]["mrr"]
    assert gap["mean"] > 0.5
    assert gap["low"] > 0
    assert gap["p_value"] < 0.001
    assert worse.against is not None
    by_hand = [worse.scores["mrr"][q.id] - worse.against["mrr"][q.id] for q in queries]
    assert gap["mean"] == pytest.approx(sum(by_hand) / 18)
    assert worse.data["per_query"][0]["difference"] == min(
        line["difference"] for line in worse.data["per_query"]
    )
    sizes = {row["value"]: row for row in worse.data["cohorts"]["size"]}
    assert {v: r["queries"] for v, r in sizes.items()} == {"big": 9, "small": 9}
    assert sizes["big"]["difference"]["ndcg@3"]["queries"] == 9
    assert sizes["big"]["gap"] is None


def test_a_cohort_that_is_worse_is_first_with_a_gap(bench: Bench) -> None:
    address = bench.collection()
    queries = [
        GoldenQuery(f"{size}{i}", phrase, cohort={"size": size})
        for size in ("big", "small")
        for i in range(36)
        if (phrase := [p for p in PHRASES if p.startswith(size)][i % 9])
    ]
    judged = [
        Judgement(q.id, key(str(q.text)) if q.cohort["size"] == "big" else key("big red circle"), 1)
        for q in queries
    ]
    found = run(bench, GoldenSet("toys", queries=tuple(queries), judgements=tuple(judged)), address, k=3)
    worst, best = found.data["cohorts"]["size"]
    assert (worst["value"], best["value"], worst["queries"]) == ("small", "big", 36)
    assert worst["gap"]["low"] > 0 > best["gap"]["high"]
    tagged = [replace(q, cohort={"tag": "hard"} if q.cohort["size"] == "small" else {}) for q in queries]
    found = run(bench, GoldenSet("toys", queries=tuple(tagged), judgements=tuple(judged)), address, k=3)
    (only,) = found.data["cohorts"]["tag"]
    assert (only["value"], only["queries"]) == ("hard", 36)
    assert only["gap"]["low"] > 0
    assert only["gap"]["value"] == pytest.approx(worst["gap"]["value"])


def test_a_set_by_a_field_counts_each_key_once(bench: Bench) -> None:
    payload = (*PAYLOAD, PayloadField("sku", "keyword", indexed=True))
    address = bench.collection(payload=payload, extra={"sku": "all-one"})
    asked = GoldenSet(
        "toys",
        key_field="sku",
        queries=(GoldenQuery("q", "red"),),
        judgements=(Judgement("q", "all-one", 1),),
    )
    found = run(bench, asked, address, k=5)
    assert [h["key"] for h in of(found, "q")["hits"]] == ["all-one"]
    assert of(found, "q")["metrics"]["precision@5"] == 0.2
    without = bench.collection()
    lacking = run(bench, asked, without, k=5)
    assert len(of(lacking, "q")["hits"]) == 5
    assert {h["key"] for h in of(lacking, "q")["hits"]} == {None}
    assert lacking.data["missing"][0]["keys"] == ["all-one"]


def test_another_encoders_vectors_stop_the_evaluation(bench: Bench) -> None:
    address = bench.collection("toy-b", "toy-a", mark=True)
    asked = GoldenSet(
        "toys", queries=(GoldenQuery("q", "red"),), judgements=(Judgement("q", key("big red circle"), 1),)
    )
    with pytest.raises(PlumblineError) as caught:
        run(bench, asked, address)
    assert caught.value.code == "encoder-mismatch"
    unknown = bench.collection(tags=None, mark=False)
    with pytest.raises(PlumblineError) as caught:
        run(bench, asked, unknown)
    assert caught.value.code == "encoder-unknown"
    by_row = asked.but(queries=(GoldenQuery("q", row=row_id(1)),))
    assert run(bench, by_row, unknown).data["encoder"] is None


def test_it_says_how_far_it_is_and_stops_where_it_is_told_to(bench: Bench) -> None:
    address = bench.collection()
    asked = GoldenSet(
        "toys",
        queries=tuple(GoldenQuery(f"q{i}", p) for i, p in enumerate(PHRASES)),
        judgements=(Judgement("q0", key("big red circle"), 1),),
    )
    told: list[Progress] = []
    run(bench, asked, address, tell=told.append)
    assert {"Connecting", "Loading the encoder", "Encoding texts", "Searching", "Counting"} <= {
        p.phase for p in told
    }
    with pytest.raises(Cancelled):
        run(bench, asked, address, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("asked", "k"), [(GoldenSet("empty"), 10), (GoldenSet("q", queries=(GoldenQuery("q", "x"),)), 0)]
)
def test_what_makes_no_sense_is_refused(bench: Bench, asked: GoldenSet, k: int) -> None:
    with pytest.raises(PlumblineError) as caught:
        run(bench, asked, Address(bench.connection, "any"), k=k)
    assert caught.value.code == "usage"


def test_an_empty_collection_is_said(bench: Bench) -> None:
    address = bench.collection(phrases=())
    asked = GoldenSet(
        "toys", queries=(GoldenQuery("q", "red"),), judgements=(Judgement("q", key("big red circle"), 1),)
    )
    found = run(bench, asked, address)
    assert of(found, "q")["metrics"]["ndcg@10"] == 0.0
    assert any("empty" in w for w in found.data["warnings"])


def test_a_querys_own_row_does_not_count_against_it(bench: Bench) -> None:
    """Judged by one rule, so that each row query's own row passes it, too."""
    address = bench.collection()
    big = tuple(row_id(i) for i, p in enumerate(PHRASES) if p.startswith("big"))
    queries = (
        GoldenQuery("rule", row=big[0]),
        GoldenQuery("key", row=big[0]),
        GoldenQuery("own", row=big[0], must=(str(big[0]),)),
    )
    asked = GoldenSet(
        "toys",
        queries=queries,
        judgements=(
            *(Judgement("key", str(row), 1) for row in big),
            Judgement("own", str(big[0]), 2),
            Judgement("own", str(big[1]), 0),
        ),
        rules=(Rule("rule", Ids(big), 1),),
    )
    found = run(bench, asked, address, k=17)
    for query in ("rule", "key"):
        line = of(found, query)
        assert (line["relevant"], line["found"], line["metrics"]["recall@17"]) == (8, 8, 1.0), query
    assert found.data["by_modality"][0]["relevant"] + found.data["by_modality"][1]["relevant"] == 16
    assert [(n["query"], n["why"].split(",")[0]) for n in found.data["not_scored"]] == [
        ("own", "Only its own row is judged relevant to it")
    ]
    (item,) = found.data["smoke"]
    assert not item["passed"]
    assert "own row" in item["why"]


def test_a_query_that_nobody_judged_is_named_and_one_of_smoke_items_is_not(bench: Bench) -> None:
    asked = GoldenSet(
        "toys",
        queries=(
            GoldenQuery("good", "red"),
            GoldenQuery("bare", "blue"),
            GoldenQuery("smoke", "star", must=(key("big red star"),)),
        ),
        judgements=(Judgement("good", key("big red circle"), 1),),
    )
    found = run(bench, asked, bench.collection())
    assert [(n["query"], n["why"]) for n in found.data["not_scored"]] == [
        ("bare", "Nothing is judged for it.")
    ]


def test_gone_keys_of_judgements_and_of_smoke_items_are_counted_apart(bench: Bench) -> None:
    gone = [str(row_id(n)) for n in (900, 901, 902)]
    asked = GoldenSet(
        "toys",
        queries=(GoldenQuery("q", "red", must=(gone[0],), must_not=(gone[1],)),),
        judgements=(Judgement("q", gone[2], 1),),
    )
    data = run(bench, asked, bench.collection()).data
    assert data["missing"] == [{"query": "q", "label": "red", "keys": [gone[2]]}]
    assert data["missing_smoke"] == [{"query": "q", "label": "red", "keys": gone[:2]}]
    assert any(
        "1 of the judged keys is no longer there; where relevant, it counts as missed." in w
        for w in data["warnings"]
    )
    assert any("2 of the smoke items' keys are no longer there" in w for w in data["warnings"])


@pytest.mark.parametrize(
    ("queries", "judgements", "code"),
    [
        ((GoldenQuery("q", "red"),), (), "usage"),
        ((GoldenQuery("q", row=row_id(900)),), (Judgement("q", str(row_id(1)), 1),), "not-found"),
        ((GoldenQuery("q", "red"),), (Judgement("q", str(row_id(1)), 0),), "not-found"),
        ((GoldenQuery("q", row=row_id(900), must=(str(row_id(1)),)),), (), "not-found"),
        ((GoldenQuery("q", "red", must=(str(row_id(0)),)),), (), None),
        ((GoldenQuery("q", "red"),), (Judgement("q", str(row_id(900)), 1),), None),
    ],
)
def test_an_evaluation_without_one_figure_says_so(
    bench: Bench, queries: tuple[GoldenQuery, ...], judgements: tuple[Judgement, ...], code: str | None
) -> None:
    found = run(bench, GoldenSet("toys", queries=queries, judgements=judgements), bench.collection())
    if code is None:
        assert found.error is None
        assert "error" not in found.data
    else:
        assert found.error is not None
        assert found.error.code == code
        assert found.data["error"] == found.error.to_json()


def test_cohorts_differences_hold_together_and_need_30_queries() -> None:
    """Of equal systems, seldom is any of eight cohorts sure to differ: each at 95% for itself, a third would have one."""
    rng = np.random.default_rng(5)
    queries = {
        f"q{i}": GoldenQuery(f"q{i}", "x", cohort={"of": f"c{i % 8}", "few": "rare" if i < 20 else "other"})
        for i in range(320)
    }
    sure = 0
    for _ in range(60):
        apart = rng.normal(0, 0.3, 320).clip(-1, 1)
        one, other = _scored(0.5 + apart / 2), _scored(0.5 - apart / 2)
        rows = cohorts(one, other, queries, ("of", "few"))
        held = {r["value"]: r["difference"]["ndcg@10"] for r in (*rows["of"], *rows["few"])}
        sure += any(held[f"c{i}"]["low"] > 0 or held[f"c{i}"]["high"] < 0 for i in range(8))
        assert held["rare"]["low"] is None
        assert held["rare"]["mean"] == pytest.approx(apart[:20].mean())
        assert held["c0"]["low"] < held["c0"]["mean"] < held["c0"]["high"]
    assert sure <= 9, sure


def _scored(values: np.ndarray) -> Judged:
    """What an address has of its queries where only one metric is looked at."""
    scores = {f"q{i}": float(v) for i, v in enumerate(values)}
    nothing = Resolved({}, {}, {}, {}, frozenset(), 0, None, 0, {})
    return Judged({}, nothing, {}, dict.fromkeys(names(10), scores), 10)


def test_a_set_of_many_queries_and_judgements_is_counted_in_one_pass(bench: Bench) -> None:
    """4,000 queries that nobody finds and 40,000 judgements of one: each looked through for each would be 1.6e8."""
    queries = (GoldenQuery("good", "red"), *(GoldenQuery(f"q{i}", row=row_id(1_000)) for i in range(4_000)))
    judged = (
        Judgement("good", key("big red circle"), 1),
        *(Judgement("q0", str(row_id(i)), 0) for i in range(2_000, 42_000)),
    )
    asked = GoldenSet("toys", queries=queries, judgements=judged, rules=(Rule("good", Ids(()), 1),))
    address = bench.collection()
    began = time.process_time()
    found = run(bench, asked, address)
    assert len(found.data["not_scored"]) == 4_000
    assert time.process_time() - began < 6
