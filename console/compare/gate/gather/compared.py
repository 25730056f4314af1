"""What a comparison of both sides says: recall of the new side's index, the cutoff's counterpart, and whether both are
one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from console.compare.gate.evidence import Recall, Thresholds
from console.compare.gate.gather.keeping import kept
from console.compare.request import CompareRequest
from console.compare.run import compare
from console.health.findings import NotMeasured
from console.store import Comparisons

if TYPE_CHECKING:
    from console.progress import Tell
    from console.workspace import Workspace

ENOUGH: Final = 100
"""Queries that all have the same neighbours on both sides, of which one model is then concluded; or every row."""


MORE: Final = (1_000, 5_000)
"""Queries that are asked where the first ones decide nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """`comparison`: the id of what was stored. `same`: every query has exactly the same neighbours on both sides."""

    comparison: str | None
    recall: Recall | NotMeasured
    thresholds: Thresholds
    same: bool


def compared(
    ws: Workspace,
    request: CompareRequest,
    limit: float,
    notes: list[str],
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Compared:
    """The comparison is made, of more queries where fewer leave recall on either side of its `limit` or the cutoff
    untranslated, and stored. Raises what it raises.
    """
    made = compare(ws, request, tell=tell, cancelled=cancelled)
    for more in MORE:
        if not _open(made.data, limit) or made.data["queries"] < made.data["request"]["queries"]:
            break
        made = compare(ws, replace(request, queries=more), tell=tell, cancelled=cancelled)
    return read(made.data, kept("comparison", lambda: Comparisons.open(ws).save(made), notes))


def read(data: Mapping[str, Any], comparison: str | None) -> Compared:
    """The parts of a comparison's JSON."""
    held: Any = data.get("thresholds")
    thresholds: Mapping[str, Any] = cast("Mapping[str, Any]", held) if isinstance(held, Mapping) else {}
    translations = cast("Sequence[Mapping[str, Any]]", thresholds.get("translations") or ())
    return Compared(comparison, _recall(data), Thresholds(tuple(translations), comparison or ""), _same(data))


def _open(data: Mapping[str, Any], limit: float) -> bool:
    """Whether more queries may decide what these leave open."""
    held: Any = data.get("thresholds") or {}
    few = any(
        one["by"] == "acceptance" and one["verdict"] == "not measured" and one["queries"]
        for one in held.get("translations") or ()
    )
    recall: Any = data["noise"]["right_index"]
    return few or ("mean" in recall and recall["low"] < limit <= recall["high"])


def _same(data: Mapping[str, Any]) -> bool:
    """Every query has the same neighbours; where all rows are among the first k, in the same order."""
    held: Any = data["overlap_at_k"]
    if isinstance(held, Mapping) and "not_measured" in held:
        held = data.get("rank_biased_overlap")
    found: Mapping[str, Any] = cast("Mapping[str, Any]", held) if isinstance(held, Mapping) else {}
    queries = int(found.get("queries") or 0)
    return found.get("mean") == 1.0 and (queries >= ENOUGH or _census(data, queries))


def _census(data: Mapping[str, Any], queries: int) -> bool:
    """Whether every row of the new side was asked, and none but its rows."""
    rows = data["sides"]["right"]["rows"]
    return data["query_source"]["kind"] == "rows" and 0 < rows <= queries


def _recall(data: Mapping[str, Any]) -> Recall | NotMeasured:
    found: Mapping[str, Any] = data["noise"]["right_index"]
    if found.get("not_measured"):
        return NotMeasured("recall", str(found["not_measured"]))
    queries = int(found["queries"])
    return Recall(
        float(found["mean"]),
        float(found["low"]),
        float(found["high"]),
        queries,
        int(data["k"]),
        _census(data, queries),
    )
