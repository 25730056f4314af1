"""The one workspace of this process, shared by every session, and read again on demand."""

from __future__ import annotations

import threading
from typing import Final

from connectors.errors import PlumblineError
from console import settings
from console.ui import access
from console.ui.serving import SERVING
from console.workspace import Workspace

_LOCK: Final = threading.Lock()
_OPEN: Final[dict[str, Workspace]] = {}
_GENERATION: Final[list[int]] = [0]


def workspace() -> Workspace:
    """The workspace, opened on first use. Raises `settings` with file, line and key."""
    with _LOCK:
        if "one" not in _OPEN:
            _OPEN["one"] = Workspace(settings.load(SERVING.config, SERVING.secrets))
        return _OPEN["one"]


def adopt(given: Workspace) -> None:
    """Use this workspace from now on, in place of the one that was open."""
    close()
    with _LOCK:
        _OPEN["one"] = given
        _GENERATION[0] += 1


def generation() -> int:
    """Grows each time the settings are read again: what was cached before is stale."""
    return _GENERATION[0]


def reread() -> bool:
    """Read the settings again; True where something changed. On a fault the old ones stay.

    Raises `read-only` where others can reach the console, `settings` where a file is wrong.
    """
    access.require_operator("Reading the settings again")
    changed = workspace().reload()
    with _LOCK:
        _GENERATION[0] += 1
    return changed


def close() -> None:
    """Close every connection; the next use opens them again."""
    with _LOCK:
        held = _OPEN.pop("one", None)
    if held is not None:
        held.close()


def explain(fault: Exception) -> PlumblineError:
    """An error as the pages show it: what was not foreseen keeps its text out of the page."""
    if isinstance(fault, PlumblineError):
        return fault
    return PlumblineError(
        "internal",
        f"Something unforeseen happened ({type(fault).__name__}).",
        where="console",
        hint="The server's log says more.",
    )
