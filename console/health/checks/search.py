"""What the index loses: recall, and what quantization takes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.asking import Asked, K
from console.health.findings import Effect, Finding, NotMeasured, Outcome, Remedy, Severity
from console.health.means import Mean, draws, mean
from console.health.probes.recall import OVERSAMPLING, Recall
from console.health.registry import Threshold, check

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.policy import Policy
    from console.health.table import F64

REBUILD: Final = Remedy(
    "rebuild",
    "Look at the index's state and settings first: one that is still being built recovers by itself. Else raise the "
    "search width (ef), or rebuild the index with more links (m) and a wider search while building (ef_construct).",
)
REQUANTIZE: Final = Remedy(
    "rebuild",
    "Build the quantization anew from today's vectors, or search with rescoring and more oversampling until then.",
)
FINER: Final = Remedy(
    "rebuild",
    "Quantize finer (more bits, or int8), or not at all: rescoring four times as many candidates does not make up for it.",
)


@check(
    "low-ann-recall",
    fault="the index loses neighbours",
    kind="aggregate",
    stage="recall",
    severities=("warning", "critical"),
    actions=("rebuild",),
    thresholds=(
        Threshold(
            "warning",
            0.95,
            "HEALTH.md: upper bound of recall@10; an index with default settings had .98 to 1",
        ),
        Threshold("critical", 0.9, "HEALTH.md: one of ten nearest rows is lost"),
        Threshold(
            "expected_misses",
            30,
            "HEALTH.md: fewer in the sample give an estimate a relative error above 1/sqrt(30) = 18%",
        ),
        Threshold("queries", 30, "below, the binomial interval of a perfect answer reaches down to .88"),
    ),
)
def low_ann_recall(evidence: Evidence, rules: Policy) -> list[Outcome]:
    found = evidence.get(Recall)
    if isinstance(found, NotMeasured):
        return [NotMeasured("low-ann-recall", found.why)]
    out: list[Outcome] = []
    parts = (("", found.plain), ("filtered", found.filtered), ("texts", found.texts))
    for key, part in parts:
        if isinstance(part, NotMeasured):
            if key or part.check == "Recall":
                out.append(NotMeasured(_NAMES[key], part.why))
        else:
            out += _judged(key, part, evidence, rules, found.filter)
    return out


_NAMES: Final = {"": "low-ann-recall", "filtered": "filtered recall", "texts": "cross-modal recall"}
_WHAT: Final = {
    "": "The index returns {share} of the 10 nearest rows",
    "filtered": "Under a filter the index returns {share} of the 10 nearest rows",
    "texts": "For texts as queries the index returns {share} of the 10 nearest rows",
    "itself": "Only {share} of the rows find themselves, or a row as near, first",
}


def _judged(
    key: str, asked: Asked, evidence: Evidence, rules: Policy, where: tuple[str, Any] | None
) -> list[Outcome]:
    rule = rules.of("low-ann-recall")
    out: list[Outcome] = []
    said = asked.recall(evidence.kept)
    itself = None if key == "texts" else asked.itself_first(evidence.kept)
    few = said is None or said.n < rule["queries"]
    if said is None or few:
        n = 0 if said is None else said.n
        why = f"{n:,} queries are left; {rule['queries']:g} are needed."
        return [NotMeasured(_NAMES[key], why)]
    sampled = asked.truth == "sample"
    expected = asked.expected_misses(evidence.kept, rule["warning"]) if sampled else np.inf
    finding = _finding(key, said, asked, evidence, rules, itself, where)
    if finding.severity is None and said.low < rule["warning"] and expected < rule["expected_misses"]:
        out.append(
            NotMeasured(
                _NAMES[key],
                f"The sample of {len(evidence.reservoir.rows):,} rows is too small to hold recall@10 to "
                f"{rule['warning']:g}: between {said.low:.2f} and {said.high:.2f}. Read more rows (--full).",
            )
        )
        finding = None
    if finding is not None:
        out.append(finding)
    if not key and itself is not None and (finding is None or finding.severity is None):
        out.append(_finding("itself", itself, asked, evidence, rules, itself, where))
    return out


def _finding(
    key: str,
    said: Mean,
    asked: Asked,
    evidence: Evidence,
    rules: Policy,
    itself: Mean | None,
    where: tuple[str, Any] | None,
) -> Finding:
    rule = rules.of("low-ann-recall")
    severity: Severity | None = None
    if said.high < rule["critical"]:
        severity = "critical"
    elif said.high < rule["warning"]:
        severity = "warning"
    held: dict[str, Any] = {
        "recall": said.to_json(),
        "k": K,
        "truth": asked.truth,
        "self_retrieval": None if itself is None else itself.to_json(),
        "index": {k: v for k, v in evidence.field.index.items() if isinstance(v, (int, float, bool, str))},
        "index_status": evidence.index_state.status,
    }
    if key == "filtered" and where is not None:
        held["filter"] = {"field": where[0], "value": where[1]}
    if asked.truth == "sample":
        held["proven_misses"] = int(asked.missed.sum())
        held["rows_per_sampled_row"] = asked.weight
    chosen, values = asked.recalls(evidence.kept)
    if asked.truth != "sample":
        rows = asked.queries[chosen][np.argsort(values, kind="stable")]
        worst = rows[: int(np.count_nonzero(values < 1))]
    else:
        worst = asked.queries[np.argsort(-asked.missed, kind="stable")[: int(np.count_nonzero(asked.missed))]]
    if key == "itself":
        worst = asked.queries[~asked.itself]
    worst = worst[worst >= 0][:20]
    share = f"{said.value:.3f}"
    bounds = f"(95% interval {said.low:.3f} to {said.high:.3f}, {said.n:,} queries)"
    return Finding(
        "low-ann-recall",
        severity,
        f"{_WHAT[key].format(share=share)} {bounds}.",
        "probe",
        REBUILD,
        effect=Effect(
            said.value,
            rule["warning"],
            said.low,
            said.high,
            "self-retrieval" if key == "itself" else "recall@10",
            "lower",
        ),
        evidence=held,
        sample_ids=evidence.table.ids.take(worst),
        key=key,
    )


@check(
    "stale-quantization",
    fault="the quantization does not fit the vectors",
    kind="aggregate",
    stage="recall",
    severities=("info", "warning", "critical"),
    actions=("rebuild",),
    thresholds=(
        Threshold("critical", 0.1, "as much as brings a perfect index to low-ann-recall's line of .9"),
        Threshold("loss", 0.05, "as much as brings a perfect index to low-ann-recall's line of .95"),
        Threshold(
            "coarse",
            0.25,
            "loss without rescoring above which an operator who turns rescoring off should know of it",
        ),
        Threshold("queries", 30, "as of low-ann-recall"),
    ),
)
def stale_quantization(evidence: Evidence, rules: Policy) -> list[Outcome]:
    code, rule = "stale-quantization", rules.of("stale-quantization")
    if evidence.field.quantization is None:
        return []
    found = evidence.get(Recall)
    parts = (found,) if isinstance(found, NotMeasured) else (found.plain, found.rescored, found.unrescored)
    exact = None if isinstance(found, NotMeasured) else found.unquantized.get("")
    for part in parts:
        if isinstance(part, NotMeasured):
            return [NotMeasured(code, part.why)]
        if getattr(part, "truth", "") == "sample":
            return [NotMeasured(code, "The nearest rows are not known: exact search can't be had.")]
    if exact is None:
        return [NotMeasured(code, "What the index finds without quantization was not measured.")]
    served, rescored, plain = (_values(p, evidence) for p in parts if isinstance(p, Asked))
    whole = _values(exact, evidence)
    both = np.isfinite(served) & np.isfinite(rescored) & np.isfinite(plain) & np.isfinite(whole)
    n = int(both.sum())
    if n < rule["queries"]:
        return [NotMeasured(code, f"{n:,} queries are left; {rule['queries']:g} are needed.")]
    lost, low, high = _paired(whole[both] - served[both])
    unaided, unaided_low, _ = _paired(whole[both] - plain[both])
    _, beyond, _ = _paired(whole[both] - rescored[both])
    severity: Severity | None = None
    if low > rule["critical"]:
        severity = "critical"
    elif low > rule["loss"]:
        severity = "warning"
    elif unaided_low > rule["coarse"]:
        severity = "info"
    summary = (
        f"Recall@10 is {served[both].mean():.3f} as the server applies quantization, {plain[both].mean():.3f} without "
        f"rescoring, {rescored[both].mean():.3f} with rescoring and oversampling, and {whole[both].mean():.3f} without "
        "quantization."
    )
    return [
        Finding(
            code,
            severity,
            summary,
            "probe",
            FINER if beyond > rule["loss"] else REQUANTIZE,
            effect=Effect(lost, rule["loss"], low, high, "recall lost to quantization"),
            evidence={
                "as_served": mean(served[both]).to_json(),
                "without_rescoring": mean(plain[both]).to_json(),
                "with_rescoring": mean(rescored[both]).to_json(),
                "without_quantization": mean(whole[both]).to_json(),
                "lost_without_rescoring": unaided,
                "oversampling": OVERSAMPLING,
                "quantization": dict(evidence.field.quantization),
            },
        )
    ]


def _values(asked: Asked, evidence: Evidence) -> F64:
    """(q,) recalls, NaN for a query that was left out."""
    chosen, values = asked.recalls(evidence.kept)
    out = np.full(len(asked), np.nan)
    out[chosen] = values
    return out


def _paired(differences: F64) -> tuple[float, float, float]:
    """Mean and bootstrap bounds; while fewer than 10 differ, 0 is inside."""
    value = float(differences.mean())
    low, high = (
        float(x) for x in np.quantile(differences[draws(len(differences))].mean(axis=1), (0.025, 0.975))
    )
    if np.count_nonzero(differences) < 10:
        low, high = min(low, 0.0), max(high, 0.0)
    return value, low, high
