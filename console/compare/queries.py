"""The queries of a comparison, and their vectors on both sides."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import RowId, parse_id
from console.compare.request import CompareRequest, usage
from console.compare.sides import Encoded, Name, Side, Stored, directed, numbered
from console.health.table import F32, I64
from console.search.fields import CAPTION_GUESSES
from console.search.golden.kept import find
from console.search.golden.model import GoldenQuery, GoldenSet, key_text
from console.search.request import BLEND
from console.search.vectors import blend

if TYPE_CHECKING:
    from console.compare.pool import Pool
    from console.compare.rows import Rows
    from console.workspace import Workspace

Kind = Literal["row", "text", "image", "golden"]

TRIED: Final = 20
"""Rows that are looked at for each query that is wanted, at most."""
NAMED: Final = 200
"""Ids of a golden set that are looked for on both sides."""
LONGEST: Final = 200
"""Characters of a label."""


@dataclass(frozen=True, slots=True)
class Query:
    """`number`: the pool row that it is, -1 for none; `id`: that row's id on the left side."""

    label: str
    kind: Kind
    number: int = -1
    id: RowId | None = None
    asked: GoldenQuery | None = None
    cohort: Mapping[str, str] = field(default_factory=dict[str, str])
    tenant: str | None = None

    def to_json(self) -> dict[str, Any]:
        held: dict[str, Any] = {"query": self.label, "kind": self.kind}
        if self.id is not None:
            held["id"] = self.id
        if self.tenant is not None:
            held["tenant"] = self.tenant
        if self.asked is not None and self.asked.text is not None:
            held["text"] = self.asked.text
        if self.asked is not None and self.asked.image is not None:
            held["image"] = str(self.asked.image)
        return held


@dataclass(slots=True, eq=False)
class Questions:
    """q queries. `left`, `right`: (q, d) vectors on each side. `dropped`: why others could not be asked, and how many."""

    queries: list[Query]
    left: F32
    right: F32
    dropped: Counter[str]

    @property
    def own(self) -> I64:
        """(q,) pool rows that the queries are, -1 for none."""
        return np.array([q.number for q in self.queries], np.int64)

    def __len__(self) -> int:
        return len(self.queries)


def golden_of(ws: Workspace, request: CompareRequest) -> tuple[GoldenSet | None, list[GoldenQuery]]:
    """The golden set that was asked for, and what has to be encoded: its queries, or the given texts and pictures."""
    if request.golden is not None:
        golden = find(ws, request.golden)
        if not golden.queries:
            raise usage("The golden set has no query.", request.golden, "Add some, or compare stored rows.")
        return golden, list(golden.queries)
    texts = [GoldenQuery(f"text {i}", text=text) for i, text in enumerate(request.texts)]
    images = [GoldenQuery(f"image {i}", image=image) for i, image in enumerate(request.images)]
    return None, texts + images


def given(
    left: Side,
    right: Side,
    pool: Pool,
    queries: Sequence[GoldenQuery],
    cohorts: Sequence[str] = (),
    kind: Kind | None = None,
    whose: Name = "left",
) -> Questions:
    """Texts, pictures and rows that somebody named, each by both sides' own encoders.

    `cohorts`: fields that a row's payload tells of a query that has no value of its own. `whose`: the side that rows'
    ids are of.
    """
    dropped: Counter[str] = Counter()
    chosen: list[Query] = []
    rows: dict[int, tuple[F32, F32]] = {}
    told: dict[int, dict[str, str]] = {}
    numbers = {q.id: pool.number_of(whose, q.row) for q in queries if q.row is not None}
    wanted = sorted({n for n in numbers.values() if n >= 0})
    if wanted:
        at = np.array(wanted, np.int64)
        one, said = numbered(left, pool, at, cohorts)
        other, said_too = numbered(right, pool, at, () if isinstance(left, Stored) else cohorts)
        rows = {n: (one[i], other[i]) for i, n in enumerate(wanted)}
        held = said if isinstance(left, Stored) else said_too
        told = {
            n: {c: text for c in cohorts if (text := key_text(held[c][i])) is not None}
            for i, n in enumerate(wanted)
        }
    vectors: list[tuple[F32, F32]] = []
    for query in queries:
        number = numbers.get(query.id, -1)
        if query.row is not None and number < 0:
            dropped["the row is not on both sides"] += 1
            continue
        both = [_vector(side, query, rows.get(number), i) for i, side in enumerate((left, right))]
        if isinstance(both[0], str) or isinstance(both[1], str):
            dropped[next(b for b in both if isinstance(b, str))] += 1
            continue
        vectors.append((both[0], both[1]))
        own: Kind = kind or ("image" if query.text is None and query.image is not None else "text")
        row = None if number < 0 else pool.rows("left").at(number)
        cohort = {**told.get(number, {}), **query.cohort}
        chosen.append(Query(query.label[:LONGEST], own, number, row, query, cohort))
    return _questions(chosen, vectors, left, right, dropped)


