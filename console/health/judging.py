"""Asks the index and finds the truth: on the client where every row was read, else from the server or a sample."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import is_
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import PLAIN, SearchOptions
from console.health.asking import Asked, K, Places, Truth, scores, slack, trimmed
from console.health.neighbours import top_k
from console.health.table import F32, F64, I64

if TYPE_CHECKING:
    from connectors.filters import Filter
    from connectors.model import Hit, RowId
    from console.health.findings import Mask
    from console.health.probing import Probing

AT_ONCE: Final = 25
FETCHED_AT_ONCE: Final = 500
EXACT_SECONDS: Final = 15.0
"""For the exact searches of one question: each reads every vector on the server, and there are up to four."""
EXACT_AT_ONCE: Final = 10
FEWEST: Final = 30
"""Queries that a figure needs (low-ann-recall)."""
SEEN: Final = 1_000
"""Rows of the sample that are looked at for one query; a query that misses more lies far off by any count."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """`vector`: (d,) float32. `row`: the table's row that it is, -1 for none; `id`: that row's id."""

    vector: F32
    row: int
    id: RowId | None


class Judge:
    """Judges answers of one collection. Vectors that had to be fetched are kept for the next question."""

    def __init__(self, probing: Probing) -> None:
        self._p = probing
        e = probing.evidence
        self._vectors: dict[RowId, F32 | None] = {}
        self._true: list[tuple[list[Query], Filter | None, list[list[RowId]] | None]] = []
        self._places = {int(r): int(p) for p, r in enumerate(e.reservoir.rows)}
        self.whole = e.scan.exact and len(e.reservoir.rows) == len(e.table)
        with np.errstate(all="ignore"):
            lengths = np.linalg.norm(e.vectors.astype(np.float64), axis=1)
        self._longest = float(lengths.max(initial=0.0))

    def ask(
        self,
        queries: Sequence[Query],
        *,
        where: Filter | None = None,
        among: Mask | None = None,
        options: SearchOptions = PLAIN,
    ) -> Asked:
        """`among`: the table's rows that pass `where`. Raises what searching raises, and `BudgetSpent`."""
        e = self._p.evidence
        true = None if self.whole else self._sought(queries, where)
        source: Truth = "client"
        if not self.whole and true is None:
            true = self._exact_once(queries, where) if e.capabilities.exact_search else None
            source = "sample" if true is None else "server"
            queries = queries if true is None else queries[: len(true)]
        raw = self._search(queries, where, options)
        lists = [trimmed(hits, q.id) for q, hits in zip(queries, raw, strict=True)]
        wanted = {h.id for hits in lists for h in hits} | {h[0].id for h in raw if h}
        wanted |= {i for ids in true or [] for i in ids}
        places = Places(e.table, list(wanted))
        self._fetch(wanted, places)
        if true is not None:
            nearest, kth = self._listed(queries, true, places)
        elif source == "client":
            nearest, kth = self._client(queries, among)
        else:
            nearest, kth = np.full((len(queries), K), -2, np.int64), np.full(len(queries), -np.inf)
        return self._held(queries, raw, lists, places, nearest, kth, source, among)

    def joined(self, first: Asked, second: Asked) -> Asked:
        """The queries of both, where the nearest rows of both are known or those of neither; else the first."""
        if (first.truth == "sample") != (second.truth == "sample"):
            return first
        held: dict[str, Any] = {}
        for one in fields(Asked):
            a: Any = getattr(first, one.name)
            b: Any = getattr(second, one.name)
            held[one.name] = np.concatenate((a, b)) if one.name not in ("truth", "weight") else a
        return Asked(**held)

    # Parts

    def _sought(self, queries: Sequence[Query], where: Filter | None) -> list[list[RowId]] | None:
        """The nearest rows that the scan found, where it looked for those of each of these queries."""
        e = self._p.evidence
        if e.sought is None or not (where is None or where is e.sought.question.where):
            return None
        nearest = e.sought.nearest if where is None else e.sought.filtered
        place = {int(row): i for i, row in enumerate(e.sought.rows[: len(nearest)]) if row >= 0}
        if any(q.row not in place for q in queries):
            return None
        out: list[list[RowId]] = []
        for query in queries:
            rows = nearest[place[query.row]]
            rows = rows[(rows >= 0) & (rows != query.row)]
            out.append(list(e.table.ids.take(rows[e.good[rows]][:K])))
        return out

    def _exact_once(self, queries: Sequence[Query], where: Filter | None) -> list[list[RowId]] | None:
        """As `_exact`; what was asked before is not asked again, as where only the options of a search differ."""
        asked = list(queries)
        for before, under, true in self._true:
            if where == under and len(before) == len(asked) and all(map(is_, before, asked)):
                return true
        true = self._exact(queries, where)
        self._true.append((asked, where, true))
        return true

    def _exact(self, queries: Sequence[Query], where: Filter | None) -> list[list[RowId]] | None:
        """The nearest rows of the first queries by the server's exact search, as many as its speed allows.

        None where they are too few for a figure, and where a row that is not a number comes first in exact
        answers too: they are no truth then.
        """
        p = self._p
        began, limit = time.monotonic(), min(EXACT_SECONDS, p.budget.left / 4)
        found: list[list[Hit]] = []
        while len(found) < len(queries):
            some = queries[len(found) : len(found) + EXACT_AT_ONCE]
            spent = time.monotonic() - began
            if found and spent + spent / len(found) * len(some) > limit:
                break
            try:
                found += self._search(some, where, SearchOptions(exact=True))
            except PlumblineError as error:
                if error.code != "timeout":
                    raise
                break
        if len(found) < min(FEWEST, len(queries)):
            return None
        if any(not math.isfinite(h.score) for hits in found for h in hits):
            return None
        return [[h.id for h in trimmed(hits, q.id)] for q, hits in zip(queries, found, strict=False)]

    def _search(
        self, queries: Sequence[Query], where: Filter | None, options: SearchOptions
    ) -> list[list[Hit]]:
        p, out = self._p, list[list["Hit"]]()
        name = p.evidence.field.name
        for start in range(0, len(queries), AT_ONCE):
            p.budget.check()
            matrix = np.stack([q.vector for q in queries[start : start + AT_ONCE]]).astype(np.float32)
            out += p.reader.search(
                p.target, name, matrix, K + 1, where, options, payload=(), timeout=p.timeout
            )
            p.progress(len(out), len(queries))
        return out

    def _fetch(self, wanted: set[RowId], places: Places) -> None:
        """Vectors of rows that the reservoir lacks; None for a row that has gone or has none."""
        p = self._p
        e = p.evidence
        lacking = [i for i in wanted if i not in self._vectors and self._places.get(places.of(i)) is None]
        for start in range(0, len(lacking), FETCHED_AT_ONCE):
            p.budget.check()
            some = lacking[start : start + FETCHED_AT_ONCE]
            batch = p.reader.fetch(p.target, some, (e.field.name,), (), timeout=p.timeout)
            self._vectors |= dict.fromkeys(some)
            held = batch.vectors.get(e.field.name)
            if held is None:
                continue
            for i, row in enumerate(batch.ids):
                self._vectors[row] = held.matrix[i] if held.present[i] else None

    def _vector(self, row: RowId, places: Places) -> F32 | None:
        """None for a row without a direction, and for one that has gone."""
        e = self._p.evidence
        at = places.of(row)
        place = self._places.get(at)
        if at >= 0 and not e.good[at]:
            return None
        return self._vectors.get(row) if place is None else e.reservoir.matrix[place]

    def _scores(self, query: Query, ids: Sequence[RowId], places: Places) -> F64:
        """(len(ids),) recomputed scores, -inf where there is nothing to compute."""
        held = [self._vector(i, places) for i in ids]
        out = np.full(len(ids), -np.inf)
        at = [i for i, v in enumerate(held) if v is not None]
        if at:
            rows = np.stack([v for v in held if v is not None])
            out[at] = scores(query.vector, rows, self._p.evidence.field.metric)
        return out

    def _client(self, queries: Sequence[Query], among: Mask | None) -> tuple[I64, F64]:
        """The k nearest of all good rows, and the score of the last of them."""
        e = self._p.evidence
        places = e.places if among is None else e.places[among[e.reservoir.rows[e.places]]]
        by_row = {int(r): i for i, r in enumerate(e.reservoir.rows[places])}
        matrix = np.stack([q.vector for q in queries]).astype(np.float32)
        own = np.array([by_row.get(q.row, -1) for q in queries], np.int64)
        at, found = top_k(
            matrix, e.reservoir.matrix[places], min(K, max(1, len(places))), e.field.metric, own
        )
        nearest = np.full((len(queries), K), -2, np.int64)
        rows = e.reservoir.rows[places]
        if len(rows):
            nearest[:, : at.shape[1]] = np.where(at >= 0, rows[at], -2)
        counts = (at >= 0).sum(axis=1)
        kth = np.array([found[i, c - 1] if c else -np.inf for i, c in enumerate(counts)], np.float64)
        return self._again(queries, nearest, kth), kth

    def _again(self, queries: Sequence[Query], nearest: I64, kth: F64) -> I64:
        """Sets `kth` to the score as hits are scored, so that both round alike; returns `nearest`."""
        e = self._p.evidence
        for i, query in enumerate(queries):
            rows = nearest[i][nearest[i] >= 0]
            if len(rows):
                vectors = e.reservoir.matrix[[self._places[int(r)] for r in rows]]
                kth[i] = scores(query.vector, vectors, e.field.metric).min()
        return nearest

    def _listed(
        self, queries: Sequence[Query], true: Sequence[Sequence[RowId]], places: Places
    ) -> tuple[I64, F64]:
        nearest, kth = np.full((len(queries), K), -2, np.int64), np.full(len(queries), -np.inf)
        for i, (query, ids) in enumerate(zip(queries, true, strict=True)):
            held = self._scores(query, ids, places)
            usable = np.isfinite(held)
            for j, row in enumerate(ids):
                if usable[j]:
                    nearest[i, j] = places.of(row)
            if usable.any():
                kth[i] = held[usable].min()
        return nearest, kth

    def _held(
        self,
        queries: Sequence[Query],
        raw: Sequence[Sequence[Hit]],
        lists: Sequence[Sequence[Hit]],
        places: Places,
        nearest: I64,
        kth: F64,
        source: Truth,
        among: Mask | None,
    ) -> Asked:
        e, q = self._p.evidence, len(queries)
        hits, right = np.full((q, K), -1, np.int64), np.zeros((q, K), np.bool_)
        itself, missed, reached = np.ones(q, np.bool_), np.zeros(q, np.int64), np.zeros(q, np.int64)
        wanted = (nearest >= -1).sum(axis=1)
        sample = _Sample(self, among, queries) if source == "sample" else None
        for i, query in enumerate(queries):
            held = self._scores(query, [h.id for h in lists[i]], places)
            hits[i, : len(held)] = [places.of(h.id) for h in lists[i]]
            spare = slack(e.field, query.vector, float(kth[i]), self._longest)
            right[i, : len(held)] = np.isfinite(held) & (held >= kth[i] - spare)
            if query.id is not None:
                itself[i] = self._finds_itself(query, raw[i], places)
            if sample is not None:
                missed[i], reached[i] = sample.misses(i, query, lists[i], held)
                wanted[i] = min(K, max(0, e.scan.rows - 1))
        nearest = np.where(nearest < 0, -1, nearest)
        rows = np.array([x.row for x in queries], np.int64)
        weight = sample.weight if sample is not None else 1.0
        return Asked(rows, hits, right, nearest, wanted, itself, source, missed, reached, weight)

    def _finds_itself(self, query: Query, hits: Sequence[Hit], places: Places) -> bool:
        if not hits:
            return False
        if hits[0].id == query.id:
            return True
        own = float(scores(query.vector, query.vector[None], self._p.evidence.field.metric)[0])
        first = float(self._scores(query, [hits[0].id], places)[0])
        field = self._p.evidence.field
        # A distance of 0 has no scale of its own: that of the row's length.
        scale = float(np.linalg.norm(query.vector.astype(np.float64)))
        spare = slack(field, query.vector, scale * (scale if field.metric == "euclid" else 1.0), scale)
        return first >= own - spare

    @property
    def probing(self) -> Probing:
        return self._p


