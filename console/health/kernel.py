"""One pass over a block of vectors, in pieces that fit the processor's cache, with the sums in float64."""

from __future__ import annotations

from collections.abc import Mapping
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
CANCELLED: Final = 1e-6
"""A sum of squares about the mean that is less than this share of the sum of squares has lost 6 of float64's 15
digits to cancellation, and is computed again about the mean."""
NARROW: Final = 12
"""Codes of a field up to which their sums are rows of one matrix product; with more, rows are gathered by code."""
LARGEST: Final = float(np.finfo(np.float32).max)


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
    wanted = codes or {}
    narrow = {name: held for name, held in wanted.items() if held[1] <= NARROW}
    sums = _Sums(d, 2 + sum(k for _, k in narrow.values()))
    edges = np.cumsum([2, *(k for _, k in narrow.values())]).tolist()
    unit = {f: sums.weighted[a:b] for f, a, b in zip(narrow, edges, edges[1:], strict=False)}
    moments = Moments.empty(d)
    if d and n:
        step = max(1, CELLS // d)
        places = np.zeros((len(narrow), n), np.int64)
        for into, (at, _), edge in zip(places, narrow.values(), edges, strict=False):
            into[:] = at + edge
        scratch = np.empty((min(step, n), d)), np.empty((min(step, n), d), np.float32)
        with np.errstate(all="ignore"):
            for start in range(0, n, step):
                part = slice(start, min(n, start + step))
                _piece(held[part], present[part], figures, part, places[:, part], sums, scratch)
            _flag(held, present, figures)
            moments = sums.moments(held, figures.good)
    if digests:
        _digest(held, present, figures.digest)
    for name, (at, k) in wanted.items():
        if name not in narrow:
            unit[name] = _gathered(held, figures, at, k)
    return Block(figures, moments, sums.weighted[1], unit)


class _Sums:
    """Sums over the pieces of a block. Rows of `weighted`: plain sums, those at length 1, and these per code."""

    def __init__(self, d: int, rows: int) -> None:
        self.n = 0
        self.squares, self.zeros = np.zeros(d), np.zeros(d)
        self.minimum, self.maximum = np.full(d, np.inf, np.float32), np.full(d, -np.inf, np.float32)
        self.weighted = np.zeros((rows, d))

    def moments(self, held: Matrix, good: Mask) -> Moments:
        if not self.n:
            return Moments.empty(len(self.squares))
        mean = self.weighted[0] / self.n
        m2 = self.squares - self.n * mean * mean
        lost = np.flatnonzero(m2 < CANCELLED * self.squares)
        if len(lost):
            some = held[:, lost] if good.all() else held[good][:, lost]
            first = some[0].astype(np.float64)
            apart = some - first
            mean[lost] = first + apart.mean(axis=0)
            apart -= apart.mean(axis=0)
            m2[lost] = np.einsum("ij,ij->j", apart, apart)
        return Moments(
            self.n, mean, m2, self.minimum.astype(np.float64), self.maximum.astype(np.float64), self.zeros
        )


def _piece(
    rows: Matrix,
    present: Mask,
    figures: RowFigures,
    part: slice,
    places: I64,
    sums: _Sums,
    scratch: tuple[F64, Matrix],
) -> None:
    wide, size = scratch[0][: len(rows)], scratch[1][: len(rows)]
    np.copyto(wide, rows)
    length: F64 = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    figures.length[part] = length
    np.abs(rows, out=size)
    np.maximum.reduce(size, axis=1, out=figures.peak[part])
    good = present & (length > 0) & (length <= LARGEST)
    if not good.all():
        if not good.any():
            return
        rows, wide, length, places, size = rows[good], wide[good], length[good], places[:, good], size[good]
    n = len(rows)
    weights = np.zeros((len(sums.weighted), n))
    weights[0] = 1.0
    np.divide(1.0, length, out=weights[1])
    for at in places:
        weights[at, np.arange(n)] = weights[1]
    sums.weighted += weights @ wide
    sums.squares += np.einsum("ij,ij->j", wide, wide)
    sums.n += n
    np.minimum(sums.minimum, np.minimum.reduce(rows, axis=0), out=sums.minimum)
    np.maximum(sums.maximum, np.maximum.reduce(rows, axis=0), out=sums.maximum)
    if not np.minimum.reduce(size, axis=0).all():
        sums.zeros += np.count_nonzero(rows == 0, axis=0)


def _gathered(held: Matrix, figures: RowFigures, at: I64, k: int) -> F64:
    """(k, d): the sum of the good rows at length 1 per code."""
    d = held.shape[1]
    out = np.zeros((k, d))
    good = np.flatnonzero(figures.good)
    order = good[np.argsort(at[good], kind="stable")]
    step = max(1, CELLS // max(d, 1))
    for code, rows in enumerate(np.split(order, np.cumsum(np.bincount(at[good], minlength=k))[:-1])):
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            out[code] += (1.0 / figures.length[some]) @ held[some].astype(np.float64)
    return out


def _flag(rows: Matrix, present: Mask, figures: RowFigures) -> None:
    """Flags and trailing zeros from the lengths.

    A float64 sum of float32 squares is finite exactly where the values are, and 0 where all are.
    """
    length, flags = figures.length, figures.flags
    flags[:] = 0
    unfit = ~(length <= LARGEST)
    flags[unfit] = NON_FINITE
    flags[unfit & np.isfinite(length)] |= OVERFLOW
    flags[length == 0] = ZERO
    flags[~present] = MISSING
    figures.peak[~present] = 0
    wild = np.flatnonzero(unfit & present)
    if len(wild):
        some = rows[wild]
        figures.peak[wild] = np.where(np.isfinite(some), np.abs(some), np.float32(0)).max(axis=1)
    length[(flags & (MISSING | NON_FINITE)) != 0] = np.nan
    ended = np.flatnonzero((rows[:, -1] == 0) & present)
    if len(ended):
        filled = rows[ended, ::-1] != 0
        tail = np.argmax(filled, axis=1)
        tail[~filled.any(axis=1)] = rows.shape[1]
        figures.tail[ended] = np.minimum(tail, WIDEST)


def _digest(rows: Matrix, present: Mask, into: U64) -> None:
    """64-bit XXH3 of each row's bytes; 0 where missing."""
    into[:] = np.fromiter(map(xxhash.xxh3_64_intdigest, rows), np.uint64, len(rows))
    into[into == 0] = 1
    into[~present] = 0
