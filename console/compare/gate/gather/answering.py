"""Whether the new side's encoder still gives the vectors that it gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.model import Payload
from console.compare.gate.evidence import Answers, Canary
from console.health import canaries
from console.health.findings import NotMeasured
from console.health.origins import Origin, cosines, counted, encode, fitted, origin_of, pictures
from console.health.probes.canary import asked, between
from console.progress import Cancelled, Progress, Tell

if TYPE_CHECKING:
    from console.compare.gate.gather.sides import Side
    from console.encoders import Encoder, EncoderSpec
    from console.health.options import FieldNames
    from console.health.table import F32
    from console.workspace import Workspace

NAME: Final = "canary"
DRAWN: Final = 200
ROWS: Final = 48
"""Rows that are embedded again, as many as there are fixed questions."""
FEWEST: Final = 8
"""Rows that a median needs; of a smaller collection, all of them."""


def canary(
    ws: Workspace,
    side: Side,
    spec: EncoderSpec,
    names: FieldNames,
    limit: float,
    seed: int,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Canary | NotMeasured:
    """Some rows of the side are embedded again each time: their vectors are what the encoder gave. The fixed questions
    are asked besides, where answers were kept earlier. At the first use they are kept, but for an encoder whose rows
    do not agree: it would from then on only be held against itself.

    Raises `encoder-unavailable`, `extra-missing`, `damaged`, and `Cancelled`.
    """
    from console.encoders import shared

    tell(Progress("Asking the encoder"))
    encoder = shared().get(spec)
    kept = canaries.read(ws.home, encoder.name, encoder.fingerprint)
    now = asked(encoder)
    questions = None
    if kept is not None:
        cosine = between(kept, now)
        if not len(cosine):
            return NotMeasured(
                NAME, "The vectors that were kept have another dimension: the file was changed."
            )
        questions = _answers(cosine, "fixed questions", kept.at)
    if cancelled():
        raise Cancelled
    tell(Progress("Embedding some rows again"))
    rows = _of_rows(ws, side, encoder, names, seed)
    keeps = kept is None and (isinstance(rows, str) or rows.smallest >= limit)
    if keeps:
        canaries.keep(ws.home, now)
    return Canary(encoder.name, rows, questions, keeps)


def _answers(cosine: F32, of: str, since: str = "") -> Answers:
    held = np.nan_to_num(cosine, nan=-1.0)
    return Answers(float(held.min()), float(held.mean()), len(held), of, since)


def _of_rows(ws: Workspace, side: Side, encoder: Encoder, names: FieldNames, seed: int) -> Answers | str:
    """Medians by modality: a single row whose source has changed since is no change of the encoder."""
    if side.field.storage == "uint8":
        return "they are stored as bytes."
    columns = [name for name in (names.image, names.text) if name]
    batch = side.reader.sample(side.target, DRAWN, (side.field.name,), columns, seed)
    stored = batch.vectors[side.field.name]
    payloads: list[Payload] = [
        {name: batch.columns[name][i] for name in columns if batch.columns[name][i] is not None}
        for i in range(len(batch))
    ]
    origins = [origin_of(payload, names, encoder.modalities) for payload in payloads]
    sound = stored.present & np.isfinite(stored.matrix).all(axis=1) & stored.matrix.any(axis=1)
    chosen = _spread(
        [(i, origin) for i, origin in enumerate(origins) if origin is not None and sound[i]], seed
    )
    found = encode(encoder, [origin for _, origin in chosen], pictures(ws.settings))
    held = np.flatnonzero(found.held)
    fewest = min(FEWEST, len(batch)) or FEWEST
    if len(held) < fewest:
        told = counted(found.refused)
        few = f"{len(held)} rows could be embedded again, {fewest} are needed"
        return f"{few} ({told})." if told else f"{few}."
    again = fitted(found.matrix[held], stored.matrix.shape[1])
    rows = [chosen[i] for i in held.tolist()]
    cosine = np.nan_to_num(cosines(again, stored.matrix[[i for i, _ in rows]]), nan=-1.0)
    kinds = np.array([origin.modality for _, origin in rows])
    medians = [float(np.median(cosine[kinds == one])) for one in np.unique(kinds)]
    of = "rows embedded again (medians by modality)" if len(medians) > 1 else "rows embedded again (median)"
    return Answers(min(medians), float(cosine.mean()), len(rows), of)


def _spread(rows: Sequence[tuple[int, Origin]], seed: int) -> list[tuple[int, Origin]]:
    """At most `ROWS`, by chance, and of each modality its half: a sample comes in the order of ids."""
    order: list[int] = np.random.default_rng([seed, len(rows)]).permutation(len(rows)).tolist()
    drawn = [rows[i] for i in order]
    shown = [row for row in drawn if row[1].modality == "image"]
    said = [row for row in drawn if row[1].modality == "text"]
    half = ROWS // 2
    return [*shown[: max(half, ROWS - len(said))], *said[: max(half, ROWS - len(shown))]]
