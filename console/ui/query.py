"""The query page: ask in words, pictures, rows or vectors; see what comes back and from which encoder."""

from __future__ import annotations

import streamlit as st

from connectors.errors import PlumblineError
from console.search import QueryRequest
from console.ui import overview, panels, query_answer, query_form, query_state, session
from console.ui.query_state import is_empty


def draw() -> None:
    """The page. Nothing is searched, counted or loaded before a query is sent."""
    if not session.workspace().settings.connections:
        st.header("Query")
        overview.nothing_configured()
        return
    wrong = query_state.arrive()
    request, fault = query_form.draw()
    if wrong is not None:
        panels.error(wrong, title="The link can't be read as a query")
    if fault is not None:
        panels.error(fault)
        return
    assert request is not None
    late = query_state.leave(request)
    if is_empty(request):
        query_form.encoder_line(request)
        _nothing_asked(request)
        return
    if not request.addresses:
        panels.empty("Choose a collection", "Name at least one collection above to search in.")
        return
    if late is not None:
        panels.error(late, title="This query has no link")
    try:
        request.check()
        answer = query_answer.ask(request)
    except PlumblineError as stopped:
        query_form.encoder_line(request)
        query_answer.stopped(request, stopped)
        return
    query_answer.draw(answer)


def _nothing_asked(request: QueryRequest) -> None:
    if not request.addresses:
        panels.empty(
            "Choose a collection, then ask",
            "Name one or more collections above. Several are searched side by side, or fused into one ranking.",
        )
        return
    panels.empty(
        "Ask in words",
        "Type what a picture should show, add a picture, or name a row. The answer comes with its scores, the "
        "encoder that was used, and where the time went.",
    )
    st.caption("For example")
    with st.container(horizontal=True, gap="small"):
        for text in ("a red circle", "a small blue square left of a green star", "ein gelbes Dreieck"):
            if st.button(text, key=f"query.example.{text}"):
                from dataclasses import replace

                query_state.send(replace(request, text=text))
