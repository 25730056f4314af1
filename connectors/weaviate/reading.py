"""Reading rows as batches: ranges, scans, rows by id."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

from connectors.errors import PlumblineError, unsupported
from connectors.model import ALL, PAGE_BYTES, Batch, Range, RowId, Target
from connectors.weaviate import positions, wire
from connectors.weaviate.about import About
from connectors.weaviate.atoms import id_filter
from connectors.weaviate.core import MOST_ROWS, Opened

PayloadChoice = Sequence[str] | str

FIRST_PAGE: Final = 64
FETCHED: Final = 256


class Reading(About):
    """Reading that touches rows."""

    def ranges(self, t: Target, n: int, *, timeout: float | None = None) -> tuple[Range, ...]:
        opened = self._open(t, timeout=timeout)

        def of_part(part: str | None) -> list[Range]:
            found = self._cells(opened, part, max(1, n), timeout) if n > 1 else []
            edges = [str(uuid.UUID(int=p)) for p in positions.cuts(found, n)]
            starts: list[str | None] = [None, *edges]
            stops: list[str | None] = [*edges, None]
            return [Range(part, start, stop) for start, stop in zip(starts, stops, strict=True)]

        return tuple(r for found in self._each(opened.parts, of_part) for r in found)

    def _cells(
        self,
        opened: Opened,
        part: str | None,
        n: int,
        timeout: float | None,
        looked: int = positions.LOOK,
        spacing: positions.Spacing = positions.mean,
    ) -> list[positions.Cell]:
        total = self._aggregate(opened, part, timeout=timeout)
        if total <= 1:
            return []

        def look(position: int, rows: int) -> list[int]:
            if position >= positions.SPACE:
                return []
            request = wire.listing(opened.schema, part, rows, after=positions.after(position))
            return [uuid.UUID(i).int for i in wire.ids_of(self._search(request, opened, part, timeout))]

        return positions.cells(look, total, max(4, 4 * n), looked, spacing)

    def scan(
        self,
        t: Target,
        fields: Sequence[str],
        over: Range | None = None,
        payload: PayloadChoice = (),
        page_bytes: int = PAGE_BYTES,
        *,
        timeout: float | None = None,
    ) -> Iterator[Batch]:
        """Rows in id order, tenant after tenant. The next page is on its way while one is worked on.

        A row without a field's vector is masked. A page that fails for a moment is asked for again from
        the last id, until `timeout` is over.
        """
        opened = self._open(t, over, timeout)
        self._check_dense(opened, fields)
        return self._batches(opened, fields, over, payload, page_bytes, timeout)

    def _batches(
        self,
        opened: Opened,
        fields: Sequence[str],
        over: Range | None,
        payload: PayloadChoice,
        page_bytes: int,
        timeout: float | None,
    ) -> Iterator[Batch]:
        dimensions: dict[str, int | None] = dict.fromkeys(fields)
        for part in opened.parts:
            first = FIRST_PAGE if payload == ALL else 4 * FIRST_PAGE
            first = max(1, min(first, page_bytes // 2048))
            request = wire.listing(opened.schema, part, first, fields, payload)
            for results in self._pages(opened, part, request, over, page_bytes, timeout):
                yield self._batch(opened, results, fields, payload, part, dimensions, timeout)

    def _batch(
        self,
        opened: Opened,
        results: Sequence[Any],
        fields: Sequence[str],
        payload: PayloadChoice,
        part: str | None,
        dimensions: dict[str, int | None],
        timeout: float | None,
    ) -> Batch:
        """One answer as a batch; dimensions that no row has shown yet are asked for once."""
        made = wire.batch(results, fields, payload, part, dimensions)
        unknown = [f for f in fields if dimensions[f] is None]
        if not unknown:
            return made
        for name in unknown:
            if made.vectors[name].present.any():
                dimensions[name] = made.vectors[name].matrix.shape[1]
            else:
                dimensions[name] = self._dimension(opened, name, timeout)
        return wire.batch(results, fields, payload, part, dimensions)

    def _pages(
        self,
        opened: Opened,
        part: str | None,
        request: wire.SearchRequest,
        over: Range | None,
        page_bytes: int,
        timeout: float | None,
    ) -> Iterator[Sequence[Any]]:
        """The rows of one part from `over.start` up to `over.stop`, in pages of about `page_bytes`."""
        start, stop = (over.start, over.stop) if over is not None else (None, None)
        if isinstance(stop, int):
            return
        stop = None if stop is None else str(uuid.UUID(stop))
        request.after = positions.after(uuid.UUID(start).int) if isinstance(start, str) else ""
        where = self._place(opened, part)
        future: Any = None
        try:
            while True:
                future = future or self._transport.begin(request, timeout=timeout)
                try:
                    raw = self._transport.finish(future, request, timeout=timeout, where=where)
                except PlumblineError as fault:
                    future = None
                    if not _too_large(fault) or request.limit <= 1:
                        raise
                    request.limit = max(1, request.limit // 8)
                    continue
                future = None
                results = wire.results_of(raw)
                last = len(results) < request.limit
                if stop is not None and results and results[-1].metadata.id >= stop:
                    results = [r for r in results if r.metadata.id < stop]
                    last = True
                if not last:
                    request.after = results[-1].metadata.id
                    request.limit = _next_limit(request.limit, len(results), len(raw), page_bytes)
                    future = self._transport.begin(request, timeout=timeout)
                if results:
                    yield results
                if last:
                    return
        finally:
            if future is not None:
                future.cancel()

    def _check_dense(self, opened: Opened, fields: Sequence[str]) -> None:
        for name in fields:
            if opened.schema.vector(name).kind != "dense":
                raise unsupported(
                    f"{name!r} is a multi-vector field.",
                    self._place(opened, None),
                    "Profiles and searches read dense vectors; whole rows are read by an export.",
                )

    def fetch(
        self,
        t: Target,
        ids: Sequence[RowId],
        fields: Sequence[str],
        payload: PayloadChoice = (),
        *,
        timeout: float | None = None,
    ) -> Batch:
        """Over several tenants an id stands for its row in the first tenant, by name, that has it."""
        wanted = uuids(ids, self._where(t))
        opened = self._open(t, timeout=timeout)
        self._check_dense(opened, fields)
        found: dict[str, tuple[Any, str | None]] = {}
        for part, results in self._of_ids(opened, wanted, fields, payload, timeout):
            for result in results:
                found.setdefault(result.metadata.id, (result, part))
        held = [found[i] for i in wanted if i in found]
        parts = {part for _, part in held}
        dimensions: dict[str, int | None] = dict.fromkeys(fields)
        single = parts.pop() if len(parts) == 1 else None
        return self._batch(opened, [r for r, _ in held], fields, payload, single, dimensions, timeout)

    def _of_ids(
        self,
        opened: Opened,
        ids: Sequence[str],
        fields: Sequence[str],
        payload: PayloadChoice,
        timeout: float | None,
        whole: bool = False,
    ) -> list[tuple[str | None, Sequence[Any]]]:
        """The rows with these ids, part by part."""
        chunks = [ids[i : i + FETCHED] for i in range(0, len(ids), FETCHED)]

        def ask(one: tuple[str | None, Sequence[str]]) -> tuple[str | None, Sequence[Any]]:
            part, some = one
            request = wire.listing(opened.schema, part, len(some), fields, payload)
            request.filters.CopyFrom(id_filter(some))
            request.metadata.creation_time_unix = request.metadata.last_update_time_unix = whole
            try:
                return part, self._search(request, opened, part, timeout)
            except PlumblineError as fault:
                if not _too_large(fault) or len(some) == 1:
                    raise
                half = len(some) // 2
                return part, [*ask((part, some[:half]))[1], *ask((part, some[half:]))[1]]

        return self._each([(part, chunk) for part in opened.parts for chunk in chunks], ask)


def uuids(ids: Sequence[RowId], where: str) -> list[str]:
    """Ids in their canonical form, each once. Raises `usage` where one is not a UUID."""
    found: dict[str, None] = {}
    for row in ids:
        try:
            if not isinstance(row, str):
                raise ValueError
            found[str(uuid.UUID(row))] = None
        except ValueError:
            raise PlumblineError(
                "usage",
                f"{row!r} is not an id on Weaviate: ids are UUIDs there.",
                where=where,
                hint="Such as 8d9f7a86-0000-4000-8000-000000000001.",
            ) from None
    return list(found)


def _too_large(fault: PlumblineError) -> bool:
    return fault.code == "quota" and ("larger than" in fault.message or "maximum results" in fault.message)


def _next_limit(limit: int, rows: int, size: int, page_bytes: int) -> int:
    """Rows of the next page, so that it has about `page_bytes`; it grows at most eightfold."""
    fitting = int(page_bytes * rows / max(1, size))
    return max(1, min(fitting, limit * 8, MOST_ROWS))
