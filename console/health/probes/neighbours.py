"""The nearest rows of some rows, found once and filtered while causes are told from symptoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from console.health.findings import NotMeasured
from console.health.neighbours import score, top_k, unit
from console.health.registry import probe
from console.health.table import F32, I64

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.probing import Probing

PROBES: Final = 200
CACHED: Final = 200
"""Nearest rows kept of each probe: the ten nearest survive the removal of 90% of the rows."""
PAIRS: Final = 5_000
SUBSET: Final = 768
"""Rows whose products with each other are kept."""
SHORT: Final = 0.05
"""Share of lists that may run short before a figure is not measured (HEALTH.md)."""
FEWEST: Final = 30
"""Probe rows that a mean over them needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Nearest rows of some probe rows, all as positions in the reservoir, best first.

    `probes`: (q,). `near`: (q, k). `scores`: (q, k), higher is nearer: cosine, inner product, or the negative
    of a distance (squared for Euclidean).
    """

    probes: I64
    near: I64
    scores: F32


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Nearest rows among the reservoir's good rows (the row itself left out), and scores of random pairs.

    Positions are positions in `evidence.reservoir` (index `reservoir.rows` with them for the table's rows).
    `by_metric`: by the field's metric. `by_direction`: on vectors of length 1; the same object where the metric
    is cosine. Lists are cut at `CACHED` rows and padded with -1 and -inf. `pairs`: (p, 2) positions of two
    different rows; `pair_scores`: (p,) by the metric; `pair_cosines`: (p,). `rows`: good rows searched.
    """

    by_metric: Lists
    by_direction: Lists
    pairs: I64
    pair_scores: F32
    pair_cosines: F32
    rows: int

    def lists(
        self, evidence: Evidence, k: int, *, direction: bool = False, spare: bool = False
    ) -> Lists | NotMeasured:
        """The k nearest of each probe row among the rows that are left, probe rows that were left out dropped.

        Not measured with fewer than 30 probe rows or k + 1 rows left, or where over 5% of the cached lists run
        short. `spare`: lists keep all cached rows that are left, at least k, and -inf as the score of the others.
        """
        alive = evidence.good[evidence.reservoir.rows]
        return filtered(self.by_direction if direction else self.by_metric, alive, k, spare=spare)

    def pairs_left(self, evidence: Evidence) -> npt.NDArray[np.bool_]:
        """(p,): pairs of which both rows are left."""
        alive = evidence.good[evidence.reservoir.rows]
        return alive[self.pairs[:, 0]] & alive[self.pairs[:, 1]]


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """What is needed to know how directions spread, rows being left out again and again.

    `unit`: (m, d) float32, the reservoir's rows at length 1, zeros where a row has no direction. `subset`: (s,)
    positions, `gram`: (s, s) float32 their products. `centred`: the probe rows of `Neighbours` and their nearest
    rows by cosine after the mean direction was taken off.
    """

    unit: F32
    subset: I64
    gram: F32
    centred: Lists

    def lists(self, evidence: Evidence, k: int) -> Lists | NotMeasured:
        """The k nearest of `centred` among the rows that are left, as of `Neighbours.lists`."""
        return filtered(self.centred, evidence.good[evidence.reservoir.rows], k)


def filtered(
    lists: Lists, alive: npt.NDArray[np.bool_], k: int, *, spare: bool = False
) -> Lists | NotMeasured:
    """The k nearest among the positions that are `alive` (m,); see `Neighbours.lists`."""
    left = int(alive.sum())
    probes = np.flatnonzero(alive[lists.probes])
    if len(probes) < FEWEST or left <= k:
        return NotMeasured("Neighbours", f"{left:,} rows are left, too few for {k:,} neighbours each.")
    near, scores = lists.near[probes], lists.scores[probes]
    ok = (near >= 0) & alive[near]
    enough = ok.sum(axis=1) >= k
    if 1 - enough.mean() > SHORT:
        return NotMeasured("Neighbours", "Too many of the nearest rows were left out.")
    width = near.shape[1] if spare else k
    if not ok[:, :width].all():
        near, scores, ok, probes = near[enough], scores[enough], ok[enough], probes[enough]
        order = np.argsort(~ok, axis=1, kind="stable")[:, :width]
        near, scores = np.take_along_axis(near, order, axis=1), np.take_along_axis(scores, order, axis=1)
        scores = np.where(np.take_along_axis(ok, order, axis=1), scores, -np.inf).astype(np.float32)
    return Lists(lists.probes[probes], near[:, :width], scores[:, :width])


@probe(Neighbours, order=20, name="Nearest rows")
def neighbours(probing: Probing) -> Neighbours | NotMeasured:
    return nearest_rows(probing.evidence, probing.rng("neighbours"))


@probe(Directions, order=21, name="Directions")
def directions(probing: Probing) -> Directions | NotMeasured:
    return spread(probing.evidence, probing.rng("neighbours"))


def nearest_rows(evidence: Evidence, rng: np.random.Generator) -> Neighbours | NotMeasured:
    """The probe without its surroundings."""
    places, vectors = evidence.places, evidence.vectors
    m = len(places)
    if m < 2:
        return NotMeasured("Neighbours", f"{m:,} rows with a direction were read; two are needed.")
    metric = evidence.field.metric or "cosine"
    at = _drawn(m, rng)
    k = min(CACHED, m - 1)
    straight = evidence.unit
    by_direction = _lists(straight, at, k, "dot", places)
    by_metric = by_direction if metric == "cosine" else _lists(vectors, at, k, metric, places)
    pairs = rng.integers(0, m, (PAIRS, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    a, b = pairs[:, 0], pairs[:, 1]
    cosines = score(straight[a], straight[b], "dot")
    scores = cosines if metric == "cosine" else score(vectors[a], vectors[b], metric)
    return Neighbours(by_metric, by_direction, places[pairs], scores, cosines, m)


def spread(evidence: Evidence, rng: np.random.Generator) -> Directions | NotMeasured:
    """The probe without its surroundings; draws the probe rows of `nearest_rows` where `rng` is seeded alike."""
    places = evidence.places
    m = len(places)
    if m < 2:
        return NotMeasured("Directions", f"{m:,} rows with a direction were read; two are needed.")
    straight = evidence.unit
    at = _drawn(m, rng)
    mean = straight.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = _lists(unit(straight - mean), at, min(CACHED, m - 1), "dot", places)
    whole = np.zeros((len(evidence.reservoir.rows), straight.shape[1]), np.float32)
    whole[places] = straight
    subset = np.sort(rng.choice(m, min(SUBSET, m), replace=False))
    held = straight[subset]
    return Directions(whole, places[subset], held @ held.T, centred)


def _drawn(m: int, rng: np.random.Generator) -> I64:
    return np.sort(rng.choice(m, min(PROBES, m), replace=False))


def _lists(rows: F32, at: I64, k: int, metric: str, places: I64) -> Lists:
    near, scores = top_k(rows[at], rows, k, metric, own=at)
    return Lists(places[at], np.where(near >= 0, places[near], -1), scores)
