"""Healthy collections of many kinds: no row check warns."""

from __future__ import annotations

import pytest

from tests.health.rowkit import CLEAN, CODES, Clean, alarms, run


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("clean", CLEAN, ids=[c.name for c in CLEAN])
def test_healthy_collections_stay_without_warning(clean: Clean, seed: int) -> None:
    assert alarms(clean.make(seed)) == []


def test_every_check_looked_at_an_ordinary_collection() -> None:
    held = next(c for c in CLEAN if c.name == "unit dot").make(1)
    unmeasured = {n.check for code in CODES for n in run(code, held)[1]}
    assert unmeasured == {"count-mismatch"}
