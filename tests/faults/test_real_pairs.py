"""On the real databases, what follows from a fault is told so: a symptom that fires by itself is under its cause."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.faults.bases import BASES, FIRST
from tests.faults.plants import FAULTS
from tests.faults.real import DAMAGED, Database, as_stored, examine, put, with_uuids
from tests.faults.running import above_info, judge

ROWS = 1_000


@dataclass(frozen=True)
class Pair:
    fault: str
    symptom: str
    share: float
    base: str = "unit-dot"
    surely: bool = True
    """Whether the symptom is there on each database."""


PAIRS = [
    Pair("empty-source", "duplicate-vectors", 0.1),
    Pair("nan", "low-ann-recall", 0.1, surely=False),
    Pair("placeholder", "text-vector-disagreement", 0.1, surely=False),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p.fault}-{p.symptom}")
def test_the_symptom_is_under_its_cause(database: Database, tmp_path: Path, pair: Pair) -> None:
    base, fault = BASES[pair.base](FIRST, ROWS), FAULTS[pair.fault]  # type: ignore[call-arg]
    planted = fault.plant(base, int(pair.share * ROWS), np.random.default_rng([FIRST, *pair.fault.encode()]))
    planted = as_stored(pair.fault, with_uuids(planted))
    name = f"Faults{uuid.uuid4().hex[:10]}"
    put(database.connector, name, planted.base)
    try:
        report = examine(tmp_path, database.spec, name, planted)
    finally:
        database.connector.drop(name)
    verdict = judge(fault, planted, report)
    assert verdict.clean, verdict
    assert report.data["root_causes"][0] == fault.code
    said = [f for f in above_info(report) if f["code"] == pair.symptom]
    assert said or not pair.surely, report.data["headline"]
    for f in said:
        if f["because_of"] is None:
            assert pair.fault in DAMAGED, "a root beside its cause"
        else:
            assert f["because_of"] == fault.code
