"""Both sides hold the same rows."""

from __future__ import annotations

import re
from typing import Final

from console.compare.gate.evidence import IdSets, Missing
from console.compare.gate.outcome import Outcome
from console.compare.gate.registry import Limits, condition
from console.compare.gate.wording import few
from console.health.wording import field_text, value_text

NAMED: Final = 3


@condition("id-set", asks="both sides hold the same ids", part="id_sets")
def id_set(sets: IdSets, limits: Limits) -> Outcome:
    """Counts that are equal prove nothing, and live writes keep them from being equal: the ids are held together."""
    what = "ids" if sets.by == "id" else f"values of {field_text(sets.by)}"
    differ = sets.on_left_only.rows + sets.on_right_only.rows
    moved = sets.on_left_only.moved + sets.on_right_only.moved
    details = {
        "left": sets.left,
        "right": sets.right,
        "by": sets.by,
        "watermark": sets.watermark,
        "keyless": sets.keyless,
        "resting_tenants": sets.resting,
        "left_only": _json(sets.on_left_only),
        "right_only": _json(sets.on_right_only),
    }
    apart = (
        f" {moved:,} more were written or deleted while the gate looked; they do not count." if moved else ""
    )
    same = Outcome(
        "pass",
        f"Both sides hold the same {sets.both:,} {what}.{apart}"
        if sets.by == "id"
        else f"Both sides hold the same {what} on {sets.both:,} rows.{apart}",
        float(differ),
        0.0,
        unit="rows",
        details=details,
    )
    if differ:
        parts = (
            _said(sets.on_left_only, what, "of the old side", "on the new one"),
            _said(sets.on_right_only, what, "of the new side", "on the old one"),
        )
        told = "; ".join(p for p in parts if p)
        if sets.left and sets.right and sets.on_left_only.rows >= sets.left and sets.by == "id":
            told += ". No id is on both: where the sides name their rows differently, match them by a field (--match-on)"
        return same.but("fail", f"{told}.{apart}")
    if sets.keyless:
        every = " No row has one." if not sets.left and not sets.right else ""
        rows = few(sets.keyless, "{} row has", "{} rows have")
        why = f"{rows} no value of {field_text(sets.by)}: whether the other side holds them can't be told.{every}"
        return same.but("not_measurable", why)
    if not sets.left and not sets.right:
        return same.but("not_measurable", "Both sides are empty.")
    if not sets.both:
        return same.but("not_measurable", f"No row was on both sides.{apart}")
    if sets.resting:
        tenants = f"{sets.resting:,} tenant{' is' if sets.resting == 1 else 's are'} not active"
        return same.but(
            "not_measurable", f"{tenants}: whether both sides hold the same of their ids is not known."
        )
    return same


def _said(missing: Missing, what: str, whose: str, where: str) -> str:
    if not missing.rows:
        return ""
    named = ", ".join(value_text(key) for key in missing.examples[:NAMED])
    more = ", …" if missing.rows > NAMED else ""
    them = re.sub("s( |$)", r"\1", what, count=1) if missing.rows == 1 else what
    verb = "is" if missing.rows == 1 else "are"
    told = f"{missing.rows:,} {them} {whose} {verb} not {where}"
    return f"{told} ({named}{more})" if named else told


def _json(missing: Missing) -> dict[str, object]:
    return {
        "rows": missing.rows,
        "examples": list(missing.examples),
        "written": missing.written,
        "deleted": missing.deleted,
        "late": missing.late,
    }
