"""Causes that were looked for in a sample of the rows: what is left of a symptom among those."""

from __future__ import annotations

import numpy as np
import pytest

from console.health.findings import Effect, Finding, Remedy
from console.health.parts import in_part
from tests.health.building import evidence as built

N, SAMPLE = 5_000, 400
REMEDY = Remedy("investigate", "Look at the rows.")
LINE = 0.01


def collection():
    matrix = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
    return built(matrix, [{} for _ in range(N)])


def mask(at) -> np.ndarray:
    out = np.zeros(N, np.bool_)
    out[at] = True
    return out


def symptom(affected: np.ndarray) -> Finding:
    share = float(affected.mean())
    return Finding(
        "text-vector-disagreement", "warning", "Far.", "sample", REMEDY, effect=Effect(share, LINE, name="far"),
        affected=affected, examined=np.ones(N, np.bool_),
    )  # fmt: skip


def cause(affected: np.ndarray, looked: np.ndarray, code: str = "misaligned-payload") -> Finding:
    return Finding(
        code, "warning", "Wrong.", "sample", REMEDY, affected=affected & looked, examined=looked
    )  # fmt: skip


def drawn(seed: int) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, mask(rng.choice(N, SAMPLE, replace=False))


@pytest.mark.parametrize("seed", range(5))
def test_what_goes_with_the_sampled_rows_follows_from_them(seed: int) -> None:
    rng, looked = drawn(seed)
    wrong = mask(rng.choice(N, 400, replace=False))
    far = wrong & (rng.random(N) < 0.6)
    found = in_part(symptom(far), [cause(wrong, looked)], collection())
    assert found is not None
    ids, proof = found
    assert ids == ("misaligned-payload",)
    # Counted by hand.
    assert proof["rows_looked_at_by_both"] == SAMPLE
    assert proof["before"] == pytest.approx((far & looked).sum() / SAMPLE)
    assert proof["without"] == 0.0


def test_what_lies_anywhere_does_not_follow() -> None:
    """Of 40 samples at a chance of 5%, more than 6 folds have a probability below .01."""
    folded = 0
    for seed in range(40):
        rng, looked = drawn(seed)
        wrong = mask(rng.choice(N, 400, replace=False))
        far = rng.random(N) < 0.05
        folded += in_part(symptom(far), [cause(wrong, looked)], collection()) is not None
    assert folded <= 6


def test_what_fires_without_the_cause_is_not_explained_by_it() -> None:
    rng, looked = drawn(1)
    wrong = mask(rng.choice(N, 400, replace=False))
    far = (wrong & (rng.random(N) < 0.9)) | (rng.random(N) < 0.06)
    assert in_part(symptom(far), [cause(wrong, looked)], collection()) is None


def test_two_causes_together_explain_what_neither_does() -> None:
    rng, looked = drawn(2)
    order = rng.permutation(N)
    one, other = mask(order[:500]), mask(order[500:1_000])
    far = one | other
    found = in_part(
        symptom(far), [cause(one, looked), cause(other, looked, "encoder-mismatch")], collection()
    )
    assert found is not None
    assert found[0] == ("misaligned-payload", "encoder-mismatch")


def test_where_every_text_belongs_to_another_vector_the_disagreement_is_the_same_fault() -> None:
    rng, looked = drawn(3)
    far = rng.random(N) < 0.5
    everything = np.ones(N, np.bool_)
    assert in_part(symptom(far), [cause(everything, looked)], collection()) is not None
    # Another encoder's vectors agree with their texts among themselves.
    assert in_part(symptom(far), [cause(everything, looked, "encoder-mismatch")], collection()) is None


def test_a_cause_that_was_looked_for_everywhere_is_for_peeling() -> None:
    rng, _ = drawn(4)
    wrong = mask(rng.choice(N, 400, replace=False))
    everything = np.ones(N, np.bool_)
    assert in_part(symptom(wrong), [cause(wrong, everything)], collection()) is None
