"""One check of a planted collection, held against what is true of it."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from connectors.model import IndexState
from connectors.spec import ConnectionSpec
from console.health.options import CheckOptions
from console.health.report import Report
from console.health.run import check
from console.settings import Address, CollectionSettings, Settings
from console.workspace import Workspace
from tests.faults.bases import Base
from tests.faults.memory import Memory, Rows, stored
from tests.faults.plants import NEEDS, Fault, Planted

WEIGHT = {"info": 1, "warning": 2, "critical": 3}
FOUND, ROOT = 0.99, 0.95
"""The goals: of the planted faults found, and named as the first root cause. Of false findings there are none."""


@dataclass
class Verdict:
    """What a run got right and wrong."""

    name: str
    found: bool = True
    root: bool = True
    wrong: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    """Findings of severity warning or above that are not true."""

    @property
    def clean(self) -> bool:
        return self.found and self.root and not self.wrong and not self.false


def rows_of(base: Base, kind: str, more: Mapping[str, Any]) -> Rows:
    return Rows(
        list(base.ids),
        stored(base.matrix, kind, base.metric, base.storage),
        base.present.copy(),
        [dict(p) for p in base.payloads],
        metric=base.metric,
        storage=base.storage,
        **{"index": IndexState("ready", rows=len(base), indexed=len(base)), **more},
    )


def workspace(home: Path, kind: str, rows: Rows, base: Base) -> Workspace:
    spec = ConnectionSpec(name="mem", kind=kind, url="http://127.0.0.1:1")  # type: ignore[arg-type]
    first = base.payloads[0] if base.payloads else {}
    names = {
        "text_field": "caption" if any("caption" in p for p in base.payloads) else None,
        "time_field": "ingested_at" if "ingested_at" in first else None,
        "modality_field": "modality" if "modality" in first else None,
    }
    settings = Settings(
        home=home,
        connections={"mem": spec},
        collections={Address("mem", "rows"): CollectionSettings(**{**names, **base.settings})},
    )
    return Workspace(settings, connect=lambda s: Memory(s, {"rows": rows}))  # type: ignore[arg-type,return-value]


def run(home: Path, kind: str, planted: Planted, **options: Any) -> Report:
    """A check of the planted rows in memory; every row unless `sample` is among the options."""
    rows = rows_of(planted.base, kind, planted.more)
    chosen = CheckOptions(**{"sample": None, "budget": 600.0, **planted.options, **options})
    with workspace(home, kind, rows, planted.base) as ws:
        (report,) = check(ws, Address("mem", "rows"), chosen)
    return report


def above_info(report: Report) -> list[dict[str, Any]]:
    return [f for f in report.data["findings"] if WEIGHT[f["severity"]] >= 2]


def silent(report: Report) -> list[str]:
    """What a clean collection is accused of."""
    return [f"{f['code']} ({f['severity']}): {f['summary']}" for f in above_info(report)]


def judge(fault: Fault, planted: Planted, report: Report, exact: bool = True) -> Verdict:
    """A planted fault's report against the truth."""
    out = Verdict(fault.name)
    findings = report.data["findings"]
    mine = [f for f in findings if f["code"] in planted.roots]
    firing = [f for f in mine if WEIGHT[f["severity"]] >= 2]
    out.found = bool(firing)
    if not firing:
        return out
    out.root = report.data["root_causes"][:1] == [
        c for c in report.data["root_causes"] if c in planted.roots
    ][:1] and bool(set(report.data["root_causes"]) & set(planted.roots))
    known = {*planted.roots, *planted.follows}
    out.false = [f"{f['code']} ({f['severity']})" for f in above_info(report) if f["code"] not in known]
    strangers = [c for c in report.data["root_causes"] if c not in planted.roots and c in planted.follows]
    weights = {f["code"]: WEIGHT[f["severity"]] for f in findings}
    out.wrong += [
        f"{c} is a root beside it" for c in strangers if weights.get(c, 0) >= 2 and c not in planted.beside
    ]
    if planted.rows is not None and exact:
        out.wrong += _rows(planted, report)
        if (
            planted.group is not None
            and not _tie(planted)
            and len(planted.rows) >= 2
            and 2 * len(planted.rows) <= len(planted.base)
        ):
            named = [(f["group"] or {}).get("field") for f in firing]
            values = [(f["group"] or {}).get("value") for f in firing]
            if planted.group not in list(zip(named, values, strict=True)):
                out.wrong.append(f"group {list(zip(named, values, strict=True))} instead of {planted.group}")
    return out


def causes(planted: Planted, report: Report) -> list[str]:
    """Symptoms that are told to come from something else than they do."""
    codes = {f["id"]: f["code"] for f in report.data["findings"]}
    out: list[str] = []
    for f in above_info(report):
        told, true = {codes[i] for i in f["because_of_ids"]}, planted.causes_of(f["code"])
        if told and true is not None and not told <= true:
            out.append(f"{f['code']} because of {', '.join(sorted(told))}, not of {', '.join(sorted(true))}")
    return out


