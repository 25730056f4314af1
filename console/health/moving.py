"""Figures of other checks whose movement against the baseline is a fault, too: the gap, and texts that disagree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.baseline import modality_means, scattered
from console.health.drift_measures import spread
from console.health.findings import Effect, Finding, NotMeasured, Outcomes, Remedy

if TYPE_CHECKING:
    from console.health.evidence import Evidence

KEY: Final = "baseline"
_Z: Final = 2.576
"""99% two-sided of the normal distribution."""
_LOOK: Final = Remedy(
    "investigate",
    "Find out what was written since the baseline, and by which encoder. Where the change was meant, pin a new "
    "baseline.",
)


def gap_moved(evidence: Evidence, line: float) -> Outcomes:
    """The distance between the means of two modalities against the baseline's; a gap itself is ordinary."""
    base = evidence.baseline
    if base is None or base.spread is None or len(evidence.places) < 2:
        return []
    then, values, counts = (base.arrays.get(f"modality.{n}") for n in ("means", "values", "rows"))
    if then is None or values is None or counts is None or len(values) < 2:
        return []
    held = scattered(evidence)
    if then.shape[1:] != held.unit.shape[1:]:
        return []
    now = spread(held, evidence.good[evidence.reservoir.rows])
    names, means, rows = modality_means(evidence, held.unit)
    both = [(list(values).index(v), i) for i, v in enumerate(names) if v in list(values)]
    if len(both) < 2 or now.trace <= 0:
        return []
    out: list[Finding] = []
    for at, (a, x) in enumerate(both):
        for b, y in both[at + 1 :]:
            noise_then = 1 / int(counts[a]) + 1 / int(counts[b])
            noise_now = 1 / int(rows[x]) + 1 / int(rows[y])
            before = _distance(then[a], then[b], base.spread.trace * noise_then)
            after = _distance(means[x], means[y], now.trace * noise_now)
            moved = abs(after - before) / math.sqrt(now.trace)
            # No direction spreads more than the square root of the trace of the squared covariance.
            chance = _Z * math.sqrt(math.sqrt(now.trace2) * (noise_then + noise_now) / now.trace)
            out.append(
                Finding(
                    "modality-gap",
                    "warning" if moved >= max(line, chance) else None,
                    f"The distance between the vectors of two modalities changed from {before:.3f} to {after:.3f}"
                    f" since the baseline of {base.day}",
                    "sample",
                    _LOOK,
                    effect=Effect(moved, max(line, chance), name="movement of the gap, in spreads"),
                    evidence={
                        "baseline": base.id,
                        "modalities": [names[x][:80], names[y][:80]],
                        "gap_then": before,
                        "gap_now": after,
                        "movement_by_chance": chance,
                    },
                    key=KEY if len(both) == 2 else f"{KEY}:{names[x][:40]}/{names[y][:40]}",
                )
            )
    return out


def _distance(a: Any, b: Any, noise: float) -> float:
    gap = a.astype(np.float64) - b.astype(np.float64)
    return math.sqrt(max(0.0, float(gap @ gap) - noise))


def disagreement_moved(
    evidence: Evidence, share: float, interval: tuple[float, float], line: float
) -> Outcomes:
    """The share of texts that lie far from their like, against the baseline's."""
    base = evidence.baseline
    then = None if base is None else base.number("disagreement")
    if base is None or then is None:
        return []
    high = base.number("disagreement_high")
    apart = interval[0] > (then if high is None else high)
    return [
        Finding(
            "text-vector-disagreement",
            "warning" if share - then >= line and apart else None,
            f"{share:.1%} of the rows with a text lie far from every row that says much the same; in the baseline"
            f" of {base.day} it was {then:.1%}",
            "sample",
            _LOOK,
            effect=Effect(share - then, line, name="movement of the share"),
            evidence={"baseline": base.id, "share_then": then, "share_now": share},
            key=KEY,
        )
    ]


def disagreement(evidence: Evidence) -> tuple[float, float, float] | None:
    """The share of `text-vector-disagreement` with its interval; None where it was not measured."""
    from console.health import registry
    from console.health.policy import policy

    code = "text-vector-disagreement"
    try:
        outcomes = registry.checks()[code].run(evidence, policy())
    except (ArithmeticError, LookupError, ValueError, TypeError):
        return None
    for found in outcomes:
        if not isinstance(found, NotMeasured) and not found.key and found.effect is not None:
            effect = found.effect
            low = effect.value if effect.low is None else effect.low
            return effect.value, low, effect.value if effect.high is None else effect.high
    return None
