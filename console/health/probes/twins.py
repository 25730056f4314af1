"""Rows whose texts say the same by their words: what a model-free comparison of vectors rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.filters import MISSING as NOWHERE
from connectors.filters import lookup
from console.health.findings import Mask, NotMeasured
from console.health.lexical import Tfidf, nearest
from console.health.registry import probe
from console.health.table import F32, I64

if TYPE_CHECKING:
    from connectors.model import Payload
    from console.health.evidence import Evidence
    from console.health.probing import Probing

WIDTH: Final = 10
"""Similar texts kept of each row: pairs across tags, and mates that take the place of rows that are left out."""
MATES: Final = 3
"""Of them, the first that are there count as a row's mates."""
FEWEST: Final = 50
"""Rows of one tag and modality that a rank among them needs."""
SAME: Final = 0.9999
"""Cosine of vectors that are nearly one (HEALTH.md)."""
LEVEL: Final = 1e-6
"""Cosines that close are level."""
BLOCK: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """The reservoir's good rows with a text, and those with the most similar text (TF-IDF) of their modality.

    `rows`: (t,) positions in the reservoir. `twins`: (t, 10) positions, -1 for none; `text`: (t, 10) TF-IDF
    cosines; `cosine`: (t, 10) cosines of the vectors. `mates`, `mate_text`: (t, 10) the same among rows of equal
    tag and modality, for groups of at least 50 rows; `rank`: (t, 10) share of that group whose vectors are nearer to the
    row's than the mate's (0: none is; NaN for no mate). `crowd`: (t,) rows of the group with nearly the same
    vector. `picture`: (t,) the row has a picture, so that its text may not be what was embedded.
    """

    rows: I64
    twins: I64
    text: F32
    cosine: F32
    mates: I64
    mate_text: F32
    rank: F32
    crowd: I64
    picture: Mask


@probe(Twins, order=23, name="Rows with similar texts")
def twins(probing: Probing) -> Twins | NotMeasured:
    return lexical_twins(probing.evidence)


def lexical_twins(evidence: Evidence) -> Twins | NotMeasured:
    """The probe without its surroundings. Not measured without a text field or with fewer than 50 texts."""
    path = evidence.names.text
    if path is None:
        return NotMeasured("Twins", "No field is known to hold the rows' text.")
    found = [lookup(p, path) for p in evidence.payloads]
    has = np.array([isinstance(t, str) and bool(t.strip()) for t in found], np.bool_)
    at = np.flatnonzero(has)
    if len(at) < FEWEST:
        return NotMeasured(
            "Twins", f"{len(at):,} of the rows that were read have a text; {FEWEST} are needed."
        )
    rows = evidence.places[at]
    texts = Tfidf([str(found[int(i)]) for i in at])
    unit = evidence.unit[at]
    every = np.arange(len(at))
    modality = _codes(evidence, evidence.names.modality, rows)
    image = evidence.names.image
    picture = np.array([_has(evidence.payloads[int(i)], image) for i in at], np.bool_)
    groups = (modality * 2 + picture) * 65_536 + _codes(evidence, evidence.names.version, rows)
    near, text = nearest(texts, every, WIDTH, modality)
    _, of, size = np.unique(groups, return_inverse=True, return_counts=True)
    if len(size) == len(np.unique(modality)):
        mates, mate_text = near, text
    else:
        mates, mate_text = nearest(texts, every, WIDTH, groups)
    mates = np.where((size[of] >= FEWEST)[:, None], mates, -1)
    cosine = np.stack([np.einsum("ij,ij->i", unit, unit[near[:, i]]) for i in range(near.shape[1])], axis=1)
    rank, crowd = _ranks(unit, of, mates)
    return Twins(
        rows,
        np.where(near >= 0, rows[near], -1),
        text,
        cosine.astype(np.float32),
        np.where(mates >= 0, rows[mates], -1),
        np.where(mates >= 0, mate_text, 0).astype(np.float32),
        rank,
        crowd,
        picture,
    )


def _ranks(unit: F32, groups: I64, mates: I64) -> tuple[F32, I64]:
    """(t, 10) share of a row's group that is nearer than its mate, NaN without one; (t,) rows nearly level with it."""
    out = np.full(mates.shape, np.nan, np.float32)
    crowd = np.zeros(len(unit), np.int64)
    for group in range(int(groups.max()) + 1):
        own = np.flatnonzero(groups == group)
        if len(own) < FEWEST:
            continue
        among = unit[own]
        place = np.zeros(len(unit), np.int64)
        place[own] = np.arange(len(own))
        for start in range(0, len(own), BLOCK):
            part = own[start : start + BLOCK]
            scores = unit[part] @ among.T
            scores[np.arange(len(part)), place[part]] = -2
            crowd[part] = (scores > SAME).sum(axis=1)
            for i in range(mates.shape[1]):
                mate = mates[part, i]
                bar = scores[np.arange(len(part)), place[np.maximum(mate, 0)]] + LEVEL
                nearer = (scores > bar[:, None]).sum(axis=1) / (len(own) - 1)
                out[part, i] = np.where(mate >= 0, nearer, np.nan)
    return out, crowd


def _has(payload: Payload, path: str | None) -> bool:
    return path is not None and lookup(payload, path) not in (NOWHERE, None, "")


def _codes(evidence: Evidence, name: str | None, rows: I64) -> I64:
    held = evidence.group(name)
    if held is None:
        return np.zeros(len(rows), np.int64)
    return held.codes[evidence.reservoir.rows[rows]].astype(np.int64)
