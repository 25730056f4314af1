"""Whole rows: every vector, property and reference."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from connectors.errors import PlumblineError
from connectors.model import ALL, PAGE_BYTES, Range, Row, RowId, Target
from connectors.weaviate import positions, wire
from connectors.weaviate.core import Opened
from connectors.weaviate.reading import FETCHED, FIRST_PAGE, uuids
from connectors.weaviate.sampling import Sampling


class Exporting(Sampling):
    """Rows as they are, for copies and backups."""

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
            request = wire.listing(opened.schema, part, FIRST_PAGE, fields, ALL)
            request.metadata.creation_time_unix = request.metadata.last_update_time_unix = True
            for results in self._pages(opened, part, request, over, PAGE_BYTES, timeout):
                listed = self._listed_beacons(opened, part, wire.ids_of(results), timeout)
                yield from self._whole(opened, part, results, listed, timeout)

    def _exported_ids(self, opened: Opened, ids: Sequence[str], timeout: float | None) -> Iterator[Row]:
        fields = [f.name for f in opened.schema.vectors]
        for at in range(0, len(ids), FETCHED):
            some = ids[at : at + FETCHED]
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
