"""How many rows two lists share where scores are tied: a class of ties holds the places that are left together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from console.compare.nearest import Nearest
from console.health.findings import Mask
from console.health.table import F64, I64, U64

TOLERANCE: Final = 1e-6
"""Of the scale of scores (HEALTH.md, Conventions)."""
TRIED: Final = (0.5, 1.0, 2.0)
"""Times the tolerance: rounding can move a row over the edge of one of them, not of all."""
BLUR: Final = 0.25
"""Times the tolerance by which the edges of a class are wider on one side: float32 rounds scores of vectors that were
brought to length 1 by up to 2e-7."""
WIDEST: Final = TRIED[-1] + BLUR
RANKED: Final = 4_096
ROUNDED: Final = 10
"""Decimals of a number of shared rows: weights of a class are fractions, and their sum is whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """Rows that are among the first k on both sides, p entries.

    `queries`: (p,) places of queries, rising. `weights`: (p,) how many rows, the smaller weight of both sides. `left`,
    `right`: (p,) their scores, at least that of the last place: a class of ties passes a cutoff as one.
    """

    queries: I64
    weights: F64
    left: F64
    right: F64


class Tied:
    """Two sides' lists of the same queries, up to depth k.

    At depth d, t is the d-th score and a row is in its class if it is as near to within the tolerance. Rows above
    the class have the weight 1, those of the class share the places left: (d - rows above) / rows of the class. A
    class that runs past the end of the list is completed by the twins of the last row listed. Where there are fewer
    than d rows, all have the weight 1.

    What is shared is the smaller weight of both sides, one of them with blurred edges (`Side.loose`): the same space,
    stored once at length 1 and once as it came, has a row near the edge of a class inside of it here and outside
    there.

    Of a query whose list is blurred on a side nothing is shared, and nothing lost. Raises ValueError where lists are
    shorter than k and than the rows there are, or of other queries.
    """

    def __init__(self, left: Nearest, right: Nearest, k: int) -> None:
        if len(left) != len(right):
            raise ValueError(f"{len(left)} queries on the left, {len(right)} on the right")
        self.k = k
        own = left.own if left.own is not None else right.own
        self._own = np.full(len(left), -1, np.int64) if own is None else own
        self.left, self.right = Side(left, k, self._own), Side(right, k, self._own)
        self.blurred = self.left.blurred | self.right.blurred
        """(q,) whose nearest rows are not all known on a side."""
        self.places = np.maximum(self.left.counts, self.right.counts)
        """(q,) rows that there are on the side that has more."""
        self._of_left = match(self.left.rows, self.right.rows)
        self._of_right = match(self.right.rows, self.left.rows)
        # Where a row is not listed: whether it is a twin of the last that is.
        self._left_ends = self.right.ends_with(self.left.rows) & (self._of_left < 0)
        self._right_ends = self.left.ends_with(self.right.rows) & (self._of_right < 0)
        self._unlisted = self._joint()

    def shared(self, d: int, tolerance: float) -> tuple[F64, F64, F64]:
        """Weights that both sides share at depth d: of the left's rows (q, w), of rows that only the right lists (q, w'), of
        all rows that neither lists (q,).
        """
        left, right = self.left.weights(d, tolerance), self.right.weights(d, tolerance)
        one = self._met(left, self.right.loose(d, tolerance))
        other = self._met(self.left.loose(d, tolerance), right)
        better = _total(*other) > _total(*one)
        mine, theirs = (np.where(better[:, None], other[i], one[i]) for i in range(2))
        return mine, theirs, np.where(better, other[2], one[2])

    def _met(self, left: tuple[F64, F64], right: tuple[F64, F64]) -> tuple[F64, F64, F64]:
        (left_rows, left_end), (right_rows, right_end) = left, right
        there = _taken(right_rows, self._of_left, self._left_ends * right_end[:, None])
        here = np.where(
            self._of_right >= 0,
            0.0,
            self._right_ends * left_end[:, None],
        )
        known = ~self.blurred
        return (
            np.minimum(left_rows, there) * known[:, None],
            np.minimum(right_rows, here) * known[:, None],
            self._unlisted * np.minimum(left_end, right_end) * known,
        )

    def agreement(self) -> F64:
        """(q, k) the number of shared rows among the first d, the best of the tolerances; NaN where there are no rows, and
        where a list is blurred.

        Where there are fewer than d rows it goes on at the same share.
        """
        plain = self.left.plain & self.right.plain
        if not plain.any():
            return self._by_class()
        out = np.full((len(plain), self.k), np.nan)
        out[plain] = self._by_place(plain)
        rest = np.flatnonzero(~plain)
        if len(rest):
            out[rest] = Tied(self.left.held.only(rest), self.right.held.only(rest), self.k)._by_class()
        return out

    def _by_place(self, plain: Mask) -> F64:
        """(p, k) the agreement of queries without ties: a row is shared from the deeper of its two places on."""
        there: I64 = self._of_left[plain, : self.k]
        query, place = np.nonzero((there >= 0) & (there < self.k))
        deeper = np.maximum(place, there[query, place])
        counts = np.bincount(query * self.k + deeper, minlength=len(there) * self.k)
        return np.cumsum(counts.reshape(len(there), self.k), axis=1).astype(np.float64)

    def _by_class(self) -> F64:
        out = np.zeros((len(self.places), self.k))
        for d in range(1, self.k + 1):
            for tolerance in TRIED:
                parts = self.shared(d, tolerance)
                np.maximum(out[:, d - 1], _total(*parts), out=out[:, d - 1])
        depth: I64 = np.arange(1, self.k + 1)
        there = np.minimum(depth, self.places[:, None])
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.minimum(np.round(out, ROUNDED), there) / there * depth
        return np.where((there > 0) & ~self.blurred[:, None], value, np.nan)

    def entries(self) -> Shared:
        """What is shared at depth k, by the tolerance that finds the most for each query."""
        q = len(self.places)
        found = [self.shared(self.k, tolerance) for tolerance in TRIED]
        best = np.argmax([_total(*parts) for parts in found], axis=0) if q else np.zeros(0, np.int64)
        mine, theirs, neither = (
            np.stack([parts[i] for parts in found])[best, np.arange(q)] for i in range(3)
        )
        left_end, right_end = self.left.last, self.right.last
        there = _taken(self.right.scores, self._of_left, np.broadcast_to(right_end[:, None], mine.shape))
        i, j = np.nonzero(mine)
        a, b = np.nonzero(theirs)
        c = np.flatnonzero(neither)
        queries = np.concatenate([i, a, c])
        order = np.argsort(queries, kind="stable")
        return Shared(
            queries[order],
            np.concatenate([mine[i, j], theirs[a, b], neither[c]])[order],
            np.maximum(
                np.concatenate([self.left.scores[i, j], left_end[a], left_end[c]])[order],
                self.left.kth[queries[order]],
            ),
            np.maximum(
                np.concatenate([there[i, j], self.right.scores[a, b], right_end[c]])[order],
                self.right.kth[queries[order]],
            ),
        )

    def lost(self) -> Mask:
        """(q, w) rows among the left's first k places that are not among the right's first k, nor tied with them."""
        return self._alone(self.left, self.right, self._of_left, self._left_ends)

    def gained(self) -> Mask:
        """(q, w') the same of the right's."""
        return self._alone(self.right, self.left, self._of_right, self._right_ends)

    def _alone(self, one: Side, other: Side, of_one: I64, ends: Mask) -> Mask:
        held, end = other.weights(self.k, TRIED[-1])
        found = _taken(held, of_one, ends * end[:, None]) > 0
        among = np.arange(int(one.rows.shape[1])) < self.k
        return (one.rows >= 0) & among & ~found & ~self.blurred[:, None]

    def _joint(self) -> F64:
        """(q,) rows that neither side lists, and that are twins of the last row of both."""
        left, right = self.left, self.right
        out = np.zeros(len(self.places))
        asked = np.flatnonzero((left.unlisted > 0) & (right.unlisted > 0) & left.reaches & right.reaches)
        if not len(asked):
            return out
        pairs, place = np.unique(
            np.stack([left.group[asked], right.group[asked]]), axis=1, return_inverse=True
        )
        counts = np.array(
            [np.count_nonzero((left.twins == a) & right.twins_are(b, len(left.twins))) for a, b in pairs.T]
        )
        both = left.ends_with(left.rows) & right.ends_with(left.rows)
        more = left.ends_with(right.rows) & right.ends_with(right.rows) & (self._of_right < 0)
        own = self._own[:, None]
        mine = left.ends_with(own)[:, 0] & right.ends_with(own)[:, 0]
        listed = both.sum(axis=1) + more.sum(axis=1) + mine
        out[asked] = counts[place.ravel()] - listed[asked]
        return out


