"""A connector without a database, for what no real one shows on demand: 500 collections, a server that
hangs, payloads that attack the page. Searches are exact, by numpy."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from connectors.errors import PlumblineError
from connectors.filters import Filter, matches
from connectors.model import (
    YES,
    Batch,
    Capabilities,
    Capability,
    CollectionSummary,
    Description,
    Facet,
    Hit,
    IndexState,
    Matrix,
    PayloadField,
    RowId,
    ServerInfo,
    ShardCopy,
    Target,
    Tombstones,
    VectorField,
    Vectors,
)
from connectors.spec import ConnectionSpec

CLIP = VectorField("clip", dimension=4, index={"type": "hnsw", "m": 16})


@dataclass
class Held:
    """One pretended collection: rows of (id, vector, payload)."""

    rows: Sequence[tuple[RowId, Sequence[float], Mapping[str, Any]]] = ()
    field: VectorField = CLIP
    marker: Mapping[str, Any] | None = None
    payload: Sequence[PayloadField] = ()
    count: int | None = None


@dataclass
class Pretend:
    """`fault`: what every call raises; `hold`: every call waits until it is set."""

    spec: ConnectionSpec
    held: dict[str, Held] = field(default_factory=dict)
    fault: PlumblineError | None = None
    hold: threading.Event | None = None
    calls: list[str] = field(default_factory=list)

    def _come(self, what: str) -> None:
        self.calls.append(what)
        if self.hold is not None:
            self.hold.wait(60)
        if self.fault is not None:
            raise self.fault

    def _of(self, t: Target) -> Held:
        if t.collection not in self.held:
            raise PlumblineError("not-found", "There is no such collection.", where=t.collection)
        return self.held[t.collection]

    def server(self, *, timeout: float | None = None) -> ServerInfo:
        self._come("server")
        return ServerInfo(self.spec.kind, "1.99.0", "grpc", 1.5)

    def collections(self, *, timeout: float | None = None) -> tuple[CollectionSummary, ...]:
        self._come("collections")
        return tuple(
            CollectionSummary(name, h.count if h.count is not None else len(h.rows), (h.field,))
            for name, h in sorted(self.held.items())
        )

    def describe(self, t: Target, *, timeout: float | None = None) -> Description:
        self._come("describe")
        h = self._of(t)
        return Description(t, len(h.rows), (h.field,), tuple(h.payload), marker=h.marker)

    def capabilities(self, t: Target | None = None, *, timeout: float | None = None) -> Capabilities:
        self._come("capabilities")
        return Capabilities(exact_search=YES, facet=YES, keyword_search=Capability(False, "pretended"))

    def index_state(self, t: Target, *, timeout: float | None = None) -> IndexState:
        self._come("index_state")
        return IndexState("ready")

    def tombstones(self, t: Target, *, timeout: float | None = None) -> Tombstones:
        self._come("tombstones")
        return Tombstones(0, 0)

    def copies(self, t: Target, *, timeout: float | None = None) -> tuple[ShardCopy, ...]:
        self._come("copies")
        return ()

    def marker(self, t: Target, *, timeout: float | None = None) -> Mapping[str, Any] | None:
        self._come("marker")
        return self._of(t).marker

    def facet(
        self, t: Target, field: str, where: Any = None, limit: int = 100, *, timeout: float | None = None
    ) -> Facet:
        self._come("facet")
        rows = self._of(t).rows
        tags: dict[str, int] = {}
        for _, _, payload in rows:
            if field in payload:
                tags[str(payload[field])] = tags.get(str(payload[field]), 0) + 1
        return Facet(tags, len(rows) - sum(tags.values()), True, len(rows))

    def fetch(
        self,
        t: Target,
        ids: Sequence[RowId],
        fields: Sequence[str],
        payload: Any = (),
        *,
        timeout: float | None = None,
    ) -> Batch:
        self._come("fetch")
        h = self._of(t)
        found = [r for i in ids for r in h.rows if r[0] == i]
        matrix = np.asarray([r[1] for r in found], np.float32).reshape(len(found), h.field.dimension or 0)
        return Batch(
            tuple(r[0] for r in found),
            {f: Vectors(matrix, np.ones(len(found), bool)) for f in fields},
            {},
            tuple(dict(r[2]) for r in found),
        )

    def search(
        self, t: Target, field: str, queries: Matrix, k: int, where: Filter | None = None, options: Any = None,
        payload: Any = "*", *, timeout: float | None = None,
    ) -> list[list[Hit]]:  # fmt: skip
        self._come("search")
        rows = [r for r in self._of(t).rows if where is None or matches(where, r[2], r[0])]
        out: list[list[Hit]] = []
        for query in np.asarray(queries, np.float32):
            scored = sorted(
                (
                    (float(np.dot(query, v) / (np.linalg.norm(query) * np.linalg.norm(v) or 1)), i, p)
                    for i, v, p in rows
                ),
                key=lambda s: -s[0],
            )
            out.append([Hit(i, s, "similarity", dict(p)) for s, i, p in scored[:k]])
        return out

    def close(self) -> None:
        self.calls.append("close")
