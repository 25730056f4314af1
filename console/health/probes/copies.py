"""Rows that were made of the same thing: whether their vectors are the same too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.health.findings import Mask, NotMeasured
from console.health.neighbours import score
from console.health.registry import probe
from console.health.table import F32, F64, I64

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.health.evidence import Evidence
    from console.health.probing import Probing

MOST: Final = 1_000
"""Pairs compared: a share of 1% is then known to within .6 points."""
CROWD: Final = 20
FETCHED: Final = 200
"""Rows of one request."""


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Pairs of rows with equal source, tag and modality, each row in one pair at most.

    `pairs`: (p, 2) rows of the table. `cosine`: (p,) of their vectors, NaN where a row was gone. `comparable`: how
    many such pairs there are; with more than 1,000 those compared were drawn. Pairs with a placeholder's vector
    (one vector on 20 rows of different sources) are left out: they are another fault's.
    """

    pairs: I64
    cosine: F64
    comparable: int


@probe(Copies, order=24, name="Rows of one source")
def copies(probing: Probing) -> Copies | NotMeasured:
    def fetch(rows: I64) -> dict[int, F32]:
        out: dict[int, F32] = {}
        name = probing.evidence.field.name
        for start in range(0, len(rows), FETCHED):
            probing.budget.check()
            part = rows[start : start + FETCHED]
            wanted = {probing.evidence.table.ids.at(int(i)): int(i) for i in part}
            batch = probing.reader.fetch(probing.target, list(wanted), [name], timeout=probing.timeout)
            held = batch.vectors[name]
            for i, row in enumerate(batch.ids):
                if held.present[i]:
                    out[wanted[row]] = held.matrix[i]
            probing.progress(start + len(part), len(rows))
        return out

    return copies_within(probing.evidence, probing.rng("copies"), fetch)


def copies_within(
    evidence: Evidence,
    rng: np.random.Generator,
    fetch: Callable[[I64], dict[int, F32]] = lambda _rows: {},
) -> Copies | NotMeasured:
    """The probe without its surroundings; `fetch` gets the vectors of rows that the reservoir lacks."""
    table = evidence.table
    rows = np.flatnonzero(evidence.good & (table.source != 0))
    if not len(rows):
        return NotMeasured("Copies", "No row says what it was made of (no picture or text field is known).")
    keys = [_codes(evidence, n)[rows] for n in (evidence.names.version, evidence.names.modality)]
    order = np.lexsort((*keys, table.source[rows]))
    rows, keys = rows[order], [k[order] for k in keys]
    source = table.source[rows]
    same = (source[1:] == source[:-1]) & (keys[0][1:] == keys[0][:-1]) & (keys[1][1:] == keys[1][:-1])
    # The place of each row in its class; rows 0 and 1, 2 and 3, ... are a pair.
    starts = np.flatnonzero(np.concatenate(([True], ~same)))
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    second = np.flatnonzero(place % 2 == 1)
    comparable = len(second)
    if comparable > MOST:
        second = np.sort(rng.choice(second, MOST, replace=False))
    pairs = np.stack([rows[second - 1], rows[second]], axis=1).reshape(-1, 2)
    cosine = _cosines(evidence, pairs, fetch)
    kept = ~_placeholder(evidence, pairs, np.flatnonzero(cosine < 1))
    return Copies(pairs[kept], cosine[kept], comparable)


def _placeholder(evidence: Evidence, pairs: I64, apart: I64) -> Mask:
    """(p,): pairs that differ since one of them has a vector that rows of other sources have too."""
    out = np.zeros(len(pairs), np.bool_)
    if not len(apart):
        return out
    table = evidence.table
    digests, counts = np.unique(table.digest, return_counts=True)
    common = digests[counts >= CROWD]
    own = table.digest[pairs[apart]]
    for digest in np.intersect1d(common, own):
        if len(np.unique(table.source[table.digest == digest])) > 1:
            out[apart] |= (own == digest).any(axis=1)
    return out


def _cosines(evidence: Evidence, pairs: I64, fetch: Callable[[I64], dict[int, F32]]) -> F64:
    digest = evidence.table.digest
    out = np.where(digest[pairs[:, 0]] == digest[pairs[:, 1]], 1.0, np.nan)
    open_ = np.flatnonzero(np.isnan(out))
    place = np.full(len(evidence.table), -1, np.int64) if len(open_) else np.zeros(0, np.int64)
    if len(open_):
        place[evidence.reservoir.rows] = np.arange(len(evidence.reservoir.rows))
    far = np.unique(pairs[open_][place[pairs[open_]] < 0]) if len(open_) else np.zeros(0, np.int64)
    fetched = fetch(far) if len(far) else {}

    def vector(row: int) -> F32 | None:
        return evidence.reservoir.matrix[place[row]] if place[row] >= 0 else fetched.get(row)

    for i in open_:
        a, b = vector(int(pairs[i, 0])), vector(int(pairs[i, 1]))
        if a is not None and b is not None:
            out[i] = float(score(a[None], b[None], "cosine")[0])
    return out


def _codes(evidence: Evidence, name: str | None) -> I64:
    held = evidence.group(name)
    return np.zeros(len(evidence.table), np.int64) if held is None else held.codes.astype(np.int64)
