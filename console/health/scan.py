"""Reads a collection once, whole in parallel ranges or as a sample, into profile, table and reservoir."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from connectors.errors import PlumblineError
from console.health.evidence import Reservoir, ScanFacts
from console.health.groups import VALUES
from console.health.pace import Pace
from console.health.probing import Cancelled as Cancelled
from console.health.profile import Profile
from console.health.ranges import read_ranges
from console.health.rereading import rewritten
from console.health.reservoir import size
from console.health.rows import Gathered, Gathering
from console.health.sampling import has_parts, heavy_values, read_again, read_sample
from console.health.seeking import Sought, questions
from console.health.table import RowTable

if TYPE_CHECKING:
    from connectors.model import Batch, Description, RowId, Target, VectorField
    from connectors.protocol import Reader
    from console.health.options import CheckOptions, FieldNames
    from console.health.progress import Tell

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """One vector field, read."""

    facts: ScanFacts
    profile: Profile
    table: RowTable
    reservoir: Reservoir
    sought: Sought | None = None


def examine(
    reader: Reader,
    target: Target,
    description: Description,
    fields: Sequence[VectorField],
    names: FieldNames,
    options: CheckOptions,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
    only: Sequence[RowId] | None = None,
    then: int | None = None,
    seek: bool = False,
    reread: bool = False,
) -> Mapping[str, Examined]:
    """One pass for all `fields`; `only`: these rows (a report's sample read again; `then`: rows of the collection at the time).

    `seek`: where every row is read and the reservoir can't hold them all, the nearest rows of some are found too.
    `reread`: after a full scan a few rows are read once more, so that the report can say whether rows were rewritten
    meanwhile. Raises `Cancelled` and what reading raises.
    """
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    wanted = tuple(f.name for f in fields)
    counted = reader.count(target)
    parts = has_parts(target, description)
    whole = only is None and (options.sample is None or options.sample >= counted.rows)
    heavy = None
    if counted.rows > VALUES:
        heavy = _drawn(lambda: heavy_values(reader, target, names, options.seed), cancelled)
    asked = None
    if (
        seek
        and whole
        and not parts
        and counted.rows > size(max((f.dimension or 0 for f in fields), default=0))
    ):
        asked = _drawn(lambda: questions(reader, target, description, fields, names, options), cancelled)
    gathering = Gathering(wanted, names, options.seed, parts=parts, heavy=heavy, questions=asked)
    pace = Pace(tell, cancelled, options.rate)
    changed = bias = ""
    if only is not None:
        changed = read_again(reader, target, fields, gathering, only, pace)
        bias = came_since(counted.rows, then)
    elif whole:
        read_ranges(reader, target, fields, gathering, counted.rows, pace)
    else:
        bias = read_sample(
            reader, target, description, fields, gathering, options.sample or 0, options.seed, pace
        )
    pace.end()
    held = gathering.finish()
    if whole:
        after = reader.count(target)
        if counted.exact and after.exact:
            changed = moved(counted.rows, after.rows, gathering.rows)
        if reread and not parts:
            changed = f"{changed} {rewritten(reader, target, held, options.seed)}".strip()
    facts = ScanFacts(
        counted.rows,
        gathering.rows,
        exact=whole,
        seed=None if whole else options.seed,
        seconds=time.monotonic() - began,
        started=started,
        changed=changed,
        bias=bias,
        again=only is not None,
        then=then,
    )
    return _examined(held, facts)


def _drawn(draw: Callable[[], T], cancelled: Callable[[], bool]) -> T | None:
    """A draw of rows before the scan helps it and is not worth its end: None where the server does not give one."""
    if cancelled():
        raise Cancelled
    try:
        return draw()
    except PlumblineError:
        return None


def gather(
    batches: Iterable[Batch],
    fields: Sequence[str],
    names: FieldNames,
    *,
    rows: int | None = None,
    exact: bool = True,
    seed: int = 0,
    parts: bool = False,
) -> Mapping[str, Examined]:
    """The same of batches that somebody has. `rows`: of the collection, where these are a sample of it."""
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    gathering = Gathering(fields, names, seed, parts=parts)
    only = gathering.range()
    for batch in batches:
        only.add(batch)
    count = gathering.rows if rows is None else rows
    facts = ScanFacts(
        count, gathering.rows, exact, None if exact else seed, time.monotonic() - began, started
    )
    return _examined(gathering.finish(), facts)


def moved(before: int, after: int, scanned: int) -> str:
    """What a full scan says of a collection that changed under it, else ""."""
    if after > before:
        return f"The collection grew by {after - before:,} rows while it was read."
    if after < before:
        return f"The collection shrank by {before - after:,} rows while it was read."
    if scanned != before:
        return f"{before:,} rows were counted and {scanned:,} read: the collection changed while it was read."
    return ""


def came_since(now: int, then: int | None) -> str:
    """What a sample that is read again says of rows that it can't hold."""
    more = (
        f" The collection has {now - then:,} rows more than then." if then is not None and now > then else ""
    )
    return f"Rows that came since that report can't be among these.{more}"


def _examined(gathered: Mapping[str, Gathered], facts: ScanFacts) -> dict[str, Examined]:
    return {
        name: Examined(facts, held.profile, held.table, held.reservoir, held.sought)
        for name, held in gathered.items()
    }
