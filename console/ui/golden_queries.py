"""The queries of one golden set: a table, and how to add one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from connectors.model import parse_id
from console.search import golden, uploads
from console.search.golden import GoldenQuery, GoldenSet
from console.settings import Address
from console.ui import access, golden_actions, golden_query, golden_state, panels, pictures, session, words
from console.ui.query_form import PICTURES

KINDS: Final = {"text": "words", "image": "picture", "row": "row"}
_REFUSED: Final = "golden.refused"
_NOT_ADDED: Final = "golden.not_added"
_DRAWN: Final = "golden.table"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The table as it was drawn last: its rows, the open query, and which rows are ticked."""

    label: str
    ids: tuple[str, ...]
    query: str | None
    ticked: list[int]
    turn: int


def draw(held: GoldenSet, address: Address | None) -> None:
    # Always there: what comes and goes above a popover would move it, close it, and lose what was typed.
    with st.container(key="golden_refused"):
        if (fault := st.session_state.pop(_REFUSED, None)) is not None:
            panels.error(fault, title="The golden set stays as it was")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader("Queries", width="content", anchor=False)
        st.space("stretch")
        if held.version is None:
            with st.popover("Add a query", icon=":material/add:", key="golden.adding"):
                _add(held.name)
    if not held.queries:
        panels.empty(
            "No query yet",
            "A golden query is what people look for: words, a picture, or a row that others are to be like. Add one "
            "here, judge results with the thumbs of the page Query, or import a file.",
        )
        return
    _table(held)
    chosen = held.query(str(st.session_state.get("golden.q") or ""))
    if chosen is None:
        st.text("Choose a query above: its judgements stand here, with their pictures.")
        return
    golden_query.draw(held, chosen, address)


def _table(held: GoldenSet) -> None:
    """Plain cells: a query's words may be anything."""
    many = Counter(j.query for j in held.judgements)
    good = Counter(j.query for j in held.judgements if j.grade > 0)
    rules = Counter(r.query for r in held.rules)
    shown = held.queries
    table: dict[str, list[Any]] = {
        "Query": [words.printable(q.label) for q in shown],
        "By": [", ".join(KINDS[p] for p in q.parts) for q in shown],
        "Judged": [many[q.id] for q in shown],
        "Relevant": [good[q.id] for q in shown],
        "Rules": [rules[q.id] for q in shown],
        "Must appear": [len(q.must) for q in shown],
        "Must not": [len(q.must_not) for q in shown],
    }
    for name in held.cohort_fields:
        table[words.printable(name)] = [words.printable(q.cohort.get(name, "")) for q in shown]
    state, ids = st.session_state, tuple(q.id for q in shown)
    query = state.get("golden.q")
    ticked = [ids.index(query)] if query in ids else []
    turn = _turn(held.label, ids, query, ticked)
    event = st.dataframe(
        table,
        hide_index=True,
        key=f"golden.table.{held.name}.{turn}",
        selection_mode="single-row",
        selection_default={"selection": {"rows": ticked}},
        on_select="rerun",
        height=words.tall(len(shown), 340),
    )
    picked = list(event.selection.rows)
    if picked != state[_DRAWN].ticked:
        query = shown[picked[0]].id if picked and picked[0] < len(shown) else None
        state[_DRAWN] = Drawn(held.label, ids, query, picked, turn)
        golden_state.look(q=query)
        st.rerun()


def was_there(held: GoldenSet, query: str) -> bool:
    """Whether the table of this draft or version had the query when it was drawn last."""
    last: Drawn | None = st.session_state.get(_DRAWN)
    return last is not None and last.label == held.label and query in last.ids


def _turn(label: str, ids: tuple[str, ...], query: str | None, ticked: list[int]) -> int:
    """A tick is a row's number: another set of rows, or a query opened elsewhere, is drawn as another table."""
    state = st.session_state
    last: Drawn | None = state.get(_DRAWN)
    if last is None or (last.label, last.ids, last.query) != (label, ids, query):
        last = state[_DRAWN] = Drawn(label, ids, query, ticked, 0 if last is None else last.turn + 1)
    return last.turn


def _add(name: str) -> None:
    read_only = access.why_read_only() is not None
    turn = st.session_state.get("golden.turn", 0)
    st.text_input("Words", key=f"g.text.{turn}", placeholder="a red circle", disabled=read_only)
    st.file_uploader("Picture", type=PICTURES, key=f"g.image.{turn}", disabled=read_only)
    st.text_input(
        "Row that others are to be like",
        key=f"g.row.{turn}",
        placeholder="an id",
        disabled=read_only,
        help="An unsigned integer or a UUID.",
    )
    st.text_input(
        "Counted under",
        key=f"g.cohort.{turn}",
        placeholder="language = de, kind = scene",
        disabled=read_only,
        help="Figures are kept for each value of these.",
    )
    st.button("Add this query", key="golden.add", on_click=_added, args=(name,), disabled=read_only)
    with st.container(key="golden_add_refused"):
        if (fault := st.session_state.pop(_NOT_ADDED, None)) is not None:
            panels.error(fault, title="The query was not added")


def _added(name: str) -> None:
    state = st.session_state
    turn = state.get("golden.turn", 0)
    try:
        query = _query(turn)
        golden_actions.add_query(name, query)
    except PlumblineError as fault:
        state[_NOT_ADDED] = fault
        return
    state["golden.turn"] = turn + 1
    golden_state.look(q=query.id)


def _query(turn: int) -> GoldenQuery:
    """The query of the form. Raises `usage`, `image-refused`."""
    state = st.session_state
    text = str(state.get(f"g.text.{turn}") or "").strip() or None
    given, row = state.get(f"g.image.{turn}"), str(state.get(f"g.row.{turn}") or "").strip()
    image = None
    if given is not None:
        access.require_operator("Adding a query")
        data = given.getvalue()
        pictures.check(data)
        image = uploads.keep(session.workspace().home, data)
    try:
        named = parse_id(row) if row else None
    except ValueError:
        raise PlumblineError(
            "usage", f"{row[:80]!r} is not a row.", where="row", hint="An unsigned integer or a UUID."
        ) from None
    cohort = cohorts(str(state.get(f"g.cohort.{turn}") or ""))
    return GoldenQuery(golden.query_id(text, image, named), text, image, named, cohort)


def cohorts(text: str) -> Mapping[str, str]:
    """`language = de, kind = scene` as fields and values. Raises `usage`."""
    made: dict[str, str] = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise PlumblineError(
                "usage",
                f"{part[:60]!r} names no value.",
                where="counted under",
                hint="For example language = de.",
            )
        made[name.strip()] = value.strip()
    return made
