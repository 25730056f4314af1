"""Figures of other checks whose movement against the baseline is a fault of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from console.health.findings import Finding

if TYPE_CHECKING:
    from console.health.evidence import Evidence

_DISAGREEMENT: Final = "text-vector-disagreement"


def disagreement(evidence: Evidence) -> tuple[float, float, float] | None:
    """The share of texts whose vectors lie elsewhere (HEALTH.md), with its interval; None where not measured."""
    from console.health import registry
    from console.health.policy import policy

    check = registry.checks().get(_DISAGREEMENT)
    if check is None:
        return None
    try:
        outcomes = check.run(evidence, policy())
    except (ArithmeticError, LookupError, ValueError, TypeError):
        return None
    for found in outcomes:
        if isinstance(found, Finding) and found.code == _DISAGREEMENT and not found.key and found.effect:
            effect = found.effect
            low = effect.value if effect.low is None else effect.low
            return effect.value, low, effect.value if effect.high is None else effect.high
    return None
