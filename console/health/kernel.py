"""One pass over a block of vectors, in pieces that fit the processor's cache, with the sums in float64."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import xxhash

from connectors.model import Mask, Matrix
from console.health.table import F32, F64, I64, MISSING, NON_FINITE, OVERFLOW, U16, U64, ZERO
from console.health.threads import one_thread

CELLS: Final = 256 * 1024
"""Values per piece, 512 rows of 512: smaller ones pass less through the caches and cost more in calls."""
WIDEST: Final = 65_535
"""What a uint16 says of a tail; longer ones are said as this."""
CANCELLED: Final = 1e-6
"""A sum of squares about the mean that is less than this share of the sum of squares has lost 6 of float64's 15
digits to cancellation, and is computed again about the mean."""
RUNS: Final = 64
"""Combinations of codes up to which rows are put together by them, so that each sum is one product over a run of
rows; the rows of further fields are gathered by code."""
LINES: Final = 32
"""Lines of rows whose extremes are kept apart while a block is read."""
LARGEST: Final = float(np.finfo(np.float32).max)
SIZE: Final = np.uint32(0x7FFFFFFF)
"""A float32 without its sign."""


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
    wanted = codes or {}
    together = _Together(wanted, n)
    sums = _Sums(d, _step(n, d), together.combinations, complete=bool(present.all()))
    figures, moments = RowFigures.empty(n), Moments.empty(d)
    if digests:
        # First, since it reads row after row: what follows finds the block in the processor's cache.
        _digest(held, present, figures.digest)
    if d and n:
        ordered = RowFigures.empty(n) if together.order is not None else figures
        with np.errstate(all="ignore"), one_thread():
            for start in range(0, n, sums.step):
                _piece(held, present, slice(start, min(n, start + sums.step)), together, ordered, sums)
            if together.order is not None:
                figures.length[together.order], figures.peak[together.order] = ordered.length, ordered.peak
            _flag(held, present, figures)
            moments = sums.moments(held, figures.good)
    unit = together.apart(sums.unit)
    for name, (at, k) in wanted.items():
        if name not in unit:
            unit[name] = _gathered(held, figures, at, k)
    return Block(figures, moments, sums.unit.sum(axis=0), unit)


def _step(n: int, d: int) -> int:
    """Rows of a piece, so that all are alike."""
    most = max(1, CELLS // max(d, 1))
    return -(-n // max(1, -(-n // most)))


class _Together:
    """Rows in the order of their combination of codes, of as many fields as have few.

    `order`: (n,) rows, None where they stay as they are. `runs`: (n,) the combination of each row in that order.
    """

    def __init__(self, wanted: Mapping[str, tuple[I64, int]], n: int) -> None:
        self._fields: dict[str, int] = {}
        self.combinations = 1
        self.runs: I64 = np.zeros(n, np.int64)
        for name, (at, k) in sorted(wanted.items(), key=lambda held: held[1][1]):
            if self.combinations * k <= RUNS:
                self._fields[name] = k
                self.combinations *= k
                self.runs = self.runs * k + at
        self.order: I64 | None = None
        if self.combinations > 1:
            self.order = np.argsort(self.runs.astype(np.uint8), kind="stable")
            self.runs = self.runs[self.order]

    def apart(self, sums: F64) -> dict[str, F64]:
        """Sums per combination, (c, d), as those per code of each field."""
        shape = tuple(self._fields.values())
        held = sums.reshape(*shape, sums.shape[1])
        fields = range(len(shape))
        return {
            name: held.sum(axis=tuple(other for other in fields if other != i))
            for i, name in enumerate(self._fields)
        }


class _Room:
    """Memory of one piece, which each thread takes once: new pages for every block cost a third of it."""

    def __init__(self, d: int) -> None:
        shape = (max(1, CELLS // max(d, 1)), d)
        self.d = d
        self.rows: F32 = np.empty(shape, np.float32)
        self.wide: F64 = np.empty(shape)
        self.ones: F64 = np.ones(shape[0])
        self.bits: npt.NDArray[np.uint32] = np.empty(shape, np.uint32)
        self.lowest: F32 = np.empty((LINES, d), np.float32)
        self.highest: F32 = np.empty((LINES, d), np.float32)


_rooms = threading.local()


def _room(d: int) -> _Room:
    held: _Room | None = getattr(_rooms, "held", None)
    if held is None or held.d != d:
        held = _rooms.held = _Room(d)
    return held


class _Sums:
    """Sums over the pieces of a block, of `step` rows each. `plain`: of values. Rows of `unit`: of vectors at length 1
    per combination of codes. `lowest`, `highest`: of the rows of each line of `LINES`. `complete`: no row lacks its vector.
    """

    def __init__(self, d: int, step: int, combinations: int, *, complete: bool) -> None:
        self.n, self.step, self.complete = 0, max(1, step), complete
        self.squares, self.zeros = np.zeros(d), np.zeros(d)
        self.room = _room(d)
        self.lowest, self.highest = self.room.lowest, self.room.highest
        self.lowest.fill(np.inf)
        self.highest.fill(-np.inf)
        self.plain, self.unit = np.zeros(d), np.zeros((combinations, d))

    def extremes(self, rows: Matrix) -> None:
        """Blocks of lines against each other cost a third of one line after the other."""
        n, d = rows.shape
        whole = n - n % LINES
        for into, least in ((self.lowest, np.minimum), (self.highest, np.maximum)):
            if whole:
                least(into, least.reduce(rows[:whole].reshape(-1, LINES, d), axis=0), out=into)
            least(into[: n - whole], rows[whole:], out=into[: n - whole])

    def moments(self, held: Matrix, good: Mask) -> Moments:
        if not self.n:
            return Moments.empty(len(self.squares))
        mean = self.plain / self.n
        m2 = self.squares - self.n * mean * mean
        lost = np.flatnonzero(m2 < CANCELLED * self.squares)
        if len(lost):
            some = held[:, lost] if good.all() else held[good][:, lost]
            first = some[0].astype(np.float64)
            apart = some - first
            mean[lost] = first + apart.mean(axis=0)
            apart -= apart.mean(axis=0)
            m2[lost] = np.einsum("ij,ij->j", apart, apart)
        lowest, highest = self.lowest.min(axis=0), self.highest.max(axis=0)
        return Moments(self.n, mean, m2, lowest.astype(np.float64), highest.astype(np.float64), self.zeros)


def _piece(
    held: Matrix, present: Mask, part: slice, together: _Together, figures: RowFigures, sums: _Sums
) -> None:
    """Rows `part` of the order of `together`."""
    n, room = part.stop - part.start, sums.room
    wide, bits = room.wide[:n], room.bits[:n]
    if together.order is None:
        rows = held[part]
    else:
        rows = room.rows[:n]
        np.take(held, together.order[part], axis=0, out=rows, mode="clip")
    np.copyto(wide, rows)
    length: F64 = np.sqrt(np.vecdot(wide, wide))
    figures.length[part] = length
    # Without their sign the bits of floats are in the order of their sizes, and integers compare faster.
    np.bitwise_and(rows.view(np.uint32), SIZE, out=bits)
    np.maximum.reduce(bits, axis=1, out=figures.peak[part].view(np.uint32))
    runs = together.runs[part]
    if not (sums.complete and length.min() > 0 and length.max() <= LARGEST):
        there = present[part] if together.order is None else present[together.order[part]]
        good = there & (length > 0) & (length <= LARGEST)
        if not good.any():
            return
        rows, wide, length, bits, runs = rows[good], wide[good], length[good], bits[good], runs[good]
    n = len(rows)
    inverse, ones = 1.0 / length, room.ones[:n]
    if together.order is None:
        sums.unit[0] += inverse @ wide
    else:
        edges = np.concatenate(([0], np.flatnonzero(np.diff(runs)) + 1, [n])).tolist()
        for a, b in itertools.pairwise(edges):
            sums.unit[runs[a]] += inverse[a:b] @ wide[a:b]
    sums.plain += ones @ wide
    sums.squares += np.einsum("ij,ij->j", wide, wide)
    sums.n += n
    sums.extremes(rows)
    if not bits.min():
        sums.zeros += np.count_nonzero(bits == 0, axis=0)


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
