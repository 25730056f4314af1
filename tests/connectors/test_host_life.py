"""The life of the embedded store's host: starting, being found, ending, dying."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from qdrant_client import QdrantClient, models

from connectors.errors import PlumblineError
from connectors.qdrant import host
from connectors.qdrant.host import Endpoint, door

HOUSE = Path(__file__).resolve().parents[2]


def client(at: Endpoint, key: str | None = None) -> QdrantClient:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return QdrantClient(
            host=at.host,
            grpc_port=at.port,
            prefer_grpc=True,
            api_key=key or at.key,
            https=False,
            check_compatibility=False,
            timeout=30,
        )


def until(fact: Any, seconds: float = 20.0) -> None:
    """Wait for a fact; fails where it does not come."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.02)


def make(c: QdrantClient, name: str = "c", rows: int = 0, size: int = 4) -> None:
    c.create_collection(name, vectors_config=models.VectorParams(size=size, distance=models.Distance.DOT))
    put(c, range(rows), name, size)


def put(c: QdrantClient, ids: Any, name: str = "c", size: int = 4) -> None:
    points = [models.PointStruct(id=i, vector=[float(i)] + [0.5] * (size - 1), payload={"i": i}) for i in ids]
    if points:
        c.upsert(name, points, wait=True)


def write_on(c: QdrantClient, first: int, acknowledged: set[int]) -> None:
    """Write ten rows at a time until the host is gone."""
    for batch in range(first, first + 100_000, 10):
        put(c, range(batch, batch + 10))
        acknowledged.update(range(batch, batch + 10))


def everything(c: QdrantClient, name: str = "c") -> dict[Any, tuple[Any, Any]]:
    found: dict[Any, tuple[Any, Any]] = {}
    offset: Any = None
    while True:
        records, offset = c.scroll(name, limit=500, offset=offset, with_vectors=True)
        found.update({r.id: (r.vector, r.payload) for r in records})
        if offset is None:
            return found


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "store"
    yield folder
    host.stop(folder)


def test_a_second_call_finds_the_host_that_the_first_one_started(root: Path) -> None:
    first = host.ensure(root)
    assert host.ensure(root) == first
    assert host.status(root) == host.Status("running", first)
    assert client(first).info().title.startswith(host.TITLE_PREFIX)


