"""What only the server can know: copies that disagree, and deleted rows that it still drags along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from console.health.findings import Effect, Finding, NotMeasured, Outcome, Remedy
from console.health.probes.replicas import Replicas
from console.health.registry import Threshold, check

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.policy import Policy

REPAIR: Final = Remedy(
    "investigate",
    "Compare the copies of the shards on their nodes, let the server repair or move the one that lags behind, and "
    "measure again. Until then read with a consistency of more than one copy.",
)
VACUUM: Final = Remedy(
    "reindex",
    "Let the server clean up: it does by itself when its threshold of deleted rows is reached. Lower that threshold, "
    "or rebuild the collection where it stays.",
)


@check(
    "replica-divergence",
    fault="copies of a shard disagree",
    kind="state",
    stage="recall",
    severities=("warning",),
    actions=("investigate",),
)
def replica_divergence(evidence: Evidence, _rules: Policy) -> list[Outcome]:
    code = "replica-divergence"
    found = evidence.get(Replicas)
    if isinstance(found, NotMeasured):
        return [NotMeasured(code, found.why)]
    if not found.flickering and not found.unsteady:
        why = (
            f"{found.reads} counts and reads of {found.rows:,} rows agreed, but the server may have answered all of "
            "them from one copy."
        )
        return [NotMeasured(code, why)]
    low, high = min(found.counts), max(found.counts)
    return [
        Finding(
            code,
            "warning",
            f"Asked {found.reads} times, the server counted between {low:,} and {high:,} rows, and "
            f"{len(found.flickering):,} of {found.rows:,} rows came and went.",
            "probe",
            REPAIR,
            evidence={"counts": list(found.counts), "copies": found.factor, "rows_read": found.rows},
            sample_ids=found.flickering[:20],
        )
    ]


@check(
    "tombstone-load",
    fault="many deleted rows that are still in the index or on the disk",
    kind="state",
    stage="recall",
    severities=("warning",),
    actions=("reindex",),
    thresholds=(
        Threshold("share", 0.2, "Qdrant's default deleted_threshold, at which its vacuum optimizer begins"),
        Threshold(
            "rows", 1_000, "Qdrant's default vacuum_min_vector_number: fewer are left alone on purpose"
        ),
    ),
)
def tombstone_load(evidence: Evidence, rules: Policy) -> list[Outcome]:
    code, rule = "tombstone-load", rules.of("tombstone-load")
    held: Any = evidence.index_state.details.get("deleted_rows")
    if not isinstance(held, int):
        why = (
            "Weaviate tells its tombstones in its own metrics only, not to a client."
            if evidence.kind == "weaviate"
            else "Qdrant tells deleted rows in its telemetry only, not with the collection."
        )
        return [NotMeasured(code, why)]
    whole = held + evidence.scan.rows
    share = held / whole if whole else 0.0
    if share <= rule["share"] or whole < rule["rows"]:
        return []
    return [
        Finding(
            code,
            "warning",
            f"{held:,} deleted rows are still kept beside {evidence.scan.rows:,} living ones ({share:.0%}).",
            "exact",
            VACUUM,
            effect=Effect(share, rule["share"], name="share of deleted rows"),
            evidence={"deleted_rows": held, "rows": evidence.scan.rows},
        )
    ]
