"""Recall of real indexes, good and bad, against brute force over every row."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from connectors.model import (
    CollectionPlan,
    ConnectionSpec,
    PayloadField,
    Row,
    RowId,
    SearchOptions,
    Target,
    VectorField,
)
from connectors.protocol import Connector
from connectors.registry import connect
from console.health import reservoir
from console.health.checks.index import index_config, unindexed_vectors
from console.health.checks.search import low_ann_recall, stale_quantization
from console.health.checks.server import replica_divergence, tombstone_load
from console.health.evidence import Evidence
from console.health.options import CheckOptions, FieldNames
from console.health.policy import policy
from console.health.probes.recall import Recall, recall
from console.health.probes.replicas import Replicas, replicas
from console.health.probes.state import Later, later
from console.health.scan import examine
from tests.health.served import examined, found, probing, unmeasured

ROWS, DIMENSION = 3_000, 48
RULES = policy()
_RNG = np.random.default_rng(0)
CLOUD = (
    _RNG.normal(size=(30, DIMENSION))[_RNG.integers(0, 30, ROWS)] * 0.6 + _RNG.normal(size=(ROWS, DIMENSION))
).astype(np.float32)

STORES = ["embedded", pytest.param("weaviate", marks=pytest.mark.weaviate)]
BAD = {
    "embedded": {"m": 4, "ef_construct": 8, "full_scan_threshold": 10},
    "weaviate": {"maxConnections": 8, "efConstruction": 16, "ef": 11},
}


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connector]:
    if request.param == "weaviate":
        server = request.getfixturevalue("weaviate_server")
        connector = connect(server.spec("weaviate"))
        yield connector
        connector.close()
        return
    from connectors.qdrant import host

    folder: Path = tmp_path_factory.mktemp("recall") / "store"
    connector = connect(ConnectionSpec("embedded", "qdrant", path=str(folder)))
    yield connector
    connector.close()
    host.stop(folder)


def made(c: Connector, *fields: Mapping[str, object]) -> list[Target]:
    """`CLOUD` in a new collection for each field, and their indexes built: they are waited for together."""
    targets = [_filled(c, field) for field in fields]
    end = time.monotonic() + 120
    while time.monotonic() < end:
        states = [c.index_state(t) for t in targets]
        if all(state.status == "ready" and state.indexed for state in states):
            return targets
        time.sleep(0.2)
    raise AssertionError([c.index_state(t) for t in targets])


def _filled(c: Connector, field: Mapping[str, object]) -> Target:
    qdrant = c.spec.kind == "qdrant"
    clip = VectorField("clip", "dense", DIMENSION, "cosine", **field)  # type: ignore[arg-type]
    options = {"optimizer": {"indexing_threshold": 100}} if qdrant else {}
    t = Target(f"Recall{uuid.uuid4().hex[:8]}")
    c.create(t.collection, CollectionPlan((clip,), (PayloadField("kind", "keyword"),), options=options))
    ids: list[RowId] = [i if qdrant else str(uuid.UUID(int=i + 1)) for i in range(ROWS)]
    c.insert(
        t,
        [Row(i, {"clip": v}, {"kind": "ab"[n % 2]}) for n, (i, v) in enumerate(zip(ids, CLOUD, strict=True))],
    )
    return t


def brute_force(c: Connector, t: Target) -> float:
    """Recall@10 over every row as a query, by ids: the rows differ from each other."""
    held = list(c.scan(t, ("clip",)))
    ids = [i for b in held for i in b.ids]
    x = np.concatenate([b.vectors["clip"].matrix for b in held]).astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    products = x @ x.T
    np.fill_diagonal(products, -np.inf)
    near = np.argpartition(-products, 10, axis=1)[:, :10]
    answers = c.search(t, "clip", x.astype(np.float32), 11, payload=())
    right = 0
    for i, hits in enumerate(answers):
        got = [h.id for h in hits if h.id != ids[i]][:10]
        right += len({ids[j] for j in near[i]} & set(got))
    return right / (10 * len(ids))


def judged(c: Connector, t: Target, sample: int | None = None) -> Evidence:
    held = examined(c, t, "clip", sample=sample)
    ask = probing(c, held, t)
    return replace(held, results={Recall: recall(ask), Later: later(ask), Replicas: replicas(ask)})


def test_a_good_index_is_silent_and_a_bad_one_read_as_it_is(store: Connector) -> None:
    good, bad = made(store, {}, {"index": {"type": "hnsw", **BAD[store_name(store)]}})
    try:
        held = judged(store, good)
        said = found(low_ann_recall(held, RULES), "")
        assert said.severity is None
        assert said.effect is not None
        assert said.effect.value > 0.98
        assert found(low_ann_recall(held, RULES), "itself").severity is None
        assert not [o for o in index_config(held, RULES) if getattr(o, "severity", None) == "warning"]
        assert "tombstone-load" in unmeasured(tombstone_load(held, RULES))
        assert "one copy" in unmeasured(replica_divergence(held, RULES))["replica-divergence"]
        queue = unmeasured(unindexed_vectors(held, RULES))
        assert ("update queue" in queue) == held.server.embedded

        wanted = brute_force(store, bad)
        assert wanted < 0.85
        for sample in (None, 1_000):
            said = found(low_ann_recall(judged(store, bad, sample), RULES))
            assert said.severity == "critical"
            assert said.effect is not None
            assert said.effect.low is not None
            assert said.effect.high is not None
            # The estimate from a sample is the pooled recall, which lies a little off where misses cluster.
            room = 0.06 if said.evidence["truth"] == "sample" else 0.015
            assert said.effect.low - room <= wanted <= said.effect.high + room, (sample, wanted, said.effect)
    finally:
        store.drop(good.collection)
        store.drop(bad.collection)


def test_a_full_scan_of_many_rows_finds_the_truth_in_passing(
    store: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reservoir can't hold the collection, as of one with millions of rows."""
    monkeypatch.setattr(reservoir, "ROWS", 1_000)
    (bad,) = made(store, {"index": {"type": "hnsw", **BAD[store_name(store)]}})
    try:
        description = store.describe(bad)
        names = FieldNames(groups=("kind",), columns=("kind",))
        read = examine(
            store, bad, description, description.dense, names, CheckOptions(sample=None),
            tell=lambda _: None, cancelled=lambda: False, seek=True,
        )["clip"]  # fmt: skip
        held = replace(
            examined(store, bad, "clip", names=names),
            scan=read.facts,
            profile=read.profile,
            table=read.table,
            reservoir=read.reservoir,
            sought=read.sought,
        )
        held = replace(held, results={Recall: recall(probing(store, held, bad))})
        said = found(low_ann_recall(held, RULES), "")
        assert said.evidence["truth"] == "client"
        assert said.effect is not None
        assert said.effect.low is not None
        assert said.effect.high is not None
        wanted = brute_force(store, bad)
        assert said.effect.low - 0.015 <= wanted <= said.effect.high + 0.015
        assert len(set(held.results[Recall].plain.queries.tolist())) == 200
    finally:
        store.drop(bad.collection)


