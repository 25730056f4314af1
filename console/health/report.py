"""The report of one vector field at one time, as CLI.md's contract has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding, NotMeasured
    from console.health.policy import Policy
    from console.settings import Accepted

Verdict = Literal["healthy", "degraded", "broken", "not_known"]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """`data`: the JSON of `plumbline check`. `arrays`: what is kept beside it for later comparisons."""

    data: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    findings: Sequence[Finding] = ()
    """With their bitmaps, while the check that made them is at hand; empty for a stored report."""
    evidence: Evidence | None = None

    @property
    def verdict(self) -> Verdict:
        return self.data["verdict"]


def build(
    evidence: Evidence,
    rules: Policy,
    findings: Sequence[Finding],
    unmeasured: Sequence[NotMeasured],
    *,
    accepted: Sequence[Accepted],
    at: datetime,
    seconds: float,
) -> Report:
    """Ranks, accepts, and writes the report."""
    raise NotImplementedError
