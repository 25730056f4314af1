"""A collection between the calls: its log is shortened, its index built, its configuration kept."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import qdrant_edge as edge
from google.protobuf import json_format

from connectors.qdrant.host import schema, sidecar
from connectors.qdrant.host.builder import Build
from connectors.qdrant.host.refused import Refused, disk_full

T = TypeVar("T")

CONFIG: Final = "collection.json"
DATA: Final = "data-"
"""Folders of the engine begin so; the configuration says which one is the collection."""

ROOM: Final = 96 * 1024 * 1024
"""Free bytes below which no write is begun: the log grows in 32 MB files that are mapped into memory,
and a mapped page that finds no room on the disk kills the process (SIGBUS)."""
COUNT_SECONDS: Final = 0.005
"""A count that takes longer than this is not made after every write."""
FLUSH_BYTES: Final = 128 * 1024 * 1024
QUIET: Final = 3.0
"""Seconds without a write after which the log is shortened and an index may be built."""
LONGEST_WAIT: Final = 60.0
"""Where writes never cease, an index is built after this many seconds all the same."""


class Upkeep:
    """What a collection does by itself. `Shard` opens it, reads and writes."""

    def __init__(self, name: str, folder: Path, config: Any, data: Path) -> None:
        self.name = name
        self.folder = folder
        self.config = config
        self.lock = threading.RLock()
        """Held by writes and by everything that opens, closes or replaces the engine's shard."""
        self.longest_call = 0.0
        self.frozen = False
        """A snapshot: nothing is built, nothing is written."""
        self._data = data
        self._engine: Any = None
        self._marks = sidecar.Sidecar(folder, data)
        self._low = self._high = 0
        self._count_cost = 0.0
        self._written_at = 0.0
        self._unflushed = 0
        self._unindexed = 0
        self._dead = 0
        self._stale = False
        self._waiting_since = 0.0
        self._build: Build | None = None

    def save_config(self) -> None:
        held = {
            "name": self.name,
            "data": self._data.name,
            "config": json_format.MessageToDict(self.config),
            "frozen": self.frozen,
        }
        sidecar.replace(self.folder / CONFIG, json.dumps(held, indent=1).encode())

    @property
    def at_work(self) -> bool:
        """Whether a child builds an index."""
        return self._build is not None

    @property
    def building(self) -> bool:
        """Whether an index is being built, or is due."""
        return self._build is not None or self._due()

    def tend(self) -> None:
        """Called every now and then: take over a build that has ended, begin one, shorten the log."""
        if self._engine is None:
            return
        if self._build is not None and (self._build.overrun or self._build.ended is not None):
            self._end_build()
        now = time.monotonic()
        settled = now - self._written_at > QUIET
        if self._unflushed and (settled or self._unflushed > FLUSH_BYTES):
            self._settle()
        if self._build is None and (settled or now - self._waiting_since > LONGEST_WAIT) and self._due():
            self._begin_build()

    def _settle(self) -> None:
        with self.lock:
            if self._engine is None:
                return
            if self._low != self._high:
                self._recount(self._engine)
            self._unflushed = 0
            self._timed(self._engine.flush)

    def _due(self) -> bool:
        if self.frozen:
            return False
        given = self.config.optimizer_config
        index_from = given.indexing_threshold * 1024
        enough_dead = given.vacuum_min_vector_number
        return bool(
            self._stale
            or (index_from and self._unindexed > index_from)
            or (self._dead > enough_dead and self._dead > given.deleted_threshold * self._high)
        )

    def _plain_bytes(self, engine: Any) -> int:
        """Bytes of vectors that no index holds yet."""
        info = engine.info()
        fields = len(schema.dense_params(self.config)) or 1
        plain = max(0, info.points_count * fields - info.indexed_vectors_count)
        return plain * schema.row_bytes(self.config) // fields

    def _begin_build(self) -> None:
        with self.lock:
            if self._engine is None or self._build is not None:
                return
            size = sum(p.stat().st_size for p in self._data.rglob("*") if p.is_file())
            self._unindexed = self._dead = 0
            self._stale = False
            self._waiting_since = time.monotonic()
            try:
                room(self.folder, size)
                target = self.folder / f"{DATA}{int(self._data.name.removeprefix(DATA)) + 1}"
                self._build = Build(self.folder, self._data, target)
            except (OSError, Refused) as fault:
                sys.stderr.write(f"collection {self.name!r}: its index is not built now: {fault}\n")

    def _give_up_build(self) -> None:
        if self._build is not None:
            self._build.discard()
            self._build = None

    def _end_build(self) -> None:
        with self.lock:
            build = self._build
            if build is None or self._engine is None:
                return
            built = None
            try:
                if build.overrun or not build.ended:
                    raise ValueError(
                        "too much was written meanwhile" if build.overrun else "the builder failed"
                    )
                built = self._load_engine(build.target)
                for operation in build.journal:
                    # An operation that failed in part fails in the same part here.
                    with contextlib.suppress(Exception):
                        built.update(operation)
                rows: int = self._engine.count(edge.CountRequest())
                if built.count(edge.CountRequest()) != rows:
                    raise ValueError("the built folder holds other rows")
                self._take_over(build.target, built, rows)
            except BaseException as fault:
                sys.stderr.write(f"collection {self.name!r}: a build is thrown away: {fault}\n")
                if built is not None and self._engine is not built:
                    with contextlib.suppress(BaseException):
                        built.close()
                self._give_up_build()
            self._build = None

    def _take_over(self, data: Path, engine: Any, rows: int) -> None:
        """From the line that saves the configuration on, `data` is the collection, after a crash too."""
        old, old_data = self._engine, self._data
        self._data = data
        try:
            self.save_config()
        except BaseException:
            self._data = old_data
            raise
        self._engine = engine
        self._marks.moved(data)
        self._bound(rows, rows)
        with contextlib.suppress(BaseException):
            old.close()
        shutil.rmtree(old_data, ignore_errors=True)

    def _note_written(self, size: int) -> None:
        self._written_at = time.monotonic()
        if not self._unflushed:
            self._waiting_since = self._written_at
        self._unflushed += size + 256
        self._unindexed += size

    def _bound(self, low: int, high: int) -> None:
        self._low, self._high = low, high
        self._marks.bound(low, high)

    def _recount(self, engine: Any) -> None:
        """Narrow the bounds to the true count."""
        started = time.perf_counter()
        rows: int = engine.count(edge.CountRequest())
        self._count_cost = time.perf_counter() - started
        self._bound(rows, rows)

    def _load_engine(self, data: Path) -> Any:
        return self._timed(lambda: edge.EdgeShard.load(str(data), schema.for_engine(self.config)))

    def _timed(self, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return call()
        finally:
            self.longest_call = max(self.longest_call, time.perf_counter() - started)


def room(folder: Path, size: int) -> None:
    """Raise `disk-full` where a write of `size` bytes might not fit."""
    free = shutil.disk_usage(folder).free
    if free < ROOM + 4 * size:
        raise disk_full(f"{free >> 20} MB are free at {folder}, and the embedded store keeps {ROOM >> 20} MB")
