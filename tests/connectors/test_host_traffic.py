"""Many clients at once, large collections, the index built beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from qdrant_client import models

from connectors.qdrant import host
from connectors.qdrant.host import upkeep
from connectors.qdrant.host.protos import pb
from tests.connectors.test_host_life import HOUSE, client, everything, make, put, until
from tests.doubles import Double, double

WORKER = """
import sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from connectors.qdrant.host import ensure
from tests.connectors.test_host_life import client, everything
from qdrant_client import models
c, role = client(ensure(sys.argv[2])), sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
for turn in range(1, 26):
    if role == "write":
        c.upsert("c", [models.PointStruct(id=i, vector=[float(turn)] * 8, payload={"turn": turn})
                       for i in range(200)], wait=True)
        print(turn, flush=True)
    elif role == "scan":
        held = everything(c)
        assert len(held) == 200, len(held)
        torn = [i for i, (v, p) in held.items() if v != [float(p["turn"])] * 8]
        assert not torn, torn
    else:
        hits = c.query_points("c", query=[1.0] * 8, limit=200, with_vectors=True).points
        assert len(hits) == 200, len(hits)
        assert all(h.vector == [float(h.payload["turn"])] * 8 for h in hits)
        assert all(abs(h.score - 8.0 * h.payload["turn"]) < 1e-3 for h in hits)
print("done", flush=True)
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "store"
    host.stop(tmp_path / "store")


def workers(root: Path, roles: list[str]) -> list[subprocess.Popen[str]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(HOUSE), str(root), role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role in roles
    ]
    for worker in started:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in started:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return started


def test_three_processes_scan_search_and_write_and_no_row_is_torn(root: Path) -> None:
    c = client(host.ensure(root))
    c.create_collection("c", vectors_config=models.VectorParams(size=8, distance=models.Distance.DOT))
    c.upsert(
        "c", [models.PointStruct(id=i, vector=[0.0] * 8, payload={"turn": 0}) for i in range(200)], wait=True
    )
    for worker in workers(root, ["scan", "search", "write"]):
        out, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
        assert out.endswith("done\n")
    assert {p["turn"] for _, p in everything(c).values()} == {25}


def test_a_kill_under_three_processes_loses_nothing_that_was_acknowledged(root: Path) -> None:
    at = host.ensure(root)
    c = client(at)
    c.create_collection("c", vectors_config=models.VectorParams(size=8, distance=models.Distance.DOT))
    c.upsert(
        "c", [models.PointStruct(id=i, vector=[0.0] * 8, payload={"turn": 0}) for i in range(200)], wait=True
    )
    started = workers(root, ["scan", "search", "write"])
    writer = started[2]
    assert writer.stdout is not None
    last = 0
    for line in writer.stdout:
        last = int(line)
        if last == 5:
            os.kill(at.pid, signal.SIGKILL)
            break
    rest = writer.stdout.read().split()
    acknowledged = max([last, *(int(turn) for turn in rest if turn.isdigit())])
    for worker in started:
        worker.communicate(timeout=60)
    until(lambda: host.status(root).state == "stopped")
    held = everything(client(host.ensure(root)))
    assert len(held) == 200
    assert all(v == [float(p["turn"])] * 8 for v, p in held.values())
    turns = {p["turn"] for _, p in held.values()}
    assert turns <= {acknowledged, acknowledged + 1}


