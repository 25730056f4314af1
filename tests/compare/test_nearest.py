"""Exact neighbours by pool number, held against scikit-learn and against a sort of all scores in float64."""

from __future__ import annotations

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.metrics import pairwise_distances

from console.compare.nearest import ROWS, Nearest, NearestSearch

RNG = np.random.default_rng(0)
N = 2 * ROWS + 700
CLOUD = (RNG.normal(size=(N, 24)) + 0.5).astype(np.float32)
ASKED = RNG.normal(size=(130, 24)).astype(np.float32)


def nearness(queries: np.ndarray, rows: np.ndarray, metric: str) -> np.ndarray:
    a, b = queries.astype(np.float64), rows.astype(np.float64)
    if metric == "dot":
        return a @ b.T
    if metric == "cosine":
        return (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T
    name = {"euclid": "sqeuclidean", "manhattan": "manhattan", "hamming": "hamming"}[metric]
    return -pairwise_distances(a, b, name) * (a.shape[1] if metric == "hamming" else 1)


def search(
    queries: np.ndarray,
    rows: np.ndarray,
    metric: str = "cosine",
    depth: int = 50,
    own: np.ndarray | None = None,
    numbers: np.ndarray | None = None,
    parts: tuple[int, ...] = (),
    threads: int = 2,
) -> Nearest:
    held = NearestSearch(queries, own, metric, depth, rows=len(rows), threads=threads)
    numbers = np.arange(len(rows)) if numbers is None else numbers
    for part, called in zip(np.split(rows, parts), np.split(numbers, parts), strict=True):
        held.add(part, called)
    return held.result()


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid", "manhattan", "hamming"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_lists_are_those_of_a_sort_of_all_scores(metric: str, threads: int) -> None:
    rows, queries = (np.round(CLOUD), np.round(ASKED)) if metric == "hamming" else (CLOUD, ASKED)
    found = search(queries, rows, metric, parts=(1, 5, 700, ROWS + 3), threads=threads)
    truth = nearness(queries, rows, metric)
    numbers = np.broadcast_to(np.arange(N), truth.shape)
    order = np.lexsort((numbers, -np.round(truth, 9)), axis=1)[:, :50]
    np.testing.assert_allclose(
        found.scores, np.take_along_axis(truth, order, axis=1), rtol=2e-6, atol=2e-6 * np.abs(truth).max()
    )
    if metric == "hamming":
        np.testing.assert_array_equal(found.rows, order)
    else:
        assert (found.rows == order).mean() > 0.9999


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid", "manhattan", "hamming"])
def test_another_order_of_rows_gives_the_same_lists(metric: str) -> None:
    rng = np.random.default_rng(3)
    # Whole numbers: hundreds of equal scores, and vectors that come many times.
    rows = rng.integers(-1, 2, (3 * ROWS, 6)).astype(np.float32)
    own = rng.choice(len(rows), 40, replace=False)
    straight = search(rows[own], rows, metric, own=own)
    shuffled = rng.permutation(len(rows))
    again = search(rows[own], rows[shuffled], metric, own=own, numbers=shuffled, parts=(100, 3_000))
    np.testing.assert_array_equal(straight.rows, again.rows)
    np.testing.assert_array_equal(straight.scores, again.scores)
    np.testing.assert_array_equal(straight.twins, again.twins)
    assert not (straight.rows == own[:, None]).any()


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid"])
def test_one_vector_on_all_rows_lists_the_lowest_numbers(metric: str) -> None:
    rows = np.full((2 * ROWS, 8), 0.3, np.float32)
    shuffled = np.random.default_rng(0).permutation(len(rows))
    found = search(rows[:3], rows, metric, 5, own=np.array([2, -1, 4]), numbers=shuffled)
    assert found.rows.tolist() == [[0, 1, 3, 4, 5], [0, 1, 2, 3, 4], [0, 1, 2, 3, 5]]


@settings(max_examples=60, deadline=None)
@given(
    some.integers(0, 40), some.integers(1, 6), some.integers(1, 12),
    some.sampled_from(["cosine", "dot", "euclid", "manhattan"]), some.integers(0, 2**32 - 1),
)  # fmt: skip
def test_few_rows_of_whole_numbers_are_ranked_exactly(
    n: int, d: int, depth: int, metric: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, queries = rng.integers(-2, 3, (n, d)), rng.integers(-2, 3, (4, d))
    own = rng.integers(-1, max(n, 1), 4)
    found = search(queries.astype(np.float32), rows.astype(np.float32), metric, depth, own)
    for i, query in enumerate(queries):
        fit = [
            j for j in range(n)
            if j != own[i] and (metric != "cosine" or (rows[j].any() and query.any()))
        ]  # fmt: skip
        with np.errstate(invalid="ignore"):
            score = nearness(query[None], rows[fit], metric)[0] if fit else np.zeros(0)
        wanted = [fit[j] for j in sorted(range(len(fit)), key=lambda j: (-round(score[j], 6), fit[j]))][
            :depth
        ]
        if metric == "cosine":
            # Of equal directions and unequal lengths, float32 says which come into a list.
            best = sorted(score.tolist(), reverse=True)[:depth]
            np.testing.assert_allclose(found.scores[i, : len(best)], best, atol=1e-6)
            assert len(set(found.rows[i].tolist()) & set(fit)) == len(best)
        else:
            assert found.rows[i].tolist() == wanted + [-1] * (depth - len(wanted))
        assert np.isneginf(found.scores[i, len(wanted) :]).all()


def test_rows_without_a_direction_are_nobodys_neighbours_and_have_none() -> None:
    rows = CLOUD[:60].copy()
    rows[3], rows[4, 0], rows[5, 1], rows[6] = 0, np.nan, np.inf, 3e38
    found = search(rows[:8], rows, "cosine", 60, own=np.arange(8))
    assert not np.isin(found.rows, [3, 4, 5, 6]).any()
    assert (found.rows[3:7] == -1).all()
    assert found.twins is not None
    assert np.flatnonzero(found.twins == 0).tolist() == [3, 4, 5, 6]
    assert found.twins[8] == xxhash.xxh3_64_intdigest(rows[8])
    by_length = search(rows[:8], rows, "dot", 60, own=np.arange(8))
    assert (by_length.rows == 3).sum() == 4
    assert not np.isin(by_length.rows, [4, 5, 6]).any()


def test_far_from_the_origin_distances_keep_their_digits() -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(10, 32)) * 1_000
    rows = (centres[rng.integers(10, size=5_000)] + rng.normal(size=(5_000, 32)) * 0.01).astype(np.float32)
    found = search(rows[:60], rows, "euclid", 20, own=np.arange(60))
    truth = nearness(rows[:60], rows, "euclid")
    apart = np.square(rows[:60, None].astype(np.float64) - rows[None].astype(np.float64)).sum(axis=2)
    apart[np.arange(60), np.arange(60)] = np.inf
    order = np.argsort(apart, axis=1)[:, :20]
    assert truth.shape == apart.shape
    np.testing.assert_allclose(-found.scores, np.take_along_axis(apart, order, axis=1), rtol=1e-6)
    assert (found.rows == order).mean() > 0.999


def test_the_first_places_are_exact_where_products_of_float32_are_not() -> None:
    rng = np.random.default_rng(5)
    rows = (30 * rng.normal(size=512) + rng.normal(size=(4_000, 512))).astype(np.float32)
    found = search(rows[:50], rows, own=np.arange(50))
    truth = nearness(rows[:50], rows, "cosine")
    truth[np.arange(50), np.arange(50)] = -np.inf
    wanted = np.sort(truth, axis=1)[:, ::-1][:, :10]
    # Float32 near 1 has steps of 6e-8.
    assert np.abs(found.scores[:, :10] - wanted).max() < 3.1e-8


def test_scales_are_those_of_tolerances() -> None:
    assert search(ASKED, CLOUD[:50], "cosine").scale.tolist() == [1.0] * len(ASKED)
    found = search(ASKED, CLOUD[:50], "dot")
    near = np.median(np.linalg.norm(CLOUD[:50].astype(np.float64), axis=1)[found.rows[:, :10]], axis=1)
    np.testing.assert_allclose(
        found.scale, np.linalg.norm(ASKED.astype(np.float64), axis=1) * near, rtol=1e-6
    )
    assert not search(ASKED, CLOUD[:50], "euclid").scale.any()


@pytest.mark.parametrize(("n", "q"), [(0, 3), (4, 0), (0, 0), (1, 2)])
def test_little_or_nothing_to_search(n: int, q: int) -> None:
    found = search(ASKED[:q], CLOUD[:n], depth=7)
    assert found.rows.shape == found.scores.shape == (q, 7)
    assert ((found.rows >= 0).sum(axis=1) == min(n, 7)).all()


def test_what_does_not_fit_is_refused() -> None:
    held = NearestSearch(ASKED, None, "dot", 3)
    with pytest.raises(ValueError, match="dimension 24"):
        held.add(np.zeros((2, 25), np.float32), np.arange(2))
    with pytest.raises(ValueError, match="1 numbers"):
        held.add(np.zeros((2, 24), np.float32), np.arange(1))
    with pytest.raises(ValueError, match="0 places"):
        NearestSearch(ASKED, None, "dot", 0)


def test_the_number_of_rows_need_not_be_known() -> None:
    held = NearestSearch(ASKED, None, None, 5)
    for at in (900, 0, 100):
        held.add(CLOUD[at : at + 100], np.arange(at, at + 100))
    found = held.result()
    assert found.twins is not None
    assert np.flatnonzero(found.twins).tolist() == [*range(200), *range(900, 1_000)]
