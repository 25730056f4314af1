"""Whom a change strikes: cohorts of queries, worst first, with bounds that hold for all of them."""

from __future__ import annotations

import numpy as np
import pytest

from console.compare.cohorts import by_cohort, members
from console.compare.intervals import anywhere, between, over_queries, times
from console.search.means import mean

LANGUAGE = np.array(["de", "en", "fi", "fr"] * 60)


def test_values_that_thirty_queries_have_are_cohorts() -> None:
    values = ["a"] * 30 + [7] * 31 + [None] * 50 + ["rare"] * 29 + [True] * 30 + [["x", "y"]] * 30
    found = {name: int(mask.sum()) for name, mask in members(values)}
    assert found == {"a": 30, "7": 31, "True": 30, "['x', 'y']": 30}
    assert members([]) == members([None] * 40) == []
    assert [name for name, _ in members([""] * 30 + [None] * 30)] == [""]


def test_a_model_that_is_worse_for_one_language_is_caught_while_the_mean_improves() -> None:
    rng = np.random.default_rng(0)
    left = rng.uniform(0.3, 0.9, 240)
    right = np.clip(left + np.where(LANGUAGE == "fi", -0.25, 0.15) + rng.normal(0, 0.05, 240), 0, 1)
    assert right.mean() > left.mean()
    rows = by_cohort({"language": LANGUAGE.tolist()}, np.full(240, 0.5), (left, right))["language"]
    worst, *others = rows
    assert worst.value == "fi"
    assert worst.quality is not None
    assert worst.quality.high < 0
    assert worst.quality.difference == pytest.approx((right - left)[LANGUAGE == "fi"].mean())
    assert all(r.quality is not None and r.quality.low > 0 for r in others)


def test_the_language_whose_neighbours_change_most_comes_first() -> None:
    rng = np.random.default_rng(1)
    overlap = np.clip(rng.normal(0.8, 0.1, 240) - 0.4 * (LANGUAGE == "fr"), 0, 1)
    first, *others = by_cohort({"language": LANGUAGE.tolist()}, overlap)["language"]
    assert (first.value, first.queries) == ("fr", 60)
    assert first.overlap == mean(overlap[LANGUAGE == "fr"])
    assert first.gap is not None
    assert first.gap.low > 0
    assert first.gap.value == pytest.approx(overlap[LANGUAGE != "fr"].mean() - first.overlap.value)
    assert all(r.gap is not None and r.gap.low <= 0 for r in others)
    assert first.to_json() == {
        "value": "fr",
        "queries": 60,
        "overlap_at_k": first.overlap.to_json(),
        "gap": {"value": first.gap.value, "low": first.gap.low, "high": first.gap.high},
        "quality": None,
    }


def test_a_cohort_of_a_part_of_the_queries_is_held_against_those_of_none() -> None:
    rng = np.random.default_rng(3)
    tagged = np.arange(240) < 40
    overlap = np.clip(rng.normal(0.8, 0.1, 240) - 0.4 * tagged, 0, 1)
    tags = {"tag": ["hard" if mine else None for mine in tagged], "whole": ["all"] * 240}
    found = by_cohort(tags, overlap)
    (hard,) = found["tag"]
    assert hard.gap is not None
    assert hard.gap.low > 0
    assert hard.gap.value == pytest.approx(overlap[~tagged].mean() - overlap[tagged].mean())
    assert [row.gap for row in found["whole"]] == [None]
    small = by_cohort({"x": ["a"] * 211 + ["b"] * 29}, overlap)["x"]
    assert [(row.value, row.gap) for row in small] == [("a", None)]


def test_alike_languages_and_modalities_are_told_apart_in_fewer_than_five_of_a_hundred_cases() -> None:
    rng = np.random.default_rng(2)
    modality = rng.permutation(["image", "text"] * 120)
    gaps = losses = 0
    for _ in range(100):
        left = np.round(rng.beta(1, 1, 240), 1)
        right = np.round(np.clip(left + rng.normal(0, 0.2, 240) * (rng.random(240) < 0.5), 0, 1), 1)
        found = by_cohort({"language": LANGUAGE.tolist(), "modality": modality.tolist()}, left, (left, right))
        rows = [row for held in found.values() for row in held]
        gaps += any(row.gap is not None and row.gap.low > 0 for row in rows)
        losses += any(row.quality is not None and row.quality.high < 0 for row in rows)
    assert gaps <= 5
    assert losses <= 5


def test_queries_without_a_figure_are_left_out() -> None:
    overlap = np.full(120, 0.5)
    overlap[:31] = np.nan
    values = ["a"] * 60 + ["b"] * 60
    (row,) = by_cohort({"x": values, "y": [None] * 120}, overlap)["x"]
    assert (row.value, row.queries, row.gap) == ("b", 60, None)
    left = np.full(120, 0.5)
    left[60:95] = np.nan
    overlap[:] = 0.5
    rows = by_cohort({"x": values}, overlap, (left, left))["x"]
    assert {row.value: row.quality is None for row in rows} == {"a": False, "b": True}
    assert by_cohort({}, overlap) == {}


def test_means_of_any_size_have_intervals() -> None:
    rng = np.random.default_rng(3)
    held = rng.exponential(5, 300)
    found = anywhere(np.append(held, np.nan))
    assert found is not None
    assert found.value == pytest.approx(held.mean())
    reach = 1.96 * held.std() / np.sqrt(300)
    assert found.high - found.low == pytest.approx(2 * reach, rel=0.1)
    many = anywhere(rng.normal(7, 1, 6_000))
    assert many is not None
    assert many.high - many.low == pytest.approx(2 * 1.96 / np.sqrt(6_000), rel=0.05)
    assert anywhere(np.array([1.0])) is anywhere(np.array([])) is None
    assert over_queries(np.array([np.nan])) is None
    whole = over_queries(np.array([1.0, np.nan, 1.0]))
    assert whole is not None
    assert (whole.value, whole.n) == (1.0, 2)


def test_draws_of_queries_are_the_same_for_the_same_number() -> None:
    assert (times(50).sum(axis=1) == 50).all()
    np.testing.assert_array_equal(times(50), times(50))
    assert times(50).mean() == pytest.approx(1.0)
    assert times(0).shape == (1_000, 0)
    assert between(np.array([1.0, 2.0, np.nan]), 5.0)[1] == 5.0
    assert np.isnan(between(np.array([1.0, np.nan, np.nan]), 5.0)).all()
