"""Faults of the index, of the server's state, of the metric and of encoders, each at several intensities."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from connectors.model import IndexState, Target, Tenant
from tests.faults.bases import START, Base, mixed, popular, text
from tests.faults.demo_base import demo
from tests.faults.memory import Memory, Rows
from tests.faults.plants import Planted, choose, grouped, rotation

SILENT, INFO, WARNING, CRITICAL = None, "info", "warning", "critical"
BOTH = ("qdrant", "weaviate")


@dataclass(frozen=True)
class Cell:
    """One fault on one base. `steps`: rows (or whatever the plant counts) -> the severity that is true of them.

    `SILENT`: nothing of this code above a remark. `encoder`: needs the demo's encoders.
    """

    name: str
    code: str
    make: Callable[[], Base]
    plant: Callable[[Base, int, np.random.Generator], Planted]
    steps: Mapping[int, str | None]
    kinds: tuple[str, ...] = BOTH
    encoder: bool = False


CELLS: dict[str, Cell] = {}


def cell(
    name: str,
    code: str,
    make: Callable[[], Base],
    steps: Mapping[int, str | None],
    kinds: tuple[str, ...] = BOTH,
    encoder: bool = False,
) -> Callable[[Callable[[Base, int, np.random.Generator], Planted]], Callable[..., Planted]]:
    def register(plant: Callable[[Base, int, np.random.Generator], Planted]) -> Callable[..., Planted]:
        CELLS[name] = Cell(name, code, make, plant, steps, kinds, encoder)
        return plant

    return register


def words() -> Base:
    return text(1_000)


def few() -> Base:
    return text(1_000, 1_500)


# What the server says of its index.

SEGMENTS, START_AT = 2, 50
"""50 kB in each of 2 segments may be without an index: 266 vectors of 96 dimensions."""


@cell(
    "behind", "unindexed-vectors", few, {200: SILENT, 300: WARNING, 900: WARNING, 1_500: WARNING}, ("qdrant",)
)
def behind(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """The optimizer rests, and so many vectors have no index."""
    n = len(base)
    state = IndexState("ready", rows=n, indexed=n - count, details={"segments": SEGMENTS})
    settings = {"optimizer": {"indexing_threshold": START_AT}}
    return Planted(base, None, ("unindexed-vectors",), more={"index": state, "settings": settings})


STATES: Mapping[str, tuple[str, IndexState, str, str]] = {
    "failed": ("qdrant", IndexState("failed", "optimizer error", rows=1_500, indexed=100), "critical", "reindex"),
    "building": ("qdrant", IndexState("building", rows=1_500, indexed=700), "info", "none"),
    "read-only": ("weaviate", IndexState("stalled", "read-only", rows=1_500, indexed=1_500), "warning", "investigate"),
    "queue": ("weaviate", IndexState("building", rows=1_500, indexed=700, queue=800), "warning", "investigate"),
}  # fmt: skip
"""Name -> kind of database, what it says, the severity and the remedy that belong to it."""

CONFIGS: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "m": ("qdrant", {"index_config": {"m": 0}}, "warning"),
    "indexing_threshold": ("qdrant", {"settings": {"optimizer": {"indexing_threshold": 0}}}, "warning"),
    "grey": ("qdrant", {"index": IndexState("stalled", "grey", rows=1_500, indexed=1_500)}, "warning"),
    "skip": ("weaviate", {"index_config": {"skip": True}}, "warning"),
    "field=embedding_version": ("qdrant", {"indexed": ("source", "language")}, "info"),
}
"""Key of index-config -> kind, the rows' settings, severity."""

FINE: Mapping[str, tuple[str, dict[str, Any]]] = {
    "m, but for each tenant": ("qdrant", {"index_config": {"m": 0, "payload_m": 16}}),
    "flat and small": ("weaviate", {"index_config": {"type": "flat"}}),
    "as it comes": ("qdrant", {"settings": {"optimizer": {"indexing_threshold": 10_000}}}),
}


