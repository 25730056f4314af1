"""The table's command: what it ends with, and the page that it writes."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest

from tests.faults import __main__ as command
from tests.faults.plants import FAULTS
from tests.faults.running import Verdict, shortfalls
from tests.faults.truth import ROOT, section, write

GOOD = [Verdict("zero")] * 99


def ran(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["faults", "--kind", "weaviate", *arguments])
    return command.main()


def test_each_goal_is_held() -> None:
    assert shortfalls(GOOD) == []
    assert shortfalls([*GOOD, Verdict("zero", False)]) == []
    assert len(shortfalls([*GOOD[:90], Verdict("zero", False)])) == 1
    assert shortfalls([*GOOD[:95], *[Verdict("zero", root=False)] * 5]) == []
    assert len(shortfalls([*GOOD[:94], *[Verdict("zero", root=False)] * 6])) == 1
    assert len(shortfalls([*GOOD, Verdict("zero", false=["norm-drift (warning)"])])) == 1
    assert len(shortfalls([*GOOD[:90], Verdict("zero", wrong=["rows"])])) == 1
    assert shortfalls([]) == ["nothing was run"]


def test_it_ends_well_where_all_is_found_and_badly_where_one_is_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--base", "small", "--fault", "zero")
    assert ran(monkeypatch, *asked) == 0
    untouched = dataclasses.replace(FAULTS["zero"], plant=FAULTS["tags-only"].plant)
    monkeypatch.setitem(FAULTS, "zero", untouched)
    assert ran(monkeypatch, *asked) == 0, "told by its own truth"
    plant = FAULTS["untagged"].plant
    monkeypatch.setitem(
        FAULTS,
        "zero",
        dataclasses.replace(
            untouched, plant=lambda b, n, r: dataclasses.replace(plant(b, n, r), roots=("zero-vectors",))
        ),
    )
    assert ran(monkeypatch, *asked) == 1
    assert "0 of 3 found, 99% wanted" in capsys.readouterr().out


def test_the_page_takes_the_table_in_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "truth.md"
    shutil.copy(ROOT / "docs" / "truth.md", page)
    before = page.read_text(encoding="utf-8")
    assert ran(monkeypatch, "--clean", "--second", "--base", "small", "--page", str(page)) == 0
    after = page.read_text(encoding="utf-8")
    assert "`python -m tests.faults --kind weaviate --clean --second --base small`" in after
    assert "| small | 1 | 1 | 0 |" in after
    for name in ("faults-first", "faults-second", "clean-first"):
        mark = f"<!-- {name} -->"
        assert after.split(mark)[1].split("<!-- /")[0] == before.split(mark)[1].split("<!-- /")[0]
    with pytest.raises(ValueError, match="no place"):
        write(page, "other", "")


def test_the_table_adds_up() -> None:
    verdicts = [
        Verdict("nan"),
        Verdict("nan", False),
        Verdict("zero", root=False),
        Verdict("zero", false=["x"]),
    ]
    rows = section(verdicts, ["--page", "x.md", "--seeds", "2"], 1.0, clean=False).splitlines()
    assert rows[0].startswith("`python -m tests.faults --seeds 2` on ")
    assert "| nan | 2 | 1 | 1 | 1 | 0 | 0 |" in rows
    assert "| zero | 2 | 2 | 0 | 1 | 1 | 0 |" in rows
    assert rows[-1] == "| **all** | 4 | 3 | 1 | 2 | 1 | 0 |"
