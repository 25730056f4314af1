"""How the scores of one side are spread: of first hits, of all hits, of pairs drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from console.compare.nearest import Nearest
from console.compare.scoring import lengths_of, scoring
from console.health.neighbours import score
from console.health.table import F32, F64, I64

BINS: Final = 40
PAIRS: Final = 5_000
QUANTILES: Final = (5, 25, 50, 75, 95)
OUTER: Final = 0.001
"""Scores below this share of all, and above the rest, are counted in the outermost bins: one wild score would stretch them."""
_AT_ONCE: Final = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """`edges`: (b + 1,) of bins that the three share; counts (b,). `quantiles`: per kind, in percent."""

    edges: F64
    counts: dict[str, I64]
    quantiles: dict[str, dict[int, float]]

    def to_json(self, kind: str) -> dict[str, Any]:
        """`kind`: similarity or distance."""
        return {
            "kind": kind,
            "edges": self.edges.tolist(),
            **{name: held.tolist() for name, held in self.counts.items()},
            "quantiles": {
                name: {str(q): value for q, value in held.items()} for name, held in self.quantiles.items()
            },
        }


def _as_it_is(scores: F64) -> F64:
    return scores


def spread_of_scores(near: Nearest, k: int, random: F64, own: Callable[[F64], F64] = _as_it_is) -> Scores:
    """`random`: (p,) nearness of random pairs. `own` turns nearness into the scores that are shown."""
    held = {"top1": near.scores[:, :1].ravel(), "topk": near.scores[:, :k].ravel(), "random": random}
    shown = {name: own(values[np.isfinite(values)]) for name, values in held.items()}
    every = np.concatenate(list(shown.values()))
    low, high = (float(x) for x in np.quantile(every, (OUTER, 1 - OUTER))) if len(every) else (0.0, 1.0)
    if not high > low:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, BINS + 1)
    return Scores(
        edges,
        {name: np.histogram(np.clip(values, low, high), edges)[0] for name, values in shown.items()},
        {name: quantiles(values) for name, values in shown.items()},
    )


def quantiles(values: F64) -> dict[int, float]:
    """Of (n,) numbers; nothing of none."""
    if not len(values):
        return {}
    return dict(zip(QUANTILES, np.percentile(values, QUANTILES).tolist(), strict=True))


def random_scores(rows: F32, metric: str | None, seed: int, pairs: int = PAIRS) -> F64:
    """Nearness of pairs of different rows drawn from (n, d), of those that can be neighbours; none of fewer than two."""
    rows = rows[scoring(rows[:0], metric).fits(lengths_of(rows))]
    n = len(rows)
    if n < 2:
        return np.zeros(0)
    rng = np.random.default_rng([seed, n])
    one = rng.integers(0, n, pairs)
    other = (one + rng.integers(1, n, pairs)) % n
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.concatenate([
            score(rows[one[at : at + _AT_ONCE]], rows[other[at : at + _AT_ONCE]], metric)
            for at in range(0, pairs, _AT_ONCE)
        ])  # fmt: skip
    return found[np.isfinite(found)].astype(np.float64)
