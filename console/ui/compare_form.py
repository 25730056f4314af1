"""What is compared, and how: the two choosers of the first row, and the options behind a button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.compare.request import MOST_K, MOST_QUERIES, CompareRequest
from console.search import Upload, uploads
from console.settings import Address
from console.ui import (
    board,
    compare_actions,
    compare_sides,
    compare_state,
    compare_words,
    filter_builder,
    golden_store,
    panels,
    pictures,
    session,
    words,
)
from console.ui.health_more import LARGEST_SEED
from console.ui.query_form import PICTURES

MOST_PICTURES: Final = 12
SMALL: Final = 56
FOLDED: Final = {"c.match": "match rows by", "c.rows": "rows of the pool", "c.seed": "seed"}
"""What stands under "More", by what it is named beside it where it is set."""


def sides(held: Sequence[Mapping[str, Any]]) -> None:
    """The two choosers, and a button that turns them around."""
    state = st.session_state
    compare_sides.wait_for_the_preferred()
    names = compare_sides.options(held, state.get("c.left"), state.get("c.right"))
    if not state.get("c.left") and not state.get("c.right"):
        state["c.left"], state["c.right"] = compare_sides.preferred(names, held)
    for key in ("c.left", "c.right"):
        if state.get(key) and (listed := _listed(state[key], names)) != state[key]:
            names = [n for n in names if n != state[key]]
            state[key] = listed
    for key, name in (("c.left", "Old"), ("c.right", "New")):
        st.selectbox(
            name,
            names,
            index=None,
            key=key,
            width=225,
            format_func=compare_sides.short(names),
            accept_new_options=True,
            placeholder="CONNECTION/COLLECTION",
            on_change=_moved,
            help="A collection's vector field, or an encoder that made no collection yet (encoder:NAME): "
            "then a sample of the other side's rows is embedded by it."
            if key == "c.right"
            else None,
        )
    st.button(
        "Swap",
        key="compare.swap",
        icon=":material/swap_horiz:",
        on_click=_swap,
        help="Old becomes new, and new old",
    )


def _listed(side: str, names: Sequence[str]) -> str:
    """The name under which a side is listed: one without its vector where it has one alone."""
    if "#" in side or compare_sides.encoder_of(side) is not None:
        return side
    found = [n for n in names if n != side and compare_sides.same(n, side)]
    return found[0] if len(found) == 1 else side


def _moved() -> None:
    compare_state.show(None)


def _swap() -> None:
    state = st.session_state
    state["c.left"], state["c.right"] = state.get("c.right"), state.get("c.left")
    _moved()


def address() -> Address | None:
    """Where the rows of the left side lie; the right one's where the left is an encoder."""
    for key in ("c.left", "c.right"):
        try:
            found = compare_sides.address_of(str(st.session_state.get(key) or ""))
        except PlumblineError:
            continue
        if found is not None:
            return found
    return None


def options(data: Mapping[str, Any] | None) -> PlumblineError | None:
    """Everything that a comparison may be asked; what is wrong with it, or None."""
    fault = None
    with st.popover("Options", icon=":material/tune:"):
        left, right = st.columns(2, gap="small")
        with left:
            given = _given()
            st.number_input(
                "Queries",
                min_value=1,
                max_value=MOST_QUERIES,
                step=50,
                key=compare_state.key_of("c.queries"),
                disabled=given is not None,
                help=f"Rows that are drawn as queries. Of no effect here: {given} is asked."
                if given
                else "Rows that are drawn as queries, where no golden set, words or pictures are asked.",
            )
        with right:
            st.number_input(
                "Neighbours of each", min_value=1, max_value=MOST_K, key=compare_state.key_of("c.k")
            )
        _golden()
        st.text_area(
            "Queries in words, one a line",
            key=compare_state.key_of("c.texts"),
            height=80,
            placeholder="a red circle",
            help="Each side's own encoder embeds them. They are asked instead of sampled rows.",
        )
        fault = _pictures()
        st.multiselect(
            "Also by these fields",
            _fields(data),
            key=compare_state.key_of("c.cohorts"),
            accept_new_options=True,
            placeholder="as in the settings",
            help="Figures are kept for each value of these payload fields that has 30 queries or more.",
        )
        _cutoff()
        with st.container(gap="xxsmall"):
            _more(data)
        return _filters() or fault


def _given() -> str | None:
    """What is asked instead of drawn rows, in a word; None where rows are."""
    state = st.session_state
    if state.get("c.golden"):
        return "the golden set"
    words_or_pictures = str(state.get("c.texts") or "").strip() or state.get("c.images")
    return "what you gave" if words_or_pictures else None


def _cutoff() -> None:
    left, right = st.columns(2, gap="small")
    with left:
        st.number_input(
            "Cutoff in the old score",
            value=None,
            step=0.01,
            format="%.4f",
            key=compare_state.key_of("c.threshold"),
            placeholder="none",
            help="The threshold in your code. The translator finds the one that does the same in the new space.",
        )
    with right:
        st.selectbox(
            "What the cutoff decides",
            list(compare_state.POPULATIONS),
            key=compare_state.key_of("c.population"),
            help="The first hit for caches and duplicates; every hit for related items.",
        )


