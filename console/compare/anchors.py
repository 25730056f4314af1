"""What rounding the numbers of a space does to its neighbours: a scale to read an overlap by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from console.compare.intervals import over_queries
from console.compare.measures import agreement, overlap
from console.compare.nearest import Nearest, NearestSearch
from console.compare.scoring import lengths_of, scoring
from console.health.findings import NotMeasured
from console.health.means import Mean
from console.health.neighbours import unit
from console.health.table import F32, I64

ROWS: Final = 2_000
QUERIES: Final = 100
FEWEST: Final = 100
"""Rows below which overlap@10 of any two spaces is high by itself."""
KEPT: Final = 0.99
"""The share of values that Qdrant's int8 quantization keeps apart by default (`quantile`)."""
_SIGN_AND_EXPONENT: Final = np.uint32(0xFFFF0000)


@dataclass(frozen=True, slots=True)
class Anchors:
    """overlap@k of a space with itself after its vectors, rows and queries alike, were rounded."""

    fp16: Mean
    bf16: Mean
    int8: Mean


def anchors(rows: F32, metric: str | None, k: int = 10) -> Anchors | NotMeasured:
    """Of a random sample of a space's rows (n, d), of which the first `QUERIES` are the queries and `ROWS` are used.

    Under cosine vectors are brought to length 1 first, as databases do. int8: one scale for all values (`to_int8`).
    The overlap falls as rows get more, since they lie closer.
    """
    held = np.ascontiguousarray(rows, np.float32)
    held = held[scoring(held[:0], metric).fits(lengths_of(held))][:ROWS]
    if len(held) < FEWEST:
        return NotMeasured("anchors", f"{len(held):,} rows were at hand; the figures need {FEWEST}.")
    if metric in (None, "cosine"):
        held = unit(held)
    own = np.arange(min(QUERIES, len(held)))
    plain = _near(held, own, metric, k)
    found: list[Mean] = []
    for rounded in (to_fp16(held), to_bf16(held), to_int8(held)):
        value = over_queries(overlap(agreement(plain, _near(rounded, own, metric, k), k)))
        if value is None:
            return NotMeasured("anchors", "Rounded vectors have no neighbours.")
        found.append(value)
    return Anchors(*found)


def to_fp16(rows: F32) -> F32:
    """IEEE half precision. What lies beyond 65,504 becomes infinite."""
    with np.errstate(over="ignore"):
        return rows.astype(np.float16).astype(np.float32)


def to_bf16(rows: F32) -> F32:
    """float32 with 8 bits of precision, to the nearest, ties to even; finite numbers."""
    bits = rows.view(np.uint32)
    half = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return ((bits + half) & _SIGN_AND_EXPONENT).view(np.float32)


def to_int8(rows: F32) -> F32:
    """As Qdrant's scalar quantization: 127 steps over the middle 99% of all values, those beyond at its ends."""
    low, high = (np.float32(x) for x in np.quantile(rows, ((1 - KEPT) / 2, (1 + KEPT) / 2)))
    step = (high - low) / np.float32(127)
    if not step > 0:
        return rows
    return np.rint((np.clip(rows, low, high) - low) / step) * step + low


def _near(rows: F32, own: I64, metric: str | None, k: int) -> Nearest:
    search = NearestSearch(rows[own], own, metric, len(rows), k=k, rows=len(rows), threads=1)
    search.add(rows, np.arange(len(rows)))
    return search.result()
