"""Old and new side by side: neighbour sets, thresholds, cohorts, judgements, and the gate.

CompareRequest(left, right, …)      what is asked; JSON, URL and command
compare(ws, request) -> Comparison  reads both sides once; `.data` is the JSON of `plumbline compare`
console.compare.render              table, JSON, Markdown, HTML
console.compare.gate                the conditions of a cutover
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from console.compare.request import CompareRequest
    from console.compare.run import Comparison, compare

__all__ = ["CompareRequest", "Comparison", "compare"]


def __getattr__(name: str) -> Any:
    """Loaded when asked for: the gate's pure parts need none of it."""
    if name == "CompareRequest":
        from console.compare.request import CompareRequest

        return CompareRequest
    if name in ("Comparison", "compare"):
        from console.compare import run

        return getattr(run, name)
    raise AttributeError(name)
