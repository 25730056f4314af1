"""The page Golden: queries with judgements, and how the searches of a collection fare on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.search.golden import GoldenSet
from console.settings import Address, parse_address
from console.ui import (
    access,
    board,
    compare_sides,
    golden_actions,
    golden_evaluate,
    golden_files,
    golden_pool,
    golden_queries,
    golden_state,
    golden_store,
    health_words,
    overview,
    panels,
    session,
    waiting,
    words,
)
from console.ui.note import note

_REFUSED: Final = "golden.refused"
_NEW: Final = "golden.new"
_KNOWN: Final = "golden.known"
"""The sets that were there when this session looked last."""


def draw() -> None:
    """The page. Nothing is searched by looking at it: judged rows are fetched for the query that is open."""
    if not session.workspace().settings.connections:
        st.header("Golden")
        overview.nothing_configured()
        return
    golden_state.arrive()
    listed = golden_store.listed()
    board.glance(listed, seconds=3.0)
    heads = listed.value or []
    if listed.value is not None:
        _named(heads)
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with bar:
        head = _chosen(heads)
        first, second = _collections(heads)
        st.space("stretch")
    held, fault = _held(head)
    _found(held)
    golden_state.leave()
    _faults()
    if listed.error is not None:
        panels.error(listed.error, title="The golden sets can't be read now")
        return
    unread = waiting.until(listed)
    with bar:
        _age(heads, head)
        _new(heads)
        golden_evaluate.button(held, first)
    if fault is not None:
        panels.error(fault)
    if held is None or head is None:
        if unread:
            st.skeleton(height=260)
        elif fault is None:
            _nothing(heads)
        return
    _head(held, head)
    _part(held, heads, head, first, second)


def _named(heads: Sequence[Mapping[str, Any]]) -> None:
    """What the link names of the sets is there; else it is said, and the nearest thing shown."""
    state = st.session_state
    names = list(dict.fromkeys(str(h["name"]) for h in heads))
    current = state.get("golden.set")
    if current is not None and current not in names:
        seen = current in state.get(_KNOWN, ())
        if seen or state.get("golden.linked"):
            hint = f"There are: {', '.join(names)}." if names else "There is none yet."
            missing = PlumblineError(
                "not-found", f"There is no golden set {current}.", where="set", hint=hint
            )
            title = "The set was removed" if seen else golden_state.FOLLOWED
            golden_state.wrong(missing, f"Shown instead: {names[0]}." if names else "", title)
        if names:
            golden_state.put(set=names[0], v=None, q=None)
    state[_KNOWN] = frozenset(names)
    wanted, own = state.get("golden.v"), golden_store.heads(heads, str(state.get("golden.set")))
    if own and wanted is not None and all(wanted != golden_state.version_of(h) for h in own):
        missing = PlumblineError(
            "not-found",
            f"{state['golden.set']} has no version {wanted}.",
            where="v",
            hint=f"It has: {', '.join(_version(h).lower() for h in own)}.",
        )
        golden_state.wrong(missing, f"Shown instead: {_version(own[0]).lower()}.")
        golden_state.put(v=None)


def _found(held: GoldenSet | None) -> None:
    """The query and the evaluation that the link names are there; else it is said."""
    state = st.session_state
    query, evaluation = state.get("golden.q"), state.get("golden.evaluation")
    if held is not None and query is not None and held.query(str(query)) is None:
        named = f"version {held.version}" if held.version else "the draft"
        golden_state.wrong(
            PlumblineError("not-found", f"There is no query {query} in {named} of {held.name}.", where="q"),
            title="The query was removed"
            if golden_queries.was_there(held, str(query))
            else golden_state.FOLLOWED,
        )
        golden_state.put(q=None)
    if evaluation is not None:
        try:
            golden_store.evaluation(str(evaluation))
        except PlumblineError as fault:
            if fault.code != "not-found":
                return
            golden_state.wrong(
                fault, "Shown instead: the newest of what is chosen above, where there is one."
            )
            golden_state.put(evaluation=None)


def _faults() -> None:
    for fault, instead, title in golden_state.faults():
        panels.error(fault, title=title)
        if instead:
            st.text(words.printable(instead))
    if unknown := golden_state.unknown():
        panels.warnings(
            [f"The link says things that this page does not know, and they were left out: {unknown}."]
        )


def _part(
    held: GoldenSet,
    heads: Sequence[Mapping[str, Any]],
    head: Mapping[str, Any],
    first: Address | None,
    second: Address | None,
) -> None:
    state = st.session_state
    state["g.part"] = golden_state.PARTS.get(str(state.get("golden.part")), golden_state.QUERIES)
    st.radio(
        "Part of the page",
        list(golden_state.PARTS.values()),
        key="g.part",
        horizontal=True,
        label_visibility="collapsed",
        on_change=_turned,
    )
    part = state["golden.part"]
    with panels.guarded("This part"):
        if part == "blind":
            golden_pool.draw(held, first, second)
        elif part == "evaluation":
            golden_evaluate.draw(held, str(head["hash"]), first, second)
        elif part == "files":
            golden_files.draw(held, heads, head)
        else:
            golden_queries.draw(held, first)


def _turned() -> None:
    chosen = st.session_state["g.part"]
    golden_state.look(part=next((k for k, v in golden_state.PARTS.items() if v == chosen), "queries"))


def _chosen(heads: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The choosers of the set and its version."""
    state = st.session_state
    names = list(dict.fromkeys(str(h["name"]) for h in heads))
    current = state.get("golden.set")
    if current is None and names:
        golden_state.put(set=names[0])
        current = names[0]
    if not names and current is None:
        return None
    state["g.set"] = current
    options = list(dict.fromkeys([*names, *([current] if current else [])]))
    st.selectbox("Golden set", options, key="g.set", width=150, on_change=_other_set)
    own = golden_store.heads(heads, str(current))
    head = golden_state.head(heads)
    if own and head is not None:
        said = {_version(h): h for h in own}
        state["g.version"] = _version(head)
        st.selectbox("Version", list(said), key="g.version", width=115, on_change=_other_version)
    return head


