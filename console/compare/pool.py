"""The rows that both sides hold: every figure is on them, and they have the same numbers on both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from connectors.errors import PlumblineError
from connectors.filters import Filter, lookup
from console.compare.keys import row_keys, within
from console.compare.rows import Rows, concatenated, tenant_salts
from console.compare.streaming import stream
from console.health.findings import Mask
from console.health.table import I64, U64, Ids
from console.progress import Progress, Tell
from console.search.golden.passing import Passing

if TYPE_CHECKING:
    from connectors.model import Batch, Hit, RowId, Target
    from connectors.protocol import Reader


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Every row of one side, n of them, in the order in which it is read: 26 bytes a row, 30 where there are tenants.

    `there`: rows that have something to be matched by. `counts`: rows that pass the pool's filter, `asks`: rows that
    queries may be drawn from.
    """

    rows: Rows
    keys: U64
    there: Mask
    counts: Mask
    asks: Mask

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """How many rows have a partner. `ambiguous`: rows whose key several have; `without_key`: rows that have none.

    `tenants`: the same key is another row in another tenant. `passing`: the right's rows of the pool pass the pool's
    filter, too.
    """

    rows: int
    left: int
    right: int
    by: str
    ambiguous: int
    without_key: int
    tenants: bool = False
    passing: bool = True

    def to_json(self) -> dict[str, Any]:
        every = self.left + self.right - self.rows
        return {
            "rows": self.rows,
            "share": self.rows / every if every else 0.0,
            "by": self.by,
            "left": {"rows": self.left, "share": self.rows / self.left if self.left else 0.0},
            "right": {"rows": self.right, "share": self.rows / self.right if self.right else 0.0},
            "ambiguous": self.ambiguous,
            "without_key": self.without_key,
            "within_tenants": self.tenants,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """n rows, numbered in the order of their shuffled keys: the first ones are a random sample of all.

    `keys`: (n,) ascending. `left`, `right`: (n,) rows on each side. `asks`: (n,) rows that queries may be drawn from.
    `tenants`: keys count within their tenants.
    """

    keys: U64
    left: Rows
    right: Rows
    asks: Mask
    seed: int
    match_on: str | None
    tenants: bool = False

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, side: str) -> Rows:
        return self.left if side == "left" else self.right

    def numbers(
        self, ids: Sequence[RowId], values: Sequence[Any] | None, tenants: Sequence[str | None] = ()
    ) -> I64:
        """(m,) pool numbers of rows of either side, -1 for those that are not in the pool. `tenants`: one for all, or
        one for each.
        """
        keys, there = row_keys(ids, values, self.seed)
        if self.tenants:
            keys = within(keys, tenant_salts(tenants))
        if not len(self.keys):
            return np.full(len(ids), -1, np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(there & (self.keys[place] == keys), place, -1)

    def of_batch(self, batch: Batch) -> I64:
        values = None if self.match_on is None else batch.columns[self.match_on]
        return self.numbers(batch.ids, values, (batch.part,))

    def of_hits(self, hits: Sequence[Hit]) -> I64:
        """The same of hits, whose payload holds the field that rows are matched on."""
        name = self.match_on
        values = None if name is None else [h.payload.get(name, lookup(h.payload, name)) for h in hits]
        return self.numbers([h.id for h in hits], values, [h.part for h in hits])

    def number_of(self, side: str, row: RowId) -> int:
        """The pool number of one side's row, -1 where it is not in the pool."""
        held, one = self.rows(side).ids, Ids.of([row])
        found = np.flatnonzero(
            (held.low == one.low[0]) & (held.high == one.high[0]) & (held.integer == one.integer[0])
        )
        return int(found[0]) if len(found) else -1

    def only(self, kept: Mask) -> Pool:
        """The rows of `kept` (n,), numbered anew."""
        return replace(
            self,
            keys=self.keys[kept],
            left=self.left.chosen(kept),
            right=self.right.chosen(kept),
            asks=self.asks[kept],
        )

    def first(self, n: int) -> Pool:
        """A random sample of n rows."""
        return self.only(np.arange(len(self)) < n)


def hold(
    reader: Reader,
    target: Target,
    *,
    match_on: str | None,
    counts: Filter | None,
    asks: Filter | None,
    seed: int,
    several: bool,
    phase: str,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Held:
    """Reads every row of a side, without its vectors. `several`: it has several tenants. Raises what reading raises, and `Cancelled`."""
    wanted = [f for f in (counts, asks) if f is not None]
    passing = Passing(wanted)
    names = [*passing.fields, match_on] if match_on is not None else list(passing.fields)
    columns = tuple(dict.fromkeys(names))
    total = reader.count(target).rows
    parts: list[tuple[Ids, U64, Mask, list[Mask]]] = []
    tenants: list[str | None] = []
    done = 0
    for batch in stream(reader, target, (), columns, cancelled):
        keys, there = row_keys(batch.ids, None if match_on is None else batch.columns[match_on], seed)
        masks = passing.masks(batch.ids, batch.columns) if wanted else []
        parts.append((Ids.of(batch.ids), keys, there, masks))
        tenants.append(batch.part)
        done += len(batch)
        tell(Progress(phase, done, max(total, done)))
    every = np.ones(done, np.bool_)
    masks = [np.concatenate([p[3][i] for p in parts]) if parts else every for i in range(len(wanted))]
    counted = masks[0] if counts is not None else every
    asked = masks[-1] if asks is not None else every
    return Held(
        Rows.joined([(p[0], tenant) for p, tenant in zip(parts, tenants, strict=True)], several),
        concatenated([p[1] for p in parts], np.uint64),
        concatenated([p[2] for p in parts], np.bool_),
        counted,
        asked & counted,
    )


def match(left: Held, right: Held, match_on: str | None, seed: int) -> tuple[Matched, Pool]:
    """Rows with the same key, where one row of each side has it; and the pool of those that pass the left's filter.

    Where both sides have tenants and several rows of a side share a key, it counts within its tenant.
    """
    one, other = _single(left, left.keys), _single(right, right.keys)
    both = left.rows.codes is not None and right.rows.codes is not None
    tenants = both and one.twice + other.twice > 0
    if tenants:
        one, other = _within(left), _within(right)
    keys, at, by = np.intersect1d(one.keys, other.keys, assume_unique=True, return_indices=True)
    rows_left, rows_right = one.rows[at], other.rows[by]
    matched = Matched(
        len(keys),
        len(left),
        len(right),
        match_on or "id",
        one.twice + other.twice,
        int((~left.there).sum() + (~right.there).sum()),
        tenants,
        bool(right.counts[rows_right][left.counts[rows_left]].all()),
    )
    pool = Pool(
        keys,
        left.rows.chosen(rows_left),
        right.rows.chosen(rows_right),
        left.asks[rows_left],
        seed,
        match_on,
        tenants,
    )
    return matched, pool.only(left.counts[rows_left])


def alone(held: Held, seed: int) -> tuple[Matched, Pool]:
    """The rows of the only side that has any: the other one will be encoded from them."""
    single = _single(held, held.keys)
    tenants = bool(single.twice) and held.rows.codes is not None
    if tenants:
        single = _within(held)
    rows = held.rows.chosen(single.rows)
    matched = Matched(len(rows), len(held), len(rows), "id", single.twice, 0, tenants)
    pool = Pool(single.keys, rows, rows, held.asks[single.rows], seed, None, tenants)
    return matched, pool.only(held.counts[single.rows])


def nothing_matched(matched: Matched, left: str, right: str, left_ids: Ids, right_ids: Ids) -> PlumblineError:
    """Why two sides have no row in common."""
    kinds = [
        ("numbers" if ids.integer.all() else "UUIDs") if len(ids) else "" for ids in (left_ids, right_ids)
    ]
    empty = [name for name, ids in (("left", left_ids), ("right", right_ids)) if not len(ids)]
    if empty:
        why = f"The {empty[0]} side has no rows." if len(empty) == 1 else "Neither side has a row."
        hint = "Write some first, or choose another collection."
    elif matched.by != "id":
        why = f"No value of `{matched.by}` is on both sides, once on each."
        hint = "Name a field whose values tell the rows apart, and are the same on both sides."
    elif "" not in kinds and kinds[0] != kinds[1]:
        why = f"The left side's ids are {kinds[0]}, the right side's {kinds[1]}: no row has the same id on both."
        hint = "Match on a payload field that both have: --match-on FIELD."
    elif matched.ambiguous:
        why = f"{matched.ambiguous:,} rows share their id with another row of their side, as rows of several tenants do."
        hint = "Compare one tenant (COLLECTION@TENANT), or match on a payload field: --match-on FIELD."
    else:
        why = "No id is on both sides."
        hint = "Match on a payload field that both have: --match-on FIELD."
    return PlumblineError(
        "usage", f"The two sides have no row in common. {why}", where=f"{left} {right}", hint=hint
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Single:
    """Keys that one row has, ascending; those rows; and how many rows share theirs."""

    keys: U64
    rows: I64
    twice: int


def _single(held: Held, keys: U64) -> _Single:
    rows = np.flatnonzero(held.there)
    found, first, counts = np.unique(keys[rows], return_index=True, return_counts=True)
    once = counts == 1
    return _Single(found[once], rows[first[once]], int(counts[~once].sum()))


def _within(held: Held) -> _Single:
    """The same with keys that count within their tenants."""
    return _single(held, within(held.keys, held.rows.salts()))
