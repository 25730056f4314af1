"""The poison probe: does a row with NaN or infinity, which a sample may have missed, come up in a search?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.model import Hit, Matrix, RowId
from console.health.findings import SAMPLE_IDS, NotMeasured
from console.health.registry import probe
from console.health.table import NON_FINITE

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.probing import Probing

QUERIES: Final = {"qdrant": 1, "weaviate": 20}
"""Searches. A Qdrant server 1.18.3 put a NaN row first in every answer; on Weaviate it is met by chance."""
DEPTH: Final = {"qdrant": 20, "weaviate": 500}
"""Hits of each search. Weaviate looks at as many candidates as hits are asked for, so that more meet a row."""
FETCHED: Final = 200
"""Hits whose vectors are read, the nearest of each search first: a row with infinity may have a finite score."""
AT_ONCE: Final = 5
READ: Final = 128 * 1024 * 1024
"""Bytes of vectors up to which every row is read where no search would show a bad one: a few seconds."""
LEFT_OUT_SINCE: Final = (1, 19)
"""Version of Qdrant from which rows whose score is NaN are left out of an answer (seen on its engine, 0.9)."""


@dataclass(frozen=True, slots=True)
class Poison:
    """What the probe says. It was possible wherever there is one; else there is a `NotMeasured`.

    `needed` False: every row was read, by a way that carries NaN, and nothing was searched. `ids`: rows with a
    value that is not finite, among the hits. `searches`, `hits`: how many were looked at. `read`: rows whose
    vectors were read instead, every one of the collection.
    """

    needed: bool
    ids: tuple[RowId, ...] = ()
    searches: int = 0
    hits: int = 0
    read: int = 0


def impossible(evidence: Evidence) -> str:
    """Why no search of this server would show a row with NaN, else ""."""
    server = evidence.server
    if evidence.capabilities.sees_non_finite.supported is False or server.transport != "grpc":
        return "JSON cannot carry NaN and infinity: connect by gRPC, or check a snapshot."
    if evidence.kind == "qdrant":
        if server.embedded:
            return "The embedded engine leaves rows with NaN out of its answers: check every row (--full)."
        if _version(server.version) >= LEFT_OUT_SINCE:
            since = ".".join(str(part) for part in LEFT_OUT_SINCE)
            return (
                f"Qdrant leaves rows with NaN out of its answers from {since} on: check every row (--full)."
            )
    return ""


def read_whole(evidence: Evidence) -> bool:
    """Every row was read, by a way that carries NaN and infinity."""
    return evidence.scan.exact and bool(evidence.capabilities.sees_non_finite)


def blind(evidence: Evidence) -> str:
    """Why rows that poison searches may be there unseen, else "": the `not_known` of a verdict."""
    if read_whole(evidence):
        return ""
    found = evidence.get(Poison)
    return found.why if isinstance(found, NotMeasured) else ""


@probe(Poison, order=10, name="Rows that poison searches")
def poison(probing: Probing) -> Poison | NotMeasured:
    evidence = probing.evidence
    if read_whole(evidence):
        return Poison(needed=False)
    why = impossible(evidence)
    if why and evidence.capabilities.sees_non_finite:
        size = evidence.scan.rows * (evidence.field.dimension or 0) * 4
        if size <= READ and evidence.options.rate is None:
            return _read(probing)
    if why and evidence.server.embedded:
        return NotMeasured("non-finite", why)
    queries = _queries(evidence, probing.rng("poison"))
    if not queries.shape[1]:
        return NotMeasured(
            "non-finite", "The vectors' dimension is not known: there is nothing to search with."
        )
    depth = DEPTH[evidence.kind]
    found: list[list[Hit]] = []
    for start in range(0, len(queries), AT_ONCE):
        probing.budget.check()
        probing.progress(start, len(queries))
        found += probing.reader.search(
            probing.target, evidence.field.name, queries[start : start + AT_ONCE], depth, payload=(),
            timeout=probing.timeout,
        )  # fmt: skip
    bad = {hit.id: None for hits in found for hit in hits if not np.isfinite(hit.score)}
    near = dict.fromkeys(
        hits[rank].id
        for rank in range(depth)
        for hits in found
        if rank < len(hits) and hits[rank].id not in bad
    )
    chosen = list(near)[:FETCHED]
    if chosen and not why:
        probing.budget.check()
        batch = probing.reader.fetch(probing.target, chosen, (evidence.field.name,), timeout=probing.timeout)
        held = batch.vectors[evidence.field.name]
        with np.errstate(all="ignore"):
            lengths = np.linalg.norm(held.matrix.astype(np.float64), axis=1).astype(np.float32)
        broken = held.present & ~np.isfinite(lengths)
        bad |= {batch.ids[int(i)]: None for i in np.flatnonzero(broken)}
    if why and not bad:
        return NotMeasured("non-finite", why)
    hits_seen = sum(len(hits) for hits in found)
    return Poison(True, tuple(bad)[: 5 * SAMPLE_IDS], len(queries), hits_seen)


def _read(probing: Probing) -> Poison:
    """Every vector, without payload."""
    field, rows = probing.evidence.field.name, 0
    bad: list[RowId] = []
    for batch in probing.reader.scan(probing.target, (field,), timeout=probing.timeout):
        probing.budget.check()
        held = batch.vectors[field]
        with np.errstate(all="ignore"):
            squared = np.einsum("ij,ij->i", held.matrix, held.matrix, dtype=np.float64)
            lengths = np.sqrt(squared).astype(np.float32)
        bad += [batch.ids[int(i)] for i in np.flatnonzero(held.present & ~np.isfinite(lengths))]
        rows += len(batch)
        probing.progress(rows, probing.evidence.scan.rows)
    return Poison(True, tuple(bad[: 5 * SAMPLE_IDS]), read=rows)


def _queries(evidence: Evidence, rng: np.random.Generator) -> Matrix:
    """(q, d): rows of the collection at random, and each turned round, where infinity may come last or first."""
    n = QUERIES[evidence.kind]
    unit = evidence.unit
    if len(unit):
        chosen = unit[rng.choice(len(unit), n, replace=len(unit) < n)]
    else:
        drawn = rng.standard_normal((n, evidence.field.dimension or 0))
        chosen = (drawn / np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    if evidence.kind == "qdrant" and evidence.field.metric == "dot":
        return np.concatenate([chosen, -chosen])
    return chosen


def _version(text: str | None) -> tuple[int, ...]:
    parts: list[int] = []
    for part in (text or "").split(".")[:2]:
        digits: Any = part if part.isdigit() else ""
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)


def seen(evidence: Evidence) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Bitmap over the table: rows that the scan itself found not finite, peeled rows left out."""
    return evidence.kept & evidence.table.flagged(NON_FINITE)
