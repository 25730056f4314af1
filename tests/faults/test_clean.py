"""Clean collections, the hard ones among them, must stay silent: nothing of severity warning or above."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.bases import CLEAN, FIRST, SECOND, SECOND_CLEAN, lacking
from tests.faults.plants import Planted
from tests.faults.running import run, silent


@pytest.mark.parametrize("seed", [FIRST, SECOND])
@pytest.mark.parametrize("kind", ["qdrant", "weaviate"])
@pytest.mark.parametrize("name", CLEAN)
def test_it_is_not_accused(tmp_path: Path, name: str, kind: str, seed: int) -> None:
    """The second seed by the generator that no threshold was looked at with."""
    if why := lacking(name):
        pytest.skip(why)
    held = SECOND_CLEAN if seed == SECOND else CLEAN
    if name not in held:
        pytest.skip("it is the same whatever the seed")
    base = held[name](seed)
    report = run(tmp_path, kind, Planted(base, None, ()))
    assert silent(report) == []
    rows = report.data["rows"]
    assert report.data["verdict"] == ("healthy" if rows else "not_known")
    assert report.data["scanned"] == rows
    assert not any(n["why"].startswith("The check failed") for n in report.data["not_measured"])


@pytest.mark.parametrize("name", ["text", "mixed", "2-clusters", "lognormal", "products"])
def test_nor_when_it_is_sampled(tmp_path: Path, name: str) -> None:
    report = run(tmp_path, "weaviate", Planted(CLEAN[name](FIRST), None, ()), sample=1_000)
    assert silent(report) == []
    assert not report.data["exact"]
