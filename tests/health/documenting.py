"""The facts of docs/findings.md, from the registry: `python -m tests.health.documenting` writes them anew.

The prose of a finding is written by hand below its facts and stays as it is.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from console.health.method import CONSTANTS
from console.health.registry import STAGES, Check, Threshold, checks
from console.settings.schema import FINDINGS

DOC = Path(__file__).parents[2] / "docs" / "findings.md"
BEGIN, END = "<!-- facts -->", "<!-- /facts -->"
METHOD = "How causes are found"
KINDS = {
    "rows": "names its rows",
    "aggregate": "a figure over many rows, evaluated again without a cause's rows",
    "state": "what the server says of itself",
    "drift": "held against the baseline",
}


def number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def thresholds(held: tuple[Threshold, ...], name: str = "threshold") -> list[str]:
    if not held:
        return []
    rows = [f"| `{t.name}` | {number(t.default)} | {cell(t.why)} |" for t in held]
    return ["", f"| {name} | default | where it comes from |", "| --- | --- | --- |", *rows]


def facts(check: Check) -> str:
    """The block of one code."""
    head = (
        f"**{check.fault[0].upper()}{check.fault[1:]}** · {', '.join(check.severities)} · {KINDS[check.kind]} · "
        f"stage {check.stage} · remedies: {', '.join(f'`{a}`' for a in check.actions)}"
    )
    return "\n".join([BEGIN, head, *thresholds(check.thresholds), END])


def method() -> str:
    """The block of the method's constants."""
    return "\n".join([BEGIN, *thresholds(CONSTANTS, "constant")[1:], END])


def sections(text: str) -> dict[str, str]:
    """Heading -> what stands below it, up to the next heading of level two."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {parts[i].strip(): parts[i + 1] for i in range(1, len(parts), 2)}


def block(section: str) -> str:
    """The facts of a section, "" where it has none."""
    found = re.search(f"{re.escape(BEGIN)}.*?{re.escape(END)}", section, flags=re.DOTALL)
    return found.group(0) if found else ""


def prose(section: str) -> str:
    return section.replace(block(section), "").strip() if block(section) else section.strip()


def rewritten(text: str) -> str:
    """The document with today's facts: codes in the order of the settings' list, prose as it was."""
    intro = text.split("\n## ")[0].rstrip()
    held = sections(text)
    parts = [intro]
    for name, body in held.items():
        if name not in checks():
            told = prose(body)
            parts.append(f"## {name}\n\n{told}\n\n{method()}" if name == METHOD else f"## {name}\n\n{told}")
    for code in FINDINGS:
        check = checks()[code]
        parts.append(f"## {code}\n\n{facts(check)}\n\n{prose(held.get(code, '')) or missing(check)}")
    return "\n\n".join(parts) + "\n"


def missing(check: Check) -> str:
    return textwrap.fill(f"{check.fault[0].upper()}{check.fault[1:]}.", 110)


def main() -> None:
    DOC.write_text(rewritten(DOC.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

__all__ = ["DOC", "FINDINGS", "STAGES", "block", "facts", "method", "prose", "rewritten", "sections"]