def _version(head: Mapping[str, Any]) -> str:
    return f"Version {head['version']}" if head["version"] else "Draft"


def _other_set() -> None:
    golden_state.choose(st.session_state.get("g.set"))


def _other_version() -> None:
    said = str(st.session_state["g.version"])
    golden_state.look(v="draft" if said == "Draft" else said.removeprefix("Version "))


def _collections(heads: Sequence[Mapping[str, Any]]) -> tuple[Address | None, Address | None]:
    """Where judged rows and results come from, and what they may be held against."""
    state = st.session_state
    compare_sides.wait_for_the_preferred()
    names = [
        n
        for n in compare_sides.options((), state.get("golden.a"), state.get("golden.b"))
        if compare_sides.encoder_of(n) is None
    ]
    if state.get("golden.a") is None and names:
        new, old = golden_state.preferred(names)
        golden_state.put(a=new, b=state.get("golden.b") or old)
    state["g.a"], state["g.b"] = state.get("golden.a"), state.get("golden.b")
    found: list[Address | None] = []
    for key, label, other in (("a", "Collection", False), ("b", "Held against", True)):
        options = list(
            dict.fromkeys([*names, *([state[f"golden.{key}"]] if state.get(f"golden.{key}") else [])])
        )
        st.selectbox(
            label,
            options,
            index=None,
            key=f"g.{key}",
            width=180,
            format_func=compare_sides.short(names),
            placeholder="none" if other else "CONNECTION/COLLECTION",
            on_change=_moved,
            args=(key,),
        )
        found.append(_address(state.get(f"golden.{key}")))
    return found[0], found[1]


