"""Vectors that are older than their source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import SAMPLE_IDS, Effect, Finding, NotMeasured, Outcomes, Remedy
from console.health.origins import text_of, value_at
from console.health.probes.panel import PanelNow
from console.health.registry import Threshold, check
from console.health.shares import masks, share_of, table_rows
from console.health.values import seconds

if TYPE_CHECKING:
    from connectors.model import Payload
    from console.health.evidence import Evidence
    from console.health.policy import Policy

HASHES: Final[Mapping[str, Callable[[bytes], str]]] = {
    "md5": lambda b: hashlib.md5(b, usedforsecurity=False).hexdigest(),
    "sha1": lambda b: hashlib.sha1(b, usedforsecurity=False).hexdigest(),
    "sha256": lambda b: hashlib.sha256(b).hexdigest(),
    "blake2b": lambda b: hashlib.blake2b(b).hexdigest(),
}
HASH_FIELDS: Final = (
    "source_hash",
    "content_hash",
    "text_hash",
    "caption_hash",
    "checksum",
    "md5",
    "sha1",
    "sha256",
)
SHORTEST_HASH: Final = 8
EMBEDDED: Final = (
    "embedded_at",
    "embedding_time",
    "embedding_date",
    "vectorized_at",
    "encoded_at",
    "indexed_at",
    "ingested_at",
)
MODIFIED: Final = (
    "source_modified_at", "source_modified", "source_updated_at", "content_modified_at", "content_updated_at",
    "text_updated_at", "modified_at", "updated_at", "last_modified",
)  # fmt: skip


@check(
    "stale-vectors",
    fault="the source changed after the vector was made",
    kind="rows",
    stage="identity",
    severities=("info", "warning"),
    actions=("rebuild",),
    thresholds=(
        Threshold("warning", 0.005, "share of rows, by its lower bound: one row in 200"),
        Threshold(
            "equal",
            0.999999,
            "cosine from which two vectors are one: float32 rounding of a server that normalises",
        ),
        Threshold(
            "elsewhere",
            0.9,
            "share of rows whose source changed at once under the same vectors: pictures were moved, not changed",
        ),
        Threshold(
            "agree", 0.5, "share of rows whose hash must fit their text for the field to be a hash of it"
        ),
        Threshold(
            "tolerance", 60.0, "seconds by which a change may seem later than the embedding: clocks, batches"
        ),
    ),
)
def stale_vectors(evidence: Evidence, policy: Policy) -> Outcomes:
    """By the baseline's panel, by a hash that the rows carry, and by two times of a row: each says what it saw."""
    code = "stale-vectors"
    found: list[Finding] = []
    able = False
    for way in (_by_panel, _by_hash, _by_time):
        outcome = way(evidence, policy)
        if outcome is not None:
            able = True
            found += outcome
    if able:
        return found
    return [
        NotMeasured(
            code,
            "Whether a source changed is not known: there is no baseline with a panel"
            " (plumbline baseline set ADDRESS), no hash of the text in the rows, and no pair of times such as"
            " `embedded_at` and `updated_at`.",
        )
    ]


def _by_panel(evidence: Evidence, policy: Policy) -> list[Finding] | None:
    held, code = evidence.get(PanelNow), "stale-vectors"
    if isinstance(held, NotMeasured) or not held.source_known.any():
        return None
    rows = table_rows(evidence.table.ids, held.ids)
    left = held.source_known & ((rows < 0) | evidence.kept[np.maximum(rows, 0)])
    same = held.identical | (held.cosine >= policy.get(code, "equal"))
    stale = left & ~held.same_source & same
    n, count = int(left.sum()), int(stale.sum())
    if not n:
        return None
    elsewhere = evidence.names.image is not None and count / n >= policy.get(code, "elsewhere")
    told = {
        "by": "the baseline's panel",
        "baseline": held.baseline,
        "panel": held.kept,
        "sources_changed": int((left & ~held.same_source).sum()),
        "only_references_changed": elsewhere,
    }
    what = "since the baseline the source of {} of {} rows changed, and their vectors did not"
    every = evidence.scan.exact and n >= len(evidence.table)
    ids = tuple(held.ids[int(i)] for i in np.flatnonzero(stale)[:SAMPLE_IDS])
    looked = rows[left & (rows >= 0)]
    found = _stale(evidence, policy, "panel", what, count, n, every, rows[stale], looked, ids, told)
    return [f.but(severity="info") for f in found] if elsewhere else found


