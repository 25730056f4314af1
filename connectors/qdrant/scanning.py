"""Reading rows: ranges, scans, fetches, samples, whole rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from connectors.model import (
    ALL,
    PAGE_BYTES,
    Batch,
    Payload,
    Range,
    Row,
    RowId,
    Sparse,
    Target,
    id_key,
)
from connectors.qdrant import fields as settings
from connectors.qdrant import values, wire
from connectors.qdrant.describing import shard_name
from connectors.qdrant.paging import Paging, Scope, chunks
from connectors.qdrant.stubs import pb
from connectors.qdrant.values import Choice

ID_BYTES: Final = 48
PER_RANGE: Final = 200
"""Sampled ids for each range: the rows of a range are then within about 15% of even."""


class Scanning(Paging):
    def ranges(self, t: Target, n: int, *, timeout: float | None = None) -> tuple[Range, ...]:
        """By the quantiles of sampled ids: even, however the ids lie. At most one range for each row."""
        info = self.info(t, timeout)
        scope = self.scope(t, info)
        rows = self._about(scope, None, timeout).rows if n > 1 else 0
        if n <= 1 or rows <= 1:
            return (Range(),)
        n = min(n, rows)
        wanted = min(max(n * PER_RANGE, 2_000), 200_000)
        ids = sorted(self._some_ids(scope, info, rows, wanted, timeout), key=id_key)
        cuts = list(dict.fromkeys(ids[len(ids) * i // n] for i in range(1, n))) if ids else []
        if cuts and cuts[0] == ids[0]:
            del cuts[0]
        edges: list[RowId | None] = [None, *cuts, None]
        return tuple(Range(None, a, b) for a, b in pairwise(edges))

    def scan(
        self,
        t: Target,
        fields: Sequence[str],
        over: Range | None = None,
        payload: Choice = (),
        page_bytes: int = PAGE_BYTES,
        *,
        timeout: float | None = None,
    ) -> Iterator[Batch]:
        """The next page is on its way while one is worked on. A page that fails is asked for again by itself."""
        info = self.info(t, timeout)
        wanted = tuple(dict.fromkeys(fields))
        sizes = settings.dimensions(info, wanted, self.where(t))
        scope = self.scope(t, info)
        request = self._scroll(scope, wanted, payload)
        expected = ID_BYTES + sum(4 * d + 16 for d in sizes.values())
        known = not isinstance(payload, str) and not payload
        pages = self._pages(
            request, over, page_bytes, expected if known else None, info, timeout, self.where(t)
        )
        for points in pages:
            yield _batch(points, sizes, payload)

    def fetch(
        self,
        t: Target,
        ids: Sequence[RowId],
        fields: Sequence[str],
        payload: Choice = (),
        *,
        timeout: float | None = None,
    ) -> Batch:
        info = self.info(t, timeout)
        sizes = settings.dimensions(info, tuple(dict.fromkeys(fields)), self.where(t))
        scope = self.scope(t, info)
        wanted = list(dict.fromkeys(ids))
        points = self._get(scope, wanted, sizes, values.selector(payload), info, timeout)
        return _batch([points[i] for i in wanted if i in points], sizes, payload)

    def sample(
        self,
        t: Target,
        n: int,
        fields: Sequence[str] = (),
        payload: Choice = (),
        seed: int = 0,
        *,
        timeout: float | None = None,
    ) -> Batch:
        """Few rows are drawn here, by the seed; of many the server draws, which knows no seed."""
        info = self.info(t, timeout)
        settings.dimensions(info, tuple(dict.fromkeys(fields)), self.where(t))
        scope = self.scope(t, info)
        rows = self._about(scope, None, timeout).rows
        ids = sorted(self._some_ids(scope, info, rows, n, timeout), key=id_key)
        rng = np.random.default_rng(seed)
        drawn = [ids[int(i)] for i in rng.permutation(len(ids))[:n]]
        return self.fetch(t, drawn, fields, payload, timeout=timeout)

    def export(
        self, t: Target, what: Sequence[RowId] | Range | None = None, *, timeout: float | None = None
    ) -> Iterator[Row]:
        info = self.info(t, timeout)
        scope = self.scope(t, info)
        if what is None or isinstance(what, Range):
            request = self._scroll(scope, None, ALL)
            for points in self._pages(request, what, PAGE_BYTES, None, info, timeout, self.where(t)):
                yield from map(whole_row, points)
            return
        wanted = list(dict.fromkeys(what))
        sizes = {f.name: f.dimension or 256 for f in settings.vector_fields(info)}
        for some in chunks(wanted, self._rows_at_once(sizes, info)):
            points = self._get(scope, some, None, values.selector(ALL), info, timeout)
            yield from (whole_row(points[i]) for i in some if i in points)

    # Parts

    def _some_ids(self, scope: Scope, info: Any, rows: int, n: int, timeout: float | None) -> set[RowId]:
        """All ids where there are few, else about `n` that the server draws."""
        if n <= 0 or rows == 0:
            return set()
        if rows <= max(2 * n, 4_000) or self.since(1, 11, 0) is not True:
            request = self._scroll(scope, (), ())
            at = self.where(scope.name)
            pages = self._pages(request, None, PAGE_BYTES, ID_BYTES, info, timeout, at)
            return {i for points in pages for i in wire.ids(points)}
        drawn: set[RowId] = set()
        deadline = time.monotonic() + self.timeout(timeout)
        most = self._most(info)
        for _ in range(20 + 4 * n // most):
            query = pb.QueryPoints(
                collection_name=scope.name,
                query=pb.Query(sample=pb.Sample.Random),
                limit=min(n, most),
                with_payload=pb.WithPayloadSelector(enable=False),
            )
            if scope.conditions:
                query.filter.must.extend(scope.conditions)
            if (shard := scope.selector()) is not None:
                query.shard_key_selector.CopyFrom(shard)
            request = pb.QueryBatchPoints(collection_name=scope.name, query_points=[query])
            left = max(deadline - time.monotonic(), 0.001)
            answer = self.get(
                "Points/QueryBatch", request, "QueryBatchResponse", left, at=self.where(scope.name)
            )
            before = len(drawn)
            drawn.update(wire.row_id(p.id) for p in answer.result[0].result)
            if len(drawn) >= n or len(drawn) == before:
                break
        return drawn


def whole_row(point: Any) -> Row:
    """A point parsed with `wire.message`, as a `Row`."""
    held: dict[str, np.ndarray[Any, np.dtype[np.float32]] | Sparse] = {}
    unread: list[str] = []
    for name, vector in wire.outputs(point).items():
        value = wire.whole(vector)
        if value is None:
            unread.append(f"vector {name!r}")
        else:
            held[name] = value
    part = shard_name(point.shard_key) if point.HasField("shard_key") else None
    return Row(wire.row_id(point.id), held, values.payload(point.payload), part=part, unread=tuple(unread))


def _batch(points: Sequence[Any], sizes: Mapping[str, int], payload: Choice) -> Batch:
    rows: list[Payload] = [] if payload == () else [values.payload(p.payload) for p in points]
    return Batch(
        wire.ids(points),
        {name: wire.dense(points, name, dimension) for name, dimension in sizes.items()},
        {} if isinstance(payload, str) else values.columns(rows, payload),
        tuple(rows) if isinstance(payload, str) else None,
    )
