"""One pass over the vectors of a side: the nearest rows of every query, and a random sample of the rows themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.compare.nearest import Nearest, NearestSearch
from console.compare.sides import Encoded, Side
from console.compare.streaming import stream
from console.health.findings import Mask
from console.health.table import F32, I64
from console.progress import Progress, Tell

if TYPE_CHECKING:
    from console.compare.pool import Pool

SAMPLE_BYTES: Final = 64 * 1024 * 1024
"""Memory of the sampled rows of one side."""
SAMPLE_ROWS: Final = 20_000
DEPTH: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """`sample`: (s, d) vectors of the first s pool rows, NaN where one is missing. `usable`: (n,) pool rows that can be
    found on this side: they have a vector, and one with a direction."""

    nearest: Nearest
    sample: F32
    usable: Mask


def sample_size(pool: Pool, dimension: int) -> int:
    """Rows kept of one side: as many as fit, the same ones on both sides where their number is the same."""
    return min(len(pool), SAMPLE_ROWS, max(1, SAMPLE_BYTES // (4 * max(1, dimension))))


def read(
    side: Side,
    pool: Pool,
    queries: F32,
    own: I64,
    k: int,
    size: int,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Read:
    """Raises what reading raises, and `Cancelled`."""
    n = len(pool)
    search = NearestSearch(queries, own, side.metric, max(DEPTH, 2 * k), k=k, rows=n)
    sample = np.full((size, queries.shape[1]), np.nan, np.float32)
    for matrix, numbers in _vectors(
        side, pool, queries.shape[1], f"Reading the {side.name} side", tell, cancelled
    ):
        search.add(matrix, numbers)
        kept = numbers < size
        sample[numbers[kept]] = matrix[kept]
    nearest = search.result()
    assert nearest.twins is not None
    return Read(nearest, sample, nearest.twins > 0)


def again(
    side: Side,
    pool: Pool,
    queries: F32,
    own: I64 | None,
    k: int,
    depth: int,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Nearest:
    """Lists as deep as told, every score of which is exact. Raises as `read`."""
    search = NearestSearch(queries, own, side.metric, depth, k=k, rows=len(pool), sharp=depth)
    phase = f"Reading the {side.name} side again: its nearest rows are tied"
    for matrix, numbers in _vectors(side, pool, queries.shape[1], phase, tell, cancelled):
        search.add(matrix, numbers)
    return search.result()


def _vectors(
    side: Side, pool: Pool, dimension: int, phase: str, tell: Tell, cancelled: Callable[[], bool]
) -> Iterator[tuple[F32, I64]]:
    """The pool's rows that have a vector of this dimension, some at once: vectors (m, d) and numbers (m,)."""
    if isinstance(side, Encoded):
        yield side.matrix, np.arange(len(pool))
        return
    name, done = side.opened.vector.name, 0
    columns = () if pool.match_on is None else (pool.match_on,)
    for batch in stream(side.opened.connector, side.opened.target, (name,), columns, cancelled):
        held = batch.vectors[name]
        numbers = pool.of_batch(batch)
        chosen = (numbers >= 0) & held.present
        matrix, numbers = held.matrix[chosen], numbers[chosen]
        if len(matrix) and matrix.shape[1] == dimension:
            yield matrix, numbers
        done += len(batch)
        tell(Progress(phase, done, max(done, side.rows)))
