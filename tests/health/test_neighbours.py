"""Exact neighbours against scikit-learn, and the lists that peeling filters."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from console.health.findings import NotMeasured
from console.health.neighbours import ROW_BLOCK, TopK, score, top_k
from console.health.probes.neighbours import CACHED, Neighbours, nearest_rows, spread
from tests.health.building import evidence

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(9_000, 24)) + 0.5).astype(np.float32)
QUERIES = RNG.normal(size=(300, 24)).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "euclid", "manhattan", "hamming"])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_the_same_rows_as_scikit_learn(metric: str, k: int) -> None:
    rows, queries = ROWS, QUERIES[:40]
    name = {"euclid": "sqeuclidean"}.get(metric, metric)
    if metric == "hamming":
        rows, queries = np.round(rows), np.round(queries)
    truth = NearestNeighbors(n_neighbors=k, metric=name, algorithm="brute").fit(rows.astype(np.float64))
    far, near = truth.kneighbors(queries.astype(np.float64))
    places, scores = top_k(queries, rows, k, metric)
    wanted = 1 - far if metric == "cosine" else -far * (24 if metric == "hamming" else 1)
    np.testing.assert_allclose(scores, wanted, rtol=2e-5, atol=2e-5)
    if metric != "hamming":
        assert (places == near).mean() > 0.999
    np.testing.assert_allclose(
        score(np.repeat(queries, k, axis=0), rows[places.ravel()], metric).reshape(scores.shape),
        scores,
        rtol=2e-5,
        atol=2e-5,
    )


def test_inner_products_and_parts_of_any_length() -> None:
    truth = QUERIES.astype(np.float64) @ ROWS.T.astype(np.float64)
    order = np.argsort(-truth, axis=1)[:, :15]
    places, scores = top_k(QUERIES, ROWS, 15, "dot")
    assert (places == order).mean() > 0.999
    np.testing.assert_allclose(scores, np.take_along_axis(truth, order, axis=1), rtol=1e-5)
    stream = TopK(QUERIES, 15, "dot")
    for part in np.split(ROWS, [1, 2, 5, 700, ROW_BLOCK + 3]):
        stream.add(part)
    again, _ = stream.result()
    assert (again == places).mean() > 0.999


def test_far_from_the_origin_distances_keep_their_digits() -> None:
    rows = (np.random.default_rng(1).normal(size=(500, 8)) + 1_000).astype(np.float32)
    places, scores = top_k(rows[:20], rows, 5, "euclid", own=np.arange(20))
    apart = np.square(rows[:20, None].astype(np.float64) - rows[None]).sum(axis=2)
    apart[np.arange(20), np.arange(20)] = np.inf
    np.testing.assert_array_equal(places, np.argsort(apart, axis=1)[:, :5])
    np.testing.assert_allclose(-scores, np.sort(apart, axis=1)[:, :5], rtol=1e-3)


def test_of_equal_scores_the_first_row_wins_however_rows_come() -> None:
    rows = np.ones((3 * ROW_BLOCK, 4), np.float32)
    rows[7] = rows[9_000] = 2.0
    places, _ = top_k(np.ones((3, 4), np.float32), rows, 5, "dot")
    assert places.tolist() == [[7, 9_000, 0, 1, 2]] * 3


def test_the_row_itself_is_left_out_and_lists_are_padded() -> None:
    rows = np.eye(3, dtype=np.float32)
    places, scores = top_k(rows, rows, 5, "cosine", own=np.arange(3))
    assert places.tolist() == [[1, 2, -1, -1, -1], [0, 2, -1, -1, -1], [0, 1, -1, -1, -1]]
    assert np.isneginf(scores[:, 2:]).all()


def test_rows_that_are_not_numbers_are_nobodys_neighbours() -> None:
    rows = ROWS[:50].copy()
    rows[[3, 4]] = np.nan
    rows[5, 0] = np.inf
    places, _ = top_k(QUERIES[:5], rows, 47, "dot")
    assert not np.isin(places, [3, 4]).any()


@pytest.mark.parametrize(("n", "q", "k"), [(0, 3, 2), (4, 0, 2), (4, 3, 0)])
def test_nothing_to_search(n: int, q: int, k: int) -> None:
    places, _ = top_k(ROWS[:q], ROWS[:n], k, "cosine")
    assert places.shape == (q, k)
    assert (places == -1).all()


def test_rows_of_another_dimension_are_refused() -> None:
    with pytest.raises(ValueError, match="dimension 24"):
        TopK(QUERIES, 3, "dot").add(np.zeros((2, 25), np.float32))


def found(metric: str = "cosine", n: int = 2_000) -> tuple[Neighbours, object]:
    held = evidence(ROWS[:n], metric=metric)
    result = nearest_rows(held, np.random.default_rng([0]))
    assert isinstance(result, Neighbours)
    return result, held


def test_lists_are_positions_of_the_reservoir_without_the_row_itself() -> None:
    matrix = ROWS[:2_000].copy()
    matrix[[0, 5, 9]] = 0.0
    matrix[7] = np.nan
    held = evidence(matrix, metric="dot")
    result = nearest_rows(held, np.random.default_rng([0]))
    assert isinstance(result, Neighbours)
    assert result.by_metric.near.shape == (200, CACHED)
    assert not np.isin(result.by_metric.near, [0, 5, 7, 9]).any()
    assert not (result.by_metric.near == result.by_metric.probes[:, None]).any()
    i = int(result.by_metric.probes[3])
    products = matrix.astype(np.float64) @ matrix[i].astype(np.float64)
    products[[0, 5, 7, 9, i]] = -np.inf
    np.testing.assert_array_equal(result.by_metric.near[3, :20], np.argsort(-products)[:20])
    a, b = result.pairs.T
    np.testing.assert_allclose(result.pair_scores, (matrix[a] * matrix[b]).sum(axis=1), rtol=1e-4, atol=1e-4)
    assert (a != b).all()
    assert np.abs(result.pair_cosines).max() <= 1 + 1e-6


def test_a_filtered_list_is_the_list_of_the_rows_left() -> None:
    result, held = found()
    out = np.zeros(2_000, np.bool_)
    out[np.random.default_rng(3).choice(2_000, 900, replace=False)] = True
    left = result.lists(held.without(out), 10)
    assert not isinstance(left, NotMeasured)
    assert not out[left.probes].any()
    alive = np.flatnonzero(~out)
    i = int(np.flatnonzero(left.probes == left.probes[4])[0])
    truth, _ = top_k(ROWS[left.probes[[i]]], ROWS[alive], 11, "cosine")
    np.testing.assert_array_equal(left.near[i], alive[truth[0]][1:])


def test_lists_that_run_short_are_not_measured() -> None:
    result, held = found()
    out = np.ones(2_000, np.bool_)
    out[np.random.default_rng(3).choice(2_000, 400, replace=False)] = False
    short = result.lists(held.without(out), 60)
    assert isinstance(short, NotMeasured)
    assert "left out" in short.why
    few = result.lists(held.without(np.arange(2_000) > 50), 60)
    assert isinstance(few, NotMeasured)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows(n: int) -> None:
    held = evidence(ROWS[:n])
    assert isinstance(nearest_rows(held, np.random.default_rng(0)), NotMeasured)
    assert isinstance(spread(held, np.random.default_rng(0)), NotMeasured)


@pytest.mark.parametrize("n", [2, 10])
def test_few_rows_have_short_lists(n: int) -> None:
    result, held = found(n=n)
    assert result.by_metric.near.shape == (n, n - 1)
    assert isinstance(result.lists(held, 1), NotMeasured)


def test_both_probes_draw_the_same_rows() -> None:
    result, held = found()
    other = spread(held, np.random.default_rng([0]))
    assert not isinstance(other, NotMeasured)
    np.testing.assert_array_equal(other.centred.probes, result.by_direction.probes)
    np.testing.assert_allclose(other.gram, other.unit[other.subset] @ other.unit[other.subset].T, atol=1e-6)


@pytest.mark.parametrize(("scale", "noise"), [(1, 1.0), (100, 0.1), (1_000, 0.01), (10_000, 1.0)])
def test_euclidean_distances_of_tight_clusters_far_from_the_origin(scale: float, noise: float) -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(10, 32)) * scale
    rows = (centres[rng.integers(10, size=5_000)] + rng.normal(size=(5_000, 32)) * noise).astype(np.float32)
    queries = rows[:60]
    places, scores = top_k(queries, rows, 10, "euclid", np.arange(60))
    for i in range(60):
        apart = ((rows.astype(np.float64) - queries[i].astype(np.float64)) ** 2).sum(1)
        apart[i] = np.inf
        wanted = np.sort(apart)[:10]
        np.testing.assert_allclose(apart[places[i]], wanted, rtol=1e-6)
        np.testing.assert_allclose(-scores[i], wanted, rtol=1e-6)
