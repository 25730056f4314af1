"""A check that runs: how far it is, how to end it, and what came of it. Everybody sees the same one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.health.progress import duration
from console.jobs.runs import Run, restored
from console.settings import Address
from console.ui import actions, board, health_state, health_words, panels, session, words

POLL: Final = 0.5
SLOW: Final = 20.0
"""Seconds without a word from the check's process after which the page says so."""


def active(address: Address) -> Run | None:
    """The check that runs for a vector field, or for its collection as a whole."""
    found = _of(address)
    return found if found is not None and found.active else None


def _of(address: Address) -> Run | None:
    runs = actions.runs()
    held = [runs.latest(a) for a in dict.fromkeys((address, address.with_vector(None)))]
    return max((r for r in held if r is not None), key=lambda r: (r.active, r.submitted), default=None)


def start(address: Address, report: Mapping[str, Any] | None) -> None:
    """Start what the form asks for, beside the report that is shown; what is wrong stands on the page afterwards."""
    state = st.session_state
    state.pop("health.refused", None)
    try:
        actions.check_now(address, health_state.options(report))
    except PlumblineError as fault:
        state["health.refused"] = fault
        return
    health_state.show(None)


def encoders() -> list[str]:
    try:
        names = sorted(session.workspace().encoder_specs())
    except PlumblineError:
        names = []
    current = st.session_state.get("h.encoder")
    return list(dict.fromkeys([health_state.NO_ENCODER, *names, *([current] if current else [])]))


def draw(address: Address, report: Mapping[str, Any] | None) -> bool:
    """The panel above the report; True while a check runs."""
    refused = st.session_state.pop("health.refused", None)
    if refused is not None:
        panels.error(refused, title="The check was not started")
    run = _of(address)
    if run is None:
        return False
    if run.active:
        st.fragment(_watch, run_every=POLL)(run.id)
        return True
    made = health_words.when((report or {}).get("at"))
    if run.id in st.session_state.get("health.read", ()) or (made and made.timestamp() > run.submitted):
        return False
    if run.state == "failed" and run.error is not None:
        _failed(run)
    elif run.state == "cancelled":
        _cancelled(run)
    return False


def _watch(name: str) -> None:
    with panels.guarded("The progress"):
        _progress(name)


def _progress(name: str) -> None:
    try:
        run = actions.runs().progress(name)
    except PlumblineError:
        run = None
    if run is None or not run.active:
        board.board().forget(("reports",))
        st.rerun()
        return
    silent = time.time() - run.heartbeat
    with st.container(border=True, gap="small", key="health_running"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge("Checking", icon=":material/progress_activity:", color="blue")
            st.text("Ending" if run.stopping else words.printable(run.phase), width="content")
            st.space("stretch")
            st.button(
                "Cancel",
                key="health.cancel",
                disabled=run.stopping,
                on_click=_cancel,
                args=(run.id,),
            )
        st.progress(share(run))
        st.text(said(run))
        if silent > SLOW:
            st.text(f"It has said nothing for {duration(silent)}: its process is alive, and slow.")


def share(run: Run) -> float:
    """How far the phase is, from 0 to 1."""
    return min(1.0, max(0.0, run.done / run.total)) if run.total else 0.0


def said(run: Run) -> str:
    """`12,000 of 1,000,000 rows, 45,000 rows a second, 22 s left; begun 10 s ago.`"""
    parts: list[str] = []
    if run.total:
        parts.append(f"{run.done:,} of {run.total:,}")
    elif run.done:
        parts.append(f"{run.done:,}")
    if run.rate:
        parts.append(f"{run.rate:,.0f} rows a second")
    if run.eta_seconds is not None and run.eta_seconds >= 1:
        parts.append(f"{duration(run.eta_seconds)} left")
    parts.append(f"begun {duration(time.time() - run.submitted)} ago")
    text = ", ".join(parts)
    sample = run.options.get("sample")
    what = f"A sample of {sample:,} rows" if isinstance(sample, int) else "Every row"
    if run.options.get("sample_of"):
        what = "The rows of an earlier report"
    rate = run.options.get("rate")
    limit = f", at most {rate:,.0f} a second" if isinstance(rate, (int, float)) else ""
    return f"{what}{limit}: {text}."


def _cancel(name: str) -> None:
    try:
        actions.cancel_check(name)
    except PlumblineError as fault:
        st.session_state["health.refused"] = fault


def _failed(run: Run) -> None:
    with st.container(key="health_failed", gap="small"):
        assert run.error is not None
        panels.error(
            restored(run.error),
            title=f"The check of {health_words.since(time.time() - run.submitted)} failed",
        )
        _dismiss(run)


def _cancelled(run: Run) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("Cancelled", icon=":material/cancel:", color="gray")
        at = health_words.since(time.time() - (run.ended or run.submitted))
        st.text(f"The last check was cancelled {at}. Nothing of it was kept.", width="stretch")
        _dismiss(run)


def _dismiss(run: Run) -> None:
    if st.button("Put this away", key="health.put_away", type="tertiary"):
        held = st.session_state.setdefault("health.read", set())
        held.add(run.id)
        st.rerun()
