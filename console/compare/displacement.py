"""How far the nearest rows of the old side moved on the new one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from console.compare.nearest import Nearest
from console.compare.ties import Tied, match
from console.health.table import F64, I64


@dataclass(frozen=True, slots=True, eq=False)
class Displacement:
    """Where the left's first k went.

    `kept`: (q,) mean change of rank of the rows that are among the right's first k too, the rank of a tie being the
    middle of its class; NaN where there are none. `lost`: (r,) the new ranks of the other rows of all queries,
    infinite beyond the right's list; `query`: (r,) whose. `depth`: the places that all of the right's lists have.
    """

    kept: F64
    lost: F64
    query: I64
    depth: int

    @property
    def median(self) -> float | None:
        """The median new rank of lost rows; None without any, or where it lies beyond the lists."""
        found = float(np.quantile(self.lost, 0.5, method="lower")) if len(self.lost) else math.inf
        return found if math.isfinite(found) else None

    @property
    def beyond(self) -> float | None:
        """The share of lost rows that lie beyond the lists; None without any."""
        return float(np.isinf(self.lost).mean()) if len(self.lost) else None


def displacement(left: Nearest, right: Nearest, k: int) -> Displacement:
    """Of lists of the same queries, at depth k. Raises ValueError where they don't fit (`ties.Tied`)."""
    tied = Tied(left, right, k)
    lost = tied.lost()
    among = np.arange(int(lost.shape[1])) < k
    query, place = np.nonzero((tied.left.rows >= 0) & among)
    there = match(tied.left.rows, right.rows)[query, place]
    gone = lost[query, place]
    after = np.full(len(query), math.inf)
    # A row that is kept and not listed is a twin of the last one that is.
    at = np.flatnonzero((there >= 0) | ~gone)
    after[at] = tied.right.middle_ranks(query[at], there[at])
    # Lists that were read on are deeper than others: a rank is told where every list tells it.
    known = right.counts[right.goes_on]
    depth = int(known.min()) if len(known) else int(right.rows.shape[1])
    after[gone & (after > depth)] = math.inf
    before = tied.left.middle_ranks(query[~gone], place[~gone])
    count = np.bincount(query[~gone], minlength=len(left))
    total = np.bincount(query[~gone], np.abs(after[~gone] - before), minlength=len(left))
    with np.errstate(invalid="ignore"):
        kept = np.where(count > 0, total / count, np.nan)
    return Displacement(kept, after[gone], query[gone], depth)
