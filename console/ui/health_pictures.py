"""The pictures of the Health page, drawn from what a check counted. Labels may come from payloads: escaped."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from console.ui import health_words, words
from console.ui.charts import CONFIG, HEIGHT, Palette, data, framed
from console.ui.note import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

TALL: Final = 12
"""Ratio of the largest bar to the smallest from which on rows are counted on a log axis."""


def commonest(series: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence that names the commonest of all others, where a report knows them."""
    named = [words.printable(str(n)) for s in series if s["kind"] == "other" for n in s.get("common") or ()]
    return [f"The commonest of all others: {', '.join(named)}."] if named else []


def label(series: Mapping[str, Any]) -> str:
    if series["kind"] == "other":
        many = series.get("values")
        if not isinstance(many, int):
            return "all others"
        about = "about " if series.get("about") else ""
        return f"all others ({about}{many:,} value{'s' if many != 1 else ''})"
    return "no value" if series["kind"] == "none" else words.printable(str(series["value"]))


def norms(held: Mapping[str, Any] | None, palette: Palette, first: str | None) -> None:
    """Rows by length, one outline for each group; a sentence where all lengths are the same."""
    st.subheader("Lengths of the vectors", anchor=False)
    if held is None:
        st.text("Not measured: no row has a vector with a length.")
        return
    median, rows = float(held["median"]), int(held["rows"])
    apart = int(held["left_out"])
    said = f"{apart:,} zero, non-finite or missing ones are left out." if apart else ""
    if held["flat"]:
        st.text(f"All {rows:,} lengths are {health_words.number(median)}. {said}".strip())
        return
    groups: Mapping[str, Any] = held["groups"]
    field = None
    if groups:
        names = list(groups)
        field = st.selectbox(
            "Grouped by",
            names,
            index=names.index(first) if first in names else 0,
            key="health.norms",
            width=260,
            format_func=words.printable,
        )
    series = groups[field] if field else [{"value": "", "kind": "all", "rows": rows, "counts": held["all"]}]
    edges = [float(e) for e in held["edges"]]
    st.plotly_chart(
        _outlines(edges, series, field or "", bool(held["log"]), palette),
        theme="streamlit",
        config=CONFIG,
        key="health.norms.picture",
        alt=_norms_alt(held, series, field),
    )
    lines = [f"Median {health_words.number(median)}, from {health_words.number(held['min'])} to "
             f"{health_words.number(held['max'])}. {said}".strip()]  # fmt: skip
    note([*lines, *commonest(series)], key="health.norms.note")
    data("norms", ["from", "to", *(label(s) if field else "rows" for s in series)],
          [[edges[i], edges[i + 1], *(s["counts"][i] for s in series)] for i in range(len(edges) - 1)])  # fmt: skip


def _norms_alt(held: Mapping[str, Any], series: Sequence[Mapping[str, Any]], field: str | None) -> str:
    what = (
        f"{held['rows']:,} rows by the length of their vector, median {health_words.number(held['median'])}"
    )
    if not field:
        return f"Histogram: {what}."
    parts = [f"{label(s)} {s['rows']:,} rows" for s in series]
    return f"Histogram: {what}, by {words.printable(field)}: {', '.join(parts)}."


