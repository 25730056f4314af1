"""What the pictures of all pages share: colours, frame, whiskers, and their figures as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT: Final = 230
CONFIG: Final = {"displayModeBar": False, "displaylogo": False, "responsive": True}
COLOURS: Final = ("#0f5f73", "#c8742b", "#6b7f3a", "#8a4f7d", "#3d6fb4", "#a8423f")
"""Where no theme is set."""


class Palette:
    """One colour for one value of one field, on every picture of a page."""

    def __init__(self) -> None:
        dark = st.context.theme.type == "dark"
        name = self.name = "dark" if dark else "light"
        self.colours: Sequence[str] = st.get_option(f"theme.{name}.chartCategoricalColors") or COLOURS
        self.grey, self.faint = ("#8b9aa2", "#56656d") if dark else ("#6b7a82", "#b4bfc5")
        self.text = str(st.get_option(f"theme.{name}.textColor") or "#16232a")
        self.line = str(st.get_option(f"theme.{name}.borderColor") or "#d9e0e3")
        self.red = str(st.get_option(f"theme.{name}.redColor") or "#b3261e")
        self._given: dict[tuple[str, str], str] = {}

    def of(self, field: str, series: Mapping[str, Any]) -> str:
        if series["kind"] == "other":
            return self.grey
        if series["kind"] == "none":
            return self.faint
        key = (field, series["value"])
        if key not in self._given:
            taken = sum(1 for held in self._given if held[0] == field)
            self._given[key] = self.colours[taken % len(self.colours)]
        return self._given[key]


def kept(palette: Palette, what: tuple[Any, ...], make: Callable[[], go.Figure]) -> go.Figure:
    """The picture of something that never changes, made once for each theme: Plotly takes its time to check one.

    `what`: names it among all pictures of all pages.
    """
    return _kept((palette.name, *what), make)


@st.cache_resource(show_spinner=False, max_entries=128)
def _kept(what: tuple[Any, ...], _make: Callable[[], go.Figure]) -> go.Figure:
    return _make()


def framed(figure: go.Figure, palette: Palette, *, legend: bool = True, height: int = HEIGHT) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 4, "t": 4, "b": 0},
        showlegend=legend,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "xanchor": "left",
            "title": None,
            "traceorder": "normal",
        },
        hoverlabel={"namelength": 40},
        dragmode=False,
        font={"color": palette.text},
    )
    figure.update_xaxes(automargin=True, fixedrange=True)
    figure.update_yaxes(automargin=True, fixedrange=True)
    return figure


def whisker(held: Sequence[Mapping[str, Any]], colour: str, value: str = "mean") -> dict[str, Any]:
    """The intervals of figures with `low` and `high` around their `value`, as Plotly draws them."""

    def reach(one: Mapping[str, Any], end: str) -> float:
        return 0.0 if one.get(end) is None else abs(float(one[end]) - float(one[value]))

    return {
        "type": "data",
        "symmetric": False,
        "array": [reach(one, "high") for one in held],
        "arrayminus": [reach(one, "low") for one in held],
        "color": colour,
        "thickness": 1.5,
        "width": 4,
    }


def faint(colour: str) -> str:
    """The colour as the filling under a line of it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def data(
    name: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Any]] | Callable[[], Sequence[Sequence[Any]]],
    page: str = "health",
) -> None:
    """A picture's figures as a file, made when somebody asks for it."""

    def made() -> bytes:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([cell(h) for h in head])
        writer.writerows(
            [cell(c) if isinstance(c, str) else c for c in row]
            for row in (rows() if callable(rows) else rows)
        )
        return out.getvalue().encode("utf-8", "replace")

    st.download_button(
        "Figures as CSV",
        made,
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"{page}.data.{name}",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
    )


def cell(text: str) -> str:
    """A label in a table that a spreadsheet would open: never a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
