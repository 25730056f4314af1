"""Whether nearness of these vectors means anything, so that a check may hold something against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.health.checks.geometry import dominant_axis, no_structure
from console.health.findings import Finding

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.policy import Policy


def unfit(evidence: Evidence, rules: Policy) -> str | None:
    """Why it means nothing, in a sentence; None where it does."""
    wrong = [
        f
        for check in (no_structure, dominant_axis)
        for f in check(evidence, rules)
        if isinstance(f, Finding) and f.severity in ("warning", "critical")
    ]
    if any(f.code == "no-structure" for f in wrong):
        return "The vectors have no structure that texts or sources could be held against."
    if any(f.key == "dimension" for f in wrong):
        return "One dimension decides which vectors are near."
    return None
