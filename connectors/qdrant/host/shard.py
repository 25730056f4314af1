"""One collection: the engine's shard, its configuration, and the marks that make damage visible.

The engine (qdrant-edge 0.9) holds the interpreter lock for the whole length of each call. So two of its
calls never overlap within the host, and no call may be long: the index is built in steps, in small
segments, whenever a step's worth of vectors has been written. A write is acknowledged once it is in the
engine's write-ahead log, which outlives a SIGKILL; `flush` only shortens the log.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import qdrant_edge as edge
from google.protobuf import json_format

from connectors.qdrant.host import schema, sidecar
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import damaged, disk_full, fail, missing
from connectors.qdrant.host.vectors import VectorSpec

T = TypeVar("T")

CONFIG: Final = "collection.json"
CREATING: Final = "creating"
"""Stands in a folder until its collection is made whole."""
DATA: Final = "shard"

STEP_SECONDS: Final = 0.25
"""What one step of indexing should take; the size of a step follows from the last one."""
SMALLEST_STEP: Final = 128 * 1024
LARGEST_STEP: Final = 3 * 1024 * 1024
FIRST_STEP: Final = 1024 * 1024
ROOM: Final = 96 * 1024 * 1024
"""Free bytes below which no write is begun: the log grows in 32 MB files that are mapped into memory,
and a mapped page that finds no room on the disk kills the process (SIGBUS)."""
COUNT_SECONDS: Final = 0.005
FLUSH_BYTES: Final = 128 * 1024 * 1024


class Shard:
    """A collection that this host serves. `open` may raise Refused with the mark `damaged`."""

    def __init__(self, name: str, folder: Path, config: Any) -> None:
        self.name = name
        self.folder = folder
        self.config = config
        self.specs: dict[str, VectorSpec] = schema.specs(config)
        self.lock = threading.RLock()
        """Held by writes and by everything that opens, closes or replaces the engine's shard."""
        self.longest_call = 0.0
        self.written_at = 0.0
        self._engine: Any = None
        self._gone = False
        self._fault: str | None = None
        self._marks = sidecar.Sidecar(folder, folder / DATA)
        self._low = self._high = 0
        self._count_cost = 0.0
        self._unindexed = 0
        self._unflushed = 0
        self._step = FIRST_STEP

    @classmethod
    def create(cls, name: str, folder: Path, config: Any) -> Shard:
        """Make the folder; until the last line it is marked as one that is no collection yet."""
        shard = cls(name, folder, config)
        _room(folder.parent, 0)
        try:
            folder.mkdir()
            (folder / CREATING).touch()
            (folder / DATA).mkdir()
            shard._engine = shard._timed(
                lambda: edge.EdgeShard.create(str(folder / DATA), schema.for_engine(config))
            )
            shard._marks.opened(0)
            shard.save_config()
            (folder / CREATING).unlink()
        except BaseException as fault:
            shutil.rmtree(folder, ignore_errors=True)
            fail(fault)
        return shard

    @classmethod
    def load(cls, folder: Path) -> Shard:
        """The collection of a folder, not yet opened. Raises ValueError where its configuration is unreadable."""
        try:
            config = pb.CollectionConfig()
            held = json_format.json.loads((folder / CONFIG).read_bytes())
            json_format.ParseDict(held["config"], config, ignore_unknown_fields=True)
            return cls(held["name"], folder, config)
        except (OSError, ValueError, KeyError, TypeError, json_format.ParseError) as fault:
            raise ValueError(f"{CONFIG} can't be read ({fault})") from fault

    def reconfigure(self, config: Any) -> None:
        """Keep a configuration whose vectors the engine has already taken over."""
        self.config, self.specs = config, schema.specs(config)
        self.save_config()

    def save_config(self) -> None:
        held = {"name": self.name, "config": json_format.MessageToDict(self.config)}
        sidecar.replace(self.folder / CONFIG, json_format.json.dumps(held, indent=1).encode())

    # Opening and closing

    def engine(self) -> Any:
        """The open shard; opens it on first use."""
        engine = self._engine
        if engine is None:
            with self.lock:
                engine = self._engine or self._open()
        return engine

    def _open(self) -> Any:
        if self._gone:
            raise missing(f"Collection `{self.name}` doesn't exist!")
        if self._fault is not None:
            raise damaged(self.name, self._fault)
        try:
            opening = self._marks.before_open()
        except OSError as fault:
            fail(fault)
        if opening.fault is not None:
            raise self._broken(opening.fault)
        try:
            engine: Any = self._timed(
                lambda: edge.EdgeShard.load(str(self.folder / DATA), schema.for_engine(self.config))
            )
            rows: int = engine.count(edge.CountRequest())
            self._verify(engine, rows)
        except BaseException as fault:
            raise self._broken(f"the engine can't open it ({fault})") from fault
        if not opening.low <= rows <= opening.high:
            engine.close()
            expected = opening.low if opening.low == opening.high else f"{opening.low} to {opening.high}"
            raise self._broken(f"{rows} rows were found where {expected} were acknowledged")
        self._low = self._high = rows
        self._marks.opened(rows)
        info = engine.info()
        self._unindexed = max(0, info.points_count - info.indexed_vectors_count) * schema.row_bytes(
            self.config
        )
        self._engine = engine
        return engine

    @staticmethod
    def _verify(engine: Any, rows: int) -> None:
        """Every counted row can be walked to. Raises ValueError."""
        seen, offset = 0, None
        while True:
            page, offset = engine.scroll(edge.ScrollRequest(offset=offset, limit=5_000))
            seen += len(page)
            if offset is None:
                break
        if seen != rows:
            raise ValueError(f"{seen} of {rows} rows can be read")

    def _broken(self, why: str) -> Exception:
        self._fault = why
        self._marks.release()
        print(f"collection {self.name!r} is damaged: {why}", file=sys.stderr, flush=True)
        return damaged(self.name, why)

    def close(self) -> None:
        """Flush, close, and leave the mark of a clean close."""
        with self.lock:
            if self._engine is None:
                return
            rows = self._engine.count(edge.CountRequest())
            engine, self._engine = self._engine, None
            engine.close()
            self._marks.closed(rows)

    def drop(self, aside: Path) -> None:
        """Close without a mark and move the folder out of the way."""
        with self.lock:
            self._gone = True
            engine, self._engine = self._engine, None
            if engine is not None:
                with contextlib.suppress(Exception):
                    engine.close()
            self._marks.release()
            self.folder.rename(aside)

    # Reading

    def read(self, call: Callable[[Any], T]) -> T:
        """Run a reading call on the engine."""
        engine = self.engine()
        try:
            return self._timed(lambda: call(engine))
        except BaseException as fault:
            if self._gone or self._engine is not engine:
                raise missing(f"Collection `{self.name}` doesn't exist!") from fault
            fail(fault)

    def count(self, filter: Any = None, exact: bool = True) -> int:
        return self.read(lambda e: e.count(edge.CountRequest(exact=exact, filter=filter)))

    # Writing

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Several operations as one: no other write comes between them."""
        with self.lock:
            self.engine()
            yield

    def write(self, operation: Any, *, adds: int = 0, removes: int | None = 0, size: int = 0) -> None:
        """Apply one engine operation. At most `adds` rows are new and `removes` go (None: any number);
        `size` are the bytes of its vectors. Returns once it is in the log."""
        with self.lock:
            engine = self.engine()
            _room(self.folder, size)
            counted = adds or removes != 0
            if counted:
                low = 0 if removes is None else max(0, self._low - removes)
                self._bound(low, self._high + adds)
            try:
                self._timed(lambda: engine.update(operation))
            except BaseException as fault:
                fail(fault)
            finally:
                self.written_at = time.monotonic()
                self._unflushed += size + 256
                if counted and self._count_cost < COUNT_SECONDS:
                    self.recount()
            if size:
                self._unindexed += size
                self._index_a_step()

    def _bound(self, low: int, high: int) -> None:
        self._low, self._high = low, high
        self._marks.bound(low, high)

    def recount(self) -> None:
        """Narrow the bounds to the true count."""
        with self.lock:
            if self._engine is None:
                return
            started = time.perf_counter()
            rows: int = self._engine.count(edge.CountRequest())
            self._count_cost = time.perf_counter() - started
            self._bound(rows, rows)

    # Index and log

    @property
    def step(self) -> int:
        """Bytes of vectors to write before the next step of indexing."""
        return self._step

    def _index_a_step(self) -> None:
        if self._unindexed < self._step or not self.config.optimizer_config.indexing_threshold:
            return
        self._unindexed = 0
        started = time.perf_counter()
        try:
            self._timed(self._engine.optimize)
        except BaseException as fault:
            fail(fault)
        spent = time.perf_counter() - started
        self._step = int(min(LARGEST_STEP, max(SMALLEST_STEP, self._step * min(2.0, STEP_SECONDS / spent))))

    def settle(self, quiet: float) -> None:
        """Called now and then: after `quiet` seconds without a write, narrow the bounds and shorten the log."""
        if self._engine is None or not self._unflushed:
            return
        if time.monotonic() - self.written_at < quiet and self._unflushed < FLUSH_BYTES:
            return
        with self.lock:
            if self._engine is None:
                return
            if self._low != self._high:
                self.recount()
            self._unflushed = 0
            try:
                self._timed(self._engine.flush)
            except BaseException as fault:
                fail(fault)

    def _timed(self, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return call()
        finally:
            self.longest_call = max(self.longest_call, time.perf_counter() - started)


def _room(folder: Path, size: int) -> None:
    """Raise `disk-full` where a write of `size` bytes might not fit."""
    free = shutil.disk_usage(folder).free
    if free < ROOM + 4 * size:
        raise disk_full(f"{free >> 20} MB are free at {folder}, and the embedded store keeps {ROOM >> 20} MB")
