"""Reading rows: scans, ranges, samples, single rows, whole rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

import numpy as np

from connectors.errors import PlumblineError, unsupported
from connectors.model import ALL, PAGE_BYTES, Batch, Range, Row, RowId, Target
from connectors.weaviate import positions, wire
from connectors.weaviate.about import About
from connectors.weaviate.core import MOST_ROWS, Opened
from connectors.weaviate.filters import id_filter

PayloadChoice = Sequence[str] | str

_FIRST_PAGE: Final = 64
_EVENLY: Final = 20_000
"""Up to so many rows a sample is drawn evenly among all ids."""
_FETCHED: Final = 256
_RUN: Final = 64
_KEPT: Final = 8


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

    def _cells(self, opened: Opened, part: str | None, n: int, timeout: float | None) -> list[positions.Cell]:
        total = self._aggregate(opened, part, timeout=timeout)
        if total <= 1:
            return []

        def look(position: int, rows: int) -> list[int]:
            if position >= positions.SPACE:
                return []
            request = wire.listing(opened.schema, part, rows, after=positions.after(position))
            return [uuid.UUID(i).int for i in wire.ids_of(self._search(request, opened, part, timeout))]

        return positions.cells(look, total, max(4, 4 * n))

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
            first = _FIRST_PAGE if payload == ALL else 4 * _FIRST_PAGE
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
        chunks = [ids[i : i + _FETCHED] for i in range(0, len(ids), _FETCHED)]

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

    def export(
        self, t: Target, what: Sequence[RowId] | Range | None = None, *, timeout: float | None = None
    ) -> Iterator[Row]:
        """Whole rows: every vector, property and reference. `unread` names properties of unknown types."""
        if what is None or isinstance(what, Range):
            return self._exported(self._open(t, what, timeout), what, timeout)
        ids = uuids(what, self._where(t))
        return self._exported_ids(self._open(t, timeout=timeout), ids, timeout)

    def _exported(self, opened: Opened, over: Range | None, timeout: float | None) -> Iterator[Row]:
        fields = [f.name for f in opened.schema.vectors]
        for part in opened.parts:
            request = wire.listing(opened.schema, part, _FIRST_PAGE, fields, ALL)
            request.metadata.creation_time_unix = request.metadata.last_update_time_unix = True
            for results in self._pages(opened, part, request, over, PAGE_BYTES, timeout):
                listed = self._listed_beacons(opened, part, wire.ids_of(results), timeout)
                yield from self._whole(opened, part, results, listed, timeout)

    def _exported_ids(self, opened: Opened, ids: Sequence[str], timeout: float | None) -> Iterator[Row]:
        fields = [f.name for f in opened.schema.vectors]
        for at in range(0, len(ids), _FETCHED):
            some = ids[at : at + _FETCHED]
            order = {i: n for n, i in enumerate(some)}
            for part, results in self._of_ids(opened, some, fields, ALL, timeout, whole=True):
                ordered = sorted(results, key=lambda r: order[r.metadata.id])
                yield from self._whole(opened, part, ordered, {}, timeout)

    def _whole(
        self,
        opened: Opened,
        part: str | None,
        results: Sequence[Any],
        listed: Mapping[str, wire.References],
        timeout: float | None,
    ) -> Iterator[Row]:
        """Rows with their references: those of `listed`, else asked for one by one."""
        if not opened.schema.references:
            for result in results:
                yield wire.row(result, opened.schema, part, {})
            return
        ids = [i for i in wire.ids_of(results) if i not in listed]
        asked = self._each(ids, lambda i: self._beacons(opened, part, i, timeout))
        beacons = {**listed, **{i: held for i, held in zip(ids, asked, strict=True) if held is not None}}
        for result in results:
            if result.metadata.id in beacons:
                yield wire.row(result, opened.schema, part, beacons[result.metadata.id])

    def _listed_beacons(
        self, opened: Opened, part: str | None, ids: Sequence[str], timeout: float | None
    ) -> dict[str, wire.References]:
        """The references of a page of rows that follow each other, in one answer."""
        if not opened.schema.references:
            return {}
        params: dict[str, str | int] = {"class": opened.name, "limit": len(ids)}
        params["after"] = positions.after(uuid.UUID(ids[0]).int)
        if part:
            params["tenant"] = part
        held: Any = self._transport.rest(
            "GET", "/v1/objects", params=params, timeout=timeout, where=self._place(opened, part)
        )
        objects = cast("list[dict[str, Any]]", cast("dict[str, Any]", held or {}).get("objects") or [])
        return {str(o["id"]): _references(o, opened) for o in objects}

    def _beacons(
        self, opened: Opened, part: str | None, row: str, timeout: float | None
    ) -> wire.References | None:
        """The references of one row, dangling ones too; None where the row is gone."""
        params = {"tenant": part} if part else None
        path = f"/v1/objects/{quote(opened.name)}/{row}"
        try:
            held: Any = self._transport.rest(
                "GET", path, params=params, timeout=timeout, where=self._place(opened, part)
            )
        except PlumblineError as fault:
            if fault.code == "not-found":
                return None
            raise
        return _references(cast("dict[str, Any]", held or {}), opened)


def _references(held: Mapping[str, Any], opened: Opened) -> wire.References:
    """The beacons in one object of the REST interface."""
    values = cast("dict[str, Any]", held.get("properties") or {})
    return {
        name: tuple(str(r["beacon"]) for r in cast("list[dict[str, Any]]", values[name]))
        for name in opened.schema.references
        if values.get(name)
    }


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


def _proportional(totals: Sequence[int], n: int, rng: np.random.Generator) -> list[int]:
    """Rows to draw from each part: at most what it holds, n together, drawn without replacement."""
    rows = sum(totals)
    if n >= rows:
        return list(totals)
    if len(totals) == 1:
        return [n]
    return [int(x) for x in rng.multivariate_hypergeometric(np.array(totals, np.int64), n)]
