"""The configured connections: whether each answers, what it can do, and how to add one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from connectors.spec import ConnectionSpec
from console.catalogue import ConnectionState
from console.ui import access, actions, board, panels, session, words

_EXAMPLE: Final = {
    "Qdrant server": """# .streamlit/secrets.toml in the working folder, or secrets.toml in PLUMBLINE_HOME
[connections.catalogue]
kind = "qdrant"
url = "https://qdrant.example:6333"
grpc_port = 6334
api_key = "…"
read_only = true
""",
    "Weaviate server": """# .streamlit/secrets.toml in the working folder, or secrets.toml in PLUMBLINE_HOME
[connections.articles]
kind = "weaviate"
url = "https://weaviate.example:8080"
grpc_port = 50051
api_key = "…"
read_only = true
""",
    "Embedded store": """# a folder that Plumbline opens itself
[connections.local]
kind = "qdrant"
path = "/data/plumbline-store"
""",
    "Environment": """# variables win over the files
export PLUMBLINE_CONNECTIONS__CATALOGUE__KIND=qdrant
export PLUMBLINE_CONNECTIONS__CATALOGUE__URL=https://qdrant.example:6333
export PLUMBLINE_CONNECTIONS__CATALOGUE__API_KEY=…
""",
}


def draw() -> None:
    """The page. Each connection is asked in the background; a dead one waits in its own place."""
    names = list(session.workspace().settings.connections)
    held = [board.connection(n) for n in names] + [board.collections(n) for n in names]
    ready = board.glance(*held)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header(f"{words.plural(len(names), 'connection')} configured", width="content")
        st.space("stretch")
        if st.button(
            "Read the settings again",
            key="connections.reread",
            disabled=access.why_read_only() is not None,
        ):
            _reread()
    _said()
    if not names:
        panels.empty(
            "No connection is configured",
            "Add one as shown below, then read the settings again; or make the demo.",
            "plumbline demo",
        )
    else:
        st.fragment(_cards, run_every=None if ready else board.POLL)(tuple(names), not ready)
    _skipped()
    _how_to_add()


def _reread() -> None:
    try:
        changed = actions.reread_settings()
    except PlumblineError as fault:
        st.session_state["connections.said"] = fault
    else:
        st.session_state["connections.said"] = (
            "The settings were read again and have changed."
            if changed
            else "The settings are the same as before."
        )
    st.rerun()


def _said() -> None:
    """What reading the settings again came to, once."""
    said = st.session_state.pop("connections.said", None)
    if isinstance(said, PlumblineError):
        panels.error(said, title="The settings stay as they were")
    elif said:
        st.text(said)


def _cards(names: Sequence[str], polling: bool) -> None:
    with panels.guarded("The list of connections"):
        _all_cards(names, polling)


def _all_cards(names: Sequence[str], polling: bool) -> None:
    waiting = False
    for name in names:
        spec = session.workspace().settings.connections.get(name)
        if spec is not None:
            waiting |= _card(spec)
    if polling and not waiting:
        st.rerun()


def _card(spec: ConnectionSpec) -> bool:
    """One connection; True while its answer has not come."""
    held, listed = board.connection(spec.name), board.collections(spec.name)
    state = held.value
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(spec.name, width="content", anchor=False)
            _badge(held)
            if spec.read_only:
                st.badge("Read-only", icon=":material/lock:", color="gray")
            st.space("stretch")
            if st.button("Test", key=f"connections.test.{spec.name}", help="Ask the server now"):
                board.board().forget(("connection", spec.name), ("collections", spec.name))
                st.rerun()
        st.code(_where(spec), language=None, wrap_lines=True)
        if held.waiting:
            st.skeleton(height=64)
            return True
        fault = held.error or (
            panels.restored(state.error) if state is not None and state.error is not None else None
        )
        if fault is not None:
            panels.error(fault)
            return False
        assert state is not None
        _answered(state, listed)
    return listed.waiting


def _badge(held: board.Held[ConnectionState]) -> None:
    if held.waiting:
        st.badge("Asking", icon=":material/hourglass_empty:", color="gray")
    elif held.value is not None and held.value.state == "up":
        st.badge("Up", icon=":material/check:", color="green")
    else:
        st.badge("Down", icon=":material/block:", color="red")


def _answered(state: ConnectionState, listed: board.Held[Any]) -> None:
    server = state.server
    assert server is not None
    if listed.waiting:
        collections = "collections not listed yet"
    else:
        there = [line for line in listed.value or () if line.summary is not None]
        collections = words.plural(len(there), "collection")
    kind = "embedded store" if server.embedded else state.kind
    version = f"version {server.version}" if server.version else "version not known"
    latency = f"answered in {words.milliseconds(server.latency_ms)}"
    st.text(f"{kind}, {version}, by {server.transport}, {latency}; {collections}.")
    for note in server.notes:
        st.text(note)
    if state.capabilities is not None:
        with st.expander("What this server can do"):
            st.dataframe(_capabilities(state), hide_index=True, key=f"connections.can.{state.name}")


def _capabilities(state: ConnectionState) -> dict[str, list[str]]:
    assert state.capabilities is not None
    said = {True: "yes", False: "no", None: "not known"}
    out: dict[str, list[str]] = {"Capability": [], "Supported": [], "Why": []}
    for name, value in state.capabilities.to_json().items():
        out["Capability"].append(name.replace("_", " "))
        if isinstance(value, dict):
            out["Supported"].append(said[value["supported"]])
            out["Why"].append(value["why"] or "")
        else:
            out["Supported"].append(str(value))
            out["Why"].append("")
    return out


def _where(spec: ConnectionSpec) -> str:
    """Where a connection leads, without anything secret."""
    if spec.path:
        return f"{spec.kind}  folder {spec.path}"
    if spec.snapshot:
        return f"{spec.kind}  snapshot {spec.snapshot}"
    grpc = f"  gRPC {spec.grpc_host or ''}:{spec.grpc_port}" if spec.grpc_port or spec.grpc_host else ""
    return f"{spec.kind}  {spec.url or 'no address'}{grpc}"


def _skipped() -> None:
    notes = session.workspace().settings.notes
    if notes:
        with st.container(border=True):
            st.markdown("**Notes on the settings**")
            for note in notes:
                st.text(note)


def _how_to_add() -> None:
    st.subheader("Add a connection", anchor=False)
    st.text(
        "Connections are configured in files or variables, never here: a secret typed into a page is a secret "
        "sent over a network. Copy one of these, fill it in, and read the settings again."
    )
    for tab, (_, text) in zip(st.tabs(list(_EXAMPLE)), _EXAMPLE.items(), strict=True):
        tab.code(text, language=None, wrap_lines=True)
