"""Whether what a row says was embedded is the vector of *another* row: payloads on the wrong rows, and by what shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import SearchOptions
from console.health.origins import Origin, cosines, encode, fitted, origin_of, patience
from console.health.probing import BudgetSpent
from console.health.shares import table_rows
from console.health.table import F32, I64

if TYPE_CHECKING:
    from connectors.model import Batch, Payload, RowId
    from console.encoders import Encoder
    from console.encoders.sources import ImageStore
    from console.health.evidence import Evidence
    from console.health.findings import Mask
    from console.health.probing import Probing
    from console.health.table import RowTable

LEAST_DIMENSION: Final = 16
"""Below it other rows' vectors come near by chance: of 5,000 random directions in 8 dimensions one has
cosine .98."""
NEAREST: Final = 3
"""Other rows that are looked at for each."""
SHARE: Final = 0.5
TWINS: Final = 50
"""Rows of one page that are compared with one row: more are copies of one vector."""
QUERIES: Final = 16
PAGE: Final = 250
READ: Final = 20_000
"""Rows up to which a collection is read once more rather than searched: a search by dot product may never reach
a row beside longer ones, and a damaged index loses rows."""


@dataclass(slots=True, eq=False)
class Matches:
    """Of m rows: the other row that holds the vector of this row's source, as an id and a table row (-1: not
    scanned), its cosine, and that other row's cosine to its own source (NaN: not known)."""

    ids: tuple[RowId | None, ...]
    rows: I64
    cosine: F32
    own: F32
    searched: str


@dataclass(slots=True)
class _Candidate:
    at: int
    id: RowId
    row: int
    cosine: float
    vector: F32
    payload: Payload
    own: float = float("nan")


def match(
    probing: Probing, encoder: Encoder, store: ImageStore, rows: I64, vectors: F32, low: Mask, same: float
) -> Matches:
    """`vectors`: what the sources of `rows` make; `low`: those that are not the row's own vector.

    A row of the same source is no evidence, and neither is one that is its own source's: both are twins.
    """
    m = len(rows)
    out = Matches(
        (None,) * m, np.full(m, -1), np.full(m, np.nan, np.float32), np.full(m, np.nan, np.float32), ""
    )
    if vectors.shape[1] < LEAST_DIMENSION or not low.any():
        return out
    found = _among_sampled(probing.evidence, rows, vectors, low, same)
    out.searched = f"{len(probing.evidence.places):,} sampled rows"
    if probing.evidence.scan.rows > len(probing.evidence.places):
        missing = low.copy()
        missing[[c.at for c in found]] = False
        try:
            found += _in_database(probing, rows, vectors, missing, same)
            out.searched = "the whole collection"
        except (PlumblineError, BudgetSpent):
            out.searched += " (the others could not be searched)"
    _own(probing, encoder, store, found)
    scanned = table_rows(probing.evidence.table.ids, [one.id for one in found])
    for one, row in zip(found, scanned.tolist(), strict=True):
        one.row = row
    ids: list[RowId | None] = [None] * m
    for one in sorted(found, key=lambda c: (c.at, not c.own < same, -c.cosine)):
        if ids[one.at] is None:
            ids[one.at] = one.id
            out.rows[one.at], out.cosine[one.at], out.own[one.at] = one.row, one.cosine, one.own
    out.ids = tuple(ids)
    return out


def lag(
    evidence: Evidence, rows: I64, ids: Sequence[RowId | None], others: I64
) -> tuple[int, float, str] | None:
    """(shift, share of the rows that have it, "id" | "place in the order of ids" | "place in time"), the commonest.

    By integer ids; where every row was read also by the order of ids and of times. None: no shift is to be told.
    """
    table = evidence.table
    found: list[tuple[int, float, str]] = []
    apart = [
        int(other) - int(table.ids.low[row])
        for row, other in zip(rows, ids, strict=True)
        if isinstance(other, int) and table.ids.integer[row]
    ]
    found += _commonest(apart, len(rows), "id")
    if evidence.scan.exact and (others >= 0).any():
        known = others >= 0
        for name, order in _orders(table):
            place = np.empty(len(table), np.int64)
            place[order] = np.arange(len(table))
            steps = place[others[known]] - place[rows[known]]
            found += _commonest([int(s) for s in steps], len(rows), name)
    return max(found, key=lambda f: f[1], default=None)


def _commonest(steps: Sequence[int], n: int, name: str) -> list[tuple[int, float, str]]:
    if not steps:
        return []
    step, count = Counter(steps).most_common(1)[0]
    return [(step, count / n, name)]


def _orders(table: RowTable) -> list[tuple[str, I64]]:
    ids = table.ids
    found = [("place in the order of ids", np.lexsort((ids.low, ids.high, ~ids.integer)))]
    if np.isfinite(table.time).mean() > 0.5:
        found.append(("place in time", np.argsort(table.time, kind="stable")))
    return found


