"""A comparison to paste into a decision. No text of a payload becomes a link, a picture, a mention or HTML."""

from __future__ import annotations

from console.compare.render import reading
from console.compare.render.reading import Data
from console.health.render.markdown import code, text


def to_markdown(data: Data) -> str:
    """GitHub and GitLab flavour, without raw HTML."""
    out = [
        f"## Compared: {code(reading.title(data))}",
        "",
        f"**{text(data['summary'])}**",
        "",
        text(reading.basis(data)),
        "",
        *(f"- {text(name)}: {text(said)}" for name, said in reading.sides(data)),
        "",
        f"Comparison {code(str(data['id']))}, {text(str(data['at']))}.",
        "",
        "| figure | value |",
        "| --- | --- |",
        *(f"| {text(name)} | {text(said)} |" for name, said in reading.figures(data)),
    ]
    if held := reading.quality(data):
        out += ["", "### Judged", "", "| metric | old | new | difference |", "| --- | ---: | ---: | --- |"]
        out += [f"| {text(a)} | {text(b)} | {text(c)} | {text(d)} |" for a, b, c, d in held]
    if held := reading.translations(data):
        out += ["", "### Threshold", "", *(f"- {text(said)}" for said in held)]
    if held := reading.cohorts(data):
        out += [
            "",
            "### By cohort, worst first",
            "",
            "| cohort | queries | overlap | nDCG |",
            "| --- | ---: | --- | --- |",
        ]
        out += [f"| {text(a)} | {b} | {text(c)} | {text(d)} |" for a, b, c, d in held]
    if most := reading.changed(data):
        out += [
            "",
            "### Most changed",
            "",
            "| query | overlap | lost | gained |",
            "| --- | ---: | --- | --- |",
        ]
        out += [f"| {text(a)} | {b} | {text(c)} | {text(d)} |" for a, b, c, d in most]
    if said := reading.remarks(data):
        out += ["", *(f"- {text(one)}" for one in said)]
    if data["not_measured"]:
        out += [
            "",
            "### Not measured",
            "",
            *(f"- {text(h['what'])}: {text(h['why'])}" for h in data["not_measured"]),
        ]
    return "\n".join(out)