def drawn(left: Side, right: Side, pool: Pool, n: int, cohorts: Sequence[str]) -> Questions:
    """Stored rows, drawn at random from those that queries may be drawn from and that have a vector with a direction on
    both sides; each side asks by its own vector.
    """
    order = np.flatnonzero(pool.asks)
    source = left if isinstance(left, Stored) else right
    assert isinstance(source, Stored)
    caption = (source.fields.text,) if source.fields.text else CAPTION_GUESSES
    columns = tuple(dict.fromkeys((*cohorts, *caption)))
    dropped: Counter[str] = Counter()
    left_rows = pool.rows("left")
    queries: list[Query] = []
    vectors: list[tuple[F32, F32]] = []
    at = 0
    while len(queries) < n and at < min(len(order), TRIED * n):
        # As many more as are missing, by the share that was of use so far.
        more = math.ceil((n - len(queries)) * (at / len(queries) if queries else 1.0))
        rows = order[at : at + min(more, n)]
        at += len(rows)
        one, said = numbered(left, pool, rows, columns)
        other, said_too = numbered(right, pool, rows, columns if source is right else ())
        held = said if source is left else said_too
        fine = directed(one, left) & directed(other, right)
        if not fine.all():
            dropped["the row has no vector with a direction on both sides"] += int((~fine).sum())
        some = np.flatnonzero(fine)[: n - len(queries)]
        vectors.append((one[some], other[some]))
        queries += [_row(i, rows, left_rows, held, caption, cohorts) for i in some.tolist()]
    return Questions(
        queries,
        np.concatenate([v[0] for v in vectors]) if vectors else np.zeros((0, 1), np.float32),
        np.concatenate([v[1] for v in vectors]) if vectors else np.zeros((0, 1), np.float32),
        dropped,
    )


def _row(
    i: int,
    rows: I64,
    left_rows: Rows,
    held: Mapping[str, Sequence[Any]],
    caption: Sequence[str],
    cohorts: Sequence[str],
) -> Query:
    """The pool's row rows[i] as a query, by what `held` has of it."""
    text = next((v for c in caption if isinstance(v := held[c][i], str) and v.strip()), None)
    cohort = {c: t for c in cohorts if (t := key_text(held[c][i])) is not None}
    number = int(rows[i])
    row, tenant = left_rows.at(number), left_rows.tenant(number)
    return Query((text or str(row))[:LONGEST], "row", number, row, None, cohort, tenant)


def none_left(questions: Questions, request: CompareRequest) -> PlumblineError:
    """Why there is nothing to ask."""
    why = "; ".join(f"{n:,}: {w}" for w, n in questions.dropped.most_common(3))
    return usage(
        f"No query is left to compare{f' ({why})' if why else ''}.",
        request.key,
        "Draw queries from other rows (--query-filter), or give texts.",
    )


def whose(golden: GoldenSet | None, left: Side, right: Side, pool: Pool) -> Name:
    """The side that the ids of a golden set's rows and judgements are of: the old one, unless the new one has more."""
    if not isinstance(left, Stored):
        return "right"
    if golden is None or pool.match_on is None or not isinstance(right, Stored):
        return "left"
    rows = [q.row for q in golden.queries if q.row is not None]
    if golden.key_field is None:
        rows += [row for j in golden.judgements[:NAMED] if (row := _id(j.key)) is not None]
    some = list(dict.fromkeys(rows))[:NAMED]
    counts = {side: sum(pool.number_of(side, row) >= 0 for row in some) for side in ("left", "right")}
    return "right" if counts["right"] > counts["left"] else "left"


def _id(key: str) -> RowId | None:
    """The id that a judgement's key spells; None where it spells none."""
    try:
        return parse_id(key)
    except (PlumblineError, ValueError):
        return None


def _vector(side: Side, query: GoldenQuery, row: tuple[F32, F32] | None, place: int) -> F32 | str:
    vectors = side.vectors if isinstance(side, Encoded) else side.opened.vectors
    dropped = side.dropped if isinstance(side, Encoded) else side.opened.dropped
    parts: list[F32] = []
    text, image = vectors.get((query.id, "text")), vectors.get((query.id, "image"))
    if query.image is not None and image is None:
        return dropped.get(query.id, "its picture can't be used")
    try:
        if text is not None and image is not None:
            parts.append(blend(text, image, BLEND))
        elif text is not None or image is not None:
            parts.append(text if text is not None else image)  # type: ignore[arg-type]
    except PlumblineError as fault:
        return fault.message
    if row is not None:
        held = row[place]
        if not np.isfinite(held).all() or not held.any():
            return "the row has no vector with a direction on both sides"
        parts.append(held)
    if len(parts) == 1:
        return np.asarray(parts[0], np.float32)
    return blend(parts[0], parts[1], 0.5)


def _questions(
    chosen: list[Query], vectors: list[tuple[F32, F32]], left: Side, right: Side, dropped: Counter[str]
) -> Questions:
    def stacked(place: int) -> F32:
        if not vectors:
            return np.zeros((0, 1), np.float32)
        return np.stack([v[place] for v in vectors]).astype(np.float32)

    return Questions(chosen, stacked(0), stacked(1), dropped)
