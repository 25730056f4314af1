"""Samples, drawn by Plumbline since Weaviate draws none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from connectors.model import PAGE_BYTES, Batch, Target
from connectors.weaviate import positions, wire
from connectors.weaviate.core import MOST_ROWS, Opened
from connectors.weaviate.reading import PayloadChoice, Reading

_EVENLY: Final = 20_000
"""Up to so many rows a sample is drawn evenly among all ids."""
_RUN: Final = 64
_KEPT: Final = 8


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

        Up to 20,000 rows the draw is even. Beyond, some of the 64 ids after each of many positions are
        taken, the positions drawn by the density of ids: a row after a large gap is somewhat likelier, and
        rows with neighbouring ids come together.
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
            if total <= _EVENLY or share * 4 >= total:
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
        cells = self._cells(opened, part, 16, timeout)
        if not cells:
            return []
        alone = Opened(opened.schema, (part,))

        def look(position: int) -> Sequence[str]:
            request = wire.listing(opened.schema, part, _RUN, after=positions.after(position))
            return wire.ids_of(self._search(request, opened, part, timeout))

        ids: dict[str, None] = {}
        for _ in range(8):
            missing = n - len(ids)
            if missing <= 0:
                break
            for run in self._each(positions.draw(cells, -(-missing // _KEPT) + 8, rng), look):
                kept = rng.permutation(len(run))[:_KEPT]
                ids.update((run[int(i)], None) for i in kept)
        listed = sorted(ids)
        if len(listed) > n:
            listed = [listed[int(i)] for i in np.sort(rng.choice(len(listed), n, replace=False))]
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
