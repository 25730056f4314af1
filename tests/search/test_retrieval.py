"""Retrieval metrics against ranx, which counts by itself, and against tables worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from console.search.retrieval import PADDING, completed, names, score

K = 10


def drawn(seed: int, queries: int = 120) -> tuple[dict[str, dict[str, int]], dict[str, list[str]]]:
    """Graded judgements of some keys, and rankings that hold judged and unjudged ones; some queries have no answer."""
    rng = np.random.default_rng(seed)
    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, list[str]] = {}
    for q in range(queries):
        keys = rng.permutation(60)
        grades = {f"d{i}": int(rng.choice([0, 0, 1, 1, 2, 3])) for i in keys[: rng.integers(1, 25)]}
        if not any(grades.values()):
            grades[f"d{keys[0]}"] = 1
        qrels[f"q{q}"] = grades
        run[f"q{q}"] = [f"d{i}" for i in rng.permutation(60)[: rng.integers(1, 15)]]
    return qrels, run


@pytest.mark.parametrize("seed", range(3))
def test_every_metric_is_what_ranx_counts(seed: int) -> None:
    from ranx import Qrels, Run, evaluate

    qrels, run = drawn(seed)
    ours = score(qrels, run, K)
    ranked = {q: {key: float(100 - i) for i, key in enumerate(keys[:K])} for q, keys in run.items()}
    theirs = {
        f"ndcg@{K}": f"ndcg@{K}",
        f"precision@{K}": f"precision@{K}",
        f"recall@{K}": f"recall@{K}",
        "mrr": "mrr",
        "map": "map",
        f"hit@{K}": f"hit_rate@{K}",
        "bpref": "bpref",
    }
    counted = Run(ranked)
    evaluate(Qrels(qrels), counted, list(theirs.values()))
    for name, other in theirs.items():
        for query, grades in qrels.items():
            if name == "bpref" and all(grades.values()):
                continue  # ranx divides by the number of keys that are judged not relevant
            assert ours[name][query] == pytest.approx(counted.scores[other][query], abs=1e-9), (name, query)


def test_metrics_are_those_of_a_table_by_hand() -> None:
    """Grades 3 at rank 2, 1 at rank 4, a judged 0 at rank 1, an unjudged key at rank 3; a 2 is not found."""
    qrels = {"q": {"a": 0, "b": 3, "d": 1, "e": 2}}
    found = score(qrels, {"q": ["a", "b", "c", "d"]}, 4)
    gain = 3 / math.log2(3) + 1 / math.log2(5)
    best = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert {name: values["q"] for name, values in found.items()} == pytest.approx(
        {
            "ndcg@4": gain / best,
            "precision@4": 2 / 4,
            "recall@4": 2 / 3,
            "mrr": 1 / 2,
            "map": (1 / 2 + 2 / 4) / 3,
            "hit@4": 1.0,
            "bpref": 0.0,
            "judged@4": 3 / 4,
        }
    )


def test_only_the_first_k_count_in_every_metric() -> None:
    found = score({"q": {"x": 1}}, {"q": ["a", "b", "x"]}, 2)
    assert all(values == {"q": 0.0} for values in found.values())


def test_a_query_without_an_answer_scores_nothing_and_one_without_a_relevant_key_is_not_scored() -> None:
    qrels = {"none": {"a": 1}, "empty": {"a": 1}, "nothing": {"a": 0}, "found": {"a": 1}}
    found = score(qrels, {"empty": [], "found": ["a"], "nothing": ["a"]}, 5)
    assert found["ndcg@5"] == {"none": 0.0, "empty": 0.0, "found": 1.0}
    assert score(qrels, {}, 5)["mrr"] == {"none": 0.0, "empty": 0.0, "found": 0.0}
    assert score({}, {"q": ["a"]}, 5) == {name: {} for name in names(5)}


def test_the_order_of_the_ranking_counts_and_never_that_of_keys() -> None:
    qrels = {"q": {"a": 1}}
    for keys in (["z", "a"], ["0", "a"]):
        assert score(qrels, {"q": keys}, 2)["mrr"] == {"q": 0.5}


def test_keys_may_hold_anything() -> None:
    odd = ["\0", "\ud800", "a b", "", "ü" * 400, "'; DROP"]
    qrels = {"\0\ud800": dict.fromkeys(odd, 1)}
    found = score(qrels, {"\0\ud800": odd[::-1]}, 6)
    assert found["recall@6"] == {"\0\ud800": 1.0}


def test_a_query_that_is_judged_completely_has_the_bpref_of_all_its_rows() -> None:
    rng = np.random.default_rng(5)
    keys = [str(i) for i in range(40)]
    for _ in range(50):
        relevant = dict.fromkeys(rng.choice(keys, rng.integers(1, 30), replace=False), 1)
        ranking = [str(k) for k in rng.permutation(keys)[:10]]
        whole = {**dict.fromkeys(keys, 0), **relevant}
        held = completed(relevant, ranking, len(keys))
        assert not any(k.startswith(PADDING) and k in ranking for k in held)
        assert score({"q": held}, {"q": ranking}, 10) == score({"q": whole}, {"q": ranking}, 10)
