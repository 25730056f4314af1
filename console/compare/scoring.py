"""How near rows are to queries under a metric: fast for whole blocks, exact for the pairs that matter."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import xxhash

from console.health.findings import Mask
from console.health.neighbours import ROUNDING, unit
from console.health.table import F32, F64, I64, U64

BIG: Final = 1e37
"""Products beyond it may overflow float32: what does is no score, and nobody's neighbour."""
PAIRS: Final = 256
"""Pairs of vectors gathered at once: 256 x 512 float32 twice, 1 MiB."""
_EPS: Final = np.float32(np.finfo(np.float32).eps)


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that can be neighbours. `raw`: (r, d) as they came. `lengths`: (r,). `ready`: (r, d) as products take them.

    `half`: (r,) half of the squared lengths of `ready`, where distances are made of products.
    """

    raw: F32
    lengths: F64
    ready: F32
    half: F32 | None = None

    @functools.cached_property
    def hashes(self) -> U64:
        """(r,) of the vectors, never 0."""
        found = np.fromiter(map(xxhash.xxh3_64_intdigest, self.raw), np.uint64, len(self.raw))
        return np.maximum(found, 1)

    @functools.cached_property
    def first(self) -> I64:
        """(r,) the first row of the block with the same vector."""
        _, first, which = np.unique(self.hashes, return_index=True, return_inverse=True)
        return first[which]


class Scoring(Protocol):
    """Nearness of q queries. `scale`: (q,) what a tolerance is a share of, with the score itself where that is more."""

    @property
    def screens(self) -> Literal["products", "bounds", "scores"]:
        """What `screen` gives: float32 sums, what bounds the scores from above, or the scores."""
        ...

    @property
    def fit(self) -> Mask:
        """(q,) queries that can have neighbours."""
        ...

    def fits(self, lengths: F64) -> Mask:
        """Rows (n,) of these lengths that can be neighbours."""
        ...

    def block(self, raw: F32, lengths: F64) -> Block: ...

    def screen(self, part: slice, block: Block, out: F32) -> None:
        """Fills `out` (r, q') with the scores of some of the queries, or with what rises with an upper bound of them."""
        ...

    def bar(self, part: slice, bar: F32) -> F32:
        """(q',) scores in the terms of `screen`."""
        ...

    def slack(self, part: slice, block: Block) -> F32:
        """(q',) how far above the score, in the terms of `screen`, a bound may lie."""
        ...

    def exact(self, queries: I64, block: Block, rows: I64) -> F32:
        """(p,) the scores of pairs, summed in float64."""
        ...

    def scale(self, typical: F64) -> F64:
        """(q,) for rows near each query of these lengths."""
        ...


def scoring(queries: F32, metric: str | None) -> Scoring:
    """`queries`: (q, d) float32. None is cosine."""
    if metric in ("manhattan", "hamming"):
        return Differences(queries, metric)
    return Distances(queries) if metric == "euclid" else Products(queries, metric != "dot")


def lengths_of(rows: F32) -> F64:
    """(n,) Euclidean lengths in float64; NaN or infinite where a value is."""
    return np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def _only(queries: F32, fit: Mask) -> F32:
    """Zeros in place of the others."""
    return queries if fit.all() else np.where(fit[:, None], queries, np.float32(0))


class Products:
    """Cosine and inner product."""

    def __init__(self, queries: F32, cosine: bool) -> None:
        self.screens: Literal["products"] = "products"
        self._cosine = cosine
        lengths = lengths_of(queries)
        self.fit = self.fits(lengths)
        self._lengths = np.where(self.fit, lengths, 1.0)
        self._raw = _only(queries, self.fit)
        self._ready = unit(self._raw) if cosine else self._raw

    def fits(self, lengths: F64) -> Mask:
        finite = lengths <= np.finfo(np.float32).max
        return finite & (lengths > 0) if self._cosine else finite

    def block(self, raw: F32, lengths: F64) -> Block:
        if not self._cosine:
            return Block(raw, lengths, raw)
        return Block(raw, lengths, np.divide(raw, lengths[:, None].astype(np.float32)))

    def screen(self, part: slice, block: Block, out: F32) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            np.matmul(block.ready, self._ready[part].T, out=out)
        if not self._cosine and float(block.lengths.max()) * float(self._lengths[part].max()) > BIG:
            out[~np.isfinite(out)] = -np.inf

    def bar(self, part: slice, bar: F32) -> F32:
        return bar

    def slack(self, part: slice, block: Block) -> F32:
        return np.zeros(len(self._ready[part]), np.float32)

    def exact(self, queries: I64, block: Block, rows: I64) -> F32:
        out = np.empty(len(queries), np.float64)
        for at in range(0, len(out), PAIRS):
            some = slice(at, at + PAIRS)
            a, b = self._raw[queries[some]], block.raw[rows[some]]
            out[some] = np.einsum("ij,ij->i", a, b, dtype=np.float64)
        if self._cosine:
            out /= self._lengths[queries] * block.lengths[rows]
        return out.astype(np.float32)

    def scale(self, typical: F64) -> F64:
        return np.ones(len(self._raw)) if self._cosine else self._lengths * typical


class Distances:
    """Negative squared Euclidean distances.

    From products about the queries' mean, and from differences in float64 for what may be among the nearest: products
    lose the distances of rows that lie close together and far from the origin.
    """

    def __init__(self, queries: F32) -> None:
        self.screens: Literal["bounds"] = "bounds"
        self.fit = self.fits(lengths_of(queries))
        self._raw = _only(queries, self.fit)
        total = queries[self.fit].sum(axis=0, dtype=np.float64)
        self._shift: F32 = (total / max(1, np.count_nonzero(self.fit))).astype(np.float32)
        self._ready: F32 = self._raw - self._shift
        self._own: F32 = np.square(lengths_of(self._ready)).astype(np.float32)
        self._share = np.float32(ROUNDING * _EPS * np.sqrt(max(1, queries.shape[1])))

    def fits(self, lengths: F64) -> Mask:
        return lengths <= np.finfo(np.float32).max

    def block(self, raw: F32, lengths: F64) -> Block:
        ready: F32 = np.subtract(raw, self._shift, dtype=np.float32)
        return Block(raw, lengths, ready, (np.square(lengths_of(ready)) / 2).astype(np.float32))

    def screen(self, part: slice, block: Block, out: F32) -> None:
        assert block.half is not None
        with np.errstate(over="ignore", invalid="ignore"):
            np.matmul(block.ready, self._ready[part].T, out=out)
            out -= (block.half * (1 - self._share))[:, None]
        if float(block.half.max()) > BIG:
            out[~np.isfinite(out)] = -np.inf

    def bar(self, part: slice, bar: F32) -> F32:
        return np.asarray((bar + self._own[part] * (1 - self._share)) / 2, np.float32)

    def slack(self, part: slice, block: Block) -> F32:
        assert block.half is not None
        most = np.float32(2 * block.half.max(initial=0))
        return np.asarray((self._own[part] + most) * self._share, np.float32)

    def exact(self, queries: I64, block: Block, rows: I64) -> F32:
        out = np.empty(len(queries), np.float64)
        for at in range(0, len(out), PAIRS):
            some = slice(at, at + PAIRS)
            apart = np.subtract(self._raw[queries[some]], block.raw[rows[some]], dtype=np.float64)
            out[some] = np.einsum("ij,ij->i", apart, apart)
        return -out.astype(np.float32)

    def scale(self, typical: F64) -> F64:
        return np.zeros(len(self._raw))


class Differences:
    """Negative Manhattan and Hamming distances, summed in float64."""

    def __init__(self, queries: F32, metric: str) -> None:
        self.screens: Literal["scores"] = "scores"
        self.fit = self.fits(lengths_of(queries))
        self._raw, self._manhattan = _only(queries, self.fit), metric == "manhattan"

    def fits(self, lengths: F64) -> Mask:
        return lengths <= np.finfo(np.float32).max

    def block(self, raw: F32, lengths: F64) -> Block:
        return Block(raw, lengths, raw)

    def screen(self, part: slice, block: Block, out: F32) -> None:
        for i, query in enumerate(self._raw[part]):
            out[:, i] = -self._apart(block.raw, query)

    def bar(self, part: slice, bar: F32) -> F32:
        return bar

    def slack(self, part: slice, block: Block) -> F32:
        return np.zeros(len(self._raw[part]), np.float32)

    def exact(self, queries: I64, block: Block, rows: I64) -> F32:
        return -self._apart(block.raw[rows], self._raw[queries]).astype(np.float32)

    def scale(self, typical: F64) -> F64:
        return np.zeros(len(self._raw))

    def _apart(self, rows: F32, query: F32) -> F64:
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.abs(rows - query) if self._manhattan else rows != query
        return apart.sum(axis=1, dtype=np.float64)
