"""The best scores of each of some queries out of a stream, in bounded memory; equal scores in the order of numbers."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from console.health.table import F32, F64, I64, U64

U32: TypeAlias = npt.NDArray[np.uint32]

NOTHING: Final = np.uint64(2**64 - 1)
"""The key of an empty place: after every other."""
LAST: Final = 2**32 - 1
"""A number after every row's."""
_LOW: Final = np.uint64(32)
_SIGN: Final = np.uint32(1 << 31)


class BestLists:
    """The `m` best of each of `q` queries, the first `sharp` of them by better scores than the others.

    An entry is one 64-bit key, which sorts by falling float32 score, then by rising number below 2**32. What is
    offered waits until there is a quarter of what the lists hold, so that a stream of n rows is sorted some log(n)
    times. Which entries are held depends on their keys alone, not on their order.
    """

    def __init__(self, q: int, m: int, sharp: int) -> None:
        self.depth = m
        self._sharp = sharp
        self._keys: U64 = np.full((q, m), NOTHING, np.uint64)
        self._waiting: list[tuple[I64, U64]] = []
        self._count = 0
        self._better: list[tuple[I64, U64, F32]] = []
        self._known = 0
        self.bar: F32 = np.full(q, -np.inf, np.float32)
        """(q,) a lower score is in no list any more."""

    @property
    def last(self) -> U64:
        """(q,) a later key is in no list any more."""
        return self._keys[:, -1]

    @property
    def last_sharp(self) -> U64:
        """(q,) a later key is not among the first `sharp` any more."""
        return self._keys[:, self._sharp - 1]

    def offer(self, line: I64, keys: U64) -> None:
        """Keys (p,) of the queries `line` (p,), ascending; a number is offered to a query once."""
        self._waiting.append((line, keys))
        self._count += len(line)
        if self._count >= self._keys.size // 4:
            self._settle()

    def sharpen(self, line: I64, keys: U64, found: F32) -> None:
        """The better scores of keys, at least of those not later than `last_sharp`."""
        self._better.append((line, keys, found))
        self._known += len(line)
        if self._known >= 8 * self._keys.shape[0] * self._sharp:
            self._better = [self._first()]
            self._known = len(self._better[0][0])

    def result(self) -> tuple[I64, F64]:
        """Numbers (q, m), -1 padded, and scores (q, m), -inf padded, best first."""
        self._settle()
        if self._better:
            line, keys, found = self._first()
            order = np.lexsort((keys, line))
            first = self._keys[:, : self._sharp]
            first[first != NOTHING] = keys_of(found[order], numbers_of(keys[order]))
            self._keys.sort(axis=1)
            self._better = []
        empty = self._keys == NOTHING
        scores = scores_of(self._keys).astype(np.float64)
        return np.where(empty, -1, numbers_of(self._keys)), np.where(empty, -np.inf, scores)

    def _first(self) -> tuple[I64, U64, F32]:
        """What is known of those that may be among the first."""
        line, keys, found = (np.concatenate(column) for column in zip(*self._better, strict=True))
        held = keys <= self.last_sharp[line]
        return line[held], keys[held], found[held]

    def _settle(self) -> None:
        if not self._waiting:
            return
        q, m = self._keys.shape
        counts = [np.bincount(line, minlength=q) for line, _ in self._waiting]
        filled = np.full(q, m, np.int64)
        held = np.full((q, m + int(np.sum(counts, axis=0).max())), NOTHING, np.uint64)
        held[:, :m] = self._keys
        for (line, keys), count in zip(self._waiting, counts, strict=True):
            first = np.cumsum(count) - count
            held[line, filled[line] + np.arange(len(line)) - first[line]] = keys
            filled += count
        held.sort(axis=1)
        self._keys = np.ascontiguousarray(held[:, :m])
        self._waiting, self._count = [], 0
        self.bar = np.where(self.last == NOTHING, np.float32(-np.inf), scores_of(self.last))


def keys_of(scores: F32, numbers: I64) -> U64:
    """Keys of scores that are numbers and of row numbers, of one shape."""
    # 0 in place of -0: they are equal and their bits are not.
    bits = (scores + np.float32(0)).view(np.uint32)
    falling = np.where(bits & _SIGN, bits, ~bits & ~_SIGN)
    return (falling.astype(np.uint64) << _LOW) | numbers.astype(np.uint64)


def scores_of(keys: U64) -> F32:
    """The scores that keys were made of; of `NOTHING` no number."""
    falling: U32 = (keys >> _LOW).astype(np.uint32)
    return np.where(falling & _SIGN, falling, ~falling & ~_SIGN).view(np.float32)


def numbers_of(keys: U64) -> I64:
    return (keys & np.uint64(LAST)).astype(np.int64)


NO_NUMBER: Final = keys_of(np.full(1, -np.inf, np.float32), np.zeros(1, np.int64))[0]
"""The first key of a score that is -inf."""
