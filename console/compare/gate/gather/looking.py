"""How the rows of two sides are read and matched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.compare.gate.gather import keys

if TYPE_CHECKING:
    from connectors.model import Batch
    from console.compare.gate.gather.sides import Side
    from console.health.findings import Mask
    from console.health.table import U64
    from console.progress import Tell


@dataclass(frozen=True, slots=True, eq=False)
class Looking:
    """`by`: a payload field by whose value rows are matched; None: by id. `tenants`: an id counts with its tenant.
    `counted`: a key may stand on several rows, and has to stand on as many of the other side: a field's value, or an id
    where only one side has tenants.

    `vectors`: both sides are fields of one collection, so that a row counts where it holds the field's vector.
    """

    by: str | None
    vectors: bool
    tenants: bool
    counted: bool
    tell: Tell
    cancelled: Callable[[], bool]

    @classmethod
    def at(
        cls, left: Side, right: Side, by: str | None, tell: Tell, cancelled: Callable[[], bool]
    ) -> Looking:
        counted = by is not None or left.tenants != right.tenants
        return cls(by, left.same_rows(right), left.tenants and right.tenants, counted, tell, cancelled)

    def fields(self, side: Side) -> Sequence[str]:
        """The vectors that have to be read."""
        return (side.field.name,) if self.vectors else ()

    def there(self, batch: Batch, side: Side) -> Mask:
        """Bitmap of the rows of a batch that count."""
        if not self.vectors:
            return np.ones(len(batch), np.bool_)
        return batch.vectors[side.field.name].present

    def keys(self, batch: Batch) -> U64:
        return keys.of_batch(batch, self.by, self.tenants)
