"""Reports, what is kept beside them, and pinned baselines: in SQLite by default, in PostgreSQL by URL."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote

import numpy.typing as npt
from sqlalchemy import ColumnElement, and_, delete, false, func, insert, select, text, true
from sqlalchemy.exc import IntegrityError

from connectors.errors import PlumblineError
from console.settings import Address, Retention, Settings
from console.store import engine as engines
from console.store import tables
from console.store.blobs import packed, parts, unpacked
from console.store.headlines import Headline, as_text, headline, in_utc, light_of
from console.store.ids import new_id
from console.store.migrate import upgrade
from console.store.retention import NEWEST, let_go

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Configured(Protocol):
    """Who knows the settings: a workspace."""

    @property
    def settings(self) -> Settings: ...


class Saved(Protocol):
    """A report: its JSON, and the arrays that are kept beside it."""

    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def arrays(self) -> Mapping[str, npt.NDArray[Any]]: ...


class Stored(dict[str, Any]):
    """A report as it was saved: its JSON, and what was kept beside it (empty where that was let go)."""

    def __init__(self, data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]] | None = None) -> None:
        super().__init__(data)
        self.arrays: Mapping[str, npt.NDArray[Any]] = arrays or {}

    @property
    def data(self) -> Mapping[str, Any]:
        return self

    @property
    def id(self) -> str:
        return str(self["id"])


@dataclass(slots=True)
class _Opened:
    store: Store
    file: tuple[int, int] | None


_opened: dict[str, _Opened] = {}
_lock = threading.Lock()


class Store:
    """Shared by the threads of a process. Every method raises `PlumblineError` only."""

    def __init__(self, engine: Engine, where: str, retention: Retention, wait: float | None = None) -> None:
        self._engine = engine
        self.where = where
        self._retention = retention
        self._wait = wait

    def __repr__(self) -> str:
        return f"Store({self.where})"

    @classmethod
    def open(cls, ws: Configured | Settings, *, wait: float | None = None) -> Store:
        """The store that the settings name, brought to this version; opened once in a process.

        `wait`: seconds for which it waits to read where another process holds a lock; writes are as patient as ever.
        As a context manager it stays open behind it: the next `open` gets the same.

        Raises `settings`, `unreachable`, `unauthorised`, `busy`, `disk-full`, `damaged`, `extra-missing`,
        and `unsupported` for a store of a newer version.
        """
        settings = ws if isinstance(ws, Settings) else ws.settings
        url, where = engines.place(settings.store_url, settings.home)
        key = url.render_as_string(hide_password=False)
        with _lock:
            held = _opened.get(key)
            if held is not None and held.file == _identity(url.database, url.get_backend_name()):
                if held.store._retention == settings.retention:
                    return held.store._waiting(wait)
                engine = held.store._engine
            else:
                engine = engines.engine(url, where)
                upgrade(engine, where, wait)
            store = cls(engine, where, settings.retention)
            _opened[key] = _Opened(store, _identity(url.database, url.get_backend_name()))
            return store._waiting(wait)

    def _waiting(self, wait: float | None) -> Store:
        return self if wait is None else Store(self._engine, self.where, self._retention, wait)

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction for whoever only looks."""
        return engines.transaction(self._engine, self.where, wait=self._wait)

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that waits as long as keeping a finished result is worth."""
        return engines.transaction(self._engine, self.where, write=True, wait=engines.SAVE_SECONDS)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: connections are given back after each call."""

    def close(self) -> None:
        """Ends the connections; a later `open` begins anew."""
        with _lock:
            for key in [k for k, held in _opened.items() if held.store._engine is self._engine]:
                del _opened[key]
        self._engine.dispose()

    def save(
        self, report: Saved | Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> str:
        """Keeps a report and lets go of what is past the retention; returns its id.

        The report's own `id` where it has one, else a new one. Saving the same report again changes nothing.
        """
        given = report if isinstance(report, Mapping) else report.data
        beside = arrays or {} if isinstance(report, Mapping) else report.arrays
        at = in_utc(str(given["at"]))
        data = {**given}
        if not data.get("id"):
            data["id"] = new_id()
        light = light_of(data, beside)
        base, vector = split(str(data["address"]), data.get("vector"))
        made = str(data["id"])
        row = {
            "id": made,
            "address": base,
            "vector": vector,
            "at": at,
            "saved": datetime.now(UTC).isoformat(timespec="microseconds"),
            "verdict": str(data["verdict"]),
            "rows": data.get("rows"),
            "exact": bool(data.get("exact")),
            "root_causes": as_text({"codes": light["root_causes"]}),
            "light": as_text(light),
            "data": as_text(data),
        }
        blobs = [
            {"report": made, "part": part, "size": len(blob), "data": blob}
            for part, blob in ((p, packed(held)) for p, held in parts(beside).items())
        ]
        try:
            self._insert(row, blobs)
        except _Twice:
            there = self._row(made)
            if there is None or any(there.data.get(k) != data.get(k) for k in ("address", "at")):
                raise PlumblineError("changed", "Another report has this id.", where=made) from None
        return made

    def _insert(self, row: Mapping[str, Any], blobs: Sequence[Mapping[str, Any]]) -> None:
        with self.writing() as connection:
            alone(connection, f"{row['address']}#{row['vector']}")
            try:
                connection.execute(insert(tables.reports), [dict(row)])
            except IntegrityError:
                raise _Twice from None
            if blobs:
                connection.execute(insert(tables.arrays), [dict(b) for b in blobs])
            let_go(connection, row["address"], row["vector"], self._retention)

    def reports(self, address: Address | str | None = None, limit: int = 100) -> list[Headline]:
        """Newest first; of one vector field, of a collection's every field, or of all."""
        return [headline(held) for held in self.light(address, limit)]

    def light(self, address: Address | str | None = None, limit: int = 100) -> list[Mapping[str, Any]]:
        """The same as JSON, with the findings' ids, codes, severities and shares."""
        wanted = select(tables.reports.c.light).where(_of(address)).order_by(*NEWEST).limit(limit)
        with self.reading() as connection:
            return [self._json(held) for held in connection.execute(wanted).scalars()]

    def history(self, address: Address | str, limit: int = 60) -> list[Headline]:
        """For sparklines: oldest first, the newest `limit`."""
        return self.reports(address, limit)[::-1]

    def latest_each(self, address: Address | str | None = None) -> list[Headline]:
        """The newest report of every vector field, in the order of addresses."""
        r = tables.reports.c
        newest = (
            select(
                r.light,
                r.address,
                r.vector,
                func.row_number().over(partition_by=(r.address, r.vector), order_by=NEWEST).label("place"),
            )
            .where(_of(address))
            .subquery()
        )
        wanted = select(newest.c.light).where(newest.c.place == 1).order_by(newest.c.address, newest.c.vector)
        with self.reading() as connection:
            return [headline(self._json(held)) for held in connection.execute(wanted).scalars()]

    def report(self, report: str) -> Stored:
        """The JSON as it was saved, without arrays. Raises `not-found`."""
        return self.whole(report, arrays=False)

    def whole(self, report: str, *, arrays: bool = True) -> Stored:
        """JSON and arrays. Raises `not-found`."""
        found = self._row(report, arrays=arrays)
        if found is None:
            raise PlumblineError(
                "not-found",
                "There is no such report.",
                where=report,
                hint="`plumbline reports ADDRESS` lists them.",
            )
        return found

    def latest(self, address: Address | str) -> Stored | None:
        """The newest report of a vector field, or of the collection where none is named."""
        found = self.reports(address, 1)
        return self.report(found[0].id) if found else None

    def sample(self, report: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays of the sampled ids; empty where there are none. Raises `not-found`."""
        with self.reading() as connection:
            held = self._part(connection, report, "sample")
        if held is None:
            self.whole(report, arrays=False)
        return held or {}

    def set_baseline(self, address: Address | str, report: str | None = None) -> Headline:
        """Pins a report of this address as the baseline of its vector field.

        Without a report (or by `latest`) the newest one; of each vector field where the address names none.
        Raises `not-found`.
        """
        if report not in (None, "latest"):
            self._pin(address, report)
            return headline(self._light(report))
        newest = self.latest_each(address)
        if not newest:
            raise PlumblineError(
                "not-found",
                "There is no report yet.",
                where=str(address),
                hint="`plumbline check` makes one.",
            )
        for held in newest:
            self._pin(address, held.id)
        return max(newest, key=lambda h: in_utc(h.at))

    def _pin(self, address: Address | str, report: str) -> None:
        r, b = tables.reports.c, tables.baselines.c
        with engines.transaction(self._engine, self.where, write=True) as connection:
            found = connection.execute(
                select(r.address, r.vector).where(r.id == report, _of(address))
            ).one_or_none()
            if found is None:
                raise PlumblineError(
                    "not-found",
                    "There is no such report of this address.",
                    where=report,
                    hint="`plumbline reports ADDRESS` lists them.",
                )
            alone(connection, f"{found.address}#{found.vector}")
            connection.execute(
                delete(tables.baselines).where(b.address == found.address, b.vector == found.vector)
            )
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            connection.execute(
                insert(tables.baselines),
                [{"address": found.address, "vector": found.vector, "report": report, "at": now}],
            )

    def clear_baseline(self, address: Address | str) -> int:
        """Unpins; returns how many were pinned."""
        with engines.transaction(self._engine, self.where, write=True) as connection:
            done = connection.execute(delete(tables.baselines).where(_of(address, tables.baselines)))
            return done.rowcount

    def baselines(self, address: Address | str | None = None) -> list[Headline]:
        """The pinned reports, in the order of addresses."""
        b, r = tables.baselines, tables.reports
        wanted = (
            select(r.c.light)
            .join(b, b.c.report == r.c.id)
            .where(_of(address, b))
            .order_by(b.c.address, b.c.vector)
        )
        with self.reading() as connection:
            return [headline(self._json(held)) for held in connection.execute(wanted).scalars()]

    def baseline(self, address: Address | str) -> Headline | None:
        """The pinned report of a vector field (of the collection's first that has one, where none is named)."""
        return next(iter(self.baselines(address)), None)

    def _light(self, report: str) -> Mapping[str, Any]:
        wanted = select(tables.reports.c.light).where(tables.reports.c.id == report)
        with self.reading() as connection:
            return self._json(connection.execute(wanted).scalar_one())

    def _row(self, report: str, *, arrays: bool = False) -> Stored | None:
        with self.reading() as connection:
            found = connection.execute(
                select(tables.reports.c.data).where(tables.reports.c.id == report)
            ).scalar()
            if found is None:
                return None
            held = self._part(connection, report, "kept") if arrays else None
        return Stored(self._json(found), held or {})

    def _part(self, connection: Connection, report: str, part: str) -> dict[str, npt.NDArray[Any]] | None:
        a = tables.arrays.c
        blob = connection.execute(select(a.data).where(a.report == report, a.part == part)).scalar()
        return None if blob is None else unpacked(bytes(blob), f"{self.where}, report {report}")

    def _json(self, held: str) -> Mapping[str, Any]:
        try:
            return cast("Mapping[str, Any]", json.loads(held))
        except ValueError:
            raise PlumblineError("damaged", "A stored report can't be read.", where=self.where) from None


class _Twice(Exception):
    """A report with this id is there already."""


def split(address: str, vector: Any = None) -> tuple[str, str]:
    """An address without its vector field, and the field: `vector` where the report names it."""
    base, _, named = address.partition("#")
    return base, str(vector) if vector is not None else unquote(named)


def alone(connection: Connection, key: str) -> None:
    """One writer of a vector field, or of another such thing, at a time; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def _of(address: Address | str | None, table: Any = tables.reports) -> ColumnElement[bool]:
    if address is None:
        return true()
    named = str(address)
    base, vector = split(named)
    return and_(
        table.c.address == base,
        table.c.vector == vector if "#" in named else true(),
        false() if not base else true(),
    )


def _identity(database: str | None, kind: str) -> tuple[int, int] | None:
    """Tells whether SQLite's file is still the one that was opened."""
    if kind != "sqlite" or database is None:
        return None
    try:
        found = Path(database).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
