"""What stands around every page: the icon, the read-only notice, and the place for what goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from connectors.errors import PlumblineError
from console.ui import access, panels

ICON: Final = Path(__file__).resolve().parent.parent / "static" / "plumbline.png"
_LOG: Final = logging.getLogger("plumbline.console")


def run(page: Callable[[], None]) -> None:
    """Run a page; an error becomes a panel with a code and a way on, never a trace."""
    if (why := access.why_read_only()) is not None:
        panels.notice("Read-only", why)
    try:
        page()
    except PlumblineError as fault:
        panels.error(fault)
    except Exception as fault:
        _LOG.exception("A page failed")
        panels.error(
            PlumblineError(
                "internal",
                f"This page could not be drawn ({type(fault).__name__}).",
                where="console",
                hint="Reload the page. The log of `plumbline up` says more.",
            )
        )