def test_two_racers_start_one_host(root: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from connectors.qdrant.host import ensure; "
        "print(ensure(sys.argv[2]).pid)"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(HOUSE), str(root)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    pids = {int(racer.communicate(timeout=60)[0]) for racer in racers}
    assert len(pids) == 1
    assert host.ensure(root).pid in pids


def test_threads_that_race_get_one_endpoint(root: Path) -> None:
    found: list[Endpoint] = []
    threads = [threading.Thread(target=lambda: found.append(host.ensure(root))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 6


def test_it_starts_in_a_foreign_folder_beside_packages_of_the_same_name(root: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    (foreign / "connectors").mkdir(parents=True)
    (foreign / "connectors" / "__init__.py").write_text("raise SystemExit('somebody else')")
    (foreign / "json.py").write_text("raise SystemExit('a trap in the working directory')")
    code = (
        "import sys; sys.path[:] = [p for p in sys.path if p]; sys.path.insert(0, sys.argv[1]); "
        "from connectors.qdrant.host import ensure; print(ensure(sys.argv[2]).port)"
    )
    environment = {**os.environ, "PYTHONPATH": str(foreign)}
    # The trap stands in PYTHONPATH for the caller's interpreter as well, which -P alone does not shield.
    (foreign / "json.py").unlink()
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(HOUSE), str(root)],
        cwd=foreign,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == host.ensure(root).port


def test_a_script_in_the_working_directory_is_not_run_by_the_host(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grpc.py").write_text("raise SystemExit('a trap')")
    monkeypatch.chdir(tmp_path)
    root.mkdir()
    (root / "json.py").write_text("raise SystemExit('a trap in the store')")
    (root / door.STORE).write_text(json.dumps({"format": door.FORMAT}))
    assert client(host.ensure(root)).get_collections().collections == []


def test_the_key_is_for_the_owner_alone_and_checked_on_every_call(root: Path) -> None:
    at = host.ensure(root)
    assert stat.S_IMODE((root / door.HOST).stat().st_mode) == 0o600
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert at.key not in repr(at)
    for call in (
        lambda c: c.info(),
        lambda c: c.get_collections(),
        lambda c: c.scroll("c"),
        lambda c: c.delete_collection("c"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call(client(at, key="x" * 43))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]
    with grpc.insecure_channel(f"{at.host}:{at.port}") as channel:
        bare = channel.unary_unary("/qdrant.Qdrant/HealthCheck")
        with pytest.raises(grpc.RpcError) as refused:
            bare(b"", timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]


def test_an_idle_host_ends_and_leaves_a_clean_store(root: Path) -> None:
    at = host.ensure(root, idle_seconds=1.0)
    make(client(at), rows=10)
    until(lambda: host.status(root).state == "stopped")
    assert not (root / door.HOST).exists()
    assert len(list(root.glob("collections/*/closed.json"))) == 1
    again = host.ensure(root)
    assert again.key != at.key
    assert client(again).count("c").count == 10


def test_a_host_in_use_does_not_end(root: Path) -> None:
    at = host.ensure(root, idle_seconds=1.0)
    c = client(at)
    started = time.monotonic()
    while time.monotonic() - started < 3.0:
        c.get_collections()
        time.sleep(0.1)
    assert host.ensure(root) == at


def test_sigterm_closes_cleanly(root: Path) -> None:
    at = host.ensure(root)
    make(client(at), rows=25)
    os.kill(at.pid, signal.SIGTERM)
    until(lambda: host.status(root).state == "stopped")
    assert len(list(root.glob("collections/*/closed.json"))) == 1
    assert client(host.ensure(root)).count("c").count == 25


def test_stop_says_whether_there_was_a_host(root: Path) -> None:
    assert host.stop(root) is False
    host.ensure(root)
    assert host.stop(root) is True
    assert host.status(root).state == "stopped"


def test_after_sigkill_everything_acknowledged_is_there(root: Path) -> None:
    """Kill it at any moment of a stream of writes: each acknowledged row is found whole, and none is torn."""
    at = host.ensure(root)
    make(client(at))
    acknowledged: set[int] = set()
    for attempt in range(3):
        at = host.ensure(root)
        c = client(at)
        killer = threading.Timer(0.3 + 0.25 * attempt, os.kill, (at.pid, signal.SIGKILL))
        killer.start()
        first = 100_000 * attempt
        with pytest.raises(grpc.RpcError):
            write_on(c, first, acknowledged)
        killer.join()
        until(lambda: host.status(root).state == "stopped")
        held = everything(client(host.ensure(root)))
        assert acknowledged <= set(held)
        assert len(held) - len(acknowledged) <= 10 * (attempt + 1)
        assert all(v == [float(i), 0.5, 0.5, 0.5] and p == {"i": i} for i, (v, p) in held.items())


def test_after_sigkill_deletes_payload_and_schema_are_there(root: Path) -> None:
    at = host.ensure(root)
    c = client(at)
    make(c, rows=100)
    c.create_payload_index("c", "i", models.PayloadSchemaType.INTEGER, wait=True)
    c.delete("c", list(range(50)), wait=True)
    c.set_payload("c", {"seen": True}, [60], wait=True)
    c.update_vectors("c", [models.PointVectors(id=61, vector=[9.0, 9.0, 9.0, 9.0])], wait=True)
    c.update_collection("c", metadata={"marker": {"encoder": "v1"}})
    c.update_collection_aliases(
        [models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name="c", alias_name="live"))]
    )
    os.kill(at.pid, signal.SIGKILL)
    until(lambda: host.status(root).state == "stopped")
    c = client(host.ensure(root))
    held = everything(c, "live")
    assert set(held) == set(range(50, 100))
    assert held[60][1] == {"i": 60, "seen": True}
    assert held[61][0] == [9.0, 9.0, 9.0, 9.0]
    info = c.get_collection("c")
    assert info.payload_schema["i"].data_type == models.PayloadSchemaType.INTEGER
    assert info.config.metadata == {"marker": {"encoder": "v1"}}
    assert [a.alias_name for a in c.get_collection_aliases("c").aliases] == ["live"]


def test_a_stale_file_of_a_dead_host_is_not_believed(root: Path) -> None:
    at = host.ensure(root)
    os.kill(at.pid, signal.SIGKILL)
    until(lambda: host.status(root).state == "stopped")
    assert (root / door.HOST).exists()
    again = host.ensure(root)
    assert again.pid != at.pid
    assert client(again).get_collections().collections == []


def test_a_folder_of_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(PlumblineError) as refused:
        host.ensure(tmp_path)
    assert refused.value.code == "settings"
    assert "thesis.tex" in refused.value.message
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlumblineError) as refused:
        host.ensure(tmp_path / "file")
    assert refused.value.code == "settings"


def test_a_store_of_a_newer_format_is_refused(root: Path) -> None:
    root.mkdir()
    (root / door.STORE).write_text(json.dumps({"format": door.FORMAT + 1}))
    with pytest.raises(PlumblineError) as refused:
        host.ensure(root)
    assert refused.value.code == "settings"
    assert "format" in refused.value.message


def test_serving_a_store_that_is_served_is_refused(root: Path) -> None:
    host.ensure(root)
    with pytest.raises(PlumblineError) as refused:
        host.serve(root)
    assert refused.value.code == "busy"


def test_a_forked_child_of_a_client_does_not_keep_the_store(root: Path) -> None:
    """A process that has used the host may fork: the child holds neither the folder nor the host's life."""
    code = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1]); from connectors.qdrant.host import ensure; "
        "print(ensure(sys.argv[2]).pid, flush=True)\n"
        "if os.fork() == 0:\n    os.close(1); time.sleep(30)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(HOUSE), str(root)], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.wait(20)
        assert host.ensure(root).pid == pid
        assert host.stop(root, timeout=15)
        assert host.ensure(root).pid != pid
    finally:
        starter.stdout.close() if starter.stdout else None
        os.killpg(starter.pid, signal.SIGKILL)


