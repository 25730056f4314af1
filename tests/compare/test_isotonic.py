"""The rising fit against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.isotonic import IsotonicRegression

from console.compare.isotonic import isotonic


@settings(max_examples=150, deadline=None)
@given(some.integers(1, 60), some.integers(1, 20), some.booleans(), some.integers(0, 2**32 - 1))
def test_the_fit_is_scikit_learns(n: int, levels: int, weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, n) / 3
    y = (rng.random(n) < 0.2 + 0.6 * x / x.max(initial=1)).astype(np.float64)
    weight = rng.integers(1, 5, n).astype(np.float64) if weighted else None
    found = isotonic(x, y, weight)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y, weight)
    asked = np.linspace(-1, levels / 3 + 1, 50)
    np.testing.assert_allclose(found.at(asked), theirs.predict(asked), atol=1e-6)
    assert (np.diff(found.y) >= 0).all()


def test_points_without_weight_count_for_nothing() -> None:
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 9.0, 1.0])
    found = isotonic(x, y, np.array([1.0, 0.0, 1.0]))
    assert found.at(np.array([0.0, 1.0, 2.0])).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match="no points"):
        isotonic(x, y, np.zeros(3))
