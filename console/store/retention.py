"""What is let go, and what never is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, select

from console.settings import Retention
from console.store import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

NEWEST: Final = (tables.reports.c.at.desc(), tables.reports.c.saved.desc(), tables.reports.c.id.desc())
_MOST: Final = 500
"""Ids in one statement."""


def let_go(connection: Connection, address: str, vector: str, keep: Retention) -> None:
    """Old reports of one vector field, and the arrays of all but its newest.

    Never the newest report, nor one that is pinned, nor what was kept beside that; nor one that a gate rests on.
    """
    r, a = tables.reports.c, tables.arrays.c
    own = and_(r.address == address, r.vector == vector)
    pinned = set(connection.execute(select(tables.baselines.c.report)).scalars())
    ordered = select(r.id).where(own).order_by(*NEWEST)
    oldest = (datetime.now(UTC) - timedelta(days=keep.keep_days)).isoformat(timespec="milliseconds")
    newest = connection.execute(ordered.limit(1)).scalar()
    past = connection.execute(ordered.limit(10 * _MOST).offset(keep.keep_reports)).scalars().all()
    old = connection.execute(ordered.where(r.at < oldest).limit(10 * _MOST)).scalars().all()
    gone = {*past, *old} - {newest} - pinned
    gone -= rested_on(connection) if gone else set()
    held = select(a.report).join(tables.reports, r.id == a.report).where(own).distinct()
    kept = connection.execute(ordered.limit(keep.keep_panels)).scalars().all()
    bare = set(connection.execute(held).scalars()) - {*kept} - pinned
    for some in _parts(sorted(bare | gone)):
        connection.execute(delete(tables.arrays).where(a.report.in_(some)))
    for some in _parts(sorted(gone)):
        connection.execute(delete(tables.reports).where(r.id.in_(some)))


def rested_on(connection: Connection) -> set[str]:
    """What the gates that are kept rest on: reports, comparisons and evaluations, by their ids."""
    out: set[str] = set()
    for light in connection.execute(select(tables.gates.c.light)).scalars():
        try:
            held: Any = json.loads(light)
        except ValueError:
            continue
        out.update(held.get("rests_on") or ())
    return out


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[i : i + _MOST] for i in range(0, len(ids), _MOST)]
