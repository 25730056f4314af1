"""Evaluating a collection with a golden set: the button, the run that everybody sees, and which result is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.jobs.runs import Run
from console.search.golden import GoldenSet
from console.settings import Address, readable
from console.ui import (
    access,
    actions,
    board,
    compare_sides,
    golden_actions,
    golden_results,
    golden_state,
    golden_store,
    health_words,
    panels,
    running,
    waiting,
    words,
)

MOST: Final = 100
"""Hits of each query that an evaluation looks at, at most."""
_TURNS: Final = "golden.turns"
LOOKED_AT: Final = 8
"""Evaluations of earlier versions that are opened to see what they were held against."""


def reference(held: GoldenSet) -> str:
    """`shop@3`, `shop@draft`."""
    return f"{held.name}@{held.version or 'draft'}"


def key_of(held: GoldenSet, first: Address, second: Address | None) -> str:
    """One evaluation at a time of the same set, collection and what it is held against."""
    return "|".join([reference(held), str(first), str(second or "")])


def button(held: GoldenSet | None, first: Address | None) -> None:
    """The primary button of the page. With a second collection chosen both are evaluated, query by query."""
    second = _second(first)
    running = held is not None and first is not None and _active(held, first, second)
    st.button(
        "Evaluate now",
        key="golden.evaluate",
        type="primary",
        on_click=_start,
        disabled=held is None
        or first is None
        or not held.queries
        or running
        or access.why_read_only() is not None,
        help="Asks every query of the set through the index, as in production, and counts what was found.",
    )


def _second(first: Address | None) -> Address | None:
    try:
        found = compare_sides.address_of(str(st.session_state.get("golden.b") or ""))
    except PlumblineError:
        return None
    return found if found != first else None


def _active(held: GoldenSet, first: Address, second: Address | None) -> bool:
    run = golden_actions.latest(key_of(held, first, second))
    return run is not None and run.active


def _start() -> None:
    """Evaluate what the page chooses by now: a click that ends a choice or a typing comes with it."""
    PANEL.start(_begin)
    golden_state.look(part="evaluation", evaluation=None)


def _begin() -> None:
    head = golden_state.head(golden_store.waited())
    first = _address("a")
    if head is None or first is None:
        raise PlumblineError("usage", "Choose a golden set and a collection first.", where="evaluate")
    held, second = golden_store.golden(head), _address("b")
    second = second if second != first else None
    options = {
        "golden": reference(held),
        "address": str(first),
        "k": int(st.session_state.get("g.k") or golden_state.hits()),
        "against": str(second) if second is not None else None,
    }
    golden_actions.evaluate(key_of(held, first, second), options)


def _address(name: str) -> Address | None:
    """What a chooser holds by now. Raises `usage`."""
    state = st.session_state
    text = str(state.get(f"g.{name}") or state.get(f"golden.{name}") or "")
    return compare_sides.address_of(text) if text else None


def draw(held: GoldenSet, digest: str, first: Address | None, second: Address | None) -> None:
    """`digest`: the hash of what the set says."""
    if first is None:
        panels.empty("Choose a collection", "Its searches are evaluated with this set: choose it above.")
        return
    second = second if second != first else None
    _hits()
    listed = golden_store.evaluated()
    board.glance(listed, seconds=2.0)
    if listed.error is not None:
        panels.error(listed.error, title="The evaluations can't be read now")
        return
    own = [h for h in listed.value or () if h.get("golden") == held.name]
    shown = _shown(own, held, digest, first, second)
    run = golden_actions.latest(key_of(held, first, second))
    busy = PANEL.draw(run, shown, listed.began) or waiting.until(listed)
    if shown is not None:
        _otherwise(shown, held, digest, first, second)
        golden_results.draw(shown, held)
    elif busy:
        st.skeleton(height=260)
    else:
        against = f" --against {readable(second)}" if second is not None else ""
        hits = f" -k {golden_state.hits()}" if golden_state.hits() != golden_state.K else ""
        panels.empty(
            "Not evaluated yet",
            "Here stands how well the collection answers the set's queries: nDCG, precision, recall with their "
            "intervals, for whom it is worse, and which part of a query missed. Evaluate now asks them all, and "
            "changes nothing.",
            f"plumbline eval {readable(first)} --golden {reference(held)}{against}{hits}",
        )
    _list(own, shown)


def _hits() -> None:
    state = st.session_state
    state["g.k"] = min(golden_state.hits(), MOST)
    st.number_input(
        "Hits of each query",
        min_value=1,
        max_value=MOST,
        key="g.k",
        width=170,
        on_change=_counted,
        help="k: so many hits of each query count, in production searches through the index.",
    )


def _counted() -> None:
    golden_state.look(k=str(st.session_state["g.k"]), evaluation=None)


def _shown(
    own: Sequence[Mapping[str, Any]],
    held: GoldenSet,
    digest: str,
    first: Address,
    second: Address | None,
) -> Mapping[str, Any] | None:
    """The evaluation in the URL; else the newest of this collection with what the set says (beside the draft: with
    anything), held against what is chosen, with as many hits; else the newest that comes near.
    """
    name = st.session_state.get("golden.evaluation")
    if name is None:
        here = [h for h in own if compare_sides.same(str(h["address"]), str(first))]
        same = [h for h in here if h.get("hash") == digest]
        there = same or (here if held.version is None else [])
        fitting = [h for n, h in enumerate(there) if _held_against(h, second, n < LOOKED_AT)] or there
        best = next((h for h in fitting if h.get("k") == golden_state.hits()), None)
        name = str((best or fitting[0])["id"]) if fitting else None
    if name is None:
        return None
    try:
        return golden_store.evaluation(str(name))
    except PlumblineError as fault:
        panels.error(fault)
        return None


def _held_against(head: Mapping[str, Any], second: Address | None, look: bool) -> bool:
    if "against" in head:
        against = head["against"]
    elif look:
        try:
            against = (golden_store.evaluation(str(head["id"])).get("against") or {}).get("address")
        except PlumblineError:
            return False
    else:
        return False
    return _same(against, second)


def _same(against: Any, second: Address | None) -> bool:
    if against is None or second is None:
        return against is None and second is None
    return compare_sides.same(str(against), str(second))


def _otherwise(
    shown: Mapping[str, Any], held: GoldenSet, digest: str, first: Address, second: Address | None
) -> None:
    """What of the evaluation is not as it is chosen above: said before any of its figures."""
    lines: list[str] = []
    against = (shown.get("against") or {}).get("address")
    if shown.get("golden") != held.name:
        lines.append(f"It is of the golden set {shown.get('golden')}.")
    if not compare_sides.same(str(shown.get("address")), str(first)):
        lines.append(f"It is of {compare_sides.label(shown.get('address'))}, not of {readable(first)}.")
    if second is not None and not _same(against, second):
        beside = f"was held against {compare_sides.label(against)}" if against else "was held against nothing"
        lines.append(f"Not evaluated against {readable(second)} yet: what stands below {beside}.")
    elif second is None and against is not None:
        lines.append(f"It was held against {compare_sides.label(against)} as well.")
    if shown.get("k") != golden_state.hits():
        lines.append(f"It is of the first {shown.get('k')} hits, not of {golden_state.hits()}.")
    if shown.get("golden") == held.name and shown.get("hash") != digest:
        named = f"version {held.version}" if held.version else "the draft"
        lines.append(f"It is of what the set said then, not of what {named} says.")
    if not lines:
        return
    with st.container(
        border=True, horizontal=True, vertical_alignment="top", gap="small", key="golden_otherwise"
    ):
        st.badge("Not as chosen", icon=":material/edit:", color="orange")
        with st.container(gap="xxsmall", width="stretch"):
            for line in lines:
                st.text(words.printable(line))


def _what(run: Run) -> str:
    return "The set's queries"


PANEL: Final = running.Panel(
    key="golden",
    doing="Evaluating",
    noun="evaluation",
    progress=lambda run: actions.runs().progress(run),
    cancel=lambda run: golden_actions.cancel(run),
    forget=golden_store.forget,
    what=_what,
)


def _list(own: Sequence[Mapping[str, Any]], shown: Mapping[str, Any] | None) -> None:
    if not own:
        return
    st.subheader("Stored evaluations", anchor=False)
    main = [next((n for n in h.get("metrics") or {} if n.startswith("ndcg")), None) for h in own]
    event = st.dataframe(
        {
            "At": [health_words.at(h.get("at")) for h in own],
            "Shown": [
                "this one" if shown is not None and h.get("id") == shown.get("id") else "" for h in own
            ],
            "Collection": [compare_sides.label(h.get("address")) for h in own],
            "Held against": [_beside(h) for h in own],
            "Version": [str(h.get("version")) for h in own],
            "k": [h.get("k") for h in own],
            "nDCG": [
                golden_results.figure((h.get("metrics") or {}).get(n)) for h, n in zip(own, main, strict=True)
            ],
            "Queries": [h.get("queries") for h in own],
            "Smoke failures": [h.get("smoke_failed") for h in own],
            "Evaluation": [str(h.get("id")) for h in own],
        },
        hide_index=True,
        # Another evaluation that is opened leaves no row of the list ticked.
        key=f"golden.history.{st.session_state.get(_TURNS, 0)}",
        selection_mode="single-row",
        on_select="rerun",
        height=words.tall(len(own), 300),
    )
    picked = tuple(event.selection.rows)
    if picked and picked[0] < len(own):
        _open(own[picked[0]])


def _open(head: Mapping[str, Any]) -> None:
    """Look at an evaluation, and at what it was of."""
    state = st.session_state
    state[_TURNS] = state.get(_TURNS, 0) + 1
    also = {"b": head["against"]} if "against" in head else {}
    golden_state.look(
        evaluation=str(head["id"]), a=str(head["address"]), k=str(head.get("k") or golden_state.K), **also
    )
    st.rerun()


def _beside(head: Mapping[str, Any]) -> str:
    if "against" not in head:
        return "not known"
    return compare_sides.label(head["against"]) if head["against"] else "nothing"
