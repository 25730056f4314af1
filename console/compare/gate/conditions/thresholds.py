"""The cutoff that the consumer's code holds has a counterpart in the new space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from console.compare.gate.evidence import Thresholds
from console.compare.gate.outcome import Outcome
from console.compare.gate.registry import Limits, condition
from console.compare.gate.wording import named
from console.compare.threshold import REPRODUCED, Verdict
from console.health.wording import field_text, value_text

LOST: Final[Verdict] = "no cutoff reproduces it"
DONE: Final[Verdict] = "translated"


@condition("threshold", asks="the cutoff of the old scores has a counterpart", part="thresholds")
def threshold(found: Thresholds, limits: Limits) -> Outcome:
    """One translation that no cutoff reproduces fails: equal acceptance is not equal decision. So does one that does not
    fit a cohort: the consumer's code has one cutoff, and for that cohort it would decide otherwise."""
    if not found.translations:
        why = "No cutoff was named (--threshold, or `cutoff` in [gate.threshold])."
        return Outcome("not_measurable", why)
    by = {str(one.get("verdict")): one for one in reversed(found.translations)}
    one = by.get(LOST) or by.get(DONE)
    if one is None:
        whys = dict.fromkeys(str(t["why"]) for t in found.translations if t.get("why"))
        return Outcome("not_measurable", " ".join(whys) or "The cutoff could not be translated.")
    told = _told(one)
    translated = Outcome(
        "pass",
        f"{told}.",
        _number(one.get("best_jaccard")),
        REPRODUCED,
        unit="jaccard",
        details={"translations": list(found.translations), "comparison": found.comparison or None},
    )
    if one is by.get(LOST):
        return translated.but("fail", f"{told}: {LOST}.")
    misfits = list(dict.fromkeys(name for t in found.translations for name in _misfits(t)))
    if misfits:
        why = f"{told}, but that one cutoff does not fit {named(misfits)}: each needs its own (`cohorts` of the translation)."
        return translated.but("fail", why, misfits=misfits)
    return translated


def _told(one: Mapping[str, Any]) -> str:
    old, new, by = _number(one.get("old")), _number(one.get("new")), f"by equal {one.get('by')}"
    named = "The cutoff" if old is None else f"The cutoff {old:.4g}"
    if new is None:
        return f"{named} has no counterpart {by}"
    agreed, best = _agreement(one), _number(one.get("best_jaccard"))
    same = "" if agreed is None else f"; of what either accepts, {agreed:.0%} are the same"
    at_best = "" if best is None else f", {best:.0%} with the cutoff that agrees best"
    return f"{named} becomes {new:.4g} {by}{same}{at_best}"


def _misfits(one: Mapping[str, Any]) -> list[str]:
    """The cohorts that one cutoff does not fit."""
    held: Any = one.get("cohorts")
    if one.get("fits_all") is not False or not isinstance(held, Mapping):
        return []
    cohorts = cast("Mapping[str, Sequence[Mapping[str, Any]]]", held)
    return [
        f"{field_text(field)}={value_text(cohort.get('value'))}"
        for field, listed in cohorts.items()
        for cohort in listed
        if cohort.get("fits") is False
    ]


def _agreement(one: Mapping[str, Any]) -> float | None:
    held: Any = one.get("agreement")
    return _number(cast("Mapping[str, Any]", held).get("jaccard")) if isinstance(held, Mapping) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
