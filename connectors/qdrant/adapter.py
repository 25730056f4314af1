"""Qdrant behind the one interface of `connectors.protocol`: servers from 1.12 on, and the embedded store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from connectors.errors import unsupported
from connectors.model import Batch, Guard, RowId, Target, WriteResult
from connectors.qdrant.telling import Telling
from connectors.qdrant.writing import Writing


class QdrantConnector(Writing, Telling):
    """One open connection. Made without reaching the server; threads may share it.

    The parts, each on top of the one before: `Link` (connection, retries), `Describing`, `Scanning`, `Searching`,
    `Making` (collections), `Writing` (rows); beside them `Telling` (deleted rows, copies).
    """

    def replace_vectors(
        self, t: Target, batch: Batch, guard: Guard, *, timeout: float | None = None
    ) -> WriteResult:
        self._later("Replacing vectors", t)

    def merge_payload(
        self,
        t: Target,
        ids: Sequence[RowId],
        values: Sequence[Mapping[str, Any]],
        guard: Guard,
        *,
        timeout: float | None = None,
    ) -> WriteResult:
        self._later("Merging payload", t)

    def delete(
        self, t: Target, ids: Sequence[RowId], guard: Guard, *, timeout: float | None = None
    ) -> WriteResult:
        self._later("Deleting rows", t)

    def add_field(self, t: Target, field: Any, *, timeout: float | None = None) -> None:
        self._later("Adding a vector field", t)

    def drop_field(self, t: Target, name: str, *, timeout: float | None = None) -> None:
        self._later("Dropping a vector field", t)

    def point_alias(self, alias: str, to: str, expected: str | None, *, timeout: float | None = None) -> None:
        self._later("Moving an alias", alias)

    def drop_alias(self, alias: str, *, timeout: float | None = None) -> None:
        self._later("Dropping an alias", alias)

    def snapshot(self, t: Target, folder: str, *, timeout: float | None = None) -> str:
        self._later("Taking a snapshot", t)

    def _later(self, what: str, t: Target | str) -> NoReturn:
        raise unsupported(f"{what} comes with a later version.", self.where(t))
