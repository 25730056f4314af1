"""What a probe may use: the connector, the rows that were read, an encoder, and a budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from console.progress import Cancelled

__all__ = ["Budget", "BudgetSpent", "Cancelled", "Probing"]

if TYPE_CHECKING:
    from connectors.model import Target
    from connectors.protocol import Reader
    from console.health.evidence import Evidence
    from console.health.policy import Policy
    from console.workspace import Address, Workspace


class BudgetSpent(Exception):
    """The probes' time is used up; the probe reports `NotMeasured`."""


@dataclass(slots=True)
class Budget:
    """Seconds for all probes together, and a way to stop."""

    seconds: float
    cancelled: Callable[[], bool] = lambda: False
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Call between requests. Raises `Cancelled` and `BudgetSpent`."""
        if self.cancelled():
            raise Cancelled
        if not self.left:
            raise BudgetSpent


@dataclass(frozen=True, slots=True)
class Probing:
    """`evidence`: scan, profile, rows and server, before any probe.

    `load_encoder` loads on the first call and raises `encoder-unavailable`; None where no encoder was asked for.
    `progress(done, total)` is for one probe.
    """

    workspace: Workspace
    address: Address
    reader: Reader
    target: Target
    evidence: Evidence
    policy: Policy
    budget: Budget
    load_encoder: Callable[[], Any] | None = None
    progress: Callable[[int, int], None] = lambda _done, _total: None

    def rng(self, name: str) -> np.random.Generator:
        """Seeded by the check's seed and the probe's name: the same rows at the same seed."""
        return np.random.default_rng([self.evidence.options.seed, *name.encode()])

    @property
    def timeout(self) -> float:
        """Seconds for one request: what the budget leaves, 30 at most."""
        return max(1.0, min(30.0, self.budget.left))
