"""What stands around every page: the icon, the read-only notice, and the place for what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from console.ui import access, panels

ICON: Final = Path(__file__).resolve().parent.parent / "static" / "plumbline.png"


def run(page: Callable[[], None]) -> None:
    """Run a page; an error becomes a panel, and the navigation stays."""
    if (why := access.why_read_only()) is not None:
        panels.notice("Read-only", why)
    with panels.guarded("This page"):
        page()
