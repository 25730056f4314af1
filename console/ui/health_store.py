"""Reports as the pages need them: from the store alone, whatever the databases do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.settings import Address, parse_address
from console.ui import board, session

if TYPE_CHECKING:
    from console.store import Headline, Store

FRESH: Final = 2.0
HISTORY: Final = 60


def store() -> Store:
    """The store that the settings name; who holds a lock on it holds no page up. Raises what opening it raises."""
    from console.store import Store
    from console.store.engine import GLANCE_SECONDS

    return Store.open(session.workspace(), wait=GLANCE_SECONDS)


def latest_each() -> board.Held[list[Headline]]:
    """The newest report of every vector field, asked in the background: the store may be another machine."""
    return board.board().ask(("reports",), lambda: store().latest_each(), FRESH)


def history(address: Address, limit: int = HISTORY) -> list[Headline]:
    """Oldest first."""
    return store().history(address, limit)


def report(name: str) -> Mapping[str, Any]:
    """A stored report never changes. Raises `not-found`."""
    return _report(session.generation(), name)


@st.cache_resource(show_spinner=False, max_entries=24)
def _report(generation: int, name: str) -> Mapping[str, Any]:
    return store().report(name).data


def newest(address: Address) -> Mapping[str, Any] | None:
    held = store().reports(address, 1)
    return report(held[0].id) if held else None


def baseline(address: Address) -> str | None:
    """The id of the pinned report."""
    held = store().baselines(address)
    return held[0].id if held else None


def of_connection(held: Sequence[Headline], name: str) -> dict[Address, Headline]:
    """The newest reports of one connection, by vector field."""
    found: dict[Address, Headline] = {}
    for one in held:
        try:
            address = parse_address(one.address)
        except PlumblineError:
            continue
        if address.connection == name:
            found[address] = one
    return found
