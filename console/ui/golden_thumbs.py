"""Thumbs on the page Query: a hit judged for the query at hand, in the draft of the golden set that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import streamlit as st

from connectors.errors import PlumblineError
from console.search import HitRow, QueryRequest, golden
from console.search.golden import GoldenQuery
from console.ui import access, board, golden_actions, golden_state, golden_store, panels, waiting
from console.ui.grid import THUMBS, Act

NONE: Final = "nobody"
_REFUSED: Final = "golden.thumb"


@dataclass(frozen=True, slots=True)
class Thumbs:
    """Where thumbs go: the set, what is asked as its query, and how its draft judges by now."""

    name: str
    query: GoldenQuery
    key_field: str | None
    grades: Mapping[str, int]

    def grade(self, hit: HitRow) -> int | None:
        key = golden.key_of(hit.id, hit.payload, self.key_field)
        return self.grades.get(key) if key is not None else None

    def can_judge(self, hit: HitRow) -> bool:
        return golden.key_of(hit.id, hit.payload, self.key_field) is not None


def chooser() -> None:
    """Which golden set the thumbs judge for: the one that was chosen last."""
    if access.why_read_only() is not None:
        return
    held = golden_store.listed()
    board.glance(held, seconds=1.0)
    names, current = golden_store.names(held), st.session_state.get(golden_state.CHOSEN)
    options = list(dict.fromkeys([NONE, *names, *([current] if current else [])]))
    st.session_state["q.judge"] = current or NONE
    st.selectbox(
        "Thumbs judge for",
        options,
        key="q.judge",
        width=190,
        accept_new_options=True,
        on_change=_chosen,
        help="A golden set: a thumb on a result is a judgement in its draft. Type a name to begin a new one.",
    )
    waiting.until(held)


def _chosen() -> None:
    picked = st.session_state.get("q.judge")
    st.session_state[golden_state.CHOSEN] = None if picked in (None, NONE) else str(picked).strip()


def of(request: QueryRequest) -> Thumbs | None:
    """The thumbs of a query; None where no set is chosen, or the query is a bare vector."""
    name = st.session_state.get(golden_state.CHOSEN)
    if not name or access.why_read_only() is not None:
        return None
    try:
        query = golden.query_of(request)
    except PlumblineError:
        return None
    listed = golden_store.listed()
    board.glance(listed, seconds=1.0)
    if listed.value is None:
        # Without the set it is not known which field its keys are: a judgement would be of the wrong thing.
        return None
    draft = next((h for h in golden_store.heads(listed.value, name) if h["version"] is None), None)
    if draft is None:
        return Thumbs(name, query, None, {})
    try:
        found = golden_store.golden(draft)
    except PlumblineError as fault:
        panels.error(fault, title="The golden set can't be read now")
        return None
    held = golden.asked(found, query)
    return Thumbs(name, query, found.key_field, {} if held is None else found.grades(held.id))


def judge(thumbs: Thumbs, hit: HitRow, act: Act) -> None:
    """Keep what a thumb says; the same thumb again takes it back."""
    key = golden.key_of(hit.id, hit.payload, thumbs.key_field)
    if key is None:
        return
    given, grade = THUMBS[act], thumbs.grade(hit)
    same = grade is not None and (grade > 0) == (given > 0)
    try:
        golden_actions.judge(thumbs.name, thumbs.query, key, None if same else given)
    except PlumblineError as fault:
        st.session_state[_REFUSED] = fault


def refused() -> None:
    """Why the last thumb was not kept."""
    fault = st.session_state.pop(_REFUSED, None)
    if fault is not None:
        panels.error(fault, title="The judgement was not kept")