def _moved(key: str) -> None:
    golden_state.look(**{key: st.session_state.get(f"g.{key}"), "evaluation": None})


def _address(text: str | None) -> Address | None:
    try:
        return parse_address(text) if text else None
    except PlumblineError:
        return None


def _held(head: Mapping[str, Any] | None) -> tuple[GoldenSet | None, PlumblineError | None]:
    if head is None:
        return None, None
    try:
        return golden_store.golden(head), None
    except PlumblineError as fault:
        return None, fault


def _age(heads: Sequence[Mapping[str, Any]], head: Mapping[str, Any] | None) -> None:
    if head is None:
        return
    what = "Frozen" if head["version"] else "Changed"
    lines = [f"{what} {health_words.ago(head.get('at'))}"]
    newest = next((h for h in golden_store.heads(heads, str(head["name"])) if h["version"]), None)
    if not head["version"]:
        lines.append(
            "never frozen" if newest is None
            else f"as version {newest['version']}" if newest["hash"] == head["hash"]
            else f"differs from version {newest['version']}"
        )  # fmt: skip
    with st.container(width="content"):
        note(lines, key="golden.age")


def _new(heads: Sequence[Mapping[str, Any]]) -> None:
    read_only = access.why_read_only() is not None
    # Its state is followed so that it can be closed when the set is made.
    with st.popover("New set", icon=":material/add:", key=_NEW, on_change="rerun"):
        st.text_input(
            "Name",
            key="g.new",
            placeholder="shop",
            disabled=read_only,
            help="Letters, digits, _, . and -, up to 63.",
        )
        st.text_input(
            "Rows are known by",
            key="g.new_field",
            placeholder="their id",
            disabled=read_only,
            help="A payload field that keeps its value when the collection is rebuilt with new ids, such as a product "
            "number. Without one, judgements are of row ids.",
        )
        st.button("Make this set", key="golden.create", on_click=_created, disabled=read_only)


def _created() -> None:
    state = st.session_state
    name, field = str(state.get("g.new") or "").strip(), str(state.get("g.new_field") or "").strip()
    try:
        golden_actions.create(name, field or None)
    except PlumblineError as fault:
        state[_REFUSED] = fault
        return
    finally:
        state[_NEW] = False
    golden_state.choose(name)
    golden_state.look(part="queries")
    state["g.new"], state["g.new_field"] = "", ""


def _nothing(heads: Sequence[Mapping[str, Any]]) -> None:
    if (fault := st.session_state.pop(_REFUSED, None)) is not None:
        panels.error(fault, title="The golden set was not made")
    panels.empty(
        "No golden set yet",
        "A golden set is what people look for, with which rows are right: then Plumbline can tell whether a new model "
        "finds better, for whom it is worse, and whether a cutover may go ahead. Make one with New set, judge results "
        "with the thumbs of the page Query, or import a file.",
        "plumbline golden import NAME FILE",
    )
    golden_files.take_in_anew()


def _head(held: GoldenSet, head: Mapping[str, Any]) -> None:
    queries = words.plural(len(held.queries), "query", "queries")
    parts = [queries, words.plural(len(held.judgements), "judgement")]
    parts += [words.plural(len(held.rules), "rule")] if held.rules else []
    st.header(", ".join(parts), anchor=False)
    smoke = sum(1 for q in held.queries if q.must or q.must_not)
    known = f"Rows are known by {held.key_field}." if held.key_field else "Rows are known by their ids."
    lines = [f"{known} {words.plural(smoke, 'smoke item')}." if smoke else known]
    lines += [panels.plain(held.note)] if held.note else []
    note([words.printable(line) for line in lines], key="golden.head")
    if (fault := st.session_state.get(_REFUSED)) is not None and st.session_state.get(
        "golden.part"
    ) != "queries":
        st.session_state.pop(_REFUSED)
        panels.error(fault, title="The golden set stays as it was")