def _golden() -> None:
    state = st.session_state
    held = golden_store.listed()
    board.glance(held)
    names = golden_store.names(held)
    current = state.get("c.golden")
    st.selectbox(
        "Golden set",
        list(dict.fromkeys([*names, *([current] if current else [])])),
        index=None,
        key=compare_state.key_of("c.golden"),
        accept_new_options=True,
        placeholder="none: queries are drawn from the rows",
        format_func=words.printable,
        help="Its queries are asked, and its judgements say whether the new side is better.",
    )


def _pictures() -> PlumblineError | None:  # noqa: RET503
    """Pictures to ask with: each is kept by its content, and can be taken away."""
    state = st.session_state
    held: list[str] = state.setdefault("c.images", [])
    turn = state.get("compare.turn", 0)
    given = st.file_uploader(
        "Queries in pictures",
        type=PICTURES,
        accept_multiple_files=True,
        key=f"c.upload.{turn}",
        help="Each is kept for 7 days on this machine, so that a link to the comparison still works.",
    )
    for place, text in enumerate(list(held)):
        upload = Upload.parse(text)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            drawn = pictures.of_upload(upload) if upload is not None else None
            if drawn is not None:
                st.image(drawn, width=SMALL, alt=f"Picture {place + 1} of the queries")
            else:
                st.text("The picture is no longer here.", width="content")
            st.button(f"Remove picture {place + 1}", key=f"c.no_image.{text}", on_click=_forget, args=(text,))
    if not given:
        return None
    try:
        for one in given[: MOST_PICTURES - len(held)]:
            data = one.getvalue()
            pictures.check(data)
            held.append(str(uploads.keep(session.workspace().home, data)))
    except PlumblineError as fault:
        return fault
    state["c.images"] = list(dict.fromkeys(held))
    state["compare.turn"] = turn + 1
    st.rerun()


def _forget(text: str) -> None:
    st.session_state["c.images"] = [t for t in st.session_state["c.images"] if t != text]


def _more(data: Mapping[str, Any] | None) -> None:
    with _folded("More", "c.more"):
        st.selectbox(
            "Match rows by",
            _fields(data),
            index=None,
            key=compare_state.key_of("c.match"),
            accept_new_options=True,
            placeholder="their id",
            help="A payload field whose value is the same on both sides and in one row of each.",
        )
        st.number_input(
            "Rows of the pool at most",
            min_value=2,
            max_value=None,
            value=None,
            step=1_000,
            key=compare_state.key_of("c.rows"),
            placeholder="all; 2,000 where an encoder is a side",
            help=f"Where others can reach this console, at most {compare_actions.MOST_ROWS:,}.",
        )
        st.number_input(
            "Seed",
            min_value=0,
            max_value=LARGEST_SEED,
            value=None,
            step=1,
            key=compare_state.key_of("c.seed"),
            placeholder="0",
            help="Of every draw.",
        )
    chosen = [name for key, name in FOLDED.items() if st.session_state.get(key) not in (None, "")]
    if chosen:
        st.caption(f"Set under “More”: {compare_words.plain_list(chosen)}.")


def _folded(name: str, key: str) -> Any:
    """An expander of one name whatever it holds: one with another label is another element, and would fold."""
    return st.expander(name, key=key)


def request() -> CompareRequest | None:
    """What the form asks by now; None before both sides are chosen. Raises `usage` naming what is wrong."""
    compare_state.taken()
    for at in (compare_state.POOL, compare_state.DRAWN):
        filter_builder.taken(at)
    made = compare_state.request_of(st.session_state, types())
    return made.check() if made is not None else None


def types() -> dict[str, str]:
    return filter_builder.types_of(address())


def _filters() -> PlumblineError | None:
    fault = None
    for at, name in (
        (compare_state.POOL, "Only these rows count"),
        (compare_state.DRAWN, "Only these rows are queries"),
    ):
        with st.container(gap="xxsmall"):
            with _folded(name, f"{at}.folded"):
                fault = filter_builder.builder(types(), at) or fault
            if _active(at):
                st.caption(f"“{name}” is on.")
    return fault


def _active(at: str) -> bool:
    """Whether a filter builder holds any condition."""
    state = st.session_state
    if state.get(f"{at}.as_json"):
        return bool(str(state.get(f"{at}.json") or "").strip())
    return any(r["field"].strip() for r in state.get(f"{at}.rows", ()))


def _fields(data: Mapping[str, Any] | None) -> list[str]:
    """Payload fields, as the server lists them and the last comparison had cohorts of."""
    state = st.session_state
    named = [*types(), *((data or {}).get("cohorts") or {}), *(state.get("c.cohorts") or ())]
    return list(dict.fromkeys([*named, *([state["c.match"]] if state.get("c.match") else [])]))


def error(fault: PlumblineError) -> None:
    panels.error(fault, title="The comparison can't be asked like this")
