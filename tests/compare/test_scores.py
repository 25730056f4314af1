"""Distributions of scores: what is counted, and in whose terms."""

from __future__ import annotations

import numpy as np
import pytest

from console.compare.nearest import Nearest
from console.compare.scores import BINS, random_scores, spread_of_scores
from tests.compare.matching import nearest

ROWS = np.random.default_rng(0).normal(size=(800, 16)).astype(np.float32)


def test_first_hits_all_hits_and_random_pairs_are_counted_in_the_same_bins() -> None:
    near = nearest(ROWS, ROWS[:100], np.arange(100))
    found = spread_of_scores(near, 10, random_scores(ROWS, "cosine", 0, 3_000))
    assert len(found.edges) == BINS + 1
    assert {name: int(held.sum()) for name, held in found.counts.items()} == {
        "top1": 100,
        "topk": 1_000,
        "random": 3_000,
    }
    inside = near.scores[:, 0]
    at = np.searchsorted(found.edges, np.median(inside)) - 1
    assert found.counts["top1"][at] == np.count_nonzero(
        (inside >= found.edges[at]) & (inside < found.edges[at + 1])
    )
    assert found.quantiles["top1"][50] == pytest.approx(np.median(inside))
    assert found.quantiles["random"][50] < found.quantiles["topk"][50] < found.quantiles["top1"][50]
    shown = found.to_json("similarity")
    assert shown["kind"] == "similarity"
    assert set(shown["quantiles"]["topk"]) == {"5", "25", "50", "75", "95"}


def test_scores_are_shown_in_the_databases_own_terms() -> None:
    near = nearest(ROWS, ROWS[:50], np.arange(50))
    found = spread_of_scores(near, 5, random_scores(ROWS, "cosine", 0), lambda s: 1 - s)
    assert found.quantiles["top1"][50] == pytest.approx(1 - np.median(near.scores[:, 0]))
    assert (np.diff(found.edges) > 0).all()


def test_random_pairs_are_of_different_rows_and_the_same_for_a_seed() -> None:
    three = np.eye(3, dtype=np.float32)
    assert not random_scores(three, "cosine", 1).any()
    np.testing.assert_array_equal(random_scores(ROWS, "dot", 5), random_scores(ROWS, "dot", 5))
    assert len(random_scores(ROWS[:1], "cosine", 0)) == len(random_scores(ROWS[:0], "cosine", 0)) == 0
    wild = ROWS[:20].copy()
    wild[3] = np.nan
    wild[4] = 0
    assert np.isfinite(random_scores(wild, "euclid", 0)).all()
    assert len(random_scores(wild[3:6], "cosine", 0)) == 0
    assert (random_scores(np.vstack([wild[4:5], wild[5:6], wild[5:6]]), "cosine", 0) > 0.999).all()


def test_one_score_or_none_has_bins_too() -> None:
    none = Nearest(np.full((2, 3), -1), np.full((2, 3), -np.inf))
    found = spread_of_scores(none, 3, np.zeros(0))
    assert not any(held.any() for held in found.counts.values())
    assert found.quantiles["top1"] == {}
    flat = spread_of_scores(none, 3, np.full(10, 0.5))
    assert flat.counts["random"].sum() == 10
