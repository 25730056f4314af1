"""Rows that belong together across modalities, and whether they find each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.filters import MISSING as NOWHERE
from connectors.filters import lookup
from console.health.findings import NotMeasured
from console.health.neighbours import top_k
from console.health.probes.neighbours import Lists
from console.health.registry import probe
from console.health.table import I64

if TYPE_CHECKING:
    from connectors.model import Payload
    from console.health.evidence import Evidence
    from console.health.probing import Probing

LINKED: Final = 1_000
"""Rows asked for their partner: at chance, 10 of 2,500, four of them find it, and 95% bounds stay under 1.1%."""
CACHED: Final = 50
FEWEST_PAIRS: Final = 100
ONE_EACH: Final = 0.8
"""Share of a link's values that must stand on exactly one row of each modality (chance: half of the pairs)."""


@dataclass(frozen=True, slots=True, eq=False)
class Partners:
    """Rows with their partner in the other modality, and their nearest rows there, by direction.

    `lists.probes`: (q,) positions in the reservoir; `partner`: (q,) theirs; `lists.near`: (q, 50) among `there`,
    the rows of the other modality. `modalities`: the two. `link`: the field whose value both rows carry. `rows`:
    (q,) how many rows were searched for each probe; `good`: the reservoir's good rows then.
    """

    link: str
    modalities: tuple[Any, Any]
    partner: I64
    lists: Lists
    rows: I64
    good: int


@probe(Partners, order=22, name="Partners across modalities")
def partners(probing: Probing) -> Partners | NotMeasured:
    return linked_rows(probing.evidence, probing.rng("partners"))


def linked_rows(evidence: Evidence, rng: np.random.Generator) -> Partners | NotMeasured:
    """The probe without its surroundings. Not measured without two modalities and at least 100 linked pairs."""
    codes = evidence.group(evidence.names.modality)
    if codes is None:
        return NotMeasured("Partners", "No field says which modality a row is of.")
    here = codes.codes[evidence.reservoir.rows[evidence.places]]
    counts = np.bincount(here, minlength=len(codes.values) + 1)[: len(codes.values) + 1]
    counts[0] = 0
    first, second = (int(c) for c in np.argsort(-counts, kind="stable")[:2]) if len(counts) > 2 else (0, 0)
    if not first or not counts[second]:
        return NotMeasured("Partners", "The rows are of one modality.")
    found = _link(evidence, here == first, here == second)
    if found is None:
        return NotMeasured(
            "Partners",
            f"Fewer than {FEWEST_PAIRS} rows that were read are linked to one of the other modality.",
        )
    link, pairs = found
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.sort(rng.choice(len(both), min(LINKED, len(both)), replace=False))]
    unit, places = evidence.unit, evidence.places
    near = np.full((len(both), CACHED), -1, np.int64)
    scores = np.full((len(both), CACHED), -np.inf, np.float32)
    rows = np.zeros(len(both), np.int64)
    for own, other in ((first, second), (second, first)):
        asking = np.flatnonzero(here[both[:, 0]] == own)
        there = np.flatnonzero(here == other)
        at, held = top_k(unit[both[asking, 0]], unit[there], CACHED, "dot")
        near[asking], scores[asking] = np.where(at >= 0, places[there[at]], -1), held
        rows[asking] = len(there)
    return Partners(
        link,
        (codes.values[first - 1], codes.values[second - 1]),
        places[both[:, 1]],
        Lists(places[both[:, 0]], near, scores),
        rows,
        len(places),
    )


def _link(evidence: Evidence, first: Any, second: Any) -> tuple[str, I64] | None:
    """The field that links most pairs, and the pairs (p, 2): indices among the good rows, first modality first."""
    names = evidence.names
    payloads = evidence.payloads
    paths = names.columns or tuple(dict.fromkeys(k for p in payloads for k in p))
    best: tuple[str, I64] | None = None
    for path in paths:
        if path in (names.version, names.modality, names.time):
            continue
        pairs = _pairs(payloads, path, first, second)
        if len(pairs) >= FEWEST_PAIRS and (best is None or len(pairs) > len(best[1])):
            best = path, pairs
    return best


def _pairs(payloads: Sequence[Payload], path: str, first: Any, second: Any) -> I64:
    sides: dict[Any, tuple[list[int], list[int]]] = {}
    for i, payload in enumerate(payloads):
        if not (first[i] or second[i]):
            continue
        value = lookup(payload, path)
        if value is NOWHERE or value == "" or isinstance(value, bool) or not isinstance(value, (str, int)):
            continue
        sides.setdefault(value, ([], []))[0 if first[i] else 1].append(i)
    shared = [(a, b) for a, b in sides.values() if len(a) + len(b) > 1]
    clean = [(a[0], b[0]) for a, b in shared if len(a) == 1 and len(b) == 1]
    if not shared or len(clean) < ONE_EACH * len(shared):
        return np.zeros((0, 2), np.int64)
    return np.array(clean, np.int64)
