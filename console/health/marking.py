"""Findings that name rows: their count, share, interval and a few ids, from a bitmap over the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from connectors.model import RowId
from console.health.evidence import Evidence
from console.health.findings import SAMPLE_IDS, Basis, Effect, Finding, Group, Mask, Remedy, Severity
from console.search.proportions import clopper_pearson


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """Rows of one fault. `n`: the rows that were looked at, `rows` those of them that are affected.

    `interval` is None where every row of the collection was looked at. `sure`: the share that is certain at
    97.5%: the interval's lower bound, or the share itself where it is exact.
    """

    affected: Mask
    examined: Mask | None
    rows: int
    n: int
    exact: bool
    interval: tuple[float, float] | None

    @property
    def share(self) -> float:
        return self.rows / self.n if self.n else 0.0

    @property
    def sure(self) -> float:
        return self.share if self.interval is None else self.interval[0]

    @property
    def basis(self) -> Basis:
        return "exact" if self.exact else "sample"

    def told(self) -> str:
        """`1,012 of 3,000 rows`."""
        return told(self.rows, self.n)


def told(rows: int, n: int) -> str:
    return f"{rows:,} of {n:,} rows"


def mark(evidence: Evidence, affected: Mask, examined: Mask | None = None) -> Marked:
    """Counts `affected` among the rows that are kept and, where not all were looked at, `examined`."""
    looked = evidence.kept if examined is None else evidence.kept & examined
    held = affected & looked
    rows, n = int(np.count_nonzero(held)), int(np.count_nonzero(looked))
    exact = evidence.scan.exact and (examined is None or bool(examined.all()))
    interval = None if exact or not n else clopper_pearson(rows, n)
    return Marked(held, None if examined is None or examined.all() else examined, rows, n, exact, interval)


def in_reservoir(evidence: Evidence, places: Mask | None = None) -> Mask:
    """Bitmap over the table: the reservoir's rows, or those at which `places` (m,) is set."""
    out = np.zeros(len(evidence.table), np.bool_)
    rows = evidence.reservoir.rows
    out[rows if places is None else rows[places]] = True
    return out


def ids(evidence: Evidence, affected: Mask) -> tuple[RowId, ...]:
    """Of the first few affected rows, in the order of the scan."""
    return evidence.table.ids.take(np.flatnonzero(affected)[:SAMPLE_IDS])


def finding(
    evidence: Evidence,
    marked: Marked,
    code: str,
    severity: Severity,
    summary: str,
    remedy: Remedy,
    *,
    facts: Mapping[str, Any] | None = None,
    effect: Effect | None = None,
    group: Group | None = None,
    key: str = "",
    paired: bool = False,
) -> Finding:
    """The finding of a row check.

    `paired`: rows that are at fault only beside another one, which a sample may lack: the share of a sample is below
    that of the collection, and no interval around it holds the truth.
    """
    return Finding(
        code,
        severity,
        summary,
        marked.basis,
        remedy,
        rows=marked.rows,
        share=marked.share,
        interval=None if paired else marked.interval,
        effect=effect,
        group=group,
        evidence=dict(facts or {}),
        sample_ids=ids(evidence, marked.affected),
        affected=marked.affected,
        examined=marked.examined,
        key=key,
    )


def number(value: float) -> str:
    """A length or a value in a sentence: `0.40`, `1.000`, `22.5`, `1,012`, `3e-05`."""
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3 or size >= 1e7:
        return f"{value:.2g}"
    if abs(size - 1) < 0.05:
        return f"{value:.3f}"
    return f"{value:.2g}" if size < 0.1 else f"{value:,.{2 if size < 10 else 1 if size < 100 else 0}f}"


def span(values: Any) -> str:
    """`lengths of 0.4 to 1.3`, without the noun: the smallest and the largest of an array that is not empty."""
    low, high = number(float(np.min(values))), number(float(np.max(values)))
    return low if low == high else f"{low} to {high}"
