"""From the rows that were looked at to the whole collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.health import registry
from console.search.proportions import clopper_pearson

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding


def estimated(finding: Finding, evidence: Evidence) -> tuple[float, float, float] | None:
    """(estimate, low, high) of the affected rows of the whole collection.

    None where every row was looked at, where those that were looked at are no random part of the collection (a check
    that looks at such a part only, as re-encoding does at rows with a source, says it itself: `of_part`; the rows of
    an earlier sample are none of the rows that came since), and where rows are at fault in pairs.
    """
    scan = evidence.scan
    if scan.again:
        return None
    if finding.rows_estimated is not None:
        return finding.rows_estimated
    if finding.rows is None or finding.affected is None or finding.basis == "probe" or _paired(finding):
        return None
    looked = _looked(finding, evidence)
    if looked is None or not 0 < finding.rows <= looked or looked >= scan.rows:
        return None
    if scan.exact and looked >= scan.scanned:
        # Rows that were counted and went before they were read are no unseen part.
        return None
    interval = clopper_pearson(finding.rows, looked)
    low = max(float(finding.rows), interval[0] * scan.rows)
    high = max(low, interval[1] * scan.rows)
    value = min(max(finding.rows / looked * scan.rows, low), high)
    return float(round(value)), float(round(low)), float(round(high))


def _paired(finding: Finding) -> bool:
    """Rows that are at fault only together with another one, which the sample may lack: their share of a sample is
    below their share of the collection. One vector on very many rows (no key) is not among them.
    """
    return finding.code == "duplicate-vectors" and bool(finding.key)


def _looked(finding: Finding, evidence: Evidence) -> int | None:
    """How many random rows the check looked at."""
    check, examined = registry.checks().get(finding.code), finding.examined
    if check is not None and check.kind != "rows":
        return None
    if examined is None:
        return evidence.scan.scanned
    sample = evidence.reservoir.rows
    whole = len(sample) == int(np.count_nonzero(examined)) and bool(examined[sample].all())
    return len(sample) if whole else None


def of_part(
    hits: int, tried: int, eligible: int, evidence: Evidence, unread: int = 0
) -> tuple[float, float, float] | None:
    """(estimate, low, high) of the rows at fault in the whole collection, of which only a part can be looked at.

    `eligible`: rows of the reservoir that belong to that part; `tried`: random ones of them, `hits` at fault. The bounds
    are those of the share in the part times those of the part in the collection. None where every row of it was tried.
    `unread`: those of `tried` of which nothing is known. The estimate takes them to be as the others are; the lower
    bound takes none of them to be at fault, the upper one all of them.
    """
    held, scan, judged = len(evidence.reservoir.rows), evidence.scan, tried - unread
    whole = scan.exact and held == scan.scanned
    every = whole and tried >= eligible
    if not hits or not held or judged < hits or (every and not unread):
        return None
    part = eligible / held
    least, most = (part, part) if whole else clopper_pearson(eligible, held)
    # Those that were seen are there, and those that were seen sound are not at fault.
    low, high = float(hits), most * scan.rows - (judged - hits)
    if every:
        high = min(high, float(hits + unread))
    else:
        low = max(low, clopper_pearson(hits, tried)[0] * least * scan.rows)
        high = min(high, clopper_pearson(hits + unread, tried)[1] * most * scan.rows)
    high = max(low, high)
    value = min(max(hits / judged * part * scan.rows, low), high)
    return float(round(value)), float(round(low)), float(round(high))
