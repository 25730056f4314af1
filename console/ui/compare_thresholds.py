"""The threshold translator: which cutoff in the new space does what one did in the old."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from console.compare.words import NAMED
from console.ui import charts, compare_run, compare_state, compare_words, health_words, words
from console.ui.charts import Palette
from console.ui.compare_words import SIDES
from console.ui.note import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

BY: Final = {
    "acceptance": "By equal acceptance",
    "precision": "By equal precision",
    "recall": "By equal recall",
}
POPULATIONS: Final = {"top1": "the first hit of each query", "topk": "every hit of each query"}
TRANSLATED: Final = ("Translated", ":material/check:", "green")
NOT_FOR_ALL: Final = ("Not for every cohort", ":material/warning:", "orange")
NONE: Final = ("No cutoff reproduces it", ":material/block:", "red")
UNMEASURED: Final = ("Not measured", ":material/help:", "gray")

COLUMNS: Final = (3, 2)
NONSENSE: Final = (
    "Nonsense queries: texts of random letters, which no row answers. A cutoff that lets their hits in would let in "
    "anything."
)

Translation = Mapping[str, Any]
Point = Sequence[float]


def draw(data: Mapping[str, Any], palette: Palette) -> None:
    st.subheader("Threshold translator", anchor=False)
    held: Mapping[str, Any] = data.get("thresholds") or {}
    population = POPULATIONS.get(str(held.get("population")), "the hits")
    translations: Sequence[Translation] = held.get("translations") or ()
    if translations:
        st.text(_counted(data, translations[0], population))
    else:
        st.text(
            f"Which cutoff in the new space does what yours did in the old, over {population}. No cutoff was asked."
        )
    for place, one in enumerate(translations):
        if one.get("new") is not None:
            _translation(data, one, place)
    for why, those in unknown(data).items():
        _unknown(why, those)
    curve: Sequence[Point] = [p for p in held.get("curve") or () if None not in p[:2]]
    left, right = st.columns(COLUMNS, gap="medium")
    with left:
        _another(data, _told(curve, translations, str(held.get("population"))), population)
        _nonsense(held.get("nonsense"))
    with right:
        if len(curve) > 1:
            asked = next((t for t in translations if t.get("new") is not None), None)
            st.plotly_chart(
                charts.kept(
                    palette, ("translator", data.get("id")), lambda: _curve(data, curve, asked, palette)
                ),
                config=charts.CONFIG,
                key="compare.translator",
                alt=f"The new cutoff for each old one, from {compare_words.score(curve[0][0])} to "
                f"{compare_words.score(curve[-1][0])}, by equal acceptance over {population}.",
            )
            charts.data("cutoffs", ["old", "new", "low", "high"], [list(p[:4]) for p in curve], "compare")


def _counted(data: Mapping[str, Any], one: Translation, population: str) -> str:
    """What the old cutoff accepts: the same for every way of translating it."""
    kind = compare_words.kind_of_score(data, "left")
    return (
        f"{compare_words.score(one.get('old'))} in the old {kind} accepts {words.count(one.get('accepted'))} of "
        f"{words.count(one.get('population'))} pairs ({population})."
    )


def unknown(data: Mapping[str, Any]) -> dict[str, list[Translation]]:
    """The translations that could not be told, by why: several ways of translating often share one reason."""
    found: dict[str, list[Translation]] = {}
    for one in (data.get("thresholds") or {}).get("translations") or ():
        if one.get("new") is None:
            found.setdefault(str(one.get("why") or "No reason is known"), []).append(one)
    return found


def _unknown(why: str, those: Sequence[Translation]) -> None:
    word, icon, colour = UNMEASURED
    ways = [_way(one).removeprefix("By ") for one in those]
    with st.container(
        border=True,
        horizontal=True,
        vertical_alignment="center",
        gap="small",
        key=f"compare_untold_{those[0].get('by')}",
    ):
        st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]
        st.markdown(f"**By {compare_words.plain_list(ways)}**", width="content")
        st.text(words.sentence(why), width="content")


def _way(one: Translation) -> str:
    return BY.get(str(one.get("by")), "By equal acceptance")


def _translation(data: Mapping[str, Any], one: Translation, place: int) -> None:
    word, icon, colour = NONE
    if one.get("verdict") == "translated":
        word, icon, colour = NOT_FOR_ALL if one.get("fits_all") is False else TRANSLATED
    with st.container(border=True, gap="small", key=f"compare_translation_{place}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(word, icon=icon, color=colour)
            st.markdown(f"**{_way(one)}**", width="content")
        st.text(_sentence(data, one))
        if one.get("why"):
            st.text(words.sentence(str(one["why"])))
        cohorts: Mapping[str, Sequence[Mapping[str, Any]]] = one.get("cohorts") or {}
        if one.get("fits_all") is False:
            st.text("One threshold does not fit every cohort: the ones below need cutoffs of their own.")
        for field, rows in cohorts.items():
            if rows:
                _cohorts(data, field, rows, place)


def _sentence(data: Mapping[str, Any], one: Translation) -> str:
    """`0.9500 becomes 0.4120 (0.3980 to 0.4300) in the new cosine similarity. …`"""
    old, new = compare_words.score(one.get("old")), one.get("new")
    kind = compare_words.kind_of_score(data, "right")
    said = f"{old} becomes {compare_words.score(new)} {_within(one)}in the new {kind}."
    then = one.get("accepted_new")
    if isinstance(then, int) and then != one.get("accepted"):
        said += f" It accepts {then:,} pairs: many of the new scores are equal."
    agreement = compare_words.measured(one.get("agreement"))
    if agreement is not None and agreement.get("jaccard") is not None:
        share, best = float(agreement["jaccard"]), one.get("best_jaccard")
        said += f" Of all that either accepts, both accept {health_words.percent(share)}"
        if agreement.get("low") is not None and agreement.get("high") is not None:
            low, high = float(agreement["low"]), float(agreement["high"])
            said += f" ({health_words.percent(low)} to {health_words.percent(high)})"
        said += "."
        if isinstance(best, (int, float)) and best > share + 0.005 and not one.get("why"):
            said += f" The best that any cutoff reaches is {health_words.percent(float(best))}."
    return said


def _within(held: Mapping[str, Any]) -> str:
    low, high = held.get("low"), held.get("high")
    if low is None or high is None:
        return ""
    return f"({compare_words.score(low)} to {compare_words.score(high)}) "


def _cohorts(data: Mapping[str, Any], field: str, rows: Sequence[Mapping[str, Any]], place: int) -> None:
    st.dataframe(
        {
            words.printable(field) or "(unnamed)": [words.printable(str(r.get("value"))) for r in rows],
            "New cutoff": [compare_words.score(r.get("new")) for r in rows],
            "95% interval": [_within(r).strip(" ()") for r in rows],
            "Accepted by the old": [r.get("accepted") for r in rows],
        },
        hide_index=True,
        key=f"compare.cutoffs.{place}.{field}",
    )


def _another(data: Mapping[str, Any], curve: Sequence[Point], population: str) -> None:
    """Any cutoff: read from the curve at once; its agreement takes a comparison that is asked with it."""
    state = st.session_state
    asked = (data.get("request") or {}).get("threshold")
    if state.get("c.cutoff") is None:
        kept = state.get("compare.cutoff")
        state["c.cutoff"] = kept if kept is not None else _first(asked, curve)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        cutoff = st.number_input(
            "Translate a cutoff in the old score",
            value=None,
            step=0.01,
            format="%.4f",
            key="c.cutoff",
            width=280,
            placeholder="a score",
            on_change=_kept,
        )
        st.button(
            "Compare again with this cutoff",
            key="compare.take",
            on_click=_take,
            help="Asks both sides anew, as the options say, and tells how many of the accepted are the same.",
        )
    if cutoff is None or _untold(data, float(cutoff)):
        return
    if len(curve) < 2:
        st.text(
            f"A comparison has to be asked with it, of which {_needed()} queries or more pass the cutoff."
        )
        return
    found = read(curve, float(cutoff))
    if found is None:
        st.text(_beyond(curve, float(cutoff)))
        return
    new, low, high = found
    within = (
        f" ({compare_words.score(low)} to {compare_words.score(high)})" if None not in (low, high) else ""
    )
    st.text(
        f"{compare_words.score(cutoff)} becomes {compare_words.score(new)}{within}, by equal acceptance over "
        f"{population}."
    )
    if asked is None or float(asked) != float(cutoff):
        st.text("How many of the accepted are the same, a comparison with this cutoff tells.")


def _untold(data: Mapping[str, Any], cutoff: float) -> bool:
    """Whether it is said above already why nothing can be told of a cutoff by equal acceptance."""
    held = [one for those in unknown(data).values() for one in those if one.get("by") == "acceptance"]
    return any(one.get("old") == cutoff for one in held)


def _told(curve: Sequence[Point], translations: Sequence[Translation], population: str) -> Sequence[Point]:
    """The curve as far as enough queries pass: earlier versions drew it on, past a cutoff that they could not tell."""
    for one in translations:
        accepted = one.get("accepted") if population == "top1" else None
        queries, old = one.get("queries", accepted), one.get("old")
        if (
            len(curve) > 1
            and isinstance(queries, int)
            and queries < _needed()
            and isinstance(old, (int, float))
        ):
            rising = curve[-1][0] > curve[0][0]
            return [p for p in curve if (p[0] < old if rising else p[0] > old)]
    return curve


def _first(asked: Any, curve: Sequence[Point]) -> float | None:
    """The cutoff that was asked; else the middle of what can be told."""
    if isinstance(asked, (int, float)):
        return float(asked)
    return round(float(curve[len(curve) // 2][0]), 2) if len(curve) > 1 else None


def _needed() -> int:
    from console.compare.threshold import NEEDED

    return NEEDED


def _beyond(curve: Sequence[Point], cutoff: float) -> str:
    """Why nothing can be said of a cutoff outside of the curve, whose last point is the strictest."""
    loosest, strictest = float(curve[0][0]), float(curve[-1][0])
    strict = cutoff > strictest if strictest > loosest else cutoff < strictest
    if strict:
        return (
            f"Nothing can be said of {compare_words.score(cutoff)}: fewer than {_needed()} queries pass it. The strictest "
            f"that can be told is {compare_words.score(strictest)}; ask more queries for a stricter one."
        )
    return (
        f"{compare_words.score(cutoff)} lets in nearly all that was found: any cutoff looser than "
        f"{compare_words.score(loosest)} rejects next to nothing."
    )


def _kept() -> None:
    st.session_state["compare.cutoff"] = st.session_state["c.cutoff"]


def _take() -> None:
    """Compare anew, with the cutoff that the field holds by now."""
    cutoff = st.session_state.get("c.cutoff")
    if cutoff is not None:
        compare_state.put("c.threshold", float(cutoff))
    compare_run.start()


def read(curve: Sequence[Point], old: float) -> tuple[float, float | None, float | None] | None:
    """The new cutoff of an old one with its interval, between the curve's points; None outside of them."""
    import numpy as np

    points = sorted(curve, key=lambda p: p[0])
    x = np.asarray([p[0] for p in points], float)
    if not x[0] <= old <= x[-1]:
        return None

    def at(place: int) -> float | None:
        held = [p[place] if len(p) > place else None for p in points]
        return None if None in held else float(np.interp(old, x, np.asarray(held, float)))

    new = at(1)
    return None if new is None else (new, at(2), at(3))


