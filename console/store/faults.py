"""What a database's error means. Its own text is never shown: it may name hosts, users and values."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from typing import Final, cast

from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connectors.errors import Code, PlumblineError

WRITABLE: Final = "Its folder must be one that you may write to."

_SQLITE: Final[dict[int, tuple[Code, str, str]]] = {
    sqlite3.SQLITE_BUSY: ("busy", "The store is locked by another process.", "Try again in a moment."),
    sqlite3.SQLITE_LOCKED: ("busy", "The store is locked by another process.", "Try again in a moment."),
    sqlite3.SQLITE_FULL: ("disk-full", "There is no room to write to the store.", "Make room on its disk."),
    sqlite3.SQLITE_READONLY: ("settings", "The store can't be written.", WRITABLE),
    sqlite3.SQLITE_PERM: ("settings", "The store can't be opened.", WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("settings", "The store can't be opened.", WRITABLE),
    sqlite3.SQLITE_CORRUPT: ("damaged", "The store's file is damaged.", "Restore it, or move it away."),
    sqlite3.SQLITE_NOTADB: ("damaged", "The store's file is no database.", "Restore it, or move it away."),
    sqlite3.SQLITE_IOERR: ("damaged", "The store's file can't be read or written.", "Look at its disk."),
}
_OTHER_TABLES: Final = ("no such table", "no such column", "has no column", "already exists")
_POSTGRES: Final[dict[str, tuple[Code, str, str]]] = {
    "08": ("unreachable", "The store's database can't be reached.", "Is it up, and is its address right?"),
    "28": ("unauthorised", "The store's database refused the user or its password.", "Look at `store.url`."),
    "3D": ("not-found", "The store's database is not there.", "Create it, or look at `store.url`."),
    "25006": ("read-only", "The store's database takes no writes.", "Name a primary, not a replica."),
    "42501": ("unauthorised", "The store's user may not do that.", "It needs to create and change tables."),
    "42P01": ("damaged", "The store lacks a table that it should have.", "Restore it, or name another."),
    "42703": ("damaged", "The store lacks a column that it should have.", "Restore it, or name another."),
    "42P07": ("damaged", "The store's tables are not those that it should have.", "Name another database."),
    "53100": ("disk-full", "The store's database has no room left.", "Make room on its disk."),
    "53": ("busy", "The store's database has no connection to spare.", "Try again in a moment."),
    "55": ("busy", "The store is locked by another process.", "Try again in a moment."),
    "40": ("busy", "The store is in use by another process.", "Try again in a moment."),
    "57014": ("timeout", "The store's database took too long.", "Try again in a moment."),
    "57": ("unreachable", "The store's database is shutting down or starting.", "Try again in a moment."),
    "58": ("damaged", "The store's database can't read or write its files.", "Look at its disk."),
    "XX": ("damaged", "The store's database found its data damaged.", "Restore it."),
}
"""By SQLSTATE, or its class."""


@contextlib.contextmanager
def translated(where: str) -> Generator[None, None, None]:
    """Turns every error of a database or its driver into a `PlumblineError` that quotes nothing."""
    try:
        yield
    except PlumblineError:
        raise
    except SQLAlchemyError as fault:
        raise meaning(fault, where) from None
    except sqlite3.Error as fault:
        raise _sqlite(fault, where) from None


def meaning(fault: SQLAlchemyError, where: str) -> PlumblineError:
    if isinstance(fault, NoSuchModuleError):
        return PlumblineError("settings", "The store's database is of no kind that can be used.", where=where)
    if isinstance(fault, PoolTimeout):
        return PlumblineError("busy", "The store's connections are all in use.", where=where)
    if not isinstance(fault, DBAPIError):
        return PlumblineError("internal", f"The store failed ({type(fault).__name__}).", where=where)
    orig = fault.orig
    if isinstance(orig, sqlite3.Error):
        return _sqlite(orig, where)
    state = cast("str | None", getattr(orig, "sqlstate", None))
    if state is None:
        # psycopg gives no SQLSTATE where the connection never came about; only its text tells why.
        refused = any(w in str(orig) for w in ("authentication failed", "no password supplied", "28P01"))
        missing = "does not exist" in str(orig) and "database" in str(orig)
        known = _POSTGRES["28"] if refused else _POSTGRES["3D"] if missing else _POSTGRES["08"]
        if not isinstance(fault, (OperationalError, InterfaceError)):
            known = ("internal", f"The store failed ({type(orig).__name__}).", "")
    else:
        known = _POSTGRES.get(state) or _POSTGRES.get(state[:2])
        known = known or ("internal", f"The store's database failed (SQLSTATE {state}).", "")
    return PlumblineError(known[0], known[1], where=where, hint=known[2])


def _sqlite(fault: sqlite3.Error, where: str) -> PlumblineError:
    code = cast("int", getattr(fault, "sqlite_errorcode", 0)) & 0xFF
    known = _SQLITE.get(code)
    if known is None and any(words in str(fault) for words in _OTHER_TABLES):
        known = ("damaged", "The store's tables are not those that it should have.", "Move its file away.")
    if known is None:
        known = ("internal", f"The store failed ({getattr(fault, 'sqlite_errorname', 'SQLite')}).", "")
    return PlumblineError(known[0], known[1], where=where, hint=known[2])
