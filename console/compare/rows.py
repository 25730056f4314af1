"""Which row of a side is meant: its id and, where the collection has several tenants, its tenant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.model import RowId
from console.health.findings import Mask
from console.health.table import I64, U64, Ids
from console.health.values import hash64

I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n rows. `codes`: (n,) places in `tenants`; None where the collection has none, or one was named."""

    ids: Ids
    codes: I32 | None = None
    tenants: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, number: int) -> RowId:
        return self.ids.at(number)

    def tenant(self, number: int) -> str | None:
        return None if self.codes is None else self.tenants[int(self.codes[number])]

    def named(self, number: int) -> dict[str, Any]:
        """The row as JSON names it: its id, and its tenant where it has one."""
        tenant = self.tenant(number)
        return {"id": self.at(number)} if tenant is None else {"id": self.at(number), "tenant": tenant}

    def chosen(self, rows: I64 | Mask) -> Rows:
        ids = Ids(self.ids.high[rows], self.ids.low[rows], self.ids.integer[rows])
        return Rows(ids, None if self.codes is None else self.codes[rows], self.tenants)

    def by_tenant(self) -> Iterator[tuple[str | None, list[int]]]:
        """Each tenant's rows, by their numbers here."""
        if self.codes is None:
            yield None, list(range(len(self)))
            return
        for code in np.unique(self.codes).tolist():
            yield self.tenants[code], np.flatnonzero(self.codes == code).tolist()

    def salts(self) -> U64:
        """(n,) 64 bits of each row's tenant, 0 for none."""
        if self.codes is None:
            return np.zeros(len(self), np.uint64)
        return tenant_salts(self.tenants)[self.codes]

    @classmethod
    def joined(cls, parts: Sequence[tuple[Ids, str | None]], tenants: bool) -> Rows:
        """Batches of rows with the tenant of each."""
        names = list(dict.fromkeys(part for _, part in parts if part is not None)) if tenants else []
        place = {name: code for code, name in enumerate(names)}
        ids = Ids(
            concatenated([p.high for p, _ in parts], np.uint64),
            concatenated([p.low for p, _ in parts], np.uint64),
            concatenated([p.integer for p, _ in parts], np.bool_),
        )
        if not names:
            return cls(ids)
        codes = [np.full(len(held), place[part or ""], np.int32) for held, part in parts]
        return cls(ids, concatenated(codes, np.int32), tuple(names))


def tenant_salts(tenants: Sequence[str | None]) -> U64:
    """(n,) 64 bits of each name; 0 for none."""
    return np.array([0 if name is None else hash64(name) for name in tenants], np.uint64)


def concatenated(parts: Sequence[Any], dtype: Any) -> Any:
    """Arrays after one another, an empty one of none."""
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
