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
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final, TypeVar

import qdrant_edge as edge
from google.protobuf import json_format

from connectors.qdrant.host import schema, sidecar, strict
from connectors.qdrant.host.refused import Refused, damaged, disk_full, fail, missing, wrong
from connectors.qdrant.host.upkeep import CONFIG, COUNT_SECONDS, DATA, Upkeep, room
from connectors.qdrant.host.vectors import VectorSpec

T = TypeVar("T")

CREATING: Final = "creating"
"""Stands in a folder until its collection is made whole."""

VERIFY_PAGE: Final = 2_000


class Shard(Upkeep):
    """A collection that this host serves. Opening may raise Refused with the mark `damaged`."""

    def __init__(self, name: str, folder: Path, config: Any, data: str = f"{DATA}1") -> None:
        super().__init__(name, folder, config, folder / data)
        self.specs: dict[str, VectorSpec] = schema.specs(config)
        self._gone = False
        self._fault: str | None = None

    @classmethod
    def create(cls, name: str, folder: Path, config: Any) -> Shard:
        """Make the folder; until the last line it is marked as one that is no collection yet."""
        shard = cls(name, folder, config)
        room(folder.parent, 0)
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
            config = schema.read(held["config"])
            name, data, frozen = held["name"], held["data"], held.get("frozen") is True
            if not isinstance(name, str) or not isinstance(data, str) or not data.startswith(DATA):
                raise ValueError("a name is missing")
        except (OSError, ValueError, KeyError, TypeError, json_format.ParseError) as fault:
            raise ValueError(f"{CONFIG} can't be read ({fault})") from fault
        shard = cls(name, folder, config, Path(data).name)
        shard.frozen = frozen
        return shard

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
            if (refused := _aboutroom(fault)) is not None:
                raise refused from fault
            raise self._broken(str(fault)) from fault
        self._low = self._high = rows
        self._marks.opened(rows)
        self._unindexed = self._plain_bytes(engine)
        self._engine = engine
        return engine

    def _sweep(self) -> None:
        """Remove builds that no longer have a host."""
        for stray in self.folder.glob(f"{DATA}*"):
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
            if self.frozen:
                sidecar.replace(self.folder / sidecar.CLOSED, b'{"rows": %d, "files": {}}' % rows)
            else:
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
        if self.frozen:
            raise wrong(f"Collection `{self.name}` is a snapshot: it can't be written to")
        with self.lock:
            engine = self.engine()
            room(self.folder, size)
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


def _aboutroom(fault: BaseException) -> Refused | None:
    """An engine that finds no room has met no damage."""
    text = str(fault).lower()
    return disk_full(str(fault)) if "no space left" in text or "os error 28" in text else None