class _Sample:
    """The good rows of the reservoir as a random sample of the collection."""

    def __init__(self, judge: Judge, among: Mask | None, queries: Sequence[Query]) -> None:
        e = judge.probing.evidence
        places = e.places if among is None else e.places[among[e.reservoir.rows[e.places]]]
        self._field = e.field
        self._rows = e.reservoir.rows[places]
        self._ids = e.table.ids
        self.weight = max(1.0, e.scan.rows / max(1, len(e.reservoir.rows)))
        matrix = np.stack([q.vector for q in queries]).astype(np.float32)
        k = max(1, min(SEEN, len(places)))
        self._near, self._scores = top_k(matrix, e.reservoir.matrix[places], k, e.field.metric)

    def misses(self, i: int, query: Query, hits: Sequence[Hit], held: F64) -> tuple[int, int]:
        """Rows of the sample nearer than the last hit of query i and not returned; how many hits are among the k nearest."""
        good = held[np.isfinite(held)]
        if not len(good) or not len(self._rows):
            return 0, 0
        at, near = self._near[i], self._scores[i].astype(np.float64)
        last = float(good.min())
        # Products in float32 differ from `scores` by a little more than the tolerance: count only what is clear.
        spare = 10 * slack(self._field, query.vector, last, float(np.linalg.norm(query.vector)))
        returned = {h.id for h in hits}
        beat = [
            float(s)
            for a, s in zip(at, near, strict=True)
            if a >= 0 and s > last + spare and int(self._rows[a]) != query.row
            and self._ids.at(int(self._rows[a])) not in returned
        ]  # fmt: skip
        above = np.array([sum(b > h for b in beat) for h in np.sort(good)[::-1]])
        reached = int(np.count_nonzero(np.arange(1, len(good) + 1) + above * self.weight <= K))
        return len(beat), reached
