"""Lengths: rows on another scale, and a metric in which lengths count though they should not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from console.health.evidence import Evidence
from console.health.findings import Effect, Finding, Group, Mask, NotMeasured, Outcomes, Remedy, Severity
from console.health.grouping import name_group
from console.health.lengths import Apart, Body, Scale, Z, apart, atom, body, scales
from console.health.marking import Marked, finding, mark, number, span
from console.health.policy import Policy
from console.health.registry import Threshold, check
from console.health.repeats import repeats
from console.health.table import F32
from console.health.wording import plain

COUNTED: Final = frozenset({"dot", "euclid", "manhattan"})
"""Metrics in which the length of a vector moves its scores."""
_NAME: Final = 40

_ROWS = Threshold(
    "min_rows",
    30,
    "the spread of fewer is too uncertain: of 20,000 samples of 30 normal rows .2% had one beyond six deviations",
)


@check(
    "norm-drift",
    fault="vectors on another scale than the rest",
    kind="rows",
    stage="norms",
    severities=("info", "warning", "critical"),
    actions=("renormalize", "investigate"),
    thresholds=(
        Threshold(
            "narrow", 0.05, "spread of log lengths up to which lengths are one figure and its rounding"
        ),
        Threshold("floor", 0.01, "1% in length: float16 and quantised sources round by .1% at most"),
        Threshold(
            "deviations", 6, "of a normal distribution 2e-9 lie beyond: less than one row in 100 million"
        ),
        Threshold(
            "tail_chance",
            1e-3,
            "expected rows of a power law of the same spread as far out as a row that stands alone",
        ),
        Threshold("atom_width", 1e-3, "float32 and float16 keep a length of 1 within it"),
        Threshold("atom_share", 0.005, "share of rows at length 1 from which they are no accident"),
        Threshold("atom_density", 5, "times the density beside it; a smooth distribution has 1"),
        Threshold("group_rows", 30, "rows of the group, and of the others, from which the AUC is steady"),
        Threshold("group_auc", 0.98, "ordinary topics were measured up to .82"),
        Threshold("group_ratio", 1.5, "ordinary topics were measured up to 1.26"),
        Threshold("critical_share", 0.05, "a twentieth of the rows out of order moves most top tens"),
        _ROWS,
    ),
)
def norm_drift(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "norm-drift", rules.of("norm-drift")
    why = _unmeasurable(evidence)
    if why:
        return [NotMeasured(code, why)]
    good = evidence.good
    n = int(np.count_nonzero(good))
    if n < of["min_rows"]:
        return [NotMeasured(code, f"{n:,} rows with a length were read; {of['min_rows']:.0f} are needed.")]
    held = _look(evidence, good, rules)
    return [_judged(evidence, held, one, of) for one in held.parts]


@check(
    "metric-mismatch",
    fault="the metric does not suit the vectors",
    kind="aggregate",
    stage="norms",
    severities=("info", "warning"),
    actions=("investigate", "reingest"),
    thresholds=(
        Threshold(
            "spread",
            0.05,
            "of log lengths, rows on another scale left out: lengths then move scores by over 5%",
        ),
        _ROWS,
    ),
)
def metric_mismatch(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "metric-mismatch", rules.of("metric-mismatch")
    metric = evidence.field.metric
    if metric not in COUNTED:
        return []
    if evidence.field.storage == "uint8":
        return [NotMeasured(code, _QUANTISED)]
    looked = np.zeros(len(evidence.table), np.bool_)
    looked[evidence.reservoir.rows[evidence.places]] = True
    n = int(np.count_nonzero(looked))
    if n < of["min_rows"]:
        return [NotMeasured(code, f"{n:,} rows with a length were read; {of['min_rows']:.0f} are needed.")]
    drifted = _look(evidence, looked, rules)
    log = drifted.log[~drifted.found & drifted.once]
    spread = body(log).spread if len(log) else 0.0
    # The standard error of the median absolute deviation of a normal distribution is 1.167 s / sqrt(n).
    error = Z * 1.167 * spread / math.sqrt(max(len(log), 1))
    made_unit = getattr(evidence.encoder, "normalize", None) is True
    severity: Severity | None = None
    if spread - error > of["spread"]:
        severity = "warning" if made_unit else "info"
    said = f"The metric is {metric}, in which lengths count, and they differ by {math.expm1(spread):.0%}"
    if made_unit:
        said += ", though the encoder makes vectors of length 1."
        cure = Remedy(
            "reingest",
            "Store the vectors as the encoder makes them, or in a collection with the cosine metric.",
        )
    else:
        said += ": with an encoder that means its lengths this is right."
        cure = Remedy(
            "investigate", "See whether the encoder was trained for this metric; most are for cosine."
        )
    return [
        Finding(
            code,
            severity,
            said,
            evidence.scan.basis if len(evidence.reservoir.rows) == len(evidence.table) else "sample",
            cure,
            effect=Effect(spread, of["spread"], spread - error, spread + error, "spread of the log lengths"),
            evidence={"rows": len(log), "spread": spread, "metric": metric, "encoder_unit": made_unit},
        )
    ]


_QUANTISED: Final = "Values are stored as uint8: their lengths say nothing of the producer's."


def _unmeasurable(evidence: Evidence) -> str:
    field = evidence.field
    if field.storage == "uint8":
        return _QUANTISED
    if field.normalised_on_write:
        return "The server sets every length to 1 on write: the producer's lengths are gone."
    if field.metric == "hamming":
        return "The metric compares value by value: lengths have no meaning in it."
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Rows (n,) of one way to drift. `how`: apart, tail, atom, group or outliers."""

    how: str
    rows: Mask
    named: bool = False
    scale: Scale | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Drift:
    """What was found in n lengths; `at`: bitmap over the table of those n rows.

    `once`: (n,) without the rows that repeat a vector of many rows: a length counts once for each vector.
    """

    at: Mask
    norm: F32
    log: F32
    once: Mask
    body: Body
    parts: tuple[_Part, ...]

    @property
    def found(self) -> Mask:
        """(n,): rows that are proven to be on another scale."""
        out = np.zeros(len(self.log), np.bool_)
        for part in self.parts:
            if part.how in ("apart", "atom", "group"):
                out |= part.rows
        return out

    def whole(self, rows: Mask) -> Mask:
        out = np.zeros(len(self.at), np.bool_)
        out[self.at] = rows
        return out