def _outlines(
    edges: Sequence[float], series: Sequence[Mapping[str, Any]], field: str, log: bool, palette: Palette
) -> go.Figure:
    import plotly.graph_objects as go

    counts = [c for s in series for c in s["counts"] if c]
    peaks = [max(s["counts"]) for s in series if any(s["counts"])]
    whole = [sum(held) for held in zip(*(s["counts"] for s in series), strict=True)]
    tall = bool(counts) and max(whole) > TALL * min(peaks)
    figure = go.Figure()
    for one in series:
        palette.of(field, one)
    for one in sorted(series, key=lambda s: -max(s["counts"])):
        colour = palette.of(field, one) if field else palette.colours[0]
        heights = [c if c or not tall else None for c in one["counts"]]
        figure.add_trace(
            go.Bar(
                x=list(range(len(heights))),
                y=heights,
                name=html.escape(label(one)) if field else "rows",
                marker={
                    "color": colour,
                    "opacity": 0.75 if tall and len(series) > 1 else 1,
                    "line": {"width": 0},
                },
                customdata=[[edges[i], edges[i + 1]] for i in range(len(heights))],
                hovertemplate="length %{customdata[0]:.4g} to %{customdata[1]:.4g}: %{y:,} rows",
            )
        )
    at, text = _ticks(edges, log)
    # Over each other, so that each is read from the floor; on a linear axis the front one would hide the rest.
    figure.update_layout(barmode="overlay" if tall else "stack", bargap=0)
    figure.update_xaxes(
        title="length" + (", log" if log else ""), tickvals=at, ticktext=text, range=[-0.5, len(edges) - 1.5]
    )
    figure.update_yaxes(
        title="rows" + (", log" if tall else ""), type="log" if tall else "linear",
        **({"dtick": 1, "range": [math.log10(0.7), math.log10(max(peaks) * 1.5)]} if tall else {"nticks": 5}),
    )  # fmt: skip
    return framed(figure, palette, legend=len(series) > 1)


def _ticks(edges: Sequence[float], log: bool) -> tuple[list[float], list[str]]:
    """Positions on the axis of bins for round lengths: one for each decade on a log axis, else about five."""
    low, high, bins = edges[0], edges[-1], len(edges) - 1
    if log:
        a, b = math.log10(low), math.log10(high)
        powers = range(math.ceil(a - 1e-9), math.floor(b + 1e-9) + 1)
        at = [(p - a) / (b - a) * bins - 0.5 for p in powers]
        if len(at) >= 2:
            return at, [health_words.number(10.0**p) for p in powers]
        return [-0.5, *at, bins - 0.5], [
            health_words.number(v) for v in (low, *(10.0**p for p in powers), high)
        ]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step = next(step * m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= 6)
    first = math.ceil(low / step)
    values = [first * step + i * step for i in range(int((high - first * step) / step + 1e-9) + 1)]
    places = max(0, -math.floor(math.log10(step)))
    return [(v - low) / (high - low) * bins - 0.5 for v in values], [f"{v:,.{places}f}" for v in values]


def versions(held: Mapping[str, Any] | None, palette: Palette) -> None:
    """The version mix over time or ids; a sentence where there is one tag only, or none."""
    st.subheader("Versions", anchor=False)
    if held is None:
        st.text("No row carries a version tag.")
        return
    series = held["series"]
    field = str(held["field"])
    if len(series) == 1:
        note([f"All {held['rows']:,} rows carry the tag {label(series[0])} in {words.printable(field)}."],
             key="health.versions.one")  # fmt: skip
        return
    shares = ", ".join(
        f"{label(s) if s['kind'] != 'none' else 'untagged'} {s['rows']:,} ({health_words.percent(s['rows'] / max(1, held['placed']))})"
        for s in series
    )
    by = held["by"]
    edges = held["edges"] or [0, 1]
    st.plotly_chart(
        _stacked(edges, series, field, by, palette),
        config=CONFIG,
        key="health.versions.picture",
        alt=f"Rows by version tag{_axis(by)}: {shares}.",
    )
    note([f"{words.printable(field)}: {shares}.", *commonest(series)], key="health.versions.note")
    data("versions", ["from", "to", *(label(s) for s in series)],
          [[edges[i], edges[i + 1], *(s["counts"][i] for s in series)] for i in range(len(edges) - 1)])  # fmt: skip


def _axis(by: str | None) -> str:
    return {"time": " over time", "id": " over the range of ids"}.get(by or "", "")


