"""Intervals and fusion, held against their definitions and against published figures."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.search.fusion import depth, min_max, order, rrf, weighted
from console.search.proportions import beta_cdf, clopper_pearson


def tail_below(hits: int, n: int, p: float) -> float:
    """P(X <= hits) of a binomial, in exact arithmetic."""
    q = Fraction(p)
    return float(sum(math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(hits + 1)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_each_bound_leaves_two_and_a_half_percent(case: tuple[int, int]) -> None:
    hits, n = case
    low, high = clopper_pearson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    if hits > 0:
        assert 1 - tail_below(hits - 1, n, low) == pytest.approx(0.025, rel=1e-8)
    else:
        assert low == 0
    if hits < n:
        assert tail_below(hits, n, high) == pytest.approx(0.025, rel=1e-8)
    else:
        assert high == 1


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (7, 20, 0.1539092, 0.5921885),
        (0, 5000, 0.0, 0.0007375),
        (0, 10, 0.0, 0.3084971),
        (10, 10, 0.6915029, 1.0),
        (682, 925, 0.7076683, 0.7654066),
    ],
)
def test_intervals_agree_with_r(hits: int, n: int, low: float, high: float) -> None:
    """Figures of R's binom.test; 682 of 925 is its own example (Mendel's peas, in its manual)."""
    assert clopper_pearson(hits, n) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_what_is_no_share_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a share"):
        clopper_pearson(hits, n)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.001, 0.999), st.floats(0.5, 5_000), st.floats(0.5, 5_000))
def test_the_incomplete_beta_function_is_symmetric(x: float, a: float, b: float) -> None:
    assert beta_cdf(x, a, b) + beta_cdf(1 - x, b, a) == pytest.approx(1, abs=1e-9)


def test_reciprocal_rank_by_hand() -> None:
    """Worked out by hand: 1/61 + 1/63, 1/62 + 1/61, 1/63, 1/62."""
    legs = [[("a", 9.0), ("b", 8.0), ("c", 7.0)], [("b", 0.3), ("d", 0.2), ("a", 0.1)]]
    scores = rrf(legs)
    assert scores == pytest.approx(
        {"a": 0.0322664585, "b": 0.0325224749, "c": 0.0158730159, "d": 0.0161290323}, abs=1e-10
    )
    assert order(scores, legs, lambda row: (0, ord(row))) == ["b", "a", "d", "c"]


def test_the_weighted_fusion_by_hand() -> None:
    """Scores 9, 8, 5 become 1, .75, 0 and -0.1, -0.3 (distances turned) become 1, 0."""
    legs = [[("a", 9.0), ("b", 8.0), ("c", 5.0)], [("b", -0.1), ("d", -0.3)]]
    scores = weighted(legs, [0.6, 0.4])
    assert scores == pytest.approx({"a": 0.6, "b": 0.85, "c": 0.0, "d": 0.0})
    assert order(scores, legs, lambda row: (0, ord(row))) == ["b", "a", "d", "c"]


rankings = st.lists(
    st.dictionaries(st.integers(0, 30), st.floats(-1e6, 1e6), max_size=12).map(
        lambda held: sorted(held.items(), key=lambda p: (-p[1], p[0]))
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200)
@given(rankings)
def test_reciprocal_rank_sees_ranks_alone(legs: list[list[tuple[int, float]]]) -> None:
    distorted = [[(row, -float(i)) for i, (row, _) in enumerate(leg)] for leg in legs]
    assert rrf(legs) == rrf(distorted)


@settings(max_examples=200)
@given(rankings, st.randoms())
def test_the_order_of_legs_changes_no_score(legs: list[list[tuple[int, float]]], random: object) -> None:
    turned = legs[::-1]
    assert rrf(legs) == rrf(turned)
    weights = [float(i + 1) for i in range(len(legs))]
    assert weighted(legs, weights) == pytest.approx(weighted(turned, weights[::-1]))


@settings(max_examples=200)
@given(rankings)
def test_a_row_that_leads_every_leg_leads_the_fusion(legs: list[list[tuple[int, float]]]) -> None:
    led = [[(99, (leg[0][1] if leg else 0.0) + 1.0), *leg] for leg in legs]
    for scores in (rrf(led), weighted(led, [1.0] * len(led))):
        assert order(scores, led, lambda row: (0, row))[0] == 99


@settings(max_examples=200)
@given(rankings)
def test_weighted_scores_lie_between_0_and_1_and_every_row_is_kept(
    legs: list[list[tuple[int, float]]],
) -> None:
    scores = weighted(legs, [0.5] * len(legs))
    assert all(0 <= s <= 1 for s in scores.values())
    rows = {row for leg in legs for row, _ in leg}
    assert set(scores) == rows == set(order(scores, legs, lambda row: (0, row)))


@settings(max_examples=100)
@given(rankings, st.floats(0.01, 100), st.floats(-100, 100))
def test_the_scale_of_a_leg_does_not_matter(
    legs: list[list[tuple[int, float]]], factor: float, shift: float
) -> None:
    rounded = [[(row, round(s)) for row, s in leg] for leg in legs]
    scaled = [[(row, s * factor + shift) for row, s in leg] for leg in rounded]
    weights = [1.0] * len(legs)
    assert weighted(scaled, weights) == pytest.approx(weighted(rounded, weights), abs=1e-6)


def test_a_score_that_is_no_number_is_no_evidence() -> None:
    legs = [[(1, math.nan), (2, 0.9), (3, 0.1)]]
    assert min_max([math.nan, 0.9, 0.1]) == [0.0, 1.0, 0.0]
    assert min_max([math.inf, 1.0, -math.inf]) == [1.0, 1.0, 0.0]
    assert min_max([1e308, -1e308]) == [1.0, 0.0]
    assert order(rrf(legs), legs, lambda row: (0, row)) == [2, 3, 1]
    assert order(weighted(legs, [1.0]), legs, lambda row: (0, row))[0] == 2


def test_more_than_k_rows_take_part_so_that_agreement_below_k_is_seen() -> None:
    """Rank 11 in both legs outweighs rank 1 in one: a fusion of the first ten would lose it."""
    first = [(f"a{i}", float(-i)) for i in range(10)]
    second = [(f"b{i}", float(-i)) for i in range(10)]
    legs = [[*first, ("both", -10.0)], [*second, ("both", -10.0)]]
    assert depth(10) > 11
    assert order(rrf(legs), legs, lambda row: (0, 0))[0] == "both"
