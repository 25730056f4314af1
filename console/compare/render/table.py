"""A comparison for the terminal: the sentence, the figures, the most changed queries."""

from __future__ import annotations

import textwrap

from console.compare.render import reading
from console.compare.render.reading import Data
from console.health.wording import plain

LEAST = 40


def to_table(data: Data, width: int = 80, *, verbose: bool = False) -> list[str]:
    """Lines of at most `width` columns, but for ids. No control character of the data is left."""
    width = max(LEAST, width)

    def wrapped(text: str, indent: str = "") -> list[str]:
        return textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
        )

    out = [reading.title(data), *wrapped(plain(data["summary"], 600))]
    out += wrapped(f"{reading.basis(data)} Comparison {data['id']}")
    for name, text in reading.sides(data):
        out += wrapped(f"{name}: {text}", "  ")
    out += ["", "Neighbours"]
    for name, text in reading.figures(data):
        out += wrapped(f"{name}: {text}", "  ")
    if held := reading.quality(data):
        out += ["", "Judged"]
        out += [
            line
            for name, old, new, apart in held
            for line in wrapped(f"{name}: {old} -> {new}, {apart}", "  ")
        ]
    if held := reading.translations(data):
        out += ["", "Threshold"]
        out += [line for text in held for line in wrapped(text, "  ")]
    if held := reading.cohorts(data):
        out += ["", "By cohort, worst first"]
        for name, queries, overlap, apart in held:
            out += wrapped(
                f"{name}: overlap {overlap}, {queries} queries{f', nDCG {apart}' if apart else ''}", "  "
            )
    most = reading.changed(data, 20) if verbose else reading.changed(data, 5, 2)
    if most:
        out += ["", "Most changed"]
    for query, overlap, lost, gained in most:
        out += wrapped(f"{overlap}  {query}", "  ")
        if lost:
            out += wrapped(f"lost {lost}", "      ")
        if gained:
            out += wrapped(f"gained {gained}", "      ")
    if said := reading.remarks(data):
        out += [""] + [line for one in said for line in wrapped(one)]
    if data["not_measured"]:
        out += ["", "Not measured"]
        for held in data["not_measured"]:
            out += wrapped(f"{held['what']}: {plain(held['why'], 300)}", "  ")
    return out
