"""The second look at rows that one side held and the other did not: which of them were under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.model import RowId, Target
from console.compare.gate.evidence import Key, Missing
from console.compare.gate.gather import keys
from console.compare.gate.gather.reading import read
from console.health.values import seconds
from console.progress import Cancelled, Progress
from console.search.golden.model import key_text

if TYPE_CHECKING:
    from connectors.model import Batch
    from console.compare.gate.gather.looking import Looking
    from console.compare.gate.gather.sides import Side
    from console.health.table import I64, U64

MOST: Final = 20_000
"""Rows that are looked at one by one; of more, the others count as they were found."""
CHUNK: Final = 500
EXAMPLES: Final = 20
NAMED: Final = 1_000
"""Values of a field whose text is kept, so that some of those that are still missing can be named."""
DATED: Final = 2_000
"""Rows whose own time is read."""
SKEW: Final = 10.0
"""Seconds that a writer's clock may run ahead of this one: time servers keep machines within one. A later time is none
of writing (it may be of a sale that is planned), and excuses nothing."""
PHASE: Final = "Looking again at rows that differ"

Row = tuple[str | None, RowId]
"""A tenant, where an id counts with it, and an id."""


def again(
    side: Side, other: Side, only: U64, rows: I64, how: Looking, began: datetime, time_field: str | None
) -> Missing:
    """`only`: keys that `side` held and `other` did not, ascending; `rows`: how many rows it had more of each.

    `began`: the watermark. `time_field`: the payload field that holds a row's own time, None where there is none.
    """
    if not len(only):
        return Missing(0)
    how.tell(Progress(PHASE, 0, len(only)))
    if how.counted:
        return _counted(side, other, only, rows, how, began, time_field)
    found, total = _rows(side, only, how)
    here = _held(other, found, how)
    left = [row for row in found if row not in here]
    still = _held(side, left, how)
    left = [row for row in left if row in still]
    late = _late(side, left[:DATED], began, time_field)
    counted = [row for row in left if row not in late]
    return Missing(
        len(counted) + total - len(found),
        [row for _, row in counted[:EXAMPLES]],
        written=len(here),
        deleted=max(0, len(only) - len(here) - len(left) - (total - len(found))),
        late=len(late),
    )


def _rows(side: Side, only: U64, how: Looking) -> tuple[list[Row], int]:
    """At most `MOST` of the rows with these keys that are still there, and how many keys are."""
    lock = threading.Lock()
    found: dict[Row, None] = {}

    def see(batch: Batch) -> U64:
        held = how.keys(batch)
        chosen: list[int] = np.flatnonzero(keys.among(held, only) & how.there(batch, side)).tolist()
        with lock:
            for i in chosen[: MOST - len(found)]:
                found[batch.part if how.tenants else None, batch.ids[i]] = None
        return held[chosen]

    there = _every(read(side, how.fields(side), (), see, PHASE, how.tell, how.cancelled))
    return list(found), len(there)


def _held(side: Side, rows: Sequence[Row], how: Looking) -> set[Row]:
    """Those of the rows that a side holds now."""
    out: set[Row] = set()
    for part, ids in _chunks(side, rows):
        if how.cancelled():
            raise Cancelled
        batch = side.reader.fetch(_target(side, part), ids, how.fields(side))
        there = how.there(batch, side)
        out.update((part, row) for row, counts in zip(batch.ids, there, strict=True) if counts)
    return out


def _late(side: Side, rows: Sequence[Row], began: datetime, time_field: str | None) -> set[Row]:
    """Those that were made, or whose source changed, between the watermark and now, by the server's time or their own."""
    first, last, out = began.timestamp(), datetime.now(UTC).timestamp() + SKEW, set[Row]()
    for part, ids in _chunks(side, rows):
        target = _target(side, part)
        if side.reader.spec.kind == "weaviate":
            out.update(
                (part, row.id) for row in side.reader.export(target, ids) if first < _made(row.server) <= last
            )
        if time_field is not None:
            batch = side.reader.fetch(target, ids, (), (time_field,))
            times = [seconds(value) for value in batch.columns[time_field]]
            out.update((part, row) for row, at in zip(batch.ids, times, strict=True) if first < at <= last)
    return out


def _made(server: Mapping[str, Any]) -> float:
    held = server.get("created_ms")
    return held / 1000 if isinstance(held, int) else 0.0


def _counted(
    side: Side, other: Side, only: U64, rows: I64, how: Looking, began: datetime, time_field: str | None
) -> Missing:
    """A key is no row that could be asked for, or several: both sides are read once more."""
    lock = threading.Lock()
    named: dict[int, Key] = {}
    holders: dict[Row, int] = {}

    def see(batch: Batch) -> U64:
        found = how.keys(batch)
        chosen: list[int] = np.flatnonzero(keys.among(found, only) & how.there(batch, side)).tolist()
        with lock:
            for i in chosen if len(named) < NAMED else ():
                named[int(found[i])] = (
                    batch.ids[i] if how.by is None else key_text(batch.columns[how.by][i]) or ""
                )
            for i in chosen[: MOST - len(holders)]:
                holders[batch.part if side.tenants else None, batch.ids[i]] = int(found[i])
        return found[chosen]

    def theirs(batch: Batch) -> U64:
        found = how.keys(batch)
        return found[keys.among(found, only) & how.there(batch, other)]

    def counted(of: Side, look: Callable[[Batch], U64]) -> I64:
        columns = () if how.by is None else (how.by,)
        parts = read(of, how.fields(of), columns, look, PHASE, how.tell, how.cancelled)
        every = np.concatenate([only, *parts])
        return np.unique(every, return_counts=True)[1] - 1

    mine = counted(side, see)
    beyond = np.maximum(mine - counted(other, theirs), 0)
    moved = np.maximum(rows - beyond, 0)
    gone = np.minimum(moved, np.where(mine < rows, rows - mine, 0))
    place = {int(key): i for i, key in enumerate(only.tolist())}
    asked = [row for row, key in holders.items() if beyond[place[key]]]
    late = np.zeros(len(only), np.int64)
    for row in _late(side, asked[:DATED], began, time_field):
        late[place[holders[row]]] += 1
    late = np.minimum(late, beyond)
    left = beyond - late
    examples = [named[int(key)] for key in only[left > 0] if int(key) in named]
    return Missing(
        int(left.sum()),
        examples[:EXAMPLES],
        written=int((moved - gone).sum()),
        deleted=int(gone.sum()),
        late=int(late.sum()),
    )


def _every(parts: Sequence[U64]) -> U64:
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.uint64)


def _chunks(side: Side, rows: Sequence[Row]) -> Iterable[tuple[str | None, Sequence[RowId]]]:
    """The ids that a side could hold, by tenant; Weaviate's are UUIDs and nothing else."""
    by: dict[str | None, list[RowId]] = {}
    for part, row in rows:
        if isinstance(row, str) or side.reader.spec.kind != "weaviate":
            by.setdefault(part, []).append(row)
    for part, ids in by.items():
        for start in range(0, len(ids), CHUNK):
            yield part, ids[start : start + CHUNK]


def _target(side: Side, part: str | None) -> Target:
    return side.target if part is None else Target(side.target.collection, part)
