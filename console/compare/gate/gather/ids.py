"""Which rows one side holds and the other does not, at a watermark, while both are written.

Both sides are read once, without vectors. Ids that differ are then looked at again: what has come to the other side, or
left its own, was under way, and does not count; nor does a row that was made since by its own time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from console.compare.gate.evidence import IdSets
from console.compare.gate.gather import keys
from console.compare.gate.gather.again import again
from console.compare.gate.gather.looking import Looking
from console.compare.gate.gather.reading import read, wait
from console.search.fields import tag_of
from console.search.golden.model import key_text

if TYPE_CHECKING:
    from connectors.model import Batch
    from console.compare.gate.gather.sides import Side
    from console.health.findings import Mask
    from console.health.options import FieldNames
    from console.health.table import I64, U64
    from console.progress import Tell

Tags = Counter[tuple[str, str | None]]
"""(modality or "", version tag or None) -> rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A side's keys, ascending and distinct, and how many rows have each; None: one has. `keyless`: rows without a key.
    `tags`: of every row that was read."""

    keys: U64
    rows: I64 | None
    keyless: int = 0
    tags: Tags = field(default_factory=lambda: Tags())

    def __len__(self) -> int:
        """Rows with a key."""
        return len(self.keys) if self.rows is None else int(self.rows.sum())

    def of(self, wanted: U64) -> I64:
        """Rows that have each of these keys."""
        there = keys.among(wanted, self.keys)
        if self.rows is None:
            return there.astype(np.int64)
        out = np.zeros(len(wanted), np.int64)
        out[there] = self.rows[np.searchsorted(self.keys, wanted[there])]
        return out


def id_sets(
    left: Side,
    right: Side,
    *,
    match_on: str | None = None,
    settle: float = 1.0,
    names: FieldNames | None = None,
    left_time: str | None = None,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> tuple[IdSets, Tags]:
    """The id sets, and how often each version tag stands on the right side's rows.

    Args:
        match_on: a payload field by whose value rows are matched; None: by id.
        settle: seconds before what differs is looked at again.
        names: which fields of the right side hold version, modality and time.
        left_time: the field of the left side that holds a row's own time.
    """
    began = datetime.now(UTC)
    how = Looking.at(left, right, match_on, tell, cancelled)
    on_left = held(left, how, "Reading the ids of the old side")
    on_right = held(right, how, "Reading the ids of the new side", names)
    only_left, only_right = _beyond(on_left, on_right), _beyond(on_right, on_left)
    if len(only_left) or len(only_right):
        wait(settle, cancelled)
    right_time = None if names is None else names.time
    missing = (
        again(left, right, only_left, on_left.of(only_left) - on_right.of(only_left), how, began, left_time),
        again(
            right, left, only_right, on_right.of(only_right) - on_left.of(only_right), how, began, right_time
        ),
    )
    found = IdSets(
        len(on_left),
        len(on_right),
        *missing,
        began.isoformat(timespec="seconds"),
        match_on or "id",
        on_left.keyless + on_right.keyless,
        left.resting + right.resting,
    )
    return found, on_right.tags


def held(side: Side, how: Looking, phase: str, names: FieldNames | None = None) -> Held:
    """Every key of a side; with `names`, its version tags are counted, too."""
    tagging = [] if names is None else [n for n in (names.version, names.modality) if n]
    columns = tuple(dict.fromkeys(tagging if how.by is None else (how.by, *tagging)))

    def see(batch: Batch) -> tuple[U64, Tags]:
        there = how.there(batch, side)
        return how.keys(batch)[there], _tags(batch, names, there)

    parts = read(side, how.fields(side), columns, see, phase, how.tell, how.cancelled)
    every = np.concatenate([part for part, _ in parts]) if parts else np.zeros(0, np.uint64)
    tags = Tags()
    for _, some in parts:
        tags.update(some)
    keyless = int(np.count_nonzero(every == keys.ABSENT))
    if not how.counted:
        return Held(np.unique(every), None, keyless, tags)
    distinct, counts = np.unique(every[every != keys.ABSENT], return_counts=True)
    return Held(distinct, counts.astype(np.int64), keyless, tags)


def _beyond(one: Held, other: Held) -> U64:
    """Keys, ascending, that more rows of `one` have than of `other`."""
    if one.rows is None:
        return np.setdiff1d(one.keys, other.keys, assume_unique=True)
    return one.keys[one.rows > other.of(one.keys)]


def _tags(batch: Batch, names: FieldNames | None, there: Mask) -> Tags:
    if names is None:
        return Tags()
    none: Sequence[object] = [None] * len(batch)
    versions = batch.columns.get(names.version, none)
    modalities = batch.columns.get(names.modality, none) if names.modality else none
    told = zip(versions, modalities, there, strict=True)
    return Tags((key_text(m) or "", tag_of(v)) for v, m, counts in told if counts)
