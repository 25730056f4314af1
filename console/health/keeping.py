"""Keeps a report in the store; looking never fails because keeping does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.errors import PlumblineError

if TYPE_CHECKING:
    from console.health.report import Report
    from console.workspace import Workspace


def keep(ws: Workspace, report: Report) -> str | None:
    """Stores a report with its arrays; a sentence where it could not be stored, else None."""
    from console.store import Store

    try:
        with Store.open(ws.settings) as store:
            store.save(report.data, report.arrays)
    except PlumblineError as fault:
        told = " ".join(part for part in (fault.message, fault.hint) if part)
        return f"The report was not kept ({fault.where}): {told} [{fault.code}]"
    return None
