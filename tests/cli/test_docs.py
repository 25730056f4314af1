"""docs/cli.md has a place for each command, each option of a query, each error code."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from connectors.errors import CODES
from console.cli.parser import COMMANDS, build

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


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
