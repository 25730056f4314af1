"""The group whose vectors lie in a space of their own."""

from __future__ import annotations

import numpy as np
import pytest

from console.health.apart import Apart, group_apart
from console.health.options import FieldNames
from tests.health.building import evidence

N = 1_000
RULES = {"pairs": 30, "foreign": 0.6, "sound": 0.1}


def apart(mine: int, far_across: float, seed: int = 0) -> Apart | None:
    """Pairs at random, of which those across the border of a group of `mine` rows are far so often."""
    rng = np.random.default_rng(seed)
    payloads = [{"source": "a" if i < mine else f"b{i % 3}"} for i in range(N)]
    held = evidence(
        rng.normal(size=(N, 4)).astype(np.float32),
        payloads,
        names=FieldNames(groups=("source",), columns=("source",)),
    )
    first, second = rng.integers(0, N, (2, 2_000))
    across = (first < mine) != (second < mine)
    far = across & (rng.random(len(first)) < far_across)
    return group_apart(held.table, first, second, far, skip=(), **RULES)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_a_group_of_another_space_is_named(seed: int) -> None:
    found = apart(200, 0.8, seed)
    assert found is not None
    assert (found.field, found.value) == ("source", "a")
    assert found.far_across == pytest.approx(0.8, abs=0.05)
    assert found.far_outside == 0


@pytest.mark.parametrize("seed", range(3))
def test_topics_that_share_few_words_are_no_space_of_their_own(seed: int) -> None:
    assert apart(200, 0.58, seed) is None


def test_what_most_rows_are_is_not_named() -> None:
    assert apart(850, 0.9) is None
