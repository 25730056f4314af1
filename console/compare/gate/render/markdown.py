"""A gate to paste into a change request. No text of a payload becomes a link, a picture, a mention or HTML."""

from __future__ import annotations

from console.compare.gate.render import reading
from console.compare.gate.render.reading import Data
from console.health.render.markdown import code, text


def to_markdown(data: Data) -> str:
    """GitHub and GitLab flavour, without raw HTML."""
    left, right = reading.sides(data)
    out = [
        f"## {reading.verdict(data)}: {code(left)} to {code(right)}",
        "",
        f"**{text(str(data.get('summary') or ''))}**",
        "",
        text(
            f"{', '.join(p for p in (reading.when(data), reading.golden(data), reading.evidence(data)) if p)}."
        ),
        "",
        "| condition | verdict | figure | limit | bounds |",
        "| --- | --- | --- | --- | --- |",
    ]
    held = reading.conditions(data)
    out += [_row(one) for one in held]
    out.append("")
    for one in held:
        told = text(" ".join(p for p in (reading.why(one), reading.waiver(one)) if p))
        out.append(f"- {code(str(one['name']))}: {told}")
    if lines := reading.left_out(data):
        out += ["", "Not asked for:", "", *(f"- {text(line)}" for line in lines)]
    if lines := reading.notes(data):
        out += ["", *(text(line) for line in lines)]
    return "\n".join(out)


def _row(one: Data) -> str:
    interval = one.get("interval") or ()
    bounds = " and ".join(reading.number(x) for x in interval)
    limit = "" if one.get("limit") is None else reading.number(one["limit"])
    cells = (str(one["name"]), reading.NAMES[reading.state(one)], reading.figure(one), limit, bounds)
    return f"| {' | '.join(text(cell) if cell.strip() else '' for cell in cells)} |"
