"""Golden sets: a draft that is edited, and versions that are never written again. What a set says is not read here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, update

from connectors.errors import PlumblineError
from console.store import tables
from console.store.headlines import as_text
from console.store.room import Room
from console.store.store import alone

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

DRAFT: Final = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A golden set as it is stored. `light`: what lists show. `pictures`: SHA-256 of each picture that it shows."""

    data: Mapping[str, Any]
    hash: str
    light: Mapping[str, Any]
    pictures: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    """The bytes of those that may be new; None for those that must be there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One stored set: its draft (`version` None) or a version."""

    name: str
    version: int | None
    at: str
    hash: str
    light: Mapping[str, Any]
    data: Mapping[str, Any]


class GoldenSets(Room):
    """`GoldenSets.open(ws)`."""

    def names(self) -> Sequence[str]:
        s = tables.golden_sets.c
        with self.reading() as connection:
            return list(connection.execute(select(s.name).distinct().order_by(s.name)).scalars())

    def heads(self, name: str | None = None) -> Sequence[dict[str, Any]]:
        """Draft and versions of every set, or of one, without what they say: `name`, `version` (None: the
        draft), `at`, `hash`, what `light` held, and `next`: the version that the draft would become. In the order of
        names, then of versions, the draft last."""
        s, n = tables.golden_sets.c, tables.golden_numbers.c
        wanted = select(s.name, s.version, s.at, s.hash, s.light).order_by(s.name, s.version)
        if name is not None:
            wanted = wanted.where(s.name == name)
        with self.reading() as connection:
            rows = connection.execute(wanted).all()
            numbers = {r.name: r for r in connection.execute(select(n.name, n.version, n.hash)).all()}
        drafts = {r.name: r.hash for r in rows if r.version == DRAFT}
        held = [
            {
                **self.json(r.light),
                "name": r.name,
                "version": r.version or None,
                "at": r.at,
                "hash": r.hash,
                "next": _next(numbers.get(r.name), drafts.get(r.name)),
            }
            for r in rows
        ]
        return sorted(held, key=lambda h: (h["name"], h["version"] is None, h["version"] or 0))

    def get(self, name: str, version: int | None = None) -> Kept:
        """A version, or the draft. Raises `not-found`, `damaged`."""
        with self.reading() as connection:
            found = self._row(connection, name, version or DRAFT)
        if found is None:
            raise missing(name, version)
        return found

    def newest(self, name: str) -> int | None:
        """The newest version; None where none was frozen."""
        s = tables.golden_sets.c
        with self.reading() as connection:
            found = connection.execute(select(func.max(s.version)).where(s.name == name)).scalar()
        return found or None

    def edit(self, name: str, change: Callable[[Kept | None], Document]) -> None:
        """Replaces the draft by what `change` makes of it (None: there is no set of this name), in one
        transaction: two editors at once lose nothing. What `change` raises undoes everything."""
        with self.writing() as connection:
            alone(connection, f"golden set {name}")
            made = change(self._row(connection, name, DRAFT))
            self._write(connection, name, DRAFT, made)
            self._let_go(connection)

    def freeze(self, name: str, expected: str | None = None) -> tuple[Kept, bool]:
        """Makes the draft a version that stays as it is. Where it is the newest version's equal, that one.

        A number means one thing for ever: it is not given again after `remove`, but to what it meant.

        Args:
            expected: the hash of the draft that somebody means.

        Returns:
            The version, and whether it is new. Raises `not-found`, and `changed` for another hash.
        """
        with self.writing() as connection:
            alone(connection, f"golden set {name}")
            draft = self._row(connection, name, DRAFT)
            if draft is None:
                raise missing(name, None)
            if expected is not None and expected != draft.hash:
                raise PlumblineError(
                    "changed", "The draft was changed meanwhile.", where=name, hint="Look at it again."
                )
            n = tables.golden_numbers
            highest = connection.execute(select(n).where(n.c.name == name)).one_or_none()
            last = self._row(connection, name, highest.version) if highest is not None else None
            if last is not None and last.hash == draft.hash:
                return last, False
            number = _next(highest, draft.hash)
            shown = connection.execute(
                select(tables.golden_shown.c.sha256).where(
                    tables.golden_shown.c.name == name, tables.golden_shown.c.version == DRAFT
                )
            ).scalars()
            pictures = dict.fromkeys(shown, None)
            self._write(connection, name, number, Document(draft.data, draft.hash, draft.light, pictures))
            meant = {"version": number, "hash": draft.hash}
            if not connection.execute(update(n).where(n.c.name == name).values(meant)).rowcount:
                connection.execute(insert(n), [{"name": name, **meant}])
        return self.get(name, number), True

    def remove(self, name: str) -> None:
        """The draft and every version; their numbers stay taken. Raises `not-found`."""
        with self.writing() as connection:
            alone(connection, f"golden set {name}")
            done = connection.execute(delete(tables.golden_sets).where(tables.golden_sets.c.name == name))
            if not done.rowcount:
                raise missing(name, None)
            self._let_go(connection)

    def picture(self, sha256: str) -> bytes | None:
        """The bytes of a picture that some set shows."""
        p = tables.golden_pictures.c
        with self.reading() as connection:
            found = connection.execute(select(p.data).where(p.sha256 == sha256)).scalar()
        return None if found is None else bytes(found)

    def _row(self, connection: Connection, name: str, version: int) -> Kept | None:
        s = tables.golden_sets
        found = connection.execute(select(s).where(s.c.name == name, s.c.version == version)).one_or_none()
        if found is None:
            return None
        return Kept(
            name, version or None, found.at, found.hash, self.json(found.light), self.json(found.data)
        )

    def _write(self, connection: Connection, name: str, version: int, made: Document) -> None:
        s, w, p = tables.golden_sets, tables.golden_shown, tables.golden_pictures
        values = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "hash": made.hash,
            "light": as_text(made.light),
            "data": as_text(made.data),
        }
        own = (s.c.name == name, s.c.version == version)
        if version != DRAFT or not connection.execute(update(s).where(*own).values(values)).rowcount:
            connection.execute(insert(s), [{"name": name, "version": version, **values}])
        connection.execute(delete(w).where(w.c.name == name, w.c.version == version))
        for sha256, data in made.pictures.items():
            there = connection.execute(select(p.c.size).where(p.c.sha256 == sha256)).scalar()
            if there is None and data is None:
                raise PlumblineError(
                    "not-found", "A picture of the golden set is no longer there.", where=sha256
                )
            if there is None and data is not None:
                connection.execute(insert(p), [{"sha256": sha256, "size": len(data), "data": data}])
        if made.pictures:
            connection.execute(
                insert(w), [{"name": name, "version": version, "sha256": h} for h in made.pictures]
            )

    def _let_go(self, connection: Connection) -> None:
        p, w = tables.golden_pictures, tables.golden_shown
        connection.execute(delete(p).where(p.c.sha256.not_in(select(w.c.sha256))))


def _next(highest: Row[Any] | None, digest: str | None) -> int:
    """The version that a draft of this hash becomes: the highest one again where it says just that, else the next."""
    if highest is None:
        return 1
    return int(highest.version) + (highest.hash != digest)


def missing(name: str, version: int | None) -> PlumblineError:
    what = f"no version {version} of the golden set `{name}`" if version else f"no golden set `{name}`"
    return PlumblineError(
        "not-found", f"There is {what}.", where=name, hint="`plumbline golden list` lists them."
    )
