"""Collapsed neighbours, and the gap between modalities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from console.health.checks.crowding import _overlap
from console.health.findings import Finding
from tests.health.building import evidence
from tests.health.probed import finding, judged, probed, themed, unit, why_not

N = 2_000


def hubs(share: float, seed: int = 0) -> np.ndarray:
    """Rows of which 30 lie where `share` of the others point: those get the 30 as neighbours."""
    rng = np.random.default_rng([seed, 3])
    axis = np.full(64, 1 / 8)
    rows = unit(rng.normal(size=(N, 64)))
    pulled = rng.random(N) < share
    rows[pulled] = unit(rows[pulled] + 1.2 * axis)
    rows[:30] = unit(axis + 0.02 * rng.normal(size=(30, 64)))
    return rows


@pytest.mark.parametrize(("share", "severity"), [(0.2, None), (0.6, "warning"), (1.0, "critical")])
def test_the_same_rows_for_every_query(share: float, severity: str | None) -> None:
    held = finding("collapsed-neighbors", probed(evidence(hubs(share))))
    assert held.severity == severity
    if severity is not None:
        assert held.evidence["slots_of_20_rows"] > 5 * held.evidence["slots_of_20_rows_by_chance"]
        assert all(int(i) < 30 for i in held.sample_ids)
    assert held.effect is not None
    assert held.effect.low is not None
    assert held.effect.low <= held.effect.value


def test_the_overlap_is_the_mean_over_pairs_of_lists() -> None:
    rng = np.random.default_rng(0)
    near = np.stack([rng.choice(60, 20, replace=False) for _ in range(50)])
    value, low, high = _overlap(near, 60, 0)
    pairs = [len(set(a) & set(b)) / 20 for a, b in itertools.combinations(near.tolist(), 2)]
    assert value + 20 / 60 == pytest.approx(np.mean(pairs))
    assert low <= value <= high
    assert abs(value) < 0.01


def test_one_vector_on_many_rows_is_not_a_collapse() -> None:
    """A list cut anywhere in a class of equal rows says nothing about queries."""
    rows = themed(0)[0].copy()
    rows[: N // 2] = rows[0]
    held = finding("collapsed-neighbors", probed(evidence(rows)))
    assert held.severity is None


def test_long_vectors_that_win_every_query_are_told_apart() -> None:
    rows = themed(1)[0].copy() * 1.0
    rows += 0.5 * unit(rows.mean(axis=0)[None])
    rows[:40] *= 8
    held = finding("collapsed-neighbors", probed(evidence(rows, metric="dot")))
    assert held.severity == "info"
    assert "Without lengths" in held.summary
    straight = probed(evidence(rows, metric="cosine"))
    assert finding("collapsed-neighbors", straight).severity is None


def test_without_the_crowding_rows_it_is_under_its_line() -> None:
    held = probed(evidence(hubs(1.0)))
    peeled = finding("collapsed-neighbors", held.without(np.arange(N) < 30))
    assert peeled.severity is None
    assert peeled.effect is not None
    assert peeled.effect.value < peeled.effect.threshold


@pytest.mark.parametrize("n", [0, 1, 2, 10, 399])
def test_few_rows_have_neighbours_in_common_by_chance(n: int) -> None:
    assert "400" in why_not("collapsed-neighbors", probed(evidence(hubs(1.0)[:n])))


def mixed(gap: float, noise: float, seed: int = 0, *, shuffled: bool = False) -> object:
    rng = np.random.default_rng([seed, 8])
    things = themed(seed, n=N // 2)[0]
    axis = unit(rng.normal(size=(1, 64)))[0]
    matrix = np.empty((N, 64))
    matrix[0::2] = things + gap * axis + noise * rng.normal(size=things.shape)
    matrix[1::2] = things - gap * axis + noise * rng.normal(size=things.shape)
    if shuffled:
        matrix[1::2] = rng.permutation(matrix[1::2])
    rows = [{"modality": ("image", "text")[i % 2], "thing": f"t{i // 2}", "n": i % 7} for i in range(N)]
    return probed(evidence(unit(matrix), rows))


def test_two_cones_are_an_ordinary_gap() -> None:
    held = finding("modality-gap", mixed(1.5, 0.01))  # type: ignore[arg-type]
    assert held.severity == "info"
    assert held.evidence["link"] == "thing"
    assert held.evidence["partner_recall"] > 0.9


def test_clouds_that_meet_have_no_gap() -> None:
    assert finding("modality-gap", mixed(0.0, 0.01)).severity is None  # type: ignore[arg-type]


def test_partners_that_do_not_find_each_other_are_a_fault() -> None:
    held = finding("modality-gap", mixed(1.5, 0.01, shuffled=True))  # type: ignore[arg-type]
    assert held.severity == "critical"
    assert held.evidence["partner_recall"] < 5 * held.evidence["partner_recall_by_chance"]
    assert held.remedy.action == "reingest"


def test_no_partners_no_fault() -> None:
    rng = np.random.default_rng(0)
    rows = themed(0)[0].copy()
    rows[::2] = unit(rows[::2] + 4 * unit(rng.normal(size=(1, 64))))
    payloads = [{"modality": ("image", "text")[i % 2], "price": int(rng.integers(0, 900))} for i in range(N)]
    held = finding("modality-gap", probed(evidence(rows, payloads)))
    assert held.severity == "info"
    assert held.evidence["link"] is None


def test_one_modality_or_none_says_nothing() -> None:
    rows = themed(0)[0]
    assert judged("modality-gap", probed(evidence(rows))) == []
    payloads = [{"modality": "image" if i > 20 else "text"} for i in range(N)]
    assert judged("modality-gap", probed(evidence(rows, payloads))) == []


def test_noise_is_named_once() -> None:
    rng = np.random.default_rng(0)
    payloads = [{"modality": ("image", "text")[i % 2], "thing": f"t{i // 2}"} for i in range(N)]
    held = probed(evidence(rng.normal(size=(N, 64)), payloads))
    assert finding("no-structure", held).severity == "critical"
    assert all(f.severity != "critical" for f in judged("modality-gap", held) if isinstance(f, Finding))
