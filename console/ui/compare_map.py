"""A first picture of both spaces: the same rows by the two main directions of each, coloured alike."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.compare.words import NAMED
from console.jobs import rows as kept
from console.ui import (
    charts,
    compare_sides,
    compare_store,
    compare_words,
    health_store,
    health_words,
    session,
    words,
)
from console.ui.charts import Palette
from console.ui.compare_words import SIDES
from console.ui.note import note

if TYPE_CHECKING:
    import numpy.typing as npt
    import plotly.graph_objects as go

PLAIN: Final = "nothing"
FINDING: Final = "finding"
OUTLIER: Final = "rows that do not follow"
OUTLIERS: Final = "map_outlier"
VALUES: Final = 5
"""Values with a colour of their own; the rest is "all others"."""
BINS: Final = 5
NUMERIC: Final = 12
"""Distinct numbers from which on they are shown in ranges."""
REST: Final = ("", "all others")
"""Labels of points without a colour of their own."""
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "cross", "x")
LARGEST: Final = 20_000_000
"""Bytes of a check's written rows that a page reads for colours."""
FIELDS: Final = {"left": "map_field:", "right": "map_right_field:"}
IDS: Final = {"left": "map_ids", "right": "map_right_ids"}
"""Names of the arrays beside a comparison, by side."""
MORE: Final = "Split by a field in Options (“Also by these fields”) and compare again to colour by it."
"""A comparison keeps the values of the fields that it was split by, and no others."""
HEIGHT: Final = 340
PLAINLY: Final = 5_000
"""Points up to which a picture needs no WebGL."""


def draw(data: Mapping[str, Any], palette: Palette) -> None:
    st.subheader("Both spaces, pictured", anchor=False)
    held = compare_words.measured(data.get("map"))
    if held is None:
        st.text(f"Not measured. {compare_words.why(data.get('map'))}".strip())
        return
    arrays = compare_store.arrays(str(data["id"]))
    if "map_left" not in arrays or "map_right" not in arrays:
        st.text("The points of this picture were not kept.")
        return
    ids = {side: _texts(arrays, IDS[side], arrays["map_ids"]) for side in SIDES}
    names = [name.removeprefix(p) for p in FIELDS.values() for name in arrays if name.startswith(p)]
    strays = [OUTLIER] if OUTLIERS in arrays and arrays[OUTLIERS].any() else []
    field = _chosen([PLAIN, *strays, *dict.fromkeys(names), FINDING])
    groups = _groups(data, arrays, ids, field)
    if groups is None and field == FINDING:
        st.text("No check of these rows was written down on this machine: the page Health makes one.")
    order = _order(groups)
    for column, side in zip(st.columns(2, gap="medium"), SIDES, strict=True):
        with column:
            own = groups[side] if groups is not None else None
            what = ("map", data["id"], side, field, hash(tuple(own)) if own and field == FINDING else None)
            _side(held, arrays[f"map_{side}"], side, ids[side], field, own, order, palette, what)
    note(
        ["A point is a row, at its two main directions (PCA) in each space: what they leave out is most of it. Each side's "
         "points have the colours of that side's own rows. Distances "
         "on these pictures are not distances between vectors, and the two have axes of their own. Look for groups that "
         "fall together or apart, and measure before you believe them."],
        key="compare.map.note",
    )  # fmt: skip
    said = words.printable(field)
    charts.data(
        "spaces",
        ["id", "id_new", "old_1", "old_2", "new_1", "new_2", f"{said}, old", f"{said}, new"],
        lambda: [
            [
                ids["left"][n],
                ids["right"][n],
                *arrays["map_left"][n].tolist(),
                *arrays["map_right"][n].tolist(),
                *(groups[side][n] if groups is not None else "" for side in SIDES),
            ]
            for n in range(len(ids["left"]))
        ],
        "compare",
    )


