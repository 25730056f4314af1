"""The new side answers judged questions as well as the old one, and no cohort pays for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from console.compare.gate import bounds
from console.compare.gate.evidence import Quality
from console.compare.gate.outcome import Outcome
from console.compare.gate.registry import Limits, condition
from console.compare.gate.wording import few, named
from console.health.findings import Mask
from console.health.table import F64
from console.health.wording import field_text, value_text

Cohort = tuple[str, str, Mask]
"""Field, value, and a bitmap over the queries."""

UNJUDGED: Final = 0.05
"""Less judged on the new side than on the old one by so much is said."""
GONE: Final = 0.05
"""Share of the keys judged relevant that a side may lack: rows come and go, while a set that was made for another
collection lacks nearly all."""
BIG: Final = 2.0
"""Margins: a cohort that loses so much in its mean is no pass, however few its queries."""
SAME: Final = "Both sides have one encoder and {}."


@condition("quality", asks="judged questions are answered as well as before", part="quality")
def quality(found: Quality, limits: Limits) -> Outcome:
    """Not worse by more than the margin, in absolute points: by the lower bound of the paired difference."""
    margin = float(limits["margin"])
    difference = found.right - found.left
    if why := _unfit(found):
        return Outcome("not_measurable", why, limit=-margin, unit=found.metric, details=_counts(found))
    paired = bounds.paired(difference)
    left, right = float(found.left.mean()), float(found.right.mean())
    told = (
        f"{found.metric} is {right:.3f}, {left:.3f} on the old side: {paired.mean:+.3f} (bounds"
        f" {paired.low:+.3f} and {paired.high:+.3f}, {_queries(paired.n)})"
    )
    carried = _carried(found)
    measured = Outcome(
        "pass",
        f"{told}: at most {margin:g} is lost.{carried}",
        paired.mean,
        -margin,
        (paired.low, paired.high),
        found.metric,
        {
            **_counts(found),
            "left": left,
            "right": right,
            "worse": int(np.count_nonzero(difference < 0)),
            "better": int(np.count_nonzero(difference > 0)),
            "sd": paired.sd,
            "same": found.same or None,
            "judged": None if found.judged is None else list(found.judged),
            "confidence": [bounds.CONFIDENCE, bounds.SURE],
        },
    )
    if found.same and not difference.any():
        why = f"{SAME.format(found.same)} {found.metric} is {right:.3f} ({_queries(paired.n)}).{carried}"
        return replace(measured, why=why, interval=(0.0, 0.0))
    if paired.low >= -margin:
        return measured
    if paired.high < 0 and paired.mean < -margin:
        return measured.but("fail", f"{told}: more than {margin:g} is lost.{carried}{_unjudged(found)}")
    needed = bounds.queries_needed(difference, margin)
    open_ = f"{told}: neither a loss of more than {margin:g} nor its absence is proven"
    if needed > paired.n:
        why = f"{open_}. About {needed:,} queries would settle it."
    elif paired.mean < 0:
        why = f"{open_}. {needed:,} queries settle it where nothing is lost: the loss lies near the margin."
    else:
        why = f"{open_}. {needed:,} queries settle it four times in five: judge more."
    return measured.but("not_measurable", why + carried + _unjudged(found), queries_needed=needed)


@condition("cohorts", asks="no group of questions is answered worse", part="quality")
def cohorts(found: Quality, limits: Limits) -> Outcome:
    """Fails only on a cohort that is surely worse, however many are looked at, and by more than the margin."""
    margin, fewest = float(limits["margin"]), int(limits["queries"])
    difference = found.right - found.left
    large, small = _cohorts(found, fewest)
    if why := _unfit(found):
        return Outcome("not_measurable", why, limit=-margin, unit=found.metric, details=_counts(found))
    details: dict[str, Any] = {
        **_counts(found),
        "small": [_small(c, difference) for c in small],
        "fewest": fewest,
    }
    if found.same and not difference.any():
        return Outcome("pass", SAME.format(found.same), 0.0, -margin, (0.0, 0.0), found.metric, details)
    left_out = f" Fewer than {fewest} queries, not judged: {_names(small)}." if small else ""
    losing = [c for c in small if float(difference[c[2]].mean()) < -margin]
    if not large:
        why = _none(found, fewest, bool(small))
        return Outcome("not_measurable", why + left_out, limit=-margin, unit=found.metric, details=details)
    held = bounds.cohorts(difference, [mask for _, _, mask in large])
    pairs = sorted(zip(large, held, strict=True), key=lambda pair: pair[1].mean)
    lost = [pair for pair in pairs if pair[1].mean < -margin]
    failing = [pair for pair in lost if pair[1].high < 0]
    suspect = [pair for pair in lost if pair[1].chance < 0 or pair[1].mean < -BIG * margin]
    first, worst = (failing or suspect or pairs)[0]
    among = f" for all {len(pairs)} cohorts together" if len(pairs) > 1 else ""
    told = (
        f"{_name(first)}: {worst.mean:+.3f} (95% interval {worst.low:+.3f} to {worst.high:+.3f}{among},"
        f" {_queries(worst.n)})"
    )
    seen = bounds.POWER * worst.sd / worst.n**0.5
    beyond = f", and by no more than chance makes the worst of {len(pairs)} lose" if lost else ""
    measured = Outcome(
        "pass",
        f"No cohort is surely worse. The worst is {told}{beyond}; a loss of {seen:.2f} there would have been seen four"
        f" times in five.{left_out}",
        worst.mean,
        -margin,
        (worst.low, worst.high),
        found.metric,
        {"cohorts": [_json(*pair) for pair in pairs], **details},
    )
    if failing:
        more = few(len(failing) - 1, " {} more cohort is worse, too.", " {} more cohorts are worse, too.")
        return measured.but("fail", f"{told}: more than {margin:g} is lost.{more}{left_out}")
    if suspect:
        needed = bounds.queries_needed(difference[first[2]], margin)
        why = (
            f"{told}: more than {margin:g} is lost in its mean, and it may be chance. About {needed:,} of its queries"
            f" would settle it.{left_out}"
        )
        return measured.but("not_measurable", why, queries_needed=needed)
    if losing:
        why = f"{_losses(losing, difference)} in the mean, more than {margin:g}, with too few queries to tell it from chance"
        return measured.but("not_measurable", f"{why} ({fewest} are needed).{left_out}")
    return measured


def _unfit(found: Quality) -> str:
    """Why the golden set says nothing of these two sides, else ""."""
    for side, gone in zip(("old", "new"), found.gone, strict=True):
        if gone > GONE * found.keys:
            return (
                f"{gone:,} of the {found.keys:,} keys that the golden set judges relevant are not on the {side} side: it was"
                f" made for other rows, or they are gone.{_unanswered(found)}"
            )
    if not len(found.left):
        return f"No query of the golden set was judged on both sides.{_carried(found)}"
    if not found.left.any():
        return (
            f"The old side finds nothing that is judged relevant: {found.metric} is 0 on every one of"
            f" {_queries(len(found.left))}, and no loss could be seen.{_carried(found)}"
        )
    return ""


def _counts(found: Quality) -> dict[str, Any]:
    """What both conditions rest on."""
    return {
        "golden": found.golden,
        "version": found.version,
        "metric": found.metric,
        "queries": len(found.left),
        "lost": found.lost,
        "unanswered": list(found.unanswered),
        "judged_keys": found.keys,
        "missing_keys": list(found.gone),
        "unmatched_rows": found.untold,
    }


def _carried(found: Quality) -> str:
    """Judged keys that are gone, and queries that could not be answered."""
    parts = [
        f"{gone:,} of {found.keys:,} keys judged relevant {'is' if gone == 1 else 'are'} not on the {side} side."
        for side, gone in zip(("old", "new"), found.gone, strict=True)
        if gone
    ]
    if found.untold:
        rows = few(found.untold, "One row that the golden set names", "{} rows that the golden set names")
        parts.append(
            f"{rows} can't be matched by {field_text(found.by)}, and {'is' if found.untold == 1 else 'are'} left out on"
            " both sides."
        )
    return "".join(f" {part}" for part in parts) + _unanswered(found)


def _unanswered(found: Quality) -> str:
    old, new = found.unanswered
    parts = [
        f"{_queries(old)} could not be answered by the old side, and {'is' if old == 1 else 'are'} left out."
    ] * (old > 0)
    if new:
        counted = f" ({found.lost:,} of them the old side could: 0 here)" if found.lost else ""
        parts.append(f"{_queries(new)} could not be answered by the new side{counted}.")
    return "".join(f" {part}" for part in parts)


def _json(cohort: Cohort, held: bounds.CohortBounds) -> dict[str, Any]:
    return {
        "field": cohort[0],
        "value": cohort[1],
        "queries": held.n,
        "difference": held.mean,
        "low": held.low,
        "high": held.high,
        "chance_high": held.chance,
        "sd": held.sd,
    }


def _small(cohort: Cohort, difference: F64) -> dict[str, Any]:
    field, value, mask = cohort
    return {
        "field": field,
        "value": value,
        "queries": int(mask.sum()),
        "difference": float(difference[mask].mean()),
    }


def _losses(cohorts: Sequence[Cohort], difference: F64) -> str:
    return named([f"{_name(c)} loses {-float(difference[c[2]].mean()):.3f}" for c in cohorts])


def _cohorts(found: Quality, fewest: int) -> tuple[list[Cohort], list[Cohort]]:
    """Those that are large enough, and the others. A value of every query is left out: it is no part of them, and
    `quality` judges the whole.
    """
    large: list[Cohort] = []
    small: list[Cohort] = []
    for field, values in found.cohorts.items():
        for value in sorted({v for v in values if v is not None}):
            mask = np.array([v == value for v in values], np.bool_)
            if not mask.all():
                (large if int(mask.sum()) >= fewest else small).append((field, value, mask))
    return large, small


def _none(found: Quality, fewest: int, parts: bool) -> str:
    """Why no cohort can be judged. `parts`: whether there are some, if small ones."""
    whole = [
        f"{field_text(field)}={value_text(values[0])}"
        for field, values in found.cohorts.items()
        if values[0] is not None and len(set(values)) == 1
    ]
    if whole and not parts:
        return f"Every query is of {named(whole)}: no part of the golden set is told from the rest of it."
    why = f"No cohort of the golden set has {fewest} queries"
    if not found.cohorts:
        return f"{why}: none of its queries names a cohort."
    return f"{why}, but for {named(whole)}, which every query is of." if whole else f"{why}."


def _name(cohort: Cohort) -> str:
    return f"{field_text(cohort[0])}={value_text(cohort[1])}"


def _names(cohorts: Sequence[Cohort]) -> str:
    return named([f"{_name(c)} ({int(c[2].sum())})" for c in cohorts])


def _unjudged(found: Quality) -> str:
    """A new model's hits are often those that nobody judged: it then looks worse than it is."""
    if found.judged is None or found.judged[0] - found.judged[1] < UNJUDGED:
        return ""
    old, new = found.judged
    return (
        f" {new:.0%} of the new side's hits are judged, {old:.0%} of the old side's, and what nobody judged counts as not"
        " relevant: judge both sides' hits."
    )


def _queries(n: int) -> str:
    return f"{n:,} quer{'y' if n == 1 else 'ies'}"
