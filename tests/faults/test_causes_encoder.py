"""Rows of another encoder, and the texts that disagree with vectors because of them, or because of something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.faults import plants_more as more
from tests.faults.bases import Base
from tests.faults.plants import Planted
from tests.faults.test_more import SEED, Place, of, pictures

CODE = "text-vector-disagreement"


def foreign(share: float) -> tuple[Base, np.random.Generator]:
    base = more.scenes()
    rng = np.random.default_rng([SEED, int(100 * share)])
    return more.foreign(base, int(share * len(base)), rng).base, rng


def exchanged_captions(base: Base, share: float, rng: np.random.Generator) -> Base:
    """Captions of pictures on one another's rows: the encoder is given the pictures and sees nothing of it."""
    shown = [i for i, p in enumerate(base.payloads) if p["modality"] == "image"]
    at = rng.choice(shown, int(share * len(base)), replace=False)
    rows = [dict(p) for p in base.payloads]
    for a, b in zip(at, np.roll(at, 1), strict=True):
        rows[a]["caption"] = base.payloads[b]["caption"]
    return base.but(payloads=rows)


@pytest.mark.parametrize("sample", [None, 800])
@pytest.mark.parametrize("share", [0.3, 0.4, 0.5])
def test_what_follows_from_another_encoders_rows_is_folded(
    tmp_path: Path, share: float, sample: int | None
) -> None:
    place = Place(tmp_path, "qdrant", pictures(needed=True))
    base, _ = foreign(share)
    report = place.check(Planted(base, None, (), options=more.WITH), sample=sample)
    assert report.data["root_causes"] == ["encoder-mismatch"]
    (said,) = of(report, CODE)
    assert said["because_of"] == "encoder-mismatch"
    proof = said["evidence"]["because_of"]
    assert proof["before"] - proof["without"] > max(0.0, proof["random_drop_95"])


@pytest.mark.parametrize("share", [0.3, 0.4, 0.5])
def test_a_second_fault_of_the_texts_stays_a_root(tmp_path: Path, share: float) -> None:
    place = Place(tmp_path, "qdrant", pictures(needed=True))
    base, rng = foreign(share)
    both = exchanged_captions(base, 0.1, rng)
    report = place.check(Planted(both, None, (), options=more.WITH))
    assert {"encoder-mismatch", CODE} <= set(report.data["root_causes"])
