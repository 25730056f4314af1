"""A gate for the terminal: the verdict, then each condition with its sentence, the worst first."""

from __future__ import annotations

import textwrap
from typing import Final

from console.compare.gate.render import reading
from console.compare.gate.render.reading import Data

LEAST: Final = 40
_COLORS: Final = {"fail": "31;1", "not_measurable": "33;1", "waived": "33", "pass": "32"}


def to_table(data: Data, width: int = 80, color: bool = False, verbose: bool = False) -> list[str]:
    """Lines of at most `width` columns. `color`: with ANSI sequences. `verbose`: with figures and limits."""
    width = max(LEAST, width)

    def paint(text: str, code: str | None) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color and code else text

    def wrapped(text: str, indent: str = "") -> list[str]:
        return textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )

    left, right = reading.sides(data)
    out = [paint(reading.verdict(data), _COLORS[str(data["verdict"])])]
    out += wrapped(f"{left} -> {right}, {reading.golden(data)}")
    out += wrapped(reading.summary(data))
    for one in reading.conditions(data):
        state = reading.state(one)
        out += ["", f"{paint(reading.NAMES[state], _COLORS[state])}  {one['name']}: {one.get('asks') or ''}"]
        out += wrapped(reading.why(one), "  ")
        if told := reading.waiver(one):
            out += wrapped(told, "  ")
        if verbose and (told := reading.figures(one)):
            out += wrapped(told, "    ")
    if lines := reading.left_out(data):
        out += ["", "Not asked for"]
        out += [line for one in lines for line in wrapped(one, "  ")]
    out += ["", *wrapped(", ".join(p for p in (reading.when(data), reading.evidence(data)) if p))]
    return out
