"""One golden query: what it asks, how its rows are judged, its rules and smoke items."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console import search
from console.search import QueryAnswer, QueryRequest, RowPart, golden, uploads
from console.search.golden import GoldenQuery, GoldenSet
from console.settings import Address, readable
from console.ui import (
    access,
    board,
    compare_rows,
    golden_actions,
    golden_cards,
    golden_rows,
    golden_rules,
    golden_state,
    golden_store,
    pages,
    panels,
    pictures,
    session,
    words,
)
from console.ui.note import note

K: Final = 12
_KEPT: Final = "golden.refused"
_BLIND: Final = "golden.given_blind"
_FIXED: Final = "A version stays as it is: judge in the draft."


def draw(held: GoldenSet, query: GoldenQuery, address: Address | None) -> None:
    with st.container(border=True, gap="small", key="golden_query"):
        _head(held, query, address)
        _judgements(held, query, address)
        if held.version is None:
            _results(held, query, address)
        many = sum(r.query == query.id for r in held.rules), len(query.must) + len(query.must_not)
        with st.expander(
            f"Rules and smoke items ({many[0]:,} and {many[1]:,})", expanded=bool(many[0]), key="golden.more"
        ):
            golden_rules.draw(held, query, address)


def _head(held: GoldenSet, query: GoldenQuery, address: Address | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        asked_with(query, address)
        with st.container(gap="xxsmall", width="stretch"):
            st.text(words.printable(query.label))
            counted = ", ".join(f"{name} = {value}" for name, value in query.cohort.items())
            lines = [words.printable(f"Counted under {counted}.")] if counted else []
            note([f"Query {query.id}.", *lines], key="golden.query.note")
        if held.version is None:
            with st.popover("Remove", icon=":material/delete:"):
                st.text("The query goes with its judgements and rules. Frozen versions keep it.")
                st.button(
                    "Remove this query",
                    key="golden.remove_query",
                    on_click=_removed,
                    args=(held.name, query.id),
                    disabled=access.why_read_only() is not None,
                )


def asked_with(query: GoldenQuery, address: Address | None) -> None:
    """The pictures that a query asks with: its own, and that of its row."""
    if query.image is not None and (drawn := golden_store.picture(query.image)) is not None:
        st.image(drawn, width=96, alt="The picture that is asked with")
    if query.row is None or address is None:
        return
    held = compare_rows.of(address, [(None, query.row)])
    board.glance(held, seconds=2.0)
    payload = held.value.payloads.get((None, query.row)) if held.value is not None else None
    if held.value is None or payload is None:
        return
    image = pictures.thumbnails([held.value.fields.image_of(payload)])[0]
    if image is not None and image.uri is not None:
        st.image(base64.b64decode(image.uri.partition(",")[2]), width=96, alt="The row that is asked with")
    if (said := held.value.fields.caption_of(payload)) is not None and image is None:
        st.text(words.printable(said[:200]))


def _removed(name: str, query: str) -> None:
    try:
        golden_actions.remove_query(name, query)
    except PlumblineError as fault:
        st.session_state[_KEPT] = fault
        return
    golden_state.look(q=None)


def _judgements(held: GoldenSet, query: GoldenQuery, address: Address | None) -> None:
    grades = held.grades(query.id)
    if not grades:
        st.text("No row is judged for this query yet.")
        return
    keys = sorted(grades, key=lambda k: (-grades[k], len(k) if k.isdigit() else 99, k))
    good = sum(g > 0 for g in grades.values())
    st.text(f"{words.plural(len(keys), 'row is', 'rows are')} judged, {good:,} of them relevant.")
    if address is None:
        st.code(
            "\n".join(f"{grades[k]}  {words.printable(k)}" for k in keys[: golden_rows.SHOWN]), language=None
        )
        return
    some = keys[: golden_rows.SHOWN]
    rows = golden_rows.of(address, held.key_field, some)
    board.glance(rows, seconds=compare_rows.SECONDS)
    if rows.error is not None:
        panels.error(rows.error, title="The judged rows can't be shown")
    draw_cards(
        held,
        query,
        golden_rows.cards(rows, some, grades, _fixed(held)),
        "golden.judged",
        "Judged rows, best grade first",
    )
    if len(keys) > len(some):
        st.text(f"The first {len(some):,} of {len(keys):,} are drawn; an export has all of them.")


def _fixed(held: GoldenSet) -> str | None:
    return _FIXED if held.version is not None else access.why_read_only() and "Read-only here."


def draw_cards(
    held: GoldenSet,
    query: GoldenQuery,
    made: Sequence[golden_cards.Judged],
    key: str,
    label: str,
    narrow: bool = False,
    blind: bool = False,
) -> None:
    """Cards whose grades go into the draft. `blind`: this session remembers that they were given so."""
    st.session_state[f"{key}.drawn"] = (held.name, query.id, frozenset(c.key for c in made))
    golden_cards.cards(
        made,
        key=key,
        label=label,
        stamp=f"{held.name} {query.id}",
        on_told=lambda: _told(key, blind),
        narrow=narrow,
    )


def _told(key: str, blind: bool = False) -> None:
    """A grade was given, before the page is drawn again. A query that somebody removed meanwhile stays removed."""
    name, query, keys = st.session_state.get(f"{key}.drawn") or (None, None, frozenset())
    found = golden_cards.told(key, keys)
    if found is None:
        return
    try:
        golden_actions.judge(name, query, *found)
    except PlumblineError as fault:
        st.session_state[_KEPT] = fault
        return
    if blind:
        given, (row, grade) = given_blind(name, query), found
        given.discard(row) if grade is None else given.add(row)


def given_blind(name: str, query: str) -> set[str]:
    """The keys whose grades were given blind in this session, for a query of a set."""
    return st.session_state.setdefault(_BLIND, {}).setdefault((name, query), set())


def _results(held: GoldenSet, query: GoldenQuery, address: Address | None) -> None:
    """What the collection answers now, to be judged."""
    state, wanted = st.session_state, f"{held.name} {query.id} {address}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if access.why_read_only() is None:
            st.button(
                "Search now, and judge what comes",
                key="golden.search",
                on_click=state.__setitem__,
                args=("golden.searched", wanted),
                disabled=address is None,
            )
        if address is not None and st.button("Ask on the page Query", key="golden.query", type="tertiary"):
            st.switch_page(pages.QUERY, query_params=_params(request(query, (address,))))
    if address is None or state.get("golden.searched") != wanted:
        return
    answer = answered(query, (address,))
    if answer is None:
        return
    note(
        [f"The first {len(answer.hits)} rows of {readable(address)}, by the index."],
        key="golden.results.note",
    )
    made = golden_rows.of_hits(answer.hits, held.key_field, held.grades(query.id), _fixed(held))
    draw_cards(held, query, made, "golden.results", "Results to judge, best first")


def request(query: GoldenQuery, addresses: tuple[Address, ...], k: int = K) -> QueryRequest:
    """The live query that a golden query is, its picture kept as an upload again."""
    image = query.image
    if image is not None:
        workspace = session.workspace()
        image = uploads.keep(workspace.home, golden.picture(workspace, image))
    row = RowPart(query.row) if query.row is not None else None
    return QueryRequest(addresses, text=query.text, image=image, row=row, k=k)


def _params(asked: QueryRequest) -> dict[str, Any]:
    held: dict[str, list[str]] = {}
    for name, value in asked.to_params():
        held.setdefault(name, []).append(value)
    return held


def answered(
    query: GoldenQuery, addresses: tuple[Address, ...], k: int = K, *, blind: bool = False
) -> QueryAnswer | None:
    """The answer, kept for the session so that a grade asks nothing again; None where it stands why there is none.

    `blind`: why one of several sides has none is left to whoever may say which side that is.
    """
    state = st.session_state
    turn = (session.generation(), query, addresses, k)
    held = state.get("golden.answer")
    if held is not None and held[0] == turn:
        answer = held[1]
    else:
        try:
            with st.spinner("Searching"):
                answer = search.run(session.workspace(), request(query, addresses, k))
        except PlumblineError as fault:
            panels.error(fault)
            return None
        state["golden.answer"] = (turn, answer)
    faults = [side.error.at(str(side.address)) for side in answer.sides if side.error is not None]
    if not blind or len(faults) == len(answer.sides):
        for fault in faults:
            panels.error(fault)
    return None if len(faults) == len(answer.sides) else _without_itself(answer, query)


def _without_itself(answer: QueryAnswer, query: GoldenQuery) -> QueryAnswer:
    """A row that others are to be like is not among them."""
    return (
        replace(answer, hits=tuple(h for h in answer.hits if h.id != query.row))
        if query.row is not None
        else answer
    )
