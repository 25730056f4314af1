"""Both sides' exact lists held against a golden set: which one is better, and for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from connectors.model import parse_id
from console.compare.figures import Grades, Lists, mean_json
from console.compare.intervals import over_queries
from console.compare.pool import Pool
from console.compare.queries import Query
from console.compare.rows import Rows
from console.compare.sides import Stored
from console.health.table import F64
from console.progress import Cancelled, Progress, Tell
from console.search.golden.model import GoldenSet, key_text
from console.search.golden.ranking import KEYLESS
from console.search.golden.resolving import Resolved, resolve
from console.search.paired import paired
from console.search.retrieval import Scores, completed, score

READ: Final = 4_096
"""Rows whose keys are read at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Metrics of both sides on the queries that have a relevant row in the pool.

    `left`, `right`: metric -> (q,) values in the order of all queries, NaN where a query has none. `grades`: what is
    known of the rows in the lists. `outside`: judged rows that are not in the pool.
    """

    golden: GoldenSet
    metrics: tuple[str, ...]
    left: Mapping[str, F64]
    right: Mapping[str, F64]
    grades: Grades
    outside: int

    def to_json(self) -> dict[str, Any]:
        held: dict[str, Any] = {}
        for name in self.metrics:
            one, other = self.left[name], self.right[name]
            both = np.isfinite(one) & np.isfinite(other)
            if not both.any():
                continue
            apart = paired(other[both] - one[both])
            held[name] = {
                "left": mean_json(over_queries(one)),
                "right": mean_json(over_queries(other)),
                "difference": apart.to_json(),
            }
        return {
            "golden": self.golden.name,
            "version": "draft" if self.golden.version is None else self.golden.version,
            "queries": int(np.isfinite(next(iter(self.left.values()))).sum()) if self.left else 0,
            "judged_outside_the_pool": self.outside,
            "metrics": held,
        }


def judge(
    golden: GoldenSet,
    queries: Sequence[Query],
    lists: Lists,
    pool: Pool,
    source: Stored,
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Quality:
    """Judgements are resolved on `source`, the side whose ids they name; both lists are judged by them.

    Every figure is on the pool's rows: a relevant one that is not among them is as if it were not judged, and so is a
    query's own row, which is left out of its list. A row without a key keeps its rank, as in an evaluation. Raises what
    resolving raises, and `Cancelled`.
    """
    found = resolve(golden, source.opened.connector, source.opened.target, tell=tell, cancelled=cancelled)
    keys = _keys(golden, lists, pool, source)
    within = _within(golden, found, queries, pool, source, tell, cancelled)
    qrels = {query: within.of(query, held) for query, held in found.qrels.items()}
    runs = {
        name: {
            query.asked.id: [keys.get(n, f"{KEYLESS}{n}") for n in side.rows[i, : lists.k].tolist() if n >= 0]
            for i, query in enumerate(queries)
            if query.asked is not None
        }
        for name, side in (("left", lists.left), ("right", lists.right))
    }
    closed = golden.closed
    scores: dict[str, Scores] = {}
    for name, run in runs.items():
        graded = {
            query: completed(held, run.get(query, []), within.things_of(query)) if query in closed else held
            for query, held in qrels.items()
        }
        scores[name] = score(graded, run, lists.k)
    metrics = tuple(scores["left"])
    number = {q.asked.id: i for i, q in enumerate(queries) if q.asked is not None}
    grades: dict[int, dict[int, int]] = {}
    for query, i in number.items():
        held = qrels.get(query, {})
        seen = {int(n) for side in (lists.left, lists.right) for n in side.rows[i, : lists.k] if n >= 0}
        known = {n: held[keys[n]] for n in seen if n in keys and keys[n] in held}
        if query in closed:
            known = {n: held.get(keys[n], 0) for n in seen if n in keys}
        grades[i] = known
    arrays = {
        name: {m: _array(scores[name][m], number, len(queries)) for m in metrics}
        for name in ("left", "right")
    }
    return Quality(golden, metrics, arrays["left"], arrays["right"], grades, within.outside)


def _array(held: Mapping[str, float], number: Mapping[str, int], n: int) -> F64:
    out = np.full(n, np.nan)
    for query, value in held.items():
        if query in number:
            out[number[query]] = value
    return out


def _keys(golden: GoldenSet, lists: Lists, pool: Pool, source: Stored) -> dict[int, str]:
    """Pool number -> key of every row in either list that has one."""
    rows = np.unique(np.concatenate([side.rows[:, : lists.k].ravel() for side in (lists.left, lists.right)]))
    rows = rows[rows >= 0]
    texts = _texts(golden, pool.rows(source.name).chosen(rows), source)
    return {int(n): text for n, text in zip(rows, texts, strict=True) if text is not None}


def _texts(golden: GoldenSet, rows: Rows, source: Stored) -> list[str | None]:
    """The key of each row."""
    if golden.key_field is None:
        return [str(row) for row in rows.ids.take(range(len(rows)))]
    return [key_text(value) for value in source.columns(rows, (golden.key_field,))[golden.key_field]]


@dataclass(frozen=True, slots=True, eq=False)
class _Within:
    """`inside`: the judged keys that a row of the pool has; `outside`: how many others there are; `things`: how many
    different keys the pool has. `own`: query -> the key that no row of the pool but its own has.
    """

    inside: Set[str]
    outside: int
    things: int
    own: Mapping[str, str]

    def of(self, query: str, grades: Mapping[str, int]) -> dict[str, int]:
        own = self.own.get(query)
        return {key: grade for key, grade in grades.items() if key in self.inside and key != own}

    def things_of(self, query: str) -> int:
        return self.things - (query in self.own)


def _within(
    golden: GoldenSet,
    found: Resolved,
    queries: Sequence[Query],
    pool: Pool,
    source: Stored,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> _Within:
    named = {key for held in found.qrels.values() for key in held}
    rows = pool.rows(source.name)
    asked = [q for q in queries if q.asked is not None and q.number >= 0]
    texts = _texts(golden, rows.chosen(np.array([q.number for q in asked], np.int64)), source)
    own = {
        q.asked.id: key
        for q, key in zip(asked, texts, strict=True)
        if q.asked is not None and key is not None
    }
    if pool.match_on == golden.key_field and not pool.tenants:
        # The pool's rows are known by the set's own keys: each has one, and no two have the same.
        wanted = list(named)
        if golden.key_field is None:
            numbers = pool.numbers([parse_id(key) for key in wanted], None)
        else:
            numbers = pool.numbers([0] * len(wanted), wanted)
        inside = {key for key, n in zip(wanted, numbers.tolist(), strict=True) if n >= 0}
        return _Within(inside, len(named) - len(inside), len(pool), own)
    every: set[str] = set()
    times: Counter[str] = Counter()
    watched = set(own.values())
    for at in range(0, len(rows), READ):
        if cancelled():
            raise Cancelled
        tell(Progress("Reading the golden set's keys", at, len(rows)))
        some = [t for t in _texts(golden, rows.chosen(np.arange(at, min(at + READ, len(rows)))), source) if t]
        every.update(some)
        times.update(key for key in some if key in watched)
    alone = {query: key for query, key in own.items() if times[key] == 1}
    return _Within(named & every, len(named - every), len(every), alone)
