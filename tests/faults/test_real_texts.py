"""Checks on real texts under two encoders that no threshold was looked at with: LSA, and trigrams in random directions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.bases import Base
from tests.faults.plants import FAULTS, Planted
from tests.faults.running import above_info, run, silent
from tests.faults.stdlib_texts import docstrings, latent, trigrams

pytestmark = pytest.mark.timeout(600)

ENCODERS: dict[str, Callable[[list[str]], np.ndarray]] = {
    "trigrams": lambda texts: trigrams(texts, 128),
    "latent": lambda texts: latent(texts, 96),
}
MATRICES: dict[str, np.ndarray] = {}


@pytest.fixture(params=ENCODERS)
def base(request: pytest.FixtureRequest) -> Base:
    texts = [text for text, _, _ in docstrings()]
    if request.param not in MATRICES:
        MATRICES[request.param] = ENCODERS[request.param](texts)
    payloads = [
        {"caption": text, "package": package, "embedding_version": "v1"} for text, _, package in docstrings()
    ]
    return Base(request.param, MATRICES[request.param], payloads, list(range(1, len(texts) + 1)))


def checked(planted: Planted, folder: Path) -> Any:
    return run(folder, "qdrant", planted)


def test_there_are_texts_and_some_are_repeated() -> None:
    texts = [text for text, _, _ in docstrings()]
    assert len(texts) > 3_000
    assert len(texts) - len(set(texts)) > 100


def test_sound_vectors_are_accused_of_nothing(base: Base, tmp_path: Path) -> None:
    assert silent(checked(Planted(base, None, ()), tmp_path)) == []


def test_a_field_that_is_only_shown_accuses_nothing_of_disagreement(base: Base, tmp_path: Path) -> None:
    """The vectors are of the text, in a field of any name; `title` is guessed, and is the function's name."""
    payloads = [{"title": name, "package": package, "body": text} for text, name, package in docstrings()]
    report = checked(Planted(base.but(payloads=payloads), None, ()), tmp_path)
    assert silent(report) == []
    why = {m["check"]: m["why"] for m in report.data["not_measured"]}
    assert (
        "title is not" in why["same-source-different-vector"]
        or "not what was embedded" in why["same-source-different-vector"]
    )
    far = [f for f in report.data["findings"] if f["code"] == "text-vector-disagreement"]
    assert [f["severity"] for f in far] == ["info"]
    assert "guessed by its name" in far[0]["summary"]


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_texts_on_other_rows_are_one_fault(base: Base, share: float, tmp_path: Path) -> None:
    """Pairs of one text and two vectors are the same fault, seen where texts are repeated."""
    planted = FAULTS["shuffled-texts"].plant(base, int(share * len(base)), np.random.default_rng(3))
    report = checked(planted, tmp_path)
    assert report.data["root_causes"] == ["text-vector-disagreement"]
    folded = {f["code"]: f["because_of"] for f in above_info(report)}
    assert folded == {
        "text-vector-disagreement": None,
        "same-source-different-vector": "text-vector-disagreement",
    }


@pytest.mark.parametrize(("fault", "root"), [("noise", "no-structure"), ("rogue-dimension", "dominant-axis")])
def test_a_fault_of_all_rows_is_not_held_against_sources(
    base: Base, fault: str, root: str, tmp_path: Path
) -> None:
    planted = FAULTS[fault].plant(base, len(base), np.random.default_rng(3))
    report = checked(planted, tmp_path)
    assert report.data["root_causes"] == [root]
    not_measured = {m["check"] for m in report.data["not_measured"]}
    assert {"same-source-different-vector", "text-vector-disagreement"} <= not_measured


def test_a_placeholder_with_noise_makes_no_pairs_that_differ(base: Base, tmp_path: Path) -> None:
    planted = FAULTS["noisy-placeholder"].plant(base, 300, np.random.default_rng(3))
    report = checked(planted, tmp_path)
    assert {f["code"] for f in above_info(report)} == {"duplicate-vectors"}


def test_another_encoder_on_repeated_texts_is_the_root(base: Base, tmp_path: Path) -> None:
    planted = FAULTS["reembedded"].plant(base, 300, np.random.default_rng(3))
    report = checked(planted, tmp_path)
    assert report.data["root_causes"] == ["same-source-different-vector"]
