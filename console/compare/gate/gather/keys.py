"""What a row is called on both sides: 64 bits of its id, or of its value of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from console.compare.keys import row_keys, within
from console.compare.rows import tenant_salts
from console.health.table import U64

if TYPE_CHECKING:
    from connectors.model import Batch
    from console.health.findings import Mask

ABSENT: Final = np.uint64(0)
"""The key of a row that has none: its value is missing, empty, or several."""


def of_batch(batch: Batch, by: str | None, tenants: bool) -> U64:
    """(n,) keys of a batch's rows; `by` None: their ids. `tenants`: an id counts within its tenant."""
    found, there = row_keys(batch.ids, None if by is None else batch.columns[by])
    if by is None and tenants:
        found = within(found, tenant_salts([batch.part]))
    return np.where(there, np.where(found == ABSENT, np.uint64(1), found), ABSENT)


def among(keys: U64, wanted: U64) -> Mask:
    """(n,) whether each key is one of `wanted`, which ascends."""
    if not len(wanted):
        return np.zeros(len(keys), np.bool_)
    places = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    return wanted[places] == keys
