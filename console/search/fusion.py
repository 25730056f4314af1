"""Several rankings into one.

- **Reciprocal rank**: sum over legs of 1 / (60 + rank), ranks from 1 (Cormack, Clarke, Büttcher:
  "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009).
  It needs no common scale, so it is right where legs come from different encoders or databases.
- **Weighted**: the weighted mean of the legs' scores, each leg brought to [0, 1] by its own minimum and
  maximum among the rows that take part (Bruch, Gai, Ingber: "An Analysis of Fusion Functions for Hybrid
  Retrieval", TOIS 2023); distances are turned first, so that 1 is always a leg's best row. Cosine, dot
  products and BM25 have no common scale, hence no raw scores. A row that a leg did not find gets 0 from it.

A score that is not a number is no evidence: it contributes nothing. Ties are settled by the best rank
in any leg, then by the order of legs, then by the order of ids, so the same answer comes twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, TypeVar

from console.search.request import Part

RRF_K: Final = 60
WEIGHTS: Final[Mapping[Part, float]] = {
    "text": 0.6,
    "image": 0.4,
    "row": 0.5,
    "vector": 0.5,
    "keyword": 0.4,
}
"""Default weights of the weighted fusion by query part; only their ratios matter."""

K = TypeVar("K", bound=Hashable)
Ranking = Sequence[tuple[K, float]]
"""One leg's rows, best first, each once, with scores of which more is better."""


def depth(k: int) -> int:
    """Rows of each leg that take part. More than k: a row that all legs rank just below k beats one
    that a single leg ranks first, and would be lost."""
    return max(50, 3 * k)


def rrf(
    rankings: Sequence[Ranking[K]], weights: Sequence[float] | None = None, k: int = RRF_K
) -> dict[K, float]:
    """Fused score of each row: sum of weight / (k + rank). Without weights each leg counts once."""
    shares: dict[K, list[float]] = {}
    for index, ranking in enumerate(rankings):
        weight = 1.0 if weights is None else weights[index]
        for rank, (row, score) in enumerate(ranking, 1):
            shares.setdefault(row, []).append(0.0 if math.isnan(score) else weight / (k + rank))
    return {row: math.fsum(parts) for row, parts in shares.items()}


def weighted(rankings: Sequence[Ranking[K]], weights: Sequence[float]) -> dict[K, float]:
    """Fused score of each row in [0, 1]: the weighted mean of min-max normalised scores."""
    whole = math.fsum(weights)
    shares: dict[K, list[float]] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for (row, _), scaled in zip(ranking, min_max([s for _, s in ranking]), strict=True):
            shares.setdefault(row, []).append(weight * scaled / whole)
    return {row: min(math.fsum(parts), 1.0) for row, parts in shares.items()}


def min_max(scores: Sequence[float]) -> list[float]:
    """Scores to [0, 1]: the best 1, the worst 0, all 1 where they are equal; not finite: 0 (+inf: 1)."""
    held = [s for s in scores if math.isfinite(s)]
    low, high = (min(held), max(held)) if held else (0.0, 0.0)
    span = high - low
    return [_scaled(s, low, high, span) for s in scores]


def order(
    scores: Mapping[K, float], rankings: Sequence[Ranking[K]], id_of: Callable[[K], tuple[int, int]]
) -> list[K]:
    """Rows best first; ties by best rank, then by the first leg that gave it, then by id."""
    best: dict[K, tuple[int, int]] = {}
    for leg, ranking in enumerate(rankings):
        for rank, (row, _) in enumerate(ranking, 1):
            best[row] = min(best.get(row, (rank, leg)), (rank, leg))
    return sorted(scores, key=lambda row: (-scores[row], best[row], id_of(row)))


def _scaled(score: float, low: float, high: float, span: float) -> float:
    if not math.isfinite(score):
        return 1.0 if score == math.inf else 0.0
    if span == 0.0:
        return 1.0
    if math.isinf(span):
        return (score / 2 - low / 2) / (high / 2 - low / 2)
    return (score - low) / span
