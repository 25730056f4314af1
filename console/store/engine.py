"""Where the store is, and how it is opened: SQLite in PLUMBLINE_HOME, or PostgreSQL by URL."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from connectors.errors import PlumblineError
from console.settings.choices import trouble
from console.store.faults import translated

if TYPE_CHECKING:
    from sqlalchemy import Connection

FILE: Final = "store.sqlite3"
BUSY_SECONDS: Final = 10
"""How long a write waits for another process."""
SAVE_SECONDS: Final = 30
"""How long a finished report waits: making it again costs more."""
GLANCE_SECONDS: Final = 0.5
"""How long a page waits to read."""
CONNECT_SECONDS: Final = 5


def place(url: str | None, home: Path) -> tuple[URL, str]:
    """The database's URL with its driver, and how it is named in messages: no user, no password.

    Raises `settings` for a URL that can't be used.
    """
    if url is None:
        path = home / FILE
        return URL.create("sqlite+pysqlite", database=str(path)), str(path)
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise _unusable("can't be read") from None
    kind = found.get_backend_name() if found.drivername else ""
    if kind in ("postgresql", "postgres"):
        host = found.host or "the local socket"
        port = f":{found.port}" if found.port else ""
        return found.set(drivername="postgresql+psycopg"), f"store at {host}{port}/{found.database or ''}"
    if kind == "sqlite" and found.database:
        path = Path(found.database).expanduser().absolute()
        return URL.create("sqlite+pysqlite", database=str(path)), str(path)
    raise _unusable("names a database that can't be used")


def _unusable(why: str) -> PlumblineError:
    return PlumblineError(
        "settings",
        f"`store.url` {why}.",
        where="store.url",
        hint="For example postgresql://db.example.org/plumbline, or sqlite:////var/lib/plumbline.sqlite3.",
    )


def engine(url: URL, where: str) -> Engine:
    """An engine that has not connected yet. Raises `extra-missing` without the driver."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, Path(url.database or ""))
    try:
        made = create_engine(
            url,
            hide_parameters=True,
            pool_size=2,
            max_overflow=8,
            pool_timeout=BUSY_SECONDS,
            pool_pre_ping=True,
            pool_recycle=600,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "plumbline",
                "options": f"-c lock_timeout={BUSY_SECONDS * 1000} -c statement_timeout=60000",
                **url.query,
            },
        )
    except ModuleNotFoundError:
        raise PlumblineError(
            "extra-missing",
            "A store in PostgreSQL needs its driver.",
            where=where,
            hint="Install plumbline[postgres].",
        ) from None
    except (TypeError, ValueError):
        raise _unusable("can't be read") from None
    return made


def _sqlite(url: URL, path: Path) -> Engine:
    made = create_engine(
        url,
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    def connected(connection: Any, _record: Any) -> None:
        # The module's own transactions leave DDL outside; BEGIN is said by `began` instead.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    def began(connection: Connection) -> None:
        options = connection.get_execution_options()
        write, wait = options.get("write", False), options.get("wait")
        if wait is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(wait * 1000)}")
        # It reads the file, so that it waits for locks: not before the timeout is set.
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(made, "connect", connected)
    event.listen(made, "begin", began)
    return made


def _limited(connection: Connection, wait: float) -> None:
    """PostgreSQL: for this transaction alone."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(wait * 1000)}")


def made_ready(path: Path) -> None:
    """The folder and the file, readable by their owner alone. Raises `settings`, `disk-full`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as fault:
        raise trouble(fault, path) from None


@contextmanager
def transaction(
    held: Engine, where: str, *, write: bool = False, wait: float | None = None
) -> Generator[Connection, None, None]:
    """One transaction; errors of the database come out as `PlumblineError`.

    `wait`: seconds for which it waits for who holds a lock, where not `BUSY_SECONDS`.
    """
    with translated(where), held.connect() as connection:
        configured = connection.execution_options(write=write, wait=wait)
        with configured.begin():
            if wait is not None:
                _limited(configured, wait)
            yield configured
