"""What an index gave for some queries, held against the truth hit by hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from console.health.means import IMPERFECT, Mean, draws, mean, poisson
from console.health.neighbours import score
from console.health.table import F32, F64, I64, U64

if TYPE_CHECKING:
    from connectors.model import Hit, RowId, VectorField
    from console.health.findings import Mask
    from console.health.table import RowTable

K: Final = 10
TOLERANCE: Final = 1e-6
"""Of the scale of scores (HEALTH.md): float32 sums of stored values differ by less between client and server."""
HALF_TOLERANCE: Final = 5e-4
"""Float16 storage: the query is rounded by up to 2**-11 of each value before it is compared."""
FAR: Final = 3
"""A query that missed at least this many sampled rows, standing for 3 k in the collection, lies far off."""

PIECE: Final = 262_144

Truth = Literal["client", "server", "sample"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """q queries of one kind. Rows are indices into the table, -1 for none or for a row that was not scanned.

    `queries`: (q,), -1 for a text. `hits`: (q, k) as returned, the query's own row left out. `right`: (q, k) hits at least
    as near as the k-th nearest row. `nearest`: (q, k) the k nearest. `wanted`: (q,) how many rows there are to be
    found, k at most. `itself`: (q,) the first hit is the row itself or as near. `truth`: where the nearest rows
    come from; with `sample` they are not known: `missed` (q,) counts the rows of a random sample that are nearer
    than the last hit and were not returned, each of which stands for `weight` rows; `right` then says which hits
    are good rows, and `reached` (q,) how many of them are among the k nearest of what can be seen.
    """

    queries: I64
    hits: I64
    right: Mask
    nearest: I64
    wanted: I64
    itself: Mask
    truth: Truth
    missed: I64
    reached: I64
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.queries)

    def only(self, chosen: Mask) -> Asked:
        """Some of the queries."""
        return Asked(
            self.queries[chosen],
            self.hits[chosen],
            self.right[chosen],
            self.nearest[chosen],
            self.wanted[chosen],
            self.itself[chosen],
            self.truth,
            self.missed[chosen],
            self.reached[chosen],
            self.weight,
        )

    def alive(self, kept: Mask) -> Mask:
        """(q,): queries that are not rows that were left out."""
        return np.append(kept, True)[self.queries]

    def touched(self, rows: Mask) -> Mask:
        """(q,): queries that are, that got, or that should have got one of `rows` (a bitmap over the table)."""
        held = np.append(rows, False)
        return held[self.queries] | held[self.hits].any(axis=1) | held[self.nearest].any(axis=1)

    def recalls(self, kept: Mask) -> tuple[Mask, F64]:
        """Queries left (q,), and their recall when only `kept` rows count.

        A nearest row that was left out is not asked for. A wrong hit that was left out held a place which
        a right one could have had, so that many misses are not the index's.
        """
        gone = np.append(~kept, False)
        out, nearest_out = gone[self.hits], gone[self.nearest]
        wanted = self.wanted - nearest_out.sum(axis=1)
        found = (self.right & ~out).sum(axis=1)
        in_the_way = (~self.right & out).sum(axis=1)
        chosen = self.alive(kept) & (wanted > 0)
        value = np.minimum(found + in_the_way, wanted)[chosen] / wanted[chosen]
        return chosen, value

    def recall(self, kept: Mask) -> Mean | None:
        """The mean recall over the queries left, None without any; see `estimated` where truth is a sample."""
        if self.truth == "sample":
            return self.estimated(kept)
        _, values = self.recalls(kept)
        return mean(values) if len(values) else None

    def itself_first(self, kept: Mask) -> Mean | None:
        """The share of the queries left that find themselves first; needs no truth."""
        chosen = self.alive(kept) & (self.queries >= 0)
        return mean(self.itself[chosen].astype(np.float64)) if chosen.any() else None

    def estimated(self, kept: Mask) -> Mean | None:
        """returned / (returned + missed x weight), each query that lies far off counted by itself.

        The pooled figure is that of k rows out of those at least as near as the last one returned: the recall
        where misses are spread over queries. A few queries that miss hundreds of rows would outweigh all others
        there, so their recall is the share of their hits that are among the k nearest by the same weights.
        """
        chosen = self.alive(kept) & (self.wanted > 0)
        n = int(chosen.sum())
        if not n:
            return None
        returned = np.asarray(self.right[chosen].sum(axis=1), np.float64)
        missed, wanted = self.missed[chosen], self.wanted[chosen]
        proven = np.asarray(missed * self.weight, np.float64)
        far = (missed >= FAR) & (proven >= 3 * wanted)
        alone = np.asarray(self.reached[chosen] / wanted, np.float64)
        value = _pooled(returned, proven, far, alone)
        if np.count_nonzero(missed) >= IMPERFECT:
            at = draws(n)
            again = _pooled(returned[at], proven[at], far[at], alone[at])
            low, high = (float(x) for x in np.quantile(again, (0.025, 0.975)))
        else:
            few, many = poisson(int(missed[~far].sum()))
            some, more = np.zeros(n), np.zeros(n)
            some[~far], more[~far] = few * self.weight / max(1, n), many * self.weight / max(1, n)
            high = float(_pooled(returned, some, far, alone))
            low = float(_pooled(returned, more, far, alone))
        return Mean(float(value), min(low, float(value)), max(high, float(value)), n)

    def expected_misses(self, kept: Mask, line: float) -> float:
        """Rows of the sample that would be proven misses if recall were at `line`."""
        chosen = self.alive(kept)
        return float(self.right[chosen].sum()) * (1 / line - 1) / self.weight


def _pooled(returned: F64, missed: F64, far: Mask, alone: F64) -> F64:
    """Over the last axis; far queries count with `alone`."""
    near = ~far
    total = (returned * near).sum(axis=-1)
    pooled = total / np.maximum(total + (missed * near).sum(axis=-1), 1e-12)
    share = near.mean(axis=-1)
    pooled = np.where(share > 0, pooled, 0.0)
    return np.asarray(share * pooled + (alone * far).mean(axis=-1), np.float64)


class Places:
    """Rows of a table by id, for some ids."""

    def __init__(self, table: RowTable, wanted: Sequence[RowId]) -> None:
        from console.health.table import Ids

        asked = Ids.of(list(dict.fromkeys(wanted)))
        ids = table.ids
        at = _places(ids.low, np.unique(asked.low)) if len(asked) else []
        self._rows: Mapping[RowId, int] = {ids.at(i): i for i in at}

    def of(self, row: RowId) -> int:
        return self._rows.get(row, -1)


def _places(column: U64, wanted: U64) -> list[int]:
    """Where a column of any length holds one of some values, ascending; `wanted` sorted. Piece by piece: flat memory."""
    out: list[int] = []
    for start in range(0, len(column), PIECE):
        part = column[start : start + PIECE]
        at = np.minimum(np.searchsorted(wanted, part), len(wanted) - 1)
        out += (start + np.flatnonzero(wanted[at] == part)).tolist()
    return out


def trimmed(hits: Sequence[Hit], own: RowId | None, k: int = K) -> list[Hit]:
    """The first k hits without the query's own row, each row once."""
    seen: set[RowId] = set() if own is None else {own}
    out: list[Hit] = []
    for hit in hits:
        if hit.id not in seen:
            seen.add(hit.id)
            out.append(hit)
    return out[:k]


def slack(field: VectorField, query: F32, kth: float, longest: float) -> float:
    """How far below the k-th score a hit still counts as equal, in the units of `neighbours.score`.

    Scale: 1 for cosine, the product of lengths for dot, the distance itself for distances.
    """
    share = HALF_TOLERANCE if field.storage == "float16" else TOLERANCE
    if field.metric == "dot":
        return share * float(np.linalg.norm(query)) * longest
    if field.metric in ("euclid", "manhattan", "hamming"):
        return share * abs(kth)
    return share


def scores(query: F32, rows: F32, metric: str | None) -> F64:
    """(n,) scores of rows (n, d); -inf for a row that is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = score(np.broadcast_to(query, rows.shape), rows, metric).astype(np.float64)
    return np.where(np.isfinite(found), found, -np.inf)
