"""What one pass over the vectors leaves open: rows that only one side can find, and lists that end among ties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.compare.nearest import Nearest
from console.compare.reading import DEPTH, again
from console.compare.ties import Side as Tied
from console.health.findings import Mask
from console.health.table import F32, I64

if TYPE_CHECKING:
    from console.compare.pool import Pool
    from console.compare.sides import Side
    from console.progress import Tell

PLACES: Final = 4 * 1024 * 1024
"""Places of all lists that are read on, 64 MiB: 20,000 rows as near as the last for each of 200 queries."""


def anew_numbers(kept: Mask) -> I64:
    """(n,) the number of each row among those that are `kept` (n,), -1 for the others."""
    return np.where(kept, np.cumsum(kept) - 1, -1)


def restricted(held: Nearest, kept: Mask) -> Nearest:
    """The lists without the rows that are not `kept` (n,); the others are numbered anew."""
    number = anew_numbers(kept)

    def anew(rows: I64) -> I64:
        return np.where(rows >= 0, number[np.maximum(rows, 0)], -1)

    rows = anew(held.rows)
    order = np.argsort(rows < 0, axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=1)
    scores = np.where(rows >= 0, np.take_along_axis(held.scores, order, axis=1), -np.inf)
    return replace(
        held,
        rows=rows,
        scores=scores,
        twins=None if held.twins is None else held.twins[kept],
        own=None if held.own is None else anew(held.own),
        more=held.goes_on,
    )


def settled(
    side: Side,
    pool: Pool,
    queries: F32,
    held: Nearest,
    k: int,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Nearest:
    """Lists that hold the first k places whole: those that are too short, or end among rows that are as near as the
    k-th and are not all its twins, are read once more, and deeper. What can't be held even so is blurred.

    Raises what reading raises, and `Cancelled`.
    """
    short = held.goes_on & (held.counts < min(2 * k, len(pool) - 1))
    # Too short for its class to be looked for: any list does, since it is read again.
    whole = replace(held, blurred=short)
    asked = np.flatnonzero(short | Tied(whole, k, _own(held)).mixed)
    if not len(asked):
        return held
    depth = min(len(pool), max(DEPTH, 2 * k, PLACES // len(asked)))
    own = None if held.own is None else held.own[asked]
    found = again(side, pool, queries[asked], own, k, depth, tell=tell, cancelled=cancelled)
    ends = Tied(found, k, _own(found))
    found = _cut(replace(found, blurred=ends.mixed), max(DEPTH, 2 * k, int(ends.rows.shape[1]) + 1))
    return _joined(held, asked, found)


def _own(held: Nearest) -> I64:
    return np.full(len(held), -1, np.int64) if held.own is None else held.own


def _cut(held: Nearest, width: int) -> Nearest:
    more = held.goes_on | (held.counts > width)
    return replace(held, rows=held.rows[:, :width], scores=held.scores[:, :width], more=more)


def _joined(held: Nearest, asked: I64, found: Nearest) -> Nearest:
    """`found` in place of the lists of `asked`."""
    width = max(int(held.rows.shape[1]), int(found.rows.shape[1]))

    def placed(one: Any, other: Any, empty: Any) -> Any:
        out = np.full((len(held), width), empty, one.dtype)
        out[:, : one.shape[1]] = one
        out[asked] = empty
        out[asked, : other.shape[1]] = other
        return out

    scale = None if held.scale is None else held.scale.copy()
    if scale is not None and found.scale is not None:
        scale[asked] = found.scale
    more, blurred = held.goes_on.copy(), np.zeros(len(held), np.bool_)
    more[asked] = found.goes_on
    blurred[asked] = False if found.blurred is None else found.blurred
    return Nearest(
        placed(held.rows, found.rows, -1),
        placed(held.scores, found.scores, -np.inf),
        held.twins,
        held.own,
        scale,
        more,
        blurred,
    )
