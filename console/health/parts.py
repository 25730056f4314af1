"""Causes that were looked for in some of the rows only: what is left of a symptom among those."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.drift_measures import Scatter, scatter
from console.health.findings import Finding, Mask, NotMeasured
from console.health.grouping import chance
from console.health.method import CONSTANT
from console.health.peeling import draw
from console.health.probes.twins import MATES, Twins, lexical_twins
from console.search.proportions import clopper_pearson

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.policy import Policy
    from console.health.registry import Check

IMPLIED: Final = frozenset({("misaligned-payload", "text-vector-disagreement")})
"""Rows whose text was seen to belong to another vector disagree with theirs, however many they are."""

LOOK_AGAIN: Final[Mapping[str, tuple[type, Callable[[Evidence, np.random.Generator], Any]]]] = {
    "text-vector-disagreement": (Twins, lambda evidence, _: _twins(evidence)),
    "distribution-drift": (Scatter, scatter),
}
"""What a figure rests on that few rows must be asked for anew: mates and pairs among them, for those of all rows are
hardly ever both among the ones that were looked at."""

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


def among(
    finding: Finding,
    causes: Sequence[Finding],
    evidence: Evidence,
    check: Check,
    rules: Policy,
    rng: np.random.Generator,
) -> Proof | None:
    """Ids of the causes without whose rows the figure would not fire, measured anew among those they looked at.

    Peeling as if nothing else had been scanned: there it fires, without the causes' rows it does not, and 20 random
    removals of as many do not take as much from it. None where that is not so, or too few rows are left to say.
    """
    if check.code not in LOOK_AGAIN or finding.effect is None:
        return None
    chosen = [c for c in causes if c.examined is not None and c.affected is not None]
    for some in (*([c] for c in chosen), *([chosen] if len(chosen) > 1 else [])):
        proof = _among(finding, some, evidence, check, rules, rng)
        if proof is not None:
            return proof
    return None


def anew(
    finding: Finding,
    rows: Mask,
    evidence: Evidence,
    check: Check,
    rules: Policy,
    rng: np.random.Generator,
) -> Finding | None:
    """The finding as it is among these rows alone, what it rests on measured anew; None where that is not to be had."""
    if check.code not in LOOK_AGAIN:
        return None
    kind, measure = LOOK_AGAIN[check.code]
    part = evidence.without(~rows)
    part = replace(part, results={**part.results, kind: measure(part, rng)})
    found = [f for f in check.run(part, rules) if isinstance(f, Finding) and f.id == finding.id]
    return found[0] if found and found[0].effect is not None else None


def _among(
    finding: Finding,
    causes: Sequence[Finding],
    evidence: Evidence,
    check: Check,
    rules: Policy,
    rng: np.random.Generator,
) -> Proof | None:
    looked, wrong = evidence.good.copy(), np.zeros(len(evidence.table), np.bool_)
    if finding.examined is not None:
        looked &= finding.examined
    for cause in causes:
        assert cause.examined is not None
        assert cause.affected is not None
        looked &= cause.examined
        wrong |= cause.affected
    wrong &= looked
    n, out = int(np.count_nonzero(looked)), int(np.count_nonzero(wrong))
    # A sample's half is more than half of the collection where its interval says so.
    if not out or clopper_pearson(out, n)[0] > CONSTANT["left_out"]:
        return None

    def share(rows: Mask) -> Finding | None:
        return anew(finding, rows, evidence, check, rules, rng)

    before, after = share(looked), share(looked & ~wrong)
    if before is None or after is None or before.severity is None or after.severity is not None:
        return None
    assert before.effect is not None
    assert after.effect is not None
    drop = before.effect.value - after.effect.value
    # Few rows have mates that are farther off: some of the figure stays for that. Most of it must go.
    if drop < CONSTANT["same_drop"] * (before.effect.value - before.effect.threshold):
        return None
    drops: list[float] = []
    for _ in range(int(CONSTANT["controls"])):
        control = share(looked & ~draw(looked, out, rng))
        if control is None or control.effect is None:
            return None
        drops.append(before.effect.value - control.effect.value)
    bar = sorted(drops)[int(np.ceil((1 - CONSTANT["chance"]) * len(drops))) - 1]
    if drop <= bar:
        return None
    ids = tuple(c.id for c in causes)
    return ids, {
        "causes": list(ids),
        "rows_looked_at_by_both": n,
        "before": before.effect.value,
        "without": after.effect.value,
        "threshold": before.effect.threshold,
        "random_drop_95": bar,
    }


def _twins(evidence: Evidence) -> Twins | NotMeasured:
    """Whether captions describe pictures was told from all rows: those that the symptom did not look at are not here."""
    found = lexical_twins(evidence)
    return replace(found, picture=found.picture & False) if isinstance(found, Twins) else found
