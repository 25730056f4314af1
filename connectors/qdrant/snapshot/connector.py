"""A snapshot behind the reading protocol: shards that were unpacked, read as one collection."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from connectors.errors import PlumblineError, unsupported
from connectors.filters import Filter
from connectors.model import (
    ALL,
    PAGE_BYTES,
    PLAIN,
    Alias,
    Batch,
    Capabilities,
    Capability,
    CollectionSummary,
    ConnectionSpec,
    Count,
    Description,
    Facet,
    Hit,
    IndexState,
    Matrix,
    Range,
    Row,
    RowId,
    SearchOptions,
    ServerInfo,
    ShardCopy,
    Target,
    Tenant,
    Tombstones,
)
from connectors.protocol import PayloadChoice
from connectors.qdrant.adapter import QdrantConnector
from connectors.qdrant.snapshot import files
from connectors.qdrant.snapshot.merging import joined
from connectors.qdrant.snapshot.store import Unpacked, remove, unpack

_WRITES: Final = frozenset(
    {
        "create",
        "create_like",
        "drop",
        "insert",
        "index_payload",
        "set_marker",
        "replace_vectors",
        "merge_payload",
        "delete",
        "add_field",
        "drop_field",
        "point_alias",
        "drop_alias",
        "snapshot",
    }
)


class SnapshotConnector:
    """Reads one snapshot file; it is unpacked on the first call that needs its rows. Threads may share it.

    Rows of several shards are read shard after shard: `Range.part` is the shard's number then.
    """

    def __init__(self, spec: ConnectionSpec) -> None:
        if spec.kind != "qdrant" or spec.snapshot is None:
            raise PlumblineError(
                "settings",
                "Only snapshots of Qdrant can be read.",
                where=spec.name,
                hint="Its kind is `qdrant`.",
            )
        self.spec = replace(spec, read_only=True)
        self._file = Path(spec.snapshot).expanduser()
        self._name = files.collection_name(self._file)
        self._lock = threading.Lock()
        self._unpacked: Unpacked | None = None
        self._inner: QdrantConnector | None = None

    # Opening

    def _open(self) -> tuple[QdrantConnector, Unpacked]:
        with self._lock:
            if self._inner is None or self._unpacked is None:
                self._unpacked = unpack(self._file, self._name)
                path = str(self._unpacked.folder)
                self._inner = QdrantConnector(replace(self.spec, snapshot=None, path=path, url=None))
            return self._inner, self._unpacked

    def close(self) -> None:
        with self._lock:
            if self._inner is not None:
                self._inner.close()
            if self._unpacked is not None:
                remove(self._unpacked.root)
            self._inner = self._unpacked = None

    def _shards(self, t: Target, part: str | None = None) -> list[tuple[QdrantConnector, Target, str | None]]:
        """The inner targets of a target, with their parts; one of them where a part is named."""
        if t.collection != self._name:
            raise PlumblineError(
                "not-found",
                f"The snapshot holds the collection `{self._name}` only.",
                where=f"{self.spec.name}/{t.collection}",
            )
        if t.tenant is not None:
            raise PlumblineError(
                "unsupported", "A snapshot is read whole, not by tenant.", where=self.spec.name
            )
        inner, unpacked = self._open()
        several = len(unpacked.collections) > 1
        found = [
            (inner, Target(name), str(shard) if several else None)
            for name, shard in unpacked.collections.items()
        ]
        return found if part is None else [s for s in found if s[2] == part]

    # About it

    def server(self, *, timeout: float | None = None) -> ServerInfo:
        inner, unpacked = self._open()
        known = inner.server(timeout=timeout)
        notes = ("Read from a snapshot file, by the embedded engine: what a server does now can't be told.",)
        return replace(known, notes=(*notes, *unpacked.notes))

    def collections(self, *, timeout: float | None = None) -> tuple[CollectionSummary, ...]:
        """Without unpacking: the rows are counted once it is."""
        if self._unpacked is None:
            files.contents(self._file)
            return (CollectionSummary(self._name, None),)
        d = self.describe(Target(self._name), timeout=timeout)
        return (CollectionSummary(self._name, d.rows, d.vectors),)

    def describe(self, t: Target, *, timeout: float | None = None) -> Description:
        parts = [c.describe(inner, timeout=timeout) for c, inner, _ in self._shards(t)]
        _, unpacked = self._open()
        rows = sum(p.rows or 0 for p in parts)
        settings = {**parts[0].settings, "shards in the snapshot": len(parts)}
        if unpacked.notes:
            settings["snapshot"] = " ".join(unpacked.notes)
        return replace(parts[0], target=Target(self._name), rows=rows, aliases=(), settings=settings)

    def capabilities(self, t: Target | None = None, *, timeout: float | None = None) -> Capabilities:
        inner, unpacked = self._open()
        target = None if t is None else Target(next(iter(unpacked.collections)))
        known = inner.capabilities(target, timeout=timeout)
        return replace(
            known,
            aliases=Capability(None, "a snapshot does not hold aliases"),
            snapshots=Capability(False, "this is one"),
            tenants=Capability(False, "a snapshot is read whole"),
            keyword_search=known.keyword_search
            if len(unpacked.collections) == 1
            else Capability(False, "words are ranked per shard, and this snapshot has several"),
            update_queue=Capability(False, "a snapshot has no queue"),
            write_guard="none",
        )

    def index_state(self, t: Target, *, timeout: float | None = None) -> IndexState:
        states = [c.index_state(inner, timeout=timeout) for c, inner, _ in self._shards(t)]
        return IndexState(
            "unknown",
            "a snapshot tells what was indexed, not what the server's optimizer does",
            rows=sum(s.rows or 0 for s in states),
            indexed=sum(s.indexed or 0 for s in states),
            details=states[0].details,
        )

    def tombstones(self, t: Target, *, timeout: float | None = None) -> Tombstones:
        """Of the segments with an index, and of the shards that the file holds."""
        shards = len(self._shards(t))
        _, unpacked = self._open()
        if unpacked.deleted is None:
            raise unsupported(
                "The snapshot's segments keep deleted rows in a way that is not read.", self.spec.name
            )
        return Tombstones(unpacked.deleted, unpacked.rows, (shards, shards))

    def copies(self, t: Target, *, timeout: float | None = None) -> tuple[ShardCopy, ...]:
        raise unsupported("A snapshot file holds one copy of each shard.", self.spec.name)

    def tenants(self, t: Target, *, timeout: float | None = None) -> tuple[Tenant, ...] | None:
        return None

    def aliases(self, *, timeout: float | None = None) -> tuple[Alias, ...]:
        return ()

    def marker(self, t: Target, *, timeout: float | None = None) -> Mapping[str, Any] | None:
        inner, target, _ = self._shards(t)[0]
        return inner.marker(target, timeout=timeout)

    # Rows

    def ranges(self, t: Target, n: int, *, timeout: float | None = None) -> tuple[Range, ...]:
        found: list[Range] = []
        shards = self._shards(t)
        for inner, target, part in shards:
            own = inner.ranges(target, max(1, n // len(shards)), timeout=timeout)
            found += [over if part is None else replace(over, part=part) for over in own]
        return tuple(found)

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
        for inner, target, part in self._shards(t, over.part if over is not None else None):
            own = None if over is None else replace(over, part=None)
            for batch in inner.scan(target, fields, own, payload, page_bytes, timeout=timeout):
                yield batch if part is None else replace(batch, part=part)

    def fetch(
        self,
        t: Target,
        ids: Sequence[RowId],
        fields: Sequence[str],
        payload: PayloadChoice = (),
        *,
        timeout: float | None = None,
    ) -> Batch:
        found = [c.fetch(inner, ids, fields, payload, timeout=timeout) for c, inner, _ in self._shards(t)]
        return joined(found, {row: i for i, row in reversed(list(enumerate(ids)))})

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
        """Uniform: how many rows each shard gives is drawn by its rows (multivariate hypergeometric)."""
        shards = self._shards(t)
        if len(shards) == 1:
            inner, target, _ = shards[0]
            return inner.sample(target, n, fields, payload, seed, timeout=timeout)
        counts = [c.count(inner, timeout=timeout).rows for c, inner, _ in shards]
        drawn = np.random.default_rng([seed, 5]).multivariate_hypergeometric(
            counts, min(n, sum(counts)), method="marginals"
        )
        found = [
            c.sample(inner, int(k), fields, payload, seed, timeout=timeout)
            for (c, inner, _), k in zip(shards, drawn, strict=True)
            if k
        ]
        return joined(found or [shards[0][0].sample(shards[0][1], 0, fields, payload, seed)])

    def count(self, t: Target, where: Filter | None = None, *, timeout: float | None = None) -> Count:
        found = [c.count(inner, where, timeout=timeout) for c, inner, _ in self._shards(t)]
        return Count(sum(c.rows for c in found), all(c.exact for c in found), any(c.scanned for c in found))

    def facet(
        self,
        t: Target,
        field: str,
        where: Filter | None = None,
        limit: int = 100,
        *,
        timeout: float | None = None,
    ) -> Facet:
        shards = self._shards(t)
        found = [c.facet(inner, field, where, limit, timeout=timeout) for c, inner, _ in shards]
        counts: dict[str, int] = {}
        for one in found:
            for value, rows in one.values.items():
                counts[value] = counts.get(value, 0) + rows
        best = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit])
        rows = sum(f.rows for f in found)
        whole = all(len(f.values) < limit for f in found)
        return Facet(best, rows - sum(best.values()), all(f.exact for f in found) and whole, rows)

    def search(
        self,
        t: Target,
        field: str,
        queries: Matrix,
        k: int,
        where: Filter | None = None,
        options: SearchOptions = PLAIN,
        payload: PayloadChoice = ALL,
        *,
        timeout: float | None = None,
    ) -> list[list[Hit]]:
        found = [
            c.search(inner, field, queries, k, where, options, payload, timeout=timeout)
            for c, inner, _ in self._shards(t)
        ]
        return found[0] if len(found) == 1 else [_best(hits, k) for hits in zip(*found, strict=True)]

    def search_text(
        self,
        t: Target,
        text: str,
        k: int,
        where: Filter | None = None,
        fields: Sequence[str] = (),
        payload: PayloadChoice = ALL,
        *,
        timeout: float | None = None,
    ) -> list[Hit]:
        shards = self._shards(t)
        if len(shards) > 1:
            raise PlumblineError(
                "unsupported", "A snapshot of several shards has no keyword search.", where=self.spec.name
            )
        inner, target, _ = shards[0]
        return inner.search_text(target, text, k, where, fields, payload, timeout=timeout)

    def export(
        self, t: Target, what: Sequence[RowId] | Range | None = None, *, timeout: float | None = None
    ) -> Iterator[Row]:
        part = what.part if isinstance(what, Range) else None
        for inner, target, _ in self._shards(t, part):
            own = replace(what, part=None) if isinstance(what, Range) else what
            yield from inner.export(target, own, timeout=timeout)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name not in _WRITES:
            raise AttributeError(name)

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise PlumblineError(
                "read-only",
                "A snapshot file can't be changed.",
                where=self.spec.name,
                hint="Name its server.",
            )

        return refuse


def _best(shards: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
    """The best k of several rankings; what is not a number first, as a server gives it."""
    hits = [h for ranking in shards for h in ranking]
    sign = -1.0 if hits and hits[0].score_kind == "similarity" else 1.0
    return sorted(
        hits, key=lambda h: (not math.isnan(h.score), sign * h.score if not math.isnan(h.score) else 0)
    )[:k]
