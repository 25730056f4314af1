"""Deleted rows and copies of shards as real Qdrant servers tell them: one server, and a cluster."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, ConnectionSpec, Row, ShardCopy, Target, VectorField
from connectors.protocol import Connector
from connectors.registry import connect
from console.health.checks.cohorts import shard_gap
from console.health.checks.server import replica_divergence, tombstone_load
from console.health.evidence import Evidence
from console.health.policy import policy
from console.health.probes.replicas import Replicas, replicas
from console.health.probes.shards import Shards, shards
from console.health.probes.storage import Kept, ShardCopies, copies, kept
from tests.health.served import examined, found, probing, unmeasured

RULES = policy()
ROWS, DIMENSION = 3_000, 16
CLOUD = np.random.default_rng(0).normal(size=(ROWS, DIMENSION)).astype(np.float32)
FIELD = VectorField("", "dense", DIMENSION, "dot")
HTTP = urllib3.PoolManager()


def call(url: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
    """One call of the server's HTTP interface, past the connector: what makes a fault."""
    headers = {"api-key": os.environ.get("QDRANT_API_KEY", "")}
    given = {"json": body, "headers": headers} if body is not None else {"headers": headers}
    answer = HTTP.request(method, url + path, **given, **more)
    assert answer.status == 200, answer.data[:300]
    return answer


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def points(url: str, name: str, ids: range, key: str | None = None) -> None:
    for start in range(ids.start, ids.stop, 500):
        part = range(start, min(start + 500, ids.stop))
        held = [{"id": i, "vector": CLOUD[i].tolist(), "payload": {}} for i in part]
        more = {} if key is None else {"shard_key": key}
        call(url, "PUT", f"/collections/{name}/points?wait=true", {"points": held, **more})


def created(url: str, name: str, **more: Any) -> None:
    body = {"vectors": {"size": DIMENSION, "distance": "Dot"}, "hnsw_config": {"full_scan_threshold": 10}}
    call(
        url, "PUT", f"/collections/{name}", {**body, "optimizers_config": {"indexing_threshold": 50}, **more}
    )


def opened(url: str, grpc: str | None) -> Connector:
    return connect(
        ConnectionSpec(
            "real",
            "qdrant",
            url=url,
            grpc_port=int(grpc) if grpc else None,
            api_key=os.environ.get("QDRANT_API_KEY"),
        )
    )


def judged(c: Connector, name: str) -> Evidence:
    t = Target(name)
    held = examined(c, t)
    ask = probing(c, held, t)
    results = {Replicas: replicas(ask), ShardCopies: copies(ask), Kept: kept(ask), Shards: shards(ask)}
    return replace(held, results=results)


@pytest.fixture
def name() -> str:
    return f"Storage{uuid.uuid4().hex[:8]}"


# One server


@pytest.fixture
def server(name: str) -> Iterator[Connector]:
    made = opened(os.environ["QDRANT_URL"], os.environ.get("QDRANT_GRPC"))
    yield made
    made.drop(name)
    made.close()


@pytest.mark.qdrant_server
def test_deleted_rows_of_a_server_are_counted_until_it_cleans_up(
    server: Connector, name: str, tmp_path: Path
) -> None:
    url, t = os.environ["QDRANT_URL"], Target(name)
    created(url, name)
    call(url, "PATCH", f"/collections/{name}", {"optimizers_config": {"deleted_threshold": 1.0}})
    points(url, name, range(ROWS))
    until(lambda: server.index_state(t).status == "ready")
    assert tombstone_load(judged(server, name), RULES) == []
    before = server.tombstones(t).deleted

    call(url, "POST", f"/collections/{name}/points/delete?wait=true", {"points": list(range(1_000))})
    told = server.tombstones(t)
    assert (told.deleted, told.living, told.shards) == (before + 1_000, ROWS - 1_000, (1, 1))
    said = found(tombstone_load(judged(server, name), RULES))
    assert said.severity == "warning"
    assert said.effect is not None
    assert said.effect.value == pytest.approx(told.deleted / (told.deleted + told.living))

    taken = call(url, "POST", f"/collections/{name}/snapshots").json()["result"]["name"]
    (tmp_path / taken).write_bytes(call(url, "GET", f"/collections/{name}/snapshots/{taken}").data)
    file = connect(ConnectionSpec("file", "qdrant", snapshot=str(tmp_path / taken)))
    assert file.tombstones(Target(name)) == told
    file.close()

    call(url, "PATCH", f"/collections/{name}", {"optimizers_config": {"deleted_threshold": 0.05}})
    until(lambda: server.tombstones(t).deleted == 0)
    assert tombstone_load(judged(server, name), RULES) == []
    assert "one copy" in unmeasured(replica_divergence(judged(server, name), RULES))["replica-divergence"]


@pytest.mark.qdrant_server
def test_rows_without_a_vector_are_not_deleted_ones(server: Connector, name: str) -> None:
    """A field's own figure counts rows that never had it."""
    fields = (VectorField("a", "dense", 4, "dot"), VectorField("b", "dense", 4, "dot"))
    server.create(name, CollectionPlan(fields))
    ones = np.ones(4, np.float32)
    server.insert(
        Target(name), [Row(i, {"a": ones} if i % 2 else {"a": ones, "b": ones}, {}) for i in range(500)]
    )
    assert server.tombstones(Target(name)).deleted == 0


