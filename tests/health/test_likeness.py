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


@pytest.mark.parametrize("unreadable", [0.05, 0.5])
@pytest.mark.parametrize("fault_there", [0.0, 0.1, 1.0])
def test_an_estimate_holds_the_truth_whatever_rows_are_that_cannot_be_read(
    unreadable: float, fault_there: float
) -> None:
    """A tenth of the readable rows is at fault; of the others none, as many, or all."""
    rng = np.random.default_rng(6)
    rows, reservoir, tried, part, share = 20_000, 500, 100, 0.7, 0.1
    e = built(np.ones((reservoir, 4), np.float32), rows=rows, exact=False)
    true = rows * part * ((1 - unreadable) * share + unreadable * fault_there)
    held = [
        of_part(
            int(rng.binomial(tried - unread, share)), tried, int(rng.binomial(reservoir, part)), e, unread
        )
        for unread in rng.binomial(tried, unreadable, 60).tolist()
    ]
    told = [h for h in held if h is not None]
    assert len(told) > 55
    assert np.mean([low <= true <= high for _, low, high in told]) >= 0.95
    # As likely among those that can't be read as among the others.
    assert np.mean([h[0] for h in told]) == pytest.approx(rows * part * share, rel=0.1)


def test_where_every_row_was_tried_only_those_that_cannot_be_read_are_open() -> None:
    e = built(np.ones((200, 4), np.float32))
    assert of_part(10, 150, 150, e, 50) == (15.0, 10.0, 60.0)
    assert of_part(0, 150, 150, e, 50) is None


def test_where_all_of_the_part_was_looked_at_nothing_is_estimated() -> None:
    e = built(np.ones((200, 4), np.float32))
    assert of_part(10, 150, 150, e) is None
    assert of_part(10, 100, 150, e) == (15.0, 10.0, 26.0)
