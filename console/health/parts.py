"""Causes that were looked for in some of the rows only: what is left of a symptom among those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import Finding, Mask
from console.health.grouping import chance
from console.health.method import CONSTANT
from console.health.probes.twins import MATES
from console.search.proportions import clopper_pearson

if TYPE_CHECKING:
    from console.health.evidence import Evidence

IMPLIED: Final = frozenset({("misaligned-payload", "text-vector-disagreement")})
"""Rows whose text was seen to belong to another vector disagree with theirs, however many they are."""

Proof = tuple[tuple[str, ...], dict[str, Any]]


def in_part(finding: Finding, causes: Sequence[Finding], evidence: Evidence) -> Proof | None:
    """Ids of the causes that go with a share of rows, and the figures; None where they do not.

    Leaving out a sample's rows leaves the others of the same cause where they are. So it is asked among the rows
    that both looked at: the symptom is over its line there, goes with the cause's rows more than by chance, and
    without them it would not fire.
    """
    if finding.affected is None or finding.examined is None or finding.effect is None:
        return None
    seen = int(np.count_nonzero(finding.examined & evidence.kept))
    chosen = [
        c
        for c in causes
        if c.examined is not None and c.affected is not None
        and 0 < np.count_nonzero(_both(finding, [c], evidence)) <= CONSTANT["left_out"] * seen
        and _goes_with(finding, c, evidence)
    ]  # fmt: skip
    for some in (*([c] for c in chosen), *([chosen] if len(chosen) > 1 else [])):
        proof = _left(finding, some, evidence)
        if proof is not None:
            return proof
    return None


def _both(finding: Finding, causes: Sequence[Finding], evidence: Evidence) -> Mask:
    looked = evidence.kept
    for one in (finding, *causes):
        assert one.examined is not None
        looked = looked & one.examined
    return looked


def _goes_with(finding: Finding, cause: Finding, evidence: Evidence) -> bool:
    looked = _both(finding, [cause], evidence)
    assert finding.affected is not None
    assert cause.affected is not None
    own, theirs = finding.affected & looked, cause.affected & looked
    both = int(np.count_nonzero(own & theirs))
    counts = [int(np.count_nonzero(m)) for m in (looked, theirs, own)]
    if (cause.code, finding.code) in IMPLIED and both >= CONSTANT["fold_share"] * max(1, counts[2]):
        return True
    return bool(both) and chance(both, *counts) <= CONSTANT["chance"]


def _left(finding: Finding, causes: Sequence[Finding], evidence: Evidence) -> Proof | None:
    looked = _both(finding, causes, evidence)
    assert finding.affected is not None
    assert finding.effect is not None
    line = finding.effect.threshold
    rest = looked.copy()
    for cause in causes:
        assert cause.affected is not None
        rest &= ~cause.affected
    n, own = int(np.count_nonzero(looked)), int(np.count_nonzero(finding.affected & looked))
    m, left = int(np.count_nonzero(rest)), int(np.count_nonzero(finding.affected & rest))
    # A sound row is far from its mates too where all of them are wrong.
    by_mates = ((n - m) / n) ** MATES
    if own / n <= line or (m and clopper_pearson(left, m)[0] > line + by_mates):
        return None
    ids = tuple(c.id for c in causes)
    return ids, {
        "causes": list(ids),
        "associated": True,
        "rows_looked_at_by_both": n,
        "before": own / n,
        "without": left / m if m else 0.0,
        "by_wrong_mates": by_mates,
        "threshold": line,
    }
