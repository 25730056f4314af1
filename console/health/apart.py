"""The group of rows whose vectors lie in a space of their own, told by pairs of rows that say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from console.health.table import ABSENT, I64
from console.search.proportions import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Collection

    from console.health.findings import Mask
    from console.health.table import RowTable


@dataclass(frozen=True, slots=True)
class Apart:
    """One value whose rows lie far from others that say the same. Pairs are counted as each of their rows sees them.

    `across`: pairs with one row in the group; `inside`: with both; `outside`: with neither.
    """

    field: str
    value: Any
    across: int
    far_across: float
    inside: int
    far_inside: float
    outside: int
    far_outside: float

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def group_apart(
    table: RowTable,
    first: I64,
    second: I64,
    far: Mask,
    *,
    skip: Collection[str],
    pairs: int,
    foreign: float,
    sound: float,
) -> Apart | None:
    """The value that far pairs go with: nearly every pair across is far, and pairs outside are not.

    `first`, `second`: (p,) rows of the table that say much the same; `far`: (p,) their vectors lie apart. At least
    `pairs` of them across; of these the lower 95% bound of the share that is far above `foreign`; of those outside a
    share of at most `sound`. A vector of another space has any place among the others: three in four are past the
    quarter. A value of more than half of the rows is what the others are held against. Of several values that with the most
    pairs across; of two that are all there are, the smaller one.
    """
    best: Apart | None = None
    every = int(np.count_nonzero(far))
    for name, held in table.groups.items():
        if name in skip:
            continue
        size = len(held.values) + 2
        a, b = held.codes[first].astype(np.int64), held.codes[second].astype(np.int64)
        same = a == b
        across = np.bincount(a[~same], minlength=size) + np.bincount(b[~same], minlength=size)
        across_far = np.bincount(a[~same & far], minlength=size) + np.bincount(b[~same & far], minlength=size)
        inside, inside_far = np.bincount(a[same], minlength=size), np.bincount(a[same & far], minlength=size)
        rows = np.bincount(held.codes, minlength=size)
        for code in range(ABSENT + 1, len(held.values) + 1):
            if 2 * rows[code] > len(held.codes):
                continue
            n, outside = int(across[code]), len(far) - int(across[code]) - int(inside[code])
            if code == held.other or n < pairs or outside < pairs:
                continue
            if best is not None and (n, outside) <= (best.across, best.outside):
                continue
            outside_far = every - int(across_far[code]) - int(inside_far[code])
            if across_far[code] <= foreign * n or outside_far > sound * outside:
                continue
            if clopper_pearson(int(across_far[code]), n)[0] <= foreign:
                continue
            mine = int(inside[code])
            best = Apart(
                name,
                held.values[code - 1],
                n,
                float(across_far[code] / n),
                mine,
                float(inside_far[code] / mine) if mine else 0.0,
                outside,
                outside_far / outside,
            )
    return best
