"""Rows of an open query: fetched with what a thumbnail needs, and nothing else, when somebody opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.errors import PlumblineError
from connectors.model import Payload, RowId, Target
from console.search.fields import CAPTION_GUESSES, IMAGE_GUESSES, MODALITY_GUESS, RowFields, row_fields
from console.settings import Address
from console.ui import board, session

FRESH: Final = 600.0
SECONDS: Final = 10.0


Name = tuple[str | None, RowId]
"""A row of a side: its tenant, where the comparison names one, and its id."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Payload parts by the rows' names, and what their fields mean."""

    payloads: Mapping[Name, Payload]
    fields: RowFields


def name(held: Mapping[str, Any]) -> Name:
    """Of a query or a neighbour, as a comparison's JSON names it."""
    tenant = held.get("tenant")
    return (tenant if isinstance(tenant, str) else None), held["id"]


def within(address: Address, row: Name) -> Address:
    """Where the row lies."""
    return address if row[0] is None else replace(address, tenant=row[0])


def of(address: Address, rows: Sequence[Name]) -> board.Held[Rows]:
    """Those of the rows that exist, asked in the background and kept for a while."""
    some = tuple(dict.fromkeys(rows))
    return board.board().ask(("faces", address, some), lambda: fetched(address, some), FRESH)


def whole(address: Address, row: Name) -> Payload | None:
    """One row's whole payload; None where it is gone. Raises what the database raises."""
    connector = session.workspace().connector(address.connection)
    place = within(address, row)
    batch = connector.fetch(Target(place.collection, place.tenant), [row[1]], [], "*")
    return batch.payloads[0] if batch.payloads else None


def fetched(address: Address, rows: Sequence[Name]) -> Rows:
    """As `of`, at once. Raises what the database raises."""
    workspace = session.workspace()
    connector = workspace.connector(address.connection)
    try:
        marker = connector.marker(Target(address.collection))
    except PlumblineError:
        marker = None
    fields = row_fields(workspace.settings, address, address.collection, address.vector, marker)
    wanted = [fields.version, *((fields.modality,) if fields.modality else (MODALITY_GUESS,))]
    wanted += (fields.image,) if fields.image else IMAGE_GUESSES
    wanted += (fields.text,) if fields.text else CAPTION_GUESSES
    paths = tuple(dict.fromkeys(wanted))
    by: dict[str | None, list[RowId]] = {}
    for tenant, row in rows:
        by.setdefault(tenant, []).append(row)
    payloads: dict[Name, Payload] = {}
    for tenant, ids in by.items():
        batch = connector.fetch(Target(address.collection, tenant or address.tenant), ids, [], paths)
        found = batch.payloads or [_nested(batch.columns, n) for n in range(len(batch))]
        payloads.update({(tenant, row): one for row, one in zip(batch.ids, found, strict=True)})
    return Rows(payloads, fields)


def _nested(columns: Mapping[str, Sequence[Any]], row: int) -> Payload:
    """One row's part of a payload, with `a.b` inside of `a` as the payload has it."""
    made: dict[str, Any] = {}
    for path, values in columns.items():
        if values[row] is None:
            continue
        *above, last = path.split(".")
        place = made
        for name in above:
            place = place.setdefault(name, {})
        place[last] = values[row]
    return made
