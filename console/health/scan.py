"""Reads a collection once, whole in parallel ranges or as a sample, into profile, table and reservoir."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.model import Description, RowId, Target, VectorField
    from connectors.protocol import Reader
    from console.health.evidence import Reservoir, ScanFacts
    from console.health.options import CheckOptions, FieldNames
    from console.health.profile import Profile
    from console.health.progress import Tell
    from console.health.table import RowTable


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """One vector field, read."""

    facts: ScanFacts
    profile: Profile
    table: RowTable
    reservoir: Reservoir


def examine(
    reader: Reader,
    target: Target,
    description: Description,
    fields: Sequence[VectorField],
    names: FieldNames,
    options: CheckOptions,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
    only: Sequence[RowId] | None = None,
) -> Mapping[str, Examined]:
    """One pass for all `fields`; `only`: these rows (a report's sample read again).

    Raises `Cancelled` and what reading raises.
    """
    raise NotImplementedError
