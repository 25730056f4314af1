"""Whom a change strikes: overlap and quality per value of a field, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from console.compare.gate.bounds import cohorts as adjusted
from console.compare.intervals import anywhere, over_queries
from console.health.findings import Mask
from console.health.jsonable import jsonable
from console.health.means import Gap, Mean, gaps
from console.health.table import F64

FEWEST: Final = 30
"""Queries of a cohort."""


@dataclass(frozen=True, slots=True)
class Quality:
    """A retrieval figure of both sides. `low`, `high`: of the mean difference right - left, 95% for all cohorts together."""

    left: Mean
    right: Mean
    difference: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        return {
            "left": self.left.to_json(),
            "right": self.right.to_json(),
            "difference": {"mean": self.difference, "low": self.low, "high": self.high},
        }


@dataclass(frozen=True, slots=True)
class Row:
    """`gap`: how much less the cohort's neighbours agree than the other queries', 95% for all cohorts together; None
    where fewer than `FEWEST` others are of one cohort, or of none. `others`: further figures by name, 95% each.
    """

    value: str
    queries: int
    overlap: Mean
    gap: Gap | None
    quality: Quality | None
    others: Mapping[str, Mean] = field(default_factory=dict[str, Mean])

    def to_json(self) -> dict[str, Any]:
        gap = (
            None
            if self.gap is None
            else {"value": self.gap.value, "low": self.gap.low, "high": self.gap.high}
        )
        return {
            "value": self.value,
            "queries": self.queries,
            "overlap_at_k": self.overlap.to_json(),
            **{name: held.to_json() for name, held in self.others.items()},
            "gap": gap,
            "quality": None if self.quality is None else self.quality.to_json(),
        }


def members(values: Sequence[Any]) -> list[tuple[str, Mask]]:
    """The values that at least `FEWEST` queries have, as text, and whose (q,); None is no value, a list is one."""
    held = [None if value is None else _text(value) for value in values]
    names, place = np.unique(np.array([name or "" for name in held], np.str_), return_inverse=True)
    there = np.array([name is not None for name in held], np.bool_)
    found = [(str(name), (place == i) & there) for i, name in enumerate(names)]
    return [(name, mask) for name, mask in found if np.count_nonzero(mask) >= FEWEST]


def by_cohort(
    fields: Mapping[str, Sequence[Any]],
    overlap: F64,
    quality: tuple[F64, F64] | None = None,
    seed: int = 0,
    others: Mapping[str, F64] | None = None,
) -> dict[str, list[Row]]:
    """Per field the cohorts of at least `FEWEST` queries.

    `fields`: the value of each query, None for none. `overlap`: (q,), NaN for none. `quality`: a figure in 0 to 1 of
    each query on the left and on the right, NaN where nothing was judged. `others`: further figures of each query by
    name, NaN for none. Worst first: by the lost quality
    where it was measured for each cohort, else by overlap.
    """
    there = ~np.isnan(overlap)
    held = {name: _those(members(values), there) for name, values in fields.items()}
    families = [
        [*((f"{name}\0{value}", overlap[mask]) for value, mask in of), *_rest(name, overlap, of, there)]
        for name, of in held.items()
    ]
    gap = {found.name: found for found in gaps(families, seed)}
    judged = _qualities(held, quality, seed)
    out: dict[str, list[Row]] = {}
    for name, of in held.items():
        rows: list[Row] = []
        for value, mask in of:
            key = f"{name}\0{value}"
            mean = over_queries(overlap[mask])
            assert mean is not None
            more = {n: m for n, v in (others or {}).items() if (m := anywhere(v[mask])) is not None}
            rows.append(Row(value, int(np.count_nonzero(mask)), mean, gap.get(key), judged.get(key), more))
        if rows:
            out[name] = sorted(rows, key=_worst if all(r.quality for r in rows) else _changed)
    return out


def _worst(row: Row) -> tuple[float, float, str]:
    assert row.quality is not None
    return row.quality.difference, row.overlap.value, row.value


def _changed(row: Row) -> tuple[float, float, str]:
    return row.overlap.value, 0.0, row.value


def _those(found: Sequence[tuple[str, Mask]], there: Mask) -> list[tuple[str, Mask]]:
    return [(name, mask & there) for name, mask in found if np.count_nonzero(mask & there) >= FEWEST]


def _rest(name: str, overlap: F64, of: Sequence[tuple[str, Mask]], there: Mask) -> list[tuple[str, F64]]:
    """The queries of no cohort of a field: where they are as many as make one, cohorts are held against them, too."""
    rest = there.copy()
    for _, mask in of:
        rest &= ~mask
    return [(name, overlap[rest])] if of and np.count_nonzero(rest) >= FEWEST else []


def _qualities(
    held: Mapping[str, Sequence[tuple[str, Mask]]], quality: tuple[F64, F64] | None, seed: int
) -> dict[str, Quality]:
    """Of the cohorts of which enough queries were judged; bounds hold for all of them together."""
    if quality is None:
        return {}
    left, right = quality
    judged = ~(np.isnan(left) | np.isnan(right))
    names = [f"{name}\0{value}" for name, of in held.items() for value, _ in of]
    masks = [mask & judged for of in held.values() for _, mask in of]
    some = [i for i, mask in enumerate(masks) if np.count_nonzero(mask) >= FEWEST]
    bounds = adjusted((right - left)[judged], [masks[i][judged] for i in some], seed)
    out: dict[str, Quality] = {}
    for i, bound in zip(some, bounds, strict=True):
        one, other = over_queries(left[masks[i]]), over_queries(right[masks[i]])
        assert one is not None
        assert other is not None
        out[names[i]] = Quality(one, other, bound.mean, max(-1.0, bound.low), min(1.0, bound.high))
    return out


def _text(value: Any) -> str:
    held = jsonable(value)
    return held if isinstance(held, str) else str(held)