def _nonsense(held: Any) -> None:
    """Whether the cutoffs let in queries that mean nothing."""
    found = compare_words.measured(held)
    if found is None:
        if why := compare_words.why(held):
            note([f"{NONSENSE} Not measured. {why}"], key="compare.nonsense.none")
        return
    lines: list[str] = []
    for side in SIDES:
        name = NAMED[side].capitalize()
        one = compare_words.measured(found.get(side))
        if one is None:
            if why := compare_words.why(found.get(side)):
                lines.append(f"{name}: not measured. {why}")
            continue
        quantiles: Mapping[str, Any] = one.get("quantiles") or {}
        said = (
            f"{name}: the first hits of {words.plural(int(one.get('queries') or 0), 'such text')} score "
            f"{compare_words.score(quantiles.get('50'))} (median), {compare_words.score(quantiles.get('95'))} (95%)."
        )
        accepted = one.get("accepted_share")
        if isinstance(accepted, (int, float)):
            said += f" The cutoff lets in {health_words.percent(float(accepted))} of them."
            if accepted > 0.5:
                said += " It rejects next to nothing."
        lines.append(said)
    note([NONSENSE, *lines], key="compare.nonsense")


def _curve(
    data: Mapping[str, Any], curve: Sequence[Point], asked: Translation | None, palette: Palette
) -> go.Figure:
    import plotly.graph_objects as go

    x, new = [p[0] for p in curve], [p[1] for p in curve]
    figure = go.Figure()
    if all(len(p) > 3 and None not in p[2:4] for p in curve):
        band = charts.faint(palette.colours[0])
        figure.add_trace(
            go.Scatter(x=[*x, *x[::-1]], y=[*(p[3] for p in curve), *(p[2] for p in curve[::-1])], fill="toself",
                       mode="none", fillcolor=band, name="95% interval", hoverinfo="skip")
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(x=x, y=new, mode="lines", name="equal acceptance",
                   line={"color": palette.colours[0], "width": 1.5}, hovertemplate="%{x:.4f} becomes %{y:.4f}<extra></extra>")
    )  # fmt: skip
    if asked is not None:
        figure.add_trace(
            go.Scatter(x=[asked["old"]], y=[asked["new"]], mode="markers", name="your cutoff",
                       marker={"size": 10, "color": palette.colours[1], "symbol": "diamond"},
                       hovertemplate="%{x:.4f} becomes %{y:.4f}<extra></extra>")
        )  # fmt: skip
    kinds = [html.escape(compare_words.kind_of_score(data, side)) for side in SIDES]
    figure.update_xaxes(title=f"old {kinds[0]}", nticks=6)
    figure.update_yaxes(title=f"new {kinds[1]}", nticks=5)
    return charts.framed(figure, palette)
