"""Evidence of a gate that holds, and of pairs of models with known truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from console.compare.gate.evidence import (
    Answers,
    Canary,
    GateEvidence,
    Health,
    IdSets,
    Latency,
    Missing,
    Quality,
    Recall,
    Thresholds,
    Versions,
)
from console.compare.gate.outcome import Outcome
from console.compare.gate.registry import conditions
from console.settings import GateSettings

LIMITS: Mapping[str, Mapping[str, Any]] = {
    name: {**GateSettings().of(name), **({"limit": limit} if limit is not None else {})}
    for name, limit in ((n, {"recall": 0.95, "canary": 0.999}.get(n)) for n in conditions())
}


SAME = "gave the same answers to every query"


def sound() -> GateEvidence:
    """A model against itself."""
    times = np.random.default_rng(0).gamma(9, 1, 1000)
    scores = np.linspace(0.2, 1.0, 24)
    return GateEvidence(
        id_sets=IdSets(12_000, 12_000, Missing(0), Missing(0), "2026-11-21T04:12:03+00:00"),
        health=Health("r0123", "2026-11-21T04:12:03+00:00", "healthy", (), 12_000, 5_000, False),
        versions=Versions(
            "embedding_version",
            {"image": {"v2": 6_000}, "text": {"v2": 6_000}},
            0,
            {"image": "v2", "text": "v2"},
        ),
        recall=Recall(0.998, 0.982, 1.0, 200, 10),
        quality=Quality("ndcg@10", "demo", 3, scores, scores.copy(), SAME),
        latency=Latency(times, np.random.default_rng(1).gamma(9, 1, 1000), (1000, 1000)),
        canary=Canary(
            "scenes-v2",
            Answers(1.0, 1.0, 48, "rows embedded again (median)"),
            Answers(1.0, 1.0, 48, "fixed questions", "2026-11-01T00:00:00+00:00"),
        ),
        thresholds=Thresholds([translation()], "c0123"),
    )


def translation(verdict: str = "translated", **more: Any) -> dict[str, Any]:
    return {
        "by": "acceptance",
        "old": 0.8,
        "new": 0.71,
        "low": 0.7,
        "high": 0.72,
        "accepted": 140,
        "population": 200,
        "agreement": {"jaccard": 0.93, "low": 0.9, "high": 0.95},
        "best_jaccard": 0.94,
        "verdict": verdict,
        "why": None,
        **more,
    }


def told(name: str, evidence: GateEvidence, **limits: Any) -> Outcome:
    """What one condition says."""
    return conditions()[name].run(evidence, {**LIMITS[name], **limits})


def judged(left: Any, right: Any, **more: Any) -> GateEvidence:
    """Evidence whose golden queries scored so."""
    quality = Quality(
        "ndcg@10", "demo", 3, np.asarray(left, np.float64), np.asarray(right, np.float64), **more
    )
    return replace(sound(), quality=quality)


def model_pair(rng: np.random.Generator, n: int, loss: float = 0.0) -> tuple[Any, Any]:
    """nDCG (n,) of two models over n queries: of equal quality, but for `loss` in the mean, exactly.

    Each is the common difficulty of a query with the model's own luck; a worse model drops queries by half.
    """
    common = rng.beta(1.4, 1.0, n)
    left, right = (common * rng.choice([1.0, 1.0, 1.0, 0.63, 0.5], n) for _ in range(2))
    if loss:
        # The mean of `right` is E[common] E[luck] = .5833 x .826 before, and loses half of it where it is struck.
        share = loss / (0.5 * (1.4 / 2.4) * 0.826)
        right = np.where(rng.random(n) < share, right / 2, right)
    return left, right


def cohort(values: Sequence[str | None]) -> dict[str, Sequence[str | None]]:
    return {"language": values}