class Side:
    """One side's lists. `rows`, `scores`: (q, w), cut where no row can be among the first k; padding has the score -inf."""

    def __init__(self, held: Nearest, k: int, own: I64) -> None:
        q, m = held.rows.shape
        self._k = k
        self.counts = held.counts
        more = held.goes_on
        self.blurred = np.zeros(q, np.bool_) if held.blurred is None else held.blurred
        if (more & (self.counts < k) & ~self.blurred).any():
            short = int(self.counts[more].min())
            raise ValueError(f"lists of {short} rows do not say what is among the first {k}")
        self._scale = np.ones(q) if held.scale is None else held.scale
        self._depth = np.where(self.counts > 0, np.minimum(self.counts, k), 1) - 1
        at = np.arange(len(held))
        self.end: I64 = np.maximum(self.counts, 1) - 1
        """(q,) the place of the last row listed."""
        self.last = held.scores[at, self.end] if m else np.full(q, -np.inf)
        self.kth = held.scores[at, self._depth] if m else self.last
        floor = self.kth - tolerance_of(self.kth, self._scale, WIDEST)
        able = held.scores >= floor[:, None]
        width = int(np.count_nonzero(able & (held.rows >= 0), axis=1).max(initial=0))
        self.held = held
        self.rows, self.scores = held.rows[:, :width], held.scores[:, :width]
        self.reaches = more & (self.last >= floor) & ~self.blurred
        """(q,) whether the class at depth k may run past the end of the list."""
        self.twins: U64 = np.zeros(0, np.uint64) if held.twins is None else held.twins
        self.group: U64 = np.zeros(q, np.uint64)
        self.unlisted = np.zeros(q)
        if self.reaches.any() and len(self.twins):
            self._complete(own)

    def _complete(self, own: I64) -> None:
        """Finds the twins of the last rows: `group` (q,) their hash, `unlisted` (q,) how many are not in the list."""
        ends = np.take_along_axis(self.held.rows, self.end[:, None], axis=1)
        self.group = np.where(self.reaches, self._twin(ends)[:, 0], np.uint64(0))
        values, counts = np.unique(self.twins, return_counts=True)
        known = counts[np.minimum(np.searchsorted(values, self.group), len(counts) - 1)]
        listed = np.count_nonzero(self.ends_with(self.rows), axis=1) + self.ends_with(own[:, None])[:, 0]
        self.unlisted = np.where(self.group > 0, np.maximum(known - listed, 0), 0).astype(np.float64)

    @property
    def plain(self) -> Mask:
        """(q,) whether there are k rows, and none of them is tied with the next one."""
        k, held = self._k, self.held.scores[:, : self._k + 1]
        if int(held.shape[1]) <= k:
            return np.zeros(len(self.counts), np.bool_)
        with np.errstate(invalid="ignore"):
            near = tolerance_of(held[:, :-1], self._scale[:, None], WIDEST)
            apart = held[:, :-1] - held[:, 1:] > near
        return apart.all(axis=1) & (self.counts > k) & ~self.blurred

    @property
    def mixed(self) -> Mask:
        """(q,) whether the class at depth k runs past the end of the list and holds others than the twins of the last row:
        then how many there are is not known.
        """
        if not self.reaches.any():
            return self.reaches
        floor = self.kth - tolerance_of(self.kth, self._scale, WIDEST)
        top = self.kth + tolerance_of(self.kth, self._scale, WIDEST)
        tied = (self.scores >= floor[:, None]) & (self.scores <= top[:, None]) & (self.rows >= 0)
        return self.reaches & (tied & ~self.ends_with(self.rows)).any(axis=1)

    def ends_with(self, rows: I64) -> Mask:
        """(q, w) which of some pool numbers are twins of the last row of each list."""
        return (
            (self._twin(rows) == self.group[:, None]) & (self.group > 0)[:, None] if rows.size else rows > 0
        )

    def twins_are(self, value: int, n: int) -> Mask:
        """(n,) rows with a vector."""
        held = np.zeros(n, np.bool_)
        held[: len(self.twins)] = self.twins[:n] == value
        return held

    def weights(self, d: int, tolerance: float) -> tuple[F64, F64]:
        """(q, w) the weights at depth d of the rows listed, and (q,) that of each twin past the end of the list."""
        if not self.scores.size:
            return np.zeros(self.scores.shape), np.zeros(len(self.counts))
        held = self._class(d, tolerance)
        return held.above + held.tied * held.share[:, None], held.reached * held.end

    def _class(self, d: int, tolerance: float) -> _Class:
        at = np.minimum(d - 1, self._depth)
        level = self.scores[np.arange(len(at)), at]
        spare = tolerance_of(level, self._scale, tolerance)
        above = self.scores > (level + spare)[:, None]
        tied = (self.scores >= (level - spare)[:, None]) & ~above & (self.rows >= 0)
        reached = self.reaches & (self.last >= level - spare)
        left = d - np.count_nonzero(above, axis=1)
        size = np.count_nonzero(tied, axis=1) + reached * self.unlisted
        share = np.minimum(left / np.maximum(size, 1), 1.0)
        return _Class(above, tied, share, reached, (self.unlisted > 0) * share)

    def loose(self, d: int, tolerance: float) -> tuple[F64, F64]:
        """The same with edges that are wider by `BLUR`, so that no row loses by having been rounded over one: a row keeps its
        place above the class, or in it, and has the largest share that a class about as wide gives.
        """
        if not self.scores.size:
            return self.weights(d, tolerance)
        shares = [self._class(d, t) for t in (tolerance - BLUR, tolerance, tolerance + BLUR)]
        share, end = (np.max([getattr(c, name) for c in shares], axis=0) for name in ("share", "end"))
        narrow, wide = shares[0], shares[-1]
        tied = (wide.above | wide.tied) & ~narrow.above
        rows = narrow.above + tied * share[:, None]
        return rows, wide.reached * end

    def middle_ranks(self, query: I64, place: I64) -> F64:
        """(p,) ranks from 1 of the rows at some places of whole lists, the middle of the class where rows are tied.

        Place -1 stands for a twin of the last row listed.
        """
        out = np.empty(len(query))
        for at in range(0, len(out), RANKED):
            some = slice(at, at + RANKED)
            line = query[some]
            whole = self.held.scores[line]
            score = np.where(place[some] >= 0, whole[np.arange(len(whole)), place[some]], self.last[line])
            spare = tolerance_of(score, self._scale[line], 1.0)
            above = np.count_nonzero(whole > (score + spare)[:, None], axis=1)
            size = np.count_nonzero(whole >= (score - spare)[:, None], axis=1) - above
            ends = self.last[line] >= score - spare
            out[some] = above + (size + ends * self.unlisted[line] + 1) / 2
        return out

    def _twin(self, rows: I64) -> U64:
        if not len(self.twins):
            return np.zeros(rows.shape, np.uint64)
        known = (rows >= 0) & (rows < len(self.twins))
        return np.where(known, self.twins[np.where(known, rows, 0)], np.uint64(0))


