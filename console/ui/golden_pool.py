"""Pooled judging: the first rows of two systems side by side, blind until every one of them has a grade."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import streamlit as st

from console.search import QueryAnswer
from console.search.golden import GoldenQuery, GoldenSet, key_of
from console.search.golden.ranking import PER_KEY
from console.settings import Address, readable
from console.ui import access, golden_query, golden_rows, golden_state, panels, words
from console.ui.golden_cards import Judged

K: Final = 10
NAMES: Final = ("A", "B")


def draw(held: GoldenSet, first: Address | None, second: Address | None) -> None:
    if first is None or second is None or first == second:
        panels.empty(
            "Choose two systems",
            "Their first rows for each query stand side by side, and which is which stays hidden until all of them "
            "are judged: so nobody judges the model that they like. Choose another collection to hold against above.",
        )
        return
    if held.version is not None:
        panels.empty(
            "A version stays as it is",
            "Judgements go into the draft: choose the draft above, judge, and freeze the next version.",
        )
        return
    if not held.queries:
        panels.empty("No query yet", "Add queries first: there is nothing to ask the two systems.")
        return
    queries = _unruled(held)
    if not queries:
        panels.empty(
            "Rules judge every query",
            "A query with a rule is judged completely: which rows are right follows from what they say.",
        )
        return
    query = _chosen(held, queries)
    _head(queries, query, first)
    answer = golden_query.answered(query, (first, second), _depth(held), blind=True)
    if answer is not None:
        _columns(held, query, answer)


def _unruled(held: GoldenSet) -> list[GoldenQuery]:
    """The queries that need somebody: a grade given here would outweigh a rule."""
    closed = held.closed
    return [query for query in held.queries if query.id not in closed]


def _chosen(held: GoldenSet, queries: Sequence[GoldenQuery]) -> GoldenQuery:
    found = held.query(str(st.session_state.get("golden.q") or ""))
    if found is None or found in queries:
        return found or queries[0]
    st.text(
        f"Rules judge {words.printable(found.label)} completely: here is the first query that needs somebody."
    )
    return queries[0]


def _depth(held: GoldenSet) -> int:
    """Hits that are asked for: a query's own row is among them, and several rows may have one key."""
    return K + 1 if held.key_field is None else K * PER_KEY + 1


def _head(queries: Sequence[GoldenQuery], query: GoldenQuery, address: Address) -> None:
    place = queries.index(query)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        golden_query.asked_with(query, address)
        with st.container(gap="xxsmall", width="stretch"):
            st.text(f"Query {place + 1:,} of {len(queries):,}")
            st.markdown("**Which of these are what this asks for?**")
            st.text(words.printable(query.label))
        for name, step, icon in (("Earlier query", -1, "arrow_back"), ("Next query", 1, "arrow_forward")):
            there = 0 <= place + step < len(queries)
            st.button(
                name,
                key=f"golden.step.{step}",
                icon=f":material/{icon}:",
                disabled=not there,
                on_click=_go,
                args=(queries[place + step].id if there else query.id,),
            )


def _go(query: str) -> None:
    golden_state.look(q=query)


def _columns(held: GoldenSet, query: GoldenQuery, answer: QueryAnswer) -> None:
    grades = held.grades(query.id)
    fixed = access.why_read_only() and "Read-only here."
    sides = [answer.hits_of(side.address) for side in answer.sides]
    addresses = [side.address for side in answer.sides]
    cards = [golden_rows.of_hits(s, held.key_field, grades, fixed, blind=True)[:K] for s in sides]
    order = (1, 0) if turned(held.name, query.id, addresses) else (0, 1)
    keys = {c.key for column in cards for c in column}
    left = sum(key not in grades for key in keys)
    if left:
        given = golden_query.given_blind(held.name, query.id)
        cards = [hidden(column, given) for column in cards]
        before = sum(c.grade is None for c in {c.key: c for column in cards for c in column}.values()) - left
        st.text(
            f"{words.plural(left, 'row has', 'rows have')} no grade yet; then it is told which system is which."
        )
        if before:
            st.text(
                f"{words.plural(before, 'row was', 'rows were')} judged elsewhere before. Their grades are hidden until "
                "then, as they may tell the systems apart; one that is given here replaces the earlier one."
            )
        if answer.error is not None:
            st.text("One of the two systems could not answer: which one and why is told then, too.")
    else:
        _revealed(answer, cards, order)
    for column, name, place in zip(st.columns(2, gap="medium"), NAMES, order, strict=True):
        with column:
            st.markdown(f"**System {name}**")
            if not cards[place]:
                st.text("There is nothing to judge.")
                continue
            golden_query.draw_cards(
                held,
                query,
                cards[place],
                f"golden.pool.{name}",
                f"Rows of system {name}, best first",
                narrow=True,
                blind=True,
            )
    unkeyed = sum(key_of(h.id, h.payload, held.key_field) is None for s in sides for h in s[:K])
    if unkeyed:
        st.text(
            f"{words.plural(unkeyed, 'row is', 'rows are')} left out: the key field of this set is empty there."
        )


def hidden(column: Sequence[Judged], given: Collection[str]) -> list[Judged]:
    """The cards without grades that were not given here: rows of the system that was judged before would have them."""
    return [card if card.key in given else replace(card, grade=None) for card in column]


def turned(name: str, query: str, addresses: Sequence[Address]) -> bool:
    """Whether the second system stands left: by chance, the same for one query as long as the session lasts."""
    state = st.session_state
    salt = state.setdefault("golden.salt", secrets.token_hex(8))
    said = "\0".join([salt, name, query, *(str(a) for a in addresses)])
    return bool(hashlib.sha256(said.encode()).digest()[0] & 1)


def _revealed(answer: QueryAnswer, cards: Sequence[Sequence[Judged]], order: Sequence[int]) -> None:
    with st.container(border=True, gap="xxsmall", key="golden_revealed"):
        st.badge("All judged", icon=":material/check:", color="green")
        for name, place in zip(NAMES, order, strict=True):
            side, good = answer.sides[place], sum((c.grade or 0) > 0 for c in cards[place])
            told = (
                f"{good:,} of its {words.plural(len(cards[place]), 'row')} relevant"
                if side.error is None
                else "it could not answer"
            )
            st.text(f"System {name} is {readable(side.address)}: {told}.")
    for side in answer.sides:
        if side.error is not None:
            panels.error(side.error.at(str(side.address)))
