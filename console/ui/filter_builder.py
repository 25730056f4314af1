"""The filter builder: rows of field, operator and value, or raw JSON."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from connectors.model import Target
from console.settings import Address
from console.ui import board, query_state, session
from console.ui.conditions import OPERATORS, WITHOUT_VALUE

EVERYTHING: Final = "No condition: every row may be found."
_JOINS: Final = {"all": "all of them", "any": "any of them"}


FIND: Final = {"everything": None, "pictures": "image", "texts": "text"}


def find(types: dict[str, str], modality: str) -> None:
    """Which kind of row to find, where the collection's rows say what they are: one condition of the filter."""
    state = st.session_state
    rows: list[dict[str, str]] = state.get("q.rows", [])
    held = next((r["value"] for r in rows if r["field"] == modality and r["operator"] == "is"), None)
    shown = next((name for name, value in FIND.items() if value == held), None)
    if state.get("q.as_json") or (modality not in types and held is None):
        return
    state["q.find"] = shown
    st.selectbox("Find", list(FIND), key="q.find", on_change=_found, args=(modality,), width=140)


def narrow(modality: str, value: str | None) -> None:
    """Put the kind of row into the filter's rows, in place of one that was there."""
    state = st.session_state
    rows = [r for r in state.get("q.rows", []) if not (r["field"] == modality and r["operator"] == "is")]
    if value is not None:
        rows.insert(0, {"field": modality, "operator": "is", "value": value})
    state["q.rows"] = rows
    state["q.filter_turn"] = state.get("q.filter_turn", 0) + 1


def _found(modality: str) -> None:
    taken("q")
    narrow(modality, FIND.get(st.session_state["q.find"] or "everything"))


def popover(types: dict[str, str]) -> PlumblineError | None:
    """Draw the query's builder; what is wrong with the filter, or None."""
    state = st.session_state
    if not state.get("q.as_json"):
        taken("q")
    number = len([r for r in state.setdefault("q.rows", []) if r["field"].strip()])
    active = bool(str(state.get("q.json") or "").strip()) if state.get("q.as_json") else number > 0
    label = (
        f"Filter ({number})"
        if active and not state.get("q.as_json")
        else "Filter (on)"
        if active
        else "Filter"
    )
    with st.popover(label, icon=":material/filter_alt:", width="content", key="q.filter"):
        return builder(types)


def builder(types: dict[str, str], at: str = "q", empty: str = EVERYTHING) -> PlumblineError | None:
    """The builder whose keys begin with `at`; what is wrong with its filter, or None. `empty`: what no condition means."""
    state = st.session_state
    rows: list[dict[str, str]] = state.setdefault(f"{at}.rows", [])
    st.toggle("As JSON", key=f"{at}.as_json", on_change=_switched, args=(types, at))
    if state.get(f"{at}.as_json"):
        st.text_area(
            "Filter as JSON",
            key=f"{at}.json",
            height=180,
            placeholder='{"equals": {"field": "modality", "value": "image"}}',
        )
    else:
        _rows(rows, types, at, empty)
    try:
        query_state.filter_of(state, types, at)
    except PlumblineError as fault:
        st.text(str(fault))
        return fault
    return None


def taken(at: str) -> None:
    """Take over what the builder's widgets hold by now: a click that ends a typing comes before it is drawn again."""
    state = st.session_state
    turn = state.get(f"{at}.filter_turn", 0)
    for index, row in enumerate(state.get(f"{at}.rows") or ()):
        for name in ("field", "operator", "value"):
            key = f"{at}.{name}.{turn}.{index}"
            if key in state:
                row[name] = str(state[key] or "")
    if f"{at}.joins.{turn}" in state:
        state[f"{at}.join"] = state[f"{at}.joins.{turn}"]


def _rows(rows: list[dict[str, str]], types: dict[str, str], name: str, empty: str) -> None:
    state = st.session_state
    turn = state.setdefault(f"{name}.filter_turn", 0)
    if not rows:
        st.text(empty)
    for index, row in enumerate(rows):
        at = f"{turn}.{index}"
        with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
            names = list(dict.fromkeys([*types, *([row["field"]] if row["field"] else [])]))
            row["field"] = (
                st.selectbox(
                    "Field",
                    names,
                    index=names.index(row["field"]) if row["field"] else None,
                    key=f"{name}.field.{at}",
                    accept_new_options=True,
                    placeholder="a.b",
                    width=150,
                )
                or ""
            )
            row["operator"] = st.selectbox(
                "Is",
                OPERATORS,
                index=OPERATORS.index(row["operator"]),
                key=f"{name}.operator.{at}",
                width=120,
            )
            if row["operator"] not in WITHOUT_VALUE:
                row["value"] = st.text_input("Value", row["value"], key=f"{name}.value.{at}", width=150)
            st.button(
                "Remove",
                key=f"{name}.remove.{at}",
                on_click=_remove,
                args=(index, name),
                help="Remove this condition",
            )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button("Add a condition", key=f"{name}.add", on_click=_add, args=(name,))
        if len(rows) > 1:
            state[f"{name}.join"] = st.selectbox(
                "Holds where",
                list(_JOINS),
                index=list(_JOINS).index(state.get(f"{name}.join", "all")),
                format_func=_JOINS.__getitem__,
                key=f"{name}.joins.{turn}",
                label_visibility="collapsed",
                width=140,
            )
    if not types:
        st.caption("The server lists no payload field; type a name.")


def _add(at: str) -> None:
    taken(at)
    st.session_state[f"{at}.rows"].append({"field": "", "operator": "is", "value": ""})
    st.session_state[f"{at}.filter_turn"] += 1


def _remove(index: int, at: str) -> None:
    taken(at)
    del st.session_state[f"{at}.rows"][index]
    st.session_state[f"{at}.filter_turn"] += 1


def _switched(types: dict[str, str], at: str) -> None:
    """Take the filter over from rows to JSON, or back where rows can show it."""
    state = st.session_state
    to_json = bool(state[f"{at}.as_json"])
    if to_json:
        taken(at)
    before = {**state, f"{at}.as_json": not to_json}
    try:
        what = query_state.filter_of(before, types, at)
    except PlumblineError:
        return
    filled = query_state.filter_keys(what, at)
    state[f"{at}.json"] = query_state.as_json(what) if to_json and what is not None else ""
    if not to_json and not filled[f"{at}.as_json"]:
        state[f"{at}.rows"], state[f"{at}.join"] = filled[f"{at}.rows"], filled[f"{at}.join"]
        state[f"{at}.filter_turn"] = state.get(f"{at}.filter_turn", 0) + 1
    elif not to_json and what is not None:
        state[f"{at}.as_json"], state[f"{at}.json"] = True, query_state.as_json(what)


def types_of(address: Address | None) -> dict[str, str]:
    """Field -> neutral type, as the server's schema knows them; asked once, nothing is counted."""
    if address is None:
        return {}
    workspace = session.workspace()

    def ask() -> Any:
        return workspace.connector(address.connection).describe(Target(address.collection, address.tenant))

    held = board.board().ask(("fields", address.whole), ask, fresh=300)
    board.glance(held, seconds=0.2)
    return {p.name: p.type for p in held.value.payload} if held.value is not None else {}
