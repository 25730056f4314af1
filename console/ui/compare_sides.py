"""The two sides of a comparison as the page names them: vector fields, and encoders that made no collection yet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.settings import Address, parse_address, readable
from console.ui import board, session

ENCODER: Final = "encoder:"
PREFERRED: Final = (("demo/scenes-old", "demo/scenes"),)
"""Pairs that a first visit looks at where they are there."""


def encoder_of(side: str) -> str | None:
    """The name of a side that is an encoder."""
    return side.removeprefix(ENCODER) if side.startswith(ENCODER) else None


def address_of(side: str) -> Address | None:
    """The address of a side; None for an encoder. Raises `usage`."""
    return None if encoder_of(side) is not None else parse_address(side)


def label(side: Any) -> str:
    return readable(str(side))


def short(names: Sequence[str]) -> Callable[[str], str]:
    """A side's label among others: without its vector where no other side is of the same collection."""
    from collections import Counter

    many = Counter(name.partition("#")[0] for name in names)
    return lambda side: label(side.partition("#")[0] if many[side.partition("#")[0]] < 2 else side)


def same(one: str, other: str) -> bool:
    """Whether two names mean the same side: a vector that one of them does not name may be the other's."""
    if one == other:
        return True
    try:
        a, b = address_of(one), address_of(other)
    except PlumblineError:
        return False
    if a is None or b is None or a.with_vector(None) != b.with_vector(None):
        return False
    return a.vector == b.vector or None in (a.vector, b.vector)


def options(held: Sequence[Mapping[str, Any]], *current: str | None) -> list[str]:
    """What can be a side: each dense vector field that is listed by now, what was compared before, the encoders."""
    listed = [board.collections(n) for n in session.workspace().settings.connections]
    board.glance(*listed)
    found = [
        str(Address(line.connection, line.summary.name, vector=vector.name))
        for h in listed
        for line in h.value or ()
        if line.summary is not None
        for vector in line.summary.vectors
        if vector.kind == "dense"
    ]
    found += [str(h[name]) for h in held for name in ("left", "right")]
    found += [side for side in current if side]
    with contextlib.suppress(PlumblineError):
        found += [ENCODER + name for name in sorted(session.workspace().encoder_specs())]
    return list(dict.fromkeys(found))


def preferred(names: Sequence[str], held: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """The pair that was compared last; else the demo's, else the first two vector fields, those with rows before
    empty ones; else one, and nothing.
    """
    if held:
        return str(held[0]["left"]), str(held[0]["right"])
    empty = _empty()
    fields = sorted((n for n in names if encoder_of(n) is None), key=lambda n: n.partition("#")[0] in empty)
    for pair in PREFERRED:
        found = tuple(next((n for n in fields if same(n, side)), None) for side in pair)
        if None not in found:
            return found[0], found[1]
    return (fields[0] if fields else None), (fields[1] if len(fields) > 1 else None)


def _empty() -> set[str]:
    """The collections that are known to hold no row."""
    return {
        str(Address(line.connection, line.summary.name))
        for name in session.workspace().settings.connections
        for line in board.collections(name).value or ()
        if line.summary is not None and line.summary.rows == 0
    }


def rows_of(data: Mapping[str, Any], side: str) -> Address | None:
    """Where the rows of one side (`left`, `right`) lie: an encoder's are those of the other side."""
    other = "right" if side == "left" else "left"
    for name in (side, other):
        try:
            found = address_of(str(data[name]))
        except PlumblineError:
            return None
        if found is not None:
            return found
    return None


def wait_for_the_preferred() -> None:
    """A first visit waits a little longer for the demo: its store lies on this machine and may be starting."""
    name = parse_address(PREFERRED[0][0]).connection
    if name in session.workspace().settings.connections and not st.session_state.get("compare.waited"):
        board.glance(board.collections(name), seconds=3.0)
        st.session_state["compare.waited"] = True
