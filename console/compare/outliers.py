"""Rows that don't follow: one space is the other, as it is or turned, but for these, whose vector is another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from console.compare.maps import Map, fitted, ready, widened
from console.compare.structure import FEWEST, UNEXPLAINED
from console.health.findings import NotMeasured
from console.health.table import F32, F64, I64

FARTHER: Final = 25.0
"""How many times the median squared residual an outlier's is: five times as far. Rounding and noise in all dimensions
stay below 4; a light fine-tuning that moves all rows a little has rows at 10."""
LEAST: Final = 0.001
"""Of the spread, where the median is near 0: above what fp16 and bf16 leave (5e-6) and below any other vector that has
other neighbours."""
REFITS: Final = 4
REFIT: Final = 4.0
"""Times the median up to which rows count in the next fit: strays leave it, groups that fit a little worse stay."""
REFIT_LEAST: Final = 0.01
HOPELESS: Final = 0.35
"""The median residual of a first fit from which on no better one is looked for: with a share f of strays the scale is
1 - f of the right one, and those that follow are left with f^2, below .25 for any minority."""
AT_ONCE: Final = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class Outliers:
    """`rows`: (m,) which of the `looked` rows, the farthest first; `residuals`: (m,) their squared distance from where
    the others' map puts them, as a share of the spread. `typical`: the median of all. `line`: from which on a row is
    one. `reading`: what the others' spaces are to each other.
    """

    rows: I64
    residuals: F64
    typical: float
    line: float
    looked: int
    reading: Literal["same", "rotated"]


def outliers(
    left: F32,
    right: F32,
    left_metric: str | None,
    right_metric: str | None,
    turn: Map | NotMeasured,
    most: int,
) -> Outliers | NotMeasured:
    """Of matched rows (n, d) and (n, d'), row i of both the same, in random order, all with a direction.

    The map is a shift and a scale, or else `turn`, the rotation that the first `turn.rows` rows fit best. It is fitted
    to up to `most` rows, again without those that are more than `REFIT` times the median away, until nothing changes:
    an M-estimator with hard rejection (Huber and Ronchetti, Robust Statistics, 2nd ed., 2009), which bears a minority of
    strays. It holds where the median of rows that it was not fitted to, and the mean of those that follow, leave at
    most 5% of the spread. Raises ValueError on unequal numbers of rows.
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} rows on the left, {len(right)} on the right")
    n = len(left)
    if n < FEWEST:
        return NotMeasured("outliers", f"{n:,} matched rows were at hand; {FEWEST} are needed.")
    pair = _Pair(left, right, left_metric, right_metric)
    if left.shape[1] == right.shape[1]:
        x, y = pair.part(slice(0, most))
        found = _judged(pair, _refitted(x, y, fitted(x, y, turned=False)), "same", 0)
        if found is not None:
            return found
    if isinstance(turn, NotMeasured):
        return NotMeasured("outliers", turn.why)
    found = _judged(pair, _refitted(*pair.part(slice(0, turn.rows)), turn), "rotated", turn.rows)
    return found or NotMeasured(
        "outliers",
        "Most rows have moved, each its own way: which of them don't follow the others can't be told.",
    )


class _Pair:
    """Both sides' rows, made ready a part at a time."""

    def __init__(self, left: F32, right: F32, left_metric: str | None, right_metric: str | None) -> None:
        self._sides = ((left, left_metric), (right, right_metric))
        self._wide = max(left.shape[1], right.shape[1])

    def __len__(self) -> int:
        return len(self._sides[0][0])

    def part(self, which: slice) -> tuple[F64, F64]:
        one, other = (widened(ready(rows[which], metric), self._wide) for rows, metric in self._sides)
        return one, other


def _refitted(x: F64, y: F64, found: Map | None) -> Map | None:
    """The map that most of these rows follow, from the one that all fit best; None where there is none."""
    kept = np.ones(len(x), np.bool_)
    for _ in range(REFITS):
        if found is None:
            return None
        left = found.residuals(x, y)
        typical = float(np.median(left))
        if typical > HOPELESS:
            return None
        again = left <= max(REFIT * typical, REFIT_LEAST)
        if np.array_equal(again, kept):
            break
        kept = again
        found = fitted(x[kept], y[kept], turned=found.rotation is not None)
    return found


def _judged(
    pair: _Pair, found: Map | None, reading: Literal["same", "rotated"], bent: int
) -> Outliers | None:
    """`bent`: the first rows, by which the map can't be judged since it was bent to them."""
    if found is None:
        return None
    parts: list[npt.NDArray[np.float64]] = [
        found.residuals(*pair.part(slice(at, at + AT_ONCE))) for at in range(0, len(pair), AT_ONCE)
    ]
    left = np.concatenate(parts)
    typical = float(np.median(left[bent:]))
    line = max(FARTHER * typical, LEAST)
    far = left > line
    follow = left[bent:][~far[bent:]]
    if typical > UNEXPLAINED or 2 * np.count_nonzero(far) >= len(far) or follow.mean() > UNEXPLAINED:
        return None
    rows = np.flatnonzero(far)
    rows = rows[np.argsort(-left[rows], kind="stable")]
    return Outliers(rows, left[rows], typical, line, len(left), reading)
