"""Two planted faults at once, read, probed and judged by the real checks: both are roots, or one is the other's cause."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from console.health.report import Report
from tests.faults.bases import BASES, Base
from tests.faults.plants import FAULTS, Planted
from tests.faults.running import run

SEED = 4_711


def both(home: Path, base: Base, first: str, second: str, share: float = 0.05) -> tuple[Report, set[str]]:
    """One fault after the other, on rows that are drawn apart."""
    rng = np.random.default_rng([SEED, *first.encode(), *second.encode()])
    one = _plant(base, first, share, rng)
    two = _plant(one.base, second, share, rng)
    planted = replace(two, more={**one.more, **two.more}, options={**one.options, **two.options})
    return run(home, "weaviate", planted), {*one.roots[:1], *two.roots[:1]}


def _plant(base: Base, name: str, share: float, rng: np.random.Generator) -> Planted:
    fault = FAULTS[name]
    return fault.plant(base, max(int(share * len(base)), fault.smallest(base)), rng)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("zero", "unnormalised"),
        ("zero", "nan"),
        ("unnormalised", "foreign-tagged"),
        ("unnormalised", "placeholder"),
        ("foreign-tagged", "untagged"),
        ("foreign-tagged", "shuffled-texts"),
        ("placeholder", "lost-by-index"),
        ("missing", "placeholder"),
    ],
)
def test_two_faults_on_different_rows_are_two_roots(tmp_path: Path, first: str, second: str) -> None:
    report, roots = both(tmp_path, BASES["unit-dot"](SEED), first, second)
    assert set(report.data["root_causes"]) == roots


def test_a_symptom_with_one_cause_of_two(tmp_path: Path) -> None:
    """Recall suffers by rows that are not numbers; rows of no length beside them do nothing to it."""
    report, _ = both(tmp_path, BASES["text"](SEED), "zero", "nan")
    recall = [f for f in report.data["findings"] if f["code"] == "low-ann-recall"]
    assert recall
    assert {tuple(f["because_of_ids"]) for f in recall} == {("non-finite",)}
    assert all(f["evidence"]["because_of"]["associated"] for f in recall)


def test_rows_of_another_encoder_that_are_not_normalised_are_one_fault(tmp_path: Path) -> None:
    """The same rows carry a foreign tag, foreign directions and another length: the tag is the cause."""
    rng = np.random.default_rng(SEED)
    planted = _plant(BASES["unit-dot"](SEED), "foreign-tagged", 0.1, rng)
    assert planted.rows is not None
    matrix = planted.base.matrix.copy()
    matrix[planted.rows] *= rng.uniform(2.0, 3.0, (len(planted.rows), 1)).astype(np.float32)
    report = run(tmp_path, "weaviate", replace(planted, base=planted.base.but(matrix=matrix)))
    data = report.data
    assert data["root_causes"] == ["version-mix"]
    (drift,) = [f for f in data["findings"] if f["code"] == "norm-drift"]
    assert drift["because_of"] == "version-mix"
    assert drift["group"]["field"] == "embedding_version"
    assert data["headline"].startswith(f"{len(planted.rows):,} of {len(planted.base):,}")


def test_hubs_by_length_follow_from_their_lengths(tmp_path: Path) -> None:
    """Under inner products long rows of a few directions win every query."""
    base = BASES["unit-dot"](SEED)
    rng = np.random.default_rng(SEED)
    at = np.sort(rng.choice(len(base), 150, replace=False))
    matrix, rows = base.matrix.copy(), [dict(p) for p in base.payloads]
    matrix[at] = matrix.mean(axis=0) + 0.3 * matrix[at]
    matrix[at] *= (8 / np.linalg.norm(matrix[at], axis=1, keepdims=True)).astype(np.float32)
    for i in at:
        rows[i]["source"] = "camera-99"
    planted = Planted(base.but(matrix=matrix, payloads=rows), at, ("norm-drift",))
    data = run(tmp_path, "weaviate", planted).data
    assert data["root_causes"] == ["norm-drift"]
    assert data["findings"][0]["group"]["value"] == "camera-99"
    folded = {f["code"] for f in data["findings"] if f["because_of_ids"] == ["norm-drift"]}
    assert "collapsed-neighbors" in folded


@pytest.mark.parametrize("base", ["text", "unit-dot", "popular", "mixed", "small", "one", "none", "flat"])
def test_clean_rows_have_no_cause(tmp_path: Path, base: str) -> None:
    report = run(tmp_path, "weaviate", Planted(BASES[base](SEED), None, ()))
    assert report.data["root_causes"] == []
    assert report.verdict == ("not_known" if base == "none" else "healthy")
