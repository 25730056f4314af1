"""Dimensions that are dead, padded or rounded away, and values that no encoder makes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from console.health.evidence import Evidence
from console.health.findings import Basis, Finding, Mask, NotMeasured, Outcomes, Remedy
from console.health.lengths import distinct_share
from console.health.marking import finding, mark
from console.health.policy import Policy
from console.health.registry import Threshold, check
from console.health.table import F32, F64, I64

SOME: Final = 200
"""Rows whose values are looked at one by one."""
SPARSE: Final = 0.9
"""Share of zeros in a live dimension from which a dead one beside it is no surprise."""


@check(
    "truncated-dimensions",
    fault="dimensions that carry nothing",
    kind="rows",
    stage="truncation",
    severities=("info", "warning"),
    actions=("reingest", "investigate", "none"),
    thresholds=(
        Threshold("min_dimensions", 8, "in fewer dimensions zeros at the end are ordinary values"),
        Threshold(
            "tail_share", 1 / 64, "of the dimensions; the smallest cut of a known model is 1,000 of 1,024"
        ),
        Threshold("tail_least", 4, "zeros at the end, in few dimensions"),
        Threshold(
            "chance",
            1e-3,
            "expected number of rows of the collection with such a tail, were zeros at the end as frequent as before",
        ),
        Threshold("constant_rows", 100, "rows below which a dimension may be constant by chance"),
        Threshold("constant_variance", 1e-8, "of the median dimension's: float32 rounds at 4e-15 of it"),
        Threshold(
            "distinct_share",
            0.5,
            "of a row's values; at 1,024 dimensions 95% of float16's are distinct, 67% of bfloat16's",
        ),
        Threshold("distinct_values", 256, "different values in all rows together: those of one byte"),
    ),
)
def truncated_dimensions(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "truncated-dimensions", rules.of("truncated-dimensions")
    vectors = evidence.vectors
    m, d = vectors.shape
    if d < of["min_dimensions"]:
        return [NotMeasured(code, f"{d:,} dimensions; {of['min_dimensions']:.0f} are needed.")]
    if not m:
        return []
    found: list[Finding] = []
    least = max(of["tail_least"], of["tail_share"] * d)
    padded = _padded(evidence, vectors, least, of)
    if padded.any():
        found.append(_tails(evidence, padded, d))
    if evidence.field.storage == "uint8":
        return found
    dead = _constant(evidence, vectors, padded, of) if m >= of["constant_rows"] else np.zeros(d, np.bool_)
    coarse = _coarse(vectors[:SOME, ~dead], of)
    if dead.any():
        found.append(_constant_ones(evidence, vectors, dead, least, coarse=coarse))
    if coarse:
        found.append(_few_values(evidence, vectors))
    return found


def _padded(evidence: Evidence, vectors: F32, least: float, of: Mapping[str, float]) -> Mask:
    """Bitmap over the table: rows that end in more zeros than the zeros before the end let expect.

    How frequent zeros are is taken from the values before each row's last one that is not zero; once from all
    rows, and again from those that stand out, since sparse rows among dense ones have long tails by themselves.
    """
    good, tail = evidence.good, evidence.table.tail
    rows = evidence.reservoir.rows[evidence.places]
    tails = tail[rows].astype(np.int64)
    zeros: I64 = np.count_nonzero(vectors == 0, axis=1)
    n, d = int(np.count_nonzero(good)), vectors.shape[1]
    chosen = np.ones(len(rows), np.bool_)
    out = good
    for _ in range(2):
        heads = int((d - tails[chosen]).sum())
        share = (int((zeros - tails)[chosen].sum()) + 1) / (heads + 2)
        line = max(least, math.log(n / of["chance"]) / -math.log(share))
        out = out & (tail >= line)
        chosen = out[rows]
        if not chosen.any():
            break
    return out


def _tails(evidence: Evidence, padded: Mask, d: int) -> Finding:
    marked = mark(evidence, padded)
    tails = evidence.table.tail[padded].astype(np.int64)
    common = int(np.argmax(np.bincount(tails)))
    same = int(np.count_nonzero(tails == common))
    if same >= 0.8 * len(tails):
        said = f"{marked.told()} end in {common:,} zeros: {d - common:,} of {d:,} dimensions are used."
    else:
        said = (
            f"{marked.told()} end in {int(tails.min()):,} to {int(tails.max()):,} zeros of {d:,} dimensions."
        )
    cure = Remedy(
        "reingest",
        "Embed these rows again with all dimensions. A cut that is meant belongs into a vector of its own dimension.",
    )
    facts = {"dimension": d, "commonest_tail": common, "rows_with_it": same}
    return finding(evidence, marked, "truncated-dimensions", "warning", said, cure, facts=facts)


def _constant(evidence: Evidence, vectors: F32, padded: Mask, of: Mapping[str, float]) -> Mask:
    """(d,): dimensions with one value in all rows, a padded end of all rows left out.

    What variance is usual is taken from the quarter of the rows with the smallest peaks, where single wild values
    are not.
    """
    d = vectors.shape[1]
    variance: F64 = np.var(vectors, axis=0, dtype=np.float64)
    peak = evidence.table.peak[evidence.reservoir.rows[evidence.places]]
    usual: F64 = np.var(vectors[peak <= np.quantile(peak, 0.25)], axis=0, dtype=np.float64)
    if not usual.any():
        usual = variance
    live = usual > 0
    if not live.any():
        return np.zeros(len(variance), np.bool_)
    line = of["constant_variance"] * float(np.median(usual[live]))
    dead = np.asarray(variance < line, np.bool_)
    rows = evidence.reservoir.rows[evidence.places]
    if padded[rows].all():
        dead[d - int(evidence.table.tail[rows].min()) :] = False
    return dead


def _constant_ones(evidence: Evidence, vectors: F32, dead: Mask, least: float, *, coarse: bool) -> Finding:
    """Information where they are few, and where zeros or one of few values are usual in the other dimensions too."""
    values, count = vectors[0, dead], int(np.count_nonzero(dead))
    zeros = np.count_nonzero(vectors[:, ~dead] == 0, axis=0)
    sparse = bool((values == 0).all()) and float(zeros.max(initial=0)) > SPARSE * len(vectors)
    return Finding(
        "truncated-dimensions",
        "warning" if count >= least and not sparse and not coarse else "info",
        f"{count:,} of {len(dead):,} dimensions have one and the same value in {len(vectors):,} rows.",
        _seen(evidence),
        Remedy("investigate", "See whether the encoder, its precision or the export made them constant."),
        rows=int(np.count_nonzero(evidence.good)),
        share=1.0,
        evidence={
            "dimension": len(dead),
            "constant": count,
            "zeros": int(np.count_nonzero(values == 0)),
            "dimensions": np.flatnonzero(dead)[:20].tolist(),
            "at_the_end": bool(dead[-count:].all()),
        },
        affected=evidence.good,
        key="constant",
    )


def _coarse(vectors: F32, of: Mapping[str, float]) -> bool:
    """Few distinct values: within most rows, or in all of them together."""
    shares = [s for row in vectors if (s := distinct_share(row)) is not None]
    if shares and float(np.median(shares)) <= of["distinct_share"]:
        return True
    return vectors.size >= 10 * of["distinct_values"] and len(np.unique(vectors)) <= of["distinct_values"]


def _few_values(evidence: Evidence, vectors: F32) -> Finding:
    some = vectors[:SOME]
    distinct, each = len(np.unique(some)), int(np.median([len(np.unique(row)) for row in some]))
    return Finding(
        "truncated-dimensions",
        "info",
        f"Vectors hold few different values: {each:,} in a row of {vectors.shape[1]:,} dimensions,"
        f" {distinct:,} in {len(some):,} rows.",
        _seen(evidence),
        Remedy("none", "If the vectors were quantised on purpose, nothing; else find the lossy cast."),
        evidence={"values_per_row": each, "values": distinct, "rows": len(some)},
        key="coarse",
    )


def _seen(evidence: Evidence) -> Basis:
    return evidence.scan.basis if len(evidence.reservoir.rows) == len(evidence.table) else "sample"
