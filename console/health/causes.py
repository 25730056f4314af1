"""Which findings are causes and which follow from them: folds, peeling, controls, and the group that names a cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding, Group, Mask
    from console.health.policy import Policy
    from console.health.table import RowTable


def explain(
    findings: Sequence[Finding], evidence: Evidence, rules: Policy, rng: np.random.Generator
) -> list[Finding]:
    """The findings that fire, with `because_of` and `group` set; aggregates under their line are dropped."""
    raise NotImplementedError


def name_group(table: RowTable, affected: Mask, examined: Mask | None = None) -> Group | None:
    """The (field, value) with the best F1 against the rows, precision and recall both >= .8; else None."""
    raise NotImplementedError
