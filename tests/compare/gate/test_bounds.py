"""Bounds against scipy, against exact laws, and by how often they hold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from console.compare.gate import bounds
from console.compare.gate.gaffke import below, least


@pytest.mark.parametrize("n", [5, 20, 60, 300])
@pytest.mark.parametrize("worse", [0, 1, 4])
def test_where_a_query_is_lost_or_not_the_bound_is_clopper_and_pearsons(n: int, worse: int) -> None:
    values = np.zeros(n)
    values[:worse] = -1.0
    exact = stats.beta.ppf(0.95, worse + 1, n - worse)
    assert least(values) == pytest.approx(-exact, rel=1e-9)


@pytest.mark.parametrize(("n", "worse"), [(1, 0), (5, 1), (60, 4), (300, 1), (2000, 9)])
def test_the_chance_that_is_summed_is_the_incomplete_beta_functions(n: int, worse: int) -> None:
    held, counts = np.array([-1.0, 0.0]), np.array([worse + 1.0, n - worse])
    for share in (0.3, 0.1, 0.05, 0.02):
        line = -stats.beta.isf(share, worse + 1, n - worse)
        assert below(line, held, counts) == pytest.approx(share, abs=1e-8)


def test_the_bound_of_graded_losses_is_the_quantile_of_a_drawn_bootstrap() -> None:
    rng = np.random.default_rng(10)
    values = rng.choice([-1.0, -0.6, -0.37, 0.0, 0.0, 0.0, 0.2, 0.4], 80)
    weights = rng.standard_gamma(1.0, (200_000, 81))
    drawn = weights @ np.append(values, -1.0) / weights.sum(axis=1)
    assert least(values) == pytest.approx(np.quantile(drawn, 0.05), abs=5e-4)
    assert least(values, 0.975) == pytest.approx(np.quantile(drawn, 0.025), abs=5e-4)


def test_more_different_values_than_are_told_apart_lower_the_bound_by_little() -> None:
    values = np.random.default_rng(11).normal(0.02, 0.01, 900).clip(-1, 1)
    assert least(np.round(values, 4)) - 2e-3 < least(values) <= least(np.round(values, 4)) + 1e-4


def test_more_queries_that_do_not_differ_never_lower_the_bound() -> None:
    lows = [bounds.paired(np.zeros(n)).low for n in range(80, 140)]
    assert (np.diff(lows) > 0).all()
    assert lows[98 - 80] < -0.03 <= lows[99 - 80]
    lost = [bounds.paired(np.append(np.zeros(n), -1.0)).low for n in range(80, 140)]
    assert (np.diff(lost) > 0).all()


def test_the_same_differences_have_the_same_bounds() -> None:
    values = np.append(np.zeros(150), [-0.6, 0.4, -0.2])
    assert bounds.paired(values) == bounds.paired(values[::-1].copy())


def test_many_small_losses_do_not_show_what_a_whole_one_would_look_like() -> None:
    """Student's t of twenty queries that lost .005 each would be sure that nothing more is ever lost."""
    values = np.random.default_rng(12).normal(-0.005, 0.001, 20)
    assert bounds.paired(values).low < -0.1


def test_a_symmetric_sample_has_the_bounds_of_a_t_test() -> None:
    half = np.random.default_rng(0).normal(0, 0.1, 100)
    values = np.concatenate([half, -half]) + 0.01
    found = bounds.paired(values)
    below = stats.ttest_1samp(values, 0, alternative="greater").confidence_interval(0.95)
    above = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(0.01)
    assert (found.low, found.high) == pytest.approx((below.low, above.high), abs=1e-4)


def test_a_skewed_sample_has_a_wider_bound_on_its_long_side_only() -> None:
    values = np.where(np.arange(400) < 12, -1.0, 0.02)
    found = bounds.paired(values)
    reach = stats.t.ppf(0.95, 399) * values.std(ddof=1) / math.sqrt(400)
    assert found.low < found.mean - 1.05 * reach
    assert found.high == pytest.approx(
        found.mean + stats.t.ppf(0.975, 399) / stats.t.ppf(0.95, 399) * reach, abs=1e-4
    )


@pytest.mark.parametrize(
    ("n", "share"),
    [(20, 0.06), (50, 0.06), (100, 0.03), (200, 0.03), (400, 0.03), (1000, 0.03)],
)
def test_the_lower_bound_holds_where_a_few_queries_are_lost_whole(n: int, share: float) -> None:
    """A t bound of 20 queries, 6% of which are lost, lies above the truth in 29% of the cases: none was seen."""
    rng = np.random.default_rng(n)
    lows = [bounds.paired(-(rng.random(n) < share).astype(np.float64)).low for _ in range(400)]
    assert np.mean(np.array(lows) > -share) < 0.08


@pytest.mark.parametrize("n", [12, 30, 100, 300])
def test_both_bounds_hold_for_graded_differences(n: int) -> None:
    rng = np.random.default_rng(n)
    steps = np.array([-1.0, -0.6, -0.37, -0.2, 0.0, 0.0, 0.0, 0.0, 0.2, 0.37, 0.4])
    found = [bounds.paired(rng.choice(steps, n)) for _ in range(400)]
    assert np.mean([f.low > steps.mean() for f in found]) < 0.08
    assert np.mean([f.high < steps.mean() for f in found]) < 0.05


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_or_two_queries_prove_nothing(n: int) -> None:
    found = bounds.paired(np.full(n, -0.5))
    assert found.low < -0.6
    assert found.high > 0.0


