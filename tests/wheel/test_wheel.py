"""The wheel as a stranger gets it: one name, beside another package that owns the name `console`."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.wheel.conftest import Installed, get


def test_the_wheel_ships_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {n.split("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"plumbline"}
    assert "plumbline/pages/query.py" in names
    assert "plumbline/pages/health.py" in names
    assert "plumbline/.streamlit/config.toml" in names
    assert sum(n.endswith(".safetensors") for n in names) == 2
    assert not [n for n in names if "__pycache__" in n or "/tests/" in n]


def test_version_answers_from_a_foreign_folder(installed: Installed) -> None:
    done = installed("--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_demo_is_made_and_searched_from_a_foreign_folder(
    installed: Installed, demo: dict[str, int]
) -> None:
    assert set(demo) == {"demo/scenes", "demo/scenes-old", "demo/scenes-broken"}
    assert set(demo.values()) == {6000}
    answer = installed.json("query", "demo/scenes", "--text", "a red circle")
    assert answer["encoder"]["name"] == "scenes-v2"
    assert len(answer["hits"]) == 10


@pytest.mark.parametrize("path", ["healthz", "", "query", "health"])
def test_the_pages_are_served(console: str, path: str) -> None:
    assert get(f"{console}/{path}").status == 200
