"""Comparisons as the page needs them: from the store alone, whatever the databases do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.ui import board, compare_asked, compare_sides, session

if TYPE_CHECKING:
    from console.compare.request import CompareRequest
    from console.store.comparisons import Comparisons

FRESH: Final = 2.0
LISTED: Final = 200
KEY: Final = ("comparisons",)

Headline = Mapping[str, Any]


def store() -> Comparisons:
    """The store that the settings name; who holds a lock on it holds no page up. Raises what opening it raises."""
    from console.store.comparisons import Comparisons
    from console.store.engine import GLANCE_SECONDS

    return Comparisons.open(session.workspace(), wait=GLANCE_SECONDS)


def listed() -> board.Held[list[Headline]]:
    """The stored comparisons, newest first, asked in the background: the store may be another machine."""
    return board.board().ask(KEY, lambda: list(store().list(LISTED)), FRESH)


def data(name: str) -> Mapping[str, Any]:
    """A stored comparison never changes. Raises `not-found`."""
    return _data(session.generation(), name)


@st.cache_resource(show_spinner=False, max_entries=24)
def _data(generation: int, name: str) -> Mapping[str, Any]:
    return store().get(name)


def arrays(name: str) -> Mapping[str, Any]:
    """The arrays beside a comparison: the picture of both spaces. Raises `not-found`."""
    return _arrays(session.generation(), name)


@st.cache_resource(show_spinner=False, max_entries=8)
def _arrays(generation: int, name: str) -> Mapping[str, Any]:
    return store().arrays(name)


def of_pair(held: Sequence[Headline], left: str, right: str) -> list[Headline]:
    """Those of two sides, newest first."""
    return [
        h
        for h in held
        if compare_sides.same(str(h["left"]), left) and compare_sides.same(str(h["right"]), right)
    ]


def shown(
    held: Sequence[Headline], left: str, right: str, request: CompareRequest | None
) -> tuple[Mapping[str, Any] | None, PlumblineError | None]:
    """The comparison that is asked for by its id; else the newest of the two sides that was asked what the form asks,
    else the one that was shown, else the newest. With it why there is none to be had, or not the one that was asked for.
    """
    gone, state = None, st.session_state
    try:
        if wanted := state.get("compare.id"):
            try:
                return data(wanted), None
            except PlumblineError as fault:
                if fault.code != "not-found":
                    raise
                gone = fault
        pair = of_pair(held, left, right)
        found = compare_asked.newest(pair, request, data) if request is not None else None
        found = found or next((h for h in pair if h["id"] == state.get("compare.held")), None)
        found = found or (pair[0] if pair else None)
        return (data(str(found["id"])) if found is not None else None), gone
    except PlumblineError as fault:
        return None, fault
