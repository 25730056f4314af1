"""Files that somebody gave the console for a query, kept by their content's hash.

They lie in `<home>/uploads` for `DAYS` days after the last time they were given, so that a shared or
reloaded URL gives the same answer. Readable by their owner only; the folder has a bound.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from connectors.errors import PlumblineError
from console.search.request import Upload

DAYS: Final = 7
MOST_BYTES: Final = 512 * 1024 * 1024
"""Of all uploads together; the oldest make room."""
LARGEST: Final = 32 * 1024 * 1024
"""Of one upload."""

_KEEP: Final = DAYS * 86_400.0


def keep(home: Path, data: bytes, *, now: float | None = None, most: int = MOST_BYTES) -> Upload:
    """Keep these bytes; given again, they are kept anew for the whole time.

    Raises `image-refused` for more than `LARGEST` bytes and `disk-full` where they can't be written.
    """
    if not data or len(data) > LARGEST:
        what = "The file is empty." if not data else f"The file has {len(data):,} bytes."
        raise PlumblineError(
            "image-refused", what, where="upload", hint=f"An upload has 1 to {LARGEST:,} bytes."
        )
    now = time.time() if now is None else now
    upload = Upload(hashlib.sha256(data).hexdigest())
    folder = _folder(home)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        prune(home, now=now, most=most - len(data), sparing=upload)
        _write(folder, folder / upload.sha256, data, now)
    except OSError as fault:
        raise PlumblineError(
            "disk-full",
            f"The upload could not be kept ({fault.strerror}).",
            where=str(folder),
            hint="Free some space, or let PLUMBLINE_HOME name a folder that can be written.",
        ) from None
    return upload


def find(home: Path, upload: Upload, *, now: float | None = None) -> bytes:
    """The bytes of an upload. Raises `not-found` where it is gone, expired or no longer itself."""
    now = time.time() if now is None else now
    path = _folder(home) / upload.sha256
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            if now - os.fstat(file.fileno()).st_mtime > _KEEP:
                raise _gone(upload, f"It was kept for {DAYS} days.")
            data = file.read(LARGEST + 1)
    except OSError:
        raise _gone(upload, f"Uploads are kept for {DAYS} days, on the machine that took them.") from None
    if hashlib.sha256(data).hexdigest() != upload.sha256:
        raise _gone(upload, "What was kept of it is damaged.")
    return data


def prune(
    home: Path, *, now: float | None = None, most: int = MOST_BYTES, sparing: Upload | None = None
) -> int:
    """Remove what has expired, then the oldest until at most `most` bytes are left; returns how many."""
    now = time.time() if now is None else now
    kept: list[tuple[float, int, Path]] = []
    removed = 0
    with contextlib.suppress(FileNotFoundError):
        for path in _folder(home).iterdir():
            try:
                state = path.lstat()
            except FileNotFoundError:
                continue
            if now - state.st_mtime > _KEEP:
                path.unlink(missing_ok=True)
                removed += 1
            elif sparing is None or path.name != sparing.sha256:
                kept.append((state.st_mtime, state.st_size, path))
    held = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if held <= most:
            break
        path.unlink(missing_ok=True)
        held -= size
        removed += 1
    return removed


def _folder(home: Path) -> Path:
    return home / "uploads"


def _write(folder: Path, path: Path, data: bytes, now: float) -> None:
    handle, name = tempfile.mkstemp(prefix=".new-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.utime(name, (now, now))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _gone(upload: Upload, why: str) -> PlumblineError:
    return PlumblineError(
        "not-found",
        f"The uploaded file is no longer here. {why}",
        where=f"upload:{upload.sha256[:12]}…",
        hint="Upload it again.",
    )
