"""From batches to profile, table and reservoir: one gatherer per range, put together in the order of ranges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from connectors.model import Batch, Vectors
from console.health.columns import Reading, merged
from console.health.evidence import Reservoir
from console.health.options import FieldNames
from console.health.profile import Profile, duplicates
from console.health.reservoir import Drawing
from console.health.seeking import Question, Seeking, Sought, sought
from console.health.spill import Array, Kept, Spill
from console.health.table import Codes, Ids, RowTable
from console.health.values import Key

PIECE: Final = 16_384
"""Rows at once, so that a large batch needs no large intermediate arrays."""

SHARED: Final = {
    "high": np.uint64,
    "low": np.uint64,
    "integer": np.bool_,
    "source": np.uint64,
    "content": np.uint64,
    "text_length": np.int32,
    "time": np.float64,
}
OWN: Final = {
    "flags": np.uint16,
    "norm": np.float32,
    "digest": np.uint64,
    "tail": np.uint16,
    "peak": np.float32,
}
CODE: Final = "code"
Column: TypeAlias = tuple[str, str]
"""(vector or group field, or "" for what all share; one of the names above)."""
Change = Callable[[Array], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """One vector field, put together."""

    profile: Profile
    table: RowTable
    reservoir: Reservoir
    sought: Sought | None = None


class Gathering:
    """All ranges of one pass over some vector fields. `range` may be called from several threads."""

    def __init__(
        self,
        fields: Sequence[str],
        names: FieldNames,
        seed: int = 0,
        *,
        parts: bool = False,
        heavy: Mapping[str, frozenset[Key]] | None = None,
        questions: Mapping[str, Question] | None = None,
    ) -> None:
        """`questions`: by vector field, rows whose nearest rows are looked for in passing."""
        self.fields = tuple(fields)
        self.questions = questions or {}
        self.names = names
        self.parts = parts
        self.heavy = heavy or {}
        self.drawing = Drawing(self.fields, seed)
        self.spill = Spill()
        self._ranges: list[RangeRows] = []
        self._lock = threading.Lock()

    def range(self) -> RangeRows:
        """The rows of the next range; ranges come in the order of these calls."""
        with self._lock:
            made = RangeRows(self, len(self._ranges))
            self._ranges.append(made)
            return made

    @property
    def rows(self) -> int:
        return sum(r.rows for r in self._ranges)

    def finish(self) -> dict[str, Gathered]:
        """By vector field. The gathering is used up."""
        offsets = np.cumsum([0, *(r.rows for r in self._ranges)]).tolist()
        ids = Ids(*(self._join(("", name)) for name in ("high", "low", "integer")))
        shared = {name: self._join(("", name)) for name in ("source", "content", "text_length", "time")}
        groups = self._groups()
        made: dict[str, Gathered] = {}
        for name in self.fields:
            own = {column: self._join((name, column)) for column in OWN}
            table = RowTable(ids=ids, groups=groups, **own, **shared)
            profile = Profile()
            for one in self._ranges:
                profile = profile.merge(one.profiles[name])
            profile.version = self.names.version
            profile.duplicates = duplicates(table)
            question = self.questions.get(name)
            nearest = None
            if question is not None:
                each = [(one.seeking[name], begin) for one, begin in zip(self._ranges, offsets, strict=False)]
                nearest = sought(question, each, table)
            made[name] = Gathered(profile, table, self.drawing.reservoir(name, offsets), nearest)
        self.spill.close()
        return made

    def _join(self, column: Column, changes: Sequence[Change | None] | None = None) -> Any:
        dtype = {**SHARED, **OWN, CODE: np.uint16}[column[1]]
        blocks: list[tuple[Array | Kept, Change | None]] = []
        for i, one in enumerate(self._ranges):
            change = None if changes is None else changes[i]
            blocks += [(block, change) for block in one.blocks.pop(column, [])]
        return self.spill.join(blocks, dtype)

    def _groups(self) -> dict[str, Codes]:
        if not self._ranges:
            return {name: Codes(np.zeros(0, np.uint16), ()) for name in self.names.groups}
        made: dict[str, Codes] = {}
        for name in self._ranges[0].reading.coders:
            values, other, maps = merged([r.reading.coders[name] for r in self._ranges])
            codes = self._join((name, CODE), [_mapping(to) for to in maps])
            made[name] = Codes(codes, values, other)
        return made


def _mapping(to: Array) -> Change:
    return lambda codes: to[codes]


class RangeRows:
    """The rows of one range, in its order; used by one thread."""

    def __init__(self, whole: Gathering, number: int) -> None:
        self.rows = 0
        self.profiles = {name: Profile(heavy=whole.heavy) for name in whole.fields}
        self.seeking = {name: Seeking(question) for name, question in whole.questions.items()}
        self.reading = Reading(whole.names, whole.heavy, parts=whole.parts)
        self.blocks: dict[Column, list[Array | Kept]] = {}
        self._whole = whole
        self._number = number

    def add(self, batch: Batch) -> None:
        for start in range(0, len(batch), PIECE):
            self._add(batch if len(batch) <= PIECE else _piece(batch, slice(start, start + PIECE)))

    def _add(self, batch: Batch) -> None:
        ids = Ids.of(batch.ids)
        columns = self.reading.read(batch)
        for name, block in (("high", ids.high), ("low", ids.low), ("integer", ids.integer)):
            self._keep(("", name), block)
        for name in ("source", "content", "text_length", "time"):
            self._keep(("", name), getattr(columns, name))
        groups: dict[str, Codes] = {}
        for name, codes in columns.codes.items():
            self._keep((name, CODE), codes)
            groups[name] = self.reading.coders[name].codes(codes)
        for name in self._whole.fields:
            vectors = batch.vectors[name]
            figures = self.profiles[name].update(vectors.matrix, vectors.present, groups, digests=True)
            self._keep((name, "flags"), figures.flags)
            self._keep((name, "norm"), _short(figures.length))
            for column in ("digest", "tail", "peak"):
                self._keep((name, column), getattr(figures, column))
            if name in self.seeking:
                self.seeking[name].add(vectors.matrix, figures.flags == 0, groups, self.rows)
        self._whole.drawing.offer(self._number, self.rows, ids, batch)
        self.rows += len(batch)

    def _keep(self, column: Column, block: Array) -> None:
        self.blocks.setdefault(column, []).append(self._whole.spill.keep(block))


def _short(length: Array) -> Array:
    with np.errstate(over="ignore"):
        return length.astype(np.float32)


def _piece(batch: Batch, part: slice) -> Batch:
    vectors: Mapping[str, Vectors] = {
        name: Vectors(v.matrix[part], v.present[part]) for name, v in batch.vectors.items()
    }
    columns = {path: values[part] for path, values in batch.columns.items()}
    payloads = None if batch.payloads is None else batch.payloads[part]
    return Batch(batch.ids[part], vectors, columns, payloads, batch.part)
