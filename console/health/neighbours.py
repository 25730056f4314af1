"""Exact nearest rows on the client: blocked matrix products, flat memory, a stream of rows of any length."""

from __future__ import annotations

from typing import Final, cast

import numpy as np
import numpy.typing as npt

from console.health.table import F32, I64

QUERY_BLOCK: Final = 512
ROW_BLOCK: Final = 8_192
"""Scores of one block: 512 x 8,192 float32, 16 MiB."""
FIRST_BLOCK: Final = 256
"""Rows of the first block where k is small: they all pass. The next ones are longer, until `ROW_BLOCK` is reached."""
CROWD: Final = 64
"""So many rows of a block (or k) are merged as they are; of more, the best are chosen first."""
LONGEST: Final = 1e30
LENGTHS: Final = 512
"""Rows whose lengths are taken at once."""
ROUNDING: Final = 4.0
"""Times sqrt(d) and the spacing of float32: what a product of d terms may be off by, relative to its lengths."""


def top_k(
    queries: F32, rows: F32, k: int, metric: str | None, own: npt.NDArray[np.integer] | None = None
) -> tuple[I64, F32]:
    """The k nearest of `rows` (n, d) for each of `queries` (q, d): places (q, k) and scores (q, k), best first.

    See `TopK` for scores, ties and `own`.
    """
    search = TopK(queries, k, metric, own)
    search.add(rows)
    return search.result()


class TopK:
    """Exact top-k over rows that come in parts; memory is q x k and one block, however many rows there are.

    Scores are higher for nearer rows: cosine, inner product, or the negative of the *squared* Euclidean, the
    Manhattan or the Hamming distance. Of equal float32 scores the row that came first wins. A score that is
    not a number is never among the nearest. `own`: (q,) the number of the row that a query is, left out; -1 for
    none. Where there are fewer than k rows, places are -1 and scores -inf at the end. Euclidean distances come from
    differences in float64: the product form loses them where rows lie close together and far from the origin.
    """

    def __init__(
        self, queries: F32, k: int, metric: str | None, own: npt.NDArray[np.integer] | None = None
    ) -> None:
        q, d = queries.shape
        self.k = k
        self.metric = metric or "cosine"
        self.seen = 0
        self._own = None if own is None else own.astype(np.int64)
        self._shift: F32 | None = None
        held: F32 = np.ascontiguousarray(queries, np.float32)
        self._asked: F32 = held
        if self.metric == "cosine":
            held = unit(held)
        elif self.metric == "euclid" and q:
            # Distances are the same after a shift, and lose fewer digits near the origin.
            shift: F32 = held.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._shift = shift
            held = np.subtract(held, shift, dtype=np.float32)
        self._queries: F32 = held
        self._places = np.full((q, k), -1, np.int64)
        self._scores = np.full((q, k), -np.inf, np.float32)
        self._room = np.empty(min(q, QUERY_BLOCK) * ROW_BLOCK, np.float32)
        self._dimension = d

    def add(self, rows: F32, numbers: I64 | None = None) -> None:
        """Further rows (n, d), numbered on from those before, or by `numbers` (n,), ascending.

        Raises ValueError on another dimension.
        """
        if rows.ndim != 2 or rows.shape[1] != self._dimension:
            raise ValueError(f"rows of shape {rows.shape} do not fit queries of dimension {self._dimension}")
        if not self.k:
            return
        if numbers is None:
            numbers = np.arange(self.seen, self.seen + len(rows))
        start = 0
        while start < len(rows):
            few = max(FIRST_BLOCK, 3 * self.seen) if self.k < CROWD else ROW_BLOCK
            stop = start + min(ROW_BLOCK, few)
            called = numbers[start:stop]
            block: F32 = np.ascontiguousarray(rows[start:stop], np.float32)
            start = stop
            half: F32 | None = None
            raw = block
            if self.metric == "cosine":
                block = unit(block)
            elif self._shift is not None:
                block = np.subtract(block, self._shift, dtype=np.float32)
                half = (np.einsum("ij,ij->i", block, block, dtype=np.float64) / 2).astype(np.float32)
            for at in range(0, len(self._queries), QUERY_BLOCK):
                self._meet(slice(at, at + QUERY_BLOCK), block, half, called, raw)
            self.seen += len(block)

    def result(self) -> tuple[I64, F32]:
        """Places (q, k) int64 and scores (q, k) float32, best first."""
        return self._places.copy(), self._scores.copy()

    def _meet(self, part: slice, block: F32, half: F32 | None, numbers: I64, raw: F32) -> None:
        queries = self._queries[part]
        scores = self._product(queries, block)
        if half is not None:
            scores -= half
        if self._own is not None:
            own = self._own[part]
            column = np.minimum(np.searchsorted(numbers, own), len(numbers) - 1)
            at = np.flatnonzero(numbers[column] == own)
            scores[at, column[at]] = -np.inf
        bar = self._scores[part, -1]
        if half is not None:
            self._measure(part, scores, half, raw)
        passed = np.flatnonzero(scores > bar[:, None])
        if not len(passed):
            return
        line, column = np.divmod(passed, scores.shape[1])
        counts = np.bincount(line, minlength=len(scores))
        crowded = np.flatnonzero(counts > max(self.k, CROWD))
        if len(crowded):
            marks = np.zeros(scores.shape, np.bool_)
            marks.flat[passed] = True
            marks[crowded] = _best(scores[crowded], self.k)
            line, column = np.divmod(np.flatnonzero(marks), scores.shape[1])
        moved = np.flatnonzero(counts)
        place = np.zeros(len(scores), np.int64)
        place[moved] = np.arange(len(moved))
        self._merge(part.start + moved, place[line], column, scores[line, column], numbers)

    def _measure(self, part: slice, scores: F32, half: F32, raw: F32) -> None:
        """Turns products (q, n) into squared distances, those that may be among the nearest exactly, others -inf."""
        queries = self._queries[part]
        own = np.einsum("ij,ij->i", queries, queries, dtype=np.float64).astype(np.float32)
        scores *= 2
        scores -= own[:, None]
        share = ROUNDING * np.float32(np.finfo(np.float32).eps) * np.float32(np.sqrt(max(1, self._dimension)))
        with np.errstate(invalid="ignore"):
            able = scores + (share * 2) * half > (self._scores[part, -1] - share * own)[:, None]
        able &= scores > -np.inf
        asked = self._asked[part]
        for i in np.flatnonzero(able.any(axis=1)):
            at = np.flatnonzero(able[i])
            apart = raw[at].astype(np.float64) - asked[i]
            scores[i] = -np.inf
            scores[i, at] = -np.einsum("ij,ij->i", apart, apart)
        scores[~able.any(axis=1)] = -np.inf

    def _product(self, queries: F32, block: F32) -> F32:
        out = self._room[: len(queries) * len(block)].reshape(len(queries), len(block))
        if self.metric in ("manhattan", "hamming"):
            for i, query in enumerate(queries):
                apart = np.abs(block - query) if self.metric == "manhattan" else block != query
                out[i] = -apart.sum(axis=1, dtype=np.float64)
            return out
        # A value that is not a number gives a score that is not one: such a row is no neighbour.
        with np.errstate(over="ignore", invalid="ignore"):
            return np.matmul(queries, block.T, out=out)

    def _merge(self, queries: I64, line: I64, column: I64, scores: F32, numbers: I64) -> None:
        """Rows that passed, into the lists of `queries`; those held before come first among equals.

        `line`: (p,) places in `queries`, ascending; `column`: (p,) the rows of the block, ascending in a line.
        """
        starts = np.searchsorted(line, np.arange(len(queries)))
        offset = np.arange(len(line)) - starts[line]
        width = int(offset.max()) + 1
        places = np.full((len(queries), self.k + width), -1, np.int64)
        held = np.full((len(queries), self.k + width), -np.inf, np.float32)
        places[:, : self.k], held[:, : self.k] = self._places[queries], self._scores[queries]
        places[line, self.k + offset] = numbers[column]
        held[line, self.k + offset] = scores
        order = np.argsort(-held, axis=1, kind="stable")[:, : self.k]
        self._places[queries] = np.take_along_axis(places, order, axis=1)
        self._scores[queries] = np.take_along_axis(held, order, axis=1)


