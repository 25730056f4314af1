"""Samples, drawn by Plumbline since Weaviate draws none."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from connectors.model import PAGE_BYTES, Batch, Target
from connectors.weaviate import positions, wire
from connectors.weaviate.core import MOST_ROWS, Opened
from connectors.weaviate.reading import PayloadChoice, Reading

EVENLY: Final = 200_000
"""Up to so many rows a sample is drawn evenly among all ids, which are listed for it."""
_EVENLY_FEW: Final = 20_000
"""The same for a peek of fewer than `_FEW` rows, which nobody makes estimates of."""
_FEW: Final = 1_000
_EACH_FEW: Final = 4
"""Rows of one position in such a peek."""
RUN: Final = 16
"""Ids after a position, one of which is taken."""
LOOKED: Final = 64
"""Ids by which the density of a cell is told."""


class Sampling(Reading):
    """Seeded draws of rows."""

    def sample(
        self,
        t: Target,
        n: int,
        fields: Sequence[str] = (),
        payload: PayloadChoice = (),
        seed: int = 0,
        *,
        timeout: float | None = None,
    ) -> Batch:
        """Distinct rows in id order, tenants in proportion to their rows; all of them where n suffices.

        Up to 200,000 rows (20,000 where fewer than 1,000 are drawn) the draw is even. Beyond, one of the 16 ids
        after each of many positions is taken (four in such a peek), the positions drawn by the density of ids: rows where it changes
        suddenly are somewhat likelier or less likely.
        """
        opened = self._open(t, timeout=timeout)
        self._check_dense(opened, fields)
        rng = np.random.default_rng(seed)
        totals = self._each(opened.parts, lambda part: self._aggregate(opened, part, timeout=timeout))
        shares = _proportional(totals, n, rng)
        dimensions: dict[str, int | None] = dict.fromkeys(fields)
        held: list[Any] = []
        for part, total, share in zip(opened.parts, totals, shares, strict=True):
            if share == 0:
                continue
            if total <= (EVENLY if share >= _FEW else _EVENLY_FEW) or share * 4 >= total:
                held += self._drawn_evenly(opened, part, share, rng, fields, payload, timeout)
            else:
                held += self._drawn_by_position(opened, part, share, rng, fields, payload, timeout)
        single = opened.parts[0] if len(opened.parts) == 1 else None
        return self._batch(opened, held, fields, payload, single, dimensions, timeout)

    def _drawn_evenly(
        self,
        opened: Opened,
        part: str | None,
        n: int,
        rng: np.random.Generator,
        fields: Sequence[str],
        payload: PayloadChoice,
        timeout: float | None,
    ) -> list[Any]:
        request = wire.listing(opened.schema, part, MOST_ROWS // 2)
        ids = [
            i
            for results in self._pages(opened, part, request, None, PAGE_BYTES, timeout)
            for i in wire.ids_of(results)
        ]
        chosen = np.sort(rng.choice(len(ids), min(n, len(ids)), replace=False))
        wanted = [ids[int(i)] for i in chosen]
        alone = Opened(opened.schema, (part,))
        found = {
            r.metadata.id: r
            for _, results in self._of_ids(alone, wanted, fields, payload, timeout)
            for r in results
        }
        return [found[i] for i in wanted if i in found]

    def _drawn_by_position(
        self,
        opened: Opened,
        part: str | None,
        n: int,
        rng: np.random.Generator,
        fields: Sequence[str],
        payload: PayloadChoice,
        timeout: float | None,
    ) -> list[Any]:
        cells = self._cells(opened, part, 16, timeout, LOOKED, positions.typical)
        if not cells:
            return []
        alone = Opened(opened.schema, (part,))

        def look(position: int) -> Sequence[int]:
            request = wire.listing(opened.schema, part, RUN, after=positions.after(position))
            return [uuid.UUID(i).int for i in wire.ids_of(self._search(request, opened, part, timeout))]

        each = 1 if n >= _FEW else _EACH_FEW
        chosen = positions.sampled(cells, n, rng, lambda where: self._each(where, look), each)
        listed = [str(uuid.UUID(int=i)) for i in chosen]
        found = {
            r.metadata.id: r
            for _, results in self._of_ids(alone, listed, fields, payload, timeout)
            for r in results
        }
        return [found[i] for i in listed if i in found]


def _proportional(totals: Sequence[int], n: int, rng: np.random.Generator) -> list[int]:
    """Rows to draw from each part: at most what it holds, n together, drawn without replacement."""
    rows = sum(totals)
    if n >= rows:
        return list(totals)
    if len(totals) == 1:
        return [n]
    return [int(x) for x in rng.multivariate_hypergeometric(np.array(totals, np.int64), n)]
