"""What only the server can know: copies that disagree, and deleted rows that it still drags along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from console.health.findings import Effect, Finding, NotMeasured, Outcome, Remedy
from console.health.probes.replicas import Replicas
from console.health.probes.storage import Kept, ShardCopies
from console.health.registry import Threshold, check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.model import ShardCopy
    from console.health.evidence import Evidence
    from console.health.policy import Policy

REPAIR: Final = Remedy(
    "investigate",
    "Compare the copies of the shards on their nodes, let the server repair or move the one that lags behind, and "
    "measure again. Until then read with a consistency of more than one copy.",
)
REVIVE: Final = Remedy(
    "investigate",
    "Look at the node that holds the copy: start it, or let the server copy the shard anew. Until then one more "
    "failure takes rows away.",
)
RESTORE: Final = Remedy(
    "investigate",
    "Start the nodes that hold copies of these shards, or restore the shards from a snapshot. Until then searches fail "
    "or lack the rows of these shards.",
)
WAIT: Final = Remedy("none", "Wait until the copy is whole, then check again.")
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
    severities=("info", "warning", "critical"),
    actions=("investigate", "none"),
)
def replica_divergence(evidence: Evidence, _rules: Policy) -> list[Outcome]:
    code = "replica-divergence"
    told = evidence.get(ShardCopies)
    out = [] if isinstance(told, NotMeasured) else _told(code, told)
    found = evidence.get(Replicas)
    if isinstance(found, NotMeasured):
        return out or [NotMeasured(code, found.why)]
    # Where every copy's rows are told and no shard steadily has two numbers, counts move since rows come and go.
    churn = not out and _all_told(told)
    if not found.flickering and (not found.unsteady or churn):
        if out or churn:
            return out
        why = (
            f"{found.reads} counts and reads of {found.rows:,} rows agreed, but the server may have answered all of "
            "them from one copy."
        )
        return [NotMeasured(code, why)]
    seen = _flickers(code, found)
    sizes = next((o for o in out if isinstance(o, Finding) and o.key == "rows"), None)
    if sizes is None:
        return [*out, seen]
    # One fault, seen from outside and from inside.
    both = sizes.but(evidence={**seen.evidence, **sizes.evidence}, sample_ids=seen.sample_ids)
    return [both if o is sizes else o for o in out]


def _all_told(told: ShardCopies | NotMeasured) -> bool:
    """Whether the server tells the rows of every copy."""
    if isinstance(told, NotMeasured) or not told.copies:
        return False
    return all(c.rows is not None for c in told.copies)


def _told(code: str, told: ShardCopies) -> list[Outcome]:
    out: list[Outcome] = []
    copies = {"all_copies": len(told.copies)}
    if new := [c for c in told.amiss if not c.known]:
        words = ", ".join(sorted({c.said[:40] for c in new})[:5])
        why = f"{len(new):,} of {len(told.copies):,} copies of shards are in a state that is not known here ({words})."
        out.append(NotMeasured(code, why))
    dead = [c for c in told.amiss if c.known and c.state != "copying"]
    # A word that is not known here may stand for a copy in use.
    served = {c.shard for c in told.copies if c.state == "active" or not c.known}
    if gone := [c for c in dead if c.shard not in served]:
        shards = len({c.shard for c in told.copies})
        said = (
            f"{_shards(gone):,} of {shards:,} shards {'have' if _shards(gone) > 1 else 'has'} no copy in use"
        )
        said += f"{_silence(gone)}: searches fail or lack their rows."
        out.append(
            Finding(code, "critical", said, "exact", RESTORE, evidence={**copies, **_held(gone)}, key="gone")
        )
    if lame := [c for c in dead if c.shard in served]:
        said = f"{len(lame):,} of {len(told.copies):,} copies of shards are out of use{_silence(lame)}"
        said += ": searches lean on the others."
        out.append(
            Finding(code, "warning", said, "exact", REVIVE, evidence={**copies, **_held(lame)}, key="dead")
        )
    if copying := [c for c in told.amiss if c.state == "copying"]:
        said = f"{len(copying):,} of {len(told.copies):,} copies of shards are being copied."
        held = {"shards": sorted({c.shard for c in copying})[:20]}
        out.append(Finding(code, "info", said, "exact", WAIT, evidence={**copies, **held}, key="copying"))
    if told.unlike:
        worst = max(told.unlike, key=lambda held: max(_rows(held)) - min(_rows(held)))
        low, high = min(_rows(worst)), max(_rows(worst))
        many = "shards have copies" if len(told.unlike) > 1 else "shard has copies"
        said = (
            f"{len(told.unlike):,} {many} of different size, all of them in use: of shard {worst[0].shard} one copy "
            f"has {low:,} rows, another {high:,}."
        )
        held = {
            "shards": [c[0].shard for c in told.unlike][:20],
            "rows": {c.node: c.rows for c in worst[:20]},
        }
        out.append(Finding(code, "warning", said, "exact", REPAIR, evidence={**copies, **held}, key="rows"))
    return out


def _shards(held: Sequence[ShardCopy]) -> int:
    return len({c.shard for c in held})


def _silence(held: Sequence[ShardCopy]) -> str:
    """Nodes that do not answer, in brackets."""
    silent = len({c.node for c in held if c.state is None})
    if not silent:
        return ""
    return f" ({'a node does' if silent == 1 else f'{silent:,} nodes do'} not answer)"


def _held(held: Sequence[ShardCopy]) -> dict[str, Any]:
    return {
        "shards": sorted({c.shard for c in held})[:20],
        "nodes": sorted({c.node for c in held})[:20],
        "silent_nodes": sorted({c.node for c in held if c.state is None})[:20],
        "states": sorted({c.said for c in held if c.state is not None}),
    }


def _rows(held: Sequence[ShardCopy]) -> list[int]:
    return [c.rows for c in held if c.rows is not None]


def _flickers(code: str, found: Replicas) -> Finding:
    low, high = min(found.counts), max(found.counts)
    said = f"Asked {found.reads} times, the server counted "
    said += f"between {low:,} and {high:,} rows" if low < high else f"{low:,} rows each time"
    if found.flickering:
        said += f", and {len(found.flickering):,} of {found.rows:,} rows came and went"
    return Finding(
        code,
        "warning",
        f"{said}.",
        "probe",
        REPAIR,
        evidence={"counts": list(found.counts), "copies": found.factor, "rows_read": found.rows},
        sample_ids=found.flickering[:20],
    )


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
    told: Any = evidence.index_state.details.get("deleted_rows")
    found = evidence.get(Kept)
    if isinstance(told, int):
        deleted, living, seen, shards = told, evidence.scan.rows, 1, 1
    elif isinstance(found, NotMeasured):
        return [NotMeasured(code, found.why)]
    else:
        deleted, living, (seen, shards) = found.told.deleted, found.told.living, found.told.shards
    whole = deleted + living
    share = deleted / whole if whole else 0.0
    if share <= rule["share"] or whole < rule["rows"]:
        if seen < shards:
            why = f"The node that answered holds {seen:,} of {shards:,} shards, with few deleted rows; of the others it tells nothing."
            return [NotMeasured(code, why)]
        return []
    part = "" if seen == shards else f", in {seen:,} of {shards:,} shards, which the node that answered holds"
    return [
        Finding(
            code,
            "warning",
            f"{deleted:,} deleted or overwritten rows are still kept beside {living:,} living ones ({share:.0%}){part}.",
            "exact",
            VACUUM,
            effect=Effect(share, rule["share"], name="share of deleted rows"),
            evidence={"deleted_rows": deleted, "rows": living, "shards_seen": seen, "shards": shards},
        )
    ]
