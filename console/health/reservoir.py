"""A uniform sample of the rows of a scan, taken while it runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from connectors.filters.reference import split_path
from connectors.model import Batch, Matrix, Payload
from console.health.evidence import Reservoir
from console.health.findings import Mask
from console.health.table import U64, Ids

ROWS: Final = 5_000
FEWEST: Final = 1_000
BYTES: Final = 64 * 1024 * 1024
"""Of one field's vectors in the reservoir; more than 3,355 dimensions make it smaller than `ROWS`."""


def size(dimension: int) -> int:
    """Rows of the reservoir of a field."""
    return max(FEWEST, min(ROWS, BYTES // max(1, 4 * dimension)))


def order_of(ids: Ids, seed: int) -> U64:
    """A pseudo-random place for each id, the same for the same seed: its bits through splitmix64's mixer."""
    with np.errstate(over="ignore"):
        held = _mixed(
            ids.low ^ _mixed(np.full(1, seed, np.int64).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
        )
        return _mixed(held ^ _mixed(ids.high + np.uint64(0xD1B54A32D192ED03)) ^ ids.integer.astype(np.uint64))


def _mixed(x: U64) -> U64:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(slots=True)
class _Taken:
    part: int
    rows: Any
    order: U64
    vectors: Mapping[str, Matrix]
    payloads: Sequence[Payload]

    def take(self, chosen: Mask) -> _Taken:
        at = np.flatnonzero(chosen)
        return _Taken(
            self.part, self.rows[at], self.order[at], {f: m[at] for f, m in self.vectors.items()},
            [self.payloads[int(i)] for i in at],
        )  # fmt: skip


class Drawing:
    """The rows whose ids come first in a seeded order (bottom-k): uniform, and the same however a scan is split."""

    def __init__(self, fields: Sequence[str], seed: int) -> None:
        self._fields = fields
        self._seed = seed
        self._most = ROWS
        self._held: list[_Taken] = []
        self._count = 0
        self._below: np.uint64 | None = None
        self._lock = threading.Lock()

    def offer(self, part: int, first: int, ids: Ids, batch: Batch) -> None:
        """Rows of a range, the first of them at `first` in it."""
        order = order_of(ids, self._seed)
        below = self._below
        at = np.arange(len(order)) if below is None else np.flatnonzero(order < below)
        if not len(at):
            return
        vectors = {name: batch.vectors[name].matrix[at] for name in self._fields}
        taken = _Taken(part, first + at, order[at], vectors, payloads(batch, at.tolist()))
        with self._lock:
            self._held.append(taken)
            self._count += len(at)
            self._most = min(self._most, size(max((m.shape[1] for m in vectors.values()), default=0)))
            if self._count > self._most + self._most // 2:
                self._trim()

    def reservoir(self, field: str, offsets: Sequence[int]) -> Reservoir:
        """`offsets`: where each range begins in the table."""
        with self._lock:
            self._trim()
            rows = np.concatenate(
                [np.zeros(0, np.int64), *(offsets[t.part] + t.rows for t in self._held)]
            ).astype(np.int64)
            chosen = np.argsort(rows, kind="stable")
            width = max((t.vectors[field].shape[1] for t in self._held), default=0)
            matrix = np.zeros((len(rows), width), np.float32)
            at = 0
            held: list[Payload] = []
            for taken in self._held:
                some = taken.vectors[field]
                if some.shape[1]:
                    matrix[at : at + len(some)] = some
                held += taken.payloads
                at += len(some)
            return Reservoir(rows[chosen], matrix[chosen], [held[int(i)] for i in chosen])

    def _trim(self) -> None:
        if self._count <= self._most:
            return
        orders = np.concatenate([t.order for t in self._held])
        last = np.partition(orders, self._most - 1)[self._most - 1]
        self._held = [kept for t in self._held if len((kept := t.take(t.order <= last)).order)]
        self._count = sum(len(t.order) for t in self._held)
        self._below = last


def payloads(batch: Batch, rows: Sequence[int]) -> list[Payload]:
    """The columns of some rows as payloads, nested as the paths say."""
    if batch.payloads is not None:
        return [batch.payloads[i] for i in rows]
    made: list[Payload] = [{} for _ in rows]
    for path, column in batch.columns.items():
        *outer, last = split_path(path)
        for payload, i in zip(made, rows, strict=True):
            value = column[i]
            if value is None:
                continue
            into = payload
            for key in outer:
                into = cast("Payload", into.setdefault(key, {}))
            into[last] = value
    return made
