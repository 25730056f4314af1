"""A run's folder: its state, written whole or not at all, and the lock that its process holds while it lives.

The kernel frees the lock when the process ends, however it ends: a run whose lock is free and whose state
has no end has died, and one whose lock is held and whose heartbeat is old is slow.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from console.jobs.model import Run

STATE: Final = "state.json"
LOCK: Final = "alive.lock"
CANCEL: Final = "cancel"
LOG: Final = "log"
SCRATCH: Final = "scratch"
ID: Final = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}", re.ASCII)


def folder(home: Path) -> Path:
    return home / "runs"


def write(place: Path, run: Run) -> None:
    """The state as JSON, atomically. Raises OSError."""
    aside = place / f".{STATE}.{os.getpid()}"
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(run.to_json(), file)
    aside.replace(place / STATE)


def read(place: Path) -> Run | None:
    """The state; None where there is none, or none that can be read."""
    try:
        run = Run.from_json(json.loads((place / STATE).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if run.id != place.name:
        return None
    return run.but(stopping=True) if (place / CANCEL).exists() else run


def hold(place: Path) -> int:
    """Takes the lock of a new run; the descriptor is handed to its process. Raises OSError."""
    handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def living(place: Path) -> bool:
    """Whether the run's process lives. Shared locks of those who ask do not disturb each other."""
    try:
        handle = os.open(place / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def alone(root: Path) -> Generator[None]:
    """One process at a time starts runs. Raises OSError."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(root / "submit.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)


def clear_scratch(place: Path) -> None:
    """What a process that was ended left behind."""
    shutil.rmtree(place / SCRATCH, ignore_errors=True)


def started(pid: int) -> float | None:
    """When a process began, in clock ticks since the machine's start: with the id it names one process.

    None where the system does not tell (no /proc), or the process is gone.
    """
    try:
        after = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return float(after[19])
    except (OSError, ValueError, IndexError):
        return None


def now() -> float:
    return time.time()
