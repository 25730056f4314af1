"""The picture of a space against scikit-learn's PCA."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from console.compare.spread import Picture, picture
from console.health.findings import NotMeasured

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("n", "d"), [(300, 12), (12, 300), (50, 2)])
def test_places_and_shares_are_those_of_scikit_learn(n: int, d: int) -> None:
    rows = (RNG.normal(size=(n, d)) * np.linspace(3, 1, d) + 1).astype(np.float32)
    found = picture(rows, "dot")
    assert isinstance(found, Picture)
    model = PCA(2, svd_solver="full").fit(rows.astype(np.float64))
    np.testing.assert_allclose(found.explained, model.explained_variance_ratio_, rtol=1e-6)
    np.testing.assert_allclose(
        np.abs(found.places), np.abs(model.transform(rows.astype(np.float64))), rtol=1e-4, atol=1e-4
    )


def test_the_same_rows_give_the_same_picture_in_any_order() -> None:
    rows = (RNG.normal(size=(200, 8)) * np.linspace(3, 1, 8)).astype(np.float32)
    order = RNG.permutation(200)
    one, other = picture(rows, "cosine"), picture(rows[order], "cosine")
    assert isinstance(one, Picture)
    assert isinstance(other, Picture)
    np.testing.assert_allclose(one.places[order], other.places, atol=1e-5)
    lengths = picture(5 * rows, "cosine")
    assert isinstance(lengths, Picture)
    np.testing.assert_allclose(one.places, lengths.places, atol=1e-5)


@pytest.mark.parametrize("d", [1, 2, 90])
def test_rows_along_a_line_have_no_second_axis(d: int) -> None:
    rows = np.outer(np.arange(40), np.ones(d)).astype(np.float32)
    found = picture(rows, "euclid")
    assert isinstance(found, Picture)
    assert found.explained == pytest.approx((1.0, 0.0), abs=1e-6)
    assert np.abs(found.places[:, 1]).max() < 1e-4


@pytest.mark.parametrize("rows", [np.zeros((0, 4)), np.ones((2, 4)), np.ones((50, 4)), np.ones((5, 0))])
def test_what_has_no_spread_has_no_picture(rows: np.ndarray) -> None:
    assert isinstance(picture(rows.astype(np.float32), "cosine"), NotMeasured)
