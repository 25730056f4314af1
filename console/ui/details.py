"""One collection in full, below the overview's tables: `?collection=ADDRESS` in the URL."""

from __future__ import annotations

from typing import Final

import streamlit as st

from connectors.errors import PlumblineError
from connectors.model import VectorField
from console.catalogue import Described
from console.settings import Address, encode, readable
from console.ui import access, actions, board, pages, panels, session, words

PARAM: Final = "collection"
NO_CHOICE: Final = "as settings, marker and tags say"


def chosen() -> Address | None:
    """The address in the URL, or None."""
    text = st.query_params.get(PARAM)
    if not text:
        return None
    try:
        return session.workspace().address(text)
    except PlumblineError as fault:
        panels.error(fault)
        return None


def choose(address: Address | None) -> None:
    if address is None:
        st.query_params.pop(PARAM, None)
    else:
        st.query_params[PARAM] = str(address)


def draw(address: Address) -> None:
    """The collection's panel; the description is asked for here and nowhere earlier."""
    st.divider()
    held = board.described(address)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Collection", width="content", anchor=False)
        st.code(readable(address), language=None, width="content")
        st.space("stretch")
        if st.button("Health", key="details.health"):
            st.switch_page(pages.HEALTH, query_params={"a": str(address)})
        if st.button("Compare", key="details.compare"):
            st.switch_page(pages.COMPARE, query_params={"l": str(address)})
        if st.button("Query this collection", key="details.query", type="primary"):
            st.switch_page(pages.QUERY, query_params={"a": str(address)})
    board.glance(held, seconds=0.6)
    _polled(address)


def _polled(address: Address) -> None:
    waiting = board.described(address).waiting

    def body() -> None:
        with panels.guarded("This collection"):
            described()

    def described() -> None:
        held = board.described(address)
        if held.waiting:
            st.skeleton(height=220)
            return
        if waiting:
            st.rerun()
        if held.error is not None:
            panels.error(held.error)
        elif held.value is not None:
            _described(address, held.value)

    st.fragment(body, run_every=board.POLL if waiting else None)()


def _described(address: Address, found: Described) -> None:
    d = found.description
    grid = st.grid(5, min_column_width=170)
    with grid:
        st.metric("Rows", words.count(d.rows), border=True, height="stretch")
        st.metric("Vector fields", len(d.vectors), border=True, height="stretch")
        st.metric("Payload fields known", len(d.payload), border=True, height="stretch")
        st.metric("Aliases", len(d.aliases), border=True, height="stretch")
        st.metric("Index", found.index_state.status, border=True, height="stretch")
    if found.index_state.why:
        st.text(words.sentence(found.index_state.why))
    for note in found.notes:
        st.text(words.sentence(note))
    for vector in d.vectors:
        _vector(address, found, vector)
    with st.expander("Payload, aliases, tenants, capabilities, settings of the server"):
        st.json(found.to_json(), expanded=1)
    st.caption("The same on the command line")
    st.code(
        f"plumbline describe {encode(address.connection)}/{encode(address.collection)}",
        language=None,
        wrap_lines=True,
    )


def _vector(address: Address, found: Described, vector: VectorField) -> None:
    exact = Address(address.connection, found.description.target.collection, vector=vector.name)
    known = found.encoders.get(vector.name)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown("**Vector field**", width="content")
            st.code(words.field_name(vector.name), language=None, width="content")
            facts = [
                f"{vector.dimension:,} dimensions" if vector.dimension else vector.kind,
                vector.metric or "",
                vector.storage or "",
                words.index(vector),
                f"quantization {words.quantization(vector)}",
            ]
            st.text(" · ".join(f for f in facts if f), width="content")
        if vector.kind != "dense":
            st.text(f"A {vector.kind} vector field is described and exported, not searched.")
            return
        if known is not None:
            st.text(f"Encoder: {known.name}, known by {words.known_by(known.known_by)}.")
            if known.fingerprint:
                st.code(known.fingerprint, language=None, wrap_lines=True)
        else:
            st.text(
                "No encoder is known for it: words and pictures can't be searched here, rows and vectors can."
            )
        _choice(exact)


def _choice(address: Address) -> None:
    """Choosing an encoder for a vector field; kept in PLUMBLINE_HOME."""
    workspace = session.workspace()
    try:
        names = sorted(workspace.encoder_specs())
    except PlumblineError as fault:
        panels.error(fault)
        return
    current = workspace.choice(address)
    options = [NO_CHOICE, *names]
    read_only = access.why_read_only() is not None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "Encoder of this vector field",
            options,
            index=options.index(current) if current in options else 0,
            key=f"details.encoder.{address}",
            width=320,
            disabled=read_only,
        )
        name = None if picked == NO_CHOICE else picked
        if st.button(
            "Keep this choice", key=f"details.keep.{address}", disabled=read_only or name == current
        ):
            actions.choose_encoder(address, name)
            st.rerun()
