"""Drift against a baseline: figures held to scipy and closed forms, false alarms counted, faults found."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from console.health import registry
from console.health.baseline import Baseline, kept
from console.health.drift_measures import (
    Spread,
    ks,
    ks_chance,
    mean_shift,
    mean_shift_chance,
    scatter,
    spread,
)
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.moving import disagreement_moved
from console.health.policy import policy
from console.health.probes.latency import Latency
from console.health.probes.panel import PanelNow
from tests.health.building import evidence

D = 64


def cloud(n: int, seed: int, *, encoder: int = 0, d: int = D, topics: int = 12) -> np.ndarray:
    """(n, d) float32 at length 1: topics on an anisotropic ground with a common direction, as text embeddings have."""
    world, draw = np.random.default_rng([1, encoder]), np.random.default_rng([2, seed])
    centres = world.normal(size=(topics, d))
    mixing = world.normal(size=(d, d)) / np.sqrt(np.arange(1, d + 1))
    rows = centres[draw.integers(0, topics, n)] + 0.8 * draw.normal(size=(n, d)) @ mixing.T / 3
    rows += 0.8 * world.normal(size=d)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def figures(matrix: np.ndarray, seed: int = 0) -> Spread:
    held = evidence(matrix)
    return spread(scatter(held, np.random.default_rng(seed)), np.ones(len(matrix), np.bool_))


def against(
    now: np.ndarray, then: np.ndarray | Evidence, *, report: dict[str, Any] | None = None, **more: Any
) -> Evidence:
    before = then if isinstance(then, Evidence) else evidence(then)
    held = {"id": "r0", "at": "2026-11-19T22:10:00+00:00", "rows": before.scan.rows, **(report or {})}
    return evidence(now, baseline=Baseline(held, kept(before)), **more)


def run(code: str, held: Evidence) -> list[Any]:
    return list(registry.checks()[code].run(held, policy()))


def the(code: str, held: Evidence, key: str = "") -> Finding:
    (found,) = [f for f in run(code, held) if isinstance(f, Finding) and f.key == key]
    return found


def test_ks_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 17, 500):
        a, b = rng.normal(size=n), rng.normal(0.2, 1.1, size=n)
        assert ks(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)
    ties = rng.integers(0, 5, 200).astype(float), rng.integers(0, 6, 200).astype(float)
    assert ks(*ties) == pytest.approx(stats.ks_2samp(*ties).statistic)
    longer = rng.normal(size=400)
    assert ks(longer[:100], longer) == 0
    assert ks(np.zeros(0), longer) == 0


def test_the_mean_shift_is_the_closed_form() -> None:
    a, b = cloud(700, 1), cloud(500, 2, encoder=3)
    one, other = figures(a), figures(b)
    trace_a, trace_b = a.var(axis=0).sum(dtype=np.float64), b.var(axis=0).sum(dtype=np.float64)
    gap = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    expected = math.sqrt((gap @ gap - trace_a / 700 - trace_b / 500) / ((trace_a + trace_b) / 2))
    assert mean_shift(one, other) == pytest.approx(expected, rel=1e-4)
    assert one.trace == pytest.approx(trace_a, rel=1e-5)
    covariance = np.cov(a.T, bias=True)
    assert one.trace2 == pytest.approx(float((covariance**2).sum()), rel=0.1)
    assert mean_shift(one, figures(a, 5)) == 0


def test_the_mean_shift_of_a_known_displacement_is_that_displacement() -> None:
    n, d, s = 100_000, 40, 0.7
    one = Spread(n, np.zeros(d), s * s * d, s**4 * d, np.zeros(1, np.float32), 0.0)
    step = np.zeros(d)
    step[3] = 1.5
    other = replace(one, mean=step)
    noise = 2 * s * s * d / n
    assert mean_shift(one, other) == pytest.approx(math.sqrt((1.5**2 - noise) / (s * s * d)))


def test_the_noise_of_the_distribution_function_is_what_resampling_gives() -> None:
    n, runs = 400, 60
    grid = np.quantile(figures(cloud(4000, 99)).scores, np.linspace(0.05, 0.95, 19))
    shares = np.array(
        [[(s <= t).mean() for t in grid] for s in (figures(cloud(n, i), i).scores for i in range(runs))]
    )
    seen = shares.std(axis=0, ddof=1).max()
    told = np.mean([figures(cloud(n, i), i).noise for i in range(10)])
    assert 0.7 < told / seen < 1.5


def test_false_alarms_of_200_pairs_from_one_collection_are_none() -> None:
    worst = {"ks": 0.0, "shift": 0.0}
    by_chance = {"ks": 0, "shift": 0}
    alarms = 0
    for i in range(200):
        n, other = (150, 300, 800)[i % 3], (300, 1200)[i % 2]
        then, now = figures(cloud(n, 3 * i), i), figures(cloud(other, 3 * i + 1), i + 7)
        k, m = ks(then.scores, now.scores), mean_shift(then, now)
        kc, mc = ks_chance(then.noise, now.noise), mean_shift_chance(then, now)
        by_chance["ks"] += k > kc
        by_chance["shift"] += m > mc
        alarms += k > max(0.05, kc) or m > max(0.1, mc)
        if n == 800:
            worst = {"ks": max(worst["ks"], k), "shift": max(worst["shift"], m)}
    assert alarms <= 4, (alarms, by_chance)
    assert by_chance["ks"] <= 8
    assert by_chance["shift"] <= 8


def test_legitimate_growth_is_silent_and_a_tenth_of_another_encoder_is_not() -> None:
    then = cloud(3000, 1)
    grown = np.concatenate([then[:2500], cloud(1500, 2)])
    found = the("distribution-drift", against(grown, then))
    assert found.severity is None
    assert found.evidence["ks"] <= 0.019
    assert found.evidence["mean_shift"] <= 0.053
    assert found.effect is not None
    assert found.effect.value < 1

    mixed = then.copy()
    mixed[:300] = cloud(300, 3, encoder=8)
    found = the("distribution-drift", against(mixed, then))
    assert found.severity in ("warning", "critical")
    assert found.effect is not None
    assert found.effect.value >= 1
    assert found.evidence["ks"] > found.evidence["ks_by_chance"]

    swapped = the("distribution-drift", against(cloud(3000, 1, encoder=8), then))
    assert swapped.severity is not None
    assert swapped.evidence["mean_shift"] > 0.141


def test_rows_that_are_left_out_take_their_drift_with_them() -> None:
    then = cloud(2000, 1)
    mixed = then.copy()
    mixed[:400] = cloud(400, 3, encoder=8)
    held = against(mixed, then)
    out = np.zeros(2000, np.bool_)
    out[:400] = True
    whole, left = the("distribution-drift", held), the("distribution-drift", held.without(out))
    assert whole.severity is not None
    assert left.severity is None
    assert whole.effect is not None
    assert left.effect is not None
    assert left.effect.value < whole.effect.value / 2


@pytest.mark.parametrize("n", [0, 1, 2, 10, 50])
def test_too_few_rows_are_not_measured(n: int) -> None:
    held = against(cloud(n, 1) if n else np.zeros((0, D), np.float32), cloud(500, 2))
    assert all(isinstance(o, NotMeasured) for o in run("distribution-drift", held))


def test_two_dimensions_and_bad_rows_are_ordinary() -> None:
    rows = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    spoiled = rows.copy()
    spoiled[:3] = np.nan
    spoiled[3:6] = 0
    spoiled[6, 0] = np.inf
    found = the("distribution-drift", against(spoiled, rows))
    assert found.severity is None
    assert math.isfinite(found.evidence["ks"])
    assert math.isfinite(found.evidence["mean_shift"])


def test_another_dimension_or_lost_arrays_are_said() -> None:
    (said, _) = run("distribution-drift", against(cloud(300, 1, d=32), cloud(300, 1)))
    assert "dimension" in said.why
    bare = evidence(cloud(300, 1), baseline=Baseline({"id": "r0", "at": "x", "rows": 300}))
    assert all(isinstance(o, NotMeasured) for o in run("distribution-drift", bare))
    assert isinstance(run("recall-drop", bare)[0], NotMeasured)
    assert isinstance(run("latency-spike", bare)[0], NotMeasured)


def test_without_a_baseline_there_is_one_line() -> None:
    held = evidence(cloud(300, 1))
    lines = [
        o for c in ("distribution-drift", "recall-drop", "latency-spike", "size-change") for o in run(c, held)
    ]
    (line,) = lines
    assert isinstance(line, NotMeasured)
    assert line.check == "baseline"


def panel(n: int, moved: int, *, tag_changed: int = 0, source_changed: int = 0) -> PanelNow:
    cosine = np.ones(n)
    cosine[:moved] = 0.7
    version, source = np.ones(n, np.bool_), np.ones(n, np.bool_)
    version[:tag_changed] = False
    source[:source_changed] = False
    return PanelNow("r0", n, 0, 0, tuple(range(n)), cosine, cosine == 1, source, source, version)


@pytest.mark.parametrize(
    ("moved", "severity"), [(0, None), (5, None), (15, "warning"), (45, "warning"), (90, "critical")]
)
def test_rows_embedded_again_without_a_word_are_found(moved: int, severity: str | None) -> None:
    then = cloud(1000, 1)
    held = against(then, then, results={PanelNow: panel(1000, moved)})
    found = the("distribution-drift", held, "panel")
    assert found.severity == severity
    assert found.rows == moved
    if severity:
        assert found.interval == pytest.approx(
            tuple(stats.binomtest(moved, 1000).proportion_ci(method="exact")), rel=1e-6
        )
        assert found.sample_ids == tuple(range(min(20, moved)))
    if moved >= 30:
        assert found.affected is not None
        assert found.affected.sum() == moved
    assert found.id == "distribution-drift:panel"


def test_what_was_tagged_anew_or_has_another_source_is_not_silent() -> None:
    then = cloud(1000, 1)
    for changed in ({"tag_changed": 200}, {"source_changed": 200}):
        held = against(then, then, results={PanelNow: panel(1000, 200, **changed)})
        assert the("distribution-drift", held, "panel").severity is None


@pytest.mark.parametrize(
    ("now", "started", "severity", "code"),
    [
        (1000, "", None, None),
        (995, "", None, "size-change"),
        (980, "", "warning", "size-change"),
        (890, "", "critical", "size-change"),
        (0, "", "critical", "size-change"),
        (1005, "", None, None),
        (1050, "2026-11-20T22:10:00+00:00", "info", "size-change"),
        (1300, "2026-11-20T22:10:00+00:00", "warning", "size-change"),
        (1300, "2026-12-19T22:10:00+00:00", "info", "size-change"),
        (1030, "2026-11-19T22:20:00+00:00", "info", "size-change"),
    ],
)
def test_sizes(now: int, started: str, severity: str | None, code: str | None) -> None:
    held = against(cloud(100, 1), cloud(100, 1), report={"rows": 1000})
    held = replace(held, scan=replace(held.scan, rows=now, started=started))
    found = run("size-change", held)
    if code is None and severity is None:
        assert all(f.severity is None for f in found)
    else:
        (only,) = found
        assert only.severity == severity
        assert only.evidence["rows_then"] == 1000


def timed(milliseconds: float, seed: int, *, hiccups: int = 0) -> dict[type, Any]:
    taken = np.random.default_rng(seed).lognormal(math.log(milliseconds), 0.2, 50)
    taken[:hiccups] *= 20
    return {Latency: Latency(np.sort(taken))}


@pytest.mark.parametrize(
    ("before", "after", "hiccups", "fires"),
    [(10, 10, 0, False), (10, 30, 0, True), (10, 10, 3, False), (0.5, 1.6, 0, False), (20, 29, 0, False)],
)
def test_latency(before: float, after: float, hiccups: int, fires: bool) -> None:
    then = evidence(cloud(100, 1), results=timed(before, 1))
    held = against(cloud(100, 1), then, results=timed(after, 2, hiccups=hiccups))
    assert (the("latency-spike", held).severity == "warning") is fires


def test_a_gap_between_modalities_that_moved_is_told_and_one_that_stands_is_not() -> None:
    def rows(seed: int, apart: float) -> tuple[np.ndarray, list[dict[str, Any]]]:
        x = cloud(1600, seed).astype(np.float64)
        x[800:, 0] += apart
        payloads = [{"modality": "image" if i < 800 else "text"} for i in range(1600)]
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), payloads

    then = evidence(*rows(1, 0.8))
    for apart, severity in ((0.8, None), (1.6, "warning")):
        now, payloads = rows(2, apart)
        held = evidence(now, payloads, baseline=against(now, then).baseline)
        (found,) = [f for f in run("modality-gap", held) if isinstance(f, Finding) and f.key == "baseline"]
        assert found.severity == severity
        assert found.id == "modality-gap:baseline"


@pytest.mark.parametrize(
    ("then", "now", "severity"),
    [((0.002, 0.0, 0.01), (0.004, 0.001, 0.012), None), ((0.002, 0.0, 0.01), (0.05, 0.035, 0.07), "warning"),
     ((0.02, 0.005, 0.06), (0.045, 0.02, 0.09), None), ((0.05, 0.04, 0.06), (0.002, 0.0, 0.01), None)],
)  # fmt: skip
def test_texts_that_disagree_more_than_before_are_told(then: Any, now: Any, severity: str | None) -> None:
    arrays = {
        f"figure.disagreement{n}": np.array(v) for n, v in zip(("", "_low", "_high"), then, strict=True)
    }
    base = Baseline({"id": "r0", "at": "2026-11-19T22:10:00+00:00"}, arrays)
    (found,) = disagreement_moved(evidence(cloud(10, 1), baseline=base), now[0], now[1:], 0.02)
    assert isinstance(found, Finding)
    assert (found.severity, found.id) == (severity, "text-vector-disagreement:baseline")
    assert disagreement_moved(evidence(cloud(10, 1)), now[0], now[1:], 0.02) == []
