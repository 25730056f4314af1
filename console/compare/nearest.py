"""The nearest pool rows of each query in one space, exact, from a stream of rows in any order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np

from console.compare.lists import LAST, NO_NUMBER, BestLists, keys_of
from console.compare.scoring import Block, lengths_of, scoring
from console.health.findings import Mask
from console.health.table import F32, F64, I64, U64
from console.health.threads import one_thread

S = TypeVar("S")
T = TypeVar("T")

QUERIES: Final = 512
ROWS: Final = 2_048
"""Scores of one block: at most 2,048 x 512 float32 a thread, 4 MiB."""
DEPTH: Final = 100
SPARE: Final = 6
"""Places beyond k whose scores are exact to float32, so that rows tied with the k-th are told from those that are not."""
CROWDED: Final = 2
"""Times the length of the lists: of more rows that pass, the best are chosen before they are scored."""
MOST_THREADS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest pool rows of q queries in one space, exact.

    `rows`: (q, m) int64 pool numbers best first, -1 padded. `scores`: (q, m) float64 nearness, -inf padded.
    `twins`: (n,) uint64 hash of each pool row's vector (0: it is nobody's neighbour), so that a class of ties that
    runs past the list is known whole; None: not known. `own`: (q,) the pool row that a query is and that is left
    out, -1 for none. `scale`: (q,) what a tolerance is a share of, with the score itself where that is larger: 1 for
    cosine, the product of lengths for dot, 0 for distances; None: 1. `more`: (q,) whether there are rows beyond the
    list; None: where it is full. `blurred`: (q,) whose list ends among rows that are as near and could not all be
    listed: nothing is told of them; None: of no query.
    """

    rows: I64
    scores: F64
    twins: U64 | None = None
    own: I64 | None = None
    scale: F64 | None = None
    more: Mask | None = None
    blurred: Mask | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> I64:
        """(q,) rows listed."""
        return np.count_nonzero(self.rows >= 0, axis=1)

    @property
    def goes_on(self) -> Mask:
        """(q,) whether there are rows beyond the list."""
        if self.more is not None:
            return self.more
        m = int(self.rows.shape[1])
        return (self.counts == m) & (m > 0)

    def only(self, chosen: I64 | Mask) -> Nearest:
        """Some of the queries, by place or by mask."""

        def some(held: Any) -> Any:
            return None if held is None else held[chosen]

        return Nearest(
            self.rows[chosen],
            self.scores[chosen],
            self.twins,
            some(self.own),
            some(self.scale),
            some(self.more),
            some(self.blurred),
        )


