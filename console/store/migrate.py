"""Brings the store's tables to this version, once, also where several processes start at the same time."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from connectors.errors import PlumblineError
from console.store.engine import BUSY_SECONDS, made_ready, transaction
from console.store.tables import HEAD, VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x706C756D62
"""The key of PostgreSQL's advisory lock: "plumb"."""


def upgrade(engine: Engine, where: str, wait: float | None = None) -> None:
    """`wait`: seconds that looking may take where another process holds a lock.

    Raises `unsupported` for a store that a newer version wrote, and what the database's errors mean."""
    lite = engine.dialect.name == "sqlite"
    if lite:
        made_ready(Path(engine.url.database or ""))
    with transaction(engine, where, wait=wait) as connection:
        found = _version(connection)
    if found == HEAD:
        return
    _known(found, where)
    if lite:
        _write_ahead(engine, where)
    with transaction(engine, where, write=True) as connection:
        if not lite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if _version(connection) != HEAD:
            _run(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608


def _known(version: str | None, where: str) -> None:
    if version is None or any(f.name.startswith(f"{version}_") for f in (FOLDER / "versions").glob("*.py")):
        return
    raise PlumblineError(
        "unsupported",
        "The store was written by a newer version of Plumbline.",
        where=where,
        hint="Upgrade this one, or name another store by `store.url`.",
    )


def _write_ahead(engine: Engine, where: str) -> None:
    """Readers then never wait for a writer. The switch does not wait for locks by itself."""
    until = time.monotonic() + BUSY_SECONDS
    path = engine.url.database or ""
    while True:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                from console.store.faults import translated

                with translated(where):
                    raise
            time.sleep(0.02)
        finally:
            connection.close()


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
