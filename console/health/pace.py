"""How fast rows are read: progress, a limit, and the way to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from console.health.probing import Cancelled
from console.health.progress import Progress, Tell

PHASE: Final = "Reading rows"
EVERY: Final = 0.2
"""Seconds between two reports of progress."""
LOOK: Final = 0.1
"""Seconds between two looks whether somebody asked for the end."""
SURE: Final = 0.01
"""Share that is read before a time left is said: before, it is a guess."""


class Pace:
    """Counts rows. `look` and `tell` are the calling thread's; `add` and `wait` are for every thread."""

    def __init__(self, tell: Tell, cancelled: Callable[[], bool], rate: float | None = None) -> None:
        self.stop = threading.Event()
        self.rate = rate if rate is not None and rate > 0 else None
        self._tell = tell
        self._cancelled = cancelled
        self._total: int | None = None
        self._rows = 0
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._told = 0.0

    def begin(self, total: int | None) -> None:
        self._total = total
        self._began = time.monotonic()
        self._say()

    def add(self, rows: int) -> None:
        with self._lock:
            self._rows += rows

    def wait(self) -> None:
        """Until the limit allows more rows, or everybody is to stop."""
        if self.rate is not None:
            ahead = self._rows / self.rate - (time.monotonic() - self._began)
            if ahead > 0:
                self.stop.wait(ahead)

    def look(self) -> None:
        """Raises `Cancelled`; says how far it is, now and then."""
        if self._cancelled():
            self.stop.set()
            raise Cancelled
        if time.monotonic() - self._told >= EVERY:
            self._say()

    def end(self) -> None:
        self._say()

    def _say(self) -> None:
        self._told = now = time.monotonic()
        span = now - self._began
        rate = self._rows / span if self._rows and span > 0 else None
        left = None
        if rate is not None and self._total is not None and self._rows >= SURE * self._total:
            left = max(0, self._total - self._rows) / rate
        self._tell(Progress(PHASE, self._rows, self._total, rate, left))
