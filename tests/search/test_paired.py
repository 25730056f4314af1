"""Paired differences against scipy, and how often their interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from console.search.paired import EXACT, paired, randomised, t_quantile


def skewed(rng: np.random.Generator, n: int, mean: float = 0.0) -> np.ndarray:
    """Differences as nDCG has them: half of the queries equal, the others apart, a few far, of this true mean."""
    values = np.where(rng.random(n) < 0.5, 0.0, rng.beta(1.2, 4, n) * rng.choice([-1, 1, 1], n))
    return values - 0.5 * (1 / 3) * 1.2 / 5.2 + mean


def reference(differences: np.ndarray, resamples: float) -> float:
    found = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(3),
    )
    return float(found.pvalue)


@pytest.mark.parametrize("seed", range(6))
def test_the_p_value_of_few_queries_is_exactly_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0.1, 0.3, rng.integers(2, EXACT + 1))
    assert randomised(values) == pytest.approx(reference(values, np.inf), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_p_value_of_many_queries_is_scipys_within_what_was_drawn(seed: int) -> None:
    values = skewed(np.random.default_rng(seed), 120, 0.02)
    assert randomised(values) == pytest.approx(reference(values, 20_000), abs=0.015)


def test_equal_queries_say_nothing_about_a_difference() -> None:
    values = np.array([0.5, -0.25, 0.5, 0.25])
    assert randomised(np.concatenate([values, np.zeros(200)])) == randomised(values)
    assert randomised(np.zeros(50)) == 1.0


def test_the_p_value_is_even_where_nothing_differs() -> None:
    rng = np.random.default_rng(11)
    found = np.array([randomised(rng.normal(0, 0.2, 10)) for _ in range(600)])
    assert stats.kstest(found + rng.uniform(-1 / 1024, 1 / 1024, 600), "uniform").pvalue > 0.01


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 40, 500])
def test_the_quantiles_of_t_are_scipys(freedom: int) -> None:
    for p in (0.6, 0.95, 0.975, 0.999):
        assert t_quantile(p, freedom) == pytest.approx(float(stats.t.ppf(p, freedom)), rel=1e-8)


@pytest.mark.parametrize("n", [20, 50, 200])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(n: int) -> None:
    rng = np.random.default_rng(n)
    true = 0.03
    held = sum(
        found.low <= true <= found.high for found in (paired(skewed(rng, n, true)) for _ in range(1_000))
    )
    assert held >= 0.94 * 600


def test_the_interval_is_no_wider_than_it_needs_where_queries_are_many() -> None:
    values = skewed(np.random.default_rng(1), 400)
    found = paired(values)
    student = stats.t.interval(0.95, 399, values.mean(), values.std(ddof=1) / 20)
    assert found.high - found.low == pytest.approx(student[1] - student[0], rel=0.1)


def test_queries_that_do_not_differ_leave_a_doubt_that_shrinks() -> None:
    few, many = paired(np.zeros(10)), paired(np.zeros(1_000))
    assert (few.mean, few.p_value, few.differing) == (0.0, 1.0, 0)
    assert few.low == pytest.approx(-few.high)
    assert few.high > 0.1
    assert 0 < many.high < 0.001


def test_one_query_and_many_thousands_are_ordinary_input() -> None:
    one = paired(np.array([0.5]))
    assert (one.mean, one.sd, one.n) == (0.5, 0.0, 1)
    assert -1 <= one.low < one.high <= 1
    many = paired(skewed(np.random.default_rng(0), 20_000))
    assert many.low < many.mean < many.high


def test_the_same_differences_give_the_same_figures() -> None:
    values = skewed(np.random.default_rng(2), 60)
    assert paired(values) == paired(values.copy())