def _tie(planted: Planted) -> bool:
    """Of two tags on exactly half of the rows each, neither is the one that is wrong."""
    assert planted.rows is not None
    return "version-mix" in planted.roots and 2 * len(planted.rows) == len(planted.base)


def _rows(planted: Planted, report: Report) -> list[str]:
    """The rows that the findings name in a full scan, as a set of ids."""
    assert planted.rows is not None
    true = {planted.base.ids[i] for i in planted.rows}
    evidence = report.evidence
    assert evidence is not None
    named: set[Any] = set()
    counted = 0
    for f in report.findings:
        if f.code in planted.roots and f.affected is not None:
            named |= set(evidence.table.ids.take(np.flatnonzero(f.affected)))
            counted = max(counted, f.rows or 0)
    if named != true and not (_tie(planted) and named == set(planted.base.ids) - true):
        return [f"{len(named)} rows named, {len(true)} true, {len(named & true)} of them in common"]
    return []


def table(verdicts: list[Verdict]) -> str:
    """Found, missed, root first, false, per fault."""
    by: dict[str, list[Verdict]] = collections.defaultdict(list)
    for v in verdicts:
        by[v.name].append(v)
    lines = [f"{'fault':<24}{'runs':>6}{'found':>7}{'root':>7}{'false':>7}{'wrong':>7}"]
    for name, held in [*sorted(by.items()), ("all", verdicts)]:
        found = sum(v.found for v in held)
        root = sum(v.found and v.root for v in held)
        false = sum(bool(v.false) for v in held)
        wrong = sum(bool(v.wrong) for v in held)
        lines.append(f"{name:<24}{len(held):>6}{found:>7}{root:>7}{false:>7}{wrong:>7}")
    return "\n".join(lines)


def shortfalls(verdicts: Sequence[Verdict]) -> list[str]:
    """In which of the goals the runs fall short; rows or groups that are named wrong count, too."""
    runs = len(verdicts)
    if not runs:
        return ["nothing was run"]
    found, root = sum(v.found for v in verdicts), sum(v.found and v.root for v in verdicts)
    false, wrong = sum(bool(v.false) for v in verdicts), sum(bool(v.wrong) for v in verdicts)
    out: list[str] = []
    if found < FOUND * runs:
        out.append(f"{found:,} of {runs:,} found, {FOUND:.0%} wanted")
    if root < ROOT * runs:
        out.append(f"the cause first in {root:,} of {runs:,}, {ROOT:.0%} wanted")
    if false:
        out.append(f"false findings in {false:,} of {runs:,}, none wanted")
    if wrong > (1 - FOUND) * runs:
        out.append(f"rows or groups wrong in {wrong:,} of {runs:,}, at most {1 - FOUND:.0%} wanted")
    return out


ALWAYS = frozenset(
    {
        "baseline",
        "cut-source",
        "encoder-changed",
        "encoder-mismatch",
        "misaligned-payload",
        "replica-divergence",
        "shard-gap",
        "stale-vectors",
        "tombstone-load",
        "update queue",
    }
)
"""What no run here can measure: no baseline, no encoder, one node without tenants, and rows in memory."""
FEW_ROWS = frozenset(
    {
        "cohort-gap",
        "collapsed-neighbors",
        "dominant-axis",
        "filter-masking",
        "low-ann-recall",
        "no-structure",
        "norm-drift",
        "metric-mismatch",
        "text-vector-disagreement",
    }
)
NO_DIRECTION = frozenset({"zero-vectors", "non-finite", "missing-vectors"})
FEW_DIMENSIONS = frozenset(
    {
        "dominant-axis",
        "duplicate-vectors",
        "no-structure",
        "text-vector-disagreement",
        "truncated-dimensions",
    }
)


def unmeasured(fault: Fault, planted: Planted, kind: str, report: Report) -> list[str]:
    """What the report wrongly says, or fails to say, of what was not measured."""
    base = planted.base
    told = {n["check"]: n["why"] for n in report.data["not_measured"]}
    must = set(ALWAYS)
    if "expected_rows" not in planted.options:
        must.add("count-mismatch")
    if kind == "qdrant" and base.metric == "cosine":
        must.add("norm-drift")
    may = {"same-source-different-vector", "cross-modal recall"}
    lost = len(planted.rows) if planted.rows is not None and fault.code in NO_DIRECTION else 0
    if len(base) - lost < NEEDS:
        may |= FEW_ROWS
    if kind == "weaviate" or len(base) - lost < 30:
        may.add("filtered recall")
    if {"no-structure", "dominant-axis"} & set(planted.roots):
        may.add("text-vector-disagreement")
    if base.matrix.shape[1] < 32:
        may |= FEW_DIMENSIONS
    out = [f"{c} is not told as not measured" for c in sorted(must - set(told))]
    out += [f"{c} was not measured: {told[c]}" for c in sorted(set(told) - must - may)]
    out += [f"{c}: {why}" for c, why in told.items() if why.startswith("The check failed")]
    if fault.code in told and fault.code not in ("duplicate-vectors", "truncated-dimensions"):
        out.append(f"{fault.code} was not measured: {told[fault.code]}")
    return out
