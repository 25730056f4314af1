"""The one interface between the console and a database.

What a backend, or its version, cannot do is a `Capability`, and calling it raises `unsupported`.
Every call takes `timeout` in seconds (None: the connection's own) and raises `PlumblineError` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from connectors.filters import Filter
from connectors.model import (
    ALL,
    PAGE_BYTES,
    PLAIN,
    Alias,
    Batch,
    Capabilities,
    CollectionPlan,
    CollectionSummary,
    ConnectionSpec,
    Count,
    Description,
    Facet,
    Guard,
    Hit,
    IndexState,
    InsertMode,
    Matrix,
    PayloadField,
    Range,
    Row,
    RowId,
    SearchOptions,
    ServerInfo,
    ShardCopy,
    Target,
    Tenant,
    Tombstones,
    WriteResult,
)

PayloadChoice = Sequence[str] | str
"""`ALL`, or the field paths that become columns; `()` for none."""


class Reader(Protocol):
    """Reading and searching: never changes a collection."""

    spec: ConnectionSpec

    def server(self, *, timeout: float | None = None) -> ServerInfo: ...
    def collections(self, *, timeout: float | None = None) -> tuple[CollectionSummary, ...]:
        """Every collection in the order of names; one that can't be described carries its error."""
        ...

    def describe(self, t: Target, *, timeout: float | None = None) -> Description:
        """Resolves an alias. Raises `not-found`."""
        ...

    def capabilities(self, t: Target | None = None, *, timeout: float | None = None) -> Capabilities: ...
    def index_state(self, t: Target, *, timeout: float | None = None) -> IndexState: ...
    def tombstones(self, t: Target, *, timeout: float | None = None) -> Tombstones:
        """Raises `unsupported` with the reason where the database does not tell."""
        ...

    def copies(self, t: Target, *, timeout: float | None = None) -> tuple[ShardCopy, ...]:
        """Every copy of every shard. Raises `unsupported` with the reason where the database does not tell."""
        ...

    def tenants(self, t: Target, *, timeout: float | None = None) -> tuple[Tenant, ...] | None: ...
    def aliases(self, *, timeout: float | None = None) -> tuple[Alias, ...]: ...
    def marker(self, t: Target, *, timeout: float | None = None) -> Mapping[str, Any] | None: ...

    def ranges(self, t: Target, n: int, *, timeout: float | None = None) -> tuple[Range, ...]:
        """About `n` ranges (n per tenant where there are parts) that together hold every row exactly once."""
        ...

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
        """Rows in id order. `timeout` is for each page. `fields` are dense vector fields, () for none."""
        ...

    def fetch(
        self,
        t: Target,
        ids: Sequence[RowId],
        fields: Sequence[str],
        payload: PayloadChoice = (),
        *,
        timeout: float | None = None,
    ) -> Batch:
        """The rows that exist among `ids`, in the order of `ids`, each once."""
        ...

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
        """Up to `n` distinct rows, uniformly where the database can; see `capabilities().random_sample`."""
        ...

    def count(self, t: Target, where: Filter | None = None, *, timeout: float | None = None) -> Count: ...
    def facet(
        self,
        t: Target,
        field: str,
        where: Filter | None = None,
        limit: int = 100,
        *,
        timeout: float | None = None,
    ) -> Facet:
        """Counts per value without a scan. Raises `unsupported` where that would need one."""
        ...

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
        """For each of the (q, d) queries the k best rows, best first. Raises `dimension-mismatch` first.

        `payload`: `ALL` whole, a sequence: only these paths (kept nested under their full path as key).
        """
        ...

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
        """The keyword leg: BM25 or the like over text fields. Raises `unsupported`."""
        ...

    def export(
        self, t: Target, what: Sequence[RowId] | Range | None = None, *, timeout: float | None = None
    ) -> Iterator[Row]:
        """Whole rows, bit for bit."""
        ...

    def close(self) -> None: ...


class Writer(Protocol):
    """Changes. Every one raises `read-only` on a connection that is."""

    def create(self, name: str, plan: CollectionPlan, *, timeout: float | None = None) -> None:
        """Raises `changed` where the collection is there already."""
        ...

    def create_like(
        self,
        source: Target,
        name: str,
        *,
        vectors: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: float | None = None,
    ) -> tuple[str, ...]:
        """An empty collection with the same vectors, schema and settings; returns what could not be copied.

        `vectors` changes fields by name, for example `{"clip": {"dimension": 192}}`.
        """
        ...

    def drop(self, name: str, *, timeout: float | None = None) -> None:
        """Refuses an alias. Raises `not-found`."""
        ...

    def insert(
        self, t: Target, rows: Iterable[Row], mode: InsertMode = "new", *, timeout: float | None = None
    ) -> WriteResult:
        """`new` leaves an existing row alone (`skipped`); `replace` replaces it whole."""
        ...

    def index_payload(
        self, t: Target, fields: Sequence[PayloadField], *, timeout: float | None = None
    ) -> None: ...
    def set_marker(
        self, t: Target, marker: Mapping[str, Any] | None, *, timeout: float | None = None
    ) -> None: ...

    def replace_vectors(
        self, t: Target, batch: Batch, guard: Guard, *, timeout: float | None = None
    ) -> WriteResult: ...
    def merge_payload(
        self,
        t: Target,
        ids: Sequence[RowId],
        values: Sequence[Mapping[str, Any]],
        guard: Guard,
        *,
        timeout: float | None = None,
    ) -> WriteResult: ...
    def delete(
        self, t: Target, ids: Sequence[RowId], guard: Guard, *, timeout: float | None = None
    ) -> WriteResult: ...
    def add_field(self, t: Target, field: Any, *, timeout: float | None = None) -> None: ...
    def drop_field(self, t: Target, name: str, *, timeout: float | None = None) -> None: ...
    def point_alias(self, alias: str, to: str, expected: str | None, *, timeout: float | None = None) -> None:
        """Raises `changed` where the alias does not point to `expected` (None: must not exist)."""
        ...

    def drop_alias(self, alias: str, *, timeout: float | None = None) -> None: ...
    def snapshot(self, t: Target, folder: str, *, timeout: float | None = None) -> str: ...


class Connector(Reader, Writer, Protocol):
    """One open connection."""
