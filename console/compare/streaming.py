"""Rows of a side, read ahead by one batch while the last one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from console.progress import Cancelled

if TYPE_CHECKING:
    from connectors.model import Batch, Target
    from connectors.protocol import Reader

AHEAD: Final = 2
LOOK: Final = 0.2
"""Seconds between two looks whether somebody asked for the end."""


def stream(
    reader: Reader,
    target: Target,
    fields: Sequence[str],
    columns: Sequence[str],
    cancelled: Callable[[], bool],
) -> Iterator[Batch]:
    """Every row in id order, with dense `fields` and payload `columns`. Raises what reading raises, and `Cancelled`."""
    held: queue.Queue[Batch | BaseException | None] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(what: Batch | BaseException | None) -> None:
        while not stop.is_set():
            try:
                held.put(what, timeout=LOOK)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for batch in reader.scan(target, fields, None, columns):
                put(batch)
                if stop.is_set():
                    return
            put(None)
        except BaseException as fault:
            put(fault)

    thread = threading.Thread(target=read, name="compare", daemon=True)
    thread.start()
    try:
        while True:
            if cancelled():
                raise Cancelled
            try:
                found = held.get(timeout=LOOK)
            except queue.Empty:
                continue
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stop.set()
