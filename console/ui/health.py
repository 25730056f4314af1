"""The page Health: the verdict first, its causes, the rows, the remedy; below, what it was measured by."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.settings import Address, parse_address
from console.ui import (
    access,
    actions,
    board,
    health_history,
    health_more,
    health_report,
    health_run,
    health_state,
    health_store,
    health_words,
    overview,
    panels,
    session,
)
from console.ui.note import note

UNREAD: Final = "The history can't be read now"


def draw() -> None:
    """The page. Nothing is scanned by looking at it: it shows the last report, and how to make one."""
    if not session.workspace().settings.connections:
        st.header("Health")
        overview.nothing_configured()
        return
    try:
        wrong = health_state.arrive()
    except PlumblineError as fault:
        wrong = fault
    held = health_store.latest_each()
    board.glance(held, seconds=3.0)
    latest = held.value or []
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with bar:
        address = _chosen(latest)
        st.space("stretch")
    health_state.leave(address)
    if wrong is not None:
        panels.error(wrong, title="The link can't be followed")
    if address is None:
        panels.empty(
            "No collection to look at yet",
            "The connections that answer hold no collection, or have not answered yet. Overview says which.",
        )
        return
    read = time.time()
    report, fault = _report(address) if held.error is None else (None, held.error)
    if fault is not None:
        panels.error(fault, title=UNREAD if fault.code != "not-found" else None)
    with bar:
        _age(report)
        _asking(address, report)
    _report_below(address, report, fault, read)


def _report_below(
    address: Address, report: Mapping[str, Any] | None, fault: PlumblineError | None, read: float
) -> None:
    """`fault`: why there may be a report that can't be shown. `read`: when the store was asked."""
    running = health_run.draw(address, report, read)
    if report is None:
        if fault is not None:
            if fault.code == "busy":
                st.text("What checks have found is kept, and stands here again once the store is free.")
                st.button(
                    "Look again", key="health.again", on_click=board.board().forget, args=(("reports",),)
                )
        elif running:
            st.skeleton(height=260)
        else:
            health_report.nothing(address)
        return
    health_report.draw(address, report)
    health_history.draw(address, report)


def _chosen(latest: list[Any]) -> Address | None:
    """The two choosers; the vector field only where the collection is known to have one."""
    state = st.session_state
    options = health_state.collections(latest)
    if not state.get("h.collection"):
        collection, vector = health_state.preferred(options, latest)
        state["h.collection"], state["h.vector"] = collection, vector
    if not options:
        return None
    before = state["h.collection"]
    st.selectbox("Collection", options, key="h.collection", width=320, on_change=_moved)
    collection = state["h.collection"] or before
    names = health_state.vectors(collection, latest)
    whole = parse_address(collection)
    if not names:
        return whole
    if state.get("h.vector") not in names:
        state["h.vector"] = names[0]
    st.selectbox(
        "Vector",
        names,
        key="h.vector",
        width=180,
        format_func=lambda n: n or "(unnamed)",
        on_change=_elsewhere,
    )
    return whole.with_vector(state["h.vector"])


def _moved() -> None:
    """Another collection: what was asked of the last one is not asked of this one."""
    state = st.session_state
    for key in ("h.vector", *health_more.SET):
        state[key] = None
    state["h.groups"] = []
    state["h.same"] = False
    _elsewhere()


def _elsewhere() -> None:
    """Another vector field: the report that was looked at is not its own."""
    health_state.show(None)


def _report(address: Address) -> tuple[Mapping[str, Any] | None, PlumblineError | None]:
    """The report in the URL where it is of this address, else the newest; and why there is none to be had, or not the
    one in the URL.
    """
    wanted, gone = st.session_state.get("health.report"), None
    try:
        if wanted:
            try:
                held = health_store.report(wanted)
                if parse_address(str(held["address"])).with_vector(None) == address.with_vector(None):
                    return held, None
            except PlumblineError as fault:
                if fault.code != "not-found":
                    raise
                gone = fault
            health_state.show(None)
        return health_store.newest(address), gone
    except PlumblineError as fault:
        return None, fault


def _age(report: Mapping[str, Any] | None) -> None:
    if report is None:
        return
    with st.container(width="content"):
        note(
            [f"Checked {health_words.ago(report.get('at'))}", health_words.basis(report)],
            key="health.age",
        )


def _asking(address: Address, report: Mapping[str, Any] | None) -> None:
    """How to check, and the one primary button."""
    read_only = access.why_read_only() is not None
    same = health_state.same_rows(report) is not None
    with st.popover("Options", icon=":material/tune:"):
        st.toggle(
            "Read every row",
            key="h.full",
            disabled=read_only or same,
            help="Exact, and as long as the collection is large. A sample says how sure it is.",
        )
        st.number_input(
            "Rows of the sample",
            min_value=100,
            max_value=actions.LARGEST_SAMPLE,
            value=health_state.SAMPLE,
            step=1_000,
            key="h.sample",
            disabled=same or bool(st.session_state.get("h.full")),
        )
        st.multiselect(
            "Also by these fields",
            health_state.fields(report),
            key="h.groups",
            accept_new_options=True,
            placeholder="as found in the rows",
            help="Figures are kept for each value of these payload fields.",
        )
        st.selectbox(
            "Embed a sample again with",
            health_run.encoders(),
            key="h.encoder",
            help="Tells whether the vectors are this encoder's, and on the right rows. It is loaded first.",
        )
        health_more.draw(address, report, read_only)
    st.button(
        "Check now",
        key="health.check",
        type="primary",
        on_click=health_run.start,
        args=(address, report),
        disabled=health_run.active(address) is not None,
    )
