"""Since when a fault is there: by the rows' times, else by earlier reports, else not known."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from console.health.method import CONSTANT
from console.health.table import F64, I64

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding, Mask

SinceBasis = Literal["rows", "reports"]


@dataclass(frozen=True, slots=True)
class Since:
    """`at`: ISO 8601 with zone. `rows`: the time of the first affected row; `reports`: of the first report with it."""

    at: str
    basis: SinceBasis


class Clock:
    """The rows of one check in the order of their times, sorted once."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def since(self, finding: Finding) -> Since | None:
        """By rows, else by reports, else None."""
        if finding.affected is not None:
            start = self._by_rows(finding.affected, finding.examined)
            if start is not None:
                return Since(start, "rows")
        seen = first_seen(finding.id, finding.code, self._evidence.history)
        return None if seen is None else Since(seen, "reports")

    @functools.cached_property
    def _order(self) -> I64:
        time = self._evidence.table.time
        held = np.flatnonzero(np.isfinite(time))
        return held[np.argsort(time[held], kind="stable")]

    def _by_rows(self, affected: Mask, examined: Mask | None) -> str | None:
        order = self._order if examined is None else self._order[examined[self._order]]
        start = beginning(self._evidence.table.time[order], affected[order])
        return None if start is None else stamp(start)


def beginning(time: F64, affected: Mask) -> float | None:
    """The time of the first affected row after the share of affected rows jumps up from nothing, else None.

    `time`: (n,) seconds, ascending and finite; `affected`: (n,) bool. The change is where the likelihood of two
    shares is the largest (Hinkley 1970), between rows of different times.
    """
    n, total = len(time), int(np.count_nonzero(affected))
    if total < CONSTANT["since_rows"] or total == n:
        return None
    splits = np.flatnonzero(time[1:] > time[:-1]) + 1
    if not len(splits):
        return None
    before = np.cumsum(affected, dtype=np.int64)[splits - 1]
    rows_before, after, rows_after = splits, total - before, n - splits
    rises = before / rows_before < after / rows_after
    if not rises.any():
        return None
    gain = _likelihood(before, rows_before) + _likelihood(after, rows_after)
    gain -= float(_likelihood(np.array([total]), np.array([n]))[0])
    at = int(np.argmax(np.where(rises, gain, -np.inf)))
    if before[at] > CONSTANT["since_before"] * total or 2 * gain[at] <= CONSTANT["since_penalty"] * math.log(
        n
    ):
        return None
    start = int(splits[at])
    return float(time[start + int(np.argmax(affected[start:]))])


def _likelihood(hits: I64, n: I64) -> F64:
    """Logarithm of the binomial likelihood at its maximum, the coefficient left out."""
    with np.errstate(all="ignore"):
        share = hits / n
        held = hits * np.log(share) + (n - hits) * np.log1p(-share)
    return np.where((hits == 0) | (hits == n), 0.0, held)


def first_seen(finding_id: str, code: str, history: Sequence[Mapping[str, Any]]) -> str | None:
    """The time of the first of the unbroken run of earlier reports that hold the finding; None: no earlier one does.

    A report that scanned nothing, or could not measure the code, neither holds it nor breaks the run.
    """
    found: str | None = None
    for report in history:
        findings = cast("Sequence[Mapping[str, Any]]", report.get("findings") or ())
        if any(f.get("id") == finding_id for f in findings):
            at = report.get("at")
            found = at if isinstance(at, str) else found
        elif report.get("scanned") and not _unmeasured(code, report):
            break
    return found


def _unmeasured(code: str, report: Mapping[str, Any]) -> bool:
    held = cast("Sequence[Mapping[str, Any]]", report.get("not_measured") or ())
    return any(one.get("check") == code for one in held)


def stamp(seconds: float) -> str | None:
    """ISO 8601 in UTC; None for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return None
