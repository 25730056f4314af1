"""A report to paste into an incident. No text of a payload becomes a link, a picture, a mention or HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from console.health.render import reading
from console.health.render.reading import Data
from console.health.wording import plain

JOINER: Final = "\u2060"
"""Word joiner: not seen, and ends what would be taken for a URL, a mention or a reference."""
_MARKS: Final = re.compile(r"([\\`*_{}\[\]()<>#|~&!^$])")
_LIVE: Final = re.compile(
    r"(?i)(:)(?=//)|(@)(?=\w)|(#)(?=\w)|(\bwww)(?=\.)|(\bmailto)(?=:)|(\bjavascript)(?=:)"
)
_BLOCK: Final = re.compile(r"^(\s*)([-+=]|\d+[.)])")


def to_markdown(data: Data) -> str:
    """GitHub and GitLab flavour, without raw HTML."""
    held = reading.parts(data)
    out = [
        f"## {reading.verdict(data)}: {code(reading.address(data))}",
        "",
        f"**{text(reading.headline(data))}**" if reading.headline(data) else "",
        "",
        text(f"{reading.basis(data)}."),
        f"Report {code(str(data.get('id') or ''))}, server {code(_server(data))}, policy {code(_policy(data))}.",
    ]
    for root in held.roots:
        finding = root.finding
        out += [
            "",
            f"### {finding.get('severity')}: {code(str(finding['code']))}",
            "",
            text(reading.summary(finding)),
        ]
        if told := reading.share(finding):
            out += ["", f"- {text(told)}"]
        else:
            out += [""]
        if told := reading.acceptance(finding):
            out.append(f"- accepted: {text(told)}")
        out += [f"- {text(name)}: {code(shown)}" for name, shown in reading.evidence(finding)]
        ids, more = reading.ids(finding, 10)
        if ids:
            out.append(f"- rows: {', '.join(code(i) for i in ids)}{f' and {more:,} more' if more else ''}")
        action, advice = reading.remedy(finding)
        if advice:
            out += ["", f"What to do ({code(action)}): {text(advice)}"]
        if root.symptoms:
            out += ["", "Follows from it:", ""]
            out += [f"- {code(str(f['code']))}: {text(reading.summary(f))}" for f in root.symptoms]
    if held.others:
        out += ["", "### Also seen", ""]
        out += [
            f"- {f.get('severity')} {code(str(f['code']))}: {text(reading.summary(f))}" for f in held.others
        ]
    if held.accepted:
        out += ["", "### Accepted", ""]
        out += [
            f"- {code(str(f['code']))}: {text(reading.summary(f))} Accepted: {text(reading.acceptance(f))}"
            for f in held.accepted
        ]
    if held.limits:
        out += ["", "### What this report can not see", "", *(f"- {text(line)}" for line in held.limits)]
    if held.not_measured:
        out += ["", "### Not measured", ""]
        out += [
            f"- {', '.join(code(c) for c in checks)}: {text(why)}"
            for why, checks in reading.grouped(held.not_measured)
        ]
    return "\n".join(out)


def unexamined(address: str, error: Mapping[str, str]) -> str:
    """An address that could not be examined, and why."""
    told = " ".join(error.get(k, "") for k in ("message", "hint")).strip()
    return f"## Not examined: {code(address)}\n\n{text(plain(told))}\n\nError {code(error.get('code', ''))}."


def skipped(address: str, why: str) -> str:
    """An address that there was nothing to examine of, and why."""
    return f"## Skipped: {code(address)}\n\n{text(why)}"


def text(held: str) -> str:
    """One line in which nothing is markup."""
    live = _LIVE.sub(lambda m: f"{m.group()}{JOINER}", plain(held, 2000))
    escaped = _MARKS.sub(r"\\\1", live)
    return _BLOCK.sub(r"\1\\\2", escaped) if not escaped[:1].isdigit() else _numbered(escaped)


def _numbered(escaped: str) -> str:
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", escaped)


def code(held: str) -> str:
    """A code span, fenced longer than any run of backticks inside."""
    held = plain(held, 400)
    runs = [len(run) for run in re.findall(r"`+", held)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if not held or held.startswith("`") or held.endswith("`") else ""
    # A bar would end a table's cell; spans are used in lists only.
    return f"{fence}{pad}{held}{pad}{fence}"


def _server(data: Data) -> str:
    server = cast("Data", data.get("server") or {})
    return f"{server.get('kind', '')} {server.get('version') or 'of unknown version'}".strip()


def _policy(data: Data) -> str:
    policy = cast("Data", data.get("policy") or {})
    return f"{policy.get('name', '')} {policy.get('version', '')}".strip() or "unknown"
