"""A check that runs for a vector field, or for its collection as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.jobs.runs import Run
from console.settings import Address
from console.ui import actions, board, health_state, running, session


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
    if PANEL.start(lambda: actions.check_now(address, health_state.options(report))):
        health_state.show(None)


def encoders() -> list[str]:
    try:
        names = sorted(session.workspace().encoder_specs())
    except PlumblineError:
        names = []
    current = st.session_state.get("h.encoder")
    return list(dict.fromkeys([health_state.NO_ENCODER, *names, *([current] if current else [])]))


def draw(address: Address, report: Mapping[str, Any] | None, read: float) -> bool:
    """The panel above the report, which was read at `read`; True while a check runs."""
    return PANEL.draw(_of(address), report, read)


def _what(run: Run) -> str:
    sample = run.options.get("sample")
    what = f"A sample of {sample:,} rows" if isinstance(sample, int) else "Every row"
    if run.options.get("sample_of"):
        what = "The rows of an earlier report"
    rate = run.options.get("rate")
    return f"{what}, at most {rate:,.0f} a second" if isinstance(rate, (int, float)) else what


PANEL: Final = running.Panel(
    key="health",
    doing="Checking",
    noun="check",
    progress=lambda run: actions.runs().progress(run),
    cancel=lambda run: actions.cancel_check(run),
    forget=lambda: board.board().forget(("reports",)),
    what=_what,
)
