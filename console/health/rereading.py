"""A few rows of a full scan read once more: whether rows were rewritten while it ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.errors import PlumblineError
from console.health.findings import Mask
from console.health.table import F32, I64, MISSING
from console.health.wording import percent
from console.search.proportions import clopper_pearson

if TYPE_CHECKING:
    from connectors.model import Batch, Target
    from connectors.protocol import Reader
    from console.health.rows import Gathered

ROWS: Final = 500
"""With none of them changed, at most .74% of all rows are (97.5%)."""


def rewritten(reader: Reader, target: Target, held: Mapping[str, Gathered], seed: int) -> str:
    """What became of up to 500 random rows of each field's reservoir since they were read, "" where nothing did.

    Counts alone do not show rows that were rewritten in place, or deleted while as many came. Says nothing where the
    rows can't be read: the scan itself was.
    """
    if not held:
        return ""
    first = next(iter(held.values()))
    rows, scanned = first.reservoir.rows, len(first.table)
    rng = np.random.default_rng([seed, 60])
    places = np.sort(rng.choice(len(rows), min(ROWS, len(rows)), replace=False))
    if not len(places):
        return ""
    ids = first.table.ids.take(rows[places])
    try:
        now = reader.fetch(target, ids, tuple(held))
    except PlumblineError:
        return ""
    at = {row: i for i, row in enumerate(now.ids)}
    found = np.array([at.get(row, -1) for row in ids], np.int64)
    gone = found < 0
    other = np.zeros(len(ids), np.bool_)
    for name, one in held.items():
        other[~gone] |= _differ(one, name, places[~gone], now, found[~gone])
    return told(int(other.sum()), int(gone.sum()), len(ids), whole=len(ids) == scanned)


def told(other: int, gone: int, n: int, *, whole: bool) -> str:
    """`other` of `n` rows have another vector, `gone` are not there any more. `whole`: these are all rows."""
    if not other + gone:
        return ""
    parts = [f"{other:,} have another vector now"] if other else []
    parts += [f"{gone:,} are gone"] if gone else []
    low, high = clopper_pearson(other + gone, n)
    of_all = "" if whole else f", which makes {percent(low)} to {percent(high)} of all rows"
    return (
        f"Rows were rewritten while it was read: of {n:,} {'' if whole else 'random '}rows"
        f" {' and '.join(parts)}{of_all}."
    )


def _differ(one: Gathered, name: str, places: I64, now: Batch, found: I64) -> Mask:
    """Whether the vectors at these places of the reservoir are others now; NaN is NaN."""
    vectors = now.vectors[name]
    then: F32 = one.reservoir.matrix[places]
    had = ~one.table.flagged(MISSING)[one.reservoir.rows[places]]
    has = vectors.present[found]
    out = had != has
    both = np.flatnonzero(had & has)
    if not len(both):
        return out
    a, b = then[both], vectors.matrix[found[both]]
    if a.shape[1] != b.shape[1]:
        out[both] = True
    else:
        out[both] = ~((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return out
