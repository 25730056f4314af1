"""What the Compare page can start and end. Each asks for the right itself, whoever shows the button."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from connectors.errors import PlumblineError
from console.ui import access, actions, compare_sides, session

if TYPE_CHECKING:
    from console.compare.gate.request import GateRequest
    from console.compare.request import CompareRequest
    from console.jobs.model import Run

KIND: Final = "compare"
GATE: Final = "gate"
MOST_ROWS: Final = actions.LARGEST_SAMPLE
MOST_QUERIES: Final = 1_000
"""What a visitor may have read and asked at once."""


def compare_now(request: CompareRequest) -> str:
    """Start a comparison and return its run's id; the running one's where there is one.

    A visitor's is of at most `MOST_ROWS` rows and `MOST_QUERIES` queries: a larger one is in everybody's way.
    Raises `read-only`, `usage`, `not-found`, `encoder-unknown`, `busy`.
    """
    if access.why_read_only() is not None:
        if request.queries > MOST_QUERIES or (request.rows or 0) > MOST_ROWS:
            access.require_operator("A comparison of this size")
        request = replace(request, rows=request.rows or MOST_ROWS)
    request.check()
    workspace = session.workspace()
    for side in (request.left, request.right):
        address = compare_sides.address_of(side)
        if address is not None:
            workspace.spec(address.connection)
    return actions.runs().start(KIND, request.key, request.to_json())


def gate_now(request: GateRequest) -> str:
    """Start a gate and return its run's id; the running one's where there is one.

    It reads every id of both sides and searches both a thousand times. Raises `read-only`, `usage`, `not-found`, `busy`.
    """
    access.require_operator("Running a gate")
    request.check()
    workspace = session.workspace()
    for side in (request.left, request.right):
        address = compare_sides.address_of(side)
        if address is None:
            raise PlumblineError(
                "usage",
                "A gate holds two collections against each other.",
                where=side,
                hint="Build one first.",
            )
        workspace.spec(address.connection)
    if not request.golden:
        raise PlumblineError(
            "usage", "A gate needs a golden set.", where="--golden", hint="Choose one in the options."
        )
    return actions.runs().start(GATE, request.key, request.to_json())


def latest_gate(key: str) -> Run | None:
    """The newest gate of a pair of sides that is still known, ended or not."""
    return actions.runs().latest_of(GATE, key)


def cancel_gate(run: str) -> None:
    """Raises `read-only`, `not-found`."""
    access.require_operator("Ending a gate")
    actions.runs().cancel(run)


def latest(key: str) -> Run | None:
    """The newest comparison of a pair of sides that is still known, ended or not."""
    return actions.runs().latest_of(KIND, key)


def progress(run: str) -> Run:
    return actions.runs().progress(run)


def cancel(run: str) -> None:
    """End a comparison; one that a visitor could not have started is the operator's. Raises `read-only`, `not-found`."""
    held = actions.runs()
    options = held.progress(run).options
    rows, queries = options.get("rows"), options.get("queries")
    if not isinstance(rows, int) or rows > MOST_ROWS or (isinstance(queries, int) and queries > MOST_QUERIES):
        access.require_operator("Ending a comparison of every row")
    held.cancel(run)
