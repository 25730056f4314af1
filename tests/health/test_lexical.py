"""Texts compared by their words, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from console.health import lexical
from console.health.lexical import Tfidf, nearest, words

RNG = np.random.default_rng(0)
VOCABULARY = [f"word{i}" for i in range(3_000)]
ODDS = 1 / (1 + np.arange(3_000.0))
TEXTS = [
    *(" ".join(RNG.choice(VOCABULARY, RNG.integers(1, 30), p=ODDS / ODDS.sum())) for _ in range(1_200)),
    "Große Äpfel, große BÄUME!",
    "große bäume",
    "",
    "a b c",
    "only once here",
]


@pytest.mark.parametrize("dense", [0, 50, 768, 100_000])
def test_the_same_cosines_as_scikit_learn(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "DENSE", dense)
    truth = TfidfVectorizer().fit_transform(TEXTS)
    rows = np.array([0, 3, 700, len(TEXTS) - 5, len(TEXTS) - 3, len(TEXTS) - 2])
    wanted = (truth[rows] @ truth.T).toarray()
    held = Tfidf(TEXTS).similarity(rows)
    own = held[np.arange(len(rows)), rows]
    np.testing.assert_array_less(own, 1 + 1e-5)
    # A word of one row alone is left out of the products, so that only a row's own is smaller.
    held[np.arange(len(rows)), rows] = wanted[np.arange(len(rows)), rows]
    np.testing.assert_allclose(held, wanted, atol=1e-5)


def test_the_most_similar_texts_best_first() -> None:
    truth = TfidfVectorizer().fit_transform(TEXTS)
    rows = np.arange(300)
    wanted = (truth[rows] @ truth.T).toarray()
    wanted[rows, rows] = 0
    numbers, cosines = nearest(Tfidf(TEXTS), rows, 5)
    np.testing.assert_allclose(cosines, -np.sort(-wanted, axis=1)[:, :5], atol=1e-5)
    there = numbers >= 0
    np.testing.assert_allclose(
        np.take_along_axis(wanted, np.maximum(numbers, 0), axis=1)[there], cosines[there], atol=1e-5
    )
    assert not (numbers == rows[:, None]).any()


def test_only_rows_of_the_same_group() -> None:
    texts = ["red ring", "red ring", "red ring", "blue star", "blue star"]
    numbers, _ = nearest(Tfidf(texts), np.arange(5), 2, np.array([0, 1, 0, 1, 0]))
    assert numbers[:, 0].tolist() == [2, -1, 0, -1, -1]


def test_of_equal_texts_not_always_the_first() -> None:
    numbers, cosines = nearest(Tfidf(["the same text"] * 2_000), np.arange(2_000), 1)
    assert len(np.unique(numbers)) > 5
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    again, _ = nearest(Tfidf(["the same text"] * 2_000), np.arange(2_000), 1)
    np.testing.assert_array_equal(numbers, again)


@pytest.mark.parametrize("texts", [[], ["one"], ["", ""], ["!", "?"]])
def test_nothing_to_compare(texts: list[str]) -> None:
    numbers, cosines = nearest(Tfidf(texts), np.arange(len(texts)), 3)
    assert (numbers == -1).all()
    assert (cosines == 0).all()


def test_scripts_without_spaces_are_compared_by_pairs_of_characters() -> None:
    assert words("東京都庁 und x") == ["東京", "京都", "都庁", "und"]
    numbers, cosines = nearest(Tfidf(["東京都庁舎", "東京都の庁舎", "全然違う話"]), np.arange(3), 1)
    assert numbers[:2, 0].tolist() == [1, 0]
    assert cosines[0, 0] > 0.3


def test_hostile_texts_are_texts() -> None:
    texts = [
        "\x00" * 10_000,
        "a" * 1_000_000,
        "\u202e<script>alert(1)</script>",
        "\ud800 lone",
        "' OR 1=1 --",
    ] * 2
    numbers, cosines = nearest(Tfidf(texts), np.arange(len(texts)), 1)
    assert np.isfinite(cosines).all()
    assert numbers[2, 0] == 7