def test_health_is_answered_while_20000_rows_are_written_and_indexed(root: Path) -> None:
    at = host.ensure(root)
    c = client(at)
    c.create_collection(
        "c",
        vectors_config=models.VectorParams(size=512, distance=models.Distance.COSINE),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=10_000),
    )
    late: list[float] = []
    over = threading.Event()

    def ping() -> None:
        other = client(at)
        while not over.is_set():
            started = time.perf_counter()
            other.info()
            late.append(time.perf_counter() - started)
            time.sleep(0.01)

    thread = threading.Thread(target=ping)
    thread.start()
    matrix = np.random.default_rng(1).standard_normal((20_000, 512)).astype(np.float32)
    with grpc.insecure_channel(f"{at.host}:{at.port}") as channel:
        upsert = channel.unary_unary("/qdrant.Points/Upsert")
        for start in range(0, 20_000, 500):
            request = pb.UpsertPoints(collection_name="c", wait=True)
            for i in range(start, start + 500):
                point = request.points.add()
                point.id.num = i
                point.vectors.vector.dense.data = matrix[i].tobytes()
            upsert(request.SerializeToString(), metadata=(("api-key", at.key),), timeout=60)
    until(lambda: c.get_collection("c").indexed_vectors_count == 20_000, 200)
    over.set()
    thread.join()
    assert c.count("c").count == 20_000
    assert max(late) < 1.0
    hit = c.query_points("c", query=matrix[777].tolist(), limit=1).points[0]
    assert hit.id == 777


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Double]:
    """A double whose writes settle at once. `tend` is called by the test, where the host has its ticks."""
    monkeypatch.setattr(upkeep, "QUIET", -1.0)
    with double(tmp_path / "quick") as server:
        yield server


def large(server: Double, rows: int = 300) -> Any:
    c = server.client()
    c.create_collection(
        "c",
        vectors_config=models.VectorParams(size=64, distance=models.Distance.DOT),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=20),
    )
    put(c, range(rows), size=64)
    return c


def test_what_is_written_while_an_index_is_built_is_kept(quick: Double) -> None:
    c = large(quick)
    shard = quick.store.shard("c")
    shard.tend()
    assert c.get_collection("c").status == models.CollectionStatus.YELLOW
    put(c, range(1_000, 1_040), size=64)
    c.delete("c", [1, 2, 3], wait=True)
    c.set_payload("c", {"late": True}, [5], wait=True)
    before = everything(c)
    until(lambda: shard.tend() or c.get_collection("c").indexed_vectors_count >= 297, 60)
    assert everything(c) == before
    assert set(before) == {0, *range(4, 300), *range(1_000, 1_040)}
    assert c.get_collection("c").segments_count > 1
    assert len(list((quick.folder / "collections" / "c").glob("data-*"))) == 1


def test_a_built_index_outlives_a_clean_end(quick: Double) -> None:
    c = large(quick)
    shard = quick.store.shard("c")
    until(lambda: shard.tend() or c.get_collection("c").indexed_vectors_count >= 300, 60)
    held = everything(c)
    quick.store.close()
    assert everything(c) == held
    assert c.get_collection("c").indexed_vectors_count >= 300


def test_a_build_that_fails_leaves_the_collection_as_it_was(
    quick: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = large(quick)
    held = everything(c)
    monkeypatch.setattr("connectors.qdrant.host.builder.CODE", "raise SystemExit(3)")
    shard = quick.store.shard("c")
    shard.tend()
    until(lambda: shard.tend() or not shard.building, 30)
    assert everything(c) == held
    assert c.get_collection("c").indexed_vectors_count == 0
    assert [p.name for p in (quick.folder / "collections" / "c").glob("data-*")] == ["data-1"]


def test_a_collection_can_be_dropped_while_its_index_is_built(quick: Double) -> None:
    c = large(quick)
    quick.store.shard("c").tend()
    assert c.delete_collection("c")
    assert list((quick.folder / "collections").iterdir()) == []
    make(c, rows=2)
    assert c.count("c").count == 2


def test_no_engine_call_is_long(quick: Double) -> None:
    """2,000 rows of 512 in one message are written in parts."""
    c = quick.client()
    c.create_collection("c", vectors_config=models.VectorParams(size=512, distance=models.Distance.COSINE))
    vector = np.random.default_rng(2).standard_normal(512).tolist()
    c.upsert("c", [models.PointStruct(id=i, vector=vector) for i in range(2_000)], wait=True)
    assert quick.store.shard("c").longest_call < 0.5
