"""Measures of two lists against published figures, hand-made tables and the sets they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import rankdata

from console.compare.displacement import displacement
from console.compare.measures import (
    agreement,
    index_recall,
    jaccard,
    lost_and_gained,
    overlap,
    rank_biased_overlap,
    top1,
)
from console.compare.nearest import Nearest
from tests.compare.matching import nearest


def ranked(*lists: list[int]) -> Nearest:
    """Lists of pool rows, best first, without ties."""
    rows = np.array(lists)
    return Nearest(rows, np.broadcast_to(-np.arange(rows.shape[1], dtype=np.float64), rows.shape))


@settings(max_examples=100, deadline=None)
@given(some.permutations(range(12)), some.permutations(range(12)), some.integers(1, 10))
def test_without_ties_measures_are_those_of_sets(a: list[int], b: list[int], k: int) -> None:
    agree = agreement(ranked(a[:10]), ranked(b[:10]), k)
    sets = [len(set(a[:d]) & set(b[:d])) for d in range(1, k + 1)]
    assert agree[0].tolist() == sets
    assert overlap(agree)[0] == pytest.approx(sets[-1] / k)
    assert jaccard(agree)[0] == pytest.approx(len(set(a[:k]) & set(b[:k])) / len(set(a[:k]) | set(b[:k])))
    assert top1(agree)[0] == float(a[0] == b[0])
    lost, gained = lost_and_gained(ranked(a[:10]), ranked(b[:10]), k)[0]
    assert lost.tolist() == [x for x in a[:k] if x not in b[:k]]
    assert gained.tolist() == [x for x in b[:k] if x not in a[:k]]


def extrapolated(a: list[int], b: list[int], p: float) -> float:
    """Equation 32 of Webber et al. 2010 written out for lists of one length."""
    k = len(a)
    shared = [len(set(a[:d]) & set(b[:d])) for d in range(1, k + 1)]
    return shared[-1] / k * p**k + (1 - p) / p * sum(x / d * p**d for d, x in enumerate(shared, 1))


@settings(max_examples=100, deadline=None)
@given(some.permutations(range(14)), some.permutations(range(14)), some.floats(0.05, 0.99))
def test_rank_biased_overlap_is_extrapolated(a: list[int], b: list[int], p: float) -> None:
    found = rank_biased_overlap(agreement(ranked(a[:10]), ranked(b[:10]), 10), p)[0]
    assert found == pytest.approx(extrapolated(a[:10], b[:10], p), abs=1e-12)


def test_equal_lists_are_one_where_the_truncated_measure_says_651() -> None:
    agree = agreement(ranked(list(range(10))), ranked(list(range(10))), 10)
    assert rank_biased_overlap(agree, 0.9)[0] == 1.0
    truncated = 0.1 * sum(0.9 ** (d - 1) for d in range(1, 11))
    assert truncated == pytest.approx(0.651, abs=5e-4)


def test_rank_biased_overlap_of_the_papers_lists() -> None:
    """S = abcdefg and T = zcavwxy of the paper's example: agreement 0, 0, 2/3, 2/4, 2/5, 2/6, 2/7."""
    agree = agreement(ranked([0, 1, 2, 3, 4, 5, 6]), ranked([25, 2, 0, 21, 22, 23, 24]), 7)
    assert agree[0].tolist() == [0, 0, 2, 2, 2, 2, 2]
    by_hand = 2 / 7 * 0.9**7 + 0.1 / 0.9 * sum(2 / d * 0.9**d for d in range(3, 8))
    assert rank_biased_overlap(agree, 0.9)[0] == pytest.approx(by_hand)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, math.nan])
def test_a_p_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        rank_biased_overlap(np.ones((1, 1)), p)


def test_ten_percent_shuffled_rows_are_exactly_the_queries_that_change_most() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2_000, 64))
    moved = np.sort(rng.choice(2_000, 200, replace=False))
    copy = rows.copy()
    copy[moved] = rows[np.roll(moved, 1)]
    own = np.arange(2_000)
    left, right = (nearest(m, m.astype(np.float32), own) for m in (rows, copy))
    found = overlap(agreement(left, right, 10))
    assert np.array_equal(np.sort(np.argsort(found)[:200]), moved)
    assert found[moved].max() < 0.2 < 0.4 <= np.delete(found, moved).min()
    untouched = np.setdiff1d(own, moved)
    lost, gained = zip(*lost_and_gained(left, right, 10), strict=True)
    # Of a query that stayed, rows are lost only where a moved row came, or went.
    assert np.isin(np.concatenate([lost[i] for i in untouched]), moved).mean() > 0.45
    assert all(
        np.isin(gained[i], moved).any() or np.isin(lost[i], moved).any() for i in untouched if len(lost[i])
    )