def _stacked(
    edges: Sequence[float], series: Sequence[Mapping[str, Any]], field: str, by: str | None, palette: Palette
) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    middle = [(a + b) / 2 for a, b in itertools.pairwise(edges)]
    x: list[Any] = [datetime.fromtimestamp(m, UTC) for m in middle] if by == "time" else list(middle)
    for one in series:
        colour = palette.of(field, one)
        name = html.escape(label(one) if one["kind"] != "none" else "untagged")
        style = {"color": colour, "line": {"width": 0}}
        if by is None:
            figure.add_trace(go.Bar(x=[one["rows"]], y=[""], orientation="h", name=name, marker=style,
                                    hovertemplate=name + ": %{x:,} rows<extra></extra>"))  # fmt: skip
        else:
            figure.add_trace(go.Bar(x=x, y=one["counts"], name=name, marker=style,
                                    hovertemplate="%{x}: %{y:,} rows"))  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0)
    figure.update_xaxes(title={"time": "time, UTC", "id": "id"}.get(by or "", "rows"))
    figure.update_yaxes(title="rows" if by else None, nticks=5)
    return framed(figure, palette, height=HEIGHT if by else 130)


def dimensions(held: Mapping[str, Any] | None, palette: Palette) -> None:
    """Mean and variance of every dimension, the constant ones marked."""
    st.subheader("Dimensions", anchor=False)
    if held is None:
        st.text("Not measured: it needs two rows that have a direction.")
        return
    d, per, dead = int(held["dimension"]), int(held["per"]), int(held["dead_count"])
    constant = (
        f"{words.plural(dead, 'dimension is', 'dimensions are')} constant." if dead else "None is constant."
    )
    st.plotly_chart(
        _strip(held, palette),
        config=CONFIG,
        key="health.dimensions.picture",
        alt=f"Mean and variance of each of {d:,} dimensions over {held['rows']:,} rows. {constant}",
    )
    listed = ", ".join(str(i) for i in held["dead"][:24])
    more = f" {constant[:-1]}: {listed}{' and more' if dead > 24 else ''}." if dead else f" {constant}"
    shared = f" {per} neighbouring dimensions share a column." if per > 1 else ""
    st.text(f"{d:,} dimensions over {held['rows']:,} rows.{shared}{more}")
    data("dimensions", ["dimension", "mean", "variance"],
          [[i * per, m, v] for i, (m, v) in enumerate(zip(held["mean"], held["variance"], strict=True))])  # fmt: skip


def _strip(held: Mapping[str, Any], palette: Palette) -> go.Figure:
    import plotly.graph_objects as go

    per = int(held["per"])
    x = [i * per for i in range(len(held["mean"]))]
    variance = [v if v else None for v in held["variance"]]
    real = [v for v in variance if v]
    wide = bool(real) and max(real) > 20 * min(real)
    figure = go.Figure()
    hover = "dimension %{x}: %{y:.4g}"
    figure.add_trace(go.Scatter(x=x, y=held["mean"], mode="lines", name="mean", hovertemplate=hover,
                                line={"width": 1, "color": palette.colours[0], "shape": "hvh"}))  # fmt: skip
    figure.add_trace(go.Scatter(x=x, y=variance, mode="lines", name="variance", yaxis="y2", hovertemplate=hover,
                                line={"width": 1, "color": palette.colours[1], "shape": "hvh"}))  # fmt: skip
    if held["dead"]:
        floor = min(real) if real else 0
        figure.add_trace(go.Scatter(x=held["dead"], y=[floor] * len(held["dead"]), mode="markers", name="constant",
                                    yaxis="y2", hovertemplate="dimension %{x} is constant<extra></extra>",
                                    marker={"symbol": "x", "size": 7, "color": palette.red}))  # fmt: skip
    figure.update_layout(
        yaxis={"domain": [0.56, 1], "title": "mean", "nticks": 4},
        yaxis2={"domain": [0, 0.44], "title": "variance" + (", log" if wide else ""), "nticks": 4,
                "type": "log" if wide else "linear", **({"dtick": 1} if wide else {"rangemode": "tozero"})},
        xaxis={"title": "dimension", "anchor": "y2"},
    )  # fmt: skip
    return framed(figure, palette, height=280)


