"""Structure, a dominant axis and collapsed neighbours, on collections of known geometry."""

from __future__ import annotations

import numpy as np
import pytest

from console.health.findings import Finding, NotMeasured
from console.health.probes.neighbours import Directions
from tests.health.building import evidence
from tests.health.probed import finding, judged, probed, themed, unit, why_not

CODES = ("no-structure", "dominant-axis", "collapsed-neighbors", "modality-gap")
N = 2_000


def fired(held: object) -> dict[str, str]:
    """Code and severity of what is above info."""
    return {
        f.code: str(f.severity)
        for code in CODES
        for f in judged(code, held)  # type: ignore[arg-type]
        if isinstance(f, Finding) and f.severity not in (None, "info")
    }


def cone(r2: float, n: int = N, d: int = 64, seed: int = 0) -> np.ndarray:
    """Themed rows whose mean direction holds r2 of every vector."""
    rows, _ = themed(seed, n, d)
    rows = rows - rows.mean(axis=0)
    rows /= np.sqrt(np.square(rows).sum(axis=1).mean())
    axis = np.zeros(d)
    axis[np.arange(d) % 2 == 0] = 1 / np.sqrt(d / 2)
    rows -= np.outer(rows @ axis, axis)
    return unit(np.sqrt(1 - r2) * rows + np.sqrt(r2) * axis)


def clusters(count: int, spread: float = 0.5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, count])
    rows, _ = themed(seed)
    return unit(rng.normal(size=(count, 64))[rng.integers(0, count, N)] / 8 + spread * rows)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid"])
def test_clean_collections_are_silent(seed: int, metric: str) -> None:
    rows, _ = themed(seed)
    assert fired(probed(evidence(rows, metric=metric))) == {}


@pytest.mark.parametrize("count", [2, 3, 10])
@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
def test_clusters_are_not_a_collapse(count: int, spread: float) -> None:
    assert fired(probed(evidence(clusters(count, spread)))) == {}


@pytest.mark.parametrize("draw", ["lognormal", "pareto"])
def test_popularity_in_the_length_is_legitimate(draw: str) -> None:
    rng = np.random.default_rng(1)
    length = rng.lognormal(0, 1, N) if draw == "lognormal" else 1 + rng.pareto(1.5, N)
    held = probed(evidence(themed(1)[0] * length[:, None], metric="dot"))
    assert fired(held) == {}
    crowded = finding("collapsed-neighbors", held)
    assert crowded.severity == "info"
    assert crowded.evidence["excess_without_lengths"] < 0.1


def test_noise_has_no_structure_and_structure_is_not_noise() -> None:
    rng = np.random.default_rng(0)
    noise = finding("no-structure", probed(evidence(rng.normal(size=(N, 64)))))
    assert noise.severity == "critical"
    assert noise.evidence["participation_ratio"] == pytest.approx(
        noise.evidence["participation_ratio_of_noise"], rel=0.02
    )
    shifted = finding("no-structure", probed(evidence(unit(rng.normal(size=(N, 64))) + 3.0)))
    assert shifted.severity == "critical"
    real = finding("no-structure", probed(evidence(themed(0)[0])))
    assert real.severity is None
    assert real.effect is not None
    assert real.effect.value < 0.8


def test_the_participation_ratio_is_that_of_the_covariance() -> None:
    rows = themed(2, n=600)[0]
    held = finding("no-structure", probed(evidence(rows)))
    values = np.linalg.eigvalsh(np.cov(rows.T.astype(np.float64)))
    assert held.evidence["participation_ratio"] == pytest.approx(
        values.sum() ** 2 / np.square(values).sum(), rel=1e-3
    )


@pytest.mark.parametrize(
    ("r2", "severity"), [(0.0, None), (0.5, None), (0.8, None), (0.9, "info"), (0.97, "warning")]
)
def test_the_share_of_the_mean_direction(r2: float, severity: str | None) -> None:
    rows = cone(r2)
    held = finding("dominant-axis", probed(evidence(rows)))
    assert held.severity == severity
    assert held.effect is not None
    exact = float(np.square(rows.astype(np.float64).mean(axis=0)).sum())
    assert held.effect.value == pytest.approx(exact, abs=1e-3)
    assert held.effect.low is not None
    assert held.effect.high is not None
    assert held.effect.low <= held.effect.value <= held.effect.high


