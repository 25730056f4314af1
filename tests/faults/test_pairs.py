"""Two faults at once: both are roots, or one follows from the other as it truly does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.faults.__main__ import FIRST, SECOND
from tests.faults.bases import BASES
from tests.faults.plants import FAULTS
from tests.faults.running import run

INDEPENDENT = [
    ("zero", "foreign-tagged"),
    ("zero", "unnormalised"),
    ("nan", "unnormalised"),
    ("nan", "missing"),
    ("missing", "untagged"),
    ("missing", "placeholder"),
    ("zero-padded", "untagged"),
    ("zero-padded", "zero"),
    ("foreign-tagged", "placeholder"),
    ("foreign-tagged", "unnormalised"),
    ("untagged", "tags-only"),
    ("placeholder", "unnormalised"),
    ("zero", "count"),
    ("unnormalised", "count"),
    ("shuffled-texts", "zero"),
    ("shuffled-texts", "missing"),
]
"""On other rows, each by itself: removing the one leaves the other as it was."""


@pytest.mark.parametrize("seed", [FIRST, SECOND])
@pytest.mark.parametrize(("first", "second"), INDEPENDENT)
def test_both_are_roots(tmp_path: Path, first: str, second: str, seed: int) -> None:
    base = BASES["unit-dot"](seed)
    count = len(base) // 20
    rng = np.random.default_rng([seed, *first.encode(), *second.encode()])
    one = FAULTS[first].plant(base, max(count, FAULTS[first].smallest(base)), rng)
    other = FAULTS[second].plant(one.base, max(count, FAULTS[second].smallest(base)), rng)
    options = {**one.options, **other.options}
    report = run(tmp_path, "weaviate", other, **options)
    roots = set(report.data["root_causes"])
    assert roots & set(one.roots), f"{first}: {roots}"
    assert roots & set(other.roots), f"{second}: {roots}"
    known = {*one.roots, *other.roots}
    weights = {f["code"]: f["severity"] for f in report.data["findings"]}
    assert {c for c in roots - known if weights[c] != "info"} == set()
