"""The nearest rows of some rows, found while every row is read: the truth of recall without asking the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from connectors.filters import Equals, matches
from console.health.asking import K, Places
from console.health.columns import Reading
from console.health.neighbours import TopK
from console.health.reservoir import payloads
from console.health.table import F32, F64, I64, U16, Codes, RowTable

if TYPE_CHECKING:
    from connectors.model import Description, Payload, RowId, Target, VectorField
    from connectors.protocol import Reader
    from console.health.findings import Mask
    from console.health.options import CheckOptions, FieldNames

DRAWN: Final = 1_500
"""Rows drawn as possible queries: a cohort of 3% of the rows has 45 of them, which is enough for a difference."""
QUERIES: Final = 200
FILTERED: Final = 100
PER_COHORT: Final = 40
"""Queries of each cohort: ten more than a difference needs, since peeling drops some."""
COHORTS: Final = 12
"""Cohorts of one field that get queries of their own, the largest first."""
FIELDS: Final = 3
FEWEST: Final = 30
MIDDLE: Final = (0.1, 0.5)
"""Share of rows that pass the filter under which recall is measured: neither nearly all nor a handful."""
SLOW: Final = ("manhattan", "hamming")
SLOW_QUERIES: Final = 60
"""No matrix product helps there: 200 queries read 5,300 rows of 768 dimensions a second, these three times as many."""
CLOSE: Final = 0.05
"""Shares as near to a quarter as this are alike, so that two draws choose one filter."""
LANGUAGES: Final = ("language", "lang", "locale")
HELD: Final = 3 * K
"""Nearest rows kept of each query: itself, and rows that turn out to be near zero, are left out at the end."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Rows as queries: ids, and vectors (q, d) float32 as stored, in random order.

    The first `base` were drawn without regard to groups. The first `FILTERED` are asked under `where` too.
    """

    ids: Sequence[RowId]
    matrix: F32
    metric: str
    base: int
    where: Equals | None


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """The q queries of `question` and their nearest rows among all that were read.

    `rows`: (q,) rows of the table, -1 for one that has gone. `nearest`: (q, HELD) rows of the table, best first,
    -1 at the end; `filtered` (f, HELD): the same of the first f queries among the rows that pass `where`.
    """

    question: Question
    rows: I64
    nearest: I64
    filtered: I64


def questions(
    reader: Reader,
    target: Target,
    description: Description,
    fields: Sequence[VectorField],
    names: FieldNames,
    options: CheckOptions,
) -> dict[str, Question]:
    """By vector field, without those whose metric the console can't compute. Raises what drawing rows raises."""
    wanted = tuple(f.name for f in fields if f.metric is not None)
    if not wanted:
        return {}
    batch = reader.sample(target, DRAWN, wanted, names.columns, options.seed)
    reading = Reading(names)
    groups = {n: reading.coders[n].codes(c) for n, c in reading.read(batch).codes.items()}
    every = np.arange(len(batch))
    order = np.random.default_rng([options.seed, len(batch)]).permutation(len(batch))
    where = middle(groups, every, names, description, payloads(batch, every.tolist()))
    cohorts = cohort_fields(names, options, description, groups)
    made: dict[str, Question] = {}
    for field in fields:
        if field.name not in wanted:
            continue
        vectors = batch.vectors[field.name]
        good = vectors.present & _usable(vectors.matrix)
        slow = field.metric in SLOW
        most, beside = (SLOW_QUERIES, ()) if slow else (QUERIES, cohorts)
        chosen, base = picked(order[good[order]], [groups[n].codes for n in beside], most)
        if not base:
            continue
        made[field.name] = Question(
            [batch.ids[int(i)] for i in chosen], vectors.matrix[chosen], str(field.metric), base, where
        )
    return made


def picked(order: I64, cohorts: Sequence[U16], most: int = QUERIES) -> tuple[I64, int]:
    """The first `most` of some rows in random order, and behind them those that larger cohorts lack.

    `cohorts`: the codes of every row in each field. Returns the rows and how many are of the first kind.
    """
    base = order[:most]
    taken = dict.fromkeys(base.tolist())
    for codes in cohorts:
        here = codes[order]
        sizes = np.bincount(here, minlength=1)
        sizes[0] = 0
        for code in np.argsort(-sizes, kind="stable")[:COHORTS]:
            if sizes[code] < FEWEST:
                continue
            missing = max(0, PER_COHORT - sum(int(codes[p]) == code for p in taken))
            free = [p for p in order[here == code].tolist() if p not in taken]
            taken |= dict.fromkeys(free[:missing])
    return np.array(list(taken), np.int64), len(base)


