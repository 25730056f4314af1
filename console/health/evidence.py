"""Everything that was learned of one vector field: what checks are pure functions of."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as default
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from console.health.findings import Basis, Mask, NotMeasured
from console.health.table import F32, I64, MISSING, NON_FINITE, RowTable

if TYPE_CHECKING:
    from connectors.model import Capabilities, Description, IndexState, Kind, Payload, ServerInfo, VectorField
    from console.health.baseline import Baseline
    from console.health.options import CheckOptions, FieldNames
    from console.health.profile import Profile
    from console.health.seeking import Sought

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """How the rows were read. `rows`: the exact count at the start. `changed`: what moved meanwhile, else ""."""

    rows: int
    scanned: int
    exact: bool
    """Every row was read."""
    seed: int | None = None
    seconds: float = 0.0
    started: str = ""
    """ISO 8601 with zone."""
    changed: str = ""
    bias: str = ""
    """What keeps the sample from being uniform, else ""."""
    again: bool = False
    """The rows are those of an earlier sample: no random part of the rows that are there now."""
    then: int | None = None
    """Rows of the collection when that sample was drawn, where it is known."""

    @property
    def basis(self) -> Basis:
        return "exact" if self.exact else "sample"


@dataclass(frozen=True, slots=True, eq=False)
class Reservoir:
    """A uniform sample of the scanned rows, whole. `rows`: (m,) indices into the table, ascending.

    `matrix`: (m, d) float32 as stored, zeros where the vector is missing. `payloads`: m payloads, with the
    fields that were read.
    """

    rows: I64
    matrix: F32
    payloads: Sequence[Payload]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Profile, rows, probes, server and baseline of one vector field. `without` leaves rows out (peeling)."""

    address: str
    kind: Kind
    description: Description
    field: VectorField
    server: ServerInfo
    index_state: IndexState
    capabilities: Capabilities
    options: CheckOptions
    names: FieldNames
    scan: ScanFacts
    profile: Profile
    table: RowTable
    reservoir: Reservoir
    sought: Sought | None = None
    """The nearest rows of some rows, where they were looked for during a full scan."""
    expected_rows: int | None = None
    optional: bool = False
    """The vector is declared optional."""
    encoder: Any = None
    """The `EncoderSpec` of the field, where it is known."""
    baseline: Baseline | None = None
    history: Sequence[Mapping[str, Any]] = ()
    """Earlier reports (JSON) of this address, newest first."""
    results: Mapping[type, Any] = default(default_factory=dict[type, Any])
    left_out: Mask | None = None
    """Bitmap over the table: rows taken out by peeling."""

    def get(self, kind: type[T]) -> T | NotMeasured:
        """The result of the probe of that type."""
        found = self.results.get(kind)
        return NotMeasured(kind.__name__, "The probe was not run.") if found is None else cast("T", found)

    def without(self, rows: Mask) -> Evidence:
        """The same evidence with rows (a bitmap over the table) taken out, on top of those left out before."""
        held = rows if self.left_out is None else self.left_out | rows
        return replace(self, left_out=held)

    @functools.cached_property
    def kept(self) -> Mask:
        """Bitmap over the table: rows that were not peeled away."""
        return np.ones(len(self.table), np.bool_) if self.left_out is None else ~self.left_out

    @functools.cached_property
    def tiny(self) -> float:
        """A length at or below it counts as zero: 1e-6 of the usual one, or .5 where the server normalises.

        The usual length is the upper quartile: half of the rows may be tiny, and it is still that of the others.
        """
        if self.field.normalised_on_write and self.field.storage != "uint8":
            return 0.5
        lengths = self.table.norm[np.isfinite(self.table.norm) & (self.table.norm > 0)]
        return float(np.quantile(lengths, 0.75)) * 1e-6 if len(lengths) else 0.0

    @functools.cached_property
    def empty(self) -> Mask:
        """Bitmap over the table: present, finite, and zero or near zero."""
        norm = self.table.norm
        return np.isfinite(norm) & (norm <= self.tiny)

    @functools.cached_property
    def good(self) -> Mask:
        """Bitmap over the table: rows with a direction (present, finite, not zero), peeled rows left out."""
        return self.kept & ~self.table.flagged(MISSING | NON_FINITE) & ~self.empty

    @functools.cached_property
    def places(self) -> I64:
        """Positions in the reservoir of its good rows, ascending."""
        return np.flatnonzero(self.good[self.reservoir.rows])

    @functools.cached_property
    def vectors(self) -> F32:
        """(m, d) float32: the reservoir's good rows as stored."""
        return self.reservoir.matrix[self.places]

    @functools.cached_property
    def unit(self) -> F32:
        """`vectors` at length 1."""
        held = self.vectors.astype(np.float64)
        lengths = np.linalg.norm(held, axis=1, keepdims=True)
        return (held / lengths).astype(np.float32)

    @functools.cached_property
    def payloads(self) -> Sequence[Payload]:
        """Payloads of the reservoir's good rows."""
        return [self.reservoir.payloads[int(i)] for i in self.places]

    def group(self, name: str | None) -> Any:
        """The `Codes` of a group field over the table, or None."""
        return None if name is None else self.table.groups.get(name)