def test_starting_and_finding_are_fast(root: Path) -> None:
    started = time.perf_counter()
    host.ensure(root)
    cold = time.perf_counter() - started
    started = time.perf_counter()
    host.ensure(root)
    warm = time.perf_counter() - started
    assert cold < 5.0  # 0.4 s on two cores at rest
    assert warm < 0.1


def test_a_store_served_in_the_foreground_is_found_by_the_others(root: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from connectors.qdrant.host import serve; "
        "sys.exit(serve(sys.argv[2], 0))"
    )
    server = subprocess.Popen([sys.executable, "-c", code, str(HOUSE), str(root)])
    until(lambda: host.status(root).state == "running")
    at = host.ensure(root)
    assert at.pid == server.pid
    make(client(at), rows=3)
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    assert client(host.ensure(root)).count("c").count == 3


def test_serving_a_folder_of_other_things_says_why(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(PlumblineError) as refused:
        host.serve(tmp_path)
    assert refused.value.code == "settings"
    assert "thesis.tex" in refused.value.message


def test_a_host_whose_folder_was_taken_away_ends_and_leaves_the_new_one_alone(root: Path) -> None:
    first = host.ensure(root)
    make(client(first), rows=5)
    shutil.rmtree(root)
    second = host.ensure(root)
    assert second.pid != first.pid
    make(client(second), rows=7)
    until(lambda: not alive(first.pid))
    assert host.ensure(root) == second
    assert client(second).count("c").count == 7
    assert not list(root.glob("collections/*/closed.json"))


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
