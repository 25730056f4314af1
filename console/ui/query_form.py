"""The query's widgets: a search field across the page, and one quiet line of choices below."""

from __future__ import annotations

from typing import Final

import streamlit as st

from connectors.errors import PlumblineError
from console.catalogue import EncoderKnown
from console.search import QueryRequest, Upload, uploads, vectors
from console.search.request import MOST_HITS
from console.settings import Address, parse_address
from console.ui import board, filter_builder, models, pictures, query_state, session
from console.ui.query_state import AS_KNOWN, FUSIONS, LEGS

PICTURES: Final = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"]
PREFERRED: Final = "demo/scenes"
STARTING: Final = 3.0
"""Seconds that a first visit waits for the demo's store."""


def draw() -> tuple[QueryRequest | None, PlumblineError | None]:
    """Draw the widgets; the request that they make, or why they make none."""
    state = st.session_state
    choosing = not state.get("q.addresses") and not state.get("query.preselected")
    if choosing:
        _wait_for_the_preferred()
    listed = _listed()
    if choosing and listed:
        state["q.addresses"] = [_preferred(listed)]
        first = _first()
        modality = modality_field(first)
        if modality in filter_builder.types_of(first):
            filter_builder.narrow(modality, "image")
    if listed:
        state["query.preselected"] = True
    fault = _asking()
    types, wrong = _choosing(listed)
    _parts()
    try:
        return (None, fault or wrong) if fault or wrong else (query_state.request_of(state, types), None)
    except PlumblineError as why:
        return None, why


def encoder_line(request: QueryRequest) -> None:
    """Which encoder a query would use, and whether it is in memory; nothing is loaded by looking."""
    models.line(known_encoders(request), request.encoder)


def known_encoders(request: QueryRequest) -> list[tuple[Address, EncoderKnown]]:
    """What is known by now of the encoders of the fields that a request means."""
    known: list[tuple[Address, EncoderKnown]] = []
    for address in request.addresses:
        held = board.encoders(address.connection)
        board.glance(held, seconds=0.2)
        known += [
            (field, encoder)
            for field, encoder in (held.value or {}).items()
            if field.collection == address.collection and address.vector in (None, field.vector)
        ]
    return known


def _asking() -> PlumblineError | None:
    """The first row: words, a picture, a row or vector, and the button."""
    fault = None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            "Search in words",
            key="q.text",
            type="search",
            placeholder="What should the picture show",
            label_visibility="collapsed",
        )
        with st.popover("Picture", icon=":material/image:"):
            fault = _picture()
        with st.popover("Row or vector", icon=":material/data_array:"):
            fault = _row_or_vector() or fault
        if st.button("Search", type="primary", key="q.search"):
            st.session_state["query.asked"] = st.session_state.get("query.asked", 0) + 1
    return fault


def _picture() -> PlumblineError | None:  # noqa: RET503
    turn = st.session_state.get("query.turn", 0)
    given = st.file_uploader("Search with a picture", type=PICTURES, key=f"q.upload.{turn}")
    st.caption("It is kept for 7 days on this machine, so that a link to the query still works.")
    if given is None:
        return None
    try:
        data = given.getvalue()
        pictures.check(data)
        kept = uploads.keep(session.workspace().home, data)
    except PlumblineError as fault:
        return fault
    st.session_state["q.image"] = str(kept)
    st.session_state["query.turn"] = turn + 1
    st.rerun()


def _row_or_vector() -> PlumblineError | None:  # noqa: RET503
    st.text_input(
        "Like this row",
        key="q.row",
        placeholder="an id, or ADDRESS:ID",
        help="An unsigned integer or a UUID of the first collection, or of the one that you name.",
    )
    turn = st.session_state.get("query.turn", 0)
    pasted = st.text_area(
        "A vector, as numbers", key=f"q.pasted.{turn}", placeholder="[0.12, -0.03, …]", height=100
    )
    file = st.file_uploader("A vector in a file (JSON, text, .npy)", key=f"q.vector_file.{turn}")
    if not pasted.strip() and file is None:
        return None
    try:
        vector = vectors.parse_vector(file.getvalue() if file is not None else pasted)
    except PlumblineError as fault:
        return fault
    st.session_state["q.vector"] = vector
    if len(vector) > 1024:
        import numpy as np

        raw = " ".join(repr(float(np.float32(v))) for v in vector).encode()
        st.session_state["q.vector"] = uploads.keep(session.workspace().home, raw)
    st.session_state["query.turn"] = turn + 1
    st.rerun()


