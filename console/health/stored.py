"""Earlier reports of an address, as a check needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.model import RowId
    from console.health.baseline import Baseline
    from console.workspace import Address, Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """`reports`: earlier reports as JSON, newest first."""

    reports: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def baseline(self, wanted: str | None) -> Baseline | None:
        """`latest`, a report's id, or None for the pinned one. Raises `not-found` for an id that is not there."""
        raise NotImplementedError

    def sampled_ids(self, report: str) -> Sequence[RowId]:
        """The ids of the rows that a report's sample held. Raises `not-found`."""
        raise NotImplementedError


def past(ws: Workspace, address: Address) -> Past:
    """What the store holds of an address."""
    raise NotImplementedError
