"""Which payload fields mean what: settings first, then what a few rows show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.model import Description, Target
    from connectors.protocol import Reader
    from console.health.options import CheckOptions, FieldNames
    from console.workspace import Address, Workspace


def field_names(
    ws: Workspace,
    address: Address,
    description: Description,
    reader: Reader,
    target: Target,
    options: CheckOptions,
) -> FieldNames:
    """Reads at most a few hundred rows' payloads."""
    raise NotImplementedError
