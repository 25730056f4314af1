"""Panels for errors, notices and empty places. Untrusted text goes through `st.text` and `st.code` only."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import streamlit as st

from connectors.errors import CODES, Code, PlumblineError
from console.settings import readable

_LOG: Final = logging.getLogger("plumbline.console")

TITLES: Final = {
    "unreachable": "The server can't be reached",
    "timeout": "The server did not answer in time",
    "unauthorised": "The server refused the credentials",
    "read-only": "Read-only",
    "not-found": "Not found",
    "unsupported": "Not possible here",
    "filter-unsupported": "This filter can't be answered exactly",
    "vector-ambiguous": "Which vector field?",
    "dimension-mismatch": "The dimensions do not fit",
    "encoder-unknown": "No encoder is known",
    "encoder-unavailable": "The encoder can't be loaded",
    "encoder-mismatch": "The vectors are another encoder's",
    "image-refused": "The picture was refused",
    "strict-mode": "The server's strict mode forbids it",
    "busy": "The server is busy",
    "quota": "A quota is used up",
    "tls": "The secure connection failed",
    "wrong-protocol": "Something else answers there",
    "damaged": "The store is damaged",
    "extra-missing": "A part of Plumbline is not installed",
    "settings": "The settings can't be used",
    "usage": "The query can't be sent like this",
}


def error(fault: PlumblineError, *, title: str | None = None) -> None:
    """What happened, where, what to do, and the code in small for searching."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge("Stopped", icon=":material/block:", color="red")
            st.markdown(f"**{title or TITLES.get(fault.code, 'It could not be done')}**", width="content")
            st.space("stretch")
            st.code(
                f"{fault.code}  {readable(fault.where)}".strip(),
                language=None,
                wrap_lines=True,
                width="content",
            )
        st.text(plain(fault.message))
        if fault.hint:
            st.text(plain(fault.hint))


@contextlib.contextmanager
def guarded(what: str) -> Iterator[None]:
    """What goes wrong inside becomes a panel with a code and a way on, never a trace."""
    try:
        yield
    except PlumblineError as fault:
        error(fault)
    except Exception as fault:
        _LOG.exception("%s failed", what)
        error(
            PlumblineError(
                "internal",
                f"{what} could not be drawn ({type(fault).__name__}).",
                where="console",
                hint="Reload the page. The log of `plumbline up` says more.",
            )
        )


def plain(text: str) -> str:
    """A message without the command line's backticks."""
    return re.sub(r"`([^`]+)`", r"“\1”", text)


def notice(title: str, text: str) -> None:
    """Something that holds for the whole page."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(title, icon=":material/lock:", color="orange")
        st.text(text, width="stretch")


def warnings(lines: Sequence[str]) -> None:
    """What to beware of, each on its own line."""
    if not lines:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="top", gap="small"):
        st.badge("Beware", icon=":material/warning:", color="orange")
        with st.container(gap="xxsmall", width="stretch"):
            for line in lines:
                st.text(plain(line))


def empty(title: str, text: str, command: str | None = None) -> None:
    """What would be here, and how to get it."""
    with st.container(border=True):
        st.markdown(f"**{title}**")
        st.text(text)
        if command is not None:
            st.code(command, language=None, wrap_lines=True)


def restored(fault: Mapping[str, str]) -> PlumblineError:
    """An error from the JSON in which it stands in somebody's place."""
    code = cast("Code", fault["code"]) if fault.get("code") in CODES else "internal"
    return PlumblineError(
        code, fault.get("message", ""), where=fault.get("where", ""), hint=fault.get("hint", "")
    )