def test_the_interval_of_the_mean_direction_covers_the_truth() -> None:
    rows = cone(0.6, n=20_000)
    truth = float(np.square(rows.astype(np.float64).mean(axis=0)).sum())
    covered = 0
    for seed in range(40):
        chosen = np.random.default_rng([seed, 5]).choice(len(rows), 400, replace=False)
        effect = finding("dominant-axis", probed(evidence(rows[chosen], rows=20_000, exact=False))).effect
        assert effect is not None
        assert effect.low is not None
        assert effect.high is not None
        covered += effect.low <= truth <= effect.high
    assert covered >= 34


def test_a_direction_that_hides_the_neighbours_is_critical() -> None:
    """Rows near the common direction are near each other, whatever they mean, until it is taken off."""
    rng = np.random.default_rng(3)
    rows = themed(3, noise=1.0)[0]
    rows = rows - rows.mean(axis=0)
    axis = unit(rng.normal(size=(1, 64)))[0]
    rows -= np.outer(rows @ axis, axis)
    matrix = unit(rows * rng.lognormal(0, 0.8, (N, 1)) * 0.1 + axis)
    held = finding("dominant-axis", probed(evidence(matrix)))
    assert held.severity == "critical"
    assert held.evidence["neighbours_kept_after_centring"] < 0.5


@pytest.mark.parametrize(
    ("metric", "storage"), [("euclid", "float32"), ("euclid", "uint8"), ("dot", "uint8")]
)
def test_a_shift_of_all_rows_is_no_fault_where_it_does_no_harm(metric: str, storage: str) -> None:
    held = probed(evidence(cone(0.97), metric=metric, storage=storage))
    assert finding("dominant-axis", held).severity == "info"


def test_one_dimension_that_varies_more_than_all_others() -> None:
    rows = themed(4)[0].copy()
    rows[:, 9] += np.random.default_rng(4).normal(size=N) * 1.5
    held = finding("dominant-axis", probed(evidence(rows)), "dimension")
    assert held.severity == "warning"
    assert held.evidence["dimension"] == 9
    centred = unit(rows) - unit(rows).mean(axis=0)
    values = np.linalg.svd(centred.astype(np.float64), compute_uv=False) ** 2
    assert held.evidence["component_share"] == pytest.approx(values[0] / values.sum(), rel=0.1)


