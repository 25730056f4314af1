"""One hit in full: a drawer with its picture, its scores and its payload."""

from __future__ import annotations

import json
from typing import Final

import streamlit as st

from console.search import HitRow, QueryRequest, show
from console.search.answer import finite
from console.settings import readable
from console.ui import golden_thumbs, panels, query_state, words
from console.ui.pictures import Thumbnail

WHOLE: Final = 20_000
"""Characters of a payload that the drawer shows; the file has all of it."""


@st.dialog("Result", width=520, position="right")
def show_hit(
    request: QueryRequest, hit: HitRow, picture: Thumbnail | None, thumbs: golden_thumbs.Thumbs | None = None
) -> None:
    """The drawer of one hit."""
    with panels.guarded("This result"):
        _drawer(request, hit, picture, thumbs)


def _drawer(
    request: QueryRequest, hit: HitRow, picture: Thumbnail | None, thumbs: golden_thumbs.Thumbs | None
) -> None:
    if picture is not None and picture.uri is not None:
        _picture(picture.uri)
    elif picture is not None and picture.note:
        st.text(picture.note)
    if hit.caption:
        st.text(words.printable(hit.caption[:2000]))
    st.text(f"Rank {hit.rank}, {hit.score_kind} {words.score(hit.score)}")
    st.text(words.printable(f"Version {hit.version or 'untagged'}, modality {hit.modality or 'not known'}"))
    if hit.part:
        st.text(words.printable(f"Tenant {hit.part}"))
    st.caption("Row")
    st.code(str(hit.id), language=None)
    st.caption("Collection")
    st.code(readable(hit.address), language=None)
    if hit.fused_from:
        st.caption("Ranks and scores before the fusion")
        st.dataframe(
            {
                "Leg": [f.leg for f in hit.fused_from],
                "Collection": [readable(f.address) for f in hit.fused_from],
                "Rank": [f.rank for f in hit.fused_from],
                "Score": [words.score(f.score) for f in hit.fused_from],
            },
            hide_index=True,
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("More like this", key="hit.like", type="primary"):
            query_state.send(request.more_like(hit.id, hit.address))
        if thumbs is not None and thumbs.can_judge(hit):
            _thumbs(thumbs, hit)
    cut = show.preview(hit.payload, WHOLE)
    st.caption("Payload" + (", shortened: the file has all of it" if cut.cut else ""))
    st.json(words.printable_json(cut.value), expanded=2)
    st.download_button(
        "Payload as JSON",
        lambda: json.dumps(finite(hit.payload), ensure_ascii=False, indent=1, allow_nan=False).encode(
            "utf-8", "replace"
        ),
        file_name="payload.json",
        mime="application/json",
        key="hit.payload",
        on_click="ignore",
    )


def _thumbs(thumbs: golden_thumbs.Thumbs, hit: HitRow) -> None:
    """The same judgement as on the card."""
    grade = thumbs.grade(hit)
    for act, icon, said, own in (
        ("up", "thumb_up", "Relevant", grade is not None and grade > 0),
        ("down", "thumb_down", "Not relevant", grade == 0),
    ):
        if st.button(f"{said}: take back" if own else said, key=f"hit.{act}", icon=f":material/{icon}:"):
            golden_thumbs.judge(thumbs, hit, act)  # type: ignore[arg-type]
            st.rerun()


def _picture(uri: str) -> None:
    import base64

    st.image(base64.b64decode(uri.partition(",")[2]), width=320, alt="The picture of this result")
