"""Rows that were not looked at, told by those that were; and how many they are in the whole collection."""

from __future__ import annotations

import numpy as np
import pytest

from console.health.estimating import of_part
from console.health.findings import Finding, Remedy
from console.health.likeness import alike
from tests.faults.bases import text
from tests.faults.plants import rotation
from tests.health.building import evidence as built

N, SAMPLE = 1_500, 300


def planted(share: float, moved: bool, seed: int = 0) -> tuple[object, Finding, np.ndarray]:
    """A collection, what was seen of a share of rows at fault, and all of those rows."""
    base, rng = text(7, N), np.random.default_rng(seed)
    wrong, looked = np.zeros(N, np.bool_), np.zeros(N, np.bool_)
    wrong[rng.choice(N, int(share * N), replace=False)] = True
    looked[rng.choice(N, SAMPLE, replace=False)] = True
    matrix = base.matrix.copy()
    if moved:
        matrix[wrong] = matrix[wrong] @ rotation(96).astype(np.float32)
    cause = Finding(
        "encoder-mismatch", "critical", "Wrong.", "sample", Remedy("rebuild", "Embed them again."),
        affected=wrong & looked, examined=looked,
    )  # fmt: skip
    return built(matrix, base.payloads), cause, wrong


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_another_encoders_rows_are_told_by_their_vectors(share: float) -> None:
    held, cause, wrong = planted(share, moved=True)
    found = alike(cause, held)  # type: ignore[arg-type]
    assert found is not None
    assert cause.examined is not None
    rest = ~cause.examined
    assert not (found.rows & cause.examined).any()
    assert (found.rows & wrong & rest).sum() / (wrong & rest).sum() > 0.95
    assert (found.rows & ~wrong).sum() <= 0.02 * found.rows.sum()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_rows_that_look_like_the_others_are_not_told(share: float) -> None:
    held, cause, _ = planted(share, moved=False)
    assert alike(cause, held) is None  # type: ignore[arg-type]


def test_few_rows_at_fault_tell_nothing() -> None:
    held, cause, _ = planted(0.002, moved=True)
    assert alike(cause, held) is None  # type: ignore[arg-type]


def test_an_estimate_from_a_part_holds_the_truth() -> None:
    """Of 300 samples, each of a reservoir and of the rows in it that can be looked at, at least 95% hold it."""
    rng = np.random.default_rng(5)
    rows, reservoir, tried, part, share = 20_000, 500, 100, 0.7, 0.15
    e = built(np.ones((reservoir, 4), np.float32), rows=rows, exact=False)
    inside = told = 0
    for _ in range(300):
        eligible = int(rng.binomial(reservoir, part))
        hits = int(rng.binomial(tried, share))
        found = of_part(hits, tried, eligible, e)
        if found is None:
            continue
        told += 1
        assert hits <= found[1] <= found[0] <= found[2]
        inside += found[1] <= part * share * rows <= found[2]
    assert told > 290
    assert inside / told >= 0.95


def test_where_all_of_the_part_was_looked_at_nothing_is_estimated() -> None:
    e = built(np.ones((200, 4), np.float32))
    assert of_part(10, 150, 150, e) is None
    assert of_part(10, 100, 150, e) == (15.0, 10.0, 26.0)