def _texts(arrays: Mapping[str, Any], name: str, instead: Any) -> list[str]:
    return [str(v) if v is not None else "" for v in arrays.get(name, instead).tolist()]


def _groups(
    data: Mapping[str, Any], arrays: Mapping[str, Any], ids: Mapping[str, Sequence[str]], field: str
) -> dict[str, list[str]] | None:
    """By side the label of each point, by that side's own rows; None for no colours."""
    if field == PLAIN:
        return None
    if field == FINDING:
        found = {side: _findings(data, side, ids[side]) for side in SIDES}
        if all(held is None for held in found.values()):
            return None
        return _split({side: held or [""] * len(ids[side]) for side, held in found.items()})
    if field == OUTLIER:
        label = ["does not follow" if stray else "follows" for stray in arrays[OUTLIERS].tolist()]
        return dict.fromkeys(SIDES, label)
    return _split({side: _values(data, arrays, side, field, len(ids[side])) for side in SIDES})


def _values(
    data: Mapping[str, Any], arrays: Mapping[str, Any], side: str, field: str, rows: int
) -> list[str]:
    """A field's values on a side. A side that was encoded has the other's rows; comparisons of earlier versions kept
    those of the old side alone.
    """
    other = "right" if side == "left" else "left"
    name, others = f"{FIELDS[side]}{field}", f"{FIELDS[other]}{field}"
    encoded = compare_sides.encoder_of(str(data.get(side))) is not None
    if name not in arrays and others in arrays and (encoded or IDS["right"] not in arrays):
        return _texts(arrays, others, None)
    return _texts(arrays, name, None) if name in arrays else [""] * rows


def _split(values: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Both sides' values in the same groups: the same value has one label, and one range of numbers."""
    both = grouped([*values["left"], *values["right"]])
    cut = len(values["left"])
    return {"left": both[:cut], "right": both[cut:]}


def _order(groups: Mapping[str, Sequence[str]] | None) -> list[str]:
    """The groups with a colour of their own, the commonest first: a group's colour is the same on both sides."""
    from collections import Counter

    counts = Counter(label for held in (groups or {}).values() for label in held)
    return [name for name, _ in counts.most_common() if name not in ("", "all others")]


def _chosen(fields: list[str]) -> str:
    """What points are coloured by: it stands in the link."""
    state = st.session_state
    if state.get("compare.colour") not in fields:
        state["compare.colour"] = None
    default = next((f for f in fields if f not in (PLAIN, FINDING)), PLAIN)
    state["c.colour"] = state.get("compare.colour") or default
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Coloured by", fields, key="c.colour", width=260, format_func=words.printable, on_change=_turned
        )
        st.caption(MORE, width="content")
    return str(state["c.colour"])


def _turned() -> None:
    st.session_state["compare.colour"] = st.session_state["c.colour"]


def grouped(values: Sequence[str]) -> list[str]:
    """A label for each value: itself where it is among the commonest, ranges for many numbers, "" for none."""
    from collections import Counter

    import numpy as np

    numbers = _numbers(values)
    if numbers is not None and len(set(numbers[np.isfinite(numbers)].tolist())) > NUMERIC:
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, BINS + 1)))
        place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, max(0, len(edges) - 2))
        said = [
            f"{health_words.number(float(a))} to {health_words.number(float(b))}"
            for a, b in itertools.pairwise(edges)
        ]
        return [
            said[p] if np.isfinite(v) else "" for p, v in zip(place.tolist(), numbers.tolist(), strict=True)
        ]
    common = [v for v, _ in Counter(v for v in values if v).most_common(VALUES + 1)]
    shown = set(common if len(common) <= VALUES else common[:VALUES])
    return [v if v in shown or not v else "all others" for v in values]


def _numbers(values: Sequence[str]) -> npt.NDArray[Any] | None:
    import numpy as np

    try:
        return np.asarray([float(v) if v else np.nan for v in values], float)
    except ValueError:
        return None


