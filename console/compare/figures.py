"""What is measured on the two sides' lists, as the comparison's JSON says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from console.compare.anchors import Anchors
from console.compare.displacement import displacement
from console.compare.indexes import Found, overlap_of_both
from console.compare.intervals import anywhere, over_queries
from console.compare.measures import (
    agreement,
    index_recall,
    jaccard,
    lost_and_gained,
    overlap,
    rank_biased_overlap,
    top1,
)
from console.compare.nearest import Nearest
from console.compare.pool import Pool
from console.compare.queries import Query
from console.compare.request import P
from console.compare.sides import Side
from console.health.findings import Mask, NotMeasured
from console.health.means import Mean
from console.health.table import F64

Grades = Mapping[int, Mapping[int, int]]
"""Query's place -> pool number -> grade."""


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """The exact lists of both sides and how they agree; q queries, depth k."""

    left: Nearest
    right: Nearest
    k: int
    agree: F64

    @classmethod
    def of(cls, left: Nearest, right: Nearest, k: int) -> Lists:
        return cls(left, right, k, agreement(left, right, k))

    @property
    def overlap(self) -> F64:
        """(q,)"""
        return overlap(self.agree)

    @property
    def blurred(self) -> Mask:
        """(q,) queries whose nearest rows could not all be told on a side."""
        out = np.zeros(len(self.left), np.bool_)
        for side in (self.left, self.right):
            if side.blurred is not None:
                out |= side.blurred
        return out

    @property
    def telling(self) -> bool:
        """Whether a list can leave something out: where there are no more than k rows to be found, each holds all."""
        return bool((np.maximum(self.left.counts, self.right.counts) > self.k).any())


def neighbour_sets(lists: Lists) -> dict[str, Any]:
    """Overlap, Jaccard, rank-biased overlap, top-1 agreement, displacement and the overlap at each depth."""
    agree, k = lists.agree, lists.k
    moved = displacement(lists.left, lists.right, k)
    kept = anywhere(moved.kept)
    curve = (
        np.nanmean(agree / np.arange(1, k + 1), axis=0) if np.isfinite(agree).any() else np.full(k, np.nan)
    )
    whole = None
    if not lists.telling and np.isfinite(agree).any():
        most = int(np.maximum(lists.left.counts, lists.right.counts).max())
        whole = not_measured(
            f"A query has {most:,} other {'row' if most == 1 else 'rows'}: all are among the {k} nearest on both"
            " sides. Ask for fewer (-k)."
        )
    return {
        "overlap_at_k": whole or mean_json(over_queries(overlap(agree))),
        "jaccard": whole or mean_json(over_queries(jaccard(agree))),
        "rank_biased_overlap": mean_json(over_queries(rank_biased_overlap(agree, P))),
        "top1": mean_json(over_queries(top1(agree))),
        "displacement": {
            "kept": None if kept is None else {"mean": kept.value, "low": kept.low, "high": kept.high},
            "lost_rank": {"median": moved.median, "beyond_share": moved.beyond, "depth": moved.depth}
            if len(moved.lost)
            else None,
        },
        "curve": [float(v) for v in curve],
    }


def index_noise(lists: Lists, left: Found | str | None, right: Found | str | None) -> dict[str, Any]:
    """Exact against index on each side, and index against index; a text says why there is none."""
    found: dict[str, Any] = {}
    for name, exact, asked in (("left", lists.left, left), ("right", lists.right, right)):
        if isinstance(asked, Found):
            values = index_recall(exact, asked.rows, asked.scores, lists.k)
            values[asked.unknown | lists.blurred] = np.nan
            recall = over_queries(values)
            found[f"{name}_index"] = mean_json(recall) or not_measured("No query has a nearest row.")
        else:
            found[f"{name}_index"] = not_measured(asked or "The side was made by encoding: it has no index.")
    if isinstance(left, Found) and isinstance(right, Found):
        values = overlap_of_both(left, right, (lists.left, lists.right), lists.k)
        values[lists.blurred] = np.nan
        both = over_queries(values)
        found["both_indexes"] = mean_json(both) or not_measured("No query has a nearest row.")
    else:
        found["both_indexes"] = not_measured("Both indexes have to be asked for it.")
    return found


def anchors_json(held: Anchors | NotMeasured) -> dict[str, Any]:
    if isinstance(held, NotMeasured):
        return not_measured(held.why)
    return {name: getattr(held, name).value for name in ("fp16", "bf16", "int8")}


def changed(
    lists: Lists,
    queries: Sequence[Query],
    pool: Pool,
    left: Side,
    right: Side,
    grades: Grades | None,
) -> list[dict[str, Any]]:
    """Every query, the most changed first: what it lost and gained, and both lists with ranks on the other side."""
    values, rbo = lists.overlap, rank_biased_overlap(lists.agree, P)
    apart = lost_and_gained(lists.left, lists.right, lists.k)
    order = sorted(range(len(queries)), key=lambda i: (_last(values[i]), _last(rbo[i]), queries[i].label))
    out: list[dict[str, Any]] = []
    for i in order:
        lost, gained = apart[i]
        seen = dict(grades.get(i, {})) if grades is not None else None
        both = [_list(lists, pool, left, i, "left", seen), _list(lists, pool, right, i, "right", seen)]
        listed = [int(n) for side in (lists.left, lists.right) for n in side.rows[i, : lists.k] if n >= 0]
        out.append(
            {
                **queries[i].to_json(),
                "overlap": float(values[i]),
                "rbo": float(rbo[i]),
                "lost": [pool.left.at(n) for n in lost.tolist()],
                "gained": [pool.right.at(n) for n in gained.tolist()],
                "left": both[0],
                "right": both[1],
                "grades": None
                if seen is None
                else {str(pool.left.at(n)): seen[n] for n in dict.fromkeys(listed) if n in seen},
            }
        )
    return out


def _list(
    lists: Lists, pool: Pool, side: Side, i: int, name: str, grades: Mapping[int, int] | None
) -> list[dict[str, Any]]:
    own, other = (lists.left, lists.right) if name == "left" else (lists.right, lists.left)
    ranks = {int(n): rank for rank, n in enumerate(other.rows[i].tolist(), 1) if n >= 0}
    rows_of = pool.rows(side.name)
    return [
        {
            **rows_of.named(int(n)),
            "score": float(side.scale.own(score)),
            "rank_right" if name == "left" else "rank_left": ranks.get(int(n)),
            **({} if grades is None else {"grade": grades.get(int(n))}),
        }
        for n, score in zip(own.rows[i, : lists.k].tolist(), own.scores[i, : lists.k].tolist(), strict=True)
        if n >= 0
    ]


def mean_json(held: Mean | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {"mean": held.value, "low": held.low, "high": held.high, "queries": held.n}


def not_measured(why: str) -> dict[str, Any]:
    return {"not_measured": why}


def _last(value: float) -> float:
    """Queries without a figure come last."""
    return value if value == value else np.inf
