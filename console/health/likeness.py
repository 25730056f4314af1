"""Rows that a cause did not look at, told by the rows that it did: the nearest of those is at fault or it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import Finding, Mask
from console.health.method import CONSTANT

if TYPE_CHECKING:
    from console.health.evidence import Evidence

BLOCK: Final = 1_024
FEWEST: Final = 5
"""Rows at fault from which likeness is told: of fewer, one more or less decides whether it holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """`rows`: bitmap over the table, of the reservoir's rows that were not looked at and are like the cause's.

    `precision`, `recall`: of the same rule for the rows that were looked at, each told by the others.
    """

    rows: Mask
    precision: float
    recall: float

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": int(np.count_nonzero(self.rows)),
            "precision": self.precision,
            "recall": self.recall,
        }


def alike(cause: Finding, evidence: Evidence) -> Alike | None:
    """By the nearest row (cosine) among those that the cause looked at. None where that tells them apart no better
    than a group must to name them: then vectors do not show the fault.
    """
    if cause.examined is None or cause.affected is None:
        return None
    rows = evidence.reservoir.rows[evidence.places]
    looked = cause.examined[rows]
    mine = cause.affected[rows][looked]
    if np.count_nonzero(mine) < FEWEST or mine.all() or looked.all():
        return None
    unit = evidence.unit
    known = unit[looked]
    near = known @ known.T
    np.fill_diagonal(near, -np.inf)
    guess = mine[near.argmax(axis=1)]
    right = int(np.count_nonzero(guess & mine))
    precision = right / max(1, int(np.count_nonzero(guess)))
    recall = right / int(np.count_nonzero(mine))
    if precision < CONSTANT["group_precision"] or recall < CONSTANT["group_recall"]:
        return None
    out, rest = np.zeros(len(evidence.table), np.bool_), np.flatnonzero(~looked)
    for start in range(0, len(rest), BLOCK):
        part = rest[start : start + BLOCK]
        out[rows[part]] = mine[(unit[part] @ known.T).argmax(axis=1)]
    return Alike(out, precision, recall)
