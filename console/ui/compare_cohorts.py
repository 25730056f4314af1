"""For whom the neighbours change most, and for whom it is worse."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from console.ui import charts, compare_words, words
from console.ui.charts import Palette
from console.ui.note import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

DRAWN: Final = 20
LONGEST: Final = 40

Cohort = Mapping[str, Any]


def draw(data: Mapping[str, Any], palette: Palette) -> None:
    st.subheader("For whom", anchor=False)
    held: Mapping[str, Sequence[Cohort]] = {f: c for f, c in (data.get("cohorts") or {}).items() if c}
    if not held:
        st.text(
            "Not measured: no field splits the queries into groups of 30 or more. Options has the fields to split by."
        )
        return
    field = _chosen(list(held))
    cohorts = held[field]
    judged = any(c.get("quality") for c in cohorts)
    worst = _worst(cohorts)
    if worst is not None:
        st.text(words.printable(worst))
    if 2 <= len(cohorts) <= DRAWN:
        st.plotly_chart(
            charts.kept(
                palette,
                ("cohorts", data.get("id"), field),
                lambda: _whiskers(cohorts, int(data.get("k") or 0), palette),
            ),
            config=charts.CONFIG,
            key="compare.cohorts.picture",
            alt="; ".join(f"{_name(c)} overlap {compare_words.mean(c.get('overlap_at_k'))}" for c in cohorts)
            + ".",
        )
    st.dataframe(
        _cells(cohorts, int(data.get("k") or 0), _metric(data) if judged else None),
        hide_index=True,
        key="compare.cohorts.table",
    )
    note(
        ["Less than the others by: the overlap of all other queries less its own. The interval is wide enough to hold for "
         "all cohorts at once."],
        key="compare.cohorts.note",
    )  # fmt: skip


def _chosen(fields: list[str]) -> str:
    """The field that is looked at: it stands in the link."""
    state = st.session_state
    if state.get("compare.by") not in fields:
        state["compare.by"] = None
    if len(fields) == 1:
        return fields[0]
    state["c.by"] = state.get("compare.by") or fields[0]
    st.selectbox("By", fields, key="c.by", width=260, format_func=words.printable, on_change=_turned)
    return str(state["c.by"])


def _turned() -> None:
    st.session_state["compare.by"] = st.session_state["c.by"]


def _name(cohort: Cohort) -> str:
    value = cohort.get("value")
    return "no value" if value is None else words.printable(str(value)) or "(empty)"


def _worst(cohorts: Sequence[Cohort]) -> str | None:
    """The cohort that is worse than the others beyond its interval, by judgement where there is one."""
    for one in cohorts:
        difference = ((one.get("quality") or {}).get("difference")) or {}
        if difference.get("high") is not None and difference["high"] < 0:
            by = f"{compare_words.signed(difference['mean'])} ({compare_words.interval(difference, sign=True)})"
            return f"Worse for {_name(one)}: the judged quality changes by {by}."
    for one in cohorts:
        gap = one.get("gap") or {}
        if _behind(one):
            return (
                f"The neighbours change most for {_name(one)}: overlap {compare_words.mean(one.get('overlap_at_k'))}, "
                f"{compare_words.number(gap['value'])} less than for the others ({compare_words.interval(gap)})."
            )
    return "No cohort differs from the others beyond chance."


def _behind(cohort: Cohort) -> bool:
    """Whether less stays for it than for the others, beyond chance."""
    gap = cohort.get("gap") or {}
    return gap.get("low") is not None and gap["low"] > 0


def _metric(data: Mapping[str, Any]) -> str:
    """The judged measure that cohorts are held to."""
    held = compare_words.quality(data)
    return compare_words.metric(held[0]) if held is not None else "Quality"


def _cells(cohorts: Sequence[Cohort], k: int, metric: str | None) -> dict[str, list[Any]]:
    """Plain cells: values come from payloads."""
    made: dict[str, list[Any]] = {
        "Value": [_name(c) for c in cohorts],
        "Queries": [c.get("queries") for c in cohorts],
        f"Overlap@{k}": [_overlap(c) for c in cohorts],
        "Less than the others by": [_gap(c) for c in cohorts],
    }
    if metric is not None:
        quality = [c.get("quality") or {} for c in cohorts]
        made[f"{metric}, new less old"] = [_difference(q.get("difference") or {}) for q in quality]
        made[f"{metric}, old"] = [compare_words.number(_plain(q.get("left"))) for q in quality]
        made[f"{metric}, new"] = [compare_words.number(_plain(q.get("right"))) for q in quality]
    for name, label in (("jaccard", f"Jaccard@{k}"), ("rank_biased_overlap", "Rank-biased overlap"),
                        ("top1", "Same first hit"), ("displacement", "Ranks moved")):  # fmt: skip
        if any(compare_words.measured(c.get(name)) for c in cohorts):
            places = 1 if name == "displacement" else 3
            made[label] = [compare_words.mean(c.get(name), places) for c in cohorts]
    return made


def _overlap(cohort: Cohort) -> str:
    held = cohort.get("overlap_at_k")
    within = compare_words.interval(compare_words.measured(held))
    return f"{compare_words.mean(held)} ({within})" if within else compare_words.mean(held)


def _plain(held: Any) -> Any:
    """A mean where a figure is one, else the number itself."""
    return held.get("mean") if isinstance(held, Mapping) else held


def _gap(cohort: Cohort) -> str:
    gap = cohort.get("gap") or {}
    if gap.get("value") is None:
        return compare_words.NOT
    return f"{compare_words.signed(gap['value'])} ({compare_words.interval(gap, sign=True)})"


def _difference(held: Mapping[str, Any]) -> str:
    if held.get("mean") is None:
        return compare_words.NOT
    return f"{compare_words.signed(held['mean'])} ({compare_words.interval(held, sign=True)})"


def _whiskers(cohorts: Sequence[Cohort], k: int, palette: Palette) -> go.Figure:
    import plotly.graph_objects as go

    rows = [c for c in cohorts if compare_words.measured(c.get("overlap_at_k"))][::-1]
    names = [html.escape(_name(c)[:LONGEST]) for c in rows]
    names = [f"{text}{' ' * names[:i].count(text)}" for i, text in enumerate(names)]
    held = [c["overlap_at_k"] for c in rows]
    apart = [_behind(c) for c in rows]
    figure = go.Figure()
    for worse, name, colour, symbol in (
        (False, "no less than the others", palette.colours[0], "circle"),
        (True, "less than the others", palette.red, "diamond"),
    ):
        some = [i for i, x in enumerate(apart) if x is worse]
        if some:
            figure.add_trace(
                go.Scatter(
                    x=[held[i]["mean"] for i in some],
                    y=[names[i] for i in some],
                    mode="markers",
                    name=name,
                    marker={"size": 9, "color": colour, "symbol": symbol},
                    error_x=charts.whisker([held[i] for i in some], colour),
                    hovertemplate="%{y}: %{x:.4f}<extra></extra>",
                )
            )
    figure.update_xaxes(range=[-0.02, 1.03], title=f"overlap@{k}, with its 95% interval", nticks=6)
    figure.update_yaxes(automargin=True, categoryorder="array", categoryarray=names)
    return charts.framed(figure, palette, height=90 + 28 * len(rows))
