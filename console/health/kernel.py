"""One pass over a block of vectors, in pieces that fit the processor's cache, with the sums in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xxhash

from connectors.model import Mask, Matrix
from console.health.table import F32, F64, I64, MISSING, NON_FINITE, OVERFLOW, U16, U64, ZERO

CELLS: Final = 64 * 1024
"""Values per piece: 512 KiB in float64, which a second-level cache holds beside the float32 original."""
WIDEST: Final = 65_535
"""What a uint16 says of a tail; longer ones are said as this."""


@dataclass(frozen=True, slots=True, eq=False)
class RowFigures:
    """Per row what the table holds; `length`: float64, NaN where missing or not finite."""

    flags: U16
    length: F64
    digest: U64
    tail: U16
    peak: F32

    @classmethod
    def empty(cls, n: int) -> RowFigures:
        return cls(
            np.full(n, MISSING, np.uint16),
            np.full(n, np.nan),
            np.zeros(n, np.uint64),
            np.zeros(n, np.uint16),
            np.zeros(n, np.float32),
        )

    @property
    def good(self) -> Mask:
        """Rows with a direction: present, finite, not exactly zero."""
        return self.flags == 0


@dataclass(slots=True, eq=False)
class Moments:
    """Raw values per dimension, (d,) float64 each: n, mean, sum of squares about it, extremes, exact zeros."""

    n: int
    mean: F64
    m2: F64
    minimum: F64
    maximum: F64
    zeros: F64

    @classmethod
    def empty(cls, d: int) -> Moments:
        return cls(0, np.zeros(d), np.zeros(d), np.full(d, np.inf), np.full(d, -np.inf), np.zeros(d))

    def add(self, other: Moments) -> None:
        """Chan, Golub and LeVeque's pairwise update (1979)."""
        if other.n == 0:
            return
        n = self.n + other.n
        apart = other.mean - self.mean
        self.mean = self.mean + apart * (other.n / n)
        self.m2 = self.m2 + other.m2 + apart * apart * (self.n * (other.n / n))
        self.minimum = np.minimum(self.minimum, other.minimum)
        self.maximum = np.maximum(self.maximum, other.maximum)
        self.zeros = self.zeros + other.zeros
        self.n = n


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What one block of rows adds up to. `sums[field][c]`: sum of the unit vectors of the rows with code c."""

    rows: RowFigures
    moments: Moments
    unit_sum: F64
    sums: Mapping[str, F64]


def measure(
    matrix: Matrix,
    present: Mask,
    codes: Mapping[str, tuple[I64, int]] | None = None,
    *,
    digests: bool = True,
) -> Block:
    """`matrix` (n, d) float32. `codes`: field -> (n codes, how many codes there are).

    Rows without a direction (missing, not finite, exactly zero) enter no sum.
    """
    n, d = matrix.shape
    held = np.ascontiguousarray(matrix, np.float32)
    figures = RowFigures.empty(n)
    if digests:
        _digest(held, present, figures.digest)
    wanted = codes or {}
    widths = [k for _, k in wanted.values()]
    sums = _Sums(d, 1 + sum(widths))
    if d and n:
        step = max(1, CELLS // d)
        scratch = np.empty((min(step, n), d))
        with np.errstate(all="ignore"):
            for start in range(0, n, step):
                part = slice(start, min(n, start + step))
                inside = [(c[part], k) for c, k in wanted.values()]
                _piece(held[part], present[part], figures, part, inside, sums, scratch)
    edges = np.cumsum([1, *widths]).tolist()
    unit = {f: sums.weighted[a : a + k] for f, a, k in zip(wanted, edges, widths, strict=False)}
    return Block(figures, sums.moments(), sums.weighted[0], unit)


class _Sums:
    """Sums over the pieces of a block; squares are taken about the first piece's mean, against cancellation."""

    def __init__(self, d: int, columns: int) -> None:
        self.n = 0
        self.shift = np.zeros(d)
        self.total, self.squares, self.zeros = np.zeros(d), np.zeros(d), np.zeros(d)
        self.minimum, self.maximum = np.full(d, np.inf, np.float32), np.full(d, -np.inf, np.float32)
        self.weighted = np.zeros((columns, d))

    def moments(self) -> Moments:
        if not self.n:
            return Moments.empty(len(self.total))
        mean = self.total / self.n
        apart = mean - self.shift
        m2 = np.maximum(self.squares - self.n * apart * apart, 0.0)
        return Moments(
            self.n, mean, m2, self.minimum.astype(np.float64), self.maximum.astype(np.float64), self.zeros
        )


