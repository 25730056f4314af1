"""Against the baseline: directions, the same rows, recall, latency, size. Effect sizes, never p-values alone."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from console.health.baseline import Baseline, scattered
from console.health.drift_measures import ks, ks_chance, mean_shift, mean_shift_chance, spread
from console.health.evidence import Evidence
from console.health.findings import (
    SAMPLE_IDS,
    Effect,
    Finding,
    Mask,
    NotMeasured,
    Outcome,
    Outcomes,
    Remedy,
    Severity,
)
from console.health.options import AGAINST_NONE
from console.health.policy import Policy
from console.health.probes.panel import PanelNow
from console.health.registry import Threshold, check
from console.health.table import Ids
from console.search.proportions import clopper_pearson

NO_BASELINE: Final = (
    "There is no baseline to hold it against: `plumbline baseline set ADDRESS` pins a report."
)
OTHER_FIELD: Final = (
    "The report named as the baseline is of another vector field: `--baseline latest` takes each field's own."
)
NOT_WANTED: Final = "No baseline was wanted (`none`)."
_Z: Final = 1.96
_FOUND: Final = 30
"""Rows of the panel among the scanned ones from which on a finding names rows of the table."""

_LOOK = Remedy(
    "investigate",
    "Find out what was written since the baseline, and by which encoder. Where the change was meant, pin a new "
    "baseline.",
)


@check(
    "distribution-drift",
    fault="the vectors moved against the baseline",
    kind="drift",
    stage="baseline",
    severities=("warning", "critical"),
    actions=("investigate", "rebuild"),
    thresholds=(
        Threshold(
            "ks",
            0.05,
            "KS of random-pair cosines, equal sample sizes: legitimate growth measured .019 at most, 10% of rows by "
            "another encoder .064",
        ),
        Threshold("ks_critical", 0.15, "three times the warning's line: a third of the rows or more"),
        Threshold(
            "shift",
            0.1,
            "distance of the means in spreads: legitimate growth measured .053 at most, a full swap .141",
        ),
        Threshold("min_rows", 100, "rows with a direction on both sides; below it chance alone reaches `ks`"),
        Threshold(
            "panel_cosine",
            0.999,
            "the same encoder on the same source gives .99999 and more; float16 storage .9999 and more",
        ),
        Threshold(
            "panel_share", 0.005, "as `same-source-different-vector`; one of 1,000 rows may be a re-run"
        ),
        Threshold("panel_critical", 0.05, "as `same-source-different-vector`"),
        Threshold("panel_rows", 30, "rows of the panel with an unchanged source below which nothing is said"),
    ),
)
def distribution_drift(evidence: Evidence, rules: Policy) -> Outcomes:
    base, of = evidence.baseline, rules.of("distribution-drift")
    if base is None:
        wanted = evidence.options.baseline
        why = OTHER_FIELD if wanted not in (None, "latest") else NO_BASELINE
        return [NotMeasured("baseline", NOT_WANTED if wanted == AGAINST_NONE else why)]
    return [*_directions(evidence, base, of), *_panel(evidence, base, of)]


def _directions(evidence: Evidence, base: Baseline, of: Any) -> list[Outcome]:
    code, then = "distribution-drift", base.spread
    if then is None:
        return [NotMeasured(code, "What drift is measured by was let go with age (`store.keep_panels`).")]
    if len(then.mean) != (evidence.field.dimension or len(then.mean)):
        return [NotMeasured(code, "The baseline's vectors have another dimension.")]
    held = scattered(evidence)
    now = spread(held, evidence.good[evidence.reservoir.rows])
    least = int(of["min_rows"])
    if min(then.n, now.n) < least:
        return [
            NotMeasured(
                code,
                f"{now.n:,} rows with a direction now and {then.n:,} in the baseline; {least:,} are needed.",
            )
        ]
    distance, chance = ks(then.scores, now.scores), ks_chance(then.noise, now.noise)
    shift, shift_chance = mean_shift(then, now), mean_shift_chance(then, now)
    # A figure counts from its line on, and never below what two samples of one collection reach by chance.
    over = max(distance / max(of["ks"], chance), shift / max(of["shift"], shift_chance))
    critical = distance >= max(of["ks_critical"], chance)
    severity: Severity | None = None if over < 1 else "critical" if critical else "warning"
    width = _Z * math.hypot(then.noise, now.noise)
    return [
        Finding(
            code,
            severity,
            f"The vectors no longer lie as in the baseline of {base.day}: cosines of random pairs differ by"
            f" {distance:.3f} (KS, {of['ks']:g} is the line), and the mean moved by {shift:.3f} spreads"
            f" ({of['shift']:g} is the line)",
            "sample",
            _LOOK,
            effect=Effect(over, 1.0, name="the larger of KS and mean shift, each over its line"),
            evidence={
                "baseline": base.id,
                "ks": distance,
                "ks_interval": [max(0.0, distance - width), min(1.0, distance + width)],
                "ks_by_chance": chance,
                "mean_shift": shift,
                "mean_shift_by_chance": shift_chance,
                "pairs": int(min(len(then.scores), len(now.scores))),
                "rows_then": then.n,
                "rows_now": now.n,
                "mean_cosine_then": float(np.mean(then.scores)),
                "mean_cosine_now": float(np.mean(now.scores)),
                "spread_then": then.trace,
                "spread_now": now.trace,
            },
        )
    ]


def _panel(evidence: Evidence, base: Baseline, of: Any) -> list[Outcome]:
    code, held = "distribution-drift", evidence.get(PanelNow)
    if isinstance(held, NotMeasured):
        return [NotMeasured(f"{code}:panel", held.why)]
    usable = held.same_source & np.isfinite(held.cosine)
    openly = usable & ~held.same_version & (held.cosine < of["panel_cosine"])
    usable &= held.same_version
    n, least = int(usable.sum()), int(of["panel_rows"])
    if n < least:
        return [
            NotMeasured(
                f"{code}:panel",
                f"{n:,} of the {held.kept:,} rows that the baseline kept are there with the same source and tag;"
                f" {least:,} are needed.",
            )
        ]
    moved = usable & (held.cosine < of["panel_cosine"])
    hits = int(moved.sum())
    low, high = clopper_pearson(hits, n)
    severity: Severity | None = None
    if low > of["panel_share"]:
        severity = "critical" if low > of["panel_critical"] else "warning"
    ids = tuple(held.ids[int(i)] for i in np.flatnonzero(moved))
    affected, examined = _in_table(evidence, held, moved, usable)
    return [
        Finding(
            code,
            severity,
            f"{hits:,} of {n:,} rows that the baseline of {base.day} kept have another vector now, though source"
            " and version tag are the same: they were embedded again without a word",
            "probe",
            Remedy(
                "rebuild",
                "Find out which encoder wrote these rows, tag them with it, and embed the collection again with"
                " one encoder. Where the change was meant, pin a new baseline.",
            ),
            rows=hits,
            share=hits / n,
            interval=(low, high),
            effect=Effect(
                hits / n, of["panel_share"], low, high, name="rows of the panel with another vector"
            ),
            evidence={
                "baseline": base.id,
                "panel": held.kept,
                "compared": n,
                "gone": held.gone,
                "lost_vector": held.bare,
                "embedded_again_with_another_tag": int(openly.sum()),
                "median_cosine": float(np.median(held.cosine[moved])) if hits else None,
                "lowest_cosine": float(held.cosine[usable].min()),
            },
            sample_ids=ids[:SAMPLE_IDS],
            affected=affected,
            examined=examined,
            key="panel",
        )
    ]


def _in_table(
    evidence: Evidence, held: PanelNow, moved: Mask, usable: Mask
) -> tuple[Mask | None, Mask | None]:
    """Bitmaps over the table, where enough of the panel's rows were scanned to name a group by."""
    ids, table = Ids.of(held.ids), evidence.table.ids
    maybe = np.flatnonzero(np.isin(table.low, ids.low))
    place = {(int(table.high[i]), int(table.low[i]), bool(table.integer[i])): int(i) for i in maybe}
    rows = np.array(
        [
            place.get((int(h), int(low), bool(i)), -1)
            for h, low, i in zip(ids.high, ids.low, ids.integer, strict=True)
        ],
        np.int64,
    )
    there = rows >= 0
    if int((there & moved).sum()) < _FOUND:
        return None, None
    affected, examined = np.zeros(len(table), np.bool_), np.zeros(len(table), np.bool_)
    affected[rows[there & moved]] = True
    examined[rows[there & usable]] = True
    return affected, examined
