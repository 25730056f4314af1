"""Stored comparisons without an engine: what the page draws is a comparison's JSON and its arrays, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

LEFT, RIGHT = "alive/scenes-old#clip", "alive/scenes#clip"
ROWS = 60
DEPTH = 30


@dataclass
class Made:
    """A comparison as the store takes it."""

    data: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.data["id"])


def mean(value: float, half: float = 0.03, queries: int = 40) -> dict[str, Any]:
    return {"mean": value, "low": max(0.0, value - half), "high": min(1.0, value + half), "queries": queries}


def _ranked(matrix: Any, queries: Sequence[int]) -> list[list[tuple[int, float]]]:
    scores = matrix @ matrix.T
    found = []
    for q in queries:
        order = [int(i) for i in np.argsort(-scores[q], kind="stable") if i != q][:DEPTH]
        found.append([(i, float(scores[q, i])) for i in order])
    return found


def changed(k: int, ids: Sequence[int], queries: Sequence[int], seed: int = 5) -> list[dict[str, Any]]:
    """Queries with the real neighbours of two random spaces that agree in part, most changed first."""
    rng = np.random.default_rng(seed)
    left = rng.normal(0, 1, (len(ids), 12))
    right = left + rng.normal(0, 0.8, left.shape)
    spaces = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (left, right)]
    made = []
    for q, old, new in zip(queries, *(_ranked(m, queries) for m in spaces), strict=True):
        ranks = [{row: n + 1 for n, (row, _) in enumerate(held)} for held in (old, new)]
        first, second = {r for r, _ in old[:k]}, {r for r, _ in new[:k]}
        made.append(
            {
                "query": str(ids[q]),
                "kind": "row",
                "id": ids[q],
                "overlap": len(first & second) / k,
                "rbo": 0.4,
                "lost": [ids[r] for r, _ in old[:k] if r not in second],
                "gained": [ids[r] for r, _ in new[:k] if r not in first],
                "left": [{"id": ids[r], "score": s, "rank_right": ranks[1].get(r)} for r, s in old[:k]],
                "right": [{"id": ids[r], "score": s, "rank_left": ranks[0].get(r)} for r, s in new[:k]],
                "grades": None,
            }
        )
    return sorted(made, key=lambda c: c["overlap"])


def scores(kind: str, centre: float) -> dict[str, Any]:
    rng = np.random.default_rng(9)
    edges = np.linspace(-0.4, 1.0, 41)
    held = {
        "top1": rng.normal(centre, 0.05, 400).clip(-0.4, 1),
        "topk": rng.normal(centre - 0.08, 0.07, 4000).clip(-0.4, 1),
        "random": rng.normal(0.0, 0.12, 4000).clip(-0.4, 1),
    }
    return {
        "kind": kind,
        "edges": edges.tolist(),
        **{name: np.histogram(v, edges)[0].tolist() for name, v in held.items()},
        "quantiles": {
            name: {str(q): float(np.percentile(v, q)) for q in (5, 25, 50, 75, 95)}
            for name, v in held.items()
        },
    }


def side(address: str, kind: str = "qdrant", **changes: Any) -> dict[str, Any]:
    made = {
        "address": address, "kind": kind, "vector": address.partition("#")[2], "dimension": 96, "metric": "cosine",
        "score_kind": "similarity", "rows": 12_000, "basis": "stored",
        "encoder": {"name": "scenes-v2", "fingerprint": "0123456789abcdef", "known_by": "marker"},
        "server": {"kind": "qdrant", "version": "1.18.3"}, "notes": [],
    }  # fmt: skip
    return {**made, **changes}


def thresholds(old: float = 0.93) -> dict[str, Any]:
    cutoffs = np.linspace(0.5, 0.99, 30)
    return {
        "population": "top1",
        "translations": [
            {
                "by": "acceptance", "old": old, "new": 0.412, "low": 0.398, "high": 0.43, "accepted": 140,
                "population": 200, "agreement": {"jaccard": 0.86, "low": 0.81, "high": 0.9}, "best_jaccard": 0.88,
                "verdict": "translated", "why": None, "fits_all": False,
                "cohorts": {"language": [{"value": "de", "new": 0.36, "low": 0.33, "high": 0.39, "accepted": 40},
                                         {"value": "en", "new": 0.43, "low": 0.41, "high": 0.45, "accepted": 100}]},
            },
            {
                "by": "precision", "old": old, "new": None, "low": None, "high": None, "accepted": 140, "population": 200,
                "agreement": {"jaccard": None, "low": None, "high": None}, "best_jaccard": None,
                "verdict": "not measured", "why": "12 judgements lie near the cutoff; 50 are needed.", "cohorts": {},
                "fits_all": None,
            },
        ],
        "curve": [[float(c), float(c - 0.5), float(c - 0.52), float(c - 0.48)] for c in cutoffs],
        "nonsense": {
            "left": {"queries": 24, "quantiles": {"5": 0.2, "25": 0.3, "50": 0.4, "75": 0.5, "95": 0.6}, "accepted_share": 0.0},
            "right": {"queries": 24, "quantiles": {"5": 0.2, "25": 0.3, "50": 0.4, "75": 0.45, "95": 0.5},
                      "accepted_share": 0.29},
        },
    }  # fmt: skip


def cohorts() -> dict[str, Any]:
    quality = {"left": 0.61, "right": 0.52, "difference": {"mean": -0.09, "low": -0.14, "high": -0.04}}
    better = {"left": 0.6, "right": 0.66, "difference": {"mean": 0.06, "low": 0.02, "high": 0.1}}
    return {
        "language": [
            {"value": "de", "queries": 70, "overlap_at_k": mean(0.41), "gap": {"value": 0.3, "low": 0.2, "high": 0.39},
             "quality": quality},
            {"value": "en", "queries": 130, "overlap_at_k": mean(0.71), "gap": {"value": -0.3, "low": -0.39, "high": -0.2},
             "quality": better},
        ],
        "modality": [
            {"value": "image", "queries": 100, "overlap_at_k": mean(0.6), "gap": {"value": -0.02, "low": -0.1, "high": 0.06},
             "quality": None},
            {"value": "text", "queries": 100, "overlap_at_k": mean(0.62), "gap": {"value": 0.02, "low": -0.06, "high": 0.1},
             "quality": None},
        ],
    }  # fmt: skip


def request(left: str = LEFT, right: str = RIGHT, **changes: Any) -> dict[str, Any]:
    from console.compare.request import CompareRequest

    return dict(CompareRequest(left, right, **changes).to_json())


def comparison(
    left: str = LEFT,
    right: str = RIGHT,
    number: int = 1,
    *,
    ago: timedelta = timedelta(hours=3),
    k: int = 10,
    ids: Sequence[int] = tuple(range(0, 2 * ROWS, 2)),
    asked: int = 40,
    **changes: Any,
) -> Made:
    """A comparison of two models, and what `changes` makes of it."""
    rng = np.random.default_rng(number)
    held = changed(k, ids, range(min(asked, len(ids))))
    overlap = float(np.mean([c["overlap"] for c in held]))
    anchors = {"fp16": 0.998, "bf16": 0.994, "int8": 0.98}
    data = {
        "id": f"c0000000000{number}",
        "at": (datetime.now(UTC) - ago).isoformat(timespec="seconds"),
        "seconds": 3.4,
        "k": k,
        "p": 0.9,
        "seed": 0,
        "request": request(left, right),
        "summary": f"{overlap * k:.1f} of the first {k} neighbours stay, of 40 queries on 11,980 rows of both sides; "
        "rounding alone would leave 9.8.",
        "left": left,
        "right": right,
        "sides": {"left": side(left), "right": side(right)},
        "queries": len(held),
        "query_source": {"kind": "rows", "golden": None, "dropped": [{"why": "They have no vector.", "queries": 2}]},
        "matched": {"rows": 11_980, "share": 0.998, "by": "id", "left": {"rows": 12_000, "share": 0.998},
                    "right": {"rows": 11_990, "share": 0.999}, "ambiguous": 0, "without_key": 0},
        "pool": {"rows": 11_980, "of": 11_980, "exact": True, "why": None},
        "overlap_at_k": mean(overlap),
        "jaccard": mean(0.45),
        "rank_biased_overlap": mean(0.55),
        "top1": mean(0.48),
        "displacement": {"kept": {"mean": 2.1, "low": 1.9, "high": 2.3},
                         "lost_rank": {"median": 24, "beyond_share": 0.12, "depth": 100}},
        "curve": [float(v) for v in np.linspace(0.48, overlap, k)],
        "noise": {"chance": 0.0008, "left_index": mean(0.991, 0.004), "right_index": mean(0.987, 0.006),
                  "both_indexes": {"not_measured": "The new side has no index."},
                  "anchors": {"left": anchors, "right": anchors}},
        "structure": {"cka": {"value": 0.83, "low": 0.81, "high": 0.85, "rows": 2000},
                      "procrustes": {"residual": 0.21, "rows_fitted": 1500, "rows_held_out": 500}, "reading": "different",
                      "outliers": {"not_measured": "Most rows have moved, each its own way."}},
        "scores": {"left": scores("similarity", 0.9), "right": scores("similarity", 0.5)},
        "thresholds": thresholds(),
        "quality": None,
        "cohorts": cohorts(),
        "changed": held,
        "map": {"left": {"explained": [0.21, 0.12]}, "right": {"explained": [0.3, 0.1]}, "rows": len(ids)},
        "not_measured": [{"what": "both_indexes", "why": "The new side has no index."}],
        "warnings": [],
    }  # fmt: skip
    arrays = {
        "map_left": rng.normal(0, 1, (len(ids), 2)).astype(np.float32),
        "map_right": rng.normal(0, 1, (len(ids), 2)).astype(np.float32),
        "map_ids": np.asarray([str(i) for i in ids]),
        "map_field:modality": np.asarray(["image" if n % 5 else "text" for n in range(len(ids))]),
        "map_field:shapes": np.asarray([str(n) for n in range(len(ids))]),
    }
    return Made({**data, **changes}, arrays)


def judged(**changes: Any) -> Made:
    """A comparison on a golden set: the new side is better."""
    made = comparison(number=2).data
    first = made["changed"][0]
    sides = {n: [{**hit, "grade": None} for hit in first[n]] for n in ("left", "right")}
    sides["left"][0]["grade"], sides["right"][0]["grade"] = 2, 0
    first = {**first, **sides, "grades": {str(sides[n][0]["id"]): sides[n][0]["grade"] for n in sides}}
    quality = {
        "golden": "shop", "version": 3,
        "metrics": {"ndcg@10": {"left": mean(0.6), "right": mean(0.63), "difference": {"mean": 0.031, "low": 0.012, "high": 0.05,
                                                                                   "p_value": 0.002}}},
        "failed_modality": {},
    }  # fmt: skip
    source = {"kind": "golden", "golden": {"name": "shop", "version": 3}, "dropped": []}
    whole = {"quality": quality, "query_source": source, "changed": [first, *made["changed"][1:]]}
    return comparison(number=2, **{**whole, **changes})
