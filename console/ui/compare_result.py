"""One comparison: what it says in a sentence and four figures, then its evidence, from the plainest to the deepest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from console.compare.words import NAMED
from console.ui import (
    compare_beware,
    compare_changed,
    compare_cohorts,
    compare_deeper,
    compare_map,
    compare_noise,
    compare_scores,
    compare_sides,
    compare_thresholds,
    compare_words,
    health_words,
    pages,
    panels,
    words,
)
from console.ui.charts import Palette
from console.ui.compare_words import SIDES
from console.ui.note import note

ROUNDING: Final = ("int8", "bf16", "fp16")
COLUMNS: Final = (3, 2)
CUTOFF: Final = "threshold by equal "
"""How a comparison names what it could not translate; the translator says why."""
WIDEST: Final = 240
"""Pixels that a figure's interval needs on one line."""
NOISE: Final = (
    "How many neighbours would stay if nothing changed but the index, or the rounding of the vectors: an overlap near "
    "this one is no news."
)

Figure = tuple[str, str, str, str | None]
"""Name, value, what stands beside it, and what it means."""


def draw(data: Mapping[str, Any]) -> None:
    _verdict(data)
    _figures(data)
    with panels.guarded("What to beware of"):
        compare_beware.draw(data)
    palette = Palette()
    for name, part in (
        ("The queries", lambda: compare_changed.draw(data)),
        ("For whom, and what is noise", lambda: _beside(data, palette)),
        ("The scores", lambda: compare_scores.draw(data, palette)),
        ("The translator", lambda: compare_thresholds.draw(data, palette)),
        ("The picture of both spaces", lambda: compare_map.draw(data, palette)),
        ("The structure", lambda: compare_deeper.draw(data, palette)),
    ):
        with panels.guarded(name):
            part()
    _unmeasured(data)


def _beside(data: Mapping[str, Any], palette: Palette) -> None:
    """For whom it changes on the left, what of it is noise on the right."""
    left, right = st.columns(COLUMNS, gap="medium")
    with left, panels.guarded("The cohorts"):
        compare_cohorts.draw(data, palette)
    with right, panels.guarded("What is noise"):
        compare_noise.draw(data, palette)


def _verdict(data: Mapping[str, Any]) -> None:
    word, icon, colour = compare_words.verdict(data)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compare_verdict"):
        st.badge(word, icon=icon, color=colour)
        st.header(compare_words.kept(data), width="content", anchor=False)
    st.text(words.printable(str(data.get("summary") or compare_words.why(data.get("overlap_at_k")))))
    note([compare_words.basis(data), *_both(data)], key="compare.basis")
    sides = {n: str(data.get(s)) for n, s in (("a", "right"), ("b", "left"))}
    encoded = any(compare_sides.encoder_of(s) for s in sides.values())
    if data.get("quality") is None and not encoded and not compare_words.unchanged(data):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text("Whether that is better, judgements tell.", width="content")
            if st.button(
                "Judge both sides blind", key="compare.blind", type="tertiary", icon=":material/balance:"
            ):
                st.switch_page(pages.GOLDEN, query_params={"part": "blind", **sides})


def _both(data: Mapping[str, Any]) -> list[str]:
    """The judged measure of each side."""
    held = compare_words.quality(data)
    if held is None:
        return []
    name, figures = held
    old, new = (compare_words.mean(figures.get(side)) for side in SIDES)
    return [f"{compare_words.metric(name)}: old {old}, new {new}."]


def _figures(data: Mapping[str, Any]) -> None:
    """The matched share leads where the sides hold different rows: every other figure is on those rows alone."""
    matched = _matched(data)
    held = [_overlap(data), _noise(data), _judged(data)]
    held.insert(0 if (data.get("matched") or {}).get("share") != 1 else 2, matched)
    with st.grid(4, min_column_width=WIDEST):
        for name, value, beside, means in held:
            beside = compare_words.beside(beside)
            st.metric(
                name,
                value,
                beside,
                delta_color="off",
                delta_arrow="off",
                border=True,
                height="stretch",
                help=means,
            )


def _overlap(data: Mapping[str, Any]) -> Figure:
    held = data.get("overlap_at_k")
    beside = compare_words.interval(compare_words.measured(held)) or compare_words.why(held)
    return f"Overlap@{data.get('k')}", compare_words.mean(held), beside, None


def _noise(data: Mapping[str, Any]) -> Figure:
    """What the index and rounding alone would leave of the neighbours: change below it is no news."""
    noise: Mapping[str, Any] = data.get("noise") or {}
    found: list[tuple[float, str]] = []
    for side in SIDES:
        index = compare_words.measured(noise.get(f"{side}_index"))
        if index is not None:
            found.append((float(index["mean"]), f"the {NAMED[side]} index beside exact"))
        anchors = compare_words.measured((noise.get("anchors") or {}).get(side)) or {}
        for name in ROUNDING:
            rounded = compare_words.measured(anchors.get(name))
            if rounded is not None:
                found.append((float(rounded["mean"]), f"{NAMED[side]} vectors rounded to {name}"))
                break
    name = "Overlap under noise alone"
    if not found:
        why = next((compare_words.why(noise.get(f"{s}_index")) for s in SIDES), "")
        return name, compare_words.NOT, why, NOISE
    least, by = min(found)
    return name, compare_words.number(least), by, NOISE


def _matched(data: Mapping[str, Any]) -> Figure:
    held: Mapping[str, Any] = data.get("matched") or {}
    share, rows = held.get("share"), held.get("rows")
    value = health_words.percent(float(share)) if isinstance(share, (int, float)) else compare_words.NOT
    by = "id" if held.get("by") in (None, "id") else "a payload field"
    return "Rows on both sides", value, f"{words.count(rows)}, matched by {by}", None


def _judged(data: Mapping[str, Any]) -> Figure:
    """The difference of quality; where nothing is judged, how often the first hit stays."""
    held = compare_words.quality(data)
    if held is None:
        top = data.get("top1")
        beside = compare_words.interval(compare_words.measured(top)) or compare_words.why(top)
        return "Same first hit", compare_words.mean(top), beside, None
    name, figures = held
    difference: Mapping[str, Any] = figures.get("difference") or {}
    beside = compare_words.interval(difference, sign=True)
    return (
        f"{compare_words.metric(name)}, new less old",
        compare_words.signed(difference.get("mean")),
        beside,
        None,
    )


def _unmeasured(data: Mapping[str, Any]) -> None:
    """Reasons first: several figures often share one."""
    said = compare_thresholds.unknown(data)
    held = [
        one
        for one in data.get("not_measured") or ()
        if not (str(one.get("what")).startswith(CUTOFF) and str(one.get("why")) in said)
    ]
    dropped = [d for d in (data.get("query_source") or {}).get("dropped") or () if d.get("queries")]
    if not held and not dropped:
        return
    by_reason: dict[str, list[str]] = {}
    for one in held:
        by_reason.setdefault(str(one.get("why") or ""), []).append(str(one.get("what") or ""))
    with st.expander(f"Not measured ({len(held) + len(dropped)})"):
        for why, figures in by_reason.items():
            with st.container(gap="xxsmall"):
                st.text(words.printable(why))
                st.code(", ".join(figures), language=None, wrap_lines=True)
        for one in dropped:
            left_out = words.plural(int(one["queries"]), "query was", "queries were")
            st.text(words.printable(f"{left_out} left out: {one.get('why') or 'no reason is known'}"))
