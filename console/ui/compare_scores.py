"""The scores of both sides: how far first hits, all hits and random pairs lie apart in each space."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from console.compare.words import NAMED
from console.ui import charts, compare_words
from console.ui.charts import Palette
from console.ui.compare_words import SIDES
from console.ui.note import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

KINDS: Final = (("top1", "first hit"), ("topk", "all hits"), ("random", "random pairs"))
QUANTILES: Final = ("5", "25", "50", "75", "95")


def draw(data: Mapping[str, Any], palette: Palette) -> None:
    st.subheader("Scores", anchor=False)
    held: Mapping[str, Any] = data.get("scores") or {}
    for column, side in zip(st.columns(2, gap="medium"), SIDES, strict=True):
        with column:
            _side(data, held.get(side), side, palette)
    note(
        [
            "Each side has a scale of its own: a score of one says nothing in the other. The translator below does."
        ],
        key="compare.scores.note",
    )


def _side(data: Mapping[str, Any], held: Any, side: str, palette: Palette) -> None:
    kind = compare_words.kind_of_score(data, side)
    st.markdown(f"**{NAMED[side].capitalize()}**")
    scores = compare_words.measured(held)
    if scores is None:
        st.text(f"Not measured. {compare_words.why(held)}".strip())
        return
    edges: Sequence[float] = scores.get("edges") or []
    if len(edges) > 1:
        st.plotly_chart(
            charts.kept(
                palette, ("scores", data.get("id"), side), lambda: _outlines(edges, scores, kind, palette)
            ),
            config=charts.CONFIG,
            key=f"compare.scores.{side}",
            alt=f"Shares by {kind}: {_medians(scores)}.",
        )
    quantiles: Mapping[str, Mapping[str, Any]] = scores.get("quantiles") or {}
    there = [(key, name) for key, name in KINDS if key in quantiles]
    st.dataframe(
        {
            kind.capitalize(): [name for _, name in there],
            **{f"{q}%": [compare_words.score(quantiles[key].get(q)) for key, _ in there] for q in QUANTILES},
        },
        hide_index=True,
        key=f"compare.quantiles.{side}",
    )
    charts.data(
        f"scores-{NAMED[side]}",
        ["from", "to", *(name for _, name in KINDS)],
        [
            [edges[i], edges[i + 1], *((scores.get(key) or [None] * len(edges))[i] for key, _ in KINDS)]
            for i in range(len(edges) - 1)
        ],
        "compare",
    )


def _medians(scores: Mapping[str, Any]) -> str:
    quantiles: Mapping[str, Mapping[str, Any]] = scores.get("quantiles") or {}
    return ", ".join(
        f"median of the {name} {compare_words.score(quantiles[key].get('50'))}"
        for key, name in KINDS
        if key in quantiles
    )


def _outlines(edges: Sequence[float], scores: Mapping[str, Any], kind: str, palette: Palette) -> go.Figure:
    """Shares on common bins: the three have different numbers of pairs."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, (key, name) in enumerate(KINDS):
        counts: Sequence[int] = scores.get(key) or []
        whole = sum(counts)
        if not whole:
            continue
        colour = palette.grey if key == "random" else palette.colours[place]
        shares = [c / whole for c in counts]
        figure.add_trace(
            go.Scatter(
                x=list(edges),
                y=[*shares, shares[-1]],
                mode="lines",
                name=name,
                line={
                    "width": 1.5,
                    "color": colour,
                    "shape": "hv",
                    "dash": "dot" if key == "random" else "solid",
                },
                fill="tozeroy" if key == "top1" else None,
                fillcolor=charts.faint(colour),
                hovertemplate="%{x:.4g}: %{y:.1%}",
            )
        )
    figure.update_xaxes(title=html.escape(kind), nticks=6)
    figure.update_yaxes(title="share of the pairs", tickformat=".0%", nticks=5, rangemode="tozero")
    return charts.framed(figure, palette)
