"""For those who look deeper: whether the spaces are the same up to a rotation, and the other measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from console.compare.words import NAMED, left_over, share
from console.ui import charts, compare_store, compare_words, words
from console.ui.charts import Palette
from console.ui.compare_words import SIDES

if TYPE_CHECKING:
    import plotly.graph_objects as go

READINGS: Final = {
    "same": "The two spaces are the same: a threshold in one means the same in the other.",
    "rotated": "The new space is the old one turned: every distance is kept, and vectors of the two must never "
    "be mixed all the same.",
    "different": "The two spaces are different: no rotation brings them together.",
}
NEARLY: Final = {
    "same": "The new space is the old one but for {share} of its spread, as after a small change of the model or a "
    "coarse rounding: a threshold has to be translated.",
    "rotated": "The new space is the old one turned, but for {share} of its spread: a threshold has to be translated, "
    "and vectors of the two must never be mixed.",
}


def draw(data: Mapping[str, Any], palette: Palette) -> None:
    st.subheader("Structure", anchor=False)
    held: Mapping[str, Any] = data.get("structure") or {}
    over = left_over(held)
    reading = str(held.get("reading"))
    if over is None:
        st.text(READINGS.get(reading, "What the two spaces have in common could not be told."))
    else:
        st.text(NEARLY[reading].format(share=share(over)))
    _outliers(data, held.get("outliers"))
    with st.expander("Measures for those who look deeper"):
        rows = _rows(data, held)
        st.dataframe(
            {
                "Measure": [name for name, *_ in rows],
                "Value": [value for _, value, _, _ in rows],
                "95% interval": [within for _, _, within, _ in rows],
                "What it says": [text for *_, text in rows],
            },
            hide_index=True,
            key="compare.measures",
        )
        _curve(data, palette)
        _sides(data)


def _outliers(data: Mapping[str, Any], held: Any) -> None:
    """The rows that don't follow, the farthest first; as a file all of them."""
    found = compare_words.measured(held)
    if found is None or not found.get("count"):
        return
    st.text(
        f"But for {words.count(found['count'])} of {words.count(found['looked'])} rows "
        f"({share(found['share'])}), which do not follow: their vectors are other ones."
    )
    shown: Sequence[Mapping[str, Any]] = found.get("rows") or ()

    def named(row: Mapping[str, Any], side: str) -> str:
        one = row.get(side) or {}
        tenant = one.get("tenant")
        return words.printable(f"{one.get('id')}" + (f" in {tenant}" if tenant is not None else ""))

    with st.expander(f"Rows that do not follow ({words.count(found['count'])})"):
        st.dataframe(
            {
                "Old row": [named(row, "left") for row in shown],
                "New row": [named(row, "right") for row in shown],
                "Distance": [compare_words.number(row.get("residual"), 3) for row in shown],
            },
            hide_index=True,
            height=words.tall(len(shown), 300),
            key="compare.outliers",
        )
        st.caption(
            f"Squared distance from where the other rows put it, as a share of the space's spread: "
            f"{compare_words.number(found.get('typical'), 4)} for the typical row, above "
            f"{compare_words.number(found.get('line'), 4)} for these."
            + (f" The first {len(shown):,}; the file has all of them." if len(shown) < found["count"] else "")
        )
        charts.data("outliers", ["id", "id_new", "distance"], lambda: _every(data), "compare")


def _every(data: Mapping[str, Any]) -> list[list[Any]]:
    arrays = compare_store.arrays(str(data["id"]))
    held = [arrays[name].tolist() for name in ("outlier_left_ids", "outlier_right_ids", "outlier_residuals")]
    return [list(row) for row in zip(*held, strict=True)]


