"""The page Compare: an old and a new space side by side; what changes, for whom, and whether it is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from connectors.errors import PlumblineError
from console.ui import (
    board,
    compare_asked,
    compare_beware,
    compare_form,
    compare_gate,
    compare_history,
    compare_result,
    compare_run,
    compare_state,
    compare_store,
    compare_words,
    overview,
    panels,
    session,
    waiting,
)
from console.ui.health_words import ago
from console.ui.note import note

if TYPE_CHECKING:
    from console.compare.request import CompareRequest


def draw() -> None:
    """The page. Nothing is searched or embedded by looking at it: it shows a stored comparison of the two sides."""
    if not session.workspace().settings.connections:
        st.header("Compare")
        overview.nothing_configured()
        return
    compare_history.opened()
    compare_state.arrive()
    held = compare_store.listed()
    board.glance(held, seconds=3.0)
    listed = held.value or []
    compare_state.adopt(listed)
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with bar:
        compare_form.sides(listed)
        st.space("stretch")
    request, fault = _request()
    compare_run.ended(request)
    data, gone = _shown(request, held)
    running = compare_run.active(request) is not None
    compare_state.showing(str(data["id"]) if data is not None else None, running)
    late = compare_state.leave(request)
    _faults(data, late)
    with bar:
        _age(data)
        fault = compare_form.options(data) or fault
        st.button(
            "Compare now",
            key="compare.now",
            type="primary",
            on_click=compare_run.start,
            disabled=request is None or fault is not None or running,
        )
    if fault is not None:
        compare_form.error(fault)
    with panels.guarded("The state of the sides"):
        compare_beware.unreached()
    _below(request, data, gone, held)
    with panels.guarded("The gate"):
        compare_gate.draw(request)
    with panels.guarded("The list of comparisons"):
        compare_history.draw(listed, data)


def _request() -> tuple[CompareRequest | None, PlumblineError | None]:
    try:
        return compare_form.request(), None
    except PlumblineError as fault:
        return None, fault


def _shown(
    request: CompareRequest | None, held: board.Held[Any]
) -> tuple[Mapping[str, Any] | None, PlumblineError | None]:
    """The comparison to show, and why one can't be had; one that was asked for and is not there is said above."""
    state = st.session_state
    if held.error is not None:
        return None, held.error
    if not (state.get("c.left") and state.get("c.right")):
        return None, None
    data, gone = compare_store.shown(held.value or [], state["c.left"], state["c.right"], request)
    if gone is not None and gone.code == "not-found":
        compare_state.gone(gone)
        gone = None
    return data, gone


def _faults(data: Mapping[str, Any] | None, late: PlumblineError | None) -> None:
    faults = compare_state.faults()
    for fault, title in faults:
        panels.error(fault, title=title)
    if faults and data is not None:
        st.text(f"Shown instead: {data['id']}, of the two sides above, compared {ago(data.get('at'))}.")
    unknown = compare_state.unknown()
    if unknown:
        panels.warnings(
            [f"The link says things that this page does not know, and they were left out: {unknown}."]
        )
    if late is not None:
        panels.error(late, title="This comparison has no link")


def _age(data: Mapping[str, Any] | None) -> None:
    if data is None:
        return
    with st.container(width="content"):
        note([f"Compared {ago(data.get('at'))}", compare_words.size(data)], key="compare.age")


def _below(
    request: CompareRequest | None,
    data: Mapping[str, Any] | None,
    gone: PlumblineError | None,
    listed: board.Held[Any],
) -> None:
    """`gone`: why there may be a comparison that can't be shown."""
    unread = waiting.until(listed)
    if gone is not None:
        panels.error(gone, title="What was compared can't be read now")
    running = compare_run.draw(request, data, listed.began) if request is not None else False
    if data is not None:
        _apart(data, request, listed.value or [])
        compare_result.draw(data)
    elif running or unread:
        st.skeleton(height=260)
    elif gone is not None and gone.code == "busy":
        st.text("What was compared is kept, and stands here again once the store is free.")
        st.button("Look again", key="compare.again", on_click=board.board().forget, args=(compare_store.KEY,))
    elif request is None:
        panels.empty(
            "Choose an old and a new side",
            "Two collections, two vector fields of one, or an encoder that made no collection yet: then the page "
            "tells how much the neighbours change, for whom, and whether that is better.",
        )
    elif gone is None:
        panels.empty(
            "Not compared yet",
            "Here stands how much the neighbours change between the two: the queries that change most with their "
            "pictures, for whom it is worse, and what a similarity threshold must become. Compare now asks both "
            f"sides with {compare_words.asked(request)}, and changes nothing.",
            request.to_command(),
        )


def _apart(
    data: Mapping[str, Any], request: CompareRequest | None, listed: Sequence[Mapping[str, Any]]
) -> None:
    """What is shown is not what the form asks, or not the newest: said before any of its figures."""
    pair = compare_store.of_pair(listed, str(data["left"]), str(data["right"]))
    if pair and pair[0]["id"] != data["id"]:
        compare_history.earlier(data, pair[0])
    changes = compare_asked.changes(data, request) if request is not None else []
    if not changes:
        return
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", gap="small", key="compare_differs"
    ):
        st.badge("Asked otherwise", icon=":material/edit:", color="orange")
        st.text(
            f"The form now asks for {compare_words.plain_list(changes)}. What stands below answers what was asked then: "
            "Compare now answers the form.",
            width="stretch",
        )
        st.button(
            "Back to what was asked",
            key="compare.back",
            on_click=compare_history.show,
            args=(str(data["id"]),),
        )
