"""Every row of a side, once, by several readers at a time: what makes id sets, and counts of version tags."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from console.health.pace import LOOK, Pace
from console.health.ranges import READERS, ROWS
from console.progress import Cancelled, Progress, Tell

if TYPE_CHECKING:
    from connectors.model import Batch, Range
    from console.compare.gate.gather.sides import Side

T = TypeVar("T")
PAGE: Final = 1024 * 1024
"""Bytes of a page: ids alone are small, and a page of 4 MiB would be a hundred thousand of them."""


def read(
    side: Side,
    fields: Sequence[str],
    columns: Sequence[str],
    see: Callable[[Batch], T],
    phase: str,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> list[T]:
    """What `see` makes of each batch, in any order; it is called by several threads.

    Raises `Cancelled`, and the first fault of any range after all have stopped.
    """

    def say(progress: Progress) -> None:
        tell(replace(progress, phase=phase))

    pace, rows = Pace(say, cancelled), side.description.rows
    pace.begin(rows)
    ranges = side.reader.ranges(side.target, max(1, min(READERS, (rows or 0) // ROWS)))
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    kept: list[T] = []

    def one(over: Range) -> None:
        fault: BaseException | None = None
        try:
            for batch in side.reader.scan(side.target, fields, over, columns, PAGE):
                if pace.stop.is_set():
                    break
                kept.append(see(batch))
                pace.add(len(batch))
        except BaseException as error:
            pace.stop.set()
            fault = error
        done.put(fault)

    faults: list[BaseException] = []
    pool = ThreadPoolExecutor(max(1, min(READERS, len(ranges))), "gate")
    try:
        for over in ranges:
            pool.submit(one, over)
        left = len(ranges)
        while left:
            pace.look()
            try:
                fault = done.get(timeout=LOOK)
            except queue.Empty:
                continue
            left -= 1
            faults += [] if fault is None else [fault]
    finally:
        pace.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    if faults:
        raise faults[0]
    return kept


def wait(span: float, cancelled: Callable[[], bool]) -> None:
    """Raises `Cancelled`."""
    end = time.monotonic() + span
    while (left := end - time.monotonic()) > 0:
        if cancelled():
            raise Cancelled
        time.sleep(min(LOOK, left))
