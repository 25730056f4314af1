"""Since when a fault is there: by the rows' times, else by earlier reports, else not known."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from console.health.method import CONSTANT
from console.health.table import F64, I64

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding, Mask

SinceBasis = Literal["rows", "reports"]
MOST: Final = 20_000
"""Places of a change that are tried at once: arrays of as many, however many rows are affected."""
U32: TypeAlias = npt.NDArray[np.uint32]


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
    def _order(self) -> U32:
        """Rows with a time, the earliest first."""
        time = self._evidence.table.time
        order = np.argsort(time, kind="stable").astype(np.uint32)
        return order[: len(order) - int(np.count_nonzero(~np.isfinite(time)))]

    def _by_rows(self, affected: Mask, examined: Mask | None) -> str | None:
        if np.count_nonzero(affected) < CONSTANT["since_rows"]:
            return None
        order = self._order if examined is None else self._order[examined[self._order]]
        start = beginning(self._evidence.table.time[order], affected[order])
        self._evidence.table.rest()
        return None if start is None else stamp(start)


def beginning(time: F64, affected: Mask) -> float | None:
    """The time of the first affected row after the share of affected rows jumps up from nothing, else None.

    `time`: (n,) seconds, ascending and finite; `affected`: (n,) bool. The change is where the likelihood of two
    shares is the largest (Hinkley 1970), between rows of different times. A rise is most likely right before an
    affected row, so that only those places are tried; of very many, some first and then all around the best.
    """
    at = np.flatnonzero(affected)
    n, total = len(time), len(at)
    if total < CONSTANT["since_rows"] or total == n:
        return None
    step = max(1, total // MOST)
    best, _ = _rise(time, at, np.arange(0, total, step), n)
    if best is None:
        return None
    if step > 1:
        best, _ = _rise(time, at, np.arange(max(0, best - step), min(total, best + step + 1)), n)
        assert best is not None
    split, gain = _rise(time, at, np.array([best]), n)[1]
    before = int(np.searchsorted(at, split))
    if before > CONSTANT["since_before"] * total or 2 * gain <= CONSTANT["since_penalty"] * math.log(n):
        return None
    return float(time[at[before]])


def _rise(time: F64, at: I64, tried: I64, n: int) -> tuple[int | None, tuple[int, float]]:
    """Of some affected rows (places in `at`) the one before which the share rises most likely; that place and its gain."""
    total = len(at)
    splits = np.searchsorted(time, time[at[tried]], side="left")
    before = np.searchsorted(at, splits)
    possible = splits > 0
    with np.errstate(all="ignore"):
        rises = possible & (before / splits < (total - before) / (n - splits))
    if not rises.any():
        return None, (0, 0.0)
    gain = _likelihood(before, splits) + _likelihood(total - before, n - splits)
    gain -= float(_likelihood(np.array([total]), np.array([n]))[0])
    best = int(np.argmax(np.where(rises, gain, -np.inf)))
    return int(tried[best]), (int(splits[best]), float(gain[best]))


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
