"""Rows of a golden set's keys on one collection, with what a card shows: asked in the background."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import PlumblineError
from connectors.filters import AnyOf
from connectors.model import Payload, SearchOptions, Target, parse_id
from console.search import HitRow
from console.search.fields import RowFields, row_fields
from console.search.golden import key_of, key_text
from console.settings import Address
from console.ui import board, compare_rows, pictures, session
from console.ui.golden_cards import Judged

SHOWN: Final = 60
"""Judged rows of a query that are drawn."""


TRIED: Final = 20
"""Rows that are looked at for one key."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Payload by key, and what its fields mean."""

    payloads: Mapping[str, Payload]
    fields: RowFields


def of(address: Address, key_field: str | None, keys: Sequence[str]) -> board.Held[Rows]:
    some = tuple(dict.fromkeys(keys))[:SHOWN]
    return board.board().ask(
        ("judged", address, key_field, some), lambda: _fetched(address, key_field, some), compare_rows.FRESH
    )


def _fetched(address: Address, key_field: str | None, keys: Sequence[str]) -> Rows:
    if key_field is None:
        held = compare_rows.fetched(address, [(None, parse_id(key)) for key in keys])
        return Rows({str(row): payload for (_, row), payload in held.payloads.items()}, held.fields)
    return Rows(_by_field(address, key_field, keys), _fields(address))


def _by_field(address: Address, key_field: str, keys: Sequence[str]) -> dict[str, Payload]:
    """One row of each key: any vector finds the rows that pass a filter."""
    import numpy as np

    connector = session.workspace().connector(address.connection)
    target = Target(address.collection, address.tenant)
    dense = [f for f in connector.describe(target).vectors if f.kind == "dense" and f.dimension]
    if not dense or not keys:
        raise PlumblineError("unsupported", "These rows have no vector to be found by.", where=str(address))
    named = next((f for f in dense if f.name == address.vector), dense[0])
    query = np.ones((1, named.dimension or 1), np.float32) / np.sqrt(named.dimension or 1)
    found: dict[str, Payload] = {}

    def ask(some: Sequence[str], limit: int) -> None:
        where = AnyOf(key_field, _typed(some))
        for hit in connector.search(target, named.name, query, limit, where, SearchOptions())[0]:
            key = key_of(hit.id, hit.payload, key_field)
            if key is not None:
                found.setdefault(key, hit.payload)

    ask(keys, min(4 * len(keys), 240))
    # A key that many rows have leaves no room for the others; and a row with several values has no key.
    for key in [k for k in keys if k not in found]:
        ask([key], TRIED)
    return found


def _typed(keys: Sequence[str]) -> tuple[Any, ...]:
    """A key is text; where a number is written so, the field may hold the number."""
    return (*keys, *(number for key in keys if (number := _number(key)) is not None))


def _number(key: str) -> int | float | None:
    """The number whose key this is."""
    try:
        number = int(key) if key.lstrip("-").isdigit() else float(key)
    except ValueError:
        return None
    if isinstance(number, int):
        return number if -(2**63) <= number < 2**63 and str(number) == key else None
    return number if math.isfinite(number) and key_text(number) == key else None


def _fields(address: Address) -> RowFields:
    connector = session.workspace().connector(address.connection)
    try:
        marker = connector.marker(Target(address.collection))
    except PlumblineError:
        marker = None
    return row_fields(session.workspace().settings, address, address.collection, address.vector, marker)


def cards(
    held: board.Held[Rows], keys: Sequence[str], grades: Mapping[str, int], fixed: str | None = None
) -> list[Judged]:
    """A card for each key, with its picture where its row came."""
    rows = held.value
    payloads = [rows.payloads.get(key) if rows is not None else None for key in keys]
    fields = rows.fields if rows is not None else RowFields()
    images = pictures.thumbnails([fields.image_of(p) if p is not None else None for p in payloads])
    return [
        Judged(
            key=key,
            head=key,
            grade=grades.get(key),
            picture=image.uri if image is not None else None,
            text=fields.caption_of(payload) if payload is not None else None,
            note=_note(image, payload, rows is not None),
            tags=(fields.modality_of(payload) or "") if payload is not None else "",
            fixed=fixed,
        )
        for key, payload, image in zip(keys, payloads, images, strict=True)
    ]


def _note(image: pictures.Thumbnail | None, payload: Payload | None, came: bool) -> str | None:
    if image is not None and image.note:
        return image.note
    return "no longer there" if payload is None and came else None


def of_hits(
    hits: Sequence[HitRow],
    key_field: str | None,
    grades: Mapping[str, int],
    fixed: str | None,
    blind: bool = False,
) -> list[Judged]:
    """A card for each key among the hits, by its first hit, with the rank that an evaluation gives it. `blind`: nothing on it may tell which system found it."""
    first: dict[str, tuple[int, HitRow]] = {}
    rank = 0
    for hit in hits:
        key = key_of(hit.id, hit.payload, key_field)
        rank += key is None or key not in first
        if key is not None:
            first.setdefault(key, (rank, hit))
    images = pictures.thumbnails([hit.image for _, hit in first.values()])
    made: list[Judged] = []
    for (key, (rank, hit)), image in zip(first.items(), images, strict=True):
        made.append(
            Judged(
                key=key,
                head=f"rank {rank}" if blind else f"rank {rank}, row {hit.id}",
                grade=grades.get(key),
                picture=image.uri if image is not None else None,
                text=hit.caption,
                note=image.note if image is not None else None,
                tags=hit.modality or "",
                fixed=fixed,
            )
        )
    return made
