"""The frame of every page: navigation, and what is true of all of them. Streamlit runs it for each session."""

from __future__ import annotations

import sys
from pathlib import Path

_HOUSE = Path(__file__).resolve().parent.parent
if str(_HOUSE) not in sys.path:
    sys.path.insert(0, str(_HOUSE))

import streamlit as st  # noqa: E402

from console.ui import frame, pages  # noqa: E402

st.set_page_config(page_title="Plumbline", page_icon=frame.ICON, layout="wide")
page = st.navigation(
    [
        st.Page(pages.OVERVIEW, title="Overview", default=True),
        st.Page(pages.HEALTH, title="Health"),
        st.Page(pages.QUERY, title="Query"),
        st.Page(pages.COMPARE, title="Compare"),
        st.Page(pages.GOLDEN, title="Golden"),
        st.Page(pages.CONNECTIONS, title="Connections"),
    ],
    position="top",
)
frame.run(page.run)
