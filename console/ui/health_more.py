"""What a check is seldom asked for; folded, said on the fold where it is set, and the operator's alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.health.options import AGAINST_NONE
from console.settings import Address
from console.ui import health_state, health_store, health_words

SET: Final = ("h.rate", "h.expected", "h.baseline", "h.version", "h.modality", "h.seed")
LISTED: Final = 30
LARGEST_SEED: Final = 2**53 - 1
"""The largest whole number that a browser holds exactly."""


def draw(address: Address, report: Mapping[str, Any] | None, read_only: bool) -> None:
    state = st.session_state
    chosen = sum(state.get(name) is not None for name in SET) + (health_state.same_rows(report) is not None)
    with st.expander(f"More ({chosen} set)" if chosen else "More"):
        st.number_input(
            "Rows a second at most",
            min_value=1,
            value=None,
            step=1_000,
            key="h.rate",
            placeholder="no limit",
            disabled=read_only,
            help="Spares a busy database. The check takes longer.",
        )
        st.number_input(
            "Rows that should be there",
            min_value=0,
            value=None,
            step=1,
            key="h.expected",
            placeholder="as in the settings",
            disabled=read_only,
            help="As the source or the manifest counts them. Fewer in the collection is a finding.",
        )
        _baseline(address, report, read_only)
        _field(
            "Version field",
            "h.version",
            report,
            read_only,
            "The payload field that says which encoder made a row.",
        )
        _field(
            "Modality field", "h.modality", report, read_only, "The payload field that says what a row is of."
        )
        st.toggle(
            "The same rows as this report",
            key="h.same",
            disabled=read_only or not health_state.sampled(report),
            help="Reads the rows again that this report's sample held: what differs then is no chance of the draw. "
            "A report of every row has no sample.",
        )
        st.number_input(
            "Seed",
            min_value=0,
            max_value=LARGEST_SEED,
            value=None,
            step=1,
            key="h.seed",
            placeholder="0",
            disabled=read_only,
            help="Of every draw. Qdrant draws its random sample itself, without a seed.",
        )


def _baseline(address: Address, report: Mapping[str, Any] | None, read_only: bool) -> None:
    """Which report this one check is held against; the pinned one stays as it is."""
    state = st.session_state
    current, earlier = state.get("h.baseline"), _earlier(address, report)
    said = {"latest": "The latest report", AGAINST_NONE: "No baseline", **(earlier or {})}
    if earlier is None and current is not None:
        said.setdefault(current, current)
    elif current not in (None, *said):
        state["h.baseline"] = None
    st.selectbox(
        "Hold against",
        list(said),
        index=None,
        key="h.baseline",
        format_func=lambda name: said.get(name, name),
        placeholder="the pinned baseline, if there is one",
        disabled=read_only,
        help="For this check. Which report is pinned is changed below the report.",
    )


def _earlier(address: Address, report: Mapping[str, Any] | None) -> dict[str, str] | None:
    """The reports of this vector field in words, by id; without a report the store is not asked again. None: it
    can't be read now, and what was chosen stays."""
    if report is None:
        return {}
    try:
        held = health_store.history(address.with_vector(str(report.get("vector") or "")), LISTED)
    except PlumblineError:
        return None
    return {
        h.id: f"{health_words.at(h.at)}, {health_words.verdict(h.verdict)[0].lower()}" for h in held[::-1]
    }


def _field(label: str, key: str, report: Mapping[str, Any] | None, read_only: bool, explained: str) -> None:
    current = st.session_state.get(key)
    names = [*health_state.fields(report), *([current] if current else [])]
    st.selectbox(
        label,
        list(dict.fromkeys(names)),
        index=None,
        key=key,
        accept_new_options=True,
        placeholder="as in the settings, else as found",
        disabled=read_only,
        help=explained,
    )
