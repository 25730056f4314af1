"""Whole rows in, and markers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from connectors.errors import PlumblineError, unsupported
from connectors.model import InsertMode, Row, RowId, Sparse, Target, VectorField, WriteResult
from connectors.qdrant import fields as settings
from connectors.qdrant import values, wire
from connectors.qdrant.describing import shard_key
from connectors.qdrant.making import Making
from connectors.qdrant.stubs import pb

BATCH_BYTES: Final = 4 * 1024 * 1024
BATCH_ROWS: Final = 2_000
SPOILT: Final = ("usage", "dimension-mismatch", "internal", "not-found")
"""Refusals that may be about one row of a batch: it is split until the row is found."""
EXISTS: Final = "a row with this id exists"
TWICE: Final = "the id stands twice among the rows"


class Writing(Making):
    def insert(
        self, t: Target, rows: Iterable[Row], mode: InsertMode = "new", *, timeout: float | None = None
    ) -> WriteResult:
        """Batches of about 4 MiB. Where the connection fails for good, the error says how many rows are written.

        Restored bit for bit, except: cosine fields with float storage are normalised by the server (a vector that
        holds NaN or Inf loses its other numbers), float16 and uint8 storage round.
        `new` writes with `insert_only` from Qdrant 1.17 on; an older server leaves a window between look and write.
        A row that somebody else inserts between both is left alone, and counted as done.
        """
        at = self.where(t)
        self.writable(at)
        info = self.info(t, timeout)
        if self._custom(info) and t.tenant is not None:
            rows = (_into(row, t.tenant) for row in rows)
        known = {f.name: f for f in settings.vector_fields(info)}
        old = self.since(1, 17, 0) is not True
        result = WriteResult()
        written: set[RowId] = set()
        for batch in self._batches(rows, known, old, info, written):
            result += WriteResult(
                skipped={r: p.why for r, p in batch.items() if p.why == TWICE},
                failed={r: p.why for r, p in batch.items() if p.why and p.why != TWICE},
            )
            good = {row: put for row, put in batch.items() if not put.why}
            try:
                result += self._put(t, good, mode, info, timeout)
            except PlumblineError as fault:
                raise _told(fault, len(result.done)) from None
            finally:
                # An alias and its collection are two names of the same rows.
                self._odd.clear()
        return result

    def set_marker(
        self, t: Target, marker: Mapping[str, Any] | None, *, timeout: float | None = None
    ) -> None:
        """Under one key of the collection's metadata; what else is there stays."""
        at = self.where(t)
        self.writable(at)
        if self.since(1, 16, 0) is False:
            raise unsupported(
                f"Qdrant {self._version_text} keeps no metadata with a collection.",
                at,
                "It came with 1.16. Choose the encoder with `plumbline encoder` instead.",
            )
        request = pb.UpdateCollection(collection_name=t.collection)
        try:
            values.put(request.metadata[settings.MARKER], None if marker is None else dict(marker))
        except ValueError as fault:
            raise PlumblineError("usage", f"The marker can't be kept: {fault}.", where=at) from None
        self.ask("Collections/Update", request, timeout, at=at, write=True)

    # Parts

    def _batches(
        self, rows: Iterable[Row], known: Mapping[str, VectorField], old: bool, info: Any, written: set[RowId]
    ) -> Iterator[dict[RowId, Put]]:
        most = BATCH_ROWS
        strict = settings.strict_mode(info)
        if strict is not None and strict.HasField("upsert_max_batchsize"):
            most = max(min(most, int(strict.upsert_max_batchsize)), 1)
        batch: dict[RowId, Put] = {}
        size, part = 0, None
        for row in rows:
            if row.id in written:
                yield {row.id: Put(None, TWICE)}
                continue
            made = point_of(row, known, old)
            if batch and (size + made.size > BATCH_BYTES or len(batch) >= most or row.part != part):
                yield batch
                batch, size = {}, 0
            written.add(row.id)
            batch[row.id] = made
            size, part = size + made.size, row.part
        if batch:
            yield batch

    def _put(
        self, t: Target, batch: Mapping[RowId, Put], mode: InsertMode, info: Any, timeout: float | None
    ) -> WriteResult:
        skipped: dict[RowId, str] = {}
        if mode == "new" and batch:
            there = self._there(t, list(batch), timeout)
            skipped = dict.fromkeys((row for row in batch if row in there), EXISTS)
        points = {row: point for row, point in batch.items() if row not in skipped}
        result = WriteResult(skipped=skipped)
        return result + self._upsert(t, points, mode, info, timeout) if points else result

    def _there(self, t: Target, ids: Sequence[RowId], timeout: float | None) -> set[RowId]:
        request = pb.GetPoints(
            collection_name=t.collection,
            ids=[wire.point_id(i) for i in ids],
            with_payload=pb.WithPayloadSelector(enable=False),
            with_vectors=pb.WithVectorsSelector(enable=False),
        )
        answer = self.get("Points/Get", request, "GetResponse", timeout, at=self.where(t))
        return set(wire.ids(answer.result))

    def _upsert(
        self, t: Target, points: Mapping[RowId, Put], mode: InsertMode, info: Any, timeout: float | None
    ) -> WriteResult:
        request = wire.message("UpsertPoints")(collection_name=t.collection, wait=True)
        request.points.extend(put.point for put in points.values())
        if mode == "new" and self.since(1, 17, 0) is True:
            request.update_mode = pb.UpdateMode.InsertOnly
        part = next(iter(points.values())).part
        if part is not None and self._custom(info):
            request.shard_key_selector.MergeFromString(
                pb.ShardKeySelector(shard_keys=[shard_key(part)]).SerializeToString()
            )
        try:
            raw = self.ask("Points/Upsert", request, timeout, at=self.where(t), write=True)
        except PlumblineError as fault:
            if fault.code not in SPOILT or (fault.code == "not-found" and "Collection" in fault.message):
                raise
            if len(points) == 1:
                return WriteResult(failed=dict.fromkeys(points, fault.message))
            rows = list(points)
            half = len(rows) // 2
            first = self._upsert(t, {r: points[r] for r in rows[:half]}, mode, info, timeout)
            return first + self._upsert(t, {r: points[r] for r in rows[half:]}, mode, info, timeout)
        status = pb.PointsOperationResponse.FromString(raw).result.status
        if status in (pb.UpdateStatus.Completed, pb.UpdateStatus.Acknowledged):
            return WriteResult(done=tuple(points))
        return WriteResult(failed=dict.fromkeys(points, f"the server says {pb.UpdateStatus.Name(status)}"))


