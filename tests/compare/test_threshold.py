"""Cutoffs carried from one space to another: by hand, by brute force, and on spaces with a known answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from console.compare.acceptance import Acceptance
from console.compare.decisions import Decisions
from console.compare.intervals import times
from console.compare.judged import Judged, equal
from console.compare.nearest import Nearest
from console.compare.threshold import Translation, curve, nonsense, translate
from tests.compare.matching import nearest

RNG = np.random.default_rng(0)


def lists(rows: np.ndarray, scores: np.ndarray) -> Nearest:
    return Nearest(rows, scores.astype(np.float64), scale=np.ones(len(rows)))


def first_hits(scores: np.ndarray, rows: np.ndarray | None = None) -> Nearest:
    """Queries whose first hit has a score, and nothing else is near."""
    rows = np.arange(len(scores)) if rows is None else rows
    return lists(
        np.stack([rows, rows + 1_000_000], axis=1), np.stack([scores, np.full(len(scores), -9.0)], axis=1)
    )


def one(left: Nearest, right: Nearest, old: float, **more: Any) -> Translation:
    (found,) = translate(left, right, more.pop("k", 1), old, more.pop("population", "top1"), **more)
    return found


def test_equal_acceptance_by_hand() -> None:
    held = Acceptance(np.array([[0.9], [0.8], [0.7], [0.6]]), np.array([[0.5], [0.4], [0.3], [0.1]]))
    assert [held.accepted(c) for c in (0.95, 0.8, 0.75, 0.1)] == [0, 2, 2, 4]
    # At a score of the old side: the new side's score of the same rank. Between two: in the same proportion.
    assert held.new(0.8) == pytest.approx(0.4)
    assert held.new(0.75) == pytest.approx(0.35)
    assert held.new(0.62) == pytest.approx(0.1 + 0.2 * 0.2)
    assert held.new(0.1) == pytest.approx(0.1)
    assert Acceptance(np.zeros((0, 1)), np.zeros((0, 1))).new(0.5) is None


@settings(max_examples=100, deadline=None)
@given(some.integers(1, 40), some.integers(1, 4), some.integers(-1, 13), some.integers(0, 2**32 - 1))
def test_the_new_cutoff_accepts_as_many_and_of_equal_sides_it_is_the_old_one(
    q: int, w: int, halves: int, seed: int
) -> None:
    old = halves / 2
    rng = np.random.default_rng(seed)
    left = rng.integers(0, 7, (q, w)).astype(np.float64)
    right = rng.permutation(q * w).reshape(q, w).astype(np.float64)
    held = Acceptance(left, right)
    new = held.new(old)
    assert new is not None
    accepted = np.count_nonzero(left >= old)
    if accepted:
        assert np.count_nonzero(right >= new - 1e-9) == accepted
    itself = Acceptance(left, left).new(old)
    assert itself is not None
    assert (left >= itself - 1e-9).tolist() == (left >= min(max(old, left.min()), left.max())).tolist()
    if left.min() < old < left.max():
        assert itself == pytest.approx(old, abs=1e-9)


def test_drawn_cutoffs_are_those_of_the_drawn_queries() -> None:
    left, right = RNG.normal(size=(2, 40, 3))
    held = Acceptance(left, right)
    drawn = held.drawn(np.array([0.3, -0.2, 99.0]))
    for i in (0, 17, 999):
        at = np.repeat(np.arange(40), times(40)[i].astype(int))
        for j, old in enumerate((0.3, -0.2)):
            count = np.count_nonzero(left[at] >= old)
            assert drawn[i, j] == np.sort(right[at].ravel())[::-1][count - 1]
    assert np.isnan(drawn[:, 2]).all()


def jaccard(left: set[Any], right: set[Any]) -> float:
    return len(left & right) / len(left | right)


@settings(max_examples=60, deadline=None)
@given(some.integers(1, 12), some.integers(1, 5), some.integers(0, 2**32 - 1))
def test_agreement_of_decisions_is_that_of_sets_of_pairs(q: int, w: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        rows = np.stack([rng.permutation(10)[: w + 3] for _ in range(q)])
        scores = -np.sort(-rng.permutation(q * (w + 3)).reshape(q, w + 3) / 7.0, axis=1)
        sides.append(lists(rows, scores))
    left, right = sides
    held = Decisions(left, right, w)
    olds = np.unique(left.scores[:, :w])
    old, new = float(rng.choice(olds)), float(rng.choice(right.scores[:, :w].ravel()))

    def accepted(side: Nearest, cut: float) -> set[tuple[int, int]]:
        return {(i, int(side.rows[i, j])) for i in range(q) for j in range(w) if side.scores[i, j] >= cut}

    found = held.agreement(old, new)
    assert found is not None
    assert found.jaccard == pytest.approx(jaccard(accepted(left, old), accepted(right, new)))
    assert found.queries == pytest.approx(
        jaccard({i for i, _ in accepted(left, old)}, {i for i, _ in accepted(right, new)})
    )
    best = max(jaccard(accepted(left, old), accepted(right, float(c))) for c in right.scores[:, :w].ravel())
    assert held.best(old) == pytest.approx(best)
    assert held.agreement(1e9, 1e9) is None
    assert held.best(1e9) is None


@pytest.mark.parametrize("population", ["top1", "topk"])
def test_the_same_space_keeps_its_cutoff_and_its_decisions(population: Any) -> None:
    rows = RNG.normal(size=(3_000, 16)).astype(np.float32)
    rows[::3] = rows[0]
    own = np.arange(1, 600, 2)
    left = nearest(rows, rows[own], own)
    right = nearest(
        rows / np.linalg.norm(rows, axis=1, keepdims=True), rows[own], own, order=np.arange(3_000)[::-1]
    )
    old = float(np.quantile(left.scores[:, :10], 0.3)) + 1e-5
    (found,) = translate(left, right, 10, old, population)
    assert found.verdict == "translated"
    assert found.new == pytest.approx(old, abs=1e-6)
    assert found.best == pytest.approx(1.0)
    assert found.agreement is not None
    assert found.agreement.jaccard == pytest.approx(1.0)
    assert found.low <= old <= found.high


def test_another_scale_of_scores_is_translated() -> None:
    scores = RNG.uniform(0.2, 1, 1_000)
    found = one(first_hits(scores), first_hits(scores**3 - 4), 0.7)
    assert found.new == pytest.approx(0.7**3 - 4, abs=2e-3)
    # Whichever queries are drawn, a rising curve between the scores carries the cutoff to the same place.
    assert found.low <= found.new <= found.high < found.new + 0.01
    assert found.accepted == found.queries == np.count_nonzero(scores >= 0.7)
    assert (found.population, found.verdict, found.best) == (1_000, "translated", 1.0)


def test_an_equal_share_that_is_not_the_same_decision_is_not_reproduced() -> None:
    left, right = first_hits(RNG.uniform(0, 1, 1_000)), first_hits(RNG.uniform(0, 1, 1_000))
    found = one(left, right, 0.5)
    assert found.verdict == "no cutoff reproduces it"
    assert found.new == pytest.approx(0.5, abs=0.05)
    assert found.agreement is not None
    assert found.agreement.jaccard == pytest.approx(1 / 3, abs=0.05)
    # Accepting everything agrees in half.
    assert found.best == pytest.approx(0.5, abs=0.05)
    assert found.why is not None
    assert "is the same" in found.why


def test_the_same_queries_with_other_rows_are_not_the_same_decision() -> None:
    scores = RNG.uniform(0, 1, 1_000)
    rows = np.where(np.arange(1_000) % 2 == 0, np.arange(1_000), 5_000)
    found = one(first_hits(scores), first_hits(scores, rows), 0.5)
    assert found.agreement is not None
    assert found.agreement.queries == 1.0
    assert found.agreement.jaccard == pytest.approx(1 / 3, abs=0.05)
    assert found.verdict == "no cutoff reproduces it"


@pytest.mark.parametrize(("n", "measured"), [(1, False), (99, False), (100, True)])
def test_a_hundred_queries_must_pass(n: int, measured: bool) -> None:
    scores = np.concatenate([np.full(n, 0.9) + np.arange(n) / 1e4, np.full(500, 0.1)])
    found = one(first_hits(scores), first_hits(scores), 0.5)
    assert found.queries == n
    assert (found.verdict == "translated") == measured
    assert (found.new is not None) == measured
    if not measured:
        said = "1 query passes" if n == 1 else f"{n} queries pass"
        do = (
            "only a cutoff that more pass can be translated"
            if n == 1
            else "about 700 queries like these would do"
        )
        assert found.why == f"{said} the old cutoff; 100 are needed: {do}."


def test_all_hits_of_a_few_queries_are_not_enough() -> None:
    scores = np.concatenate([np.full((50, 5), 0.9), np.full((500, 5), 0.1)])
    side = lists(np.tile(np.arange(5), (550, 1)), scores)
    found = one(side, side, 0.5, k=5, population="topk")
    assert (found.accepted, found.queries, found.verdict) == (250, 50, "not measured")


def test_intervals_hold_the_cutoff_of_all_queries() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(200):
        quality = rng.normal(size=150)
        found = one(
            first_hits(quality + rng.normal(size=150)), first_hits(2 * quality + rng.normal(size=150)), -1.2
        )
        assert found.new is not None
        # Of normal scores with variances 2 and 5, cutoffs of equal acceptance are in the ratio of deviations.
        inside += found.low <= -1.2 * math.sqrt(5 / 2) <= found.high
    assert inside >= 182


def test_one_cutoff_that_fits_no_language_is_found() -> None:
    scores = RNG.uniform(0, 1, 1_200)
    language = np.array(["de", "en", "fi"] * 400)
    shift = np.select([language == "de", language == "fi"], [0.3, -0.3])
    found = one(first_hits(scores), first_hits(scores + shift), 0.5, cohorts={"language": language.tolist()})
    assert found.fits_all is False
    (de, en, fi) = found.cohorts["language"]
    assert [c.value for c in (de, en, fi)] == ["de", "en", "fi"]
    for cohort, new in ((de, 0.8), (en, 0.5), (fi, 0.2)):
        assert cohort.new == pytest.approx(new, abs=0.05)
        assert cohort.low < cohort.new < cohort.high
    assert de.fits is fi.fits is False
    assert de.then > de.accepted
    assert fi.then < fi.accepted


def test_alike_languages_are_fitted_by_one_cutoff_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(3)
    language = ["de", "en", "fr", "fi"] * 100
    fitted = 0
    for _ in range(100):
        quality = rng.normal(size=400)
        sides = (first_hits(quality + 0.3 * rng.normal(size=400)) for _ in range(2))
        fitted += bool(one(*sides, 0.0, cohorts={"language": language}).fits_all)
    assert fitted >= 95


def test_one_cutoff_that_does_not_fit_the_only_cohort_of_a_part_of_the_queries_is_found() -> None:
    scores = np.random.default_rng(6).uniform(0, 1, 1_200)
    tag = np.arange(1_200) < 300
    found = one(
        first_hits(scores),
        first_hits(scores - 0.3 * tag),
        0.5,
        cohorts={"tag": ["hard" if mine else None for mine in tag], "whole": ["all"] * 1_200},
    )
    assert [c.fits for c in found.cohorts["tag"]] == [False]
    assert found.fits_all is False


def test_cohorts_of_few_accepted_queries_have_no_cutoff() -> None:
    scores = np.concatenate([RNG.uniform(0.5, 1, 300), np.full(35, 0.9), np.full(40, 0.1), np.full(29, 0.9)])
    values = ["a"] * 300 + ["b"] * 35 + ["c"] * 40 + ["d"] * 29
    found = one(
        first_hits(scores), first_hits(scores), 0.4, cohorts={"x": values, "none": [None] * len(values)}
    )
    assert [(c.value, c.accepted, c.new is None) for c in found.cohorts["x"]] == [
        ("a", 300, False), ("b", 35, False), ("c", 0, True),
    ]  # fmt: skip
    assert "none" not in found.cohorts
    assert found.fits_all is True
    assert (
        one(first_hits(scores), first_hits(scores), 0.4, cohorts={"x": ["a"] * len(values)}).fits_all is None
    )


def test_the_curve_rises_and_says_where_few_queries_pass() -> None:
    scores = RNG.uniform(0, 1, 500)
    points = curve(first_hits(scores), first_hits(scores**2), 1, "top1")
    old, new, low, high = np.array(points).T
    assert (np.diff(old) > 0).all()
    assert (np.diff(new) >= 0).all()
    np.testing.assert_allclose(new, old**2, atol=0.03)
    assert (low <= new).all()
    assert (new <= high).all()
    assert np.count_nonzero(scores >= old[-1]) >= 30
    assert curve(first_hits(scores[:20]), first_hits(scores[:20]), 1, "top1") == []
    assert curve(first_hits(scores[:0]), first_hits(scores[:0]), 1, "top1") == []


def judgements(scores: np.ndarray, chance: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Judged]:
    relevant = rng.random(len(scores)) < chance
    return relevant, Judged(np.arange(len(scores)), scores, relevant)


def test_equal_precision_and_recall_find_the_cutoff_that_keeps_them() -> None:
    """The new side's scores are the old ones times two: so are the cutoffs of equal figures."""
    rng = np.random.default_rng(1)
    scores = rng.uniform(0, 1, 2_000)
    relevant, left = judgements(scores, scores, rng)
    right = Judged(left.queries, 2 * scores, relevant)
    found = translate(first_hits(scores), first_hits(2 * scores), 1, 0.6, "top1", judged=(left, right))
    assert [f.by for f in found] == ["acceptance", "precision", "recall"]
    for one_of in found:
        assert one_of.new == pytest.approx(1.2, abs=1e-2)
        assert one_of.verdict == "translated"
        assert one_of.low <= one_of.new <= one_of.high


