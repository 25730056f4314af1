"""A report for the terminal: the verdict, the causes, what follows; what was not measured last."""

from __future__ import annotations

import textwrap
from typing import Final

from console.health.render import reading
from console.health.render.reading import Data

LEAST: Final = 40
EVIDENCE: Final = 14
"""Lines of evidence for each cause."""
_COLORS: Final = {"broken": "31;1", "degraded": "33;1", "healthy": "32;1", "not_known": "1"}
_SEVERITY: Final = {"critical": "31", "warning": "33", "info": "2"}


def to_table(data: Data, width: int = 80, color: bool = False, verbose: bool = False) -> list[str]:
    """Lines of at most `width` columns. No control character of the data is left.

    `color`: with ANSI sequences. `verbose`: with each cause's evidence and every sentence in full; else what
    follows from a cause, what was also seen and what was not measured take a line each.
    """
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

    def item(text: str, indent: str = "  ") -> list[str]:
        first, rest = f"{indent}- ", f"{indent}  "
        return wrapped(text, rest, first) if verbose else [_cut(first + text, width)]

    out = [paint(reading.verdict(data), _COLORS.get(str(data["verdict"]))) + f"  {reading.address(data)}"]
    out += wrapped(reading.headline(data))
    # Nothing follows the id: terminals take a full stop for a part of the word.
    out += wrapped(f"{reading.basis(data)}. Report {reading.value(str(data.get('id') or ''))}")
    for root in held.roots:
        finding = root.finding
        severity = str(finding.get("severity"))
        out += ["", paint(f"{severity.upper()}  {finding['code']}", _SEVERITY.get(severity))]
        out += wrapped(reading.summary(finding), "  ")
        if told := reading.share(finding):
            out += wrapped(told, "  ")
        if told := reading.acceptance(finding):
            out += wrapped(f"Accepted: {told}", "  ")
        if verbose:
            told_by = reading.evidence(finding, EVIDENCE)
            out += [line for name, text in told_by for line in wrapped(f"{name}: {text}", "    ")]
        ids, more = reading.ids(finding, 4 * reading.IDS if verbose else reading.IDS)
        if ids:
            such = "" if not more and len(ids) == finding.get("rows") else " such as"
            out += wrapped(f"rows{such}: {', '.join(ids)}", "    ")
        action, text = reading.remedy(finding)
        if text:
            out += wrapped(f"{action}: {text}", "    ", "  > ")
        if root.symptoms:
            out.append(f"  Follows from it ({len(root.symptoms)}):")
            for one in root.symptoms:
                out += item(f"{one['code']}: {reading.summary(one)}", "    ")
    if held.others:
        out += ["", "Also seen"]
        for one in held.others:
            out += item(f"{one.get('severity')} {one['code']}: {reading.summary(one)}")
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
        out += ["", "Not measured" if verbose else "Not measured (--verbose says all)"]
        for why, checks in reading.grouped(held.not_measured):
            out += item(f"{', '.join(checks)}: {why}")
    return out


def _cut(text: str, width: int) -> str:
    """Text at most `width` columns, cut between words."""
    return textwrap.wrap(text, width, max_lines=1, placeholder=" …", break_on_hyphens=False)[0]
