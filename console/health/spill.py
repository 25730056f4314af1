"""Columns of any length: in memory while small, in an unlinked temporary file beyond."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from connectors.errors import PlumblineError

IN_MEMORY: Final = 24 * 1024 * 1024
"""Bytes of all columns of a scan together before they go to a file."""
COPIED: Final = 4 * 1024 * 1024

Array = npt.NDArray[Any]
A = TypeVar("A", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Kept:
    """A block in the file."""

    offset: int
    count: int
    dtype: Any


class Spill:
    """Takes blocks from several threads; `join` makes one array of the blocks of a column."""

    def __init__(self, bound: int = IN_MEMORY) -> None:
        self._bound = bound
        self._held = 0
        self._end = 0
        self._lock = threading.Lock()
        self._file: Any = None

    def keep(self, block: Array) -> Array | Kept:
        """Raises `disk-full`."""
        with self._lock:
            if self._held + block.nbytes <= self._bound:
                self._held += block.nbytes
                return block
            offset, self._end = self._end, self._end + block.nbytes
            file = self._opened()
        _write(file.fileno(), block, offset)
        return Kept(offset, len(block), block.dtype)

    def join(
        self,
        blocks: Sequence[tuple[Array | Kept, Callable[[Array], Array] | None]],
        dtype: npt.DTypeLike,
    ) -> Array:
        """The blocks one after the other, each through its function; read-only where it lies in the file."""
        count = sum(len(b) if isinstance(b, np.ndarray) else b.count for b, _ in blocks)
        if self._file is None:
            out = np.empty(count, dtype)
            at = 0
            for block, change in blocks:
                assert isinstance(block, np.ndarray)
                out[at : at + len(block)] = block if change is None else change(block)
                at += len(block)
            return out
        if not count:
            return np.empty(0, dtype)
        width = np.dtype(dtype).itemsize
        start = -(-self._end // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        self._end = start + count * width
        at = start
        for block, change in blocks:
            held = self._read(block)
            made = np.ascontiguousarray(held if change is None else change(held), dtype)
            _write(self._file.fileno(), made, at)
            at += made.nbytes
        mapped = mmap.mmap(self._file.fileno(), count * width, access=mmap.ACCESS_READ, offset=start)
        return np.frombuffer(mapped, dtype, count)

    def close(self) -> None:
        """Arrays that were joined live on."""
        if self._file is not None:
            self._file.close()

    def _read(self, block: Array | Kept) -> Array:
        if isinstance(block, np.ndarray):
            return block
        raw = os.pread(self._file.fileno(), block.count * block.dtype.itemsize, block.offset)
        return np.frombuffer(raw, block.dtype, block.count)

    def _opened(self) -> Any:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="plumbline-")  # noqa: SIM115
        return self._file


def release(arrays: Iterable[Array]) -> None:
    """Gives the memory of joined arrays back to the system; they are read from the file again when they are used.

    Without it a check of millions of rows ends with all columns in memory, though no step needs more than some.
    """
    for array in arrays:
        base: Any = array.base
        while isinstance(base, np.ndarray):
            base = base.base
        held = base.obj if isinstance(base, memoryview) else base
        if isinstance(held, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            held.madvise(mmap.MADV_DONTNEED)


def _write(file: int, block: Array, offset: int) -> None:
    raw = memoryview(np.ascontiguousarray(block).view(np.uint8).data)
    try:
        while len(raw):
            done = os.pwrite(file, raw[:COPIED], offset)
            raw, offset = raw[done:], offset + done
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise PlumblineError(
            "disk-full",
            f"The rows that were read do not fit into {tempfile.gettempdir()}.",
            hint="Make room there, name another folder in TMPDIR, or check a sample.",
        ) from error
