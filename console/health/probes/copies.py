"""Rows that were made of the same thing: whether their vectors are the same too."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.health.findings import Mask, NotMeasured
from console.health.neighbours import score, unit
from console.health.probes.twins import SAME
from console.health.registry import probe
from console.health.table import F32, F64, I64, U64

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.health.evidence import Evidence
    from console.health.probing import Probing

MOST: Final = 1_000
"""Pairs compared: a share of 1% is then known to within .6 points."""
CHUNK: Final = 65_536
CROWD: Final = 20
"""Rows with one vector and different sources from which it is a placeholder."""
BLOCK: Final = 256
FETCHED: Final = 200
"""Rows of one request."""


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Pairs of rows with equal source, tag and modality, each row in one pair at most.

    `pairs`: (p, 2) rows of the table. `cosine`: (p,) of their vectors, NaN where a row was gone. `comparable`: how
    many such pairs there are; with more than 1,000 those compared were drawn. Pairs with a placeholder's vector
    (one vector, or nearly one, on 20 rows of different sources) are left out: they are another fault's.
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
    if not bool((evidence.good & (evidence.table.source != 0)).any()):
        return NotMeasured("Copies", "No row says what it was made of (no picture or text field is known).")
    pairs, comparable = _pairs(evidence, rng)
    vectors = _Vectors(evidence, fetch)
    cosine = _cosines(evidence, pairs, vectors)
    apart = np.flatnonzero(cosine < 1)
    kept = ~(
        _placeholder(evidence, pairs, apart)
        | _nearly_one(evidence, pairs, np.flatnonzero(cosine < SAME), vectors)
    )
    return Copies(pairs[kept], cosine[kept], comparable)


def _pairs(evidence: Evidence, rng: np.random.Generator) -> tuple[I64, int]:
    """Up to `MOST` pairs (p, 2) of rows of one class, and how many there are: two keys a row are held, no more."""
    keys = _keys(evidence)
    ordered = np.sort(keys)
    again = np.flatnonzero((ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)) + 1
    # `again` runs without a gap through a class but for its first row: every other one of a run ends a pair.
    begins = np.flatnonzero(np.diff(again, prepend=-2) != 1)
    place = np.arange(len(again)) - np.repeat(begins, np.diff(np.append(begins, len(again))))
    comparable = int((place % 2 == 0).sum())
    ends = np.flatnonzero(place % 2 == 0)
    if comparable > MOST:
        ends = np.sort(rng.choice(ends, MOST, replace=False))
    wanted, first = np.unique(ordered[again[ends]], return_index=True)
    del ordered
    rows = _rows_of(keys, wanted)
    rows = rows[np.argsort(keys[rows], kind="stable")]
    starts = np.searchsorted(keys[rows], wanted)
    of = np.searchsorted(first, np.arange(len(ends)), side="right") - 1
    seconds = starts[of] + place[ends] + 1
    return np.stack([rows[seconds - 1], rows[seconds]], axis=1).reshape(-1, 2), comparable


def _keys(evidence: Evidence) -> U64:
    """(n,): equal for rows of one source, tag and modality; 0 for rows that are not compared."""
    keys: U64 = np.array(evidence.table.source)
    for name, odd in (
        (evidence.names.version, 0x9E3779B97F4A7C15),
        (evidence.names.modality, 0xC2B2AE3D27D4EB4F),
    ):
        held = evidence.group(name)
        if held is not None:
            steps: U64 = np.arange(65_536, dtype=np.uint64) * np.uint64(odd)
            keys ^= steps[held.codes]
    keys[~evidence.good | (evidence.table.source == 0)] = 0
    return keys


def _rows_of(values: U64, wanted: U64) -> I64:
    """Rows whose value is one of `wanted`."""
    parts = [
        np.flatnonzero(np.isin(values[at : at + CHUNK], wanted)) + at for at in range(0, len(values), CHUNK)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _placeholder(evidence: Evidence, pairs: I64, apart: I64) -> Mask:
    """(p,): pairs that differ since one of them has a vector that rows of other sources have too."""
    out = np.zeros(len(pairs), np.bool_)
    if not len(apart):
        return out
    table = evidence.table
    own = table.digest[pairs[apart]]
    rows = _rows_of(table.digest, np.unique(own))
    digests, counts = np.unique(table.digest[rows], return_counts=True)
    for digest in digests[counts >= CROWD]:
        if len(np.unique(table.source[rows[table.digest[rows] == digest]])) > 1:
            out[apart] |= (own == digest).any(axis=1)
    return out


def _nearly_one(evidence: Evidence, pairs: I64, apart: I64, vectors: _Vectors) -> Mask:
    """(p,): pairs that differ since one of them has nearly the vector of 20 sampled rows of other sources."""
    out = np.zeros(len(pairs), np.bool_)
    if not len(apart):
        return out
    table, sampled = evidence.table, evidence.places
    sources = table.source[evidence.reservoir.rows[sampled]]
    wanted = [(int(i), int(row)) for i in apart for row in pairs[i]]
    for at in range(0, len(wanted), BLOCK):
        part = [(i, row, v) for i, row in wanted[at : at + BLOCK] if (v := vectors.of(row)) is not None]
        if not part:
            continue
        near = unit(np.stack([v for *_, v in part])) @ evidence.unit.T > SAME
        for (i, row, _), level in zip(part, near, strict=True):
            others = sources[level]
            if np.count_nonzero(others) and np.count_nonzero(others != table.source[row]) >= CROWD:
                out[i] = True
    return out


class _Vectors:
    """Vectors of the table's rows: those of the reservoir, and others that were asked for."""

    def __init__(self, evidence: Evidence, fetch: Callable[[I64], dict[int, F32]]) -> None:
        self._evidence, self._fetch = evidence, fetch
        self._fetched: dict[int, F32] = {}

    @functools.cached_property
    def _place(self) -> I64:
        place = np.full(len(self._evidence.table), -1, np.int64)
        place[self._evidence.reservoir.rows] = np.arange(len(self._evidence.reservoir.rows))
        return place

    def ask(self, rows: I64) -> None:
        """Fetch those of these rows that the reservoir lacks."""
        far = np.unique(rows[self._place[rows] < 0])
        if len(far):
            self._fetched = self._fetch(far)

    def of(self, row: int) -> F32 | None:
        place = int(self._place[row])
        return self._evidence.reservoir.matrix[place] if place >= 0 else self._fetched.get(row)


def _cosines(evidence: Evidence, pairs: I64, vectors: _Vectors) -> F64:
    digest = evidence.table.digest
    out = np.where(digest[pairs[:, 0]] == digest[pairs[:, 1]], 1.0, np.nan)
    open_ = np.flatnonzero(np.isnan(out))
    if len(open_):
        vectors.ask(pairs[open_].ravel())
    for i in open_:
        a, b = vectors.of(int(pairs[i, 0])), vectors.of(int(pairs[i, 1]))
        if a is not None and b is not None:
            out[i] = float(score(a[None], b[None], "cosine")[0])
    return out