def _look(evidence: Evidence, at: Mask, rules: Policy) -> _Drift:
    of, copies = rules.of("norm-drift"), rules.of("duplicate-vectors")
    norm = np.asarray(evidence.table.norm[at], np.float32)
    log = np.log(norm)
    least = max(copies["class_rows"], copies["class_share"] * len(evidence.places))
    once = ~repeats(evidence, at, copies["near_cosine"], least, of["floor"])
    if np.count_nonzero(once) < of["min_rows"]:
        once[:] = True
    held = body(log[once])
    line = max(of["floor"], of["deviations"] * held.spread)
    beyond = apart(log, held, line, of["tail_chance"], once)
    if held.spread <= of["narrow"]:
        return _Drift(at, norm, log, once, held, _narrow(norm, held, beyond, of))
    return _Drift(at, norm, log, once, held, _wide(evidence, at, norm, once, beyond, of))


def _narrow(norm: F32, held: Body, beyond: Apart, of: Mapping[str, float]) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    if beyond.rows.any():
        at_one = abs(held.length - 1) < of["atom_width"]
        back = np.count_nonzero(np.abs(norm[beyond.rows] - 1) < of["atom_width"])
        parts.append(_Part("apart", beyond.rows, at_one or bool(back >= 0.8 * np.count_nonzero(beyond.rows))))
    if beyond.tail.any():
        parts.append(_Part("tail", beyond.tail))
    return tuple(parts)


