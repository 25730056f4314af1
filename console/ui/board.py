"""What was asked of the databases, and what of it has come: no page waits for a server.

Each question is asked once, in a thread of its own, for every session; its answer is kept for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import streamlit as st

from connectors.errors import PlumblineError
from console import catalogue
from console.catalogue import ConnectionState, Described, EncoderKnown, Listed
from console.settings import Address
from console.ui import session
from console.workspace import Workspace

T = TypeVar("T")

FRESH: Final = 30.0
"""Seconds for which an answer is shown again without asking."""
GLANCE: Final = 0.35
"""Seconds that a page waits in all for what is quick: then it draws what has come."""
POLL: Final = 0.7


@dataclass(slots=True)
class Held(Generic[T]):
    """One question. `value` is None until it has come; then either it or `error` is there."""

    asked: float
    done: threading.Event = field(default_factory=threading.Event)
    value: T | None = None
    error: PlumblineError | None = None
    at: float = 0.0
    ms: float = 0.0
    wall: float = 0.0
    """When it came, as seconds since the epoch."""
    began: float = field(default_factory=time.time)
    """When it was asked, as seconds since the epoch: what was stored later is not in it."""

    @property
    def waiting(self) -> bool:
        return not self.done.is_set()

    @property
    def age(self) -> float:
        return time.monotonic() - self.at


class Board:
    """Questions by key, for one state of the settings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Hashable, Held[Any]] = {}

    def ask(self, key: Hashable, what: Callable[[], T], fresh: float = FRESH) -> Held[T]:
        """The question's state; asked where it never was or its answer is older than `fresh` seconds."""
        with self._lock:
            held = self._held.get(key)
            if held is not None and (held.waiting or held.age < fresh):
                return held
            held = self._held[key] = Held(time.monotonic())
        threading.Thread(target=_answer, args=(held, what), name="board", daemon=True).start()
        return held

    def forget(self, *keys: Hashable) -> None:
        """Ask again next time. Without keys: everything."""
        with self._lock:
            for key in keys or tuple(self._held):
                self._held.pop(key, None)


def _answer(held: Held[Any], what: Callable[[], Any]) -> None:
    try:
        held.value = what()
    except Exception as fault:
        held.error = session.explain(fault)
    held.at = time.monotonic()
    held.wall = time.time()
    held.ms = (held.at - held.asked) * 1000
    held.done.set()


@st.cache_resource(show_spinner=False, max_entries=2)
def _board(generation: int) -> Board:
    return Board()


def board() -> Board:
    return _board(session.generation())


def connection(name: str) -> Held[ConnectionState]:
    """Whether a connection answers, its version and what it can do."""
    ws = session.workspace()
    return board().ask(("connection", name), lambda: catalogue.connection(ws, name))


def collections(name: str) -> Held[tuple[Listed, ...]]:
    """A connection's collections; one line with an error where they could not be had."""
    ws = session.workspace()
    return board().ask(("collections", name), lambda: catalogue.collections(ws, name))


def described(address: Address) -> Held[Described]:
    """One collection in full; version tags are not counted on a page load."""
    ws = session.workspace()
    return board().ask(
        ("described", address.whole), lambda: catalogue.describe(ws, address.whole, tags=False)
    )


def encoders(name: str) -> Held[dict[Address, EncoderKnown]]:
    """The encoder of each vector field of a connection, by settings, choice or marker: nothing is counted."""
    ws = session.workspace()
    listed = collections(name)
    return board().ask(("encoders", name), lambda: _encoders(ws, name, listed))


def _encoders(ws: Workspace, name: str, listed: Held[tuple[Listed, ...]]) -> dict[Address, EncoderKnown]:
    from connectors.model import Target

    listed.done.wait()
    connector = ws.connector(name)
    known: dict[Address, EncoderKnown] = {}
    for line in listed.value or ():
        summary = line.summary
        dense = [f for f in summary.vectors if f.kind == "dense"] if summary is not None else []
        if summary is None or not dense:
            continue
        try:
            marker = connector.marker(Target(summary.name))
        except PlumblineError:
            marker = None
        for vector in dense:
            address = Address(name, summary.name, vector=vector.name)
            try:
                spec, by = ws.known_encoder(address, vector, marker)
            except PlumblineError:
                continue
            if spec is not None and by is not None:
                known[address] = EncoderKnown(spec.name, spec.fingerprint, by)
    return known


def glance(*held: Held[Any], seconds: float = GLANCE) -> bool:
    """Wait a moment for what is quick; whether everything has come."""
    end = time.monotonic() + seconds
    return all(h.done.wait(max(0.0, end - time.monotonic())) for h in held)
