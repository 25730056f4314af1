"""Against the baseline: recall, latency, the number of rows."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from console.health.baseline import Baseline
from console.health.evidence import Evidence
from console.health.findings import Effect, Finding, NotMeasured, Outcomes, Remedy, Severity
from console.health.policy import Policy
from console.health.probes.latency import Latency
from console.health.probes.recall import Recall
from console.health.registry import Threshold, check


@check(
    "recall-drop",
    fault="the index finds less than in the baseline",
    kind="drift",
    stage="baseline",
    severities=("warning",),
    actions=("reindex",),
    thresholds=(
        Threshold("drop", 0.05, "lower bound of the difference of two means over 200 queries (MOVER)"),
    ),
)
def recall_drop(evidence: Evidence, rules: Policy) -> Outcomes:
    code, base = "recall-drop", evidence.baseline
    if base is None:
        return []
    then, then_low = base.number("recall"), base.number("recall_low")
    then_high = base.number("recall_high")
    if then is None or then_low is None or then_high is None:
        return [NotMeasured(code, "The baseline did not measure recall.")]
    held = evidence.get(Recall)
    plain = held if isinstance(held, NotMeasured) else held.plain
    if isinstance(plain, NotMeasured):
        return [NotMeasured(code, plain.why)]
    now = plain.recall(evidence.kept)
    if now is None:
        return [NotMeasured(code, "No query is left.")]
    line = rules.get(code, "drop")
    drop = then - now.value
    # Difference of two estimates from their intervals (Zou and Donner 2008).
    low = drop - math.hypot(then - then_low, now.high - now.value)
    high = drop + math.hypot(then_high - then, now.value - now.low)
    return [
        Finding(
            code,
            "warning" if low > line else None,
            f"Recall of the index fell from {then:.3f} in the baseline of {base.day} to {now.value:.3f}",
            "probe",
            Remedy("reindex", "Look at what changed in the index since, and build it again."),
            effect=Effect(drop, line, low, high, name="drop of recall@10"),
            evidence={"baseline": base.id, "recall_then": then, "recall_now": now.to_json()},
        )
    ]


@check(
    "latency-spike",
    fault="searches take longer than in the baseline",
    kind="drift",
    stage="baseline",
    severities=("warning",),
    actions=("investigate",),
    thresholds=(
        Threshold("ratio", 2.0, "p95 of 50 searches against the baseline's"),
        Threshold("least_ms", 5.0, "a difference that this process's own pauses do not make"),
        Threshold(
            "bound_rank",
            0.88,
            "the order statistic that is below the true p95 with 97.5% confidence: rank 44 of 50 (binomial)",
        ),
    ),
)
def latency_spike(evidence: Evidence, rules: Policy) -> Outcomes:
    code, base, of = "latency-spike", evidence.baseline, rules.of("latency-spike")
    if base is None:
        return []
    then, then_p50 = base.number("latency_p95"), base.number("latency_p50")
    if then is None or then_p50 is None:
        return [NotMeasured(code, "The baseline did not measure latency.")]
    held = evidence.get(Latency)
    if isinstance(held, NotMeasured):
        return [NotMeasured(code, held.why)]
    taken, n = held.milliseconds, len(held.milliseconds)
    if n < 20:
        return [NotMeasured(code, f"{n} searches were timed; 20 are needed.")]
    low = float(taken[max(0, math.floor(of["bound_rank"] * n) - 1)])
    ratio = held.p95 / then if then > 0 else math.inf
    fires = low >= of["ratio"] * then and low - then >= of["least_ms"]
    return [
        Finding(
            code,
            "warning" if fires else None,
            f"95 of 100 searches took up to {held.p95:,.1f} ms; in the baseline of {base.day} it was {then:,.1f} ms",
            "probe",
            Remedy(
                "investigate",
                "Look at the server's load, memory and index state. The times are as seen from this machine: a"
                " slower network or a busy client counts too.",
            ),
            effect=Effect(
                ratio, of["ratio"], low / then if then > 0 else None, name="p95 over the baseline's"
            ),
            evidence={
                "baseline": base.id,
                "p50_ms_then": then_p50,
                "p50_ms_now": held.p50,
                "p95_ms_then": then,
                "p95_ms_now": held.p95,
                "p95_ms_at_least": low,
                "searches": n,
            },
        )
    ]


@check(
    "size-change",
    fault="rows are gone, or many came at once",
    kind="drift",
    stage="baseline",
    severities=("info", "warning", "critical"),
    actions=("investigate", "none"),
    thresholds=(
        Threshold("shrink", 0.01, "deleting is rare next to adding: more than 1% fewer rows deserves a look"),
        Threshold("shrink_critical", 0.1, "a tenth of the rows gone is an outage or a wrong job"),
        Threshold("growth", 0.01, "below 1% growth is not worth a line"),
        Threshold("growth_a_day", 0.1, "per day since the baseline; less than a day counts as one"),
    ),
)
def size_change(evidence: Evidence, rules: Policy) -> Outcomes:
    code, base, of = "size-change", evidence.baseline, rules.of("size-change")
    if base is None:
        return []
    before = base.report.get("rows")
    if not isinstance(before, int):
        return [NotMeasured(code, "The baseline did not count its rows.")]
    now = evidence.scan.rows
    days = _days(base, evidence)
    if not before:
        return [] if not now else [_grown(base, before, now, days, None)]
    change = (now - before) / before
    facts = {"baseline": base.id, "rows_then": before, "rows_now": now, "days": days, "change": change}
    if change < 0:
        lost = -change
        severity: Severity | None = None
        if lost > of["shrink"]:
            severity = "critical" if lost > of["shrink_critical"] else "warning"
        return [
            Finding(
                code,
                severity,
                f"{before - now:,} rows fewer than in the baseline of {base.day}: {now:,} instead of {before:,}",
                "exact",
                Remedy("investigate", "Find out who deleted them, and load what is missing again."),
                share=lost,
                effect=Effect(lost, of["shrink"], name="share of rows gone"),
                evidence=facts,
            )
        ]
    daily = change / max(1.0, days or 1.0)
    return [_grown(base, before, now, days, daily, of)] if change > of["growth"] else []


def _grown(
    base: Baseline, before: int, now: int, days: float | None, daily: float | None, of: Any = None
) -> Finding:
    fast = daily is not None and daily >= of["growth_a_day"]
    return Finding(
        "size-change",
        "warning" if fast else "info",
        f"{now - before:,} rows more than in the baseline of {base.day}: {now:,} instead of {before:,}",
        "exact",
        Remedy("investigate", "Make sure that this many rows were meant to be loaded, and only once.")
        if fast
        else Remedy("none", "Nothing to do where the growth was meant."),
        effect=None
        if daily is None
        else Effect(daily, of["growth_a_day"], name="growth a day, as a share of the baseline's rows"),
        evidence={"baseline": base.id, "rows_then": before, "rows_now": now, "days": days},
    )


def _days(base: Baseline, evidence: Evidence) -> float | None:
    try:
        then, now = (datetime.fromisoformat(str(t)) for t in (base.report.get("at"), evidence.scan.started))
        return (now - then).total_seconds() / 86_400
    except (TypeError, ValueError):
        return None