def _wide(
    evidence: Evidence, at: Mask, norm: F32, once: Mask, beyond: Apart, of: Mapping[str, float]
) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    taken = np.zeros(len(norm), np.bool_)
    exact = evidence.scan.exact
    one = None
    if atom(norm[once], of["atom_width"], of["atom_share"], of["atom_density"], exact=exact) is not None:
        one = np.asarray(np.abs(norm - np.float32(1)) < of["atom_width"], np.bool_)
        rows = ~one if 2 * np.count_nonzero(one) >= len(norm) else one
        taken |= rows
        parts.append(_Part("atom", rows, named=True))
    groups = evidence.table.groups
    codes = {name: held.codes[at] for name, held in groups.items()}
    for scale in scales(
        norm, groups, codes, least=int(of["group_rows"]), auc=of["group_auc"], ratio=of["group_ratio"], exact=exact
    ):  # fmt: skip
        rows = codes[scale.field] == scale.code
        most = 2 * scale.rows > len(norm)
        rows = ~rows if most else rows
        # What is told already, under another name, or as the rows of an atom (or all but them), is not told again.
        same = np.count_nonzero(rows & taken), np.count_nonzero(rows & ~taken)
        if 2 * same[0] > np.count_nonzero(rows) or (
            one is not None and same[1] > 0.8 * np.count_nonzero(~taken)
        ):
            continue
        taken |= rows
        parts.append(_Part("group", rows, named=True, scale=None if most else scale))
    rest = (beyond.rows | beyond.tail) & ~taken
    if not parts and rest.any():
        parts.append(_Part("outliers", rest))
    return tuple(parts)


def _judged(evidence: Evidence, drift: _Drift, part: _Part, of: Mapping[str, float]) -> Finding:
    marked = mark(evidence, drift.whole(part.rows))
    scale = part.scale
    named = part.named or (part.how == "apart" and name_group(evidence.table, marked.affected) is not None)
    severity = _severity(evidence, marked, part, of, named=named)
    rest = drift.norm[~drift.found & ~part.rows]
    facts: dict[str, Any] = {
        "how": part.how,
        "median": drift.body.length,
        "spread": drift.body.spread,
        "line": max(of["floor"], of["deviations"] * drift.body.spread),
        "quantiles": [float(q) for q in np.quantile(drift.norm[part.rows], (0.0, 0.05, 0.5, 0.95, 1.0))],
        "at_one": int(np.count_nonzero(np.abs(drift.norm[part.rows] - 1) < of["atom_width"])),
    }
    group = None
    effect = None
    if scale is not None:
        facts |= {"auc": scale.auc, "ratio_of_medians": scale.ratio}
        group = Group(scale.field, scale.value, scale.rows, 1.0, 1.0)
        effect = Effect(max(scale.auc, 1 - scale.auc), of["group_auc"], scale.low, None, "AUC of the lengths")
    key = part.how if part.how in ("tail", "outliers") else "most" if part.how == "group" else ""
    if scale is not None:
        key = plain(f"{scale.field}={scale.value}", 2 * _NAME)
    said = f"{marked.told()} have norms of {span(drift.norm[part.rows])}"
    if len(rest):
        said += f"; the rest {'are' if np.ptp(rest) <= 2e-3 else 'have'} {_rest(rest)}"
    if part.how in ("tail", "outliers"):
        cure = Remedy(
            "investigate", "A long tail of lengths is ordinary for some encoders; look at the rows."
        )
        said = f"{marked.told()} are {'longer or shorter' if part.how == 'outliers' else 'further off'} than most: norms of {span(drift.norm[part.rows])}"
    elif evidence.field.metric == "cosine":
        cure = Remedy(
            "investigate",
            "Cosine scores do not feel lengths, but another producer, or another step, made these rows: find it.",
        )
    else:
        cure = Remedy("renormalize", "Bring these rows to the length of the rest, and mend what wrote them.")
    return finding(
        evidence, marked, "norm-drift", severity, f"{said}.", cure, facts=facts, effect=effect, group=group, key=key
    )  # fmt: skip


def _severity(
    evidence: Evidence, marked: Marked, part: _Part, of: Mapping[str, float], *, named: bool
) -> Severity:
    if part.how in ("tail", "outliers"):
        return "info"
    if evidence.field.metric not in COUNTED:
        return "warning" if named else "info"
    return "critical" if marked.sure >= of["critical_share"] else "warning"


def _rest(rest: F32) -> str:
    return number(float(np.median(rest))) if np.ptp(rest) <= 2e-3 else span(rest)
