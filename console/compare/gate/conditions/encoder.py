"""The new side's encoder is the one that made its vectors."""

from __future__ import annotations

from typing import Any

from console.compare.gate.evidence import Answers, Canary
from console.compare.gate.outcome import Outcome
from console.compare.gate.registry import Limits, condition
from console.health.wording import moment


@condition("canary", asks="the new side's encoder still gives the vectors that it gave", part="canary")
def canary(found: Canary, limits: Limits) -> Outcome:
    """By rows that are embedded again. The fixed questions can only add a fail: what was kept of them says what the
    encoder gave to the first who asked, not what the rows hold."""
    limit = float(limits["limit"])
    rows = None if isinstance(found.rows, str) else found.rows
    held = [answers for answers in (rows, found.questions) if answers is not None]
    worst = min((answers.smallest for answers in held), default=None)
    kept = (
        " The answers to the fixed questions were kept: later gates compare with them, too."
        if found.kept
        else ""
    )
    told = " ".join(_told(answers) for answers in held)
    same = Outcome(
        "pass",
        f"`{found.encoder}` gives the vectors that it gave. {told}{kept}",
        worst,
        limit,
        unit="cosine",
        details={
            "encoder": found.encoder,
            "rows": None if rows is None else _json(rows),
            "questions": None if found.questions is None else _json(found.questions),
            "kept": found.kept,
        },
    )
    if worst is not None and worst < limit:
        return same.but("fail", f"`{found.encoder}` no longer gives the vectors that it gave. {told}")
    if rows is None:
        why = f"Whether `{found.encoder}` made the rows' vectors can't be told: {found.rows}"
        return same.but("not_measurable", " ".join(part for part in (why, told) if part) + kept)
    return same


def _told(found: Answers) -> str:
    since = f" since {moment(found.since)}" if found.since else ""
    return f"The smallest cosine of {found.n:,} {found.of}{since} is {found.smallest:.4f}, the mean {found.mean:.4f}."


def _json(found: Answers) -> dict[str, Any]:
    return {
        "of": found.of,
        "n": found.n,
        "smallest": found.smallest,
        "mean": found.mean,
        "since": found.since or None,
    }
