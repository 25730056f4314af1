"""The panel of a long reading that runs: how far it is, how to end it, and what came of it. Everybody sees the same one.

What a reading finds is drawn from the store: a page whose list was read before the reading ended is drawn again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.health.progress import amounts, duration
from console.jobs.runs import Run, restored
from console.ui import health_words, panels, words

POLL: Final = 0.5
SLOW: Final = 20.0
"""Seconds without a word from the reading's process after which the page says so."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One page's readings. `key`: of its widgets and its state. `doing`, `noun`: `Checking`, `check`."""

    key: str
    doing: str
    noun: str
    progress: Callable[[str], Run]
    """Raises `not-found`."""
    cancel: Callable[[str], None]
    """Raises `read-only`, `not-found`."""
    forget: Callable[[], None]
    """What was read of the store is stale."""
    what: Callable[[Run], str]
    """What is being read: `A sample of 5,000 rows`."""

    def start(self, begin: Callable[[], object]) -> bool:
        """Start one; what is wrong stands on the page afterwards. False where it was refused."""
        st.session_state.pop(self._refused, None)
        try:
            begin()
        except PlumblineError as fault:
            st.session_state[self._refused] = fault
            return False
        return True

    def draw(self, run: Run | None, shown: Mapping[str, Any] | None, read: float) -> bool:
        """The panel above what was found; True while one runs.

        `run`: the newest of this subject. `shown`: what the page shows, with its time `at`. `read`: when that was
        asked of the store, in seconds since 1970.
        """
        refused = st.session_state.pop(self._refused, None)
        if refused is not None:
            panels.error(refused, title=f"The {self.noun} was not started")
        if run is None:
            return False
        if run.active:
            st.fragment(self._watch, run_every=POLL)(run.id)
            return True
        if run.state == "done":
            self._ended(run, read)
            return False
        made = health_words.when((shown or {}).get("at"))
        if run.id in st.session_state.get(self._away, ()) or (made and made.timestamp() > run.submitted):
            return False
        if run.state == "failed" and run.error is not None:
            with st.container(key=f"{self.key}_failed", gap="small"):
                ago = health_words.since(time.time() - run.submitted)
                panels.error(restored(run.error), title=f"The {self.noun} of {ago} failed")
                self._dismiss(run)
        elif run.state == "cancelled":
            with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
                st.badge("Cancelled", icon=":material/cancel:", color="gray")
                ago = health_words.since(time.time() - (run.ended or run.submitted))
                st.text(f"The last {self.noun} was cancelled {ago}. Nothing of it was kept.", width="stretch")
                self._dismiss(run)
        return False

    @property
    def _refused(self) -> str:
        return f"{self.key}.run_refused"

    @property
    def _away(self) -> str:
        return f"{self.key}.put_away_runs"

    def _ended(self, run: Run, read: float) -> None:
        """One that ended after the store was read: what it found is not on the page yet. Once, whatever clocks say."""
        seen: set[str] = st.session_state.setdefault(f"{self.key}.ended_runs", set())
        if run.id in seen:
            return
        seen.add(run.id)
        if run.ended is not None and run.ended >= read:
            self.forget()
            st.rerun()

    def _watch(self, name: str) -> None:
        with panels.guarded("The progress"):
            self._progress(name)

    def _progress(self, name: str) -> None:
        try:
            run = self.progress(name)
        except PlumblineError:
            run = None
        if run is None or not run.active:
            self.forget()
            st.rerun()
            return
        silent = time.time() - run.heartbeat
        with st.container(border=True, gap="small", key=f"{self.key}_running"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge(self.doing, icon=":material/progress_activity:", color="blue")
                st.text("Ending" if run.stopping else words.printable(run.phase), width="content")
                st.space("stretch")
                st.button(
                    "Cancel",
                    key=f"{self.key}.cancel",
                    disabled=run.stopping,
                    on_click=self._cancel,
                    args=(run.id,),
                )
            st.progress(share(run))
            st.text(f"{self.what(run)}: {far(run)}.")
            if silent > SLOW:
                st.text(f"It has said nothing for {duration(silent)}: its process is alive, and slow.")

    def _cancel(self, name: str) -> None:
        try:
            self.cancel(name)
        except PlumblineError as fault:
            st.session_state[self._refused] = fault

    def _dismiss(self, run: Run) -> None:
        if st.button("Put this away", key=f"{self.key}.put_away", type="tertiary"):
            st.session_state.setdefault(self._away, set()).add(run.id)
            st.rerun()


def share(run: Run) -> float:
    """How far the phase is, from 0 to 1."""
    return min(1.0, max(0.0, run.done / run.total)) if run.total else 0.0


def far(run: Run) -> str:
    """`12,000 of 1,000,000, 45,000 rows a second, 22 s left; begun 10 s ago`"""
    begun = f"begun {duration(time.time() - run.submitted)} ago"
    return ", ".join([*amounts(run, "rows a second"), begun])
