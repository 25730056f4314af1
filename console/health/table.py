"""One compact entry per scanned row: what row checks, causes and `--rows-out` need, exact and without the vectors."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from connectors.model import RowId
from console.health.findings import Mask
from console.health.spill import release
from console.health.values import Key

U64: TypeAlias = npt.NDArray[np.uint64]
U16: TypeAlias = npt.NDArray[np.uint16]
F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]
I64: TypeAlias = npt.NDArray[np.int64]

MISSING: Final = 1
"""The row lacks the vector."""
NON_FINITE: Final = 2
"""The vector holds NaN or infinity, or its length is not finite in float32."""
OVERFLOW: Final = 4
"""All values are finite, the float32 length is not. Set together with NON_FINITE."""
ZERO: Final = 8
"""Every value is 0."""

ABSENT: Final = 0
"""The code of a row without a value in a group field."""


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """Row ids in 17 bytes each: integers as (0, value), UUIDs as their two halves."""

    high: U64
    low: U64
    integer: Mask

    def __len__(self) -> int:
        return len(self.low)

    def at(self, index: int) -> RowId:
        low = int(self.low[index])
        if self.integer[index]:
            return low
        return str(uuid.UUID(int=(int(self.high[index]) << 64) | low))

    def take(self, rows: Iterable[int]) -> tuple[RowId, ...]:
        return tuple(self.at(int(i)) for i in rows)

    @classmethod
    def of(cls, ids: Sequence[RowId]) -> Ids:
        n = len(ids)
        integer = np.fromiter((isinstance(row, int) for row in ids), np.bool_, n)
        high, low = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
        if integer.any():
            low[integer] = np.array([row for row in ids if isinstance(row, int)], np.uint64)
        if not integer.all():
            texts = [row for row in ids if isinstance(row, str)]
            high[~integer], low[~integer] = _halves(texts)
        return cls(high, low, integer)


def _halves(texts: Sequence[str]) -> tuple[U64, U64]:
    """UUIDs as their upper and lower 64 bits."""
    digits = "".join(texts).replace("-", "")
    if len(digits) != 32 * len(texts):
        digits = "".join(uuid.UUID(text).hex for text in texts)
    bits = np.frombuffer(bytes.fromhex(digits), ">u8").reshape(-1, 2)
    return bits[:, 0].astype(np.uint64), bits[:, 1].astype(np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A group field: `codes[i]` is ABSENT, or 1 + the index into `values`; values past the bound share `other`.

    `values` holds strings, integers and booleans as the rows have them, lists as JSON text.
    """

    codes: U16
    values: tuple[Any, ...]
    other: int | None = None
    """The code that stands for every value past the bound on distinct ones."""
    others: Mapping[Key, int] = field(default_factory=dict[Key, int])
    """Of a block: rows of each value that `other` stands for, where somebody counted them."""

    def mask(self, value: Any) -> Mask:
        """The rows that carry a value."""
        for i, held in enumerate(self.values):
            if held == value and type(held) is type(value):
                return self.codes == i + 1
        return np.zeros(len(self.codes), np.bool_)

    def value(self, row: int) -> Any:
        code = int(self.codes[row])
        return None if code == ABSENT or code == self.other else self.values[code - 1]


@dataclass(frozen=True, slots=True, eq=False)
class RowTable:
    """Every scanned row of one vector field in the order of the scan; n entries in each array.

    Arrays may lie in a temporary file (`numpy.memmap`). `digest`: 64-bit hash of the vector's bytes, 0 where
    it is missing. `tail`: trailing zeros of the vector. `peak`: the largest absolute value. `source`: hash of
    what was embedded, 0 for none. `content`: hash of the payload fields read, time left out, 0 where the row has
    none of them. `text_length`: characters, -1 for none. `time`: seconds since 1970, NaN for none.
    """

    ids: Ids
    flags: U16
    norm: F32
    """Float32 of the length computed in float64; NaN where missing or not finite."""
    digest: U64
    tail: U16
    peak: F32
    source: U64
    content: U64
    text_length: npt.NDArray[np.int32]
    time: F64
    groups: Mapping[str, Codes] = field(default_factory=dict[str, Codes])

    def __len__(self) -> int:
        return len(self.flags)

    def flagged(self, bits: int) -> Mask:
        return (self.flags & np.uint16(bits)) != 0

    def rest(self) -> None:
        """Between two steps: what lies in a file need not stay in memory."""
        release((
            self.ids.high, self.ids.low, self.ids.integer, self.flags, self.norm, self.digest, self.tail, self.peak,
            self.source, self.content, self.text_length, self.time, *(held.codes for held in self.groups.values()),
        ))  # fmt: skip

    @property
    def present(self) -> Mask:
        return ~self.flagged(MISSING)
