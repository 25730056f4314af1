"""Do copies of a shard agree? The same counts and reads, repeated, as any copy may answer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from console.health.findings import NotMeasured
from console.health.registry import probe

if TYPE_CHECKING:
    from connectors.model import RowId
    from console.health.probing import Probing

TIMES: Final = 10
TURNS: Final = "ccffcffcccffcffcccff"
"""Counts and fetches, `TIMES` of each: Qdrant asks the copies in turn, and where a count and a fetch took turns as well,
every count came from the same copy (on a cluster of three: 10 of 10, where the copies hold 2,718 and 3,000 rows)."""
ROWS: Final = 50
NAME: Final = "replica-divergence"


@dataclass(frozen=True, slots=True)
class Replicas:
    """`factor`: copies of each shard. `counts`: the exact count, asked again and again. `flickering`: ids that were
    there, were not and were there again, or the other way round, or whose vector went back to an earlier one.
    """

    factor: int
    counts: tuple[int, ...]
    reads: int
    rows: int
    flickering: tuple[RowId, ...]

    @property
    def unsteady(self) -> bool:
        """Whether counts went up and down: rows that are written or deleted meanwhile move them one way."""
        steps = np.sign(np.diff(np.array(self.counts)))
        return bool((steps > 0).any() and (steps < 0).any())


@probe(Replicas, order=70, name="Copies of shards")
def replicas(probing: Probing) -> Replicas | NotMeasured:
    e = probing.evidence
    if probing.reader.spec.snapshot is not None:
        return NotMeasured(NAME, "A snapshot file holds one copy of each shard.")
    if e.server.embedded:
        return NotMeasured(NAME, "The embedded store keeps one copy.")
    factor = copies(e.description.settings)
    if factor is None:
        return NotMeasured(NAME, "The server does not tell how many copies of a shard it keeps.")
    if factor < 2:
        return NotMeasured(NAME, "The collection keeps one copy of each shard.")
    ids = e.table.ids.take(e.reservoir.rows[_drawn(probing, len(e.reservoir.rows))])
    seen: dict[RowId, list[bytes | None]] = {i: [] for i in ids}
    counts: list[int] = []
    for done, turn in enumerate(TURNS):
        probing.budget.check()
        probing.progress(done, len(TURNS))
        if turn == "c":
            counts.append(probing.reader.count(probing.target, timeout=probing.timeout).rows)
            continue
        batch = probing.reader.fetch(probing.target, ids, (e.field.name,), (), timeout=probing.timeout)
        held = batch.vectors.get(e.field.name)
        read: dict[RowId, bytes] = {}
        for i, row in enumerate(batch.ids):
            read[row] = held.matrix[i].tobytes() if held is not None and held.present[i] else b""
        for row in ids:
            seen[row].append(read.get(row))
    return Replicas(factor, tuple(counts), TIMES, len(ids), tuple(i for i in ids if flickers(seen[i])))


def copies(settings: Mapping[str, Any]) -> int | None:
    """Copies of each shard by the collection's settings, in the words of either database."""
    held: Any = settings.get("replication_factor")
    if held is None:
        config = settings.get("replicationConfig")
        held = cast("Mapping[str, Any]", config).get("factor") if isinstance(config, Mapping) else None
    return int(held) if isinstance(held, (int, float)) else None


def flickers(states: Sequence[object]) -> bool:
    """Whether something came back after something else was seen: no sequence of writes of new content does that."""
    past: set[object] = set()
    for before, now in itertools.pairwise(states):
        if now != before:
            past.add(before)
            if now in past:
                return True
    return False


def _drawn(probing: Probing, n: int) -> Any:
    return np.sort(probing.rng("replicas").choice(n, min(ROWS, n), replace=False))
