"""Whether the new side may take over: what the last gate of the two sides said, and how to run one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.compare.gate.render import reading
from console.compare.gate.request import GateRequest
from console.jobs.runs import Run
from console.settings import readable
from console.ui import (
    access,
    board,
    compare_actions,
    compare_form,
    compare_sides,
    compare_store,
    health_words,
    panels,
    running,
    session,
    words,
)

if TYPE_CHECKING:
    from console.compare.request import CompareRequest
    from console.store.gates import Gates

FRESH: Final = 2.0
LISTED: Final = 200
KEY: Final = ("gates",)
VERDICTS: Final = {
    "pass": ("Pass", ":material/check_circle:", "green"),
    "fail": ("Fail", ":material/block:", "red"),
    "not_measurable": ("Not measurable", ":material/help:", "orange"),
    "waived": ("Waived", ":material/front_hand:", "gray"),
}
NEEDS_GOLDEN: Final = (
    "A gate needs a golden set, by whose judgements it measures quality: choose one in Options first."
)
"""The command line requires one too (`--golden`)."""
ORDER: Final = ("fail", "not_measurable", "waived", "pass")

Condition = Mapping[str, Any]


def draw(request: CompareRequest | None) -> None:
    """Of the two sides that are chosen; nothing where none are."""
    if request is None:
        return
    st.subheader("Gate", anchor=False)
    if any(compare_sides.encoder_of(s) is not None for s in (request.left, request.right)):
        st.text("A gate holds two collections against each other: build one with this encoder first.")
        return
    held = listed()
    board.glance(held)
    if held.error is not None:
        panels.error(held.error, title="The gates can't be read now")
        return
    own = compare_store.of_pair(held.value or [], request.left, request.right)
    data = _read(str(own[0]["id"])) if own else None
    run = compare_actions.latest_gate(request.key)
    PANEL.draw(run, data, held.began)
    if data is not None:
        _result(data)
    else:
        st.text(
            "No gate of these two sides yet. It says whether the new side may take over from the old one: by its ids, "
            "its health, its index, its answers to judged questions, its latency and its cutoff."
        )
    _start(request, run)
    if len(own) > 1:
        _earlier(own[1:])


def listed() -> board.Held[list[Mapping[str, Any]]]:
    """The stored gates, newest first, asked in the background."""
    return board.board().ask(KEY, lambda: list(store().list(LISTED)), FRESH)


def store() -> Gates:
    """Who holds a lock on it holds no page up. Raises what opening it raises."""
    from console.store.engine import GLANCE_SECONDS
    from console.store.gates import Gates

    return Gates.open(session.workspace(), wait=GLANCE_SECONDS)


def _read(name: str) -> Mapping[str, Any]:
    """A stored gate never changes. Raises `not-found`."""
    return _kept(session.generation(), name)


@st.cache_resource(show_spinner=False, max_entries=16)
def _kept(generation: int, name: str) -> Mapping[str, Any]:
    return store().get(name)


def _state(condition: Condition) -> str:
    return "waived" if condition.get("waived") else str(condition.get("verdict"))


def _result(data: Mapping[str, Any]) -> None:
    word, icon, colour = VERDICTS.get(str(data.get("verdict")), VERDICTS["not_measurable"])
    conditions: Sequence[Condition] = data.get("conditions") or ()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compare_gate"):
        st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]
        st.text(f"{_golden(data)}, {health_words.ago(data.get('at'))}", width="content")
        st.code(str(data.get("id")), language=None, width="content")
    st.text(panels.plain(words.printable(str(data.get("summary") or ""))))
    for one in conditions:
        if (state := _state(one)) != "pass":
            said = VERDICTS.get(state, VERDICTS["not_measurable"])[0].lower()
            st.text(f"{words.printable(str(one.get('name')))}, {said}: {_why(one)}")
    held = sorted(conditions, key=lambda c: ORDER.index(s) if (s := _state(c)) in ORDER else 0)
    st.dataframe(
        {
            "Condition": [words.printable(str(c.get("name"))) for c in held],
            "Says": [VERDICTS.get(_state(c), VERDICTS["not_measurable"])[0] for c in held],
            "Figure": [_number(c.get("figure"), reading.unit(c)) for c in held],
            "Limit": [_number(c.get("limit"), "") for c in held],
            "Why": [_why(c) for c in held],
            "It asks": [words.printable(str(c.get("asks") or "")) for c in held],
        },
        hide_index=True,
        key=f"compare.gate.{data.get('id')}",
        height=words.tall(len(held), 400),
        column_config={"Why": st.column_config.TextColumn(width="large")},
    )


def _golden(data: Mapping[str, Any]) -> str:
    held = data.get("golden")
    if not isinstance(held, Mapping):
        return "Without a golden set"
    version = held.get("version")
    named = f", version {version}" if isinstance(version, int) else ", its draft"
    return words.printable(f"With the golden set {held.get('name')}{named}")


def _number(value: Any, unit: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    return words.printable(f"{health_words.number(value)} {unit or ''}".strip())


def _why(condition: Condition) -> str:
    waived = condition.get("waived")
    why = panels.plain(words.printable(str(condition.get("why") or "")))
    if isinstance(waived, Mapping):
        return f"Waived: {words.printable(str(waived.get('reason')))}. {why}"
    return why


def _start(request: CompareRequest, run: Run | None) -> None:
    why, golden = access.why_read_only(), request.golden
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Run the gate",
            key="compare.gate.run",
            icon=":material/gavel:",
            on_click=_run,
            disabled=why is not None or not golden or (run is not None and run.active),
            help="Reads both sides, checks the new one, searches both in turn, and keeps what it finds as evidence. "
            "Takes minutes; it changes nothing."
            if golden
            else NEEDS_GOLDEN,
        )
        st.text(
            f"It asks with the golden set {words.printable(golden)}." if golden else NEEDS_GOLDEN,
            width="stretch",
        )
        with st.popover("Gate as a command", icon=":material/terminal:"):
            st.caption("The same gate on the command line, where its exit code stops a cutover")
            if golden:
                st.code(words.printable(_asked(request).to_command()), language=None, wrap_lines=True)
            else:
                st.text("The command needs a golden set as well: choose one in Options, and it stands here.")


def _asked(request: CompareRequest) -> GateRequest:
    return GateRequest(
        request.left,
        request.right,
        golden=request.golden,
        match_on=request.match_on,
        threshold=request.threshold,
        k=request.k,
        seed=request.seed,
    )


def _run() -> None:
    PANEL.start(_begin)


def _begin() -> None:
    request = compare_form.request()
    if request is None:
        raise PlumblineError("usage", "Choose an old and a new side first.", where="gate")
    compare_actions.gate_now(_asked(request))


def _earlier(own: Sequence[Mapping[str, Any]]) -> None:
    with st.expander(f"Earlier gates of these sides ({len(own):,})"):
        st.dataframe(
            {
                "At": [health_words.at(h.get("at")) for h in own],
                "Old": [readable(str(h.get("left"))) for h in own],
                "New": [readable(str(h.get("right"))) for h in own],
                "Says": [VERDICTS.get(str(h.get("verdict")), VERDICTS["not_measurable"])[0] for h in own],
                "Not passed": [
                    ", ".join(str(c.get("name")) for c in h.get("conditions") or () if _state(c) != "pass")
                    for h in own
                ],
                "Gate": [str(h.get("id")) for h in own],
            },
            hide_index=True,
            key="compare.gates",
            height=words.tall(len(own), 300),
        )


PANEL: Final = running.Panel(
    key="compare_gate_run",
    doing="Running the gate",
    noun="gate",
    progress=lambda run: compare_actions.progress(run),
    cancel=lambda run: compare_actions.cancel_gate(run),
    forget=lambda: board.board().forget(KEY),
    what=lambda run: "Every condition",
)
