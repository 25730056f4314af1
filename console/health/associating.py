"""Recall of an index can't be peeled: its queries are told apart by whether a cause's rows are among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.asking import Asked
from console.health.findings import Finding, Mask, NotMeasured
from console.health.method import CONSTANT
from console.health.peeling import draw
from console.health.probes.recall import Recall

if TYPE_CHECKING:
    from console.health.evidence import Evidence

CODE: Final = "low-ann-recall"


def associated(
    finding: Finding, causes: Sequence[Finding], evidence: Evidence, rng: np.random.Generator
) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """Ids of the causes that go with the loss, and the figures; None where the queries tell nothing.

    A cause goes with it where queries that neither are, get nor should get one of its rows are over the line, those
    that do are under it, and 20 random sets of as many rows make no such difference; or where its rows are in so
    many answers that too few are left to compare, hold places there that are not theirs, and random rows do not.
    """
    if finding.code != CODE or finding.effect is None:
        return None
    asked = _asked(finding, evidence)
    if asked is None:
        return None
    for cause in causes:
        assert cause.affected is not None
        proof = _split(asked, cause.affected, evidence.kept, finding.effect.threshold, rng)
        if proof is not None:
            return (cause.id,), {"causes": [cause.id], "associated": True, **proof}
    return None


def _asked(finding: Finding, evidence: Evidence) -> Asked | None:
    held = evidence.get(Recall)
    if isinstance(held, NotMeasured):
        return None
    part = getattr(held, finding.key, held.plain) if finding.key else held.plain
    return part if isinstance(part, Asked) and len(part) else None


def _split(
    asked: Asked, rows: Mask, kept: Mask, line: float, rng: np.random.Generator
) -> dict[str, Any] | None:
    touched = asked.touched(rows)
    sets = [draw(kept, int(np.count_nonzero(rows)), rng) for _ in range(_controls())]
    told: dict[str, Any] = {"queries_touched": float(touched.mean())}
    if int(np.count_nonzero(~touched)) < CONSTANT["apart_queries"]:
        wrong, bar = _wrong(asked, rows), _bar([_wrong(asked, s) for s in sets])
        return {**told, "wrong_hits_of_rows": wrong, "random_wrong_hits_95": bar} if wrong > bar else None
    with_rows, without = _recall(asked, touched, kept), _recall(asked, ~touched, kept)
    if with_rows is None or without is None or without < line or with_rows >= line:
        return None
    gaps: list[float] = []
    for control in (asked.touched(s) for s in sets):
        a, b = _recall(asked, control, kept), _recall(asked, ~control, kept)
        # Rows that no query meets make no difference; rows that every query meets leave nothing to compare.
        gaps.append(0.0 if a is None else float("inf") if b is None else b - a)
    if without - with_rows <= _bar(gaps):
        return None
    return {**told, "recall_with": with_rows, "recall_without": without, "threshold": line}


def _wrong(asked: Asked, rows: Mask) -> float:
    """Share of all places in answers that rows hold which do not belong there."""
    return float((np.append(rows, False)[asked.hits] & ~asked.right).mean())


def _recall(asked: Asked, chosen: Mask, kept: Mask) -> float | None:
    found = asked.only(chosen).recall(kept) if chosen.any() else None
    return None if found is None else found.value


def _controls() -> int:
    return int(CONSTANT["controls"])


def _bar(values: Sequence[float]) -> float:
    """The 95th percentile, one of the values."""
    return sorted(values)[int(np.ceil((1 - CONSTANT["chance"]) * len(values))) - 1]
