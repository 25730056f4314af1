"""Rows in memory behind the connector's reading protocol: the matrix's generated collections.

It stands in for a server only where no server's behaviour is in question: exact search by matrix product,
Qdrant's cosine normalisation on write, NaN scores first as Qdrant 1.18 gives them, and an index that loses
rows where a fault says so. The same faults run on the real databases in test_real.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from connectors.errors import PlumblineError, unsupported
from connectors.filters import MISSING, Filter, lookup, matches
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
    PayloadField,
    Range,
    Row,
    RowId,
    SearchOptions,
    ServerInfo,
    ShardCopy,
    Target,
    Tombstones,
    VectorField,
    Vectors,
    id_key,
)

YES, NO = Capability(True), Capability(False, "rows in memory")


def stored(matrix: np.ndarray, kind: str, metric: str, storage: str = "float32") -> np.ndarray:
    """What a database keeps of the vectors that a producer sends."""
    out = np.array(matrix, np.float32)
    if kind == "qdrant" and metric == "cosine" and storage != "uint8":
        with np.errstate(all="ignore"):
            length = np.linalg.norm(out.astype(np.float64), axis=1)
            # Of a row with an infinity, divided by its length: NaN there, zeros beside it; a NaN is everywhere.
            out[length == np.inf] = np.where(np.isinf(out[length == np.inf]), np.nan, np.float32(0))
            out[np.isnan(length)] = np.nan
            scaled = (length > 3e-4) & (length < 3e19)
            out[scaled] = (out[scaled].astype(np.float64) / length[scaled, None]).astype(np.float32)
            out[np.isfinite(length) & (length >= 3e19)] = 0
    if storage == "float16":
        with np.errstate(over="ignore"):
            out = out.astype(np.float16).astype(np.float32)
    if storage == "uint8":
        out = np.clip(np.rint(out), 0, 255).astype(np.float32)
    return out


@dataclass
class Rows:
    """One collection. `hidden`: positions that the index never returns; `noise`: error of rescore-free scores."""

    ids: list[RowId]
    matrix: np.ndarray
    present: np.ndarray
    payloads: list[dict[str, Any]]
    metric: str = "cosine"
    storage: str = "float32"
    index: IndexState = field(default_factory=lambda: IndexState("ready"))
    index_config: Mapping[str, Any] = field(default_factory=dict)
    quantization: Mapping[str, Any] | None = None
    hidden: np.ndarray | None = None
    noise: float = 0.0
    marker: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    indexed: tuple[str, ...] | None = None
    """Payload fields with an index; None: all."""

    def ordered(self) -> Rows:
        order = sorted(range(len(self.ids)), key=lambda i: id_key(self.ids[i]))
        hidden = None if self.hidden is None else np.flatnonzero(np.isin(order, self.hidden))
        return replace(
            self,
            ids=[self.ids[i] for i in order],
            matrix=self.matrix[order],
            present=self.present[order],
            payloads=[self.payloads[i] for i in order],
            hidden=hidden,
        )


class Memory:
    """A connector over `Rows`, by collection name."""

    def __init__(self, spec: ConnectionSpec, held: Mapping[str, Rows]) -> None:
        self.spec = spec
        self.held = {name: rows.ordered() for name, rows in held.items()}

    def server(self, *, timeout: float | None = None) -> ServerInfo:
        return ServerInfo(self.spec.kind, "1.18.3" if self.spec.kind == "qdrant" else "1.39.0", "grpc", 0.1)

    def collections(self, *, timeout: float | None = None) -> tuple[CollectionSummary, ...]:
        return tuple(
            CollectionSummary(n, len(r.ids), (self._field(r),)) for n, r in sorted(self.held.items())
        )

    def _field(self, r: Rows) -> VectorField:
        normalised = self.spec.kind == "qdrant" and r.metric == "cosine" and r.storage != "uint8"
        return VectorField(
            "",
            dimension=r.matrix.shape[1],
            metric=r.metric,  # type: ignore[arg-type]
            storage=r.storage,  # type: ignore[arg-type]
            normalised_on_write=normalised,
            index=r.index_config,
            quantization=r.quantization,
        )

    def _rows(self, t: Target) -> Rows:
        if t.collection not in self.held:
            raise PlumblineError("not-found", f"There is no collection `{t.collection}`.", where=t.collection)
        return self.held[t.collection]

    def describe(self, t: Target, *, timeout: float | None = None) -> Description:
        r = self._rows(t)
        names = sorted({k for p in r.payloads for k in p})
        kinds = {bool: "bool", int: "integer", float: "float"}
        payload = tuple(
            PayloadField(
                n,
                kinds.get(type(next(p[n] for p in r.payloads if n in p)), "keyword"),
                indexed=r.indexed is None or n in r.indexed,
            )
            for n in names
        )
        return Description(t, len(r.ids), (self._field(r),), payload, marker=r.marker, settings=r.settings)

    def capabilities(self, t: Target | None = None, *, timeout: float | None = None) -> Capabilities:
        qdrant = self.spec.kind == "qdrant"
        return Capabilities(
            exact_search=YES if qdrant else Capability(False, "Weaviate has no exact search"),
            facet=YES,
            random_sample=YES,
            slices=NO,
            sees_non_finite=YES,
            keyword_search=NO,
            quantization_control=YES if qdrant else NO,
            update_queue=NO,
        )

    def index_state(self, t: Target, *, timeout: float | None = None) -> IndexState:
        return self._rows(t).index

    def tombstones(self, t: Target, *, timeout: float | None = None) -> Tombstones:
        raise unsupported("A list in memory keeps no deleted rows.", "")

    def copies(self, t: Target, *, timeout: float | None = None) -> tuple[ShardCopy, ...]:
        raise unsupported("A list in memory is one copy.", "")

    def tenants(self, t: Target, *, timeout: float | None = None) -> None:
        return None

    def aliases(self, *, timeout: float | None = None) -> tuple[Alias, ...]:
        return ()

    def marker(self, t: Target, *, timeout: float | None = None) -> Mapping[str, Any] | None:
        return self._rows(t).marker

    def ranges(self, t: Target, n: int, *, timeout: float | None = None) -> tuple[Range, ...]:
        ids = self._rows(t).ids
        cuts = sorted({len(ids) * i // n for i in range(1, n)} - {0, len(ids)})
        edges = [None, *(ids[c] for c in cuts), None]
        return tuple(Range(None, a, b) for a, b in itertools.pairwise(edges))

    def _batch(self, r: Rows, at: Sequence[int], fields: Sequence[str], payload: Any) -> Batch:
        rows = np.asarray(at, np.int64)
        present = r.present[rows]
        vectors = {
            f: Vectors(
                np.ascontiguousarray(np.where(present[:, None], r.matrix[rows], 0), np.float32), present
            )
            for f in fields
        }
        held = [r.payloads[i] for i in rows]
        if payload == ALL:
            return Batch(tuple(r.ids[i] for i in rows), vectors, {}, tuple(dict(p) for p in held))
        columns = {path: [_value(p, path) for p in held] for path in payload}
        return Batch(tuple(r.ids[i] for i in rows), vectors, columns)

    def scan(
        self,
        t: Target,
        fields: Sequence[str],
        over: Range | None = None,
        payload: Any = (),
        page_bytes: int = PAGE_BYTES,
        *,
        timeout: float | None = None,
    ) -> Iterator[Batch]:
        r = self._rows(t)
        at = [i for i, row in enumerate(r.ids) if over is None or over.holds(row)]
        page = max(1, page_bytes // max(1, 4 * r.matrix.shape[1]))
        for start in range(0, len(at), page):
            yield self._batch(r, at[start : start + page], fields, payload)

    def fetch(
        self,
        t: Target,
        ids: Sequence[RowId],
        fields: Sequence[str],
        payload: Any = (),
        *,
        timeout: float | None = None,
    ) -> Batch:
        r = self._rows(t)
        where = {row: i for i, row in enumerate(r.ids)}
        return self._batch(r, [where[i] for i in dict.fromkeys(ids) if i in where], fields, payload)

    def sample(
        self,
        t: Target,
        n: int,
        fields: Sequence[str] = (),
        payload: Any = (),
        seed: int = 0,
        *,
        timeout: float | None = None,
    ) -> Batch:
        r = self._rows(t)
        chosen = np.random.default_rng([7, seed]).permutation(len(r.ids))[:n]
        return self._batch(r, np.sort(chosen).tolist(), fields, payload)

    def count(self, t: Target, where: Filter | None = None, *, timeout: float | None = None) -> Count:
        return Count(len(self._passing(self._rows(t), where)))

    def _passing(self, r: Rows, where: Filter | None) -> np.ndarray:
        if where is None:
            return np.arange(len(r.ids))
        return np.array([i for i, p in enumerate(r.payloads) if matches(where, p, r.ids[i])], np.int64)

    def facet(
        self,
        t: Target,
        field: str,
        where: Filter | None = None,
        limit: int = 100,
        *,
        timeout: float | None = None,
    ) -> Facet:
        r = self._rows(t)
        at = self._passing(r, where)
        counts: dict[str, int] = {}
        for i in at:
            value = _value(r.payloads[i], field)
            if value is not None:
                counts[str(value)] = counts.get(str(value), 0) + 1
        best = dict(sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[:limit])
        return Facet(best, len(at) - sum(best.values()), True, len(at))

    def search(
        self,
        t: Target,
        field: str,
        queries: np.ndarray,
        k: int,
        where: Filter | None = None,
        options: SearchOptions = PLAIN,
        payload: Any = ALL,
        *,
        timeout: float | None = None,
    ) -> list[list[Hit]]:
        r = self._rows(t)
        at = self._passing(r, where)
        at = at[r.present[at]]
        if r.hidden is not None and not options.exact:
            at = at[~np.isin(at, r.hidden)]
        with np.errstate(all="ignore"):
            scores = self._scores(r, np.asarray(queries, np.float32), r.matrix[at])
            order_by = scores
            if r.noise and not (options.exact or options.rescore or options.unquantized):
                order_by = scores + np.random.default_rng(3).normal(0, r.noise, scores.shape)
        similar = self.spec.kind == "qdrant" and r.metric in ("cosine", "dot")
        out: list[list[Hit]] = []
        for row, ranking in zip(scores, order_by, strict=True):
            key = -ranking if similar else ranking
            key = np.where(np.isnan(key), -np.inf, key)
            best = np.argsort(key, kind="stable")[:k]
            out.append(
                [
                    Hit(
                        r.ids[at[j]],
                        float(row[j]),
                        "similarity" if similar else "distance",
                        dict(r.payloads[at[j]]) if payload == ALL else _some(r.payloads[at[j]], payload),
                    )
                    for j in best
                ]
            )
        return out

    def _scores(self, r: Rows, q: np.ndarray, m: np.ndarray) -> np.ndarray:
        q, m = q.astype(np.float64), m.astype(np.float64)
        if r.metric == "cosine":
            length = np.linalg.norm(m, axis=1)
            q = q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-300)
            m = m / np.where(length == 0, 1, length)[:, None]
        dots = q @ m.T
        if r.metric in ("cosine", "dot"):
            if self.spec.kind == "qdrant":
                return dots
            return 1 - dots if r.metric == "cosine" else -dots
        if r.metric == "manhattan":
            return np.abs(q[:, None, :] - m[None, :, :]).sum(axis=2)
        squared = np.maximum((q**2).sum(1)[:, None] + (m**2).sum(1)[None, :] - 2 * dots, 0)
        return np.sqrt(squared) if self.spec.kind == "qdrant" else squared

    def search_text(self, t: Target, *args: Any, **more: Any) -> list[Hit]:
        raise unsupported("Rows in memory have no keyword search.", t.collection)

    def export(self, t: Target, what: Any = None, *, timeout: float | None = None) -> Iterator[Row]:
        r = self._rows(t)
        for i, row in enumerate(r.ids):
            yield Row(row, {"": r.matrix[i]} if r.present[i] else {}, r.payloads[i])

    def close(self) -> None:
        return None


def _value(payload: Mapping[str, Any], path: str) -> Any:
    found = lookup(dict(payload), path)
    return None if found is MISSING else found


def _some(payload: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    return {p: v for p in paths if (v := _value(payload, p)) is not None}
