"""A stored evaluation without a search: the texts in it are hostile."""

from __future__ import annotations

from typing import Any

EVIL = "![x](http://evil.example/a.png) <script>alert(1)</script> :red[x] $y$"


def mean(value: float) -> dict[str, Any]:
    return {"mean": value, "low": value - 0.05, "high": value + 0.05, "queries": 2}


def evaluation(
    *, address: str = "alive/things#clip", against_address: str = "alive/things-old#clip", **changes: Any
) -> dict[str, Any]:
    """What the page draws is an evaluation's JSON, and nothing else."""
    names = ("ndcg@10", "precision@10", "recall@10", "mrr", "map", "hit@10", "bpref", "judged@10")
    made = {
        "id": "e00000000001", "at": "2026-11-21T04:00:00+00:00", "seconds": 1.0, "golden": "shop", "version": "draft",
        "hash": "x", "k": 10, "queries": 2, "address": address, "vector": "clip", "metric": "cosine", "rows": 8, "encoder": None,
        "scored": 1, "metrics": {n: mean(0.6) for n in names}, "judged@10": 0.6,
        "unjudged": {"hits": 3, "of": 10, "queries": 1},
        "failed_modality": {"text": {"queries": 1, "missed": 1, "in_fusions": {"queries": 0, "missed": 0}}},
        "by_modality": [{"modality": EVIL, "hits": 4, "share_of_hits": 0.4, "precision": 0.5, "relevant": 2, "found": 1,
                         "recall": 0.5}],
        "smoke": [{"query": "q2", "label": EVIL, "kind": "must", "key": "4", "rank": None, "passed": False, "why": EVIL}],
        "smoke_failed": 1, "missing": [{"query": "q1", "label": EVIL, "keys": ["99"]}],
        "not_scored": [{"query": "q2", "label": "row 3", "why": "Nothing is judged relevant to it."}], "rules": None,
        "against": {"address": against_address, "metrics": {n: mean(0.5) for n in names},
                    "difference": {n: {"mean": 0.1, "low": 0.02, "high": 0.2, "p_value": 0.01, "sd": 0.1, "queries": 1,
                                       "differing": 1} for n in names}},
        "warnings": [EVIL],
        "per_query": [{"query": "q1", "label": EVIL, "kind": "text", "cohort": {"language": "en"},
                       "metrics": dict.fromkeys(names, 0.6), "relevant": 2, "found": 1, "unjudged": 3, "failed": None,
                       "hits": [{"key": "1", "grade": 2}], "against": dict.fromkeys(names, 0.5), "difference": 0.1}],
        "cohorts": {"language": [{"value": EVIL, "queries": 1, "metrics": {n: mean(0.6) for n in names}, "gap": None,
                                  "difference": {"ndcg@10": {"mean": 0.1, "low": 0.0, "high": 0.2}}}]},
    }  # fmt: skip
    return {**made, **changes}
