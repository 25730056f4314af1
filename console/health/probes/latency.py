"""How long a search takes from here, in the same way each time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.health.drift_measures import Scatter, scatter
from console.health.findings import NotMeasured
from console.health.registry import probe
from console.health.table import F64

if TYPE_CHECKING:
    from console.health.probing import Probing

WARM: Final = 5
SEARCHES: Final = 50
K: Final = 10
FEWEST: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Latency:
    """`milliseconds`: of each search, one query and 10 hits without payload, one after the other, (n,) ascending."""

    milliseconds: F64

    @property
    def p50(self) -> float:
        return float(np.quantile(self.milliseconds, 0.5))

    @property
    def p95(self) -> float:
        return float(np.quantile(self.milliseconds, 0.95))


@probe(Scatter, order=52, name="How directions lie")
def directions(probing: Probing) -> Scatter:
    return scatter(probing.evidence, probing.rng("scatter"))


@probe(Latency, order=55, name="Latency of searches")
def latency(probing: Probing) -> Latency | NotMeasured:
    name, evidence = "latency-spike", probing.evidence
    if probing.reader.spec.snapshot is not None:
        return NotMeasured(name, "A snapshot file does not tell how fast its server answers.")
    places = evidence.places
    if not len(places):
        return NotMeasured(name, "No row with a direction was read that could be searched with.")
    chosen = probing.rng("latency").choice(places, WARM + SEARCHES, replace=True)
    taken: list[float] = []
    for i, place in enumerate(chosen):
        if not probing.budget.left and len(taken) >= FEWEST:
            break
        probing.budget.check()
        query = evidence.reservoir.matrix[place : place + 1]
        began = time.perf_counter()
        probing.reader.search(
            probing.target, evidence.field.name, query, K, payload=(), timeout=probing.timeout
        )
        if i >= WARM:
            taken.append(1000 * (time.perf_counter() - began))
        probing.progress(i + 1, len(chosen))
    return Latency(np.sort(np.array(taken, np.float64)))
