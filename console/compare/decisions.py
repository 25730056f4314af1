"""Whether two cutoffs, one a side, accept the same: an equal share accepted is not the same decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from console.compare.intervals import between, times
from console.compare.nearest import Nearest
from console.compare.ties import Tied
from console.health.table import F64


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs of query and row that both cutoffs accept over those that either does, with its 95% interval over
    queries; `queries`: the same of queries of which something is accepted.
    """

    jaccard: float
    low: float
    high: float
    queries: float

    def to_json(self) -> dict[str, Any]:
        return {"jaccard": self.jaccard, "low": self.low, "high": self.high, "queries": self.queries}


class Decisions:
    """The first `width` rows of both sides: 1 where only first hits are looked at. Tied rows count as in `ties`."""

    def __init__(self, left: Nearest, right: Nearest, width: int) -> None:
        tied = Tied(left, right, width)
        self._shared = tied.entries()
        self._left, self._right = (
            np.where(tied.blurred[:, None], -np.inf, side.scores[:, :width]) for side in (left, right)
        )

    def agreement(self, old: float, new: float) -> Agreement | None:
        """None where neither accepts anything."""
        q = len(self._left)
        held = self._shared
        both = (held.left >= old) & (held.right >= new)
        shared: F64 = np.bincount(held.queries[both], held.weights[both], minlength=q).astype(np.float64)
        left = np.count_nonzero(self._left >= old, axis=1).astype(np.float64)
        right = np.count_nonzero(self._right >= new, axis=1).astype(np.float64)
        either = left + right - shared
        if not either.any():
            return None
        value = float(shared.sum() / either.sum())
        drawn = times(q)
        with np.errstate(invalid="ignore", divide="ignore"):
            low, high = between((drawn @ shared) / (drawn @ either), value)
        queries = np.count_nonzero((left > 0) & (right > 0)) / np.count_nonzero((left > 0) | (right > 0))
        return Agreement(value, max(0.0, low), min(1.0, high), float(queries))

    def best(self, old: float) -> float | None:
        """The largest agreement with what `old` accepts that any cutoff of the right has; None where it accepts nothing."""
        accepted = np.count_nonzero(self._left >= old)
        cuts, counts = np.unique(self._right[np.isfinite(self._right)], return_counts=True)
        if not accepted or not len(cuts):
            return None if not accepted else 0.0
        passing = np.cumsum(counts[::-1])
        held = self._shared
        kept = held.left >= old
        order = np.argsort(-held.right[kept], kind="stable")
        weights = np.append(0.0, np.cumsum(held.weights[kept][order]))
        shared = weights[np.searchsorted(-held.right[kept][order], -cuts[::-1], side="right")]
        return float(np.max(shared / (accepted + passing - shared)))