def figures(held: Sequence[Mapping[str, Any]] | None, palette: Palette) -> None:
    """The figures that rules look at: shares on one axis with their intervals and lines, and all as a table."""
    st.subheader("Neighbours, recall and other figures", anchor=False)
    if not held:
        st.text(
            "Not measured: no figure over many rows could be had. The reasons stand under “Not measured”."
        )
        return
    shares = [f for f in held if _unit(f)]
    if shares:
        st.plotly_chart(
            _whiskers(shares, palette),
            config=CONFIG,
            key="health.figures.picture",
            alt="; ".join(_said(f) for f in shares) + ".",
        )
    st.dataframe(
        {
            "Finding": [health_words.code(f) for f in held],
            "Figure": [named(f) for f in held],
            "Value": [health_words.number(f["value"]) for f in held],
            "95% interval": [_interval(f) for f in held],
            "Line": [f"{'above' if f.get('worse') == 'higher' else 'below'} {health_words.number(f['threshold'])}"
                     for f in held],
            "Fires": ["yes" if f.get("fires") else "no" for f in held],
            "Basis": [str(f.get("basis") or "") for f in held],
        },
        hide_index=True,
        key="health.figures.table",
    )  # fmt: skip


def named(figure: Mapping[str, Any]) -> str:
    """What the figure is, and of which rows where there are several of its kind."""
    key = f" ({figure['key']})" if figure.get("key") else ""
    return words.printable(f"{figure.get('name') or figure.get('code') or ''}{key}")


def _unit(figure: Mapping[str, Any]) -> bool:
    parts = [figure.get(k) for k in ("value", "low", "high", "threshold")]
    return all(p is None or (isinstance(p, (int, float)) and -0.001 <= p <= 1.001) for p in parts)


def _interval(figure: Mapping[str, Any]) -> str:
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return "exact" if figure.get("basis") == "exact" else "not known"
    return f"{health_words.number(low)} to {health_words.number(high)}"


def _said(figure: Mapping[str, Any]) -> str:
    return (
        f"{named(figure)} {health_words.number(figure['value'])}, "
        f"interval {_interval(figure)}, line {health_words.number(figure['threshold'])}"
    )


def _whiskers(held: Sequence[Mapping[str, Any]], palette: Palette) -> go.Figure:
    import plotly.graph_objects as go

    rows = list(held)[::-1]
    y = [html.escape(named(f)[:60]) for f in rows]
    y = [f"{text}{' ' * y[:i].count(text)}" for i, text in enumerate(y)]
    over = [bool(f.get("fires")) for f in rows]
    value = [float(f["value"]) for f in rows]
    plus = [max(0.0, float(f["high"]) - v) if f.get("high") is not None else 0.0
            for f, v in zip(rows, value, strict=True)]  # fmt: skip
    minus = [max(0.0, v - float(f["low"])) if f.get("low") is not None else 0.0
             for f, v in zip(rows, value, strict=True)]  # fmt: skip
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[float(f["threshold"]) for f in rows], y=y, mode="markers", name="line",
            marker={"symbol": "line-ns-open", "size": 16, "color": palette.grey, "line": {"width": 2}},
            hovertemplate="line %{x:.4g}<extra></extra>",
        )
    )  # fmt: skip
    for fires, name, colour, symbol in (
        (False, "within", palette.colours[0], "circle"), (True, "fires", palette.red, "diamond"),
    ):  # fmt: skip
        some = [i for i, f in enumerate(over) if f is fires]
        if not some:
            continue
        figure.add_trace(
            go.Scatter(
                x=[value[i] for i in some], y=[y[i] for i in some], mode="markers", name=name,
                marker={"size": 9, "color": colour, "symbol": symbol},
                error_x={"type": "data", "symmetric": False, "array": [plus[i] for i in some],
                         "arrayminus": [minus[i] for i in some], "color": colour, "thickness": 1.5, "width": 4},
                hovertemplate="%{y}: %{x:.4g}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(range=[-0.03, 1.03], title="share, with its 95% interval", nticks=6)
    figure.update_yaxes(automargin=True, categoryorder="array", categoryarray=y)
    return framed(figure, palette, height=90 + 34 * len(rows))
