"""A page that was drawn before an answer came: it is drawn again once the answer is there."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.ui import board


def until(*held: board.Held[Any]) -> bool:
    """Whether something has not come yet; then the page is drawn again when it has."""
    if not any(h.waiting for h in held):
        return False

    def look() -> None:
        if not any(h.waiting for h in held):
            st.rerun()

    st.fragment(look, run_every=board.POLL)()
    return True
