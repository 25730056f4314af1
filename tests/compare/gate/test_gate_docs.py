"""docs/gate.md has a place for each condition, with its limits, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.compare.gate.registry import conditions
from console.settings.gate import CONDITIONS
from tests.compare.gate.parts import sound
from tests.compare.gate.test_verdict import told

TEXT = (Path(__file__).parents[3] / "docs" / "gate.md").read_text("utf-8")
PLACES = dict(re.findall(r"^### `([a-z-]+)`\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))


def test_every_condition_has_its_place_in_the_order_of_the_settings() -> None:
    assert list(PLACES) == list(CONDITIONS)


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_place_says_what_must_hold(name: str) -> None:
    asks = conditions()[name].asks
    said = re.sub(r"\s+", " ", PLACES[name].replace("*", ""))
    assert f"{asks[0].upper()}{asks[1:]}" in said


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_limit_and_its_default_is_said(name: str) -> None:
    for key, default in CONDITIONS[name].items():
        if isinstance(default, float | int) and not isinstance(default, bool) and key != "settle":
            assert f"{default:,g}".removeprefix("0") in PLACES[name], key
        else:
            assert key in PLACES[name]


def test_every_key_of_the_json_is_said() -> None:
    told_json = TEXT.split("## JSON")[1]
    for key in told(sound())["quality"]:
        assert f'"{key}"' in told_json