def _findings(data: Mapping[str, Any], side: str, ids: Sequence[str]) -> list[str] | None:
    """The first finding that each row of a side is affected by, as the side's newest check wrote them down."""
    address = compare_sides.rows_of(data, side)
    if address is None:
        return None
    try:
        report = health_store.newest(address)
    except PlumblineError:
        return None
    path = kept.place(session.workspace().home, str(report.get("id"))) if report is not None else None
    if path is None:
        return None
    found = _written(str(path))
    return [found.get(i, "") for i in ids]


@st.cache_resource(show_spinner=False, max_entries=8)
def _written(path: str) -> dict[str, str]:
    """Row -> its first code, of the rows that a check wrote down."""
    held: dict[str, str] = {}
    try:
        if Path(path).stat().st_size > LARGEST:
            return held
        with Path(path).open(encoding="utf-8") as file:
            next(file, None)
            for line in map(json.loads, file):
                codes = line.get("codes") or ()
                if codes:
                    held[str(line["id"])] = health_words.code({"code": codes[0]})
    except (OSError, ValueError):
        return held
    return held


def _side(
    held: Mapping[str, Any],
    points: npt.NDArray[Any],
    side: str,
    ids: Sequence[str],
    field: str,
    groups: Sequence[str] | None,
    order: Sequence[str],
    palette: Palette,
    what: tuple[Any, ...],
) -> None:
    explained = [float(v) for v in (held.get(side) or {}).get("explained") or ()]
    st.markdown(f"**{NAMED[side].capitalize()}**")
    share = f"{sum(explained):.0%} of the variance" if explained else "an unknown share of the variance"
    st.plotly_chart(
        charts.kept(palette, what, lambda: _points(points, ids, field, groups, order, explained, palette)),
        config=charts.CONFIG,
        key=f"compare.map.{side}",
        alt=f"{len(ids):,} rows of the {NAMED[side]} space by its two main directions, which hold {share}"
        + (f", coloured by {words.printable(field)}." if groups else "."),
    )


def _points(
    points: npt.NDArray[Any],
    ids: Sequence[str],
    field: str,
    groups: Sequence[str] | None,
    order: Sequence[str],
    explained: Sequence[float],
    palette: Palette,
) -> go.Figure:
    import numpy as np
    import plotly.graph_objects as go

    # Many browsers have no WebGL; without it thousands of points are still drawn quickly.
    drawn = go.Scatter if len(ids) <= PLAINLY else go.Scattergl
    figure = go.Figure()
    labels = np.asarray(groups if groups else [""] * len(ids), object)
    text = np.asarray([html.escape(words.printable(i)[:60]) for i in ids], object)
    for place, name in enumerate([*REST, *order] if groups else [""]):
        some = np.flatnonzero(labels == name)
        if not some.size:
            continue
        own = place >= len(REST)
        colour = palette.colours[max(0, place - len(REST)) % len(palette.colours)]
        if groups and not own:
            colour = palette.faint if not name else palette.grey
        said = ("no value" if field != FINDING else "no finding known") if not name else words.printable(name)
        figure.add_trace(
            drawn(
                x=points[some, 0],
                y=points[some, 1],
                mode="markers",
                name=html.escape(said[:40]) if groups else "rows",
                text=text[some],
                marker={"size": 5, "color": colour, "opacity": 0.7,
                        "symbol": SYMBOLS[(place - len(REST)) % len(SYMBOLS)] if own else "circle"},
                hovertemplate="%{text}",
            )
        )  # fmt: skip
    for axis, part in ((figure.update_xaxes, 0), (figure.update_yaxes, 1)):
        share = f", {explained[part]:.0%} of the variance" if len(explained) > part else ""
        axis(title=f"direction {part + 1}{share}", showticklabels=False, zeroline=False)
    return charts.framed(figure, palette, legend=groups is not None, height=HEIGHT)
