"""Versions of a golden set: the draft is frozen into one, and one is never written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.search.golden import GoldenSet
from console.ui import access, golden_actions, golden_state, golden_store, health_words, words

_REFUSED: Final = "golden.refused"
_UNTYPED: Final = "golden.remove_untyped"


def draw(held: GoldenSet, heads: Sequence[Mapping[str, Any]], head: Mapping[str, Any]) -> None:
    own = golden_store.heads(heads, held.name)
    st.subheader("Versions", anchor=False)
    st.dataframe(
        {
            "Version": [f"version {h['version']}" if h["version"] else "draft" for h in own],
            "At": [health_words.at(h.get("at")) for h in own],
            "Queries": [h.get("queries") for h in own],
            "Judgements": [h.get("judgements") for h in own],
            "Rules": [h.get("rules") for h in own],
            "Smoke items": [h.get("smoke") for h in own],
            "Shown": ["this one" if h is head or h == head else "" for h in own],
        },
        hide_index=True,
        key="golden.versions",
    )
    _freeze(held, own)
    _remove(held, own)


def _freeze(held: GoldenSet, own: Sequence[Mapping[str, Any]]) -> None:
    draft = next((h for h in own if not h["version"]), None)
    newest = next((h for h in own if h["version"]), None)
    if draft is None:
        return
    same = newest is not None and newest["hash"] == draft["hash"]
    number = int(draft["next"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Freeze the draft" if same else f"Freeze the draft as version {number}",
            key="golden.freeze",
            icon=":material/lock:",
            on_click=_frozen,
            args=(held.name, str(draft["hash"])),
            disabled=same or not draft.get("queries") or access.why_read_only() is not None,
        )
        st.text(
            f"The draft is as version {newest['version']}." if same and newest
            else "The draft has no query yet." if not draft.get("queries")
            else "A version stays as it is, so that figures of different days can be compared. The draft goes on.",
            width="stretch",
        )  # fmt: skip


def _frozen(name: str, expected: str) -> None:
    try:
        made, _ = golden_actions.freeze(name, expected)
    except PlumblineError as fault:
        st.session_state[_REFUSED] = fault
        return
    golden_state.look(v=str(made.version))


def _remove(held: GoldenSet, own: Sequence[Mapping[str, Any]]) -> None:
    read_only = access.why_read_only() is not None
    with st.popover("Remove this set", icon=":material/delete:"):
        versions = sum(1 for h in own if h["version"])
        st.text(
            f"The draft and {words.plural(versions, 'version')} go, with {words.plural(len(held.judgements), 'judgement')}, "
            "and can't be brought back: export the set first. Evaluations that used it stay."
        )
        st.text_input("Type its name to remove it", key=f"g.remove.{held.name}", disabled=read_only)
        # Never waits for the name: a click that ends the typing would meet a button that is not ready yet.
        st.button("Remove it", key="golden.remove", on_click=_removed, args=(held.name,), disabled=read_only)
        if st.session_state.pop(_UNTYPED, False):
            st.text(f"Nothing was removed: type {held.name} above.")


def _removed(name: str) -> None:
    if str(st.session_state.get(f"g.remove.{name}") or "").strip() != name:
        st.session_state[_UNTYPED] = True
        return
    try:
        golden_actions.remove(name)
    except PlumblineError as fault:
        st.session_state[_REFUSED] = fault
        return
    golden_state.choose(None)
    golden_state.look(part="queries")
