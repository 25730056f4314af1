"""The number of rows against the number that was expected."""

from __future__ import annotations

from console.health.evidence import Evidence
from console.health.findings import Effect, Finding, NotMeasured, Outcomes, Remedy
from console.health.marking import told
from console.health.policy import Policy
from console.health.registry import Threshold, check


@check(
    "count-mismatch",
    fault="fewer rows than expected",
    kind="state",
    stage="missing",
    severities=("info", "warning", "critical"),
    actions=("reingest", "investigate"),
    thresholds=(
        Threshold("warning_share", 0.0, "a row that was expected and is not there can never be found"),
        Threshold(
            "critical_share",
            0.01,
            "one row in a hundred bounds recall@10 by .99 whatever the index does; more than a retry would lose",
        ),
    ),
)
def count_mismatch(evidence: Evidence, rules: Policy) -> Outcomes:
    code, expected, rows = "count-mismatch", evidence.expected_rows, evidence.scan.rows
    if expected is None:
        why = "No expected number of rows is known: give --expected-rows, or expected_rows in the settings."
        return [NotMeasured(code, why)]
    if rows == expected:
        return []
    of = rules.of(code)
    facts = {"expected": expected, "rows": rows, "changed_meanwhile": evidence.scan.changed or None}
    share = abs(expected - rows) / expected if expected > 0 else 1.0
    if rows > expected:
        cure = Remedy("investigate", "See whether the expected number is out of date, or rows came in twice.")
        said = f"{rows - expected:,} rows more than the {expected:,} expected."
        return [Finding(code, "info", said, "exact", cure, rows=rows - expected, evidence=facts)]
    severity = (
        "critical" if share >= of["critical_share"] else "warning" if share > of["warning_share"] else "info"
    )
    return [
        Finding(
            code,
            severity,
            f"{told(rows, expected)} that were expected are there; {expected - rows:,} are missing.",
            "exact",
            Remedy("reingest", "Compare the ids with the source, and ingest the rows that are missing."),
            rows=expected - rows,
            share=share,
            effect=Effect(share, of["warning_share"], name="share of the expected rows that is missing"),
            evidence=facts,
        )
    ]