@cell(
    "flat", "index-config", lambda: text(1_000, 10_050, 16), {9_000: SILENT, 10_050: WARNING}, ("weaviate",)
)
def flat_index(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """A flat index at so many rows."""
    small = base.but(
        matrix=base.matrix[:count],
        payloads=base.payloads[:count],
        ids=base.ids[:count],
        present=base.present[:count],
        topics=base.topics[:count],
    )
    return Planted(small, None, ("index-config",), more={"index_config": {"type": "flat"}})


# What the index loses.


@cell(
    "codebook",
    "stale-quantization",
    few,
    {1: SILENT, 10: WARNING, 60: CRITICAL, 150: CRITICAL, 400: CRITICAL},
    ("qdrant",),
)
def codebook(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Scores of the quantized vectors are off by so many thousandths."""
    more = {"quantization": {"type": "product"}, "noise": count / 1_000}
    return Planted(base, None, ("stale-quantization",), follows=("low-ann-recall", "cohort-gap"), more=more)


@cell(
    "flood",
    "filter-masking",
    lambda: text(1_000, common=1.0, themes=200),
    {0: SILENT, 60: WARNING, 120: WARNING, 160: WARNING},
)
def flood(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """One camera's rows lie near the centre of everything, each somewhere else around it."""
    base, at, group = grouped(base, count, rng)
    matrix = base.matrix.astype(np.float64)
    centre = matrix.mean(axis=0)
    centre /= np.linalg.norm(centre)
    matrix[at] = 0.2 * matrix[at] + centre
    matrix[at] /= np.linalg.norm(matrix[at], axis=1, keepdims=True)
    return Planted(
        base.but(matrix=matrix.astype(np.float32)), None, ("filter-masking", "collapsed-neighbors"), group,
        follows=("text-vector-disagreement",),
    )  # fmt: skip


@cell(
    "lost-language",
    "cohort-gap",
    lambda: text(1_000, per_topic=24),
    {0: SILENT, 2: SILENT, 25: WARNING, 50: WARNING, 90: WARNING},
)
def lost_language(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """What is said in Spanish is said in no other language, and the index has lost so many of a hundred of its rows."""
    spanish = base.topics % 10 == 0
    rows = [{**p, "language": "es" if es else "en"} for p, es in zip(base.payloads, spanish, strict=True)]
    lost = np.flatnonzero(spanish)
    hidden = rng.choice(lost, len(lost) * count // 100, replace=False)
    return Planted(
        base.but(payloads=rows), None, ("cohort-gap", "low-ann-recall"), ("language", "es"), more={"hidden": hidden}
    )  # fmt: skip


class Tenants(Memory):
    """Rows in memory of a Qdrant collection whose `source` is its tenants' field."""

    def tenants(self, t: Target, *, timeout: float | None = None) -> tuple[Tenant, ...]:  # type: ignore[override]
        held = super()._rows(Target(t.collection)).payloads
        names = sorted({str(p["source"]) for p in held})
        return tuple(Tenant(n, "active", sum(p["source"] == n for p in held)) for n in names)

    def _rows(self, t: Target) -> Rows:
        rows = super()._rows(t)
        if t.tenant is None:
            return rows
        at = np.array([i for i, p in enumerate(rows.payloads) if p["source"] == t.tenant], np.int64)
        hidden = None if rows.hidden is None else np.flatnonzero(np.isin(at, rows.hidden))
        return replace(
            rows,
            ids=[rows.ids[i] for i in at],
            matrix=rows.matrix[at],
            present=rows.present[at],
            payloads=[rows.payloads[i] for i in at],
            hidden=hidden,
        )


class Slow(Memory):
    """Each request for neighbours takes `pause` seconds more."""

    pause = 0.0

    def search(self, *args: Any, **more: Any) -> Any:
        time.sleep(self.pause)
        return super().search(*args, **more)


# What the metric and the modalities say.


@cell(
    "spread-lengths",
    "metric-mismatch",
    lambda: popular(1_000),
    {2: SILENT, 10: WARNING, 30: WARNING, 60: WARNING},
)
def spread_lengths(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Lengths are spread by so many hundredths under dot, though the encoder that is named makes unit vectors."""
    unit = base.matrix / np.linalg.norm(base.matrix, axis=1, keepdims=True)
    length = rng.lognormal(0, count / 100, len(base))
    matrix = (unit * length[:, None]).astype(np.float32)
    named = base.but(matrix=matrix, settings={**base.settings, "encoder": "scenes-v2"})
    return Planted(named, None, ("metric-mismatch",), follows=("filter-masking", "collapsed-neighbors"))


@cell("partners-apart", "modality-gap", lambda: mixed(1_000), {300: SILENT, 2_000: CRITICAL})
def partners_apart(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Words of another model than the pictures, for the first so many rows."""
    texts = [i for i, p in enumerate(base.payloads) if p["modality"] == "text" and i < count]
    matrix = base.matrix.copy()
    matrix[texts] = matrix[texts] @ rotation(matrix.shape[1]).astype(np.float32)
    return Planted(
        base.but(matrix=matrix), None, ("modality-gap",),
        follows=("text-vector-disagreement", "collapsed-neighbors", "dominant-axis", "same-source-different-vector"),
    )  # fmt: skip


# Sources that changed.


@cell("changed-later", "stale-vectors", words, {7: SILENT, 30: WARNING, 300: WARNING, 1_500: WARNING})
def changed_later(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Rows of one source were changed a day after they were embedded; others within the same batch."""
    base, at, group = grouped(base, count, rng)
    chosen = set(at.tolist())
    rows = [
        {
            **p,
            "embedded_at": (START + timedelta(seconds=37 * i)).isoformat(),
            "updated_at": (START + timedelta(seconds=37 * i, days=1 if i in chosen else 0)).isoformat(),
        }
        for i, p in enumerate(base.payloads)
    ]
    return Planted(base.but(payloads=rows), at, ("stale-vectors",), group)


@cell("old-hash", "stale-vectors", words, {7: SILENT, 30: WARNING, 300: WARNING})
def old_hash(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Rows carry a hash of the text that was embedded; one source's texts were edited."""
    base, at, group = grouped(base, count, rng)
    rows = [{**p, "source_hash": hashlib.sha256(p["caption"].encode()).hexdigest()} for p in base.payloads]
    for i in at:
        rows[i]["caption"] += " edited"
    return Planted(base.but(payloads=rows), at, ("stale-vectors",), group)


# Encoders.


def scenes() -> Base:
    return demo().base


WITH = {"encoder": "scenes-v2"}


@cell(
    "foreign",
    "encoder-mismatch",
    scenes,
    {0: SILENT, 80: WARNING, 300: CRITICAL, 2_000: CRITICAL},
    encoder=True,
)
def foreign(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """So many rows are the earlier encoder's, and tagged as today's."""
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at] = demo().old[at]
    return Planted(
        base.but(matrix=matrix), None, ("encoder-mismatch",), options=WITH,
        follows=("text-vector-disagreement", "modality-gap", "same-source-different-vector", "collapsed-neighbors", "no-structure", "dominant-axis"),
    )  # fmt: skip


@cell(
    "exchanged",
    "misaligned-payload",
    scenes,
    {0: SILENT, 60: WARNING, 300: CRITICAL, 1_000: CRITICAL},
    encoder=True,
)
def exchanged(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """The sources of some rows stand on one another's vectors, by no fixed step."""
    at = choose(base, count, rng)
    rng.shuffle(at)
    return shifted(base, at, np.roll(at, 1))


@cell(
    "off-by-one",
    "misaligned-payload",
    scenes,
    {0: SILENT, 60: WARNING, 400: CRITICAL, 2_000: CRITICAL},
    encoder=True,
)
def off_by_one(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """In a run of rows, each has the source of the one before it (in the order of ingestion)."""
    at = np.arange(count)
    return shifted(base, at, np.roll(at, 2))


SOURCE = ("caption", "image", "modality", "language", "shapes", "colours", "things", "background", "relation")


def shifted(base: Base, at: np.ndarray, source: np.ndarray) -> Planted:
    rows = [dict(p) for p in base.payloads]
    for i, j in zip(at.tolist(), source.tolist(), strict=True):
        for name in SOURCE:
            rows[i].pop(name, None)
            if name in base.payloads[j]:
                rows[i][name] = base.payloads[j][name]
    return Planted(
        base.but(payloads=rows), None, ("misaligned-payload",), options=WITH,
        follows=("text-vector-disagreement", "encoder-mismatch", "same-source-different-vector"),
    )  # fmt: skip


@cell(
    "too-long",
    "cut-source",
    scenes,
    {0: SILENT, 5: SILENT, 50: WARNING, 300: WARNING, 900: WARNING},
    encoder=True,
)
def too_long(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Texts of one camera say the same three times over; the encoder reads the beginning, as it did before."""
    texts = np.array([i for i, p in enumerate(base.payloads) if p["modality"] == "text"])
    at = np.sort(rng.choice(texts, count, replace=False))
    rows = [dict(p) for p in base.payloads]
    for i in at:
        rows[i]["caption"] = ", ".join([rows[i]["caption"]] * 3)
    return Planted(
        base.but(payloads=rows), at, ("cut-source",), options=WITH,
        follows=("encoder-mismatch", "text-vector-disagreement"),
    )  # fmt: skip


NOT_APPLICABLE: Mapping[str, str] = {
    "replica-divergence": "one copy of each shard is all that these stores keep: tests/health/test_storage_real.py has a cluster",
    "tombstone-load": "neither Weaviate nor the embedded engine tells it: tests/health/test_storage_real.py has a server",
}
"""Code -> why no store at hand can show it."""

ELSEWHERE = frozenset(
    {
        "shard-gap", "distribution-drift", "recall-drop", "latency-spike", "size-change", "encoder-changed",
    }
)  # fmt: skip
"""Codes with tests of their own in test_more.py: they need a baseline, tenants, or an encoder that changes."""