def test_a_sharper_side_needs_a_lower_cutoff_for_equal_precision() -> None:
    """Precision above c of a uniform score: (1 + c) / 2 where a score is its own chance; on the right every score of
    at least .5 is relevant, others are not."""
    rng = np.random.default_rng(2)
    n = 4_000
    scores, other = rng.uniform(0, 1, n), rng.uniform(0, 1, n)
    _, left = judgements(scores, scores, rng)
    right = Judged(np.arange(n), other, other >= 0.5)
    precise = equal("precision", scores[:, None], other[:, None], (left, right), 0.6)
    # .5 / (1 - c) = .8
    assert precise.new == pytest.approx(0.375, abs=0.02)
    assert precise.low < precise.new < precise.high
    recalled = equal("recall", scores[:, None], other[:, None], (left, right), 0.6)
    # Recall above .6 on the left: (1 - .36); on the right (1 - c) / .5.
    assert recalled.new == pytest.approx(1 - 0.64 / 2, abs=0.02)


def test_fewer_than_fifty_judgements_near_the_cutoff_are_not_measured() -> None:
    rng = np.random.default_rng(3)
    scores = rng.uniform(0, 1, 1_000)
    _, all_judged = judgements(scores, scores, rng)
    far = np.flatnonzero(scores < 0.25)
    few = Judged(all_judged.queries[far], scores[far], all_judged.relevant[far])
    held = (scores[:, None], scores[:, None])
    assert (
        equal("recall", *held, (few, few), 0.6).why == "0 judgements lie near the old cutoff; 50 are needed."
    )
    none = Judged(all_judged.queries, scores, np.zeros(1_000, np.bool_))
    assert (
        equal("precision", *held, (none, none), 0.6).why
        == "Every judged row of the old side's hits is not relevant: nothing tells where precision falls."
    )
    found = translate(first_hits(scores), first_hits(scores), 1, 0.6, "top1", judged=(few, few))
    assert [f.verdict for f in found] == ["translated", "not measured", "not measured"]
    worse = Judged(all_judged.queries, scores, rng.random(1_000) < 0.1)
    assert equal("precision", *held, (all_judged, worse), 0.9).new is None


