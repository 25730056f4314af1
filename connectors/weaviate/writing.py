"""Writing: collections, rows, markers. What comes with later versions raises `unsupported`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

from connectors.errors import PlumblineError
from connectors.model import (
    CollectionPlan,
    InsertMode,
    Range,
    Row,
    RowId,
    Target,
    WriteResult,
)
from connectors.weaviate import encode, plans, stubs
from connectors.weaviate.core import Opened
from connectors.weaviate.later import Later
from connectors.weaviate.reading import uuids
from connectors.weaviate.schema import Schema, check_name, join_description, split_description

_BATCH_ROWS: Final = 500
_BATCH_BYTES: Final = 8 * 1024 * 1024


class Writing(Later):
    """Every change refuses with `read-only` on a connection that is."""

    # Collections

    def create(self, name: str, plan: CollectionPlan, *, timeout: float | None = None) -> None:
        self._may_write(name)
        check_name(name)
        self._make(name, plans.from_plan(name, plan), timeout)

    def create_like(
        self,
        source: Target,
        name: str,
        *,
        vectors: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: float | None = None,
    ) -> tuple[str, ...]:
        self._may_write(name)
        check_name(name)
        body, left_out = plans.like(self._schema(source.collection, timeout), name, vectors)
        self._make(name, body, timeout)
        return left_out

    def _make(self, name: str, body: dict[str, Any], timeout: float | None) -> None:
        try:
            existing = self._schema(name, timeout).name
        except PlumblineError as fault:
            if fault.code != "not-found":
                raise
        else:
            what = "a collection" if existing == name else f"an alias or another spelling of {existing}"
            raise PlumblineError(
                "changed", f"{name} is there already: {what}.", where=f"{self.spec.name}/{name}"
            )
        where = f"{self.spec.name}/{name}"
        named: Any = body.get("vectorConfig") if body.get("vectorIndexType") else None
        first = {k: v for k, v in body.items() if k != "vectorConfig"} if named else body
        try:
            self._transport.rest("POST", "/v1/schema", body=first, timeout=timeout, where=where)
        except PlumblineError as fault:
            if "already exists" in fault.message or "already in use" in fault.message:
                raise PlumblineError("changed", f"{name} is there already.", where=fault.where) from None
            raise
        if not named:
            return
        # Up to 1.39 an unnamed vector takes named ones beside it only once the collection is there.
        try:
            held = {**self._schema(name, timeout).raw, "vectorConfig": named}
            self._transport.rest("PUT", f"/v1/schema/{quote(name)}", body=held, timeout=timeout, where=where)
        except PlumblineError:
            self._transport.rest("DELETE", f"/v1/schema/{quote(name)}", timeout=timeout, where=where)
            raise

    def drop(self, name: str, *, timeout: float | None = None) -> None:
        """Drop a collection by its own name, exactly spelt. Raises `usage` for an alias, `not-found`."""
        self._may_write(name)
        real = self._schema(name, timeout).name
        if real != name:
            alias = any(a.name == name for a in self.aliases(timeout=timeout))
            raise PlumblineError(
                "usage",
                f"{name} is {'an alias of' if alias else 'not the exact name of'} {real}: nothing was dropped.",
                where=f"{self.spec.name}/{name}",
                hint="A collection is dropped by its own name only.",
            )
        self._transport.rest(
            "DELETE", f"/v1/schema/{quote(name)}", timeout=timeout, where=f"{self.spec.name}/{name}"
        )

    def set_marker(
        self, t: Target, marker: Mapping[str, Any] | None, *, timeout: float | None = None
    ) -> None:
        """Keep a marker in the collection's description, behind the text for people; None takes it away.

        The server changes a schema as a whole: another change made in between is refused or lost.
        """
        self._may_write(t.collection)
        schema = self._schema(t.collection, timeout)
        text, _ = split_description(schema.raw.get("description"))
        body = {**schema.raw, "description": join_description(text, marker)}
        self._transport.rest(
            "PUT", f"/v1/schema/{schema.name}", body=body, timeout=timeout, where=self._where(t)
        )

    # Rows

    def insert(
        self, t: Target, rows: Iterable[Row], mode: InsertMode = "new", *, timeout: float | None = None
    ) -> WriteResult:
        """Store whole rows; `timeout` is for each request.

        `new`: a row with finite vectors is refused by the server itself where its id is there. One with
        NaN or infinity, which only the batch interface carries and that overwrites, is stored after a
        look for its id: whoever writes that id within the window between loses. `replace`: by batch.

        The server alters on the way in: timestamps; a null property is left out; dates and UUIDs are
        rewritten (nanoseconds, lower case); integers beyond 2**53 and coordinates are rounded to float64
        and float32; of a phone number `input` and `defaultCountry` count. An export restores unchanged.
        A collection with tenants needs `t.tenant`, or rows that name theirs in `part`; none is made or woken.
        """
        self._may_write(t.collection)
        schema = self._schema(t.collection, timeout)
        checked: set[str | None] = set()
        results: list[WriteResult] = []
        for chunk in _chunks(rows):
            groups: dict[str | None, list[Row]] = {}
            for row in chunk:
                groups.setdefault(t.tenant if t.tenant is not None else row.part, []).append(row)
            for part, some in groups.items():
                opened = Opened(schema, (part,))
                if part not in checked:
                    opened = self._writable(t, part, schema, timeout)
                    checked.add(part)
                results.append(self._insert(opened, part, some, mode, timeout))
        return _merged(results)

    def _writable(self, t: Target, part: str | None, schema: Schema, timeout: float | None) -> Opened:
        if schema.has_tenants and part is None:
            raise PlumblineError(
                "usage",
                f"{schema.name} has tenants: say into which one.",
                where=self._where(t),
                hint="CONNECTION/COLLECTION@TENANT",
            )
        part = part if schema.has_tenants or t.tenant is not None else None
        return self._open(Target(schema.name, t.tenant), Range(part) if part else None, timeout)

    def _insert(
        self, opened: Opened, part: str | None, rows: Sequence[Row], mode: InsertMode, timeout: float | None
    ) -> WriteResult:
        tenant = part if opened.schema.has_tenants else None
        failed: dict[RowId, str] = {}
        good: list[Row] = []
        for row in rows:
            try:
                uuids([row.id], "")
                encode.check(row, opened.schema)
                good.append(row)
            except (encode.Unwritable, PlumblineError) as fault:
                failed[row.id] = fault.message if isinstance(fault, PlumblineError) else str(fault)
        result = WriteResult(failed=failed)
        if mode == "replace":
            return result + self._by_batch(opened, tenant, good, timeout)
        finite = [row for row in good if encode.is_finite(row)]
        odd = [row for row in good if not encode.is_finite(row)]
        posted = self._each(finite, lambda row: self._post(opened, tenant, row, timeout))
        return _merged([result, *posted, self._if_absent(opened, tenant, odd, timeout)])

    def _post(self, opened: Opened, tenant: str | None, row: Row, timeout: float | None) -> WriteResult:
        """`POST /v1/objects`: the server refuses an id that is there."""
        try:
            body = encode.to_rest(row, opened.schema, tenant)
            self._transport.rest(
                "POST", "/v1/objects", body=body, timeout=timeout, where=self._place(opened, tenant)
            )
        except encode.Unwritable as fault:
            return WriteResult(failed={row.id: str(fault)})
        except ValueError as fault:
            return WriteResult(failed={row.id: f"it is not JSON: {fault}"})
        except PlumblineError as fault:
            if "already exists" in fault.message:
                return WriteResult(skipped={row.id: "the id is there already"})
            if "invalid cref" in fault.message:
                return self._if_absent(opened, tenant, [row], timeout)
            if _is_about_row(fault):
                return WriteResult(failed={row.id: fault.message})
            raise
        return WriteResult(done=(row.id,))

    def _if_absent(
        self, opened: Opened, tenant: str | None, rows: Sequence[Row], timeout: float | None
    ) -> WriteResult:
        """Look, then store by batch; the time between is the window."""
        if not rows:
            return WriteResult()
        alone = Opened(opened.schema, (tenant,))
        found = {
            r.metadata.id
            for _, results in self._of_ids(alone, [str(r.id) for r in rows], (), (), timeout)
            for r in results
        }
        skipped: dict[RowId, str] = {r.id: "the id is there already" for r in rows if r.id in found}
        absent = [r for r in rows if r.id not in found]
        return WriteResult(skipped=skipped) + self._by_batch(opened, tenant, absent, timeout)

    def _by_batch(
        self, opened: Opened, tenant: str | None, rows: Sequence[Row], timeout: float | None
    ) -> WriteResult:
        """One batch over gRPC; rows whose references point nowhere get them afterwards."""
        objects: list[encode.BatchObject] = []
        sent: list[Row] = []
        failed: dict[RowId, str] = {}
        for row in rows:
            try:
                objects.append(encode.to_batch(row, opened.schema, tenant))
                sent.append(row)
            except encode.Unwritable as fault:
                failed[row.id] = str(fault)
        faults = self._send(opened, tenant, objects, timeout)
        dangling = [i for i, said in faults.items() if "invalid cref" in said]
        if dangling:
            bare = [encode.to_batch(sent[i], opened.schema, tenant, with_references=False) for i in dangling]
            again = self._send(opened, tenant, bare, timeout)
            for at, i in enumerate(dangling):
                said = again.get(at) or self._refer(opened, tenant, sent[i], timeout)
                if said:
                    faults[i] = said
                else:
                    del faults[i]
        failed |= {sent[i].id: said for i, said in faults.items()}
        done = tuple(row.id for i, row in enumerate(sent) if i not in faults)
        return WriteResult(done=done, failed=failed)

    def _send(
        self, opened: Opened, tenant: str | None, objects: Sequence[encode.BatchObject], timeout: float | None
    ) -> dict[int, str]:
        """Index -> why it was not stored."""
        if not objects:
            return {}
        request = stubs.batch.BatchObjectsRequest(objects=objects)
        reply = self._transport.call(
            "BatchObjects", request, timeout=timeout, where=self._place(opened, tenant)
        )
        return {int(e.index): str(e.error) for e in reply.errors}

    def _refer(self, opened: Opened, tenant: str | None, row: Row, timeout: float | None) -> str | None:
        """Add references one by one, which the server does not look up; why not, or None."""
        request = stubs.batch.BatchReferencesRequest()
        for name, beacons in row.references.items():
            for beacon in beacons:
                collection, to = encode.parse_beacon(beacon)
                request.references.add(
                    name=name,
                    from_collection=opened.name,
                    from_uuid=str(row.id),
                    to_collection=collection or opened.schema.references[name][0],
                    to_uuid=to,
                    tenant=tenant or "",
                )
        reply = self._transport.call(
            "BatchReferences", request, timeout=timeout, retry=False, where=self._place(opened, tenant)
        )
        errors = cast("Sequence[Any]", reply.errors)
        return f"stored without all of its references: {errors[0].error}" if errors else None


def _chunks(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Rows in order, at most 500 or about 8 MiB of vectors together."""
    chunk: list[Row] = []
    size = 0
    for row in itertools.chain(rows):
        weight = 256 + sum(_bytes_of(v) for v in row.vectors.values()) + _payload_bytes(row.payload)
        if chunk and (len(chunk) >= _BATCH_ROWS or size + weight > _BATCH_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += weight
    if chunk:
        yield chunk


def _merged(results: Sequence[WriteResult]) -> WriteResult:
    """The sum of many results, in linear time."""
    done = tuple(i for r in results for i in r.done)
    skipped = {i: why for r in results for i, why in r.skipped.items()}
    missing = tuple(i for r in results for i in r.missing)
    return WriteResult(done, skipped, missing, {i: why for r in results for i, why in r.failed.items()})


def _bytes_of(vector: Any) -> int:
    return int(getattr(vector, "nbytes", 0))


def _payload_bytes(payload: Mapping[str, Any]) -> int:
    return sum(len(v) if isinstance(v, str) else 64 for v in payload.values())


def _is_about_row(fault: PlumblineError) -> bool:
    """Whether a refusal is about one row, not about the connection, the key or the server's state."""
    return fault.code in ("internal", "dimension-mismatch", "not-found", "usage")
