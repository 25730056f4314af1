"""How long searches take on both sides, one side after the other in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from console.compare.gate.evidence import Latency
from console.health.findings import NotMeasured
from console.progress import Cancelled, Progress, Tell

if TYPE_CHECKING:
    from console.compare.gate.gather.sides import Side
    from console.health.table import F32, F64

NAME: Final = "latency"
WARM: Final = 20
"""Searches of each side before the first that counts."""
ROUNDS: Final = 4
"""Times as many searches as were asked for, at most, where the first ones leave it open."""
SECONDS: Final = 600.0
"""For all searches together."""
TIMEOUT: Final = 30.0


def timed(
    left: Side,
    right: Side,
    searches: int,
    k: int,
    seed: int,
    open_still: Callable[[F64, F64], bool],
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Latency | NotMeasured:
    """Each side is searched with its own rows' vectors, those of the same ids where both hold them, as many different
    ones as there are searches or rows; payloads are not asked for. The sides take turns in who is asked first.

    `open_still`: whether times of both sides (n,) decide nothing; then as many searches again are made. Raises
    `Cancelled`.
    """
    for side in (left, right):
        if side.snapshot:
            return NotMeasured(NAME, "A snapshot file does not tell how fast its server answers.")
    asked = _queries(left, right, searches, seed)
    for side, matrix in zip((left, right), asked, strict=True):
        if not len(matrix):
            return NotMeasured(NAME, f"{side.where} has no row that could be searched with.")
    taken = np.zeros((2, ROUNDS * searches))
    end, made = time.monotonic() + SECONDS, 0
    for i in range(-WARM, ROUNDS * searches):
        if cancelled():
            raise Cancelled
        if i > 0 and i % searches == 0:
            made = i
            if not open_still(taken[0, :made], taken[1, :made]):
                break
        if time.monotonic() > end:
            if made:
                break
            return NotMeasured(NAME, f"{max(0, i):,} of {searches:,} searches were made in {SECONDS:g} s.")
        for at in (0, 1) if i % 2 == 0 else (1, 0):
            side, matrix = (left, right)[at], asked[at]
            query = matrix[i % len(matrix)][None]
            began = time.perf_counter()
            side.reader.search(side.target, side.field.name, query, k, payload=(), timeout=TIMEOUT)
            if i >= 0:
                taken[at, i] = 1000 * (time.perf_counter() - began)
        tell(Progress("Timing searches of both sides in turn", max(0, i + 1), max(made, 0) + searches))
    else:
        made = ROUNDS * searches
    return Latency(taken[0, :made], taken[1, :made], (min(made, len(asked[0])), min(made, len(asked[1]))))


def _queries(left: Side, right: Side, n: int, seed: int) -> tuple[F32, F32]:
    """(q, d) float32 of each side, at most n rows with a direction."""
    drawn = left.reader.sample(left.target, n, (left.field.name,), (), seed)
    mine = _sound(drawn.vectors[left.field.name].matrix)
    ids = [row for row in drawn.ids if isinstance(row, str) or right.reader.spec.kind != "weaviate"]
    batch = right.reader.fetch(right.target, ids, (right.field.name,))
    theirs = _sound(batch.vectors[right.field.name].matrix)
    if len(theirs) < max(1, len(mine) // 2):
        batch = right.reader.sample(right.target, n, (right.field.name,), (), seed)
        theirs = _sound(batch.vectors[right.field.name].matrix)
    return mine, theirs


def _sound(matrix: F32) -> F32:
    return matrix[np.isfinite(matrix).all(axis=1) & matrix.any(axis=1)]
