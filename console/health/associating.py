"""Recall of an index can't be peeled: its queries are told apart by whether a cause's rows are among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding


def associated(
    finding: Finding, causes: Sequence[Finding], evidence: Evidence
) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """Ids of the causes that go with the loss, and the figures; None where the finding is not about recall."""
    return None