@dataclass(frozen=True, slots=True)
class Put:
    """A `PointStruct`, or why the row can't be one."""

    point: Any | None
    why: str = ""
    part: str | None = None
    size: int = 64


def point_of(row: Row, known: Mapping[str, VectorField], old: bool) -> Put:
    """`old`: vectors in the form that servers before 1.16 read."""
    if row.references:
        return Put(None, "Qdrant keeps no references between rows")
    if row.unread:
        return Put(None, f"{row.unread[0]} was not read, so the row is not whole")
    if isinstance(row.id, int) and not 0 <= row.id < 2**64:
        return Put(None, "an integer id lies between 0 and 2**64 - 1")
    point = wire.message("PointStruct")()
    try:
        values.put_all(point.payload, row.payload)
    except ValueError as fault:
        return Put(None, f"the payload can't be kept: {fault}")
    point.id.MergeFromString(wire.point_id(row.id).SerializeToString())
    # A row without any vector still needs the empty map, else it is refused.
    point.vectors.vectors.SetInParent()
    for name, value in row.vectors.items():
        if why := _wrong(name, value, known):
            return Put(None, why)
        wire.put(point.vectors.vectors.vectors[name], value, old)
    return Put(point, "", row.part, point.ByteSize())


def _wrong(name: str, value: Any, known: Mapping[str, VectorField]) -> str | None:
    field = known.get(name)
    if field is None:
        return f"there is no vector field {name!r}"
    if isinstance(value, Sparse):
        if field.kind != "sparse":
            return f"the field {name!r} takes {field.kind} vectors, not sparse ones"
        if len(value.indices) != len(value.values):
            return (
                f"the sparse vector {name!r} has {len(value.indices)} indices and {len(value.values)} values"
            )
        if len(np.unique(value.indices)) != len(value.indices):
            return f"the sparse vector {name!r} has an index twice"
        return None
    shapes = {"dense": 1, "multi": 2}
    if field.kind not in shapes or value.ndim != shapes[field.kind]:
        return f"the field {name!r} takes {field.kind} vectors, not one of shape {value.shape}"
    if value.shape[-1] != field.dimension:
        return f"the vector {name!r} has {value.shape[-1]} dimensions where the field has {field.dimension}"
    if field.kind == "multi" and not len(value):
        return f"the multi-vector {name!r} holds no vector"
    return None


def _into(row: Row, part: str) -> Row:
    return Row(row.id, row.vectors, row.payload, row.references, row.part or part, row.server, row.unread)


def _told(fault: PlumblineError, done: int) -> PlumblineError:
    if not done:
        return fault
    return PlumblineError(
        fault.code,
        f"{fault.message} {done:,} rows were written before.",
        where=fault.where,
        hint=fault.hint,
        retry_after=fault.retry_after,
    )
