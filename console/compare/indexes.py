"""What a side's index finds of the same queries: how much of a change is the index, and not the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.compare.nearest import Nearest
from console.compare.sides import Stored
from console.compare.ties import TRIED, tolerance_of
from console.health.findings import Mask
from console.health.table import F32, F64, I64
from console.progress import Cancelled, Progress, Tell

if TYPE_CHECKING:
    from connectors.filters import Filter
    from console.compare.pool import Pool

AT_ONCE: Final = 25
MOST: Final = 1_000
"""Hits of one search at most."""
SHARE: Final = 0.02
"""Of the rows that are searched which must be in the pool: then `MOST` hits hold 20 of them in the mean."""
SPARE: Final = 1.5
"""Times the hits that would do if the pool's rows lay evenly: unmatched rows may crowd about a query."""


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """What a search of one side ranges over: a filter that all of the pool's rows pass, and how many rows do."""

    where: Filter | None
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Hits of each query that are in the pool, own row left out: pool numbers (q, h), -1 padded, best first.

    `scores`: (q, h) nearness by the client's exact lists, -inf where the row is not in them. `unknown`: (q,) queries
    that other rows crowd about, so that fewer than k of the pool were among the hits.
    """

    rows: I64
    scores: F64
    unknown: Mask


def ask(
    side: Stored,
    pool: Pool,
    queries: F32,
    own: I64,
    k: int,
    exact: Nearest,
    reach: Reach,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Found:
    """Searches as everybody does, without `exact`. Raises what searching raises, and `Cancelled`."""
    share = min(1.0, len(pool) / max(1, reach.rows))
    wanted = min(MOST, math.ceil((k + 2) / share * (SPARE if share < 1 else 1.0)))
    q = len(queries)
    rows = np.full((q, k + 1), -1, np.int64)
    unknown = np.zeros(q, np.bool_)
    there = np.minimum(exact.counts, k)
    _search(side, pool, queries, own, reach.where, np.arange(q), wanted, rows, tell, cancelled)
    short = np.flatnonzero(np.count_nonzero(rows[:, :k] >= 0, axis=1) < there)
    if len(short) and share < 1:
        if wanted < MOST:
            _search(side, pool, queries, own, reach.where, short, MOST, rows, tell, cancelled)
        unknown[short] = np.count_nonzero(rows[short, :k] >= 0, axis=1) < there[short]
        unknown &= reach.rows > MOST
    return Found(rows[:, :k], _exactly(rows, exact)[:, :k], unknown)


def _search(
    side: Stored,
    pool: Pool,
    queries: F32,
    own: I64,
    where: Filter | None,
    asked: I64,
    wanted: int,
    rows: I64,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> None:
    """Fills the lines `asked` of `rows` (q, k + 1) with the hits of the pool."""
    payload = () if pool.match_on is None else (pool.match_on,)
    width = rows.shape[1]
    for at in range(0, len(asked), AT_ONCE):
        if cancelled():
            raise Cancelled
        tell(Progress(f"Asking the {side.name} index", at, len(asked)))
        some = asked[at : at + AT_ONCE]
        found = side.opened.connector.search(
            side.opened.target, side.opened.vector.name, queries[some], wanted, where, payload=payload
        )
        for i, hits in zip(some.tolist(), found, strict=True):
            numbers = pool.of_hits(hits)
            numbers = numbers[(numbers >= 0) & (numbers != own[i])][:width]
            rows[i] = -1
            rows[i, : len(numbers)] = numbers


def overlap_of_both(left: Found, right: Found, exact: tuple[Nearest, Nearest], k: int) -> F64:
    """(q,) the share of both indexes' first k rows that is the same; NaN where one is not known.

    A row that one index left out for another that is as near, on both sides, is no difference: which of equal rows
    an index returns is chance.
    """
    out = np.full(len(left.rows), np.nan)
    there = np.minimum(np.maximum(exact[0].counts, exact[1].counts), k)
    for i in np.flatnonzero((there > 0) & ~left.unknown & ~right.unknown).tolist():
        one, other = left.rows[i][left.rows[i] >= 0], right.rows[i][right.rows[i] >= 0]
        here, there_too = np.isin(one, other), np.isin(other, one)
        same = int(here.sum())
        mine, theirs = one[~here], other[~there_too]
        if len(mine) and len(theirs):
            alike = np.ones((len(mine), len(theirs)), np.bool_)
            for held in exact:
                near = _scores_of(held, i, mine)[:, None], _scores_of(held, i, theirs)[None, :]
                scale = np.ones(1) if held.scale is None else held.scale[i : i + 1]
                with np.errstate(invalid="ignore"):
                    alike &= np.abs(near[0] - near[1]) <= tolerance_of(near[0], scale, TRIED[-1])
            same += _paired(alike)
        out[i] = min(1.0, same / int(there[i]))
    return out


def _paired(alike: Mask) -> int:
    """Pairs of rows and columns that are alike, each row and column once."""
    free, count = np.ones(alike.shape[1], np.bool_), 0
    for line in alike:
        found = np.flatnonzero(line & free)
        if len(found):
            free[found[0]] = False
            count += 1
    return count


def _scores_of(exact: Nearest, i: int, rows: I64) -> F64:
    """(r,) the exact scores of rows for query i, NaN where they are not known."""
    found = _exactly(rows[None, :], exact.only(np.array([i])))[0]
    return np.where(np.isfinite(found), found, np.nan)


def _exactly(rows: I64, exact: Nearest) -> F64:
    """(q, h) the scores that the exact lists give these rows; a row with the vector of a listed one has its score."""
    out = np.full(rows.shape, -np.inf)
    twins = exact.twins
    for i in range(len(rows)):
        line: I64 = rows[i]
        held = exact.rows[i] >= 0
        listed, scores = exact.rows[i][held], exact.scores[i][held]
        if not len(listed):
            continue
        order: I64 = np.argsort(listed)
        ordered: I64 = listed[order]
        place = np.minimum(np.searchsorted(ordered, line), len(listed) - 1)
        there: Mask = (line >= 0) & (ordered[place] == line)
        out[i, there] = scores[order][place[there]]
        rest = np.flatnonzero((line >= 0) & ~there)
        if len(rest) and twins is not None:
            of = twins[listed]
            for j in rest:
                same = np.flatnonzero(of == twins[line[j]])
                if len(same):
                    out[i, j] = scores[same[0]]
    return out
