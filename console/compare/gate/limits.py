"""Which conditions a gate is asked for, and the limits that they are held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from console.settings.gate import CONDITIONS, WHEN_ASKED, GateSettings

if TYPE_CHECKING:
    from console.compare.gate.registry import Limits
    from console.health.policy import Policy

FROM_POLICY: Final[Mapping[str, tuple[str, str]]] = {
    "recall": ("low-ann-recall", "warning"),
    "canary": ("encoder-changed", "warning"),
}
"""Conditions whose limit is a finding's threshold where the settings give none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`conditions` in the order of the settings; `left_out`: (condition, why) of the others."""

    conditions: Sequence[str]
    left_out: Sequence[tuple[str, str]]
    limits: Mapping[str, Limits]


def asked(gate: GateSettings, rules: Policy, cutoff: float | None) -> Asked:
    """`cutoff`: one that was named for this gate; else the settings' counts."""
    limits: dict[str, dict[str, Any]] = {name: dict(gate.of(name)) for name in CONDITIONS}
    for name, (code, threshold) in FROM_POLICY.items():
        if limits[name]["limit"] is None:
            limits[name]["limit"] = rules.get(code, threshold)
    if cutoff is not None:
        limits["threshold"]["cutoff"] = cutoff
    left_out: dict[str, str] = dict.fromkeys(gate.left_out, "The settings leave it out ([gate]).")
    for name in WHEN_ASKED:
        if name not in left_out and name not in gate.declared and limits[name]["cutoff"] is None:
            left_out[name] = "No cutoff was named (--threshold, or `cutoff` in [gate.threshold])."
    wanted = [name for name in CONDITIONS if name not in left_out]
    return Asked(wanted, [(n, left_out[n]) for n in CONDITIONS if n in left_out], limits)
