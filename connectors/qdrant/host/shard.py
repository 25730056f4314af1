"""One collection: the engine's shard, its configuration, and the marks that make damage visible.

The engine (qdrant-edge 0.9) holds the interpreter lock for the whole length of each call, so two of its
calls never overlap within the host, and no call may be long: rows are written in parts, and the index is
built by a child process (`builder`). A write is acknowledged once it is in the engine's write-ahead log,
which outlives a SIGKILL; `flush` only shortens the log.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final, TypeVar

import qdrant_edge as edge
from google.protobuf import json_format

from connectors.qdrant.host import schema, sidecar, strict
from connectors.qdrant.host.builder import Build
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import Refused, damaged, disk_full, fail, missing
from connectors.qdrant.host.vectors import VectorSpec

T = TypeVar("T")

CONFIG: Final = "collection.json"
CREATING: Final = "creating"
"""Stands in a folder until its collection is made whole."""
_DATA: Final = "data-"

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
VERIFY_PAGE: Final = 2_000


class Shard:
    """A collection that this host serves. Opening may raise Refused with the mark `damaged`."""

    def __init__(self, name: str, folder: Path, config: Any, data: str = f"{_DATA}1") -> None:
        self.name = name
        self.folder = folder
        self.config = config
        self.specs: dict[str, VectorSpec] = schema.specs(config)
        self.lock = threading.RLock()
        """Held by writes and by everything that opens, closes or replaces the engine's shard."""
        self.longest_call = 0.0
        self._data = folder / data
        self._engine: Any = None
        self._gone = False
        self._fault: str | None = None
        self._marks = sidecar.Sidecar(folder, self._data)
        self._low = self._high = 0
        self._count_cost = 0.0
        self._written_at = 0.0
        self._unflushed = 0
        self._unindexed = 0
        self._dead = 0
        self._stale = False
        self._waiting_since = 0.0
        self._build: Build | None = None

    @classmethod
    def create(cls, name: str, folder: Path, config: Any) -> Shard:
        """Make the folder; until the last line it is marked as one that is no collection yet."""
        shard = cls(name, folder, config)
        _room(folder.parent, 0)
        try:
            folder.mkdir()
            (folder / CREATING).touch()
            shard._data.mkdir()
            shard._engine = shard._timed(
                lambda: edge.EdgeShard.create(str(shard._data), schema.for_engine(config))
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
            held = json.loads((folder / CONFIG).read_bytes())
            config = pb.CollectionConfig()
            json_format.ParseDict(held["config"], config, ignore_unknown_fields=True)
            name, data = held["name"], held["data"]
            if not isinstance(name, str) or not isinstance(data, str) or not data.startswith(_DATA):
                raise ValueError("a name is missing")
        except (OSError, ValueError, KeyError, TypeError, json_format.ParseError) as fault:
            raise ValueError(f"{CONFIG} can't be read ({fault})") from fault
        return cls(name, folder, config, Path(data).name)

    def save_config(self) -> None:
        held = {
            "name": self.name,
            "data": self._data.name,
            "config": json_format.MessageToDict(self.config),
        }
        sidecar.replace(self.folder / CONFIG, json.dumps(held, indent=1).encode())

    def reconfigure(self, config: Any, rebuild: bool = False) -> None:
        """Keep a configuration whose vectors the engine has already taken over."""
        with self.lock:
            self._give_up_build()
            held, specs = self.config, self.specs
            self.config, self.specs = config, schema.specs(config)
            try:
                self.save_config()
            except BaseException:
                self.config, self.specs = held, specs
                raise
            self._stale = self._stale or rebuild

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
            raise self._no_more()
        if self._fault is not None:
            raise damaged(self.name, self._fault)
        try:
            self._sweep()
            opening = self._marks.before_open()
        except OSError as fault:
            fail(fault)
        if opening.fault is not None:
            raise self._broken(opening.fault)
        engine = None
        try:
            engine = self._load_engine(self._data)
            rows: int = engine.count(edge.CountRequest())
            _verify(engine, rows, whole=opening.rows is None)
            if not opening.low <= rows <= opening.high:
                expected = opening.low if opening.low == opening.high else f"{opening.low} to {opening.high}"
                raise ValueError(f"it holds {rows} rows where {expected} were acknowledged")
        except BaseException as fault:
            if engine is not None:
                with contextlib.suppress(BaseException):
                    engine.close()
            if (refused := _about_room(fault)) is not None:
                raise refused from fault
            raise self._broken(str(fault)) from fault
        self._low = self._high = rows
        self._marks.opened(rows)
        self._unindexed = self._plain_bytes(engine)
        self._engine = engine
        return engine

    def _load_engine(self, data: Path) -> Any:
        return self._timed(lambda: edge.EdgeShard.load(str(data), schema.for_engine(self.config)))

    def _sweep(self) -> None:
        """Remove builds that no longer have a host."""
        for stray in self.folder.glob(f"{_DATA}*"):
            if stray != self._data and self._data.is_dir():
                shutil.rmtree(stray, ignore_errors=True)

    def _broken(self, why: str) -> Refused:
        self._fault = why
        self._marks.release()
        sys.stderr.write(f"collection {self.name!r} is damaged: {why}\n")
        return damaged(self.name, why)

    def _no_more(self) -> Refused:
        return missing(f"Collection `{self.name}` doesn't exist!")

    def close(self) -> None:
        """Flush, close, and leave the mark of a clean close."""
        with self.lock:
            self._give_up_build()
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
            self._give_up_build()
            engine, self._engine = self._engine, None
            if engine is not None:
                with contextlib.suppress(BaseException):
                    engine.close()
            self._marks.release()
            self.folder.rename(aside)

    # Reading

    def read(self, call: Callable[[Any], T]) -> T:
        """Run a reading call on the engine; once more where a built folder took the place of the one it met."""
        while True:
            engine = self.engine()
            try:
                return self._timed(lambda e=engine: call(e))
            except BaseException as fault:
                if self._engine is engine:
                    fail(fault)
                if self._gone:
                    raise self._no_more() from fault

    def count(self, filter: Any = None, exact: bool = True) -> int:
        return self.read(lambda e: e.count(edge.CountRequest(exact=exact, filter=filter)))

    def admit(self, request: Any, writes: bool = False) -> None:
        """Hold a request against the collection's strict mode."""
        if self.config.strict_mode_config.enabled:
            indexed = frozenset(self.read(lambda e: e.info()).payload_schema)
            strict.check(self.config, request, indexed, writes)

    @property
    def building(self) -> bool:
        """Whether an index is being built, or is due."""
        return self._build is not None or self._due()

    # Writing

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
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
            counted = adds > 0 or removes != 0
            before = self._low
            if counted:
                self._bound(0 if removes is None else max(0, self._low - removes), self._high + adds)
            if self._build is not None:
                self._build.note(operation, size)
            try:
                self._timed(lambda: engine.update(operation))
            except BaseException as fault:
                fail(fault)
            finally:
                self._note_written(size)
                if counted and self._count_cost < COUNT_SECONDS:
                    self._recount(engine)
                    self._dead += max(0, adds - max(0, self._low - before), before - self._low)

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

    # Between the calls: the log and the index

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
                _room(self.folder, size)
                target = self.folder / f"{_DATA}{int(self._data.name.removeprefix(_DATA)) + 1}"
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

    def _timed(self, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return call()
        finally:
            self.longest_call = max(self.longest_call, time.perf_counter() - started)


def _verify(engine: Any, rows: int, whole: bool) -> None:
    """Every counted row can be walked to; `whole`: and read, vectors and payload. Raises ValueError."""
    seen, offset = 0, None
    while True:
        asked = edge.ScrollRequest(offset=offset, limit=VERIFY_PAGE, with_payload=whole, with_vector=whole)
        page, offset = engine.scroll(asked)
        seen += len(page)
        if offset is None:
            break
    if seen != rows:
        raise ValueError(f"{seen} of its {rows} rows can be read")


def _about_room(fault: BaseException) -> Refused | None:
    """An engine that finds no room has met no damage."""
    text = str(fault).lower()
    return disk_full(str(fault)) if "no space left" in text or "os error 28" in text else None


def _room(folder: Path, size: int) -> None:
    """Raise `disk-full` where a write of `size` bytes might not fit."""
    free = shutil.disk_usage(folder).free
    if free < ROOM + 4 * size:
        raise disk_full(f"{free >> 20} MB are free at {folder}, and the embedded store keeps {ROOM >> 20} MB")
