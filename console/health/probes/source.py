"""Tokens of the texts that were embedded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from console.health.findings import NotMeasured
from console.health.origins import origin_of, patience, plain
from console.health.registry import probe
from console.health.table import I64

if TYPE_CHECKING:
    from console.encoders import Encoder
    from console.health.probing import Probing

TEXTS: Final = 2_000
"""Texts whose tokens are counted: with none of them cut, at most .19% of all are (97.5%)."""
CHUNK: Final = 64
SHARE: Final = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Of m texts, at random: `rows` (m,) table rows, `counts` (m,) tokens with start and end, before any cut.

    `every`: all texts of the collection.
    """

    encoder: str
    context: int
    rows: I64
    counts: npt.NDArray[np.int32]
    every: bool


@probe(Tokens, order=32, name="Counting tokens", needs_encoder=True)
def tokens(probing: Probing) -> Tokens | NotMeasured:
    name, evidence = "Counting tokens", probing.evidence
    if probing.load_encoder is None:
        return NotMeasured(name, "No encoder was asked for (--encoder NAME).")
    if evidence.names.text is None:
        return NotMeasured(name, "No field with a text is known: set `text_field` of the collection.")
    encoder: Encoder = probing.load_encoder()
    rng = probing.rng("tokens")
    texts: list[str] = []
    rows: list[int] = []
    seen = 0
    # Rows without a vector count too: whoever embeds them next cuts them.
    for place in rng.permutation(len(evidence.reservoir.rows)):
        origin = origin_of(evidence.reservoir.payloads[int(place)], evidence.names, encoder.modalities)
        if origin is None or origin.modality != "text":
            continue
        seen += 1
        if len(texts) < TEXTS:
            texts.append(plain(origin.value))
            rows.append(int(evidence.reservoir.rows[place]))
    if not texts:
        return NotMeasured(name, f"None of the sampled rows has a text in `{evidence.names.text}`.")
    enough = patience(probing.budget, SHARE)
    counts: list[int] = []
    for at in range(0, len(texts), CHUNK):
        if enough():
            break
        counts += encoder.token_counts(texts[at : at + CHUNK])
        probing.progress(len(counts), len(texts))
    if not counts:
        return NotMeasured(name, "The time was too short.")
    return Tokens(
        encoder.name,
        encoder.context_length,
        np.array(rows[: len(counts)], np.int64),
        np.array(counts, np.int32),
        every=evidence.scan.exact
        and len(evidence.reservoir.rows) == len(evidence.table)
        and len(counts) == seen,
    )
