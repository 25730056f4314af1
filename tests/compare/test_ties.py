"""Agreement with ties against its definition in fractions, and identical spaces that must agree exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from console.compare.measures import agreement, chance, lost_and_gained, overlap, rank_biased_overlap
from console.compare.nearest import Nearest
from console.compare.ties import Tied
from tests.compare.matching import listed, nearest, shared, weight, whole


@settings(max_examples=300, deadline=None)
@given(
    some.integers(1, 14), some.integers(1, 4), some.integers(1, 6), some.integers(1, 5), some.integers(0, 2**32 - 1)
)  # fmt: skip
def test_agreement_is_its_definition(n: int, k: int, deeper: int, levels: int, seed: int) -> None:
    """Lists of whole-number scores with many ties; rows are twins where they score alike for every query."""
    rng = np.random.default_rng(seed)
    q, depth = 3, k + deeper - 1
    # One pattern of scores per class of twins, so that a class that is cut off is one of twins.
    patterns = np.stack([rng.permutation(levels) for _ in range(q)])
    left, right = (patterns[:, rng.integers(0, levels, n)] for _ in range(2))
    own = rng.integers(-1, n, q)
    one, other = listed(left, depth, own), listed(right, depth, own)
    agree = agreement(one, other, k)
    for i in range(q):
        a, b = whole(left[i].tolist(), own[i]), whole(right[i].tolist(), own[i])
        for d in range(1, k + 1):
            if not a:
                assert np.isnan(agree[i, d - 1])
                continue
            wanted = shared(a, b, d) * d / min(d, len(a))
            assert agree[i, d - 1] == pytest.approx(float(wanted), abs=1e-9)
    np.testing.assert_array_equal(agree, agreement(other, one, k))
    entries = Tied(one, other, k).entries()
    sums = np.bincount(entries.queries, entries.weights, minlength=q)
    there = np.minimum(k, np.count_nonzero(one.rows >= 0, axis=1))
    np.testing.assert_allclose(sums[there > 0], (agree[:, -1] * there / k)[there > 0], atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    some.integers(2, 60),
    some.integers(1, 8),
    some.integers(0, 2**32 - 1),
    some.sampled_from(["cosine", "dot", "euclid"]),
)
def test_bounds_symmetry_and_names_of_rows(n: int, k: int, seed: int, metric: str) -> None:
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(-1, 2, (n, 3)).astype(np.float32) for _ in range(2))
    own = rng.choice(n, min(n, 5), replace=False)
    name = rng.permutation(n)
    one, other = (nearest(m, m[own], own, metric=metric, depth=60) for m in (left, right))
    agree = agreement(one, other, k)
    held = agree[~np.isnan(agree[:, 0])]
    assert (held >= 0).all()
    assert (held <= np.arange(1, k + 1)).all()
    np.testing.assert_array_equal(agree, agreement(other, one, k))
    back = np.argsort(name)
    again = (nearest(m[name], m[own], back[own], metric=metric, depth=60) for m in (left, right))
    np.testing.assert_allclose(agreement(*again, k), agree, atol=1e-9)


def duplicated(n: int, d: int, share: float, seed: int = 0) -> np.ndarray:
    """Rows of different lengths, a share of which are copies of a few."""
    rng = np.random.default_rng(seed)
    rows = (rng.normal(size=(n, d)) + 0.3) * rng.uniform(0.5, 20, (n, 1))
    copies = rng.choice(n, int(n * share), replace=False)
    rows[copies] = rows[rng.choice(5, len(copies))]
    return rows.astype(np.float32)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("k", [1, 10, 40])
def test_identical_spaces_agree_exactly_however_they_are_stored(share: float, k: int) -> None:
    """Lengths kept on one side, 1 on the other (as Weaviate and Qdrant store cosine), rows in another order."""
    raw = duplicated(3_000, 64, share)
    unit = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    own = np.random.default_rng(1).choice(3_000, 200, replace=False)
    left = nearest(raw, raw[own], own, depth=60)
    right = nearest(unit, unit[own], own, depth=60, order=np.random.default_rng(2).permutation(3_000))
    agree = agreement(left, right, k)
    assert (agree == np.arange(1, k + 1)).all()
    assert (overlap(agree) == 1.0).all()
    assert (rank_biased_overlap(agree) == 1.0).all()
    assert all(len(a) == len(b) == 0 for a, b in lost_and_gained(left, right, k))


@pytest.mark.parametrize("metric", ["dot", "euclid", "manhattan"])
def test_identical_spaces_agree_exactly_under_other_metrics(metric: str) -> None:
    raw = duplicated(2_000, 32, 0.3)
    own = np.arange(0, 2_000, 20)
    left = nearest(raw, raw[own], own, metric=metric)
    right = nearest(raw, raw[own], own, metric=metric, order=np.arange(2_000)[::-1])
    assert (agreement(left, right, 10) == np.arange(1, 11)).all()


@pytest.mark.parametrize(("metric", "sign"), [("cosine", 1.0), ("euclid", 1.0)])
def test_a_rotated_copy_agrees(metric: str, sign: float) -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(4_000, 128)) + 1
    turn = np.linalg.qr(rng.normal(size=(128, 128)))[0]
    own = np.arange(200)
    left, right = (
        nearest(m, m[:200].astype(np.float32), own, metric=metric) for m in (rows, sign * rows @ turn)
    )
    assert overlap(agreement(left, right, 10)).mean() > 0.9999


def test_a_constant_space_agrees_by_chance_only() -> None:
    rng = np.random.default_rng(0)
    rows, own = rng.normal(size=(2_000, 16)), np.arange(300)
    flat = np.ones((2_000, 16))
    left, right = nearest(rows, rows[own], own), nearest(flat, flat[own], own)
    agree = agreement(left, right, 10)
    np.testing.assert_allclose(overlap(agree), 10 / 1_999, rtol=1e-9)
    assert chance(10, 1_999) == pytest.approx(10 / 1_999)
    assert (overlap(agreement(right, right, 10)) == 1.0).all()


def test_a_class_that_runs_past_the_list_counts_whole_where_twins_are_known() -> None:
    """50 equal rows behind 2 nearer ones, lists of 10: eight places for fifty."""
    scores = np.array([[9, 8] + [5] * 50])
    own = np.array([-1])
    left = listed(scores, 10, own)
    right = listed(scores[:, ::-1], 10, own)
    assert weight(whole(scores[0].tolist()), 10)[7] == pytest.approx(8 / 50)
    # Rows 2 to 49 are in both classes, and each side's first two in the other's.
    assert agreement(left, right, 10)[0, -1] == pytest.approx((48 + 2 + 2) * 8 / 50)
    assert agreement(left, left, 10)[0, -1] == 10


def test_a_move_within_the_tolerance_is_no_change_and_beyond_it_is() -> None:
    rows = np.array([[0, 1, 2]])
    base = np.array([[0.9, 0.8, 0.7]])
    swapped = np.array([[1, 0, 2]])

    def moved(by: float) -> float:
        left = Nearest(rows, np.array([[0.9, 0.9 - by, 0.7]]))
        right = Nearest(swapped, np.array([[0.9, 0.9 - by, 0.7]]))
        return float(agreement(left, right, 1)[0, 0])

    assert moved(0.0) == moved(4e-7) == moved(1.8e-6) == 1.0
    assert moved(3e-6) == 0.0
    assert agreement(Nearest(rows, base), Nearest(rows, base), 3)[0].tolist() == [1, 2, 3]


def test_tolerances_are_shares_of_the_scale() -> None:
    def first(scale: float, gap: float) -> float:
        one = Nearest(np.array([[0, 1]]), np.array([[100.0, 100 - gap]]), scale=np.array([scale]))
        other = Nearest(np.array([[1, 0]]), np.array([[100.0, 100 - gap]]), scale=np.array([scale]))
        return float(agreement(one, other, 1)[0, 0])

    assert first(0, 1e-4) == 1.0
    assert first(0, 1e-3) == 0.0
    assert first(1e4, 1e-3) == 1.0


def test_lists_that_do_not_say_enough_are_refused() -> None:
    held = Nearest(np.array([[0, 1]]), np.array([[2.0, 1.0]]))
    with pytest.raises(ValueError, match="lists of 2 rows"):
        agreement(held, held, 3)
    with pytest.raises(ValueError, match="1 queries on the left, 0 on the right"):
        agreement(held, Nearest(np.zeros((0, 2), np.int64), np.zeros((0, 2))), 1)


def test_a_query_without_rows_on_one_side_agrees_in_nothing() -> None:
    none = Nearest(np.full((1, 5), -1), np.full((1, 5), -np.inf))
    held = Nearest(np.array([[3, 4, -1, -1, -1]]), np.array([[2.0, 1.0] + [-np.inf] * 3]))
    assert agreement(held, none, 3)[0].tolist() == [0, 0, 0]
    assert agreement(held, held, 3)[0].tolist() == [1, 2, 3]
    assert np.isnan(agreement(none, none, 3)).all()
