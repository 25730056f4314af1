"""What the server tells of its own storage: deleted rows that it keeps, and where the copies of shards are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.errors import PlumblineError
from console.health.findings import NotMeasured
from console.health.registry import probe

if TYPE_CHECKING:
    from connectors.model import ShardCopy, Tombstones
    from console.health.probing import Probing

APART: Final = 1.0
"""Seconds between two looks at copies that do not look alike: writes and repairs change them meanwhile."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Deleted rows that the server still keeps."""

    told: Tombstones


@dataclass(frozen=True, slots=True)
class ShardCopies:
    """Copies of shards as the server tells them, twice where they did not look alike at first: what is wrong, and
    steadily so. `unlike`: of the shards whose copies in use have other numbers of rows, and the same both times.
    """

    copies: tuple[ShardCopy, ...]
    amiss: tuple[ShardCopy, ...] = ()
    unlike: tuple[tuple[ShardCopy, ...], ...] = ()


@probe(Kept, order=72, name="Deleted rows")
def kept(probing: Probing) -> Kept | NotMeasured:
    try:
        return Kept(probing.reader.tombstones(probing.target, timeout=probing.timeout))
    except PlumblineError as fault:
        return NotMeasured("tombstone-load", fault.message)


@probe(ShardCopies, order=71, name="Where copies are")
def copies(probing: Probing) -> ShardCopies | NotMeasured:
    try:
        first = probing.reader.copies(probing.target, timeout=probing.timeout)
        if not _amiss(first) and not _unlike(first):
            return ShardCopies(first)
        probing.budget.check()
        time.sleep(APART)
        now = probing.reader.copies(probing.target, timeout=probing.timeout)
    except PlumblineError as fault:
        return NotMeasured("replica-divergence", fault.message)
    before = {(c.shard, c.node, c.state) for c in _amiss(first)}
    amiss = tuple(c for c in _amiss(now) if (c.shard, c.node, c.state) in before)
    unlike = _unlike(first)
    return ShardCopies(now, amiss, tuple(held for held in _unlike(now) if held in unlike))


def _amiss(found: tuple[ShardCopy, ...]) -> tuple[ShardCopy, ...]:
    return tuple(c for c in found if c.state != "active")


def _unlike(found: tuple[ShardCopy, ...]) -> list[tuple[ShardCopy, ...]]:
    """Per shard: its copies in use whose rows are told, where not all have as many."""
    made: list[tuple[ShardCopy, ...]] = []
    for shard in sorted({c.shard for c in found}):
        told = tuple(c for c in found if c.shard == shard and c.state == "active" and c.rows is not None)
        if len({c.rows for c in told}) > 1:
            made.append(told)
    return made