@pytest.mark.qdrant_server
def test_what_stands_against_the_telemetry_is_said(server: Connector, name: str) -> None:
    created(os.environ["QDRANT_URL"], name)
    if grpc := os.environ.get("QDRANT_GRPC"):
        plain = connect(ConnectionSpec("plain", "qdrant", grpc_host="127.0.0.1", grpc_port=int(grpc)))
        with pytest.raises(PlumblineError) as caught:
            plain.tombstones(Target(name))
        assert caught.value.code == "unsupported"
        assert "HTTP" in caught.value.message
        plain.close()
    with pytest.raises(PlumblineError) as caught:
        server.tombstones(Target("nowhere"))
    assert caught.value.code == "unsupported"


def test_the_embedded_engine_says_that_it_does_not_tell(tmp_path: Path) -> None:
    from connectors.qdrant import host

    store = connect(ConnectionSpec("embedded", "qdrant", path=str(tmp_path / "store")))
    try:
        store.create("rows", CollectionPlan((FIELD,)))
        store.insert(Target("rows"), [Row(i, {"": CLOUD[i]}, {}) for i in range(60)])
        why = unmeasured(tombstone_load(judged(store, "rows"), RULES))
        assert "embedded" in why["tombstone-load"]
    finally:
        store.close()
        host.stop(tmp_path / "store")


# A cluster


@pytest.fixture
def cluster(name: str) -> Iterator[list[tuple[str, Connector]]]:
    """The nodes: URL and connection."""
    urls = os.environ["QDRANT_CLUSTER"].split()
    ports = os.environ.get("QDRANT_CLUSTER_GRPC", "").split()
    made = [(url, opened(url, port)) for url, port in zip(urls, ports or [None] * len(urls), strict=True)]
    yield made
    made[0][1].drop(name)
    for _, connector in made:
        connector.close()


@pytest.mark.qdrant_cluster
def test_copies_that_agree_and_copies_that_do_not(cluster: list[tuple[str, Connector]], name: str) -> None:
    """A copy restored from an older snapshot, without synchronising: what a disk put back from a backup does."""
    url = cluster[0][0]
    created(url, name, shard_number=2, replication_factor=2)
    points(url, name, range(ROWS))
    for _, node in cluster:
        until(lambda node=node: all(c.rows is not None for c in node.copies(Target(name))))  # type: ignore[misc]
        assert replica_divergence(judged(node, name), RULES) == [], "every copy is known, and they agree"

    at, shard = next(
        (u, local["shard_id"])
        for u, _ in cluster
        for local in call(u, "GET", f"/collections/{name}/cluster").json()["result"]["local_shards"]
    )
    old = call(at, "GET", f"/collections/{name}/shards/{shard}/snapshot").data
    call(url, "POST", f"/collections/{name}/points/delete?wait=true", {"points": list(range(1_000))})
    call(at, "POST", f"/collections/{name}/shards/{shard}/snapshots/upload?priority=no_sync&wait=true",
         fields={"snapshot": ("old.snapshot", old)})  # fmt: skip
    for _, node in cluster:
        until(lambda node=node: all(c.rows is not None for c in node.copies(Target(name))))  # type: ignore[misc]
        said = found(replica_divergence(judged(node, name), RULES))
        assert said.severity == "warning"
        assert said.evidence["shards"] == [shard]
        low, high = sorted(said.evidence["rows"].values())
        assert 400 < high - low < 600, "about half of the deleted rows lie in that shard"


@pytest.mark.qdrant_cluster
def test_a_node_tells_of_its_own_shards_only(cluster: list[tuple[str, Connector]], name: str) -> None:
    url = cluster[0][0]
    # One shard on each node: Qdrant spreads them evenly.
    created(url, name, shard_number=len(cluster), optimizers_config={"deleted_threshold": 1.0})
    points(url, name, range(ROWS))
    held = []
    for _, node in cluster:
        told = node.tombstones(Target(name))
        held.append(told)
        assert told.shards[1] == len(cluster)
        why = unmeasured(tombstone_load(judged(node, name), RULES))["tombstone-load"]
        assert f"of {len(cluster)} shards" in why
    assert sum(t.living for t in held) == ROWS


@pytest.mark.qdrant_cluster
def test_a_shard_that_is_served_worse(cluster: list[tuple[str, Connector]], name: str) -> None:
    """A row of NaN comes first in every search of its shard."""
    url, node = cluster[0]
    created(url, name, shard_number=1, replication_factor=2, sharding_method="custom")
    for i, key in enumerate(("de", "en", "fr")):
        call(url, "PUT", f"/collections/{name}/shards", {"shard_key": key})
        points(url, name, range(i * 1_000, (i + 1) * 1_000), key)
    node.insert(Target(name, "fr"), [Row(ROWS, {"": np.full(DIMENSION, np.nan, np.float32)}, {})])
    outcomes = shard_gap(judged(node, name), RULES)
    assert not unmeasured(outcomes)
    worse = [o for o in outcomes if getattr(o, "severity", None) is not None]
    assert [json.loads(json.dumps(o.evidence))["part"] for o in worse] == ["fr"]  # type: ignore[union-attr]


@pytest.mark.qdrant_cluster
def test_copies_are_named_by_shard_and_node(cluster: list[tuple[str, Connector]], name: str) -> None:
    url = cluster[0][0]
    created(url, name, shard_number=2, replication_factor=2)
    seen: set[tuple[ShardCopy, ...]] = set()
    for _, node in cluster:
        until(lambda node=node: all(c.rows is not None for c in node.copies(Target(name))))  # type: ignore[misc]
        told = node.copies(Target(name))
        assert [(c.state, c.rows) for c in told] == [("active", 0)] * 4
        assert len({(c.shard, c.node) for c in told}) == 4
        seen.add(told)
    assert len(seen) == 1, "every node tells the same"
