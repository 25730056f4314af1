"""Sampled checks: the interval of a finding holds the truth as often as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.faults.bases import FIRST, Base, unit_dot
from tests.faults.plants import Planted
from tests.faults.running import run

ROWS, EACH, SAMPLE, RUNS = 1_000, 80, 250, 200


def five_faults() -> tuple[Base, dict[str, tuple[int, int]]]:
    """Five faults, each in rows of its own; code -> how many rows, of how many that the rule looks at."""
    base = unit_dot(FIRST, ROWS)
    at = np.random.default_rng(FIRST).permutation(ROWS)[: 5 * EACH].reshape(5, EACH)
    zero, missing, long, untagged, foreign = at
    matrix, present = base.matrix.copy(), base.present.copy()
    rows = [dict(p) for p in base.payloads]
    matrix[zero] = 0
    present[missing] = False
    matrix[long] *= np.float32(0.6)
    for i in untagged:
        del rows[i]["embedding_version"]
    for i in foreign:
        rows[i]["embedding_version"] = "clip-b"
    true = {
        "zero-vectors": (EACH, ROWS),
        "missing-vectors": (EACH, ROWS),
        "norm-drift": (EACH, ROWS),
        "untagged-rows": (EACH, ROWS),
        "version-mix": (EACH, ROWS - EACH),
    }
    return base.but(matrix=matrix, present=present, payloads=rows), true


def test_intervals_and_estimates_cover_the_truth(tmp_path: Path) -> None:
    """Pooled over five codes and 200 samples: Clopper-Pearson promises .95 or more of each."""
    base, true = five_faults()
    planted = Planted(base, None, tuple(true))
    shares: dict[str, int] = dict.fromkeys(true, 0)
    counts, found = dict(shares), dict(shares)
    for seed in range(RUNS):
        report = run(tmp_path, "weaviate", planted, sample=SAMPLE, seed=seed)
        for code, (hits, of) in true.items():
            said = next((f for f in report.data["findings"] if f["code"] == code), None)
            if said is None:
                continue
            found[code] += 1
            low, high = said["interval"]
            shares[code] += low <= hits / of <= high
            estimate = said["rows_estimated"]
            counts[code] += estimate["low"] <= hits <= estimate["high"]
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert min(found.values()) >= 0.99 * RUNS, found
    told = sum(found.values())
    assert sum(shares.values()) >= 0.93 * told, shares
    assert sum(counts.values()) >= 0.93 * told, counts
    # By itself each has 200 runs: with a true coverage of .95 fewer than 180 has a probability of .0015.
    assert min(*shares.values(), *counts.values()) >= 0.9 * RUNS, (shares, counts)
