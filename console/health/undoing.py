"""Causes without rows of their own: the symptom's figure once the cause is undone for every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import Finding, NotMeasured
from console.health.moving import KEY
from console.health.probes.neighbours import Directions, Lists, Neighbours
from console.health.probes.recall import Recall

if TYPE_CHECKING:
    from console.health.evidence import Evidence

DEPTH: Final = 20
"""As of collapsed-neighbors."""
FLOOD_DEPTH: Final = 10
"""As of filter-masking."""
Undo = Callable[[Finding, Finding, "Evidence"], "float | None"]


def undone(cause: Finding, symptom: Finding, evidence: Evidence) -> dict[str, Any] | None:
    """What is left of the symptom without the cause, where that is under its line; else None."""
    rule = UNDOING.get((cause.code, symptom.code))
    if rule is None or symptom.effect is None:
        return None
    left, line = rule(cause, symptom, evidence), symptom.effect.threshold
    if left is None or (left > line if symptom.effect.worse == "higher" else left < line):
        return None
    return {
        "causes": [cause.id],
        "before": symptom.effect.value,
        "without": left,
        "threshold": line,
        "how": HOW[cause.code],
    }


def _at_one_length(_cause: Finding, symptom: Finding, _evidence: Evidence) -> float | None:
    left = symptom.evidence.get("excess_without_lengths")
    return float(left) if isinstance(left, (int, float)) else None


def _flood_at_one_length(_cause: Finding, symptom: Finding, evidence: Evidence) -> float | None:
    """Lift of the value among the ten nearest by direction, over queries that do not carry it."""
    held, group = evidence.get(Neighbours), symptom.group
    if isinstance(held, NotMeasured) or group is None or group.field not in evidence.table.groups:
        return None
    lists = held.lists(evidence, FLOOD_DEPTH, direction=True)
    if isinstance(lists, NotMeasured):
        return None
    own = evidence.table.groups[group.field].mask(group.value)[evidence.reservoir.rows]
    base = float(own[evidence.places].mean())
    others = ~own[lists.probes]
    return float(own[lists.near[others]].mean()) / base if base and others.any() else None


def _centred(cause: Finding, _symptom: Finding, evidence: Evidence) -> float | None:
    """Excess of overlap@20 among directions from which the mean was taken off."""
    if cause.key:
        return None
    held = evidence.get(Directions)
    if isinstance(held, NotMeasured):
        return None
    lists = held.lists(evidence, DEPTH)
    n = len(evidence.places)
    if isinstance(lists, NotMeasured) or n <= DEPTH:
        return None
    return overlap(lists, len(evidence.reservoir.rows)) - DEPTH / n


def overlap(lists: Lists, rows: int) -> float:
    """Mean share of their nearest rows that two different probe rows have in common."""
    q, k = lists.near.shape
    counts = np.bincount(lists.near.ravel(), minlength=rows).astype(np.float64)
    # A row in c lists is common to c (c - 1) ordered pairs.
    return float((counts * (counts - 1)).sum()) / (k * q * (q - 1))


def _unquantized(_cause: Finding, symptom: Finding, evidence: Evidence) -> float | None:
    """The same queries' recall by the vectors as they are stored, which no codebook spoils."""
    held = evidence.get(Recall)
    key = "" if symptom.key == "itself" else symptom.key
    asked = None if isinstance(held, NotMeasured) else held.unquantized.get(key)
    if asked is None:
        return None
    found = asked.itself_first(evidence.kept) if symptom.key == "itself" else asked.recall(evidence.kept)
    return None if found is None else found.value


def _same_figure(cause: Finding, symptom: Finding, _evidence: Evidence) -> float | None:
    """The drop is that of the figure which the cause is about: recall of rows as queries, without a filter."""
    if cause.key:
        return None
    return 0.0 if symptom.effect is not None and symptom.effect.worse == "higher" else None


def _moved(cause: Finding, symptom: Finding, _evidence: Evidence) -> float | None:
    """The rise since the baseline is that of the share which is over its own line."""
    return 0.0 if not cause.key and symptom.key == KEY else None


UNDOING: Final[Mapping[tuple[str, str], Undo]] = {
    ("norm-drift", "collapsed-neighbors"): _at_one_length,
    ("norm-drift", "filter-masking"): _flood_at_one_length,
    ("metric-mismatch", "filter-masking"): _flood_at_one_length,
    ("metric-mismatch", "collapsed-neighbors"): _at_one_length,
    ("dominant-axis", "collapsed-neighbors"): _centred,
    ("stale-quantization", "low-ann-recall"): _unquantized,
    ("low-ann-recall", "recall-drop"): _same_figure,
    ("text-vector-disagreement", "text-vector-disagreement"): _moved,
}
HOW: Final = {
    "norm-drift": "every vector brought to length 1",
    "metric-mismatch": "every vector brought to length 1",
    "stale-quantization": "searched by the vectors as they are stored, not by their quantized copies",
    "low-ann-recall": "one figure, held to a line and to the baseline",
    "text-vector-disagreement": "one figure, held to a line and to the baseline",
    "dominant-axis": "the mean direction taken off every vector",
}