@pytest.mark.parametrize(("sd", "margin", "needed"), [(0.2, 0.03, 275), (0.3, 0.03, 618), (0.3, 0.05, 223)])
def test_the_queries_that_settle_it_are_the_formulas_where_most_differ(
    sd: float, margin: float, needed: int
) -> None:
    half = np.full(200, sd)
    values = np.append(half, -half) * math.sqrt(399 / 400)
    assert bounds.queries_needed(values, margin) == needed == math.ceil((2.485 * sd / margin) ** 2)


@pytest.mark.parametrize("margin", [0.01, 0.03, 0.05, 0.2])
def test_where_nothing_is_lost_so_many_queries_pass_as_were_said_to_settle_it(margin: float) -> None:
    needed = bounds.queries_needed(np.zeros(20), margin)
    assert bounds.paired(np.zeros(needed)).low >= -margin > bounds.paired(np.zeros(needed - 1)).low
    assert bounds.queries_needed(np.zeros(20), 0.03) == 99


def _sizes(*pairs: tuple[float, float]) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Differences of these sizes, up or down, each with its share of the queries."""
    sizes = np.array([size for size, _ in pairs for _ in (0, 1)]) * np.tile([1.0, -1.0], len(pairs))
    shares = np.repeat([share / 2 for _, share in pairs], 2)
    return lambda rng, n: rng.choice(np.append(sizes, 0.0), n, p=np.append(shares, 1 - shares.sum()))


@pytest.mark.parametrize(
    "law",
    [
        _sizes((1.0, 0.02)),
        _sizes((1.0, 0.05)),
        _sizes((1.0, 0.1)),
        _sizes((0.3, 0.05)),
        _sizes((0.2, 0.2)),
        _sizes((0.6, 0.04), (0.37, 0.06)),
    ],
    ids=["2% whole", "5% whole", "10% whole", "5% by .3", "20% by .2", "graded"],
)
def test_at_the_stated_number_equal_models_pass_about_four_times_in_five_also_where_few_queries_differ(
    law: Callable[[np.random.Generator, int], np.ndarray],
) -> None:
    rng = np.random.default_rng(13)
    needed = bounds.queries_needed(law(rng, 20_000), 0.03)
    found = [bounds.paired(law(rng, needed)) for _ in range(200)]
    assert np.mean([f.low >= -0.03 for f in found]) > 0.7
    assert np.mean([f.high < 0 and f.mean < -0.03 for f in found]) < 0.05


def test_a_single_cohort_has_nearly_the_interval_of_a_t_test() -> None:
    values = np.random.default_rng(3).normal(-0.02, 0.25, 300)
    (found,) = bounds.cohorts(values, [np.ones(300, np.bool_)])
    told = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((told.low, told.high), abs=0.004)
    one_sided = stats.ttest_1samp(values, 0, alternative="less").confidence_interval(bounds.CHANCE)
    assert found.chance == pytest.approx(one_sided.high, abs=0.003)


def test_more_cohorts_make_a_wider_interval() -> None:
    values = np.random.default_rng(4).normal(0, 0.25, 400)
    quarters = [np.arange(400) % 4 == i for i in range(4)]
    one = bounds.cohorts(values, quarters[:1])[0]
    four = bounds.cohorts(values, quarters)[0]
    bonferroni = stats.norm.ppf(1 - 0.025 / 4) / stats.norm.ppf(0.975)
    assert (four.high - four.mean) / (one.high - one.mean) == pytest.approx(bonferroni, rel=0.06)
    line = stats.norm.ppf(1 - 0.1 / 4) / stats.norm.ppf(0.9)
    assert (four.chance - four.mean) / (one.chance - one.mean) == pytest.approx(line, rel=0.06)


def test_of_unchanged_cohorts_no_interval_leaves_0_out_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(5)
    members = [np.arange(180) % 3 == i for i in range(3)] + [np.arange(180) < 90, np.arange(180) >= 90]
    steps = np.array([-1.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0])
    outside = worse = 0
    for _ in range(200):
        found = bounds.cohorts(rng.choice(steps, 180), members)
        outside += any(c.low > 0 or c.high < 0 for c in found)
        worse += any(c.high < 0 for c in found)
    assert outside / 200 < 0.09
    assert worse / 200 < 0.05


def test_the_percentiles_and_their_ratio_are_numpys() -> None:
    rng = np.random.default_rng(6)
    left, right = rng.gamma(4, 2, 1000), rng.gamma(4, 3, 1000)
    truth = stats.gamma.ppf(0.95, 4, scale=3) / stats.gamma.ppf(0.95, 4, scale=2)
    found = bounds.slower(left, right)
    assert (found.left, found.right) == (np.percentile(left, 95), np.percentile(right, 95))
    assert found.ratio == pytest.approx(found.right / found.left)
    assert truth == pytest.approx(1.5)
    assert 1.3 < found.low < found.ratio < found.high < 1.8
    assert found.difference < found.most < 2 * found.difference


def test_the_bounds_of_the_ratio_hold_where_a_busy_machine_slows_both_sides_at_times() -> None:
    rng = np.random.default_rng(7)
    outside = 0
    for _ in range(120):
        busy = 1 + 2 * np.repeat(rng.random(50) < 0.1, 20)
        left, right = (busy * rng.gamma(9, 1, 1000) * scale for scale in (1.0, 1.3))
        found = bounds.slower(left, right)
        outside += not found.low <= 1.3 <= found.high
    assert outside / 120 < 0.17
