"""One value that floods the results of queries which do not carry it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.asking import K
from console.health.findings import Effect, Finding, Group, NotMeasured, Outcome, Remedy
from console.health.means import mean
from console.health.probes.neighbours import Neighbours
from console.health.registry import Threshold, check

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.policy import Policy
    from console.health.table import I64, Codes

INVESTIGATE: Final = Remedy(
    "investigate",
    "Look at the rows of this value that are returned most: their vectors lie near everything. Compare how they were "
    "embedded with the rest, and search without them until that is known.",
)


@check(
    "filter-masking",
    fault="one value floods the results of other queries, and a filter hides it",
    kind="aggregate",
    stage="recall",
    severities=("warning",),
    actions=("investigate",),
    thresholds=(
        Threshold("lift", 3.0, "HEALTH.md: clean 1.12, flooded 8.3"),
        Threshold("share", 0.2, "HEALTH.md: two of ten results"),
        Threshold("queries", 30, "as of low-ann-recall"),
    ),
)
def filter_masking(evidence: Evidence, rules: Policy) -> list[Outcome]:
    code, rule = "filter-masking", rules.of("filter-masking")
    groups = [(n, g) for n in evidence.names.groups if (g := evidence.table.groups.get(n)) is not None]
    if not groups:
        return [NotMeasured(code, "No payload field with few values was found (--group-by FIELD).")]
    found = evidence.get(Neighbours)
    lists = found if isinstance(found, NotMeasured) else found.lists(evidence, K)
    if isinstance(lists, NotMeasured):
        return [NotMeasured(code, lists.why)]
    rows = evidence.reservoir.rows
    alive = rows[evidence.good[rows]]
    out: list[Outcome] = []
    seen: set[bytes] = set()
    for name, group in groups:
        for value, code_, lift, share, low, high, queries in _floods(
            group, rows[lists.probes], rows[lists.near], alive, rule["queries"]
        ):
            fires = share > 0 and (low / share * lift) >= rule["lift"] and low >= rule["share"]
            if fires:
                # Two fields that say the same of every row are one fault.
                mark = np.packbits(group.codes[alive] == code_).tobytes()
                if mark in seen:
                    continue
                seen.add(mark)
            near = rows[lists.near]
            flooding = _commonest(near[(group.codes[near] == code_)])
            base = share / lift if lift else 0.0
            out.append(
                Finding(
                    code,
                    "warning" if fires else None,
                    f"Rows of one value hold {share:.0%} of the 10 nearest places of queries that do not carry it, "
                    f"{lift:.1f} times their share of the rows ({base:.1%}).",
                    "probe",
                    INVESTIGATE,
                    effect=Effect(
                        lift, rule["lift"], low / base if base else 0.0, high / base if base else 0.0, "lift"
                    ),
                    group=_group(name, value, group, code_, evidence) if fires else None,
                    evidence={"lift": lift, "share": share, "base_rate": base, "queries": queries, "k": K},
                    sample_ids=evidence.table.ids.take(flooding) if fires else (),
                    key=f"{name}={str(value)[:80]}",
                )
            )
    return out


def _floods(
    group: Codes, queries: I64, near: I64, alive: I64, fewest: float
) -> list[tuple[Any, int, float, float, float, float, int]]:
    """(value, code, lift, share, its bounds, queries) of each value whose share of results is above its base rate."""
    codes = group.codes[near]
    own = group.codes[queries]
    counts = np.bincount(group.codes[alive], minlength=len(group.values) + 2)
    found: list[tuple[Any, int, float, float, float, float, int]] = []
    for i, value in enumerate(group.values):
        code = i + 1
        # With fewer than k rows a value can't fill a list: its lift would be that of single rows.
        if code == group.other or counts[code] < K or counts[code] == len(alive):
            continue
        others = own != code
        if int(others.sum()) < fewest:
            continue
        shares = (codes[others] == code).mean(axis=1)
        base = float(counts[code] / len(alive))
        if shares.mean() <= base:
            continue
        said = mean(shares)
        found.append((value, code, said.value / base, said.value, said.low, said.high, said.n))
    return found


def _commonest(rows: I64) -> I64:
    values, counts = np.unique(rows, return_counts=True)
    return values[np.argsort(-counts, kind="stable")][:20]


def _group(name: str, value: Any, group: Codes, code: int, evidence: Evidence) -> Group:
    return Group(name, value, int(np.count_nonzero((group.codes == code) & evidence.kept)), 1.0, 1.0)
