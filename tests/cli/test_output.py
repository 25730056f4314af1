"""What reaches a terminal or a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from console.cli.output import cut, pairs, plain, printable, sentence, table, width_of, write_json


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u200bb", "a\\u200bb"),
        ("\u2028", "\\u2028"),
        ("\udc80", "\\udc80"),
        ("\U000e0001", "\\U000e0001"),
        ("Zügel ✓ 日本", "Zügel ✓ 日本"),
    ],
)
def test_nothing_printed_can_steer_a_terminal(text: str, told: str) -> None:
    assert printable(text) == told
    assert table(["x"], [[text]], 80)[1] == told
    assert pairs([("x", text)])[0] == f"x  {told}"


def test_keys_and_values_of_payloads_are_neutralised_too() -> None:
    line = table(["row"], [[{"\x1b[2J": ["\x07", {"a": "\u202e"}]}]], 80)[1]
    assert line.isprintable()


def test_a_table_fits_the_terminal_and_says_where_something_is_missing() -> None:
    lines = table(["Address", "Rows", "Remark"], [["prod/" + "x" * 200, 1234567, "y" * 200]], 80)
    assert all(width_of(line) <= 80 for line in lines)
    assert "1,234,567" in lines[1]
    assert lines[1].count("…") == 2


@pytest.mark.parametrize("width", [1, 10, 40])
def test_a_terminal_that_is_too_narrow_does_no_harm(width: int) -> None:
    lines = table(["Address", "Rows", "Remark"], [["prod/" + "x" * 200, 1234567, "y" * 200]], width)
    assert all(width_of(line) <= max(width, 22) for line in lines)


def test_what_is_to_be_copied_is_cut_last() -> None:
    lines = table(["Id", "Row"], [["i" * 36, "r" * 500]], 80, whole=[0])
    assert lines[1].split()[0] == "i" * 36
    assert width_of(lines[1]) == 80
    assert all(width_of(line) <= 80 for line in table(["Id", "Row"], [["i" * 360, "r" * 500]], 80, whole=[0]))


def test_wide_characters_take_two_columns() -> None:
    assert width_of("日本") == 4
    assert cut("日本語", 5) == "日本…"
    assert width_of("e\u0301") == 1


def test_what_is_to_be_copied_is_whole_where_nothing_fits() -> None:
    lines = table(
        ["Gate", "At", "Old", "New"], [["g" * 12, "2026-12-01 00:34", "a" * 30, "b" * 30]], 30, whole=[0, 1]
    )
    assert lines[1].startswith(f"{'g' * 12}  2026-12-01 00:34  ")
    assert lines[1].endswith(f"{'b' * 5}…")


def test_an_empty_table_is_its_head() -> None:
    assert table(["A", "B"], [], 80) == ["A  B"]


def test_numbers_stand_right_and_what_is_not_there_is_a_dash() -> None:
    assert table(["n"], [[5], [12345], [None], [float("nan")]], 80) == [
        "     n",
        "     5",
        "12,345",
        "     -",
        "     -",
    ]


def test_json_holds_no_number_that_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    write_json(
        {
            "nan": float("nan"),
            "inf": [float("inf"), -float("inf")],
            "np": np.float32("nan"),
            "array": np.array([1.0, np.nan], dtype=np.float32),
            "id": 2**64 - 1,
            "path": Path("/x"),
            "bytes": b"\x00\xff",
            "lone": "\ud800",
            "escape": "\x1b[31m",
            3: (1, 2),
        }
    )
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out, parse_constant=lambda _: pytest.fail("not JSON")) == {
        "nan": None,
        "inf": [None, None],
        "np": None,
        "array": [1.0, None],
        "id": 2**64 - 1,
        "path": "/x",
        "bytes": "AP8=",
        "lone": "?",
        "escape": "\x1b[31m",
        "3": [1, 2],
    }


def test_a_value_that_json_does_not_know_becomes_its_text() -> None:
    assert plain({"x": complex(1, 2)}) == {"x": "(1+2j)"}


def test_an_error_is_one_sentence_with_its_code() -> None:
    error = {"code": "timeout", "message": "No answer", "where": "prod", "hint": "Wait."}
    assert sentence(error) == "prod: No answer. Wait. [timeout]"
    assert sentence(error, "list") == "list (prod): No answer. Wait. [timeout]"
    assert sentence({**error, "where": "", "hint": ""}, "list") == "list: No answer. [timeout]"
