"""What stands beside a collection's folder so that damage is noticed: the engine itself loads most damage silently.

`closed.json` is written at a clean close: the rows, and every file with size, time and CRC-32. It is removed
when the collection is opened. While it is open, `bounds` says between which counts the rows lie; it is
rewritten before and after every write, so that it holds after a SIGKILL too.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CLOSED: Final = "closed.json"
BOUNDS: Final = "bounds"
_BOUNDS: Final = struct.Struct("<QQQI")
OPEN_TRIES: Final = 3
"""So often may a host die while it opens a collection before the collection counts as damaged."""


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a crash, sees the old or the new one whole."""
    aside = path.with_name(f".{path.name}.new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    aside.replace(path)


def _crc(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known before the engine opens a folder. `rows` is exact after a clean close, else None."""

    rows: int | None
    low: int
    high: int
    fault: str | None = None


class Sidecar:
    """The marks of one collection. Not thread-safe: the collection's write lock guards it."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._data = data
        self._handle: int | None = None

    def before_open(self) -> Opening:
        """Examine the marks, remove the clean one, and note that a host is opening the folder."""
        closed = self._folder / CLOSED
        low, high, tries = self._read_bounds()
        if closed.exists():
            opening = self._check_closed(closed)
            tries = 0
        else:
            opening = Opening(None, low, high)
        if opening.fault is None and tries >= OPEN_TRIES:
            opening = Opening(None, low, high, f"the engine died {tries} times while it opened this folder")
        if opening.fault is not None:
            return opening
        self._write_bounds(opening.low, opening.high, tries + 1)
        closed.unlink(missing_ok=True)
        return opening

    def opened(self, rows: int) -> None:
        self._write_bounds(rows, rows, 0)

    def bound(self, low: int, high: int) -> None:
        """From now on the rows lie between `low` and `high`, both inclusive."""
        self._write_bounds(low, high, 0)

    def closed(self, rows: int) -> None:
        """The engine has closed the folder and nobody writes to it."""
        files: dict[str, Any] = {}
        for path in _files(self._data):
            stat = path.stat()
            files[path.relative_to(self._data).as_posix()] = [stat.st_size, stat.st_mtime_ns, _crc(path)]
        self._write_bounds(rows, rows, 0)
        replace(self._folder / CLOSED, json.dumps({"rows": rows, "files": files}).encode())
        self.release()

    def moved(self, data: Path) -> None:
        """The collection lies in another folder now."""
        self._data = data

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _check_closed(self, closed: Path) -> Opening:
        try:
            held = json.loads(closed.read_bytes())
            rows, files = int(held["rows"]), dict(held["files"])
        except (ValueError, KeyError, TypeError, OSError) as fault:
            return Opening(None, 0, 0, f"its mark of a clean close can't be read ({fault})")
        for name, (size, moment, crc) in files.items():
            path = self._data / name
            try:
                stat = path.stat()
            except OSError:
                return Opening(rows, rows, rows, f"the file {name} is gone")
            if stat.st_size != size:
                return Opening(rows, rows, rows, f"{name} has {stat.st_size} bytes where {size} were written")
            if stat.st_mtime_ns != moment and _crc(path) != crc:
                return Opening(rows, rows, rows, f"the contents of {name} were changed since the last close")
        return Opening(rows, rows, rows)

    def _read_bounds(self) -> tuple[int, int, int]:
        """Low, high, tries. What can't be read bounds nothing."""
        try:
            data = (self._folder / BOUNDS).read_bytes()
        except OSError:
            return 0, 2**64 - 1, 0
        if len(data) != _BOUNDS.size:
            return 0, 2**64 - 1, 0
        low, high, tries, crc = _BOUNDS.unpack(data)
        return (low, high, tries) if zlib.crc32(data[:24]) == crc else (0, 2**64 - 1, 0)

    def _write_bounds(self, low: int, high: int, tries: int) -> None:
        if self._handle is None:
            self._handle = os.open(self._folder / BOUNDS, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        body = struct.pack("<QQQ", low, high, tries)
        os.pwrite(self._handle, body + struct.pack("<I", zlib.crc32(body)), 0)
