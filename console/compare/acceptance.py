"""The cutoff that accepts as many on the new side as an old one does on the old side."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from console.compare.intervals import times
from console.health.table import F64

_ROOM: Final = 2_000_000
"""Numbers held at once."""


class Acceptance:
    """The scores that are held against a cutoff, (q, w) a side: of first hits w is 1. What is at least as near passes."""

    def __init__(self, left: F64, right: F64) -> None:
        self._left, self._right = left, right
        self._old, self._new = np.sort(left[np.isfinite(left)]), np.sort(right[np.isfinite(right)])

    @property
    def population(self) -> int:
        """Scores on the left."""
        return len(self._old)

    @property
    def asked(self) -> int:
        """Queries."""
        return len(self._left)

    def then(self, new: float) -> int:
        """Scores on the right that a cutoff there accepts."""
        return len(self._new) - int(np.searchsorted(self._new, new))

    def accepted(self, old: float) -> int:
        return len(self._old) - int(np.searchsorted(self._old, old))

    def queries(self, old: float) -> int:
        """Queries of which something passes."""
        return int(np.count_nonzero((self._left >= old).any(axis=1)))

    def new(self, old: float) -> float | None:
        """None where one side has no scores. Between two scores the cutoff lies where it lay on the left."""
        n, m = len(self._old), len(self._new)
        if not (n and m):
            return None
        at = int(np.searchsorted(self._old, old))
        place = float(at)
        if at == n:
            place = n - 1.0
        elif at > 0 and self._old[at] > old:
            place -= float((self._old[at] - old) / (self._old[at] - self._old[at - 1]))
        return float(np.interp(place * ((m - 1) / (n - 1) if n > 1 else 1.0), np.arange(m), self._new))

    def drawn(self, old: F64) -> F64:
        """(b, g) the new cutoffs for `old` (g,) among drawn queries; NaN where nothing passes."""
        drawn = times(len(self._left))
        out = np.full((len(drawn), len(old)), math.nan)
        if not (len(self._old) and len(self._new) and len(old)):
            return out
        passing = np.count_nonzero(self._left[:, :, None] >= old, axis=1)
        there = np.count_nonzero(np.isfinite(self._left), axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (drawn @ passing) / (drawn @ there)[:, None]
        query, place = np.nonzero(np.isfinite(self._right))
        order = np.argsort(-self._right[query, place], kind="stable")
        scores, of = self._right[query, place][order], query[order]
        step = max(1, _ROOM // len(scores))
        for at in range(0, len(drawn), step):
            out[at : at + step] = _reached(drawn[at : at + step, of], share[at : at + step], scores)
        return out


def _reached(weights: F64, share: F64, scores: F64) -> F64:
    """(b, g) the falling `scores` (n,) at which shares (b, g) of weights (b, n) are reached."""
    counts = np.cumsum(weights, axis=1)
    wanted = share * counts[:, -1:]
    # One search for all lines: each is lifted above the one before it.
    lift = np.arange(len(counts))[:, None] * (float(counts[:, -1].max(initial=0)) + 1)
    found = np.searchsorted((counts + lift).ravel(), (np.nan_to_num(wanted) - 1e-9 + lift).ravel())
    place = found.reshape(wanted.shape) - np.arange(len(counts))[:, None] * len(scores)
    return np.where(wanted > 0, scores[np.clip(place, 0, len(scores) - 1)], math.nan)
