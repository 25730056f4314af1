"""Writes that are signed and come with a later version: each raises `unsupported`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.errors import PlumblineError, unsupported
from connectors.model import Batch, Guard, PayloadField, RowId, Target, WriteResult
from connectors.weaviate.searching import Searching

_LATER: Final = "It comes with a later version of Plumbline."


class Later(Searching):
    """Every change refuses with `read-only` on a connection that is."""

    def _may_write(self, where: str) -> None:
        if self.spec.read_only:
            raise PlumblineError(
                "read-only",
                "This connection is read-only.",
                where=f"{self.spec.name}/{where}",
                hint="Its `read_only` setting forbids changes.",
            )

    def index_payload(
        self, t: Target, fields: Sequence[PayloadField], *, timeout: float | None = None
    ) -> None:
        raise self._later(t, "Weaviate's property indexes are set when the collection is made", timeout)

    def replace_vectors(
        self, t: Target, batch: Batch, guard: Guard, *, timeout: float | None = None
    ) -> WriteResult:
        raise self._later(t, "Replacing vectors is not here yet", timeout)

    def merge_payload(
        self,
        t: Target,
        ids: Sequence[RowId],
        values: Sequence[Mapping[str, Any]],
        guard: Guard,
        *,
        timeout: float | None = None,
    ) -> WriteResult:
        raise self._later(t, "Merging payload is not here yet", timeout)

    def delete(
        self, t: Target, ids: Sequence[RowId], guard: Guard, *, timeout: float | None = None
    ) -> WriteResult:
        raise self._later(t, "Deleting rows is not here yet", timeout)

    def add_field(self, t: Target, field: Any, *, timeout: float | None = None) -> None:
        raise self._later(t, "Adding a vector field is not here yet", timeout)

    def drop_field(self, t: Target, name: str, *, timeout: float | None = None) -> None:
        raise self._later(t, "Weaviate can't drop a named vector", timeout)

    def point_alias(self, alias: str, to: str, expected: str | None, *, timeout: float | None = None) -> None:
        raise self._later(Target(alias), "Moving an alias is not here yet", timeout)

    def drop_alias(self, alias: str, *, timeout: float | None = None) -> None:
        raise self._later(Target(alias), "Dropping an alias is not here yet", timeout)

    def snapshot(self, t: Target, folder: str, *, timeout: float | None = None) -> str:
        raise self._later(t, "Weaviate has no snapshots of a collection", timeout)

    def _later(self, t: Target, what: str, timeout: float | None) -> PlumblineError:
        self._may_write(t.collection)
        hint = _LATER if "not here yet" in what else ""
        return unsupported(f"{what}.", self._where(t), hint)
