"""What a gate rests on is stored beside it; looking goes on where the store does not take it."""

from __future__ import annotations

from collections.abc import Callable

from connectors.errors import PlumblineError


def kept(what: str, save: Callable[[], str], notes: list[str]) -> str | None:
    """The id of what was stored; None where it was not, with a sentence in `notes`."""
    try:
        return save()
    except PlumblineError as fault:
        told = " ".join(p for p in (fault.message, fault.hint) if p)
        notes.append(f"The {what} was not kept: {told} [{fault.code}]")
        return None
