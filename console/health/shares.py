"""Shares with their bounds, and the bitmaps of a finding that looked at some rows only."""

from __future__ import annotations

from typing import Any

import numpy as np

from console.health.findings import Mask
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