def _piece(
    rows: Matrix,
    present: Mask,
    figures: RowFigures,
    part: slice,
    codes: Sequence[tuple[I64, int]],
    sums: _Sums,
    scratch: F64,
) -> None:
    wide = scratch[: len(rows)]
    np.copyto(wide, rows)
    length: F64 = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    flags = _flags(length, present)
    figures.flags[part] = flags
    figures.length[part] = np.where(flags & (MISSING | NON_FINITE), np.nan, length)
    _edges(rows, flags, figures, part)
    good = flags == 0
    if good.all():
        _add(rows, wide, length, codes, sums)
    elif good.any():
        _add(rows[good], wide[good], length[good], [(c[good], k) for c, k in codes], sums)


def _flags(length: F64, present: Mask) -> U16:
    """A float64 sum of float32 squares is finite exactly where the values are, and 0 where all are."""
    flags = np.zeros(len(length), np.uint16)
    unfit = ~np.isfinite(length.astype(np.float32))
    if unfit.any():
        flags[unfit] = NON_FINITE
        flags[unfit & np.isfinite(length)] |= OVERFLOW
    flags[length == 0] = ZERO
    flags[~present] = MISSING
    return flags


def _edges(rows: Matrix, flags: U16, figures: RowFigures, part: slice) -> None:
    """Peaks and trailing zeros of the rows that are there."""
    size = np.abs(rows)
    peak = np.maximum.reduce(size, axis=1)
    unfit = np.flatnonzero(flags & NON_FINITE)
    if len(unfit):
        peak[unfit] = np.where(np.isfinite(rows[unfit]), size[unfit], np.float32(0)).max(axis=1)
    gone = (flags & MISSING) != 0
    peak[gone] = 0
    figures.peak[part] = peak
    ended = np.flatnonzero((rows[:, -1] == 0) & ~gone)
    if len(ended):
        filled = rows[ended, ::-1] != 0
        tail = np.argmax(filled, axis=1)
        tail[~filled.any(axis=1)] = rows.shape[1]
        figures.tail[part.start + ended] = np.minimum(tail, WIDEST)


def _add(rows: Matrix, wide: F64, length: F64, codes: Sequence[tuple[I64, int]], sums: _Sums) -> None:
    """Rows with a direction; `wide` is used up."""
    weights, places = _weights(1.0 / length, codes)
    added = weights @ wide
    sums.weighted[places] += added[1:]
    sums.total += added[0]
    if not sums.n:
        sums.shift = added[0] / len(rows)
    sums.n += len(rows)
    np.minimum(sums.minimum, np.minimum.reduce(rows, axis=0), out=sums.minimum)
    np.maximum(sums.maximum, np.maximum.reduce(rows, axis=0), out=sums.maximum)
    zero = rows == 0
    if zero.any():
        sums.zeros += np.count_nonzero(zero, axis=0)
    np.subtract(wide, sums.shift, out=wide)
    sums.squares += np.einsum("ij,ij->j", wide, wide)


def _weights(inverse: F64, codes: Sequence[tuple[I64, int]]) -> tuple[F64, I64]:
    """One row of ones, one of reciprocal lengths, and one per code that occurs here, for one matrix product."""
    n = len(inverse)
    places: list[int] = [0]
    parts: list[I64] = []
    base = 1
    for held, k in codes:
        occurring = np.flatnonzero(np.bincount(held, minlength=k))
        to = np.empty(k, np.int64)
        to[occurring] = np.arange(len(places), len(places) + len(occurring))
        parts.append(to[held])
        places.extend((base + occurring).tolist())
        base += k
    weights = np.zeros((1 + len(places), n))
    weights[0] = 1.0
    weights[1] = inverse
    every = np.arange(n)
    for at in parts:
        weights[1 + at, every] = inverse
    return weights, np.array(places, np.int64)


def _digest(rows: Matrix, present: Mask, into: U64) -> None:
    """64-bit XXH3 of each row's bytes; 0 where missing."""
    into[:] = np.fromiter(map(xxhash.xxh3_64_intdigest, rows), np.uint64, len(rows))
    into[into == 0] = 1
    into[~present] = 0
