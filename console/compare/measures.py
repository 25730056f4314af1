"""How alike two sides' lists of neighbours are, query by query; ties as in `ties`."""

from __future__ import annotations

import math

import numpy as np

from console.compare.nearest import Nearest
from console.compare.request import P
from console.compare.ties import TOLERANCE, Tied
from console.health.findings import Mask
from console.health.table import F64, I64


def agreement(left: Nearest, right: Nearest, k: int) -> F64:
    """(q, k) the tie-aware number of rows that both sides have among their first 1 to k.

    Between 0 and d in column d - 1. Where a pool has fewer than d rows it goes on at the same share. NaN where
    neither side has a row for the query.
    """
    return Tied(left, right, k).agreement()


def overlap(agree: F64) -> F64:
    """(q,) overlap@k: the share of the k nearest rows that both sides have."""
    return agree[:, -1] / agree.shape[1]


def jaccard(agree: F64) -> F64:
    """(q,) rows that both sides have among the k nearest over the rows that either has, X / (2 k - X)."""
    shared, k = agree[:, -1], agree.shape[1]
    return shared / (2 * k - shared)


def top1(agree: F64) -> F64:
    """(q,) 1 where the nearest row is the same, a share where it is tied with others."""
    return agree[:, 0]


def rank_biased_overlap(agree: F64, p: float = P) -> F64:
    """(q,) extrapolated rank-biased overlap (Webber, Moffat and Zobel, ACM TOIS 28, 2010, equation 32).

    `p`: how likely the reader of a list goes on to the next place. Of even lists: X_k / k p^k + (1 - p) / p sum over d of X_d / d p^d. Exactly 1 for equal lists. Raises ValueError
    unless 0 < p < 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"p is {p}, not between 0 and 1")
    depth = np.arange(1, int(agree.shape[1]) + 1)
    weight: F64 = (1 - p) * np.power(p, depth - 1.0)
    weight[-1] += p ** len(depth)
    return np.clip(1 - (1 - agree / depth) @ weight, 0.0, 1.0)


def chance(k: int, rows: int) -> float:
    """The overlap@k of two lists drawn at random from `rows` rows; NaN without any."""
    return min(1.0, k / rows) if rows > 0 else math.nan


def lost_and_gained(left: Nearest, right: Nearest, k: int) -> list[tuple[I64, I64]]:
    """Per query the pool numbers of rows that are among the left's first k alone, and among the right's alone, best first.

    A row that is tied with the k-th of the other side is neither.
    """
    tied = Tied(left, right, k)
    lost, gained = tied.lost(), tied.gained()
    return [(tied.left.rows[i][lost[i]], tied.right.rows[i][gained[i]]) for i in range(len(lost))]


def index_recall(
    exact: Nearest, hits_rows: I64, hits_scores: F64, k: int, tolerance: float = TOLERANCE
) -> F64:
    """(q,) recall@k of an index whose hits (q, h) are pool numbers, -1 padded, with scores recomputed as `exact`'s are.

    A hit is right when its score is at least the k-th exact one less `tolerance` of scale (HEALTH.md, Conventions).
    The query's own row and a row's second hit don't count. NaN where there is nothing to be found.
    """
    q, h = hits_rows.shape
    there = np.minimum(np.count_nonzero(exact.rows >= 0, axis=1), k)
    size = np.ones(q) if exact.scale is None else exact.scale
    if h == 0 or exact.rows.shape[1] == 0:
        return np.where(there > 0, 0.0, np.nan)
    kth = exact.scores[np.arange(q), np.maximum(there, 1) - 1]
    known = np.where(np.isfinite(kth), kth, 0.0)
    bar = known - tolerance * np.maximum(size, np.abs(known))
    counts = _firsts(hits_rows) & (hits_rows >= 0)
    if exact.own is not None:
        counts &= hits_rows != exact.own[:, None]
    first = counts & (np.cumsum(counts, axis=1) <= k)
    right = np.count_nonzero(first & (hits_scores >= bar[:, None]), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there > 0, np.minimum(right, there) / there, np.nan)


def _firsts(rows: I64) -> Mask:
    """(q, h) whether a row comes for the first time in its line."""
    order = np.argsort(rows, axis=1, kind="stable")
    held = np.take_along_axis(rows, order, axis=1)
    new = np.ones(rows.shape, np.bool_)
    new[:, 1:] = held[:, 1:] != held[:, :-1]
    out = np.empty_like(new)
    np.put_along_axis(out, order, new, axis=1)
    return out