def unit(matrix: F32) -> F32:
    """Rows at length 1, float32; a row without a length stays as it is."""
    n, d = matrix.shape
    inverse = np.ones((n, 1))
    wide = np.empty((min(n, LENGTHS), d))
    for start in range(0, n, LENGTHS):
        part = matrix[start : start + LENGTHS]
        some = wide[: len(part)]
        np.copyto(some, part)
        lengths = np.sqrt(np.vecdot(some, some))
        np.divide(1.0, lengths, out=inverse[start : start + LENGTHS, 0], where=lengths > 0)
    with np.errstate(over="ignore", invalid="ignore"):
        short: F32 = inverse.astype(np.float32)
        if len(short) and (short.max() > LONGEST or short.min() < 1 / LONGEST):
            # The reciprocal of a length that float32 does not hold well.
            return (matrix * inverse).astype(np.float32)
        return matrix * short


def score(queries: F32, rows: F32, metric: str | None) -> F32:
    """The scores of `TopK` for pairs: row i of `queries` (n, d) against row i of `rows` (n, d); (n,) float32."""
    a, b = queries.astype(np.float64), rows.astype(np.float64)
    if metric == "euclid":
        out = -np.square(a - b).sum(axis=1)
    elif metric == "manhattan":
        out = -np.abs(a - b).sum(axis=1)
    elif metric == "hamming":
        out = -(a != b).sum(axis=1)
    else:
        out = np.einsum("ij,ij->i", a, b)
        if metric != "dot":
            lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
            out = out / np.where(lengths > 0, lengths, 1.0)
    return cast("F32", out.astype(np.float32))


def _best(scores: F32, k: int) -> npt.NDArray[np.bool_]:
    """Marks exactly the k highest scores of each line; of equal ones the first."""
    clean = np.where(np.isnan(scores), -np.inf, scores)
    cut = clean.shape[1] - k
    bar = np.partition(clean, cut, axis=1)[:, cut : cut + 1]
    above, level = clean > bar, clean == bar
    room = k - above.sum(axis=1, keepdims=True)
    return above | (level & (np.cumsum(level, axis=1) <= room))
