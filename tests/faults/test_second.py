"""The second generator shares nothing with the first, and a collection is a function of its seed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.faults.bases import BASES, SECOND, SECOND_BASES, SECOND_CLEAN, Base


def words(base: Base) -> set[str]:
    return {w for p in base.payloads for w in p["caption"].split()}


def spectrum(base: Base) -> np.ndarray:
    """(d,) shares of the variance by principal component."""
    held = np.linalg.svd(base.matrix - base.matrix.mean(axis=0), compute_uv=False) ** 2
    return held / held.sum()


@pytest.mark.parametrize("name", ["text", "popular"])
def test_it_is_another(name: str) -> None:
    first, second = BASES[name](SECOND), SECOND_BASES[name](SECOND)
    assert len(first) == len(second) == len(set(second.ids))
    assert type(first.ids[0]) is not type(second.ids[0])
    assert not words(first) & words(second)
    assert np.abs(spectrum(first) - spectrum(second)).sum() > 0.1
    largest = [np.bincount(base.topics).max() for base in (first, second)]
    assert largest[1] > 3 * largest[0]
    again = SECOND_BASES[name](SECOND)
    assert np.array_equal(again.matrix, second.matrix)
    assert again.payloads == second.payloads
    assert again.ids == second.ids


def test_each_kind_but_the_real_one_is_there() -> None:
    assert set(BASES) - set(SECOND_BASES) == {"demo"}
    assert len(SECOND_CLEAN) > len(SECOND_BASES)