def _choosing(listed: list[str]) -> tuple[dict[str, str], PlumblineError | None]:
    """The quiet line: collections, number of hits, ranking, filter, encoder, and the rest."""
    state = st.session_state
    first = _first()
    modality = modality_field(first)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.multiselect(
            "Collections",
            query_state.with_addresses(state.get("q.addresses", ()), listed),
            key="q.addresses",
            accept_new_options=True,
            placeholder="CONNECTION/COLLECTION",
            help="CONNECTION/COLLECTION, with @TENANT and #VECTOR where they are needed. "
            "Each one's own encoder is used.",
        )
        types = filter_builder.types_of(first)
        filter_builder.find(types, modality)
        st.number_input("Hits", 1, MOST_HITS, key="q.k", width=120)
        st.selectbox("Encoder", _encoders(), key="q.encoder", width=190)
        wrong = filter_builder.popover(types)
        with st.popover("More", icon=":material/tune:"):
            _more()
    return types, wrong


def _more() -> None:
    state = st.session_state
    st.selectbox("Several collections or parts", list(FUSIONS), key="q.fuse")
    st.text_input("Weights of the fusion", key="q.weights", placeholder="text .6, picture .4")
    st.multiselect("Look by", list(LEGS), key="q.legs")
    if state.get("q.image") and state.get("q.text"):
        st.slider("Share of the words, beside the picture", 0, 100, key="q.blend", format="%d%%")
    st.text_input(
        "Cutoff", key="q.cutoff", placeholder="none", help="Keeps similarity at least, distance at most this."
    )
    st.toggle("Exact search, without the index", key="q.exact")
    st.toggle("Search even where the vectors are another encoder's", key="q.allow")


def _parts() -> None:
    """What is searched with beside the words: each can be taken away."""
    state = st.session_state
    held = [name for name in ("q.image", "q.vector") if state.get(name)]
    if not held:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if state.get("q.image"):
            upload = Upload.parse(state["q.image"])
            uri = pictures.of_upload(upload) if upload is not None else None
            if uri is not None:
                st.image(uri, width=64, caption=None, alt="The picture that is searched with")
            else:
                st.text("The picture is no longer here: upload it again.", width="content")
            st.button("Remove the picture", key="q.no_image", on_click=_forget, args=("q.image",))
        if state.get("q.vector"):
            vector = state["q.vector"]
            said = (
                "a vector from a file"
                if isinstance(vector, Upload)
                else f"a vector of {len(vector):,} numbers"
            )
            st.text(f"Searching with {said}.", width="content")
            st.button("Remove the vector", key="q.no_vector", on_click=_forget, args=("q.vector",))


def _forget(name: str) -> None:
    st.session_state[name] = None


def _wait_for_the_preferred() -> None:
    """A first visit waits a little longer for the demo: its store lies on this machine and may be starting."""
    name = parse_address(PREFERRED).connection
    if name in session.workspace().settings.connections:
        board.glance(board.collections(name), seconds=STARTING)


def _preferred(listed: list[str]) -> str:
    """The demo's pictures, else the first collection that holds rows, else the first."""
    if PREFERRED in listed:
        return PREFERRED
    lines = [x for n in session.workspace().settings.connections for x in board.collections(n).value or ()]
    held = {str(Address(x.connection, x.summary.name)) for x in lines if x.summary and x.summary.rows}
    return next((text for text in listed if text in held), listed[0])


def _listed() -> list[str]:
    """The collections that are known by now; a connection that has not answered adds its own later."""
    names = list(session.workspace().settings.connections)
    held = [board.collections(n) for n in names]
    board.glance(*held)
    return [
        str(Address(line.connection, line.summary.name))
        for h in held
        for line in h.value or ()
        if line.summary is not None
    ]


def _encoders() -> list[str]:
    try:
        names = sorted(session.workspace().encoder_specs())
    except PlumblineError:
        names = []
    current = st.session_state.get("q.encoder")
    return list(dict.fromkeys([AS_KNOWN, *names, *([current] if current else [])]))


def modality_field(address: Address | None) -> str:
    """The payload field that says whether a row is a picture or a text."""
    if address is None:
        return "modality"
    held = session.workspace().settings.of_collection(address.connection, address.collection)
    return held.modality_field or "modality"


def _first() -> Address | None:
    for text in st.session_state.get("q.addresses", ()):
        try:
            return parse_address(text)
        except PlumblineError:
            continue
    return None
