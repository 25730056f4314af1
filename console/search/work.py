"""What the sides of a query share, and what is known so far of one of them."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.errors import PlumblineError
from connectors.model import VectorField
from console.search.answer import EncoderUsed, Side, Timings
from console.search.encoding import Encoding, Vector
from console.search.guard import Mixes, Reading
from console.search.likeness import Source
from console.search.merge import Leg
from console.search.request import QueryRequest
from console.settings import Address

if TYPE_CHECKING:
    from console.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What the sides of one query have in common."""

    ws: Workspace
    request: QueryRequest
    encoding: Encoding
    mixes: Mixes
    vector: Vector | None
    source: Source | None
    """Where the query's row lives."""
    fuses: bool
    """Whether rankings will be fused, so that more than k rows of each leg are needed."""


@dataclass(frozen=True, slots=True, eq=False)
class SideResult:
    side: Side
    legs: tuple[Leg, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Work:
    """What is known so far of an address; what a fault leaves behind is still reported."""

    address: Address
    spent: dict[str, float] = field(default_factory=dict[str, float])
    warnings: list[str] = field(default_factory=list[str])
    encoder: EncoderUsed | None = None
    reading: Reading = field(default_factory=lambda: Reading(None))
    vector: VectorField | None = None

    @contextmanager
    def timed(self, name: str) -> Generator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spend(name, (time.perf_counter() - start) * 1e3)

    def spend(self, name: str, milliseconds: float) -> None:
        self.spent[name] = self.spent.get(name, 0.0) + milliseconds

    def side(self, exact: bool, error: PlumblineError | None = None) -> Side:
        return Side(
            address=self.address,
            encoder=self.encoder,
            versions=self.reading.mix,
            exact=exact,
            timings=Timings(**self.spent),
            error=error,
            vector=self.vector.name if self.vector else None,
            metric=self.vector.metric if self.vector else None,
        )
