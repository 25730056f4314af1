"""One side of a gate, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.errors import PlumblineError
from connectors.model import Description, Target, VectorField
from connectors.protocol import Reader
from console.compare.request import encoder_of
from console.health.naming import field_names
from console.health.options import CheckOptions, FieldNames

if TYPE_CHECKING:
    from console.encoders import EncoderSpec
    from console.settings import Address
    from console.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """`address` names the vector field; `target` is the real collection behind an alias."""

    address: Address
    reader: Reader
    target: Target
    description: Description
    field: VectorField

    @property
    def where(self) -> str:
        return str(self.address)

    @property
    def snapshot(self) -> bool:
        return self.reader.spec.snapshot is not None

    @property
    def tenants(self) -> bool:
        """Rows of several tenants, whose ids need not differ."""
        return self.description.tenants is not None and self.target.tenant is None

    @property
    def resting(self) -> int:
        """Tenants that are not active: reading their rows would wake them."""
        return sum(t.state != "active" for t in self.description.tenants or ()) if self.tenants else 0

    def same_rows(self, other: Side) -> bool:
        """Whether both are vector fields of one collection."""
        return self.address.connection == other.address.connection and self.target == other.target

    def names(self, ws: Workspace) -> FieldNames:
        """Which payload fields mean what; reads a few hundred rows."""
        return field_names(ws, self.address, self.description, self.reader, self.target, CheckOptions())

    def encoder(self, ws: Workspace, tags: Mapping[str, float] | None) -> EncoderSpec | None:
        """Raises `encoder-unknown` where the settings name one that is not configured."""
        spec, _ = ws.known_encoder(
            self.address,
            self.field,
            self.description.marker,
            tags,
            collection=self.description.target.collection,
        )
        return spec


def opened(ws: Workspace, text: str) -> Side:
    """Raises `unsupported` for an encoder: nothing can be cut over to what holds no rows; and what `ws.field` raises."""
    if encoder_of(text) is not None:
        raise PlumblineError(
            "unsupported",
            "A gate is between two collections; an encoder holds no rows.",
            where=text,
            hint="`plumbline compare` takes it as a side.",
        )
    address = ws.address(text)
    reader = ws.connector(address.connection)
    description = reader.describe(Target(address.collection, address.tenant))
    field = ws.field(description, address)
    target = Target(description.target.collection, address.tenant)
    return Side(address.with_vector(field.name), reader, target, description, field)
