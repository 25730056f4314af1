"""docs/cli.md has a place for each command, each option of a query, each error code."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from connectors.errors import CODES
from console.cli.parser import COMMANDS, build

HOUSE = Path(__file__).parents[2]
TEXT = (HOUSE / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_its_place(command: str) -> None:
    assert f"| `plumbline {command}" in TEXT


@pytest.mark.parametrize("code", CODES)
def test_each_error_code_has_its_place(code: str) -> None:
    assert f"`{code}`" in TEXT


def test_no_command_is_documented_that_is_not_there() -> None:
    documented = {
        line.split()[2].rstrip("`") for line in TEXT.splitlines() if line.startswith("| `plumbline ")
    }
    assert documented == set(COMMANDS)


def test_each_option_of_a_query_has_its_place() -> None:
    (commands,) = [a for a in build()._actions if isinstance(a, argparse._SubParsersAction)]
    query = commands.choices["query"]
    common = {"--help", "--timeout"}
    for action in query._actions:
        for option in action.option_strings:
            if option.startswith("--") and option not in common:
                assert f"{option}" in TEXT, option


def test_the_tree_of_the_house_names_every_room_once() -> None:
    text = (HOUSE / "docs" / "house.md").read_text()
    tree = text.split("```")[1].split("console/  ", 1)[1].split("\npages/", 1)[0]
    named = re.findall(r"(?:^  |  )([a-z]+)/ {2,}", tree, re.MULTILINE)
    rooms = {p.name for p in (HOUSE / "console").iterdir() if (p / "__init__.py").exists()}
    assert len(named) == len(set(named))
    assert set(named) <= rooms
    assert {"settings", "encoders", "search", "demo", "store", "health", "jobs"} <= set(named)
