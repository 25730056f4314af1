"""Asking many servers at once, so that a dead one costs its own line only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, TypeVar

from connectors.errors import PlumblineError

T = TypeVar("T")

PATIENCE: Final = 2.0
"""A connection may take this many times its own timeout (gRPC, then REST), and `SPARE` seconds."""
SPARE: Final = 5.0


def at_once(limits: Mapping[str, float], ask: Callable[[str], T]) -> Iterator[tuple[str, T | BaseException]]:
    """Ask each name in a thread of its own; (name, answer or error) as they come.

    `limits`: name -> seconds that one call may take. The threads are daemons and a deadline stands over
    each, so that a call that never ends (a client library that ignores its timeout) does not hold the list.
    """
    answers: SimpleQueue[tuple[str, T | BaseException]] = SimpleQueue()

    def run(name: str) -> None:
        try:
            answers.put((name, ask(name)))
        except BaseException as fault:
            answers.put((name, fault))

    began = monotonic()
    deadlines: dict[str, float] = {}
    for name, limit in limits.items():
        deadlines[name] = began + PATIENCE * limit + SPARE
        threading.Thread(target=run, args=(name,), name=f"ask-{name}", daemon=True).start()
    while deadlines:
        wait = min(deadlines.values()) - monotonic()
        try:
            name, answer = answers.get(timeout=max(wait, 0.0))
        except Empty:
            late = min(deadlines, key=lambda n: deadlines[n])
            del deadlines[late]
            yield late, PlumblineError("timeout", "It did not answer in time.", where=late)
            continue
        if deadlines.pop(name, None) is not None:
            yield name, answer