class NearestSearch:
    """Exact nearest rows of `queries` (q, d) among rows that come in parts, in any order of their numbers.

    `own`: (q,) the number of the row that a query is, -1 for none. Scores are those of `neighbours.TopK`: higher is
    nearer. Of equal scores the lower number comes first, whatever the order of rows, so that two sides agree. The
    first k + `SPARE` scores of a list are float64 sums rounded to float32; those after them, under cosine and dot,
    are float32 products. A row without a direction (zero under cosine; not finite) is no neighbour, and such a
    query has none. Memory: q x `depth`, a block, and 12 bytes a row. `rows`: how many there will be, where it is known.
    `sharp`: exact places, where `k` + `SPARE` are too few.
    """

    def __init__(
        self,
        queries: F32,
        own: I64 | None,
        metric: str | None,
        depth: int = DEPTH,
        *,
        k: int = 10,
        rows: int = 0,
        sharp: int | None = None,
        threads: int | None = None,
    ) -> None:
        if depth < 1:
            raise ValueError(f"a list of {depth} places holds nothing")
        q, self._dimension = queries.shape
        self._scoring = scoring(np.ascontiguousarray(queries, np.float32), metric)
        self._fit = self._scoring.fit
        self._own = np.full(q, -1, np.int64) if own is None else own.astype(np.int64)
        self._k = k
        self._sharp = min(depth, k + SPARE if sharp is None else sharp)
        self._twins = np.zeros(rows, np.uint64)
        self._lengths = np.zeros(rows, np.float32)
        self._threads = threads or min(MOST_THREADS, len(os.sched_getaffinity(0)))
        size = max(1, min(QUERIES, -(-q // self._threads)))
        self._parts = [slice(at, min(q, at + size)) for at in range(0, max(q, 1), size)]
        self._lists = [BestLists(p.stop - p.start, depth, self._sharp) for p in self._parts]
        self._rooms = [np.empty(size * ROWS, np.float32) for _ in self._parts]
        self._pool = ThreadPoolExecutor(self._threads, "nearest") if self._threads > 1 else None

    def add(self, matrix: F32, numbers: I64) -> None:
        """Rows (n, d) and their pool numbers (n,), each number once in all calls.

        Raises ValueError on another dimension or count.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self._dimension or len(matrix) != len(numbers):
            raise ValueError(
                f"rows of shape {matrix.shape} with {len(numbers)} numbers do not fit queries of dimension"
                f" {self._dimension}"
            )
        if not len(matrix):
            return
        if (most := int(numbers.max()) + 1) > len(self._twins):
            room = max(most, len(self._twins) * 2) - len(self._twins)
            self._twins = np.append(self._twins, np.zeros(room, np.uint64))
            self._lengths = np.append(self._lengths, np.zeros(room, np.float32))
        with one_thread():
            for at in range(0, len(matrix), ROWS):
                self._block(matrix[at : at + ROWS], np.asarray(numbers[at : at + ROWS], np.int64))

    def result(self) -> Nearest:
        held = [lists.result() for lists in self._lists]
        rows = np.concatenate([r for r, _ in held])
        scores = np.concatenate([s for _, s in held])
        return Nearest(rows, scores, self._twins, self._own, self._scoring.scale(self._typical(rows)))

    def _typical(self, rows: I64) -> F64:
        """(q,) the median length of the k nearest rows: one row that is far longer says nothing about the others."""
        near = rows[:, : self._k]
        lengths = (
            np.where(near >= 0, self._lengths[np.maximum(near, 0)], np.nan) if len(self._lengths) else near
        )
        some = (near >= 0).any(axis=1)
        out = np.zeros(len(rows))
        out[some] = np.nanmedian(lengths[some], axis=1)
        return out

    def _block(self, matrix: F32, numbers: I64) -> None:
        if (np.diff(numbers) < 0).any():
            order = np.argsort(numbers)
            matrix, numbers = matrix[order], numbers[order]
        raw: F32 = np.ascontiguousarray(matrix, np.float32)
        step = max(1, -(-len(raw) // self._threads))
        pieces = [slice(at, at + step) for at in range(0, len(raw), step)]
        lengths = np.concatenate(self._each(lambda piece: lengths_of(raw[piece]), pieces))
        fit = self._scoring.fits(lengths)
        if not fit.all():
            raw, numbers, lengths = raw[fit], numbers[fit], lengths[fit]
            if not len(raw):
                return
        self._lengths[numbers] = lengths
        block = self._scoring.block(raw, lengths)
        self._each(lambda i: self._meet(i, block, numbers), range(-1, len(self._parts)))

    def _each(self, call: Callable[[S], T], over: Sequence[S]) -> list[T]:
        if self._pool is None or len(over) < 2:
            return [call(x) for x in over]
        return list(self._pool.map(call, over))

    def _meet(self, i: int, block: Block, numbers: I64) -> None:
        """A block of rows against the queries of part i; -1: the rows for themselves."""
        if i < 0:
            self._twins[numbers] = block.hashes
            return
        part, lists = self._parts[i], self._lists[i]
        own = self._own[part]
        n, q = len(numbers), len(own)
        if not q:
            return
        found = self._rooms[i][: n * q].reshape(n, q)
        self._scoring.screen(part, block, found)
        row = np.minimum(np.searchsorted(numbers, own), n - 1)
        mine = np.flatnonzero(numbers[row] == own)
        found[row[mine], mine] = -np.inf
        # For a query without a direction nothing passes.
        bar = np.where(self._fit[part], self._scoring.bar(part, lists.bar), np.float32(np.inf))
        at = np.flatnonzero(found >= bar)
        sharp = lists.last_sharp
        if len(at) > CROWDED * q * lists.depth and lists.depth < n:
            cut = np.partition(found.T, (n - lists.depth, n - self._sharp), axis=1)
            lower = cut[:, n - lists.depth] - self._scoring.slack(part, block)
            at = np.flatnonzero(found >= np.maximum(bar, lower))
            sharp = np.minimum(sharp, keys_of(cut[:, n - self._sharp], np.full(q, LAST)))
        value = found.ravel()[at]
        at, value = at[np.isfinite(value)], value[np.isfinite(value)]
        row, line = np.divmod(at, q)
        if self._scoring.screens == "bounds":
            value = self._exact(part, block, line, row)
        keys = keys_of(value, numbers[row])
        passed = np.flatnonzero(keys < np.minimum(lists.last[line], NO_NUMBER))
        passed = passed[np.argsort(line[passed].astype(np.uint16), kind="stable")]
        row, line, keys = row[passed], line[passed], keys[passed]
        lists.offer(line, keys)
        if self._scoring.screens == "products":
            near = np.flatnonzero(keys <= sharp[line])
            row, line, keys = row[near], line[near], keys[near]
            lists.sharpen(line, keys, self._exact(part, block, line, row))

    def _exact(self, part: slice, block: Block, line: I64, row: I64) -> F32:
        """The scores of pairs. Where they are many, equal vectors are scored once: with one vector on every row all
        pairs come here.
        """
        if len(line) <= CROWDED * self._sharp * (part.stop - part.start):
            return self._scoring.exact(part.start + line, block, row)
        pairs, place = np.unique(line * len(block.raw) + block.first[row], return_inverse=True)
        return self._scoring.exact(part.start + pairs // len(block.raw), block, pairs % len(block.raw))[place]