def test_nonsense_that_a_cutoff_lets_in_is_counted() -> None:
    found = nonsense(first_hits(np.linspace(0, 0.99, 100)), 0.9, lambda s: 1 - s)
    assert found.queries == 100
    assert found.accepted == pytest.approx(0.1)
    assert found.quantiles[50] == pytest.approx(1 - 0.495)
    empty = nonsense(Nearest(np.zeros((0, 1), np.int64), np.zeros((0, 1))), 0.5, lambda s: s)
    assert (empty.queries, empty.quantiles, empty.accepted) == (0, {}, None)
    assert set(found.to_json()["quantiles"]) == {"5", "25", "50", "75", "95"}


def test_cutoffs_are_said_in_each_sides_own_score() -> None:
    scores = RNG.uniform(0.2, 1, 600)
    noisy = scores + RNG.normal(size=600) / 100
    found = one(first_hits(scores), first_hits(noisy), 0.5, cohorts={"x": ["a", "b"] * 300})
    said = found.to_json(lambda s: s, lambda s: 1 - s)
    assert said["old"] == 0.5
    assert said["new"] == pytest.approx(0.5, abs=0.02)
    assert said["low"] < said["new"] < said["high"]
    assert said["low"] == pytest.approx(1 - found.high)
    assert said["cohorts"]["x"][0]["low"] < said["cohorts"]["x"][0]["new"]
    nothing = one(first_hits(scores), first_hits(scores), 2.0).to_json(lambda s: s, lambda s: s)
    assert (nothing["new"], nothing["low"], nothing["verdict"]) == (None, None, "not measured")
