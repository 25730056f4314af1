"""Sampled checks: the interval of a finding holds the truth as often as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from console.search.proportions import clopper_pearson
from tests.faults.__main__ import FIRST
from tests.faults.bases import BASES
from tests.faults.plants import FAULTS
from tests.faults.running import run

RUNS = 40


@pytest.mark.parametrize("name", ["zero", "missing", "unnormalised", "untagged"])
def test_the_estimate_covers_the_truth(tmp_path: Path, name: str) -> None:
    base = BASES["unit-dot"](FIRST)
    true = 150
    planted = FAULTS[name].plant(base, true, np.random.default_rng(FIRST))
    covered = found = 0
    for seed in range(RUNS):
        report = run(tmp_path, "weaviate", planted, sample=400, seed=seed)
        mine = [f for f in report.data["findings"] if f["code"] in planted.roots]
        found += bool(mine)
        if not mine:
            continue
        low, high = mine[0]["interval"]
        covered += low <= true / len(base) <= high
        estimate = mine[0]["rows_estimated"]
        assert estimate is not None
    assert found >= RUNS - 1
    # With a true coverage of .95 (Clopper-Pearson has more), fewer than this has a probability below .025.
    assert covered >= clopper_pearson(int(0.95 * RUNS), RUNS)[0] * RUNS
