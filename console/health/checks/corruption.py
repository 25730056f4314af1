"""Values that no encoder makes: wild, clipped, denormal, cut off at float16's end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from console.health.evidence import Evidence
from console.health.findings import Finding, Mask, NotMeasured, Outcomes, Remedy, Severity
from console.health.lengths import distinct_share
from console.health.marking import Marked, finding, in_reservoir, mark, number
from console.health.policy import Policy
from console.health.registry import Threshold, check
from console.health.table import F32
from console.search.proportions import clopper_pearson

_WILD = Remedy("quarantine", "Take these rows out, find what wrote such values, and embed the sources again.")
LARGEST_HALF: Final = 65504.0
"""The largest float16."""
SMALLEST: Final = 1.1754944e-38
"""The smallest normal float32; what lies below is denormal."""
PARTS: Final = 10
"""Stretches of time, of equally many rows: clipping that began after the first tenth of them is seen in that."""
FEWEST: Final = 30
"""Rows of a group from which its share says something: under half is sure where at most 9 of 30 are clipped."""
UNDERFLOW: Final = 1e-20
"""Values below it, and still normal, are what is left of an exponential that underflows."""


@check(
    "value-corruption",
    fault="values that no encoder makes",
    kind="rows",
    stage="truncation",
    severities=("info", "warning"),
    actions=("quarantine", "reingest", "investigate"),
    thresholds=(
        Threshold("min_values", 256, "values of all rows together, for their median to mean something"),
        Threshold(
            "wild_ratio",
            1e4,
            "to the median absolute value; of a billion normal values one exceeds nine medians",
        ),
        Threshold("wild_part", 2, "times the usual largest part of a length: a row scaled as a whole has 1"),
        Threshold(
            "clipped_values", 3, "equal values at a row's end, and times as many as at the value before it"
        ),
        Threshold(
            "clipped_share",
            0.01,
            "of the rows; float16 sources had none, bfloat16 ones .07% at most (64 to 1,024 dimensions)",
        ),
        Threshold(
            "by_design_share",
            0.5,
            "of the rows, and of those of each group: histograms of gradients, limited at .2 of their length, had .59 to .95",
        ),
    ),
)
def value_corruption(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "value-corruption", rules.of("value-corruption")
    if evidence.field.storage == "uint8":
        return [NotMeasured(code, "Values are stored as uint8: only 0 to 255 can be there.")]
    vectors = evidence.vectors
    if vectors.size < of["min_values"]:
        return [NotMeasured(code, f"{vectors.size:,} values were read; {of['min_values']:.0f} are needed.")]
    sizes = np.abs(vectors)
    few = sizes[:: max(1, len(sizes) // 1000)]
    median = float(np.median(few[few > 0]))
    found: list[Finding] = []
    half = evidence.good & (evidence.table.peak == np.float32(LARGEST_HALF))
    wild = _wild(evidence, median, vectors.shape[1], of) & ~half
    if wild.any():
        found.append(_wild_rows(evidence, wild, median))
    if half.any():
        marked = mark(evidence, half)
        said = f"{marked.told()} hold the value 65,504, the largest of float16: they were cut off there."
        found.append(finding(evidence, marked, code, "warning", said, _WILD, key="float16"))
    found += _denormals(evidence, sizes)
    found += _clipped(evidence, sizes, of)
    return found


def _wild(evidence: Evidence, median: float, d: int, of: Mapping[str, float]) -> Mask:
    """Bitmap over the table. Where the server normalises, a wild value is nearly the whole length instead."""
    good, peak = evidence.good, evidence.table.peak
    norm = np.where(good, evidence.table.norm, np.float32(1))
    part = peak / norm
    usual = float(np.quantile(part[good], 0.25))
    if evidence.field.normalised_on_write:
        # d - 1 normal values of size v beside one of ratio v: the length is 1 + 1.1 d / ratio^2 of the largest.
        swallowed = part > 1 - 1.1 * d / of["wild_ratio"] ** 2
        return good & swallowed if usual <= 0.9 and d >= 32 else np.zeros(len(good), np.bool_)
    return good & (peak > of["wild_ratio"] * median) & (part > min(of["wild_part"] * usual, 0.999))


def _wild_rows(evidence: Evidence, wild: Mask, median: float) -> Finding:
    marked = mark(evidence, wild)
    largest = float(evidence.table.peak[wild].max())
    if evidence.field.normalised_on_write:
        said = f"{marked.told()} consist of one value: all others are under a ten-thousandth of it."
    else:
        said = f"{marked.told()} hold values up to {number(largest)}; the median value is {number(median)}."
    facts: dict[str, Any] = {"largest": largest, "median": median}
    return finding(evidence, marked, "value-corruption", "warning", said, _WILD, facts=facts)


def _denormals(evidence: Evidence, sizes: F32) -> list[Finding]:
    denormal = (sizes > 0) & (sizes < SMALLEST)
    rows = np.count_nonzero(denormal, axis=1) > 0
    if not rows.any():
        return []
    marked = _reservoir(evidence, rows)
    many = int(np.count_nonzero(denormal))
    fading = int(np.count_nonzero((sizes >= SMALLEST) & (sizes < UNDERFLOW)))
    said = f"{marked.told()} hold denormal values (under 1.2e-38): {many:,} in all."
    cure = (
        Remedy("investigate", "The values fade out through all sizes, as an exponential does: see if that is meant.")
        if fading >= many
        else Remedy("reingest", "Look for bytes read as the wrong type; embed these rows again.")
    )  # fmt: skip
    severity = "info" if fading >= many else "warning"
    facts = {"values": many, "values_down_to_1e-20": fading}
    return [finding(evidence, marked, "value-corruption", severity, said, cure, facts=facts, key="denormal")]


def _clipped(evidence: Evidence, sizes: F32, of: Mapping[str, float]) -> list[Finding]:
    """Rows whose largest size is there several times, while the next ones are not."""
    peak = sizes.max(axis=1, initial=0)
    top = sizes == peak[:, None]
    times = np.count_nonzero(top, axis=1)
    candidates = np.flatnonzero(times >= of["clipped_values"])
    rows = np.zeros(len(sizes), np.bool_)
    for i in candidates:
        row = sizes[i][~top[i]]
        before = int(np.count_nonzero(row == row.max(initial=0))) if row.any() else 0
        distinct = distinct_share(sizes[i])
        if before and times[i] >= of["clipped_values"] * before and distinct is not None and distinct > 0.5:
            rows[i] = True
    if not rows.any():
        return []
    marked = _reservoir(evidence, rows)
    if (marked.interval[0] if marked.interval else marked.share) <= of["clipped_share"]:
        return []
    ends, counts = np.unique(peak[rows], return_counts=True)
    end = float(ends[np.argmax(counts)])
    one_end = bool(counts.max() >= 0.8 * counts.sum())
    if one_end:
        marked = mark(evidence, evidence.good & (evidence.table.peak == np.float32(end)))
        said = f"{marked.told()} are clipped at {number(end)}: their largest values all have that size."
    else:
        said = f"{marked.told()} are clipped: several of their values share the largest size."
    facts = {
        "end": end,
        "rows_with_this_end": int(counts.max()),
        "values_at_the_end": float(times[rows].mean()),
    }
    cure = Remedy("reingest", "Find the cast or the limit that clips, and embed these rows again without it.")
    severity: Severity = "warning"
    if end == 1.0:
        severity = "info"
        cure = Remedy(
            "investigate", "An encoder that ends in tanh saturates at 1; else find the limit that clips."
        )
    elif (
        not one_end
        and marked.sure > of["by_design_share"]
        and _by_design(evidence, rows, of["by_design_share"])
    ):
        severity = "info"
        said += " So do most rows of every group, and no value is negative: the encoder limits shares of a length."
        cure = Remedy(
            "investigate",
            "Histograms of gradients (SIFT, HOG) are limited so by design; else find the limit.",
        )
    return [finding(evidence, marked, "value-corruption", severity, said, cure, facts=facts, key="clipped")]


def _by_design(evidence: Evidence, rows: Mask, line: float) -> bool:
    """Whether the encoder clips and not what came after it: no value is negative, and in no group or stretch of time
    do surely at most `line` of the rows end so. `rows`: bitmap over the reservoir's good rows, of which most are set.
    """
    if evidence.vectors.min() < 0:
        return False
    looked = evidence.reservoir.rows[evidence.places]
    parts = [
        np.asarray(held.codes[looked])
        for f in evidence.names.groups
        if (held := evidence.group(f)) is not None
    ]
    time = evidence.table.time[looked]
    if len(known := np.sort(time[np.isfinite(time)])):
        edges = known[np.linspace(0, len(known) - 1, PARTS + 1).astype(np.int64)[1:-1]]
        parts.append(np.where(np.isfinite(time), np.searchsorted(edges, time), PARTS))
    return all(
        clopper_pearson(int(np.count_nonzero(rows[part == value])), n)[1] > line
        for part in parts
        for value, n in zip(*np.unique(part, return_counts=True), strict=True)
        if n >= FEWEST
    )


def _reservoir(evidence: Evidence, rows: Mask) -> Marked:
    """Marked among the reservoir's good rows; `rows`: bitmap over those."""
    places = np.zeros(len(evidence.reservoir.rows), np.bool_)
    places[evidence.places[rows]] = True
    return mark(evidence, in_reservoir(evidence, places), in_reservoir(evidence))
