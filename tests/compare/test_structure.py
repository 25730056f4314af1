"""CKA and Procrustes against their definitions over pairs of rows and against scipy, and on spaces with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from console.compare.structure import Alignment, Procrustes, debiased_cka, procrustes, structure
from console.health.findings import NotMeasured


def hsic(x: np.ndarray, y: np.ndarray) -> float:
    """HSIC_1 of Song et al. 2012 over (n, n) kernels."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    first, second = np.trace(k @ m), (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return (first + second - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))


def cka(x: np.ndarray, y: np.ndarray) -> float:
    return hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))


def biased_cka(x: np.ndarray, y: np.ndarray) -> float:
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    return float(np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_cka_and_its_jackknife_are_those_over_pairs_of_rows(shift: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 9)) + shift
    y = x[:, :5] @ rng.normal(size=(5, 7)) + rng.normal(size=(60, 7))
    found = debiased_cka(x, y)
    assert isinstance(found, Alignment)
    assert found.value == pytest.approx(cka(x, y), abs=1e-10)
    left_out = np.array([cka(np.delete(x, i, axis=0), np.delete(y, i, axis=0)) for i in range(60)])
    error = np.sqrt(59 / 60 * np.square(left_out - left_out.mean()).sum())
    assert found.high - found.value == pytest.approx(1.959964 * error, rel=1e-6)
    assert found.value - found.low == pytest.approx(1.959964 * error, rel=1e-6)


def test_independent_spaces_are_at_zero_where_the_biased_figure_says_63() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(10):
        x, y = rng.normal(size=(2, 300, 512))
        one = debiased_cka(x, y)
        assert isinstance(one, Alignment)
        found.append(one)
    assert biased_cka(x, y) == pytest.approx(0.63, abs=0.01)
    assert abs(np.mean([f.value for f in found])) < 0.005
    # Ten intervals of 95%: three or more miss in 1 of 100 such series.
    assert sum(f.low > 0 or f.high < 0 for f in found) <= 2


def test_intervals_hold_the_figure_of_many_rows() -> None:
    rng = np.random.default_rng(2)
    mix, noise = rng.normal(size=(16, 16)), 3.0

    def drawn(n: int) -> Alignment:
        x = rng.normal(size=(n, 16))
        found = debiased_cka(x, x @ mix + noise * rng.normal(size=(n, 16)))
        assert isinstance(found, Alignment)
        return found

    truth = drawn(200_000).value
    inside = [found.low <= truth <= found.high for found in (drawn(150) for _ in range(200))]
    assert np.mean(inside) > 0.9


def test_a_rotated_copy_has_cka_one_and_no_residual() -> None:
    rng = np.random.default_rng(3)
    rows = (rng.normal(size=(400, 16)) + 0.4).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    for metric, size in (("cosine", 1.0), ("euclid", 7.0)):
        found = structure(rows, (size * rows @ turn).astype(np.float32), metric, metric)
        assert isinstance(found.cka, Alignment)
        assert isinstance(found.procrustes, Procrustes)
        assert found.cka.value == pytest.approx(1.0, abs=1e-6)
        assert found.cka.low == pytest.approx(1.0, abs=1e-5)
        assert found.procrustes.residual == pytest.approx(0.0, abs=1e-6)
        assert (found.procrustes.rows_fitted, found.procrustes.rows_held_out) == (200, 200)
        assert found.reading == "rotated"
        assert found.plain is not None
        assert found.plain > 0.1


def test_the_same_rounded_and_another_space_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    rows = (rng.normal(size=(600, 32)) + 0.2).astype(np.float32)
    rounded = rows.astype(np.float16).astype(np.float32)
    other = rng.normal(size=(600, 32)).astype(np.float32)
    assert structure(rows, rows, "cosine", "cosine").reading == "same"
    assert structure(rows, 3 * rounded, "dot", "dot").reading == "same"
    noisy = (rows + 0.15 * rng.normal(size=rows.shape)).astype(np.float32)
    assert structure(rows, noisy, "dot", "dot").reading == "same"
    away = structure(rows, other, "cosine", "cosine")
    assert away.reading == "different"
    assert isinstance(away.procrustes, Procrustes)
    assert away.procrustes.residual > 0.9


def test_a_fit_on_too_few_rows_is_not_measured_since_it_would_fit_noise() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 319, 32))
    turn, _ = orthogonal_procrustes(x - x.mean(axis=0), y - y.mean(axis=0))
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sum((a @ turn) * b) / np.square(a).sum()
    in_sample = np.square(scale * a @ turn - b).sum() / np.square(b).sum()
    # On the rows that it was fitted on, noise explains a good part of noise.
    assert in_sample < 0.95
    found = procrustes(x, y)
    assert isinstance(found, NotMeasured)
    assert "needs 320" in found.why
    enough = procrustes(*rng.normal(size=(2, 320, 32)))
    assert isinstance(enough, Procrustes)
    assert enough.residual > 1.0


def test_held_out_residuals_are_those_of_scipys_rotation() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(301, 10)) @ rng.normal(size=(10, 10))
    y = x @ np.linalg.qr(rng.normal(size=(10, 10)))[0] + rng.normal(size=(301, 10))
    found = procrustes(x, y)
    assert isinstance(found, Procrustes)
    a, b = x[:150] - x[:150].mean(axis=0), y[:150] - y[:150].mean(axis=0)
    turn, strength = orthogonal_procrustes(a, b)
    left, right = x[150:] - x[:150].mean(axis=0), y[150:] - y[:150].mean(axis=0)
    wanted = np.square(strength / np.square(a).sum() * left @ turn - right).sum() / np.square(right).sum()
    assert found.residual == pytest.approx(wanted)


def test_spaces_of_different_dimensions_are_compared() -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(500, 24)) * np.linspace(2, 0.1, 24)
    turn = np.linalg.qr(rng.normal(size=(24, 24)))[0][:, :20]
    wide = structure(
        (rows[:, :20] @ turn.T).astype(np.float32), rows[:, :20].astype(np.float32), "dot", "dot"
    )
    assert wide.plain is None
    assert wide.reading == "rotated"
    assert isinstance(wide.procrustes, Procrustes)
    assert wide.procrustes.residual < 1e-9


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_few_rows_are_not_measured(n: int) -> None:
    rows = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    found = structure(rows, rows, "cosine", "cosine")
    assert isinstance(found.cka, NotMeasured)
    assert found.reading is None


def test_a_side_of_equal_rows_is_not_measured() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    found = structure(rows, np.ones_like(rows), "euclid", "euclid")
    assert isinstance(found.cka, NotMeasured)
    assert isinstance(found.procrustes, NotMeasured)
    with pytest.raises(ValueError, match="100 rows on the left, 99"):
        structure(rows, rows[1:], "euclid", "euclid")
