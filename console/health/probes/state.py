"""A second look at the index, some time after the first: does a queue drain?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.health.registry import probe

if TYPE_CHECKING:
    from connectors.model import IndexState
    from console.health.probing import Probing

APART: Final = 3.0
"""Seconds between two looks at a queue, at least."""


@dataclass(frozen=True, slots=True)
class Later:
    """The index's state when all other probes were done, at least `seconds` after the first look."""

    state: IndexState
    seconds: float


@probe(Later, order=95, name="Index state")
def later(probing: Probing) -> Later:
    began = time.monotonic()
    if probing.evidence.index_state.queue:
        while time.monotonic() - began < APART:
            probing.budget.check()
            time.sleep(0.1)
    state = probing.reader.index_state(probing.target, timeout=probing.timeout)
    return Later(state, time.monotonic() - began)