@dataclass(frozen=True, slots=True, eq=False)
class _Class:
    """The class of the d-th row. `above`, `tied`: (q, w). `share`: (q,) the weight of a row of it. `reached`: (q,) it runs
    past the end of the list. `end`: (q,) the weight of each twin there.
    """

    above: Mask
    tied: Mask
    share: F64
    reached: Mask
    end: F64


def tolerance_of(scores: F64, scale: F64, times: float) -> F64:
    """How far below scores a tied one may be: `times` the tolerance of the scale, or of the score where that is more."""
    return times * TOLERANCE * np.maximum(scale, np.where(np.isfinite(scores), np.abs(scores), 0.0))


def _total(mine: F64, theirs: F64, neither: F64) -> F64:
    return mine.sum(axis=1) + theirs.sum(axis=1) + neither


def _taken(held: F64, place: I64, otherwise: F64) -> F64:
    """(q, w) what lies at places of the same line, something else where the place is -1."""
    if not held.size:
        return otherwise
    return np.where(place >= 0, np.take_along_axis(held, np.maximum(place, 0), axis=1), otherwise)


def match(rows: I64, other: I64) -> I64:
    """(q, w) the place of each row in the other list of the same query, -1 where it is not there."""
    out = np.full(rows.shape, -1, np.int64)
    if not rows.size or not other.size:
        return out
    size = max(int(rows.max()), int(other.max())) + 1
    first = np.arange(len(rows))[:, None] * size
    line, column = np.nonzero(other >= 0)
    held = (first + other)[line, column]
    if not len(held):
        return out
    order = np.argsort(held)
    wanted = first + rows
    found = np.minimum(np.searchsorted(held[order], wanted), len(held) - 1)
    same = (held[order][found] == wanted) & (rows >= 0)
    out[same] = column[order][found[same]]
    return out
