"""One language, tenant, shard or modality that is served worse than the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import Effect, Finding, Group, NotMeasured, Outcome, Remedy
from console.health.means import Gap, gaps
from console.health.probes.recall import Recall
from console.health.probes.shards import Shards
from console.health.registry import Threshold, check

if TYPE_CHECKING:
    from console.health.asking import Asked
    from console.health.evidence import Evidence
    from console.health.policy import Policy
    from console.health.table import F64

INVESTIGATE: Final = Remedy(
    "investigate",
    "Compare how this part was embedded and indexed with the others, and look at what it finds; a global recall hides it.",
)
GAP: Final = Threshold(
    "gap",
    0.05,
    "as much as brings a perfect cohort to low-ann-recall's line of .95; the adjusted lower bound counts",
)
QUERIES: Final = Threshold("queries", 30, "HEALTH.md; a cohort with fewer says nothing")


@check(
    "cohort-gap",
    fault="one cohort is served worse",
    kind="aggregate",
    stage="recall",
    severities=("warning",),
    actions=("investigate",),
    thresholds=(GAP, QUERIES),
)
def cohort_gap(evidence: Evidence, rules: Policy) -> list[Outcome]:
    code, rule = "cohort-gap", rules.of("cohort-gap")
    found = evidence.get(Recall)
    asked = found if isinstance(found, NotMeasured) else found.cohorts
    if isinstance(found, NotMeasured) or isinstance(asked, NotMeasured):
        return [NotMeasured(code, asked.why)]  # type: ignore[union-attr]
    chosen, values, what = _figure(asked, evidence)
    rows = asked.queries[chosen]
    families: list[list[tuple[str, F64]]] = []
    named: dict[str, tuple[str, Any, int]] = {}
    for name in found.cohort_fields:
        group = evidence.table.groups[name]
        codes = group.codes[rows]
        family: list[tuple[str, F64]] = []
        for i, value in enumerate(group.values):
            mine = codes == i + 1
            if int(mine.sum()) >= rule["queries"] and i + 1 != group.other:
                key = f"{name}={str(value)[:80]}"
                named[key] = (name, value, i + 1)
                family.append((key, values[mine]))
        families.append(family)
    if not any(len(f) > 1 for f in families):
        return [NotMeasured(code, f"No two cohorts of one field have {rule['queries']:g} queries each.")]
    out: list[Outcome] = []
    for gap in gaps(families, evidence.options.seed):
        name, value, number = named[gap.name]
        group = None
        if gap.low > rule["gap"]:
            held = evidence.table.groups[name].codes == number
            group = Group(name, value, int(np.count_nonzero(held & evidence.kept)), 1.0, 1.0)
        out.append(_finding(code, gap, what, rule["gap"], group, gap.name))
    return out


def _figure(asked: Asked, evidence: Evidence) -> tuple[Any, F64, str]:
    """Queries left, the figure of each, and its name: recall where the nearest rows are known."""
    if asked.truth != "sample":
        chosen, values = asked.recalls(evidence.kept)
        return chosen, values, "recall@10"
    chosen = asked.alive(evidence.kept)
    return chosen, asked.itself[chosen].astype(np.float64), "self-retrieval"


@check(
    "shard-gap",
    fault="one tenant or shard is served worse",
    kind="aggregate",
    stage="recall",
    severities=("warning",),
    actions=("investigate",),
    thresholds=(GAP, QUERIES),
)
def shard_gap(evidence: Evidence, rules: Policy) -> list[Outcome]:
    code, rule = "shard-gap", rules.of("shard-gap")
    found = evidence.get(Shards)
    if isinstance(found, NotMeasured):
        return [NotMeasured(code, found.why)]
    left = [(n, v) for n, v in found.itself if len(v) >= rule["queries"]]
    if len(left) < 2:
        return [NotMeasured(code, f"No two tenants or shards have {rule['queries']:g} queries each.")]
    return [
        _finding(code, gap, "self-retrieval", rule["gap"], None, gap.name[:80])
        for gap in gaps([left], evidence.options.seed)
    ]


def _finding(code: str, gap: Gap, what: str, line: float, group: Group | None, key: str) -> Finding:
    return Finding(
        code,
        "warning" if gap.low > line else None,
        f"One part has a {what} of {gap.mean:.3f}, the others {gap.others:.3f}: {gap.value:.3f} less "
        f"(95% interval for all parts together {gap.low:.3f} to {gap.high:.3f}, {gap.queries:,} queries).",
        "probe",
        INVESTIGATE,
        effect=Effect(gap.value, line, gap.low, gap.high, f"gap of {what}"),
        group=group,
        evidence={
            "figure": what,
            "mean": gap.mean,
            "others": gap.others,
            "queries": gap.queries,
            "part": key,
        },
        key=key,
    )
