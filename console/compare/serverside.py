"""Exact lists by the server's own exact search, where reading every vector of a large collection would cost more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.model import SearchOptions
from console.compare.nearest import Nearest
from console.compare.reading import DEPTH, Read
from console.compare.scoring import scoring
from console.compare.sides import Side, Stored, directed, numbered
from console.compare.structure import PER_DIMENSION
from console.compare.ties import Side as Tied
from console.health.table import F32, I64
from console.progress import Cancelled, Progress, Tell

if TYPE_CHECKING:
    from connectors.filters import Filter
    from console.compare.pool import Pool

LARGE: Final = 64 * 1024 * 1024
"""Bytes of vectors up to which they are read: 2 s at 30 MB/s."""
HUGE: Final = 1024 * 1024 * 1024
"""Bytes from which the server is asked whatever the number of queries."""
FEW: Final = 100
"""Queries up to which the server is asked below that: each reads every vector there."""
SHARE: Final = 0.5
"""Of the side's rows that must be in the pool, so that few hits are asked for in vain."""
MOST: Final = 1_000
AT_ONCE: Final = 10
SAMPLE: Final = 5_120
"""Rows fetched for structure and picture, at least; for wide vectors `SPARE` more than a rotation is fitted on."""
SPARE: Final = 1_024
MISSING: Final = 0.01
"""Of the sampled rows that may lack a vector: the other side's lists then hold as few that can't be found here."""


def worthwhile(side: Side, pool: Pool, queries: int) -> bool:
    """Whether the server is asked. It has to be one, to search exactly, and to hold vectors that are not quantized."""
    if not isinstance(side, Stored):
        return False
    spec, vector = side.opened.connector.spec, side.opened.vector
    if spec.path is not None or spec.snapshot is not None or vector.quantization is not None:
        return False
    size = 4 * side.rows * (vector.dimension or 0)
    if size <= LARGE or (size < HUGE and queries > FEW) or len(pool) < SHARE * side.rows:
        return False
    return bool(side.opened.connector.capabilities(side.opened.target).exact_search)


def read(
    side: Stored,
    pool: Pool,
    queries: F32,
    own: I64,
    k: int,
    where: Filter | None,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Read | None:
    """The lists of every query and a sample of the rows; None where the vectors have to be read all the same.

    That is where a row that is not a number comes first, as it does in exact answers too (FACTS: qdrant 9201), where a
    list is too short or ends among rows that are as near as its k-th, and where more than 1% of the sampled rows have
    no vector: which others have none, and must not be found on the other side, is not known here. Raises what
    searching raises, and `Cancelled`.
    """
    depth = max(DEPTH, 2 * k)
    wanted = min(
        MOST, math.ceil((depth + 1) * (side.rows / max(1, len(pool)) if where is None else 1.0) * 1.05) + 1
    )
    rows = np.full((len(queries), depth), -1, np.int64)
    scores = np.full((len(queries), depth), -np.inf)
    payload = () if pool.match_on is None else (pool.match_on,)
    needed = min(2 * k, len(pool) - 1)
    for at in range(0, len(queries), AT_ONCE):
        if cancelled():
            raise Cancelled
        tell(Progress(f"Searching the {side.name} side exactly", at, len(queries)))
        found = side.opened.connector.search(
            side.opened.target, side.opened.vector.name, queries[at : at + AT_ONCE], wanted, where,
            SearchOptions(exact=True), payload,
        )  # fmt: skip
        for i, hits in enumerate(found, at):
            if any(not math.isfinite(hit.score) for hit in hits):
                return None
            numbers = pool.of_hits(hits)
            kept = (numbers >= 0) & (numbers != own[i])
            near = np.array([side.scale.near(hit.score) for hit in hits], np.float64)[kept][:depth]
            rows[i, : len(near)], scores[i, : len(near)] = numbers[kept][:depth], near
            if len(near) < needed:
                return None
    size = min(len(pool), max(SAMPLE, PER_DIMENSION * queries.shape[1] + SPARE))
    tell(Progress(f"Reading a sample of the {side.name} side"))
    sample = numbered(side, pool, np.arange(size))[0]
    there = directed(sample, side)
    if np.count_nonzero(~there) > MISSING * size:
        return None
    lengths = np.linalg.norm(sample[there].astype(np.float64), axis=1)
    typical = np.full(len(queries), float(np.median(lengths)) if len(lengths) else 1.0)
    scale = scoring(np.ascontiguousarray(queries, np.float32), side.metric).scale(typical)
    counts = np.count_nonzero(rows >= 0, axis=1)
    found = Nearest(rows, scores, None, own, scale, np.minimum(counts, depth) < len(pool) - (own >= 0))
    if Tied(found, k, own).reaches.any():
        return None
    usable = np.ones(len(pool), np.bool_)
    usable[:size] = there
    if not there.all():
        side.notes.append(
            f"{np.count_nonzero(~there):,} of {size:,} sampled rows have no vector here: the other side may find a few"
            " rows that this one can't."
        )
    return Read(found, sample, usable)