def test_a_matryoshka_cut_lies_between_the_same_and_another_space() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(3_000, 128)) * np.linspace(2, 0.3, 128)
    own = np.arange(200)

    def against(other: np.ndarray) -> float:
        sides = (nearest(m, m[:200].astype(np.float32), own) for m in (rows, other))
        return float(overlap(agreement(*sides, 10)).mean())

    same, cut = against(rows), against(rows[:, :64])
    shorter, foreign = against(rows[:, :16]), against(rng.normal(size=(3_000, 128)))
    assert same == 1.0 > 0.9 > cut > shorter > foreign
    assert foreign < 0.02


def test_kept_rows_are_displaced_by_their_change_of_rank_and_lost_ones_have_a_new_rank() -> None:
    left = ranked([0, 1, 2, 3, 4, 5])
    right = ranked([1, 0, 9, 2, 8, 7])
    moved = displacement(left, right, 3)
    # 0 and 1 are kept, one place off each; 2 is lost to rank 4.
    assert moved.kept.tolist() == [1.0]
    assert moved.lost.tolist() == [4.0]
    assert (moved.median, moved.beyond, moved.depth) == (4.0, 0.0, 6)
    further = displacement(left, right, 6)
    assert further.lost.tolist() == [math.inf] * 3
    assert (further.median, further.beyond) == (None, 1.0)
    assert displacement(left, left, 4).median is None
    assert displacement(left, left, 4).kept.tolist() == [0.0]
    assert displacement(left, left, 4).beyond is None


@settings(max_examples=60, deadline=None)
@given(some.integers(0, 2**32 - 1))
def test_ranks_of_ties_are_the_middle_of_their_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, (2, 1, 15)).astype(np.float64)
    sides = [
        Nearest(np.argsort(-s, axis=1, kind="stable"), -np.sort(-s, axis=1), scale=np.ones(1)) for s in scores
    ]
    moved = displacement(*sides, 15)
    ranks = rankdata(-scores[:, 0], axis=1)
    assert moved.kept[0] == pytest.approx(np.abs(ranks[0] - ranks[1]).mean())
    assert not len(moved.lost)


def test_twins_past_the_list_are_kept_and_not_displaced() -> None:
    rows = np.vstack([np.eye(4, 8)[:2], np.tile(np.eye(4, 8)[3] + 1, (300, 1))])
    own = np.array([0])
    straight = nearest(rows, rows[:1], own, depth=20)
    back = np.concatenate([[0, 1], np.arange(301, 1, -1)])
    copy = nearest(rows, rows[:1], own, depth=20, order=back)
    assert displacement(straight, copy, 10).kept.tolist() == [0.0]
    flat = Nearest(back[None, 2:22], straight.scores, straight.twins, own)
    assert displacement(straight, flat, 10).kept.tolist() == [0.0]
    assert not len(displacement(straight, flat, 10).lost)


def test_recall_of_an_index_counts_ties_as_right() -> None:
    exact = Nearest(
        np.array([[3, 1, 2, 0]]), np.array([[0.9, 0.8, 0.8, 0.5]]), own=np.array([7]), scale=np.ones(1)
    )

    def recall(rows: list[int], scores: list[float], k: int = 2) -> float:
        return float(index_recall(exact, np.array([rows]), np.array([scores]), k)[0])

    assert recall([3, 2], [0.9, 0.8]) == 1.0
    assert recall([3, 2], [0.9, 0.8 - 9e-7]) == 1.0
    assert recall([3, 2], [0.9, 0.8 - 2e-6]) == 0.5
    assert recall([3, 0], [0.9, 0.5]) == 0.5
    assert recall([7, 3, 1], [1.0, 0.9, 0.8]) == 1.0
    assert recall([3, 3, 0], [0.9, 0.9, 0.5]) == 0.5
    assert recall([3, -1], [0.9, -np.inf]) == 0.5
    assert recall([3, 1, 2, 0], [0.9, 0.8, 0.8, 0.5], k=10) == 1.0
    assert recall([], []) == 0.0
    nothing = Nearest(np.full((1, 3), -1), np.full((1, 3), -np.inf))
    assert np.isnan(index_recall(nothing, np.array([[1]]), np.array([[0.5]]), 2)).all()


def test_an_index_that_finds_all_has_recall_one_among_duplicates() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2_000, 32)).astype(np.float32)
    rows[rng.choice(2_000, 600, replace=False)] = rows[0]
    own = np.arange(100)
    exact = nearest(rows, rows[:100], own)
    other = nearest(rows[::-1], rows[:100], 1_999 - own)
    assert (index_recall(exact, 1_999 - other.rows[:, :10], other.scores[:, :10], 10) == 1.0).all()
    np.testing.assert_array_equal(
        index_recall(exact, exact.rows[:, 5:15], exact.scores[:, 5:15], 10)[
            exact.scores[:, 9] > exact.scores[:, 10] + 1e-5
        ],
        0.5,
    )
