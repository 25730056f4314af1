"""docs/truth.md: what the runs of planted faults and of clean collections gave."""

from __future__ import annotations

import collections
import functools
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.running import Verdict, shortfalls

ROOT = Path(__file__).resolve().parents[2]


def write(page: Path, name: str, body: str) -> None:
    """Sets what stands between the page's two markers of that name."""
    text = page.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    found = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    if not found.search(text):
        raise ValueError(f"{page} has no place {start}")
    page.write_text(found.sub(lambda _: f"{start}\n{body}\n{end}", text), encoding="utf-8")


def section(verdicts: Sequence[Verdict], arguments: Sequence[str], took: float, *, clean: bool) -> str:
    """The run's own words and its table."""
    asked = [a for i, a in enumerate(arguments) if a != "--page" and (i == 0 or arguments[i - 1] != "--page")]
    ran = " ".join(["python -m tests.faults", *asked])
    said = f"`{ran}` on {time.strftime('%Y-%m-%d', time.gmtime())}, {len(verdicts):,} runs in {took:,.0f} s"
    short = shortfalls(verdicts)
    goals = "The goals are met." if not short else "Below the goals: " + "; ".join(short) + "."
    rows = _clean(verdicts) if clean else _planted(verdicts)
    return "\n".join([f"{said}, {commit()}. {goals}", "", *rows])


@functools.cache
def commit() -> str:
    """The code that runs: asked for at the beginning, since a run lasts longer than somebody takes to commit."""
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%d %H:%M"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=True, env={"TZ": "UTC"})
    except (OSError, subprocess.CalledProcessError):
        return "without a commit"
    return f"with the code of the commit of {done.stdout.strip()} UTC"


def _by(verdicts: Sequence[Verdict]) -> list[tuple[str, list[Verdict]]]:
    by: dict[str, list[Verdict]] = collections.defaultdict(list)
    for v in verdicts:
        by[v.name].append(v)
    return [*sorted(by.items()), ("**all**", list(verdicts))]


def _planted(verdicts: Sequence[Verdict]) -> list[str]:
    rows = [
        "| fault | runs | found | missed | root first | false | rows or group wrong |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, held in _by(verdicts):
        found = sum(v.found for v in held)
        first = sum(v.found and v.root for v in held)
        false, wrong = sum(bool(v.false) for v in held), sum(bool(v.wrong) for v in held)
        rows.append(
            f"| {name} | {len(held):,} | {found:,} | {len(held) - found:,} | {first:,} | {false:,} | {wrong:,} |"
        )
    return rows


def _clean(verdicts: Sequence[Verdict]) -> list[str]:
    rows = ["| collection | runs | silent | accused |", "| --- | ---: | ---: | ---: |"]
    for name, held in _by(verdicts):
        accused = sum(bool(v.false) for v in held)
        rows.append(f"| {name} | {len(held):,} | {len(held) - accused:,} | {accused:,} |")
    return rows
