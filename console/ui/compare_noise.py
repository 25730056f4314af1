"""How much of the change is the models', and how much the index or rounding would bring about alone."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from console.compare.words import NAMED
from console.ui import charts, compare_words
from console.ui.charts import Palette
from console.ui.compare_words import SIDES
from console.ui.note import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

ANCHORS: Final = ("fp16", "bf16", "int8")

Line = tuple[str, Mapping[str, Any], str]
"""A name, its figure, and its kind: change, noise."""


def draw(data: Mapping[str, Any], palette: Palette) -> None:
    st.subheader("What is change, and what is noise", anchor=False)
    noise: Mapping[str, Any] = data.get("noise") or {}
    lines, lacking = _lines(data, noise)
    chance = noise.get("chance")
    if lines:
        st.plotly_chart(
            charts.kept(palette, ("noise", data.get("id")), lambda: _whiskers(lines, chance, palette)),
            config=charts.CONFIG,
            key="compare.noise.picture",
            alt="; ".join(_said(line) for line in lines) + ".",
        )
    said = ["The share of the neighbours that stay from the old side to the new one, searched exactly, beside what a "
            "side's own index, or rounding its vectors, leaves of its exact neighbours. A change no larger than that is "
            "no news."]  # fmt: skip
    if isinstance(chance, (int, float)):
        said.append(f"By chance alone {compare_words.number(chance, 4)} of the neighbours would be shared.")
    note([*said, *(f"{name}: not measured. {why}" for name, why in lacking)], key="compare.noise.note")
    charts.data(
        "noise",
        ["figure", "mean", "low", "high"],
        [[n, f.get("mean"), f.get("low"), f.get("high")] for n, f, _ in lines],
        "compare",
    )


def _lines(data: Mapping[str, Any], noise: Mapping[str, Any]) -> tuple[list[Line], list[tuple[str, str]]]:
    """What is measured, and what is not with its reason."""
    lines: list[Line] = []
    lacking: list[tuple[str, str]] = []

    def put(name: str, held: Any, kind: str) -> None:
        found = compare_words.measured(held)
        if found is not None and isinstance(found.get("mean"), (int, float)):
            lines.append((name, found, kind))
        elif why := compare_words.why(held):
            lacking.append((name, why))

    put("Old to new, exact", data.get("overlap_at_k"), "change")
    put("Old to new, by index", noise.get("both_indexes"), "change")
    for side in SIDES:
        put(f"{NAMED[side].capitalize()}, by index", noise.get(f"{side}_index"), "noise")
    for side in SIDES:
        anchors = (noise.get("anchors") or {}).get(side)
        if compare_words.measured(anchors) is None:
            put(f"{NAMED[side].capitalize()}, rounded", anchors, "noise")
            continue
        for name in ANCHORS:
            put(f"{NAMED[side].capitalize()}, as {name}", anchors.get(name), "noise")
    return lines, lacking


def _said(line: Line) -> str:
    name, figure, _ = line
    within = compare_words.interval(figure)
    return f"{name} {compare_words.mean(figure)}{f', {within}' if within else ''}"


def _whiskers(lines: list[Line], chance: Any, palette: Palette) -> go.Figure:
    import plotly.graph_objects as go

    rows = lines[::-1]
    figure = go.Figure()
    for kind, colour, symbol in (
        ("change", palette.colours[0], "circle"),
        ("noise", palette.grey, "diamond"),
    ):
        some = [(html.escape(n), f) for n, f, k in rows if k == kind]
        if not some:
            continue
        figure.add_trace(
            go.Scatter(
                x=[f["mean"] for _, f in some],
                y=[n for n, _ in some],
                mode="markers",
                name=kind,
                marker={"size": 9, "color": colour, "symbol": symbol},
                error_x=charts.whisker([f for _, f in some], colour),
                hovertemplate="%{y}: %{x:.4f}<extra></extra>",
            )
        )
    if isinstance(chance, (int, float)):
        figure.add_vline(x=chance, line={"color": palette.faint, "dash": "dot", "width": 1})
    figure.update_xaxes(range=[-0.02, 1.03], title="neighbours that stay", nticks=6)
    figure.update_yaxes(
        automargin=True, categoryorder="array", categoryarray=[html.escape(n) for n, _, _ in rows]
    )
    return charts.framed(figure, palette, height=90 + 28 * len(rows))
