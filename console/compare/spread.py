"""A first picture of a space: its rows in the plane along which they spread most. Distances on it are not distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from console.health.findings import NotMeasured
from console.health.neighbours import unit
from console.health.table import F32, F64

FEWEST: Final = 3
NOTHING: Final = 1e-12
"""Of the largest variance: less is rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """`places`: (n, 2) float32, about the mean of the rows. `explained`: the share of the spread along each axis."""

    places: F32
    explained: tuple[float, float]


def picture(rows: F32, metric: str | None) -> Picture | NotMeasured:
    """The first two principal components of (n, d) rows with a direction; under cosine, of their directions.

    An axis points where its largest loading is positive, so that the same rows give the same picture in any order.
    """
    n, d = rows.shape
    if n < FEWEST or d == 0:
        return NotMeasured("map", f"{n:,} rows were at hand; {FEWEST} are needed.")
    held: F64 = (unit(rows) if metric in (None, "cosine") else rows).astype(np.float64)
    held -= held.mean(axis=0)
    total = float(np.square(held).sum())
    if not total > 0:
        return NotMeasured("map", "All rows are alike.")
    axes = _axes(held)
    at = np.argmax(np.abs(axes), axis=0)
    axes *= np.where(axes[at, [0, 1]] < 0, -1.0, 1.0)
    places = held @ axes
    first, second = (float(x) / total for x in np.square(places).sum(axis=0))
    return Picture(places.astype(np.float32), (first, second))


def _axes(rows: F64) -> F64:
    """(d, 2) directions of the largest spread; zeros for a second one that there is not."""
    n, d = rows.shape
    if d <= n:
        _, vectors = np.linalg.eigh(rows.T @ rows)
        found = vectors[:, ::-1][:, :2]
    else:
        sizes, vectors = np.linalg.eigh(rows @ rows.T)
        largest = sizes[::-1][:2]
        there = largest > NOTHING * largest[0]
        found = rows.T @ (vectors[:, ::-1][:, :2] * there / np.sqrt(np.where(there, largest, 1.0)))
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
