"""Stored comparisons, and the one that is shown as a file or a command."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.compare.request import CompareRequest
from console.search.answer import finite
from console.ui import (
    compare_asked,
    compare_sides,
    compare_state,
    compare_store,
    compare_words,
    health_words,
    panels,
    words,
)

FORMATS: Final = (
    ("json", "JSON", "application/json"),
    ("md", "Markdown", "text/markdown"),
    ("html", "HTML", "text/html"),
)


def draw(held: Sequence[Mapping[str, Any]], data: Mapping[str, Any] | None) -> None:
    if data is None and not held:
        return
    st.divider()
    if data is not None:
        _take_away(data)
    _listed(held, data)


def _take_away(data: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader("This comparison", width="content", anchor=False)
        st.code(str(data.get("id")), language=None, width="content")
        st.space("stretch")
        with st.popover("As a command", icon=":material/terminal:"):
            st.caption("The same comparison on the command line")
            st.code(_command(data), language=None, wrap_lines=True)
        for ending, name, mime in FORMATS:
            st.download_button(
                name,
                _exporter(data, ending),
                file_name=f"{data.get('id')}.{ending}",
                mime=mime,
                key=f"compare.file.{ending}",
                on_click="ignore",
                icon=":material/download:",
            )


def _command(data: Mapping[str, Any]) -> str:
    return words.printable(CompareRequest.from_json(data["request"]).to_command())


def _exporter(data: Mapping[str, Any], ending: str) -> Callable[[], bytes]:
    def made() -> bytes:
        render = importlib.import_module("console.compare.render")
        if ending == "json":
            held = render.to_json(data)
            text = (
                held
                if isinstance(held, str)
                else json.dumps(finite(held), ensure_ascii=False, indent=1, allow_nan=False)
            )
        else:
            text = str(render.to_markdown(data) if ending == "md" else render.to_html(data))
        return text.encode("utf-8", "replace")

    return made


def earlier(data: Mapping[str, Any], newest: Mapping[str, Any]) -> None:
    """What is shown is not the newest of its two sides."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("A stored comparison", icon=":material/history:", color="gray")
        st.text(
            f"Of {health_words.at(data.get('at'))}. The newest of these two sides is of "
            f"{health_words.at(newest.get('at'))}.",
            width="stretch",
        )
        st.button("Show the newest", key="compare.newest", on_click=show, args=(str(newest["id"]),))


def show(name: str) -> None:
    """Before the page is drawn again: look at a comparison as it was asked."""
    try:
        compare_state.show(name, compare_store.data(name))
    except PlumblineError as fault:
        compare_state.gone(fault)


def _listed(held: Sequence[Mapping[str, Any]], data: Mapping[str, Any] | None) -> None:
    st.subheader("Stored comparisons", anchor=False)
    if not held:
        st.text("None is stored yet.")
        return
    own = data.get("id") if data is not None else None
    event = st.dataframe(
        {
            "At": [health_words.at(h.get("at")) for h in held],
            "Old": [compare_sides.label(h.get("left")) for h in held],
            "New": [compare_sides.label(h.get("right")) for h in held],
            "Shown": ["this one" if h.get("id") == own else "" for h in held],
            "Asked with": [compare_asked.source(h.get("asked")) for h in held],
            "Queries": [h.get("queries") for h in held],
            "k": [h.get("k") for h in held],
            "Overlap": [_overlap(h) for h in held],
            "Judged": [_judged(h) for h in held],
            "Cutoff": [_cutoff(h) for h in held],
            "Rows on both": [_share(h.get("share")) for h in held],
            "Comparison": [str(h.get("id")) for h in held],
        },
        hide_index=True,
        # Another comparison that is shown, by the list or by a button, leaves no row of it ticked.
        key=f"compare.history.{st.session_state.get('compare.turns', 0)}",
        selection_mode="single-row",
        on_select="rerun",
        height=words.tall(len(held), 300),
        column_config={"Queries": st.column_config.NumberColumn(format="localized")},
    )
    picked = tuple(event.selection.rows)
    if picked and picked[0] < len(held):
        _open(str(held[picked[0]]["id"]))


def _open(name: str) -> None:
    """Show that comparison as it was asked: the widgets take its request before they are drawn again."""
    try:
        st.session_state["compare.pending"] = compare_store.data(name)
    except PlumblineError as fault:
        panels.error(fault)
        return
    st.rerun()


def opened() -> None:
    """Take over a comparison that was opened from the list."""
    data = st.session_state.pop("compare.pending", None)
    if data is not None:
        compare_state.show(str(data["id"]), data)


def _judged(headline: Mapping[str, Any]) -> str:
    """`Better, nDCG@10 +0.043`."""
    held = headline.get("quality")
    if not isinstance(held, Mapping):
        return ""
    word = compare_words.judgement(held)[0]
    return f"{word}, {compare_words.metric(str(held.get('name')))} {compare_words.signed(held.get('mean'))}"


def _cutoff(headline: Mapping[str, Any]) -> str:
    held = (headline.get("asked") or {}).get("threshold")
    return compare_words.score(held) if held is not None else ""


def _overlap(headline: Mapping[str, Any]) -> str:
    held = headline.get("overlap")
    return compare_words.mean(held) if isinstance(held, Mapping) else compare_words.number(held)


def _share(value: Any) -> str:
    return health_words.percent(float(value)) if isinstance(value, (int, float)) else compare_words.NOT
