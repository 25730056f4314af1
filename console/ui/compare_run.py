"""The comparison that runs for two sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.jobs.runs import Run
from console.store.comparisons import asked_of
from console.ui import (
    board,
    compare_actions,
    compare_asked,
    compare_form,
    compare_state,
    compare_store,
    running,
    words,
)

if TYPE_CHECKING:
    from console.compare.request import CompareRequest

_STARTED: Final = "compare.started"
"""The run that was started from this session."""


def active(request: CompareRequest | None) -> Run | None:
    """The comparison that runs for a pair of sides."""
    found = compare_actions.latest(request.key) if request is not None else None
    return found if found is not None and found.active else None


def start() -> None:
    """Start what the form asks for now; what is wrong stands on the page afterwards.

    A click that ends a typing comes with it: what the form asked when the page was drawn is not what it asks.
    """
    if PANEL.start(_begin):
        compare_state.show(None)


def _begin() -> None:
    request = compare_form.request()
    if request is None:
        raise PlumblineError("usage", "Choose an old and a new side first.", where="compare")
    st.session_state[_STARTED] = compare_actions.compare_now(request)


def ended(request: CompareRequest | None) -> None:
    """A comparison that was started here and has ended is what is looked at, whatever the form says by now."""
    state = st.session_state
    if state.get(_STARTED) is None or request is None:
        return
    run = compare_actions.latest(request.key)
    if run is None or run.id != state[_STARTED] or run.active:
        return
    del state[_STARTED]
    if run.state == "done" and run.reports:
        compare_state.show(str(run.reports[0]))


def draw(request: CompareRequest, shown: Mapping[str, Any] | None, read: float) -> bool:
    """The panel above the comparison, which was read at `read`; True while one runs."""
    return PANEL.draw(compare_actions.latest(request.key), shown, read)


def _what(run: Run) -> str:
    queries, given = run.options.get("queries"), compare_asked.source(asked_of(run.options))
    if given != compare_asked.ROWS:
        return given[:1].upper() + given[1:]
    return words.plural(queries, "query", "queries") if isinstance(queries, int) else "Queries"


PANEL: Final = running.Panel(
    key="compare",
    doing="Comparing",
    noun="comparison",
    progress=lambda run: compare_actions.progress(run),
    cancel=lambda run: compare_actions.cancel(run),
    forget=lambda: board.board().forget(compare_store.KEY),
    what=_what,
)
