"""What a cutoff of the old space becomes in the new one, and whether any cutoff does what the old one did."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from console.compare.acceptance import Acceptance
from console.compare.cohorts import members
from console.compare.decisions import Agreement, Decisions
from console.compare.intervals import between
from console.compare.judged import Judged, equal
from console.compare.nearest import Nearest
from console.compare.request import MOST_QUERIES
from console.compare.scores import quantiles
from console.health.means import TAIL, normal_quantile
from console.health.table import F64

Population = Literal["top1", "topk"]
Basis = Literal["acceptance", "precision", "recall"]
Verdict = Literal["translated", "no cutoff reproduces it", "not measured"]
Says = Callable[[float], float]

NEEDED: Final = 100
"""Queries of which something passes the old cutoff: of fewer, a cutoff is where a handful of scores happens to lie."""
IN_A_COHORT: Final = 30
MORE: Final = 1.1
"""Times the queries that would do if as many passed: next time fewer may."""
REPRODUCED: Final = 0.8
"""Agreement that the best cutoff must reach."""
MOVED: Final = 0.05
"""By how much the share that a cohort accepts must change before one cutoff doesn't fit it."""
POINTS: Final = 33
_OUTER: Final = 0.01


@dataclass(frozen=True, slots=True)
class Cohort:
    """One value of a field. `new`: the cutoff that accepts as many there; None with fewer than `IN_A_COHORT` accepted
    queries. `low`, `high`: 95% for all cohorts together. `accepted`: scores that pass the old cutoff; `then`: that
    pass the one for everybody; `fits`: whether that one does for this cohort.
    """

    value: str
    new: float | None
    low: float
    high: float
    accepted: int
    then: int
    fits: bool | None

    def to_json(self, right: Says) -> dict[str, Any]:
        low, high = _said(self.low, self.high, right)
        new = None if self.new is None else right(self.new)
        return {
            "value": self.value, "new": new, "low": low, "high": high,
            "accepted": self.accepted, "accepted_by_one": self.then, "fits": self.fits,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Translation:
    """A cutoff in nearness: what is at least as near passes.

    `low`, `high`: 95% over queries. `accepted` of `population` scores pass the old one, those of `queries` queries, and
    `then` the new one: more where many of the new scores are equal.
    `agreement`: of what both cutoffs accept. `best`: the largest that any cutoff of the new side would have.
    `fits_all`: None where no cohort was measured, but for one of every query, whose cutoff is everybody's.
    """

    by: Basis
    old: float
    new: float | None
    low: float
    high: float
    accepted: int
    population: int
    queries: int
    agreement: Agreement | None
    best: float | None
    verdict: Verdict
    why: str | None = None
    then: int | None = None
    cohorts: Mapping[str, Sequence[Cohort]] = field(default_factory=dict[str, Sequence[Cohort]])
    fits_all: bool | None = None

    def to_json(self, left: Says, right: Says) -> dict[str, Any]:
        """`left`, `right` turn nearness into each side's own score."""
        low, high = _said(self.low, self.high, right)
        return {
            "by": self.by,
            "old": left(self.old),
            "new": None if self.new is None else right(self.new),
            "low": low,
            "high": high,
            "accepted": self.accepted,
            "accepted_new": self.then,
            "population": self.population,
            "queries": self.queries,
            "agreement": None if self.agreement is None else self.agreement.to_json(),
            "best_jaccard": self.best,
            "verdict": self.verdict,
            "why": self.why,
            "cohorts": {name: [c.to_json(right) for c in held] for name, held in self.cohorts.items()},
            "fits_all": self.fits_all,
        }


def translate(
    left: Nearest,
    right: Nearest,
    k: int,
    old: float,
    population: Population,
    *,
    judged: tuple[Judged, Judged] | None = None,
    cohorts: Mapping[str, Sequence[Any]] | None = None,
    most: int = MOST_QUERIES,
) -> list[Translation]:
    """By equal acceptance; and, where rows were judged on both sides, by equal precision and recall.

    `population`: what the consumer holds against the cutoff, the first hit of each query or all of the first k.
    `cohorts`: per field the value of each query, None for none. `most`: queries that could be asked.
    """
    width = 1 if population == "top1" else k
    held = Acceptance(left.scores[:, :width], right.scores[:, :width])
    decisions = Decisions(left, right, width)
    out = [_by_acceptance(held, decisions, left, right, width, old, cohorts or {}, most)]
    if judged is None:
        return out
    for basis in ("precision", "recall"):
        found = equal(basis, left.scores[:, :width], right.scores[:, :width], judged, old)
        accepted = held.accepted(old), held.population, held.queries(old)
        why = found.why or _few(held, old, most)
        if found.new is None or why:
            out.append(
                Translation(basis, old, None, math.nan, math.nan, *accepted, None, None, "not measured", why)
            )
            continue
        out.append(
            Translation(
                basis, old, found.new, found.low, found.high, *accepted,
                decisions.agreement(old, found.new), *_verdict(decisions, old), then=held.then(found.new),
            )
        )  # fmt: skip
    return out


def curve(
    left: Nearest, right: Nearest, k: int, population: Population
) -> list[tuple[float, float, float, float]]:
    """(old, new, low, high) by equal acceptance at cutoffs spread evenly over the old scores, the nearest last.

    Only where something passes of at least `NEEDED` queries.
    """
    width = 1 if population == "top1" else k
    held = Acceptance(left.scores[:, :width], right.scores[:, :width])
    finite = left.scores[:, :width][np.isfinite(left.scores[:, :width])]
    if not len(finite):
        return []
    low, high = (float(x) for x in np.quantile(finite, (_OUTER, 1 - _OUTER)))
    every: list[float] = np.linspace(low, high, POINTS).tolist()
    cuts = [cut for cut in every if held.queries(cut) >= NEEDED]
    drawn = held.drawn(np.array(cuts, np.float64))
    out: list[tuple[float, float, float, float]] = []
    for i, cut in enumerate(cuts):
        new = held.new(cut)
        if new is not None:
            out.append((cut, new, *between(drawn[:, i], new)))
    return out


@dataclass(frozen=True, slots=True)
class Nonsense:
    """First hits of questions that nothing answers. `accepted`: the share that a cutoff lets in; None without one."""

    queries: int
    quantiles: Mapping[int, float]
    accepted: float | None

    def to_json(self) -> dict[str, Any]:
        held = {str(q): value for q, value in self.quantiles.items()}
        return {"queries": self.queries, "quantiles": held, "accepted_share": self.accepted}


def nonsense(near: Nearest, cutoff: float | None, own: Callable[[F64], F64]) -> Nonsense:
    """Of the lists of nonsense queries; `own` turns nearness into the side's own scores."""
    first = near.scores[:, :1].ravel()
    first = first[np.isfinite(first)]
    share = float(np.mean(first >= cutoff)) if cutoff is not None and len(first) else None
    return Nonsense(len(first), quantiles(own(first)), share)


def _by_acceptance(
    held: Acceptance,
    decisions: Decisions,
    left: Nearest,
    right: Nearest,
    width: int,
    old: float,
    cohorts: Mapping[str, Sequence[Any]],
    most: int,
) -> Translation:
    accepted = held.accepted(old), held.population, held.queries(old)
    new = held.new(old)
    why = _few(held, old, most) or (None if new is not None else "The new side has no scores.")
    if new is None or why:
        return Translation(
            "acceptance", old, None, math.nan, math.nan, *accepted, None, None, "not measured", why
        )
    low, high = between(held.drawn(np.array([old]))[:, 0], new)
    found, fits = _cohorts(left.scores[:, :width], right.scores[:, :width], old, new, cohorts)
    return Translation(
        "acceptance", old, new, low, high, *accepted,
        decisions.agreement(old, new), *_verdict(decisions, old), then=held.then(new), cohorts=found,
        fits_all=fits,
    )  # fmt: skip


def _few(held: Acceptance, old: float, most: int) -> str | None:
    queries = held.queries(old)
    if queries >= NEEDED:
        return None
    if not queries:
        return f"No query passes the old cutoff; {NEEDED} have to."
    passes = "query passes" if queries == 1 else "queries pass"
    asked = math.ceil(held.asked * NEEDED / queries * MORE / 50) * 50
    do = (
        f"about {asked:,} queries like these would do"
        if asked <= most
        else "only a cutoff that more pass can be translated"
    )
    return f"{queries:,} {passes} the old cutoff; {NEEDED} are needed: {do}."


def _verdict(decisions: Decisions, old: float) -> tuple[float | None, Verdict, str | None]:
    best = decisions.best(old)
    if best is not None and best >= REPRODUCED:
        return best, "translated", None
    share = 0 if best is None else best
    return (
        best,
        "no cutoff reproduces it",
        f"Of what the old cutoff and the best new one accept, {share:.0%} is the same.",
    )


def _cohorts(
    left: F64, right: F64, old: float, new: float, cohorts: Mapping[str, Sequence[Any]]
) -> tuple[dict[str, list[Cohort]], bool | None]:
    groups = {name: members(values) for name, values in cohorts.items()}
    parts = {
        name: [(value, mask, Acceptance(left[mask], right[mask])) for value, mask in held]
        for name, held in groups.items()
        if held
    }
    measured = sum(part.queries(old) >= IN_A_COHORT for held in parts.values() for _, _, part in held)
    reach = normal_quantile(1 - TAIL / max(1, measured))
    out = {
        name: [_cohort(value, part, right[mask], old, new, reach) for value, mask, part in held]
        for name, held in parts.items()
    }
    parts_of_all = [
        cohort.fits
        for name, held in out.items()
        for cohort, (_, mask, _) in zip(held, parts[name], strict=True)
        if cohort.fits is not None and not mask.all()
    ]
    return out, all(parts_of_all) if parts_of_all else None


def _cohort(value: str, held: Acceptance, right: F64, old: float, new: float, reach: float) -> Cohort:
    accepted = held.accepted(old)
    then = int(np.count_nonzero(right >= new))
    own = held.new(old)
    if own is None or held.queries(old) < IN_A_COHORT:
        return Cohort(value, None, math.nan, math.nan, accepted, then, None)
    drawn = held.drawn(np.array([old]))[:, 0]
    low, high = between(drawn, own)
    spread = reach * float(np.nanstd(drawn))
    low, high = min(low, own - spread), max(high, own + spread)
    there = max(1, int(np.count_nonzero(np.isfinite(right))))
    moved = abs(then / there - accepted / max(1, held.population)) > MOVED
    return Cohort(value, own, low, high, accepted, then, bool(low <= new <= high) or not moved)


def _said(low: float, high: float, own: Says) -> tuple[float | None, float | None]:
    """An interval in a side's own score, from its lower to its higher end."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return None, None
    ends = sorted((own(low), own(high)))
    return ends[0], ends[1]
