"""Who is whose neighbour: collapsed neighbours, and the gap between modalities."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from console.health.checks.geometry import NEAR, Z, no_structure, unmeasured
from console.health.evidence import Evidence
from console.health.findings import Effect, Finding, NotMeasured, Outcomes, Remedy, Severity
from console.health.moving import gap_moved
from console.health.policy import Policy
from console.health.probes.neighbours import Lists, Neighbours
from console.health.probes.partners import Partners
from console.health.registry import Threshold, check
from console.health.table import I64
from console.search.proportions import clopper_pearson

RESAMPLES: Final = 500
DEPTH: Final = 20
HUBS: Final = 20


@check(
    "collapsed-neighbors",
    fault="unrelated queries get the same rows",
    kind="aggregate",
    stage="collapse",
    severities=("info", "warning", "critical"),
    actions=("investigate", "none"),
    thresholds=(
        Threshold("excess", 0.1, "a tenth of two lists of 20 in common beyond chance (HEALTH.md)"),
        Threshold("excess_critical", 0.35, "a third of every answer is the same rows (HEALTH.md)"),
        Threshold("min_rows", 400, "below it chance alone puts over 5% of two lists of 20 in common"),
    ),
)
def collapsed_neighbors(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "collapsed-neighbors", rules.of("collapsed-neighbors")
    n = len(evidence.places)
    if n < of["min_rows"]:
        return [NotMeasured(code, f"{n:,} rows with a direction; {of['min_rows']:,.0f} are needed.")]
    found = evidence.get(Neighbours)
    if isinstance(found, NotMeasured):
        return [unmeasured(code, found)]
    lists = found.lists(evidence, DEPTH, spare=True)
    if isinstance(lists, NotMeasured):
        return [unmeasured(code, lists)]
    near = _untied(lists, DEPTH)
    value, low, high = _overlap(near, n, evidence.options.seed)
    severity: Severity | None = (
        "critical" if low > of["excess_critical"] else "warning" if low > of["excess"] else None
    )
    straight: float | None = None
    lengths = False
    if found.by_direction is not found.by_metric:
        other = found.lists(evidence, DEPTH, direction=True, spare=True)
        if not isinstance(other, NotMeasured):
            straight, floor, _ = _overlap(_untied(other, DEPTH), n, evidence.options.seed)
            lengths = floor <= of["excess"]
    if severity is not None and lengths:
        # Popularity in the length is legitimate under inner products; a fault of lengths is norm-drift's to name.
        severity = "info"
    counts = np.bincount(near.ravel(), minlength=len(evidence.reservoir.rows))
    hubs = np.argsort(-counts, kind="stable")[:HUBS]
    expected = _expected_slots(len(near), n, evidence.options.seed)
    slots = float(counts[hubs].sum()) / near.size
    summary = (
        f"Two unrelated queries share {value + DEPTH / n:.0%} of their {DEPTH} nearest rows (chance: {DEPTH / n:.1%});"
        f" {HUBS} rows hold {slots:.0%} of all places."
    )
    if lengths and severity is not None:
        summary += " Without lengths that vanishes: long vectors win every query."
    return [
        Finding(
            code,
            severity,
            summary,
            "probe",
            Remedy(
                "none", "Ordinary where length means popularity; where it does not, normalise the vectors."
            )
            if lengths
            else Remedy(
                "investigate",
                "Look at the rows that every query gets, and at whether the encoder was given its real input.",
            ),
            effect=Effect(value, of["excess"], low, high, name=f"excess of overlap@{DEPTH}"),
            evidence={
                "overlap": value + DEPTH / n,
                "chance": DEPTH / n,
                "excess_without_lengths": straight,
                "slots_of_20_rows": slots,
                "slots_of_20_rows_by_chance": expected,
                "top_row": evidence.table.ids.at(int(evidence.reservoir.rows[hubs[0]])),
                "top_row_in_lists": int(counts[hubs[0]]) / len(near),
                "probes": len(near),
            },
            sample_ids=evidence.table.ids.take(evidence.reservoir.rows[hubs]),
        )
    ]


def _untied(lists: Lists, k: int) -> I64:
    """(q, k): the k nearest; which rows of a class with the k-th score are taken is drawn, not the first ones.

    Rows with one vector are one class: their order among each other says nothing about the queries.
    """
    scores = lists.scores.astype(np.float64)
    bar = scores[:, k - 1 : k]
    scale = 1e-6 * np.maximum(1.0, np.abs(bar))
    draw = np.random.default_rng(0).random(scores.shape)
    # Above the class: as they are; the class in drawn order; then the rest.
    order = np.where(scores > bar + scale, -1.0, np.where(scores >= bar - scale, draw, 2.0))
    return np.take_along_axis(lists.near, np.argsort(order, axis=1, kind="stable")[:, :k], axis=1)


def _overlap(near: I64, n: int, seed: int) -> tuple[float, float, float]:
    """Mean share that two lists have in common beyond k / n, with its 95% bootstrap interval over queries."""
    q, k = near.shape
    rows, inverse = np.unique(near, return_inverse=True)
    held = np.zeros((q, len(rows)), np.float32)
    np.put_along_axis(held, inverse.reshape(q, k), 1.0, axis=1)
    common = (held @ held.T / k).astype(np.float64)
    np.fill_diagonal(common, 0.0)
    value = float(common.sum()) / (q * (q - 1))
    picked = np.random.default_rng(seed).integers(0, q, (RESAMPLES, q)) + q * np.arange(RESAMPLES)[:, None]
    drawn = np.bincount(picked.ravel(), minlength=q * RESAMPLES).reshape(RESAMPLES, q).astype(np.float64)
    pairs = q * q - np.square(drawn).sum(axis=1)
    means = np.einsum("bi,bi->b", drawn @ common, drawn) / pairs
    low, high = (float(x) for x in np.quantile(means, (0.025, 0.975)))
    return value - k / n, min(low, value) - k / n, max(high, value) - k / n


def _expected_slots(q: int, n: int, seed: int) -> float:
    """Share of places that the 20 commonest of n rows hold when every list is drawn anew at random."""
    drawn = np.random.default_rng(seed).binomial(q, DEPTH / n, size=(20, n))
    return float(np.sort(drawn, axis=1)[:, -HUBS:].sum(axis=1).mean()) / (q * DEPTH)


@check(
    "modality-gap",
    fault="the clouds of two modalities do not meet",
    kind="aggregate",
    stage="axis",
    severities=("info", "warning", "critical"),
    actions=("none", "reingest", "investigate"),
    thresholds=(
        Threshold("meeting", 0.1, "neighbours across modalities, of what chance gives; ordinary in CLIP (Liang 2022)"),
        Threshold("times_chance", 5, "partner recall@10: rows that belong together must find each other"),
        Threshold("min_rows", 50, "of each modality"),
        Threshold("moved", 0.1, "spreads that the distance of the means moved since the baseline, as drift's `shift`"),
    ),
)  # fmt: skip
def modality_gap(evidence: Evidence, rules: Policy) -> Outcomes:
    return [*_gap(evidence, rules), *gap_moved(evidence, rules.get("modality-gap", "moved"))]


def _gap(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "modality-gap", rules.of("modality-gap")
    codes = evidence.group(evidence.names.modality)
    if codes is None:
        return []
    every = codes.codes[evidence.reservoir.rows]
    counts = np.bincount(every[evidence.places], minlength=len(codes.values) + 1).astype(np.int64)
    counts[0] = 0
    if (counts >= of["min_rows"]).sum() < 2:
        return []
    found = evidence.get(Neighbours)
    if isinstance(found, NotMeasured):
        return [unmeasured(code, found)]
    lists = found.lists(evidence, NEAR, direction=True)
    if isinstance(lists, NotMeasured):
        return [unmeasured(code, lists)]
    asked = every[lists.probes]
    known = asked > 0
    chance = 1 - counts[asked[known]] / counts.sum()
    across = (every[lists.near[known]] != asked[known][:, None]).mean(axis=1) / np.maximum(chance, 1e-9)
    if len(across) < 2:
        return [NotMeasured(code, "Too few of the probed rows say their modality.")]
    meeting, half = float(across.mean()), Z * float(across.std()) / math.sqrt(len(across))
    linked = evidence.get(Partners)
    recall = None if isinstance(linked, NotMeasured) else _partner_recall(evidence, linked)
    severity: Severity | None = "info" if meeting + half < of["meeting"] else None
    summary = f"A row's ten nearest are of the other modality {meeting:.1%} as often as chance would have it."
    line = math.nan
    if recall is not None:
        share, _, high, by_chance = recall
        line = min(0.5, of["times_chance"] * by_chance)
        # In noise no row finds its partner, and noise is no-structure's to name.
        if high < line and not any(
            isinstance(f, Finding) and f.severity is not None for f in no_structure(evidence, rules)
        ):
            severity = "critical"
        summary += f" {share:.1%} of rows have their own partner among the ten nearest there (chance: {by_chance:.1%})."
    lost = severity == "critical"
    return [
        Finding(
            code,
            severity,
            summary,
            "probe",
            Remedy(
                "reingest",
                "The two modalities are not of one model or not of the same rows: embed one of them again with"
                " the other's encoder.",
            )
            if lost
            else Remedy("none", "Ordinary in models like CLIP: search one modality at a time with a filter."),
            effect=Effect(recall[0], line, recall[1], recall[2], "partner recall@10", "lower")
            if recall is not None
            else Effect(meeting, 0.0, max(0.0, meeting - half), meeting + half, "neighbours across", "lower"),
            evidence={
                "neighbours_across_of_chance": meeting,
                "partner_recall": None if recall is None else recall[0],
                "partner_recall_by_chance": None if recall is None else recall[3],
                "link": None if isinstance(linked, NotMeasured) else linked.link,
                "no_partners_because": linked.why if isinstance(linked, NotMeasured) else None,
            },
        )
    ]


def _partner_recall(evidence: Evidence, linked: Partners) -> tuple[float, float, float, float] | None:
    """Recall@10, its 95% interval, and chance; None with fewer than 50 pairs left."""
    alive = evidence.good[evidence.reservoir.rows]
    kept = alive[linked.lists.probes] & alive[linked.partner]
    near = linked.lists.near[kept]
    ok = (near >= 0) & alive[near]
    order = np.argsort(~ok, axis=1, kind="stable")[:, :NEAR]
    first = np.where(np.take_along_axis(ok, order, axis=1), np.take_along_axis(near, order, axis=1), -1)
    if len(first) < 50:
        return None
    hits = int((first == linked.partner[kept][:, None]).any(axis=1).sum())
    left = float(alive.sum()) / max(1, linked.good)
    chance = float((NEAR / np.maximum(NEAR, linked.rows[kept] * left)).mean())
    return hits / len(first), *clopper_pearson(hits, len(first)), chance