def cohort_fields(
    names: FieldNames, options: CheckOptions, description: Description, groups: Mapping[str, Codes]
) -> tuple[str, ...]:
    """Group fields whose values are compared: configured cohorts, `--group-by`, modality, language, tenants."""
    wanted = [*names.cohorts, *options.group_by]
    if names.modality is not None:
        wanted.append(names.modality)
    wanted += [g for g in names.groups if g.rpartition(".")[2].lower() in LANGUAGES]
    wanted += [str(f) for f in cast("list[Any]", description.settings.get("tenant_fields") or [])]
    return tuple(n for n in dict.fromkeys(wanted) if n in groups)[:FIELDS]


def middle(
    groups: Mapping[str, Codes],
    rows: I64,
    names: FieldNames,
    description: Description,
    held: Sequence[Payload],
) -> Equals | None:
    """The filter whose share of `rows` is about a quarter; fields with an index first. `held`: their payloads."""
    if not len(rows):
        return None
    indexed = {f.name for f in description.payload if f.indexed}
    found: list[tuple[tuple[bool, int, str, str], Equals, Mask]] = []
    for name in names.groups:
        group = groups.get(name)
        if group is None:
            continue
        codes = group.codes[rows]
        counts = np.bincount(codes, minlength=len(group.values) + 2)
        for i, value in enumerate(group.values):
            share = float(counts[i + 1] / len(rows))
            if i + 1 != group.other and MIDDLE[0] <= share <= MIDDLE[1]:
                rank = (name not in indexed, int(abs(share - 0.25) / CLOSE), name, str(value))
                found.append((rank, Equals(name, value), codes == i + 1))
    ranked = sorted(found, key=lambda one: one[0])
    return next((where for _, where, inside in ranked if _says_the_same(where, inside, held)), None)


def _says_the_same(where: Equals, inside: Mask, held: Sequence[Payload]) -> bool:
    """Whether the filter passes the group's rows and no others: lists, objects and cut texts are groups too."""
    return all(matches(where, payload) == bool(mine) for payload, mine in zip(held, inside, strict=True))


class Seeking:
    """One range's search for the nearest rows of one field; used by one thread. Memory is q x HELD and a block."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._all = TopK(question.matrix, HELD, question.metric)
        some = question.matrix[: FILTERED if question.where is not None else 0]
        self._some = TopK(some, HELD, question.metric)

    def add(self, matrix: F32, good: Mask, groups: Mapping[str, Codes], first: int) -> None:
        """Rows (n, d), the first of them the `first`-th of the range. `good`: (n,) those that have a direction."""
        self._take(self._all, matrix, good, first)
        where = self._question.where
        if where is not None:
            self._take(self._some, matrix, good & groups[where.field].mask(where.value), first)

    def found(self) -> tuple[tuple[I64, F32], tuple[I64, F32]]:
        """Rows of the range and scores, of all queries and of the filtered ones."""
        return self._all.result(), self._some.result()

    @staticmethod
    def _take(search: TopK, matrix: F32, chosen: Mask, first: int) -> None:
        at = np.flatnonzero(chosen)
        if len(at):
            search.add(matrix if len(at) == len(matrix) else matrix[at], first + at)


def sought(question: Question, ranges: Sequence[tuple[Seeking, int]], table: RowTable) -> Sought:
    """Puts the ranges together; each comes with the table's row at which it begins."""
    places = Places(table, question.ids)
    rows = np.array([places.of(i) for i in question.ids], np.int64)
    found = [(seeking.found(), begin) for seeking, begin in ranges]
    q = len(rows)
    some = min(q, FILTERED) if question.where is not None else 0
    return Sought(
        question,
        rows,
        _joined([(held[0], begin) for held, begin in found], q),
        _joined([(held[1], begin) for held, begin in found], some),
    )


def _joined(parts: Sequence[tuple[tuple[I64, F32], int]], q: int) -> I64:
    places = [np.full((q, HELD), -1, np.int64)]
    scores: list[Any] = [np.full((q, HELD), -np.inf, np.float32)]
    for (at, score), begin in parts:
        places.append(np.where(at >= 0, at + begin, -1))
        scores.append(score)
    every = np.concatenate(scores, axis=1)
    order = np.argsort(-every, axis=1, kind="stable")[:, :HELD]
    out: I64 = np.take_along_axis(np.concatenate(places, axis=1), order, axis=1)
    return out


def _usable(matrix: F32) -> Mask:
    with np.errstate(over="ignore", invalid="ignore"):
        lengths: F64 = np.linalg.norm(matrix.astype(np.float64), axis=1)
    return np.asarray(np.isfinite(lengths.astype(np.float32)) & (lengths > 0))
