"""Shares with their bounds, and the rows of a finding that looked at some only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from connectors.model import RowId
from console.health.findings import Mask
from console.health.table import I64, U64, Ids
from console.search.proportions import clopper_pearson


def share_of(hits: int, n: int, whole: bool) -> tuple[float, float, float]:
    """A share and its 95% bounds; of a whole population the share itself, three times. Needs n > 0."""
    share = hits / n
    return (share, share, share) if whole else (share, *clopper_pearson(hits, n))


def masks(n: int, affected: Any, looked: Any) -> tuple[Mask, Mask]:
    """Bitmaps over a table of n rows: `affected`, and `examined`, from row numbers."""
    one, other = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    one[affected], other[looked] = True, True
    return one, other


def table_rows(held: Ids, ids: Sequence[RowId]) -> I64:
    """(m,) where rows stand in a table, -1 for those that it lacks."""
    wanted = Ids.of(ids)
    maybe = np.flatnonzero(np.isin(held.low, wanted.low))
    there: dict[tuple[U64, U64, bool], int] = {
        (held.high[i], held.low[i], bool(held.integer[i])): int(i) for i in maybe
    }
    keys = zip(wanted.high, wanted.low, wanted.integer, strict=True)
    return np.array([there.get((h, low, bool(i)), -1) for h, low, i in keys], np.int64)