def store_name(c: Connector) -> str:
    return "embedded" if c.spec.kind == "qdrant" else "weaviate"


def test_quantization_on_the_real_engine(store: Connector) -> None:
    if store.spec.kind == "weaviate":
        (t,) = made(store, {"quantization": {"type": "bq"}})
        why = unmeasured(stale_quantization(judged(store, t), RULES))["stale-quantization"]
        assert "settings of the index" in why
        store.drop(t.collection)
        return
    coarse, fine = made(
        store,
        {"quantization": {"binary": {"always_ram": True}}},
        {"quantization": {"scalar": {"type": "Int8"}}},
    )
    try:
        said = found(stale_quantization(judged(store, coarse), RULES))
        assert said.severity == "critical"
        assert said.evidence["without_quantization"]["value"] > 0.95
        rescored = store.search(
            coarse, "clip", CLOUD[:50], 11, None, SearchOptions(rescore=True, oversampling=4.0), ()
        )
        served = store.search(coarse, "clip", CLOUD[:50], 11, payload=())
        exact = store.search(coarse, "clip", CLOUD[:50], 11, None, SearchOptions(exact=True), ())
        overlap = [
            np.mean(
                [len({h.id for h in a} & {h.id for h in b}) / 11 for a, b in zip(exact, some, strict=True)]
            )
            for some in (served, rescored)
        ]
        assert said.evidence["as_served"]["value"] == pytest.approx(overlap[0], abs=0.1)
        assert said.evidence["with_rescoring"]["value"] == pytest.approx(overlap[1], abs=0.1)
        assert found(stale_quantization(judged(store, fine), RULES)).severity is None
    finally:
        store.drop(coarse.collection)
        store.drop(fine.collection)


def test_collections_left_in_a_loading_mode(store: Connector) -> None:
    name = f"Loading{uuid.uuid4().hex[:8]}"
    qdrant = store.spec.kind == "qdrant"
    index = {"m": 0} if qdrant else {"skip": True}
    options = {"optimizer": {"indexing_threshold": 0}} if qdrant else {}
    field = VectorField("clip", "dense", DIMENSION, "cosine", index={"type": "hnsw", **index})
    store.create(name, CollectionPlan((field,), options=options))
    try:
        t = Target(name)
        store.insert(t, [Row(str(uuid.UUID(int=i + 1)), {"clip": CLOUD[i]}, {}) for i in range(50)])
        held = examined(store, t, "clip")
        keys = {f.key: f.severity for f in index_config(held, RULES)}  # type: ignore[union-attr]
        assert keys == ({"m": "warning", "indexing_threshold": "warning"} if qdrant else {"skip": "warning"})
    finally:
        store.drop(name)
