"""From what was measured to yes, no, or not measurable; and what may be waived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from connectors.errors import PlumblineError
from console.compare.gate.evidence import GateEvidence
from console.compare.gate.outcome import Outcome, Verdict
from console.compare.gate.registry import Limits, conditions
from console.settings import nearest
from console.settings.gate import CONDITIONS
from console.settings.values import Wrong, text

Effect = Literal["waived", "not needed", "refused"]
LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """One condition with its outcome and the reason with which somebody asked to waive it, else None."""

    name: str
    asks: str
    outcome: Outcome
    reason: str | None = None

    @property
    def effect(self) -> Effect | None:
        """What the waiver does: a fail is never waived, a pass needs none."""
        if self.reason is None:
            return None
        effects: dict[Verdict, Effect] = {"pass": "not needed", "fail": "refused", "not_measurable": "waived"}
        return effects[self.outcome.verdict]

    @property
    def holds(self) -> bool:
        return self.outcome.verdict == "pass" or self.effect == "waived"

    def to_json(self) -> dict[str, Any]:
        """The contract's keys, and more."""
        found = self.outcome
        waiver = None if self.reason is None else {"reason": self.reason, "effect": self.effect}
        return {
            "name": self.name,
            "asks": self.asks,
            "verdict": found.verdict,
            "figure": found.figure,
            "limit": found.limit,
            "interval": None if found.interval is None else list(found.interval),
            "unit": found.unit,
            "why": found.why,
            "waived": {"reason": self.reason} if self.effect == "waived" else None,
            "waiver": waiver,
            "details": dict(found.details),
        }


def judge(
    evidence: GateEvidence, asked: Sequence[str], limits: Mapping[str, Limits], waive: Mapping[str, str]
) -> list[Judged]:
    """Each condition that is asked for, in the order of the settings."""
    return [
        Judged(one.name, one.asks, one.run(evidence, limits[one.name]), waive.get(one.name))
        for one in conditions().values()
        if one.name in asked
    ]


def overall(judged: Sequence[Judged]) -> Verdict:
    """Fail where any fails; else not measurable where any is and was not waived, or where nothing was asked."""
    if any(one.outcome.verdict == "fail" for one in judged):
        return "fail"
    return "pass" if judged and all(one.holds for one in judged) else "not_measurable"


def waivers(words: Sequence[str]) -> dict[str, str]:
    """`CONDITION=REASON` by condition. Raises `usage` as `checked` does, and for a condition that is waived twice."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, reason = word.partition("=")
        if not equals:
            raise _usage(word, "has no reason", "Write it as --waive CONDITION=REASON: the reason is kept.")
        if name.strip() in found:
            raise _usage(name, "is waived twice")
        found[name.strip()] = reason
    return checked(found)


def checked(waive: Mapping[str, str]) -> dict[str, str]:
    """Raises `usage` for a condition that is not there, with the nearest, and for a reason that says nothing."""
    for name, reason in waive.items():
        if name not in CONDITIONS:
            raise _usage(name, "is not a condition of the gate", nearest(name, CONDITIONS))
        try:
            text(reason, Path())
        except Wrong as fault:
            raise _usage(name, f"is waived with a reason that {fault.why}") from None
        if len(reason) > LONGEST_REASON:
            raise _usage(name, f"is waived with a reason of more than {LONGEST_REASON} characters")
    return {name: reason.strip() for name, reason in waive.items()}


def answerable(waive: Mapping[str, str], left_out: Sequence[tuple[str, str]]) -> None:
    """Raises `usage` for a waiver of a condition that this gate leaves out: it would do nothing, and be kept nowhere."""
    whys = dict(left_out)
    for name in waive:
        if name in whys:
            raise _usage(name, "is waived, and this gate does not ask for it", whys[name])


def unasked(threshold: float | None, left_out: Sequence[tuple[str, str]]) -> None:
    """Raises `usage` for a cutoff that was named while the gate leaves its condition out: nothing would come of it."""
    whys = dict(left_out)
    if threshold is not None and "threshold" in whys:
        raise PlumblineError(
            "usage",
            "A cutoff is named, and this gate does not ask for the condition threshold.",
            where="--threshold",
            hint=whys["threshold"],
        )


def _usage(name: str, why: str, hint: str = "") -> PlumblineError:
    return PlumblineError("usage", f"`{name}` {why}.", where="--waive", hint=hint)
