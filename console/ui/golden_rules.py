"""Judging by what rows say: payload rules of a query; and the keys that must, or must not, be found."""

from __future__ import annotations

import json
from typing import Final

import streamlit as st

from connectors import filters
from connectors.errors import PlumblineError
from connectors.filters import Filter
from console.search.golden import GoldenQuery, GoldenSet
from console.settings import Address
from console.ui import access, filter_builder, golden_actions, panels, query_state, words

AT: Final = "g.rule"
_REFUSED: Final = "golden.refused"
_RULE_REFUSED: Final = "golden.rule_refused"
_SMOKE_REFUSED: Final = "golden.smoke_refused"


def draw(held: GoldenSet, query: GoldenQuery, address: Address | None) -> None:
    fixed = held.version is not None or access.why_read_only() is not None
    _rules(held, query, address, fixed)
    _smoke(held, query, fixed)


def _rules(held: GoldenSet, query: GoldenQuery, address: Address | None, fixed: bool) -> None:
    own = [r for r in held.rules if r.query == query.id]
    st.markdown("**Rules**")
    st.text(
        "Every row that passes a rule has its grade, and one that passes none is not relevant: the query is judged "
        "completely. A single judgement outweighs every rule."
    )
    for place, rule in enumerate(own):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(f"Grade {rule.grade}", width="content")
            said = json.dumps(filters.to_json(rule.where), ensure_ascii=False)
            st.code(words.printable(said), language=None, wrap_lines=True, width="stretch")
            st.button(
                "Remove",
                key=f"golden.no_rule.{place}",
                on_click=_removed,
                args=(held.name, query.id, rule.where),
                disabled=fixed,
            )
    if fixed:
        return
    types = filter_builder.types_of(address)
    with st.popover("Add a rule", icon=":material/add:"):
        filter_builder.builder(types, AT, empty="No condition yet: a rule needs one at least.")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.number_input("Grade", 0, 100, value=1, key="g.rule.grade", width=120)
            st.button(
                "Add this rule",
                key="golden.add_rule",
                on_click=_added,
                args=(held.name, query.id, types),
            )
        with st.container(key="golden_rule_refused"):
            if (refused := st.session_state.pop(_RULE_REFUSED, None)) is not None:
                panels.error(refused, title="The rule was not added")


def _added(name: str, query: str, types: dict[str, str]) -> None:
    """The rule as it stands by now: a click that ends a typing comes with it."""
    state = st.session_state
    filter_builder.taken(AT)
    try:
        where = _condition(types)
        golden_actions.add_rule(name, query, where, int(state.get("g.rule.grade") or 0))
    except PlumblineError as fault:
        _refused(_RULE_REFUSED, fault)
        return
    for key, value in query_state.filter_keys(None, AT).items():
        state[key] = value
    state[f"{AT}.filter_turn"] = state.get(f"{AT}.filter_turn", 0) + 1


def _condition(types: dict[str, str]) -> Filter:
    """What the builder says. Raises `usage` for nothing, and for a condition that is not complete."""
    state = st.session_state
    where = query_state.filter_of(state, types, AT)
    rows = () if state.get(f"{AT}.as_json") else state.get(f"{AT}.rows") or ()
    if any(not row["field"].strip() for row in rows):
        raise PlumblineError(
            "usage", "A condition names no field.", where="rule", hint="Choose its field, or remove it."
        )
    if where is None:
        raise PlumblineError("usage", "The rule has no condition.", where="rule", hint="Add a condition.")
    return where


def _removed(name: str, query: str, where: Filter) -> None:
    try:
        golden_actions.remove_rule(name, query, where)
    except PlumblineError as fault:
        st.session_state[_REFUSED] = fault


def _smoke(held: GoldenSet, query: GoldenQuery, fixed: bool) -> None:
    st.markdown("**Smoke items**")
    known = f"values of {words.printable(held.key_field)}" if held.key_field else "row ids"
    st.text(f"What has to be among the first results, and what must not be: {known}, one a line.")
    must, must_not = st.columns(2, gap="small")
    turn = f"{held.name} {query.id} {hash((query.must, query.must_not))}"
    with must:
        st.text_area("Must appear", "\n".join(query.must), key=f"g.must.{turn}", height=100, disabled=fixed)
    with must_not:
        st.text_area(
            "Must not appear", "\n".join(query.must_not), key=f"g.must_not.{turn}", height=100, disabled=fixed
        )
    if not fixed:
        with st.container(horizontal=True, vertical_alignment="top", gap="small"):
            st.button("Keep these", key="golden.smoke", on_click=_kept, args=(held.name, query.id, turn))
            with st.container(key="golden_smoke_refused", width="stretch"):
                if (refused := st.session_state.pop(_SMOKE_REFUSED, None)) is not None:
                    panels.error(refused, title="The smoke items stay as they were")


def _kept(name: str, query: str, turn: str) -> None:
    state = st.session_state

    def keys(of: str) -> tuple[str, ...]:
        lines = (line.strip() for line in str(state.get(f"g.{of}.{turn}") or "").splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))

    try:
        golden_actions.keep_smoke(name, query, keys("must"), keys("must_not"))
    except PlumblineError as fault:
        _refused(_SMOKE_REFUSED, _in_words_of_the_page(fault))


def _refused(beside: str, fault: PlumblineError) -> None:
    """Said beside the button, or above where the query went with the button."""
    st.session_state[_REFUSED if fault.code == "not-found" else beside] = fault


def _in_words_of_the_page(fault: PlumblineError) -> PlumblineError:
    """Without an option of the command line, which nobody can give here."""
    if "--key-field" not in (fault.hint or ""):
        return fault
    hint = "A set whose rows are known by a payload field is made with New set."
    return PlumblineError(fault.code, fault.message, where=fault.where, hint=hint)
