"""Lengths on another scale: exact rows, groups, atoms; figures against scipy; what must stay silent."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from console.encoders import EncoderSpec
from console.health import lengths
from console.health.evidence import Evidence
from console.health.findings import Finding
from console.health.lengths import Body
from console.health.probes.neighbours import Neighbours, nearest_rows
from tests.health.building import codes, evidence
from tests.health.rowkit import RULES, anisotropic, captions, only, run


def drifted(
    n: int,
    rows: np.ndarray,
    factor: np.ndarray | float,
    *,
    base: float = 1.0,
    sd: float = 0.0,
    seed: int = 0,
    **more: Any,
) -> Evidence:
    """Lengths of base +- sd; `rows` times `factor`. `source` names the drifted rows."""
    rng = np.random.default_rng(seed)
    norm = base + sd * rng.standard_normal(n)
    norm[rows] *= factor
    source = np.array([f"camera-{i % 4}" for i in range(n)], object)
    if more.pop("named", True):
        source[rows] = "camera-9"
    matrix = anisotropic(n, 32, seed) * norm[:, None].astype(np.float32)
    more.setdefault("metric", "dot")
    return evidence(matrix, captions(n, source=source.tolist()), **more)


def rows_of(found: Finding) -> list[int]:
    assert found.affected is not None
    return np.flatnonzero(found.affected).tolist()


@pytest.mark.parametrize("share", [1, 30, 340, 480])
@pytest.mark.parametrize(("base", "sd"), [(1.0, 0.0), (16.3, 0.1)])
def test_rows_on_another_scale_are_found_exactly(share: int, base: float, sd: float) -> None:
    rows = np.sort(np.random.default_rng(share).choice(1000, share, replace=False))
    found = only("norm-drift", drifted(1000, rows, 0.4, base=base, sd=sd, named=False))
    assert rows_of(found) == rows.tolist()
    assert found.severity == ("critical" if share >= 50 else "warning")
    assert (found.remedy.action, found.evidence["how"]) == ("renormalize", "apart")


def test_the_sentence_has_the_figures() -> None:
    rows = np.arange(1012)
    factor = np.linspace(0.4, 1.3, 1012)
    factor[np.abs(factor - 1) < 0.011] = 1.1
    found = only("norm-drift", drifted(3000, rows, factor))
    assert found.summary == "1,012 of 3,000 rows have norms of 0.40 to 1.30; the rest are 1.000."
    assert rows_of(found) == rows.tolist()


def test_half_of_the_rows_are_found_by_the_atom_at_one() -> None:
    rows = np.arange(500)
    found = only("norm-drift", drifted(1000, rows, np.linspace(1.6, 3, 500)))
    assert (found.evidence["how"], found.severity) == ("atom", "critical")
    assert rows_of(found) == rows.tolist()


def test_normalised_rows_among_lengths_that_mean_something() -> None:
    rng = np.random.default_rng(5)
    norm = rng.lognormal(1, 0.5, 3000)
    rows = np.sort(rng.choice(3000, 40, replace=False))
    norm[rows] = 1
    held = evidence(anisotropic(3000, 32, 5) * norm[:, None].astype(np.float32), captions(3000), metric="dot")
    found = only("norm-drift", held)
    assert (found.severity, found.evidence["how"]) == ("warning", "atom")
    assert set(rows.tolist()) <= set(rows_of(found))
    assert len(rows_of(found)) <= 44, "a lognormal has about one row in a thousand within .001 of 1"


def test_a_group_on_another_scale_is_named_where_lengths_spread() -> None:
    rng = np.random.default_rng(6)
    n = 2000
    norm = rng.lognormal(2, 0.3, n)
    source = [f"camera-{i % 5}" for i in range(n)]
    mine = np.array([s == "camera-3" for s in source])
    norm[mine] *= 5
    held = evidence(
        anisotropic(n, 32, 6) * norm[:, None].astype(np.float32), captions(n, source=source), metric="dot"
    )
    found = only("norm-drift", held)
    assert found.group is not None
    assert (found.group.field, found.group.value, found.severity) == ("source", "camera-3", "critical")
    assert found.key == "source=camera-3"
    assert rows_of(found) == np.flatnonzero(mine).tolist()
    assert found.effect is not None
    u = stats.mannwhitneyu(norm[mine], norm[~mine]).statistic / (mine.sum() * (~mine).sum())
    assert found.effect.value == pytest.approx(u, abs=2e-3)


def test_a_group_of_most_rows_points_at_the_others() -> None:
    rng = np.random.default_rng(7)
    n = 1000
    norm = rng.lognormal(2, 0.3, n)
    odd = rng.random(n) < 0.3
    norm[odd] /= 6
    # The rows left out have a value each, so that only the majority is a group.
    source = ["usual" if not o else f"own-{i % 60}" for i, o in enumerate(odd)]
    held = evidence(
        anisotropic(n, 32, 6) * norm[:, None].astype(np.float32), captions(n, source=source), metric="dot"
    )
    found = only("norm-drift", held)
    assert found.group is None
    assert rows_of(found) == np.flatnonzero(odd).tolist()


def test_where_cosine_keeps_lengths_a_name_or_an_atom_is_needed() -> None:
    rows = np.arange(0, 1000, 10)
    # The majority at length 1 is an atom.
    found = only("norm-drift", drifted(1000, rows, 0.5, metric="cosine", named=False))
    assert (found.severity, found.remedy.action) == ("warning", "investigate")
    # Neither atom nor group.
    found = only("norm-drift", drifted(1000, rows, 0.5, base=16, sd=0.1, metric="cosine", named=False))
    assert found.severity == "info"
    found = only("norm-drift", drifted(1000, rows, 0.5, base=16, sd=0.1, metric="cosine", named=True))
    assert found.severity == "warning"
    # Rows that were normalised among others that were not.
    found = only("norm-drift", drifted(1000, rows, 1 / 16, base=16, sd=0, metric="cosine", named=False))
    assert found.severity == "warning"


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"storage": "uint8"}, "uint8"),
        ({"normalised_on_write": True, "metric": "cosine", "kind": "qdrant"}, "producer"),
        ({"metric": "hamming"}, "value by value"),
    ],
)
def test_lengths_that_say_nothing_are_not_measured(more: dict[str, Any], word: str) -> None:
    found, unmeasured = run("norm-drift", drifted(200, np.arange(20), 3.0, **more))
    assert not found
    assert [word in n.why for n in unmeasured] == [True]


@pytest.mark.parametrize("n", [0, 1, 2, 10, 29])
def test_few_rows_are_not_measured(n: int) -> None:
    found, unmeasured = run("norm-drift", evidence(anisotropic(n, 16, 1), metric="dot"))
    assert not found
    assert f"{n} rows" in unmeasured[0].why


def test_in_a_sample_the_bound_makes_it_critical() -> None:
    def severity(k: int) -> str | None:
        held = drifted(1000, np.arange(k), 3.0)
        return only("norm-drift", replace(held, scan=replace(held.scan, exact=False, rows=10**6))).severity

    low = stats.binomtest(60, 1000).proportion_ci(0.95, "exact").low
    assert low < 0.05
    assert [severity(60), severity(80)] == ["warning", "critical"]


def test_bad_rows_have_no_length() -> None:
    held = drifted(400, np.arange(20), 3.0)
    matrix = held.reservoir.matrix.copy()
    matrix[100], matrix[101], matrix[102] = np.nan, 0, 2e38
    found = only("norm-drift", evidence(matrix, captions(400), metric="dot"))
    assert rows_of(found) == list(range(20))


def test_the_tail_of_a_power_law_is_no_drift_and_one_row_beyond_it_is() -> None:
    rng = np.random.default_rng(11)
    for n in (300, 3000, 30_000):
        log = rng.exponential(0.05, n).astype(np.float32)
        held = lengths.body(log)
        assert held.spread < 0.05
        line = 6 * held.spread
        assert (log - held.middle > line).any() or n == 300
        assert not lengths.apart(log, held, line, 1e-3).rows.any()
    log = rng.normal(0, 0.03, 3000).astype(np.float32)
    log[17] = 0.5
    out = lengths.apart(log, lengths.body(log), 0.2, 1e-3)
    assert np.flatnonzero(out.rows).tolist() == [17]


def test_the_body_is_scipys_median_and_deviation() -> None:
    log = np.random.default_rng(3).normal(2, 0.4, 4001).astype(np.float32)
    held = lengths.body(log)
    assert held.middle == pytest.approx(float(np.median(log)))
    assert held.spread == pytest.approx(1.4826 * stats.median_abs_deviation(log), rel=1e-5)
    assert Body(1, math.log(3), 0).length == pytest.approx(3)


@pytest.mark.parametrize("n", [80, 5000, 300_000])
def test_ranks_of_a_histogram_are_mann_whitneys(n: int) -> None:
    rng = np.random.default_rng(n)
    chosen = rng.random(n) < 0.2
    norm = rng.lognormal(np.where(chosen, 0.8, 0), 0.4).astype(np.float32)
    expected = stats.mannwhitneyu(norm[chosen], norm[~chosen]).statistic / (chosen.sum() * (~chosen).sum())
    assert lengths.auc(norm, chosen) == pytest.approx(expected, abs=2e-4)
    # Ties at one value count half, as in scipy.
    tied = np.where(rng.random(n) < 0.5, norm, np.float32(1))
    expected = stats.mannwhitneyu(tied[chosen], tied[~chosen]).statistic / (chosen.sum() * (~chosen).sum())
    assert lengths.auc(tied, chosen) == pytest.approx(expected, abs=2e-4)


def test_the_error_of_an_area_is_what_repetition_shows() -> None:
    rng = np.random.default_rng(9)
    areas = []
    for _ in range(400):
        one, other = rng.normal(1.2, 1, 60), rng.normal(0, 1, 300)
        areas.append(stats.mannwhitneyu(one, other).statistic / (60 * 300))
    told = lengths.area_error(float(np.mean(areas)), 60, 300)
    assert told == pytest.approx(float(np.std(areas)), rel=0.2)


def test_an_atom_needs_more_than_the_density_beside_it() -> None:
    rng = np.random.default_rng(2)
    smooth = rng.normal(1, 0.1, 20_000).astype(np.float32)
    assert lengths.atom(smooth, 1e-3, 0.005, 5, exact=True) is None, (
        ".8% within .001 of 1, as dense as beside"
    )
    smooth[:2000] = 1
    held = lengths.atom(smooth, 1e-3, 0.005, 5, exact=True)
    assert held is not None
    assert held[:2000].all()
    assert lengths.atom(np.ones(3, np.float32), 1e-3, 0.005, 5, exact=True) is None, (
        "three rows prove no density"
    )


def test_groups_are_judged_by_bounds_in_a_sample() -> None:
    rng = np.random.default_rng(4)
    n = 1000
    tags = ["new" if i < 40 else "old" for i in range(n)]
    # The AUC of 40 rows is about .985 +- .006: over the line, its bound under it.
    norm = rng.lognormal(np.where(np.arange(n) < 40, 3.07 * 0.3, 0), 0.3).astype(np.float32)
    held = {"tag": codes(tags)}
    area = lengths.auc(norm, np.arange(n) < 40)
    assert area > 0.98
    given: dict[str, Any] = {"least": 30, "auc": 0.98, "ratio": 1.5}
    at = {"tag": held["tag"].codes}
    assert [s.value for s in lengths.scales(norm, held, at, **given, exact=True)] == ["new", "old"]
    assert lengths.scales(norm, held, at, **given, exact=False) == []


def test_a_million_rows_take_well_under_a_second() -> None:
    import time

    rng = np.random.default_rng(1)
    n = 1_000_000
    norm = rng.lognormal(0, 0.4, n).astype(np.float32)
    fields = {f"f{i}": codes([]) for i in range(3)}
    held = {}
    at = {}
    for name in fields:
        at[name] = rng.integers(1, 20, n).astype(np.uint16)
        held[name] = replace(fields[name], codes=at[name], values=tuple(range(20)))
    start = time.process_time()
    assert lengths.scales(norm, held, at, least=30, auc=0.98, ratio=1.5, exact=True) == []
    assert time.process_time() - start < 10.0


@pytest.mark.parametrize("metric", ["dot", "euclid", "manhattan"])
def test_a_unit_encoder_with_spread_lengths_is_a_mismatch(metric: str) -> None:
    norm = np.random.default_rng(3).lognormal(0, 0.3, 2000).astype(np.float32)
    matrix = anisotropic(2000, 32, 3) * norm[:, None]
    unit = EncoderSpec("clip", "ViT-B-32")
    found = only("metric-mismatch", evidence(matrix, metric=metric, encoder=unit))
    assert (found.severity, found.remedy.action) == ("warning", "reingest")
    assert found.effect is not None
    assert found.effect.value == pytest.approx(1.4826 * stats.median_abs_deviation(np.log(norm)), rel=1e-3)
    assert only("metric-mismatch", evidence(matrix, metric=metric)).severity == "info"
    raw = replace(unit, normalize=False)
    assert only("metric-mismatch", evidence(matrix, metric=metric, encoder=raw)).severity == "info"


def test_a_metric_that_suits_is_measured_and_under_its_line() -> None:
    from console.health import registry

    unit = EncoderSpec("clip", "ViT-B-32")
    check = registry.checks()["metric-mismatch"]
    (under,) = check.run(evidence(anisotropic(500, 32, 3), metric="dot", encoder=unit), RULES)
    assert isinstance(under, Finding)
    assert under.severity is None
    assert under.effect is not None
    assert under.effect.value < under.effect.threshold
    spread = anisotropic(500, 32, 3) * np.linspace(1, 9, 500, dtype=np.float32)[:, None]
    assert check.run(evidence(spread, metric="cosine", encoder=unit), RULES) == []


def test_drifted_rows_make_no_mismatch() -> None:
    unit = EncoderSpec("clip", "ViT-B-32")
    held = replace(drifted(1000, np.arange(500), np.linspace(1.6, 3, 500)), encoder=unit)
    assert only("norm-drift", held).severity == "critical"
    assert run("metric-mismatch", held) == ([], [])


def test_one_evaluation_of_the_aggregate_is_fast() -> None:
    import time

    norm = np.random.default_rng(3).lognormal(0, 0.3, 5000).astype(np.float32)
    held = evidence(anisotropic(5000, 32, 3) * norm[:, None], metric="dot")
    run("metric-mismatch", held)
    rest = [held.without(np.random.default_rng(i).random(5000) < 0.1) for i in range(5)]
    start = time.process_time()
    for one in rest:
        run("metric-mismatch", one)
    assert (time.process_time() - start) / 5 < 0.05


def test_a_tail_on_one_side_and_drift_on_the_other_are_two_findings() -> None:
    rng = np.random.default_rng(8)
    norm = np.exp(rng.exponential(0.045, 4000)).astype(np.float32)
    norm[:50] *= np.float32(0.3)
    found, _ = run(
        "norm-drift", evidence(anisotropic(4000, 32, 8) * norm[:, None], captions(4000), metric="dot")
    )
    assert {f.id: f.severity for f in found} == {"norm-drift": "warning", "norm-drift:tail": "info"}
    assert rows_of(found[0]) == list(range(50))


def test_rows_that_were_cut_and_so_are_shorter_have_one_cause() -> None:
    from console.health.causes import explain
    from console.health.run import judge

    matrix = anisotropic(1000, 64, 3)
    matrix[100:160, 32:] = 0
    held = evidence(matrix, captions(1000), metric="dot")
    findings = explain(judge(held, RULES)[0], held, RULES, np.random.default_rng(0))
    drift = next(f for f in findings if f.code == "norm-drift")
    assert drift.because_of == ("truncated-dimensions",)
    assert {f.code for f in findings if f.rank >= 2 and not f.because_of} == {"truncated-dimensions"}


@pytest.mark.parametrize("noise", [0.0, 1e-6])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.6])
def test_one_vector_on_many_rows_is_one_observation(share: float, noise: float) -> None:
    """Its rows narrow the spread of lengths, and would make all others look drifted."""
    n = 1_000
    rng = np.random.default_rng(3)
    matrix = anisotropic(n, 32, 3) * rng.lognormal(0, 0.5, n)[:, None].astype(np.float32)
    copies = rng.choice(n, int(share * n), replace=False)
    matrix[copies] = matrix[copies[0]] + noise * rng.standard_normal((len(copies), 32)).astype(np.float32)
    held = with_neighbours(evidence(matrix, captions(n), metric="dot"))
    found, unmeasured = run("norm-drift", held)
    assert not unmeasured
    assert [f for f in found if f.rank >= 2] == []
    spread = only("metric-mismatch", held)
    assert spread.effect is not None
    assert spread.effect.value == pytest.approx(0.5, rel=0.15)


def test_drifted_rows_are_found_beside_one_vector_on_many_rows() -> None:
    n = 1_000
    matrix = anisotropic(n, 32, 3)
    matrix[:400] = matrix[0]
    matrix[950:] *= 3
    held = with_neighbours(evidence(matrix, captions(n), metric="dot"))
    assert rows_of(only("norm-drift", held)) == list(range(950, n))
    matrix[:400] *= 5
    held = with_neighbours(evidence(matrix, captions(n), metric="dot"))
    assert rows_of(only("norm-drift", held)) == [*range(400), *range(950, n)]


def with_neighbours(held: Evidence) -> Evidence:
    return replace(held, results={Neighbours: nearest_rows(held, np.random.default_rng(0))})
