"""`[gate]`: the conditions of a cutover, in their order, with their limits and what holds where nobody set one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

Limits = Mapping[str, float | bool | None]

CONDITIONS: Final[Mapping[str, Limits]] = MappingProxyType(
    {
        "id-set": {"settle": 1.0},
        "critical-findings": {"full": False},
        "version-mix": {},
        "recall": {"limit": None},
        "quality": {"margin": 0.03},
        "cohorts": {"margin": 0.05, "queries": 30},
        "latency": {"ratio": 1.2, "milliseconds": 5.0, "queries": 1000},
        "canary": {"limit": None},
        "threshold": {"cutoff": None},
    }
)
"""Condition -> its limits. None: taken from the policy of the findings, or asked for each time."""

WHEN_ASKED: Final = ("threshold",)
"""Conditions that hold a gate up only where they are declared, or where what they measure was named."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """`limits`: what was set. `declared`: conditions that the file names; `left_out`: those it takes away."""

    limits: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    declared: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def of(self, condition: str) -> dict[str, float | bool | None]:
        """The limits of a condition, with the defaults of those that were not set."""
        return {**CONDITIONS[condition], **self.limits.get(condition, {})}
