"""How directions spread over the collection: no structure, a dominant axis or dimension."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from console.health.evidence import Evidence
from console.health.findings import Basis, Effect, Finding, NotMeasured, Outcomes, Remedy, Severity
from console.health.policy import Policy
from console.health.probes.neighbours import Directions, Neighbours
from console.health.registry import Threshold, check
from console.health.table import F32, F64, I64

Z: Final = 1.959964
"""Two-sided 95% of the normal distribution."""
NEAR: Final = 10
STEPS: Final = 40
"""Of the power iteration: at a ratio of .9 between the first two values the rest has fallen to 2e-4."""

_ROWS = Threshold("min_rows", 200, "below it the mean of the probes' figures has no useful interval")
_DIMENSIONS = Threshold(
    "min_dimensions", 32, "random directions in few dimensions are close to each other by themselves"
)


@check(
    "no-structure",
    fault="the vectors carry nothing of their rows",
    kind="aggregate",
    stage="collapse",
    severities=("critical",),
    actions=("reingest",),
    thresholds=(
        Threshold(
            "noise_ratio", 0.9, "noise, a cone and one output measure 1.00; real data .67 at most (HEALTH.md)"
        ),
        Threshold(
            "contrast_ratio",
            1.0,
            "in units of sqrt(2 ln n), the largest of n independent normal scores; noise measures .85",
        ),
        _ROWS,
        _DIMENSIONS,
    ),
)
def no_structure(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "no-structure", rules.of("no-structure")
    if why := _too_few(evidence, of):
        return [NotMeasured(code, why)]
    found, held = evidence.get(Neighbours), evidence.get(Directions)
    if isinstance(found, NotMeasured) or isinstance(held, NotMeasured):
        return [unmeasured(code, found, held)]
    near = found.lists(evidence, 1, direction=True)
    cosines = found.pair_cosines[found.pairs_left(evidence)].astype(np.float64)
    if isinstance(near, NotMeasured):
        return [unmeasured(code, near)]
    n, d = len(evidence.places), held.unit.shape[1]
    gram = _centred(_gram(evidence, held)[1])
    s = len(gram)
    total, square = float(np.trace(gram)), float(np.square(gram).sum())
    ratio = total**2 / square / (s * d / (s + d)) if square > 0 else 1.0
    deviation = float(cosines.std())
    contrast = (float(np.median(near.scores[:, 0])) - float(cosines.mean())) / deviation if deviation else 0.0
    line = of["contrast_ratio"] * math.sqrt(2 * math.log(n))
    # Both must hold: the one that is further from its line decides.
    value = min(ratio / of["noise_ratio"], line / contrast if contrast > 0 else math.inf)
    return [
        Finding(
            code,
            "critical" if value >= 1 else None,
            f"Neighbours are hardly nearer than random rows ({contrast:.1f} standard deviations, noise has up to"
            f" {line:.1f}), and the vectors fill the space as noise does: {ratio:.0%} of noise's dimensions.",
            basis(evidence),
            Remedy(
                "reingest",
                "Check that the encoder's trained weights were loaded, and embed the collection again.",
            ),
            effect=Effect(value, 1.0, name="likeness to noise"),
            evidence={
                "contrast": contrast,
                "contrast_of_noise": line,
                "participation_ratio": total**2 / square if square > 0 else None,
                "participation_ratio_of_noise": s * d / (s + d),
                "rows": n,
            },
        )
    ]


@check(
    "dominant-axis",
    fault="one direction or one dimension dominates",
    kind="aggregate",
    stage="axis",
    severities=("info", "warning", "critical"),
    actions=("reingest", "investigate", "none"),
    thresholds=(
        Threshold(
            "mean_share",
            0.95,
            "R2 of the mean direction: the rest of a vector is a twentieth of its length squared",
        ),
        Threshold("mean_share_info", 0.85, "ranking is intact; score cutoffs and quantization suffer"),
        Threshold("neighbours_kept", 0.5, "half of the ten nearest are others once the mean is taken off"),
        Threshold(
            "component_share", 0.25, "first principal component; decaying spectra of encoders reach .16"
        ),
        Threshold("loading", 0.5, "one dimension holds more of the component than all others together"),
        Threshold(
            "beside",
            8,
            "times the next dimension's variance; the first of PCA had 6.0 at most, the loudest band of sound 6.3",
        ),
        Threshold(
            "loading_alone",
            0.75,
            "below `beside`: hardly any other dimension goes with it; the loudest band of sound had .65",
        ),
        Threshold(
            "falling",
            0.9,
            "below `beside`: rank correlation of the dimensions' sizes with their order; PCA had .97 to 1.00, random"
            " projections .13 at most",
        ),
        _ROWS,
        _DIMENSIONS,
    ),
)
def dominant_axis(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "dominant-axis", rules.of("dominant-axis")
    if why := _too_few(evidence, of):
        return [NotMeasured(code, why)]
    held = evidence.get(Directions)
    if isinstance(held, NotMeasured):
        return [unmeasured(code, held)]
    return [_mean_axis(evidence, held, of), *_component(evidence, held, of)]


def _mean_axis(evidence: Evidence, held: Directions, of: Any) -> Finding:
    weights = np.zeros(len(held.unit), np.float32)
    weights[evidence.places] = 1.0
    m = len(evidence.places)
    mean = (weights @ held.unit / m).astype(np.float32)
    raw = float(mean.astype(np.float64) @ mean)
    value = max(0.0, raw - (1 - raw) / (m - 1))
    spread = 2 * Z * float((held.unit @ mean)[evidence.places].std()) / math.sqrt(m)
    low, high = max(0.0, value - spread), min(1.0, value + spread)
    kept = _kept(evidence, held)
    severity: Severity | None = None
    if low >= of["mean_share"]:
        severity = "critical" if kept is not None and kept[2] < of["neighbours_kept"] else "warning"
    elif low >= of["mean_share_info"]:
        severity = "info"
    # Distances do not see a shift of all rows, and unsigned bytes have a common direction by themselves.
    shifted = evidence.field.metric not in (None, "cosine", "dot") or evidence.field.storage == "uint8"
    if severity is not None and shifted:
        severity = "info"
    summary = f"{value:.0%} of every vector is one common direction"
    if kept is not None:
        summary += f"; {kept[0]:.0%} of the ten nearest rows stay the nearest once it is taken off"
    return Finding(
        "dominant-axis",
        severity,
        f"{summary}.",
        basis(evidence),
        Remedy("none", "Set score cutoffs for this collection's own scores; ranking is intact.")
        if severity == "info"
        else Remedy(
            "reingest",
            "Look for a constant that was added to every vector; where the encoder is so, subtract the mean"
            " before writing, for rows and queries alike.",
        ),
        effect=Effect(value, of["mean_share"], low, high, name="share of the mean direction"),
        evidence={
            "mean_share": value,
            "neighbours_kept_after_centring": None if kept is None else kept[0],
            "neighbours_kept_interval": None if kept is None else list(kept[1:]),
        },
    )


def _kept(evidence: Evidence, held: Directions) -> tuple[float, float, float] | None:
    """Share of the ten nearest rows that are the nearest after centring too, with its 95% interval."""
    found = evidence.get(Neighbours)
    if isinstance(found, NotMeasured):
        return None
    before = found.lists(evidence, NEAR, direction=True)
    after = held.lists(evidence, NEAR)
    if isinstance(before, NotMeasured) or isinstance(after, NotMeasured):
        return None
    _, a, b = np.intersect1d(before.probes, after.probes, assume_unique=True, return_indices=True)
    same = (before.near[a][:, :, None] == after.near[b][:, None, :]).any(axis=2).mean(axis=1)
    mean, half = float(same.mean()), Z * float(same.std()) / math.sqrt(len(same))
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def _component(evidence: Evidence, held: Directions, of: Any) -> list[Finding]:
    places, gram = _gram(evidence, held)
    s = len(places)
    codes = evidence.group(evidence.names.modality)
    groups = np.zeros(s, np.int64) if codes is None else codes.codes[evidence.reservoir.rows[places]]
    gram = _centred(gram, groups)
    total = float(np.trace(gram))
    if s < 2 or total <= 1e-12 * s:
        return []
    vector = np.random.default_rng(0).normal(size=s).astype(np.float32)
    for _ in range(STEPS):
        vector = gram @ vector
        vector /= np.linalg.norm(vector) or 1.0
    top = float(vector @ (gram @ vector))
    axis = vector @ held.unit[places]
    loadings = np.square(axis, dtype=np.float64) / max(float(np.square(axis, dtype=np.float64).sum()), 1e-300)
    dimension, loading = int(loadings.argmax()), float(loadings.max())
    share = top / total
    # Variance 2 l^2 / n of a covariance's eigenvalue (Anderson 1963), the rest of the trace held fixed.
    half = Z * math.sqrt(2 / s) * share * (1 - share)
    one = loading >= of["loading"]
    falling, beside = _falling(held.unit[places], groups, dimension)
    alone, ordered = loading >= of["loading_alone"], falling >= of["falling"]
    rogue = one and (beside >= of["beside"] or (alone and not ordered))
    severity: Severity | None = None
    if share - half >= of["component_share"]:
        severity = "warning" if rogue else "info"
    said = f"Dimension {dimension} alone holds {loading * share:.0%} of all variation between rows"
    if rogue:
        summary = f"{said}."
        remedy = Remedy(
            "investigate",
            f"Look at what writes dimension {dimension}: no encoder gives one number more weight than all others.",
        )
    elif one and ordered:
        summary = (
            f"{said}, as the first of principal components does: those behind it are smaller and smaller."
        )
        remedy = Remedy("none", "Ordinary where vectors were brought into their own axes (PCA, SVD).")
    elif one:
        summary = f"{said}, and others go with it."
        remedy = Remedy("none", "Ordinary for the bands of a spectrum, of which one is the loudest.")
    else:
        summary = f"{share:.0%} of the variation between rows lies along one axis: the rows fall into groups."
        remedy = Remedy("none", "Ordinary where the collection holds a few separate subjects.")
    return [
        Finding(
            "dominant-axis",
            severity,
            summary,
            basis(evidence) if s == len(evidence.places) else "sample",
            remedy,
            effect=Effect(
                share if rogue else min(share, math.nextafter(of["component_share"], 0)),
                of["component_share"],
                share - half,
                min(1.0, share + half),
                name="share of the first component",
            ),
            evidence={
                "component_share": share,
                "largest_loading": loading,
                "dimension": dimension,
                "falling": falling,
                "variance_to_next": beside,
                "rows": s,
            },
            key="dimension" if one else "groups",
        )
    ]


def _falling(unit: F32, groups: npt.NDArray[Any], dimension: int) -> tuple[float, float]:
    """How far (s, d) directions are in coordinates whose sizes fall, as those of PCA and of an SVD do.

    First: minus the rank correlation (Spearman) of the mean squares with the order of the dimensions, `dimension`
    left out, and those that are 0 everywhere; 0 where a dimension before it is smaller (an SVD has the mean before the
    first component). Second: the variance of `dimension` (within groups) in units of the largest other one.
    """
    sizes = np.square(unit, dtype=np.float64).mean(axis=0)
    spread = np.zeros(len(sizes))
    for group in np.unique(groups):
        rows = unit[groups == group]
        spread += rows.var(axis=0, dtype=np.float64) * len(rows) / len(unit)
    beside = float(spread[dimension] / max(float(np.delete(spread, dimension).max()), 1e-300))
    rest = np.delete(sizes, dimension)
    rest = rest[rest > 1e-12 * sizes.max()]
    if (sizes[:dimension] < sizes[dimension]).any() or len(rest) < 2:
        return 0.0, beside
    ranks = np.argsort(np.argsort(-rest, kind="stable"))
    return float(np.corrcoef(ranks, np.arange(len(rest)))[0, 1]), beside


def _gram(evidence: Evidence, held: Directions) -> tuple[I64, npt.NDArray[np.float32]]:
    """Positions of the subset's rows that are left, and their products."""
    alive = evidence.good[evidence.reservoir.rows[held.subset]]
    if alive.all():
        return held.subset, held.gram
    return held.subset[alive], held.gram[np.ix_(alive, alive)]


