"""Rows that repeat a vector which many rows have: for the spread of lengths they are one observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.health.findings import Mask, NotMeasured
from console.health.probes.neighbours import Neighbours

if TYPE_CHECKING:
    from console.health.evidence import Evidence


def repeats(evidence: Evidence, at: Mask, cosine: float, least: float, width: float) -> Mask:
    """(n,) of the n rows of `at` (a bitmap over the table): all but one of the rows with nearly one vector.

    Such a vector is one that a probe row shares with at least `least` others at a cosine over `cosine`, all of them
    of one length (within `width` of its logarithm). Its other rows are known by their length and their largest
    value, which lie between those of the rows that were seen. Nothing where no neighbours were measured.
    """
    held, table = evidence.get(Neighbours), evidence.table
    out = np.zeros(int(np.count_nonzero(at)), np.bool_)
    if isinstance(held, NotMeasured):
        return out
    norm, peak = table.norm[at], table.peak[at]
    rows, alive = evidence.reservoir.rows, evidence.good[evidence.reservoir.rows]
    lists, told = held.by_direction, set[int]()
    for i in np.flatnonzero(alive[lists.probes]):
        own = int(rows[lists.probes[i]])
        near = lists.near[i][(lists.near[i] >= 0) & (lists.scores[i] > cosine)]
        near = near[alive[near]]
        if len(near) < least or own in told:
            continue
        members = np.append(rows[near], own)
        told.update(members.tolist())
        lengths, peaks = table.norm[members], table.peak[members]
        if float(np.log(lengths.max()) - np.log(lengths.min())) > width:
            continue
        same = (
            (norm >= lengths.min()) & (norm <= lengths.max()) & (peak >= peaks.min()) & (peak <= peaks.max())
        )
        same[int(np.argmax(same))] = False
        out |= same
    return out
