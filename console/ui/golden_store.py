"""Golden sets and evaluations as the pages need them: from the store alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.ui import board, pictures, session

if TYPE_CHECKING:
    from console.search import Upload
    from console.search.golden import GoldenSet
    from console.store.evaluations import Evaluations
    from console.store.golden_sets import GoldenSets

FRESH: Final = 2.0
CLICK_SECONDS: Final = 5.0
"""How long a click waits for the list of sets: longer than the store's own wait for a lock."""
SETS: Final = ("golden sets",)
DONE: Final = ("evaluations",)
LISTED: Final = 200


def sets() -> GoldenSets:
    """The store's golden sets; who holds a lock on it holds no page up. Raises what opening it raises."""
    from console.store.engine import GLANCE_SECONDS
    from console.store.golden_sets import GoldenSets

    return GoldenSets.open(session.workspace(), wait=GLANCE_SECONDS)


def evaluations() -> Evaluations:
    from console.store.engine import GLANCE_SECONDS
    from console.store.evaluations import Evaluations

    return Evaluations.open(session.workspace(), wait=GLANCE_SECONDS)


def listed() -> board.Held[list[Mapping[str, Any]]]:
    """Draft and versions of every set, asked in the background: the store may be another machine."""
    return board.board().ask(SETS, lambda: list(sets().heads()), FRESH)


def waited() -> list[Mapping[str, Any]]:
    """As `listed`, for a click: what the page drew has grown old by then, and is asked anew.

    Raises what reading the store raises, and `busy` where it does not answer in time.
    """
    held = listed()
    if not board.glance(held, seconds=CLICK_SECONDS):
        raise PlumblineError(
            "busy", "The golden sets can't be read in time.", where="golden sets", hint="Try again."
        )
    if held.error is not None:
        raise held.error
    return held.value or []


def heads(held: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """Draft and versions of one set: the draft first, then the newest version."""
    own = [h for h in held if h["name"] == name]
    return sorted(own, key=lambda h: (h["version"] is not None, -(h["version"] or 0)))


def golden(head: Mapping[str, Any]) -> GoldenSet:
    """The set of a head, read once for what it says. Raises `not-found`, `damaged`."""
    return _golden(session.generation(), str(head["name"]), head["version"], written(head))


def written(head: Mapping[str, Any]) -> str:
    """What tells a stored set from what it was before, its note included, which the hash leaves out."""
    return f"{head['hash']} {head['at']}"


@st.cache_resource(show_spinner=False, max_entries=6)
def _golden(generation: int, name: str, version: int | None, written: str) -> GoldenSet:
    from console.search import golden

    return golden.find(session.workspace(), f"{name}@{version or 'draft'}")


def names(held: board.Held[list[Mapping[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(str(h["name"]) for h in held.value or ()))


def evaluated() -> board.Held[list[Mapping[str, Any]]]:
    """The stored evaluations, newest first."""
    return board.board().ask(DONE, lambda: list(evaluations().list(LISTED)), FRESH)


def evaluation(name: str) -> Mapping[str, Any]:
    """A stored evaluation never changes. Raises `not-found`."""
    return _evaluation(session.generation(), name)


@st.cache_resource(show_spinner=False, max_entries=24)
def _evaluation(generation: int, name: str) -> Mapping[str, Any]:
    return evaluations().get(name)


def picture(image: Upload) -> bytes | None:
    """A small JPEG of a golden query's or an uploaded picture; None where it is gone."""
    from console.encoders.images import decode, thumbnail
    from console.search import golden

    workspace = session.workspace()
    try:
        data = golden.picture(workspace, image)
        return thumbnail(decode(data, workspace.settings.images.limits, "golden query"), pictures.SIDE)
    except PlumblineError:
        return None


def forget() -> None:
    """What was read of golden sets is stale."""
    board.board().forget(SETS, DONE)