def _centred(
    gram: npt.NDArray[np.float32], groups: npt.NDArray[Any] | None = None
) -> npt.NDArray[np.float32]:
    """The products after the mean (of each group) was taken off."""
    s = len(gram)
    _, of = np.unique(np.zeros(s, np.int64) if groups is None else groups, return_inverse=True)
    weights = np.zeros((s, int(of.max(initial=0)) + 1), np.float32)
    weights[np.arange(s), of] = 1.0
    means = weights / np.maximum(weights.sum(axis=0), 1.0)
    left = gram @ means
    both: F64 = (means.T @ left).astype(np.float64)
    return (gram - left[:, of] - left[:, of].T + both[np.ix_(of, of)]).astype(np.float32)


def _too_few(evidence: Evidence, of: Any) -> str:
    n, d = len(evidence.places), evidence.reservoir.matrix.shape[1]
    if d < of["min_dimensions"]:
        return f"{d:,} dimensions; {of['min_dimensions']:.0f} are needed."
    if n < of["min_rows"]:
        return f"{n:,} rows with a direction; {of['min_rows']:.0f} are needed."
    return ""


def basis(evidence: Evidence) -> Basis:
    """Exact where the reservoir is the whole collection."""
    return (
        "exact" if evidence.scan.exact and len(evidence.reservoir.rows) == len(evidence.table) else "sample"
    )


def unmeasured(code: str, *results: object) -> NotMeasured:
    """The reason of the first probe that has no result."""
    return next(NotMeasured(code, r.why) for r in results if isinstance(r, NotMeasured))
