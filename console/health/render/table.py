"""A report for the terminal: the verdict, the causes, what follows; what was not measured last."""

from __future__ import annotations

import textwrap
from typing import Final

from console.health.render import reading
from console.health.render.reading import Data

LEAST: Final = 40
_COLORS: Final = {"broken": "31;1", "degraded": "33;1", "healthy": "32;1", "not_known": "1"}
_SEVERITY: Final = {"critical": "31", "warning": "33", "info": "2"}


def to_table(data: Data, width: int = 80, color: bool = False) -> list[str]:
    """Lines of at most `width` columns; `color`: with ANSI sequences. No control character of the data is left."""
    width = max(LEAST, width)
    held = reading.parts(data)

    def paint(text: str, code: str | None) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color and code else text

    def wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
        return textwrap.wrap(
            text,
            width,
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_long_words=True,
            break_on_hyphens=False,
        )

    out = [paint(reading.verdict(data), _COLORS.get(str(data["verdict"]))) + f"  {reading.address(data)}"]
    out += wrapped(reading.headline(data))
    out += wrapped(f"{reading.basis(data)}. Report {reading.value(str(data.get('id') or ''))}.")
    for root in held.roots:
        finding = root.finding
        severity = str(finding.get("severity"))
        out += ["", paint(f"{severity.upper()}  {finding['code']}", _SEVERITY.get(severity))]
        out += wrapped(reading.summary(finding), "  ")
        if told := reading.share(finding):
            out += wrapped(told, "  ")
        if told := reading.acceptance(finding):
            out += wrapped(f"Accepted: {told}", "  ")
        out += [
            line for name, text in reading.evidence(finding, 6) for line in wrapped(f"{name}: {text}", "    ")
        ]
        ids, more = reading.ids(finding)
        if ids:
            out += wrapped(f"rows: {', '.join(ids)}{f' and {more:,} more' if more else ''}", "    ")
        action, text = reading.remedy(finding)
        if text:
            out += wrapped(f"{action}: {text}", "    ", "  > ")
        if root.symptoms:
            out += wrapped(f"Follows from it ({len(root.symptoms)}):", "  ")
            for one in root.symptoms:
                out += wrapped(f"{one['code']}: {reading.summary(one)}", "      ", "    - ")
    if held.others:
        out += ["", "Also seen"]
        for one in held.others:
            out += wrapped(f"{one.get('severity')} {one['code']}: {reading.summary(one)}", "    ", "  - ")
    if held.accepted:
        out += ["", "Accepted"]
        for one in held.accepted:
            told = f"{one['code']}: {reading.summary(one)} Accepted: {reading.acceptance(one)}"
            out += wrapped(told, "    ", "  - ")
    if held.limits:
        out.append("")
        for line in held.limits:
            out += wrapped(line)
    if held.not_measured:
        out += ["", "Not measured"]
        for why, checks in reading.grouped(held.not_measured):
            out += wrapped(f"{', '.join(checks)}: {why}", "    ", "  - ")
    return out