def own_axes(centred: bool = True, n: int = N, seed: int = 4) -> np.ndarray:
    """Pictures' directions (one component of half of all variation) in their principal axes, or those of an SVD."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 64)) * np.r_[6.0, 4 * np.arange(1, 64) ** -0.8]
    rows = rows @ np.linalg.qr(rng.normal(size=(64, 64)))[0] + (0 if centred else 2)
    held = rows - rows.mean(axis=0) if centred else rows
    return unit(held @ np.linalg.svd(held, full_matrices=False)[2].T)


@pytest.mark.parametrize("centred", [True, False])
def test_the_first_of_principal_components_is_no_fault(centred: bool) -> None:
    """A PCA begins with it; an SVD has the mean before it."""
    held = finding("dominant-axis", probed(evidence(own_axes(centred))), "dimension")
    assert (held.severity, held.remedy.action) == ("info", "none")
    assert held.evidence["dimension"] == (0 if centred else 1)
    assert held.evidence["component_share"] > 0.3
    assert held.evidence["falling"] > 0.95
    assert held.effect is not None
    assert held.effect.value < 0.25


@pytest.mark.parametrize("dimension", [2, 5, 63])
def test_a_dimension_written_over_in_principal_components_is_found(dimension: int) -> None:
    rows = own_axes()
    rows[:, dimension] = np.random.default_rng(4).normal(size=N) * 1.5
    held = finding("dominant-axis", probed(evidence(rows)), "dimension")
    assert (held.severity, held.evidence["dimension"]) == ("warning", dimension)
    assert held.evidence["variance_to_next"] < 8


def test_a_first_dimension_far_above_the_next_is_found() -> None:
    rows = own_axes()
    rows[:, 0] *= 8
    held = finding("dominant-axis", probed(evidence(rows)), "dimension")
    assert (held.severity, held.evidence["dimension"]) == ("warning", 0)
    assert held.evidence["variance_to_next"] > 8


def test_the_first_dimension_of_vectors_in_no_order_is_found() -> None:
    rows = themed(4)[0].copy()
    rows[:, 0] += np.random.default_rng(4).normal(size=N) * 1.5
    held = finding("dominant-axis", probed(evidence(rows)), "dimension")
    assert (held.severity, held.evidence["dimension"]) == ("warning", 0)


def test_a_dimension_that_goes_with_the_others_is_no_fault() -> None:
    """Bands of a spectrum: the loudest has two thirds of a component that all of them share."""
    rng = np.random.default_rng(4)
    loudness = rng.normal(size=(N, 1)) * np.r_[1.0, rng.permutation(0.42 * np.arange(1, 64) ** -0.6)]
    rows = unit(loudness + themed(4)[0] * 0.5)
    held = finding("dominant-axis", probed(evidence(rows)), "dimension")
    assert (held.severity, held.remedy.action) == ("info", "none")
    assert "others go with it" in held.summary
    assert 0.5 < held.evidence["largest_loading"] < 0.75
    assert held.evidence["variance_to_next"] < 8
    assert held.effect is not None
    assert held.effect.value < 0.25


def test_a_dimension_that_goes_with_others_and_is_far_above_them_is_found() -> None:
    """Values that are there in a tenth of the rows: such rows leave the common direction of the others too."""
    rng = np.random.default_rng(4)
    rows = unit(themed(4)[0] + 1)
    rows[:, 9] = np.where(rng.random(N) < 0.1, 4.0, 0)
    held = finding("dominant-axis", probed(evidence(rows)), "dimension")
    assert (held.severity, held.evidence["dimension"]) == ("warning", 9)
    assert 0.5 < held.evidence["largest_loading"] < 0.75


def test_two_groups_are_a_component_and_no_fault() -> None:
    held = finding("dominant-axis", probed(evidence(clusters(2, 0.3))), "groups")
    assert held.severity == "info"
    assert held.remedy.action == "none"


@pytest.mark.parametrize(("n", "d"), [(0, 64), (1, 64), (2, 64), (10, 64), (199, 64), (500, 2), (500, 1)])
def test_too_few_rows_or_dimensions_are_not_measured(n: int, d: int) -> None:
    held = probed(evidence(np.random.default_rng(0).normal(size=(n, d))))
    assert "needed" in why_not("no-structure", held)
    assert "needed" in why_not("dominant-axis", held)


def test_equal_vectors_and_bad_rows_raise_nothing() -> None:
    same = probed(evidence(np.ones((600, 64))))
    assert all(isinstance(f, (Finding, NotMeasured)) for code in CODES for f in judged(code, same))
    rows = themed(5)[0].copy()
    rows[:200] = 0
    rows[200:300] = np.nan
    rows[300:400] = np.inf
    present = np.arange(N) >= 50
    held = probed(evidence(rows, present=present))
    assert fired(held) == {}
    clean = finding("dominant-axis", probed(evidence(rows[400:])))
    assert clean.effect is not None
    other = finding("dominant-axis", held).effect
    assert other is not None
    assert other.value == pytest.approx(clean.effect.value, abs=1e-4)


def test_rows_left_out_count_no_more() -> None:
    """Half of the rows are a cone of noise; without them the figures are those of the rest."""
    rng = np.random.default_rng(6)
    rows = themed(6)[0].copy()
    rows[:500] = unit(rng.normal(size=(500, 64)) * 0.01 + 1.0)
    out = np.arange(N) < 500
    held = probed(evidence(rows))
    peeled = held.without(out)
    alone = probed(evidence(rows[500:]))
    for key in ("", "dimension", "groups"):
        a = [f for f in judged("dominant-axis", peeled) if isinstance(f, Finding) and f.key == key]
        b = [f for f in judged("dominant-axis", alone) if isinstance(f, Finding) and f.key == key]
        assert [f.severity for f in a] == [f.severity for f in b]
    direct = finding("dominant-axis", peeled).effect
    again = finding("dominant-axis", alone).effect
    assert direct is not None
    assert again is not None
    assert direct.value == pytest.approx(again.value, abs=1e-3)
    assert isinstance(held.get(Directions), Directions)
