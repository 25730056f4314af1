""" "More like this": the stored vector of a row, on its own collection and on others."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import ALL, Payload, RowId, Target, VectorField
from connectors.protocol import Connector
from console.search.answer import VersionMix
from console.search.choosing import choose_field
from console.search.encoding import Vector
from console.search.fields import RowFields, row_fields, same_row
from console.search.ownership import likely_encoder, same_encoder
from console.settings import Address

if TYPE_CHECKING:
    from console.encoders import EncoderSpec
    from console.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A row's vector as the query of one address; `own`: the row is one of that collection's."""

    vector: Vector
    own: bool
    version: str | None = None

    def foreign(self, where: str, mix: VersionMix | None) -> str | None:
        """What to say where most tagged rows are of another version than this row."""
        if self.version is None or mix is None:
            return None
        share = mix.shares.get(self.version, 0.0)
        if share >= 0.5:
            return None
        return (
            f"{where}: the row's version is `{self.version}`, and only {share:.1%} of the tagged rows share it:"
            " its vector can't be compared with the others."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    collection: str
    field: VectorField
    known: EncoderSpec | None
    fields: RowFields
    vector: Vector
    payload: Payload


class Source:
    """The row that a query names, read once from where it lives."""

    def __init__(self, ws: Workspace, address: Address, row: RowId, encoder: str | None) -> None:
        self._ws = ws
        self.address = address
        self.row = row
        self._encoder = encoder
        self._lock = threading.Lock()
        self._found: _Found | None = None

    def is_at(self, address: Address) -> bool:
        """Whether an address names the row's own collection in the same words."""
        return address.with_vector(None) == self.address.with_vector(None)

    def read(self, timeout: float | None) -> _Found:
        """Raises `not-found` where the row or its vector is not there."""
        with self._lock:
            if self._found is None:
                self._found = self._read(timeout)
            return self._found

    def _read(self, timeout: float | None) -> _Found:
        connector = self._ws.connector(self.address.connection)
        described = connector.describe(Target(self.address.collection, self.address.tenant), timeout=timeout)
        field = choose_field(self._ws, described, self.address, self._encoder)
        fields = row_fields(
            self._ws.settings, self.address, described.target.collection, field.name, described.marker
        )
        target = Target(described.target.collection, self.address.tenant)
        held = _stored(connector, target, field, self.row, timeout)
        if held is None:
            raise _missing(self.row, str(self.address))
        vector, payload = held
        if vector is None:
            raise _bare(self.row, field, str(self.address))
        known, _ = likely_encoder(self._ws, self.address, field, described, None)
        return _Found(target.collection, field, known, fields, vector, payload)


def likeness(
    source: Source,
    address: Address,
    connector: Connector,
    target: Target,
    field: VectorField,
    fields: RowFields,
    known: EncoderSpec | None,
    timeout: float | None,
) -> Likeness:
    """The query vector that the source's row stands for at `target`.

    The row's own vector there, where the row is there; else the source's vector, where both fields are
    known to be of one encoder. Raises `not-found` where neither is so, and `damaged` for a vector that
    has no direction.
    """
    held = _stored(connector, target, field, source.row, timeout)
    if not source.is_at(address):
        origin = source.read(timeout)
        here = (address.connection, target.collection) == (source.address.connection, origin.collection)
        if not here and (held is None or not same_row(origin.fields, origin.payload, held[1], fields)):
            if known is None or not same_encoder(known, origin.known):
                raise _elsewhere(source, str(address))
            return Likeness(_sound(origin.vector, source.row, str(address)), own=False)
    where = str(address)
    if held is None:
        raise _missing(source.row, where)
    vector, payload = held
    if vector is None:
        raise _bare(source.row, field, where)
    return Likeness(_sound(vector, source.row, where), own=True, version=fields.version_of(payload))


def _stored(
    connector: Connector, target: Target, field: VectorField, row: RowId, timeout: float | None
) -> tuple[Vector | None, Payload] | None:
    """The row's vector (None: it lacks it) and payload, or None where the row is not there."""
    batch = connector.fetch(target, [row], [field.name], ALL, timeout=timeout)
    if not len(batch):
        return None
    held = batch.vectors[field.name]
    payload = batch.payloads[0] if batch.payloads is not None else {}
    return (held.matrix[0] if bool(held.present[0]) else None), payload


def _sound(vector: Vector, row: RowId, where: str) -> Vector:
    if not np.isfinite(vector).all():
        what = "holds NaN or infinity"
    elif not vector.any():
        what = "is all zeros"
    else:
        return vector
    raise PlumblineError(
        "damaged",
        f"The stored vector of row {row} {what}: nothing can be like it.",
        where=where,
        hint="Choose another row; this one has to be embedded again.",
    )


def _missing(row: RowId, where: str) -> PlumblineError:
    return PlumblineError(
        "not-found",
        f"There is no row {row}.",
        where=where,
        hint="It may have been deleted, or lives elsewhere.",
    )


def _bare(row: RowId, field: VectorField, where: str) -> PlumblineError:
    name = f"in the field `{field.name}`" if field.name else "stored"
    return PlumblineError(
        "not-found", f"Row {row} has no vector {name}.", where=where, hint="Choose another row or field."
    )


def _elsewhere(source: Source, where: str) -> PlumblineError:
    return PlumblineError(
        "not-found",
        f"Row {source.row} of {source.address} is not in this collection, and that both were made by one"
        " encoder is not known.",
        where=where,
        hint="Search for the row in its own collection, or set the encoder of both.",
    )
