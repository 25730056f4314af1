"""Which vector field of a collection a query is for, and whether its vectors fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.errors import PlumblineError
from connectors.model import Description, VectorField
from console.search.guard import Reading, shares_text
from console.search.ownership import likely_encoder, same_encoder
from console.settings import Address

if TYPE_CHECKING:
    from console.workspace import Workspace


def choose_field(ws: Workspace, described: Description, address: Address, encoder: str | None) -> VectorField:
    """The field that is named or the only one; of several the one whose encoder is known (or is `encoder`).

    Raises `vector-ambiguous` naming the fields, `not-found` and `unsupported`.
    """
    if address.vector is not None or len(described.dense) < 2:
        return ws.field(described, address)
    live = ws.encoder_specs().get(encoder) if encoder is not None else None
    known = {f.name: likely_encoder(ws, address, f, described, None)[0] for f in described.dense}
    told = [f for f in described.dense if known[f.name] is not None]
    if len(told) > 1 and live is not None:
        told = [f for f in told if same_encoder(live, known[f.name])] or told
    return told[0] if len(told) == 1 else ws.field(described, address)


def fits(dimension: int, what: str, vector: VectorField, where: str) -> None:
    """Raises `dimension-mismatch` naming both, before a server sees it."""
    if vector.dimension is not None and vector.dimension != dimension:
        name = f"`{vector.name}`" if vector.name else "of the collection"
        raise PlumblineError(
            "dimension-mismatch",
            f"{what} has {dimension} dimensions, the vector field {name} has {vector.dimension}.",
            where=where,
            hint="They come from different encoders: choose the one that made the collection's vectors.",
        )


def unknown(where: str, reading: Reading, vector: VectorField) -> PlumblineError:
    """`encoder-unknown`, with the tags that were of no help."""
    tags = ""
    if reading.mix is not None:
        tags = f" Its rows are tagged {shares_text(reading.mix)}, which name no single configured encoder."
    elif reading.why:
        tags = f" Its version tags could not be read: {reading.why}"
    field_ = f"`{vector.name}`" if vector.name else "this collection"
    return PlumblineError(
        "encoder-unknown",
        f"Which encoder made the vectors of {field_} is not known.{tags}",
        where=where,
        hint=f"Name it: `plumbline encoder {where} set NAME`, `encoder` in plumbline.toml, or --encoder for"
        " this query. A stored row (--id) or a vector (--vector) needs none.",
    )
