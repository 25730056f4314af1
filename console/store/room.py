"""What the rooms of the store share: they are opened from one engine, and their documents are listed newest first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, cast

from sqlalchemy import ColumnElement, Table, delete, false, insert, or_, select, true
from sqlalchemy.exc import IntegrityError

from connectors.errors import PlumblineError
from console.settings import Address, Settings
from console.store.headlines import as_text, in_utc
from console.store.ids import IdKind, new_id
from console.store.retention import rested_on
from console.store.store import Configured, Store, alone

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Room:
    """One kind of thing that the store keeps. Shared by threads; every method raises `PlumblineError` only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.where = store.where

    @classmethod
    def open(cls, ws: Configured | Settings, *, wait: float | None = None) -> Self:
        """Opened as `Store.open` opens; raises what that raises."""
        return cls(Store.open(ws, wait=wait))

    def reading(self) -> AbstractContextManager[Connection]:
        return self._store.reading()

    def writing(self) -> AbstractContextManager[Connection]:
        return self._store.writing()

    def json(self, held: str) -> dict[str, Any]:
        """Raises `damaged`."""
        try:
            return cast("dict[str, Any]", json.loads(held))
        except ValueError:
            raise PlumblineError("damaged", "What is stored can't be read.", where=self.where) from None


class Documents(Room):
    """JSON documents with an id and a time, of which the newest are kept.

    A subclass names its table, what one is called, and how many are kept.
    """

    table: Table
    kind: IdKind
    noun: str
    lists: str
    """The command that lists them, for an error's hint."""
    most: int
    sides: Sequence[str]
    """The columns that hold addresses."""

    def keep(self, data: Mapping[str, Any], light: Mapping[str, Any], **columns: Any) -> str:
        """Its own `id` where it has one, else a new one. Keeping the same thing again changes nothing.

        Raises `changed` where another one has the id.
        """
        made = str(data.get("id") or new_id(kind=self.kind))
        whole = {**data, "id": made}
        row = {
            "id": made,
            "at": in_utc(str(data["at"])),
            "saved": datetime.now(UTC).isoformat(timespec="microseconds"),
            "light": as_text({**light, "id": made}),
            "data": as_text(whole),
            **columns,
        }
        try:
            with self.writing() as connection:
                alone(connection, self.table.name)
                try:
                    connection.execute(insert(self.table), [row])
                except IntegrityError:
                    raise _Twice from None
                self._let_go(connection)
        except _Twice:
            if self._data(made) != self.json(row["data"]):
                raise PlumblineError("changed", f"Another {self.noun} has this id.", where=made) from None
        return made

    def headlines(
        self, limit: int | None = 100, address: Address | str | None = None, *more: ColumnElement[bool]
    ) -> Sequence[dict[str, Any]]:
        """Newest first; all with a limit of None. An address without a vector field means every field of its collection."""
        t = self.table.c
        wanted = select(t.light).where(self._of(address), *more).order_by(*self._newest()).limit(limit)
        with self.reading() as connection:
            return [self.json(held) for held in connection.execute(wanted).scalars()]

    def get(self, one: str) -> dict[str, Any]:
        """The JSON as it was saved. Raises `not-found`."""
        found = self._data(one)
        if found is None:
            raise self._missing(one)
        return found

    def remove(self, one: str) -> None:
        """Raises `not-found`."""
        with self.writing() as connection:
            if not connection.execute(delete(self.table).where(self.table.c.id == one)).rowcount:
                raise self._missing(one)

    def _data(self, one: str) -> dict[str, Any] | None:
        with self.reading() as connection:
            found = connection.execute(select(self.table.c.data).where(self.table.c.id == one)).scalar()
        return None if found is None else self.json(found)

    def _newest(self) -> tuple[ColumnElement[Any], ...]:
        t = self.table.c
        return t.at.desc(), t.saved.desc(), t.id.desc()

    def _let_go(self, connection: Connection) -> None:
        """All but the newest, and what a gate rests on."""
        t = self.table.c
        past = connection.execute(select(t.id).order_by(*self._newest()).offset(self.most)).scalars().all()
        if not past:
            return
        named = rested_on(connection)
        if gone := [one for one in past if one not in named][:500]:
            connection.execute(delete(self.table).where(t.id.in_(gone)))

    def _of(self, address: Address | str | None) -> ColumnElement[bool]:
        if address is None:
            return true()
        named = str(address)
        if not named:
            return false()
        held = [self.table.c[side] for side in self.sides]
        if "#" in named:
            return or_(*(side == named for side in held))
        return or_(*(or_(side == named, side.startswith(f"{named}#", autoescape=True)) for side in held))

    def _missing(self, one: str) -> PlumblineError:
        return PlumblineError(
            "not-found", f"There is no such {self.noun}.", where=one, hint=f"`{self.lists}` lists them."
        )


class _Twice(Exception):
    """A document with this id is there already."""
