"""What to beware of in a comparison: a side that is not there now, one that its last check found broken, and what the
comparison itself remarked. From what is listed and stored: nothing is read of a database for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.compare.words import NAMED
from console.health.render import reading
from console.settings import Address, readable
from console.ui import (
    board,
    compare_sides,
    compare_words,
    health_store,
    health_words,
    pages,
    panels,
    session,
    waiting,
    words,
)
from console.ui.compare_words import SIDES
from console.ui.note import note

if TYPE_CHECKING:
    from console.store import Headline

ILL: Final = ("broken", "degraded")
NAMED_AT_MOST: Final = 8
"""Collections or encoders that an error names as there."""


def unreached() -> None:
    """Each chosen side that is not there, or does not answer, in its own place: no page waits for it."""
    faults: dict[tuple[str, str, str], tuple[PlumblineError, list[str]]] = {}
    for side in SIDES:
        named = str(st.session_state.get(f"c.{side}") or "")
        fault = fault_of(named) if named else None
        if fault is not None:
            key = (fault.code, str(fault.where), fault.message)
            faults.setdefault(key, (fault, []))[1].append(NAMED[side])
    for fault, sides in faults.values():
        panels.error(fault, title=f"The {' and the '.join(sides)} side can't be compared now")


def fault_of(side: str) -> PlumblineError | None:
    """Why a side can't be compared as far as it is known by now; None where nothing speaks against it."""
    try:
        encoder = compare_sides.encoder_of(side)
        if encoder is not None:
            known = sorted(session.workspace().encoder_specs())
            return None if encoder in known else _no_encoder(encoder, known)
        address = compare_sides.address_of(side)
    except PlumblineError as fault:
        return fault
    if address is None:
        return None
    connections = session.workspace().settings.connections
    if address.connection not in connections:
        return PlumblineError(
            "not-found",
            f"There is no connection {address.connection}.",
            where=side,
            hint=f"{_there(sorted(connections))} Choose one of their collections, or add the connection to the settings.",
        )
    return _listed(address, board.collections(address.connection), side)


def _listed(address: Address, held: board.Held[Any], side: str) -> PlumblineError | None:
    if waiting.until(held):
        return None
    if held.error is not None:
        return held.error
    lines = held.value or ()
    for line in lines:
        if line.summary is None and line.error is not None:
            return panels.restored(line.error)
    summaries = [line.summary for line in lines if line.summary is not None]
    found = next((s for s in summaries if address.collection in (s.name, *s.aliases)), None)
    if found is None:
        return PlumblineError(
            "not-found",
            f"{address.connection} has no collection {address.collection}.",
            where=side,
            hint=f"{_there(sorted(s.name for s in summaries))} Choose one of them above.",
        )
    dense = [v.name for v in found.vectors if v.kind == "dense"]
    if found.error is None and address.vector is not None and address.vector not in dense:
        return PlumblineError(
            "not-found",
            f"{address.collection} has no vector field {address.vector} that can be compared.",
            where=side,
            hint=f"{_there(dense)} Choose one of them above.",
        )
    return None


def _no_encoder(name: str, known: list[str]) -> PlumblineError:
    return PlumblineError(
        "encoder-unknown",
        f"There is no encoder {name}.",
        where=f"{compare_sides.ENCODER}{name}",
        hint=f"{_there(known)} Choose one of them above, or describe this one in the settings.",
    )


def _there(names: list[str]) -> str:
    some = ", ".join(words.printable(n) or "the unnamed one" for n in names[:NAMED_AT_MOST])
    more = f" and {len(names) - NAMED_AT_MOST:,} more" if len(names) > NAMED_AT_MOST else ""
    return f"There are: {some}{more}." if names else "There is none."


def draw(data: Mapping[str, Any]) -> None:
    """Beside one comparison: its own warnings and remarks, and what the last check of each side found."""
    lines = [words.printable(str(line)) for line in data.get("warnings") or ()]
    ill = _checked(data)
    lines += [line for _, line in ill.values()]
    if lines:
        with st.container(
            border=True, horizontal=True, vertical_alignment="top", gap="small", key="compare_beware"
        ):
            st.badge("Beware", icon=":material/warning:", color="orange")
            with st.container(gap="xxsmall", width="stretch"):
                for line in lines:
                    st.text(panels.plain(line))
            for side, (address, _) in ill.items():
                if st.button(
                    f"Health of the {NAMED[side]} side", key=f"compare.health.{side}", type="tertiary"
                ):
                    st.switch_page(pages.HEALTH, query_params={"a": str(address)})
    sides: Mapping[str, Mapping[str, Any]] = data.get("sides") or {}
    note(
        [
            f"{NAMED[side].capitalize()} side: {words.sentence(str(line))}"
            for side in SIDES
            for line in (sides.get(side) or {}).get("notes") or ()
        ],
        key="compare.remarks",
    )


def _checked(data: Mapping[str, Any]) -> dict[str, tuple[Address, str]]:
    """The sides whose last check found them broken or degraded, with what it found, in a sentence."""
    held = board.board().ask(("reports",), lambda: health_store.store().latest_each(), health_store.FRESH)
    board.glance(held)
    found: dict[str, tuple[Address, str]] = {}
    for side in SIDES:
        try:
            address = compare_sides.address_of(str(data[side]))
        except PlumblineError:
            continue
        head = _headline(address, held.value or []) if address is not None else None
        if address is not None and head is not None and head.verdict in ILL:
            found[side] = (address, _said(side, head))
    return found


def _headline(address: Address, held: list[Headline]) -> Headline | None:
    same = [h for h in held if compare_sides.same(h.address, str(address))]
    return max(same, key=lambda h: h.at, default=None)


def _said(side: str, head: Headline) -> str:
    word = health_words.verdict(head.verdict)[0].lower()
    return (
        f"The {NAMED[side]} side is {word}, as checked {health_words.ago(head.at)}: {_causes(head)}. Rows at fault have "
        f"wrong neighbours, whatever the encoder: see to {readable(head.address)} first."
    )


def _causes(head: Headline) -> str:
    try:
        roots = reading.parts(health_store.report(head.id)).roots
        named = [health_words.fault(root.finding) for root in roots]
    except PlumblineError:
        named = [str(code) for code in head.root_causes]
    return compare_words.plain_list([n[:1].lower() + n[1:] for n in named]) if named else "no cause is named"