def _among_sampled(evidence: Evidence, rows: I64, vectors: F32, low: Mask, same: float) -> list[_Candidate]:
    places, held = np.flatnonzero(low), evidence.reservoir
    there = held.rows[evidence.places]
    with np.errstate(all="ignore"):
        mine = vectors[places] / np.linalg.norm(vectors[places], axis=1, keepdims=True)
    near = mine @ evidence.unit.T
    source = evidence.table.source
    near[source[rows[places]][:, None] == source[there][None, :]] = -1.0
    near[rows[places][:, None] == there[None, :]] = -1.0
    out: list[_Candidate] = []
    for i, at in enumerate(places):
        for j in np.argsort(-near[i], kind="stable")[:NEAREST]:
            if near[i, j] < same:
                break
            row, place = int(there[j]), int(evidence.places[j])
            out.append(
                _Candidate(
                    int(at),
                    evidence.table.ids.at(row),
                    row,
                    float(near[i, j]),
                    held.matrix[place],
                    held.payloads[place],
                )
            )
    return out


def _in_database(probing: Probing, rows: I64, vectors: F32, low: Mask, same: float) -> list[_Candidate]:
    """Candidates of the whole collection: all rows are read again where they are few, else it is searched."""
    if not low.any():
        return []
    if probing.evidence.scan.rows > READ:
        return _by_search(probing, rows, vectors, low, same)
    evidence, field = probing.evidence, probing.evidence.field.name
    out: list[_Candidate] = []
    batches = probing.reader.scan(probing.target, [field], None, _paths(evidence), timeout=probing.timeout)
    for batch in batches:
        probing.budget.check()
        held = batch.vectors[field]
        with np.errstate(all="ignore"):
            length = np.linalg.norm(held.matrix.astype(np.float64), axis=1)
            usable = held.present & np.isfinite(length) & (length > 0)
            unit = held.matrix[usable] / length[usable, None]
        there = np.flatnonzero(usable)
        for at in np.flatnonzero(low):
            mine = vectors[at] / np.linalg.norm(vectors[at])
            hits = there[unit @ mine >= same][:TWINS]
            out += _checked(evidence, batch, int(at), int(rows[at]), vectors[at], hits, same)
    return out


def _by_search(probing: Probing, rows: I64, vectors: F32, low: Mask, same: float) -> list[_Candidate]:
    """The nearest rows; their vectors are fetched, scores are not trusted."""
    evidence, field = probing.evidence, probing.evidence.field.name
    places = np.flatnonzero(low)
    hits: dict[int, list[RowId]] = {}
    for at in range(0, len(places), QUERIES):
        probing.budget.check()
        part = places[at : at + QUERIES]
        options = SearchOptions()
        answers = probing.reader.search(
            probing.target, field, vectors[part], NEAREST + 1, None, options, (), timeout=probing.timeout
        )
        for i, answer in zip(part, answers, strict=True):
            hits[int(i)] = [h.id for h in answer]
    wanted = sorted({row for found in hits.values() for row in found}, key=str)
    out: list[_Candidate] = []
    for first in range(0, len(wanted), PAGE):
        probing.budget.check()
        part = wanted[first : first + PAGE]
        batch = probing.reader.fetch(probing.target, part, [field], _paths(evidence), timeout=probing.timeout)
        place = {row: i for i, row in enumerate(batch.ids) if batch.vectors[field].present[i]}
        for at, found in hits.items():
            there = np.array([place[r] for r in found if r in place], np.int64)
            out += _checked(evidence, batch, at, int(rows[at]), vectors[at], there, same)
    return out


def _checked(
    evidence: Evidence, batch: Batch, at: int, row: int, vector: F32, places: I64, same: float
) -> list[_Candidate]:
    """Rows of a batch that hold this vector, are another row, and are of another source; the nearest few."""
    if not len(places):
        return []
    matrix = batch.vectors[evidence.field.name].matrix[places]
    near = cosines(np.repeat(vector[None], len(places), axis=0), matrix)
    mine, whole = evidence.table.ids.at(row), ("text", "image")
    origin = origin_of(_payload(evidence, row), evidence.names, whole)
    out: list[_Candidate] = []
    for i in np.argsort(-near, kind="stable"):
        other = batch.ids[int(places[i])]
        payload = {path: batch.columns[path][int(places[i])] for path in _paths(evidence)}
        if near[i] < same or len(out) == NEAREST:
            break
        if other != mine and origin_of(payload, evidence.names, whole) != origin:
            out.append(_Candidate(at, other, -1, float(near[i]), matrix[i], payload))
    return out


def _paths(evidence: Evidence) -> tuple[str, ...]:
    return tuple(p for p in (evidence.names.image, evidence.names.text) if p is not None)


def _own(probing: Probing, encoder: Encoder, store: ImageStore, found: list[_Candidate]) -> None:
    """Fills in how well each candidate's own source fits its vector."""
    names = probing.evidence.names
    held: dict[RowId, list[_Candidate]] = {}
    for one in found:
        held.setdefault(one.id, []).append(one)
    firsts = [same[0] for same in held.values()]
    origins: list[Origin | None] = [origin_of(one.payload, names, encoder.modalities) for one in firsts]
    made = encode(encoder, origins, store, enough=patience(probing.budget, SHARE))
    if not firsts:
        return
    stored = np.stack([one.vector for one in firsts])
    for one, own in zip(firsts, cosines(fitted(made.matrix, stored.shape[1]), stored), strict=True):
        for each in held[one.id]:
            each.own = float(own)


def _payload(evidence: Evidence, row: int) -> Payload:
    return evidence.reservoir.payloads[int(np.searchsorted(evidence.reservoir.rows, row))]
