"""A full scan: ranges of ids, read in parallel."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from connectors.model import PAGE_BYTES
from console.health.pace import LOOK, Pace
from console.health.rows import Gathering, RangeRows

if TYPE_CHECKING:
    from connectors.model import Range, Target, VectorField
    from connectors.protocol import Reader

READERS: Final = 4
"""Ranges at once: 4 gave 17,700 rows/s where one gave 13,000, on a server with 2 cores."""
ROWS: Final = 20_000
"""A range is worth having from so many rows on."""
SMALLEST_PAGE: Final = 64 * 1024


def read_ranges(
    reader: Reader, target: Target, fields: Sequence[VectorField], gathering: Gathering, rows: int, pace: Pace
) -> None:
    """Every row. Raises `Cancelled`, and the first fault of any range after all have stopped."""
    pace.begin(rows)
    wanted = max(1, min(READERS, rows // ROWS))
    ranges = reader.ranges(target, wanted)
    size = page_bytes(fields, pace.rate)
    each = [(over, gathering.range()) for over in ranges]
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def one(over: Range, into: RangeRows) -> None:
        fault: BaseException | None = None
        try:
            _read(reader, target, over, into, gathering, size, pace)
        except BaseException as error:
            pace.stop.set()
            fault = error
        done.put(fault)

    faults: list[BaseException] = []
    pool = ThreadPoolExecutor(max(1, min(READERS, len(each))), "health")
    try:
        for over, into in each:
            pool.submit(one, over, into)
        left = len(each)
        while left:
            pace.look()
            try:
                fault = done.get(timeout=LOOK)
            except queue.Empty:
                continue
            left -= 1
            if fault is not None:
                faults.append(fault)
    finally:
        pace.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    if faults:
        raise faults[0]


def page_bytes(fields: Sequence[VectorField], rate: float | None) -> int:
    """Of a page: less where the limit on rows would make a whole one last more than a second."""
    if rate is None:
        return PAGE_BYTES
    width = 256 + sum(4 * (f.dimension or 0) for f in fields)
    return max(SMALLEST_PAGE, int(min(PAGE_BYTES, rate * width / READERS)))


def _read(
    reader: Reader,
    target: Target,
    over: Range,
    into: RangeRows,
    gathering: Gathering,
    size: int,
    pace: Pace,
) -> None:
    for batch in reader.scan(target, gathering.fields, over, gathering.names.columns, size):
        if pace.stop.is_set():
            return
        into.add(batch)
        pace.add(len(batch))
        pace.wait()