def _rows(data: Mapping[str, Any], held: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    k, p = data.get("k"), data.get("p")
    rows: list[tuple[str, str, str, str]] = []
    for name, figure, text in (
        (f"Overlap@{k}", data.get("overlap_at_k"), "Share of the neighbours that both have; ties counted as one."),
        (f"Jaccard@{k}", data.get("jaccard"), "Shared neighbours of all that either has."),
        (f"Rank-biased overlap, p {p}", data.get("rank_biased_overlap"), "Overlap with the first ranks weighing most."),
        ("Same first hit", data.get("top1"), "How often the nearest row stays the nearest."),
        ("Linear CKA", held.get("cka"), _of_rows(held.get("cka"), "Debiased: 1 is the same up to rotation and scale, 0 is unrelated.")),
    ):  # fmt: skip
        value = compare_words.mean(figure)
        rows.append(
            (
                name,
                value,
                compare_words.interval(compare_words.measured(figure)),
                compare_words.why(figure) or text,
            )
        )
    procrustes = compare_words.measured(held.get("procrustes"))
    fitted = (
        f"On {words.count(procrustes.get('rows_held_out'))} rows that the rotation was not fitted on; 0 is the same "
        "up to a rotation."
        if procrustes is not None
        else compare_words.why(held.get("procrustes"))
    )
    value = compare_words.number(procrustes.get("residual")) if procrustes is not None else compare_words.NOT
    rows.append(("Procrustes residual", value, "", fitted))
    plain = held.get("plain_residual")
    if isinstance(plain, (int, float)):
        rows.append(
            (
                "Residual as they are",
                compare_words.number(plain),
                "",
                "Without a rotation; 0 is the same space.",
            )
        )
    rows += _displacement(data.get("displacement") or {})
    return rows


def _of_rows(held: Any, text: str) -> str:
    rows = (compare_words.measured(held) or {}).get("rows")
    return f"{text} Of {rows:,} rows." if isinstance(rows, int) else text


def _displacement(held: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    kept = held.get("kept")
    if isinstance(kept, Mapping):
        rows.append(("Displacement", compare_words.number(kept.get("mean"), 2), compare_words.interval(kept, 2),
                     "Ranks that a neighbour which stays has moved."))  # fmt: skip
    lost = held.get("lost_rank")
    if isinstance(lost, Mapping):
        beyond, median = lost.get("beyond_share"), lost.get("median")
        text = "Where the lost neighbours stand now."
        if isinstance(beyond, (int, float)):
            text += f" {beyond:.0%} of them are beyond rank {words.count(lost.get('depth'))}."
        value = (
            compare_words.number(median, 0)
            if median is not None
            else f"beyond {words.count(lost.get('depth'))}"
        )
        rows.append(("Median rank of the lost", value, "", text))
    return rows


def _curve(data: Mapping[str, Any], palette: Palette) -> None:
    curve = [v for v in data.get("curve") or () if isinstance(v, (int, float))]
    if len(curve) < 3:
        return
    st.plotly_chart(
        charts.kept(palette, ("curve", data.get("id")), lambda: _line(curve, palette)),
        config=charts.CONFIG,
        key="compare.curve",
        alt=f"Overlap of the first 1 to {len(curve)} neighbours: from {curve[0]:.3f} to {curve[-1]:.3f}.",
    )
    rows = [[depth, value] for depth, value in enumerate(curve, 1)]
    charts.data("overlap-by-depth", ["depth", "overlap"], rows, "compare")


def _line(curve: Sequence[float], palette: Palette) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(x=list(range(1, len(curve) + 1)), y=list(curve), mode="lines+markers",
                   line={"color": palette.colours[0], "width": 1.5}, marker={"size": 5},
                   hovertemplate="the first %{x}: %{y:.3f}<extra></extra>")
    )  # fmt: skip
    figure.update_xaxes(title="first neighbours that are compared", nticks=min(10, len(curve)))
    figure.update_yaxes(title="overlap", range=[-0.02, 1.03], nticks=6)
    return charts.framed(figure, palette, legend=False)


def _sides(data: Mapping[str, Any]) -> None:
    """What each side is: as plain cells."""
    sides = {side: (data.get("sides") or {}).get(side) or {} for side in SIDES}

    def of(name: str) -> list[str]:
        return [
            words.printable(str(sides[s].get(name) if sides[s].get(name) is not None else "not known"))
            for s in SIDES
        ]

    def encoder(side: str) -> str:
        held = sides[side].get("encoder") or {}
        return words.printable(
            f"{held.get('name') or 'not known'} {str(held.get('fingerprint') or '')[:12]}".strip()
        )

    def server(side: str) -> str:
        held = sides[side].get("server") or {}
        return words.printable(f"{held.get('kind') or 'none'} {held.get('version') or ''}".strip())

    st.dataframe(
        {
            "Side": [NAMED[s].capitalize() for s in SIDES],
            "Address": of("address"),
            "Rows": [words.count(sides[s].get("rows")) for s in SIDES],
            "Dimension": of("dimension"),
            "Score": [compare_words.kind_of_score(data, s) for s in SIDES],
            "Vectors": of("basis"),
            "Encoder": [encoder(s) for s in SIDES],
            "Server": [server(s) for s in SIDES],
        },
        hide_index=True,
        key="compare.sides",
    )
    for side in SIDES:
        for line in sides[side].get("notes") or ():
            st.text(f"{NAMED[side].capitalize()}: {words.sentence(str(line))}")