def _by_hash(evidence: Evidence, policy: Policy) -> list[Finding] | None:
    """Rows carry a hash of the text that was embedded: which field and which hash is found out."""
    names, payloads = evidence.names, evidence.payloads
    texts = [text_of(p, names) for p in payloads]
    for name in _named(names.columns, HASH_FIELDS):
        said = [value_at(p, name) for p in payloads]
        both = [
            i for i, (s, t) in enumerate(zip(said, texts, strict=True))
            if t is not None and isinstance(s, str) and len(s) >= SHORTEST_HASH
        ]  # fmt: skip
        if len(both) < 2:
            continue
        for kind, digest in HASHES.items():
            fits = np.array([_fits(str(said[i]), str(texts[i]), digest) for i in both], np.bool_)
            if fits.mean() <= policy.get("stale-vectors", "agree"):
                continue
            rows = evidence.reservoir.rows[evidence.places[both]]
            stale = rows[~fits]
            told = {"by": "a hash in the rows", "field": name, "hash": kind}
            what = f"the text of {{}} of {{}} rows is not the one whose hash `{name}` holds"
            every = evidence.scan.exact and len(both) == int(evidence.good.sum())
            ids = evidence.table.ids.take(stale[:SAMPLE_IDS])
            return _stale(
                evidence, policy, "hash", what, len(stale), len(both), every, stale, rows, ids, told
            )
    return None


def _by_time(evidence: Evidence, policy: Policy) -> list[Finding] | None:
    """A time of embedding and a later time of change, by the names of their fields."""
    payloads, columns = evidence.payloads, evidence.names.columns
    for made in _named(columns, EMBEDDED):
        for touched in _named(columns, MODIFIED):
            then = _times(payloads, made)
            later = _times(payloads, touched)
            both = np.flatnonzero(np.isfinite(then) & np.isfinite(later))
            if len(both) < 2:
                continue
            after = later[both] > then[both] + policy.get("stale-vectors", "tolerance")
            rows = evidence.reservoir.rows[evidence.places[both]]
            stale = rows[after]
            told = {
                "by": "times in the rows",
                "embedded": made,
                "changed": touched,
                "median_delay_seconds": float(np.median((later - then)[both][after]))
                if after.any()
                else None,
            }
            what = f"{{}} of {{}} rows were changed (`{touched}`) after they were embedded (`{made}`)"
            every = evidence.scan.exact and len(both) == int(evidence.good.sum())
            ids = evidence.table.ids.take(stale[:SAMPLE_IDS])
            return _stale(
                evidence, policy, "time", what, len(stale), len(both), every, stale, rows, ids, told
            )
    return None


def _stale(
    evidence: Evidence,
    policy: Policy,
    key: str,
    what: str,
    count: int,
    n: int,
    every: bool,
    rows: Any,
    looked: Any,
    ids: tuple[Any, ...],
    told: Mapping[str, Any],
) -> list[Finding]:
    if not count or not n:
        return []
    code = "stale-vectors"
    share, low, high = share_of(count, n, every)
    affected, examined = masks(len(evidence.table), rows[rows >= 0], looked)
    text = what.format(f"{count:,}", f"{n:,}")
    return [
        Finding(
            code,
            "warning" if low > policy.get(code, "warning") else "info",
            f"{text[0].upper()}{text[1:]}.",
            "exact" if every else ("probe" if key == "panel" else "sample"),
            Remedy("rebuild", "Embed the affected rows again, and embed a row whenever its source changes."),
            rows=count,
            share=share,
            interval=None if every else (low, high),
            effect=Effect(
                share, policy.get(code, "warning"), low, high, "share of rows older than their source"
            ),
            evidence={**told, "rows_compared": n},
            sample_ids=ids,
            affected=affected,
            examined=examined,
            key=key,
        )
    ]


def _named(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The fields that were read whose own name is one of these, in their order."""
    ends = {column: column.rpartition(".")[2] for column in columns}
    return [column for name in wanted for column in columns if ends[column] == name]


def _times(payloads: Sequence[Payload], path: str) -> Any:
    return np.array([seconds(value_at(p, path)) for p in payloads], np.float64)


def _fits(said: str, text: str, digest: Callable[[bytes], str]) -> bool:
    whole = digest(text.encode("utf-8", "surrogatepass"))
    return whole.startswith(said.lower()) and len(said) >= SHORTEST_HASH
