"""What the server says of its index: behind, stopped, or left in a loading mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from console.health.findings import Action, Effect, Finding, NotMeasured, Outcome, Remedy, Severity
from console.health.probes.state import Later
from console.health.registry import Threshold, check
from console.health.wording import field_text

if TYPE_CHECKING:
    from connectors.model import IndexState
    from console.health.evidence import Evidence
    from console.health.policy import Policy

UNINDEXED: Final = "unindexed-vectors"
CONFIG: Final = "index-config"


@check(
    UNINDEXED,
    fault="the index is behind, or its optimizer has stopped",
    kind="state",
    stage="recall",
    severities=("info", "warning", "critical"),
    actions=("reindex", "investigate", "none"),
    thresholds=(
        Threshold(
            "behind",
            1.0,
            "times indexing_threshold x segments: so many kilobytes of vectors stay without an index on purpose",
        ),
    ),
)
def unindexed_vectors(evidence: Evidence, rules: Policy) -> list[Outcome]:
    out: list[Outcome] = []
    later = evidence.get(Later)
    first = evidence.index_state
    now = first if isinstance(later, NotMeasured) else later.state
    if evidence.server.embedded:
        out.append(NotMeasured("update queue", "The embedded engine keeps no queue that can be asked for."))
    elif not evidence.capabilities.update_queue:
        why = evidence.capabilities.update_queue.why or "It is not known whether the server tells."
        out.append(NotMeasured("update queue", why))
    if now.status == "unknown":
        return [*out, NotMeasured(UNINDEXED, now.why or "The server does not tell the index's state.")]
    if now.status == "failed":
        text = f"The server reports that its index failed: {_words(now.why)}"
        out.append(
            _state(
                "critical",
                text,
                now,
                "failed",
                "reindex",
                "Read the server's message and log, repair its cause, then build the index anew.",
            )
        )
    elif now.status == "stalled" and evidence.kind == "weaviate":
        text = "Shards are read-only: vectors that arrive are not indexed."
        out.append(
            _state(
                "warning",
                text,
                now,
                "read-only",
                "investigate",
                "Free disk space, then set the shards to READY.",
            )
        )
    elif first.queue and now.queue and now.queue >= first.queue and not isinstance(later, NotMeasured):
        text = f"{now.queue:,} vectors wait to be indexed, and the queue did not shrink in {later.seconds:.0f} s."
        out.append(
            _state(
                "warning",
                text,
                now,
                "queue",
                "investigate",
                "Look at the server's load and log: writes outrun the index, or indexing has stopped.",
            )
        )
    elif now.status == "building" and not _switched_off(evidence):
        waiting = f"{now.queue:,} vectors wait" if now.queue else "The server is at work"
        text = f"{waiting} on the index: recall and speed will change."
        out.append(
            _state("info", text, now, "building", "none", "Wait until the index is built, then check again.")
        )
    else:
        out += _behind(evidence, now, rules.get(UNINDEXED, "behind"))
    return out


def _behind(evidence: Evidence, now: IndexState, most: float) -> list[Outcome]:
    """Qdrant: more vectors without an index than small segments explain, and nothing at work on it."""
    optimizer = _part(evidence, "optimizer")
    start = optimizer.get("indexing_threshold")
    segments = now.details.get("segments")
    if evidence.kind != "qdrant" or now.rows is None or now.indexed is None or not segments:
        return []
    if not start or evidence.field.index.get("m") == 0:
        return []
    fields = evidence.description.dense
    width = sum(
        (f.dimension or 0) * (1 if f.storage == "uint8" else 2 if f.storage == "float16" else 4)
        for f in fields
    )
    missing = max(0, now.rows * len(fields) - now.indexed)
    kilobytes = missing * width / max(1, len(fields)) / 1024
    allowed = float(start) * int(segments) * len(fields)
    if kilobytes <= most * allowed:
        return []
    text = (
        f"{missing:,} of {now.rows * len(fields):,} vectors have no index, and the optimizer is not at work."
    )
    finding = _state(
        "warning",
        text,
        now,
        "behind",
        "reindex",
        "Look at the optimizer's settings and log; a change of the collection's optimizer settings starts it again.",
    )
    return [
        finding.but(
            effect=Effect(
                kilobytes / allowed, most, name="vectors without an index, in what is left so on purpose"
            )
        )
    ]


def _state(severity: Severity, text: str, now: IndexState, key: str, action: Action, remedy: str) -> Finding:
    held = {"status": now.status, "rows": now.rows, "indexed": now.indexed, "queue": now.queue}
    details = {k: v for k, v in now.details.items() if isinstance(v, (int, float, str, bool))}
    return Finding(
        UNINDEXED, severity, text, "exact", Remedy(action, remedy), evidence={**held, **details}, key=key
    )


@check(
    CONFIG,
    fault="an index setting that suits loading, or another size",
    kind="state",
    stage="recall",
    severities=("info", "warning"),
    actions=("configure",),
    thresholds=(
        Threshold(
            "flat_rows", 10_000, "the size at which Weaviate's own `dynamic` index leaves flat for HNSW"
        ),
    ),
)
def index_config(evidence: Evidence, rules: Policy) -> list[Outcome]:
    out: list[Outcome] = []
    index = evidence.field.index
    rows = evidence.scan.rows
    if evidence.kind == "qdrant":
        if index.get("m") == 0 and not index.get("payload_m"):
            out.append(
                _config(
                    "warning",
                    "The index has no links (m = 0): every search reads all vectors.",
                    "m",
                    "Set m of the HNSW index to what it was before loading (16 by default).",
                    {"m": 0},
                )
            )
        if _part(evidence, "optimizer").get("indexing_threshold") == 0:
            out.append(
                _config(
                    "warning",
                    "Indexing is switched off (indexing_threshold = 0): new vectors get no index, and the status stays green.",
                    "indexing_threshold",
                    "Set indexing_threshold of the optimizer to what it was before loading (10,000 by default).",
                    {"indexing_threshold": 0},
                )
            )
        if _switched_off(evidence):
            out.append(
                _config(
                    "warning",
                    "Optimisation is switched off (max_optimization_threads = 0): new vectors get no index, while the "
                    "status says that one is being built.",
                    "max_optimization_threads",
                    "Set max_optimization_threads of the optimizer to what it was before loading (auto by default).",
                    {"max_optimization_threads": 0},
                )
            )
        elif evidence.index_state.status == "stalled":
            out.append(
                _config(
                    "warning",
                    "Optimisation waits for the next write since the server's restart (status grey).",
                    "grey",
                    "Write once, or change an optimizer setting, to start it again.",
                    {"server_status": "grey"},
                )
            )
    elif index.get("skip") is True:
        out.append(
            _config(
                "warning",
                "The vectors are not indexed at all (skip): a vector search finds nothing.",
                "skip",
                "Make the collection anew without `skip`, and copy the rows.",
                {"skip": True},
            )
        )
    elif index.get("type") == "flat" and rows > rules.get(CONFIG, "flat_rows"):
        out.append(
            _config(
                "warning",
                f"A flat index reads all of {rows:,} vectors in every search.",
                "flat",
                "Use the `dynamic` or the `hnsw` index at this size.",
                {"type": "flat", "rows": rows},
            )
        )
    out += [
        _config(
            "info",
            f"Filters on `{field_text(name)}` read every row: it has no index.",
            f"field={name[:80]}",
            "Create a payload index on the field where filters use it.",
            {"field": name},
        )
        for name in _unindexed(evidence)
    ]
    return out


def _unindexed(evidence: Evidence) -> list[str]:
    """The version, modality and cohort fields that rows carry and that the server has no index on."""
    names = evidence.names
    indexed = {f.name for f in evidence.description.payload if f.indexed}
    # A key inside a Weaviate object has no index of its own that a schema could tell.
    wanted = dict.fromkeys(n for n in (names.version, names.modality, *names.cohorts) if n is not None)
    held = [n for n in wanted if (g := evidence.table.groups.get(n)) is not None and g.values]
    return [n for n in held if n not in indexed and not (evidence.kind == "weaviate" and "." in n)]


def _config(severity: Severity, text: str, key: str, remedy: str, held: Mapping[str, Any]) -> Finding:
    return Finding(CONFIG, severity, text, "exact", Remedy("configure", remedy), evidence=held, key=key)


def _switched_off(evidence: Evidence) -> bool:
    """Qdrant's status stays yellow then, and nothing is at work (1.18.3)."""
    held = _part(evidence, "optimizer")
    older: Any = {"value": held.get("deprecated_max_optimization_threads")}
    return evidence.kind == "qdrant" and held.get("max_optimization_threads", older) == {"value": 0}


def _words(said: str) -> str:
    """The server's own, as one sentence of bounded length."""
    text = " ".join(said.split())[:200].rstrip(". ")
    return f"{text}." if text else "it does not say why."


def _part(evidence: Evidence, name: str) -> Mapping[str, Any]:
    held = evidence.description.settings.get(name)
    return cast("Mapping[str, Any]", held) if isinstance(held, Mapping) else {}
