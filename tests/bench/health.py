"""Reading a collection for a check: the profile's kernel, whole scans of both databases, memory.

`python -m tests.bench.health [kernel|qdrant|weaviate|memory|command] [ROWS]`; without a part all of them. Prints one
JSON object a line. Ratios are taken in turns within one run, each part at its best, so they hold on any machine. Exits
with 1 where a goal is missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from connectors.model import Batch, CollectionPlan, ConnectionSpec, Row, Target, VectorField, Vectors
from console.health.causes import explain
from console.health.charts import charts
from console.health.evidence import Evidence
from console.health.options import CheckOptions, FieldNames
from console.health.policy import policy
from console.health.profile import Profile
from console.health.report import build
from console.health.run import judge
from console.health.scan import Examined, examine, gather
from console.health.table import Codes
from tests.bench.scan_weaviate import best_in_turns

DIMENSION = 512
KERNEL_ROWS = 100_000
QDRANT_ROWS = 200_000
WEAVIATE_ROWS = 50_000
FEW, MANY = 100_000, 1_000_000
PAGE = 2_000
AT_MOST = {
    "profile_against_norm": 3.0,
    "profile_with_two_groups_against_norm": 4.0,
    "examine_time_against_bare_receive": 1.25,
    "growth_mb": 50.0,
    "seconds": 10.0,
}
AT_LEAST = {"examine_against_naive": 1.5, "check_against_naive": 1.5}
NAMES = FieldNames(
    version="tag",
    text="caption",
    time="taken_in",
    groups=("tag", "camera"),
    columns=("tag", "camera", "caption", "taken_in"),
)


def main() -> int:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else None
    if part == "peak":
        print(json.dumps(peak(rows or FEW)))
        return 0
    parts: dict[str, Callable[[int | None], dict[str, Any]]] = {
        "kernel": kernel, "qdrant": qdrant, "weaviate": weaviate, "memory": memory, "command": command,
    }  # fmt: skip
    missed = 0
    for name, measure in parts.items():
        if part in ("", name):
            held = measure(rows)
            print(json.dumps({"part": name, **held}), flush=True)
            missed += sum(held.get(key, goal) > goal for key, goal in AT_MOST.items())
            missed += sum(held.get(key, goal) < goal for key, goal in AT_LEAST.items())
    return int(missed > 0)


def kernel(rows: int | None) -> dict[str, Any]:
    """The profile of a matrix in memory, hashes and all, against one pass of numpy's norm over it."""
    n = rows or KERNEL_ROWS
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((n, DIMENSION), dtype=np.float32)
    present = np.ones(n, np.bool_)
    groups = {
        name: Codes(rng.integers(0, k + 1, n).astype(np.uint16), tuple(f"value {i}" for i in range(k)))
        for name, k in (("version", 3), ("source", 8))
    }

    def profiled(fields: dict[str, Codes]) -> Profile:
        made = Profile()
        for start in range(0, n, PAGE):
            part = slice(start, start + PAGE)
            codes = {name: Codes(c.codes[part], c.values) for name, c in fields.items()}
            made.update(matrix[part], present[part], codes)
        return made

    best = best_in_turns(
        {
            "norm": lambda: np.linalg.norm(matrix, axis=1),
            "plain": lambda: profiled({}),
            "grouped": lambda: profiled(groups),
        },
        5,
    )
    return {
        "rows": n,
        "norm_ns_per_row": round(best["norm"] * 1e9 / n),
        "profile_against_norm": round(best["plain"] / best["norm"], 2),
        "profile_with_two_groups_against_norm": round(best["grouped"] / best["norm"], 2),
    }


def rows_of(n: int, ids: Callable[[int], Any], seed: int = 0) -> Iterator[Row]:
    rng = np.random.default_rng(seed)
    for start in range(0, n, 5_000):
        for i, vector in enumerate(
            rng.standard_normal((min(5_000, n - start), DIMENSION), dtype=np.float32), start
        ):
            yield Row(
                ids(i),
                {"clip": vector},
                {
                    "tag": f"v{i % 3}",
                    "camera": f"camera-{i % 8}",
                    "caption": f"row {i}",
                    "taken_in": 1_700_000_000 + i,
                },
            )


def whole(connector: Any, t: Target, names: FieldNames) -> Examined:
    description = connector.describe(t)
    return examine(
        connector, t, description, description.dense, names, CheckOptions(sample=None),
        tell=lambda _: None, cancelled=lambda: False,
    )["clip"]  # fmt: skip


def stock_client(store: Path) -> Any:
    """The stock client on an embedded store's host, by gRPC."""
    from qdrant_client import QdrantClient

    from connectors.qdrant import host

    end = host.ensure(store)
    return QdrantClient(
        host=end.host, grpc_port=end.port, prefer_grpc=True, api_key=end.key, https=False, timeout=120,
        check_compatibility=False,
    )  # fmt: skip


def naive_lengths(client: Any, collection: str) -> Any:
    """(n,) lengths as most would take them: scroll, a matrix of Python lists, norms."""
    offset: Any = None
    lengths = []
    while True:
        points, offset = client.scroll(
            collection, limit=1_000, offset=offset, with_vectors=True, with_payload=True
        )
        matrix = np.array([p.vector["clip"] for p in points], np.float32)
        lengths.append(np.linalg.norm(matrix, axis=1))
        if offset is None:
            return np.concatenate(lengths)


def qdrant(rows: int | None) -> dict[str, Any]:
    """In the embedded store: the loop that everybody writes with the stock client, the scan, and a whole check."""
    from connectors.qdrant import host
    from connectors.qdrant.adapter import QdrantConnector
    from console.health.run import check
    from console.settings import load
    from console.workspace import Workspace

    n = rows or QDRANT_ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        connector = QdrantConnector(ConnectionSpec("bench", "qdrant", path=str(path), timeout=120.0))
        t = Target("Bench")
        connector.create("Bench", CollectionPlan((VectorField("clip", "dense", DIMENSION, "dot"),)))
        made = rows_of(n, lambda i: i)
        assert not connector.insert(t, made).failed
        while connector.index_state(t).status == "building":
            time.sleep(1)
        client = stock_client(path)

        def naive() -> int:
            return len(naive_lengths(client, "Bench"))

        environ = {
            "PLUMBLINE_HOME": folder,
            "PLUMBLINE_CONNECTIONS__BENCH__KIND": "qdrant",
            "PLUMBLINE_CONNECTIONS__BENCH__PATH": str(path),
        }
        with Workspace(load(environ=environ, cwd=Path(folder))) as ws:

            def checked() -> int:
                (report,) = check(ws, ws.address("bench/Bench"), CheckOptions(sample=None))
                return int(report.data["scanned"])

            assert naive() == whole(connector, t, NAMES).facts.scanned == checked() == n
            turns = {"naive": naive, "examine": lambda: whole(connector, t, NAMES), "check": checked}
            best = best_in_turns(turns, 2)
        client.close()
        connector.close()
        host.stop(path)
    return {
        "rows": n,
        "naive_rows_per_s": round(n / best["naive"]),
        "examine_rows_per_s": round(n / best["examine"]),
        "examine_against_naive": round(best["naive"] / best["examine"], 2),
        "check_against_naive": round(best["naive"] / best["check"], 2),
    }


def weaviate(rows: int | None) -> dict[str, Any]:
    """A full examination without payload against the bare receive of the same vectors, page after page."""
    import uuid

    import grpc

    from connectors.weaviate import stubs
    from connectors.weaviate.adapter import WeaviateConnector
    from tests.bench.scan_weaviate import pages
    from tests.weaviate_server import start_weaviate

    n = rows or WEAVIATE_ROWS
    ids = np.random.default_rng(1)
    with start_weaviate() as server:
        connector = WeaviateConnector(server.spec(timeout=120))
        t = Target("BenchHealth")
        field = VectorField("clip", index={"type": "hnsw", "skip": True})
        connector.create(t.collection, CollectionPlan((field,)))
        made = rows_of(n, lambda _: str(uuid.UUID(bytes=ids.bytes(16), version=4)))
        bare_rows = (Row(row.id, row.vectors, {}) for row in made)
        assert not connector.insert(t, bare_rows, "replace").failed
        requests = pages(connector, t)
        channel = grpc.insecure_channel(
            f"127.0.0.1:{server.grpc_port}", options=[("grpc.max_receive_message_length", 104_858_000)]
        )
        receive = channel.unary_unary(
            "/weaviate.v1.Weaviate/Search",
            request_serializer=stubs.search_get.SearchRequest.SerializeToString,
        )
        names = FieldNames()

        def bare() -> int:
            return sum(len(receive(request)) for request in requests)

        assert whole(connector, t, names).facts.scanned == n
        best = best_in_turns({"bare": bare, "examine": lambda: whole(connector, t, names)}, 3)
        channel.close()
        connector.close()
    return {
        "rows": n,
        "bare_rows_per_s": round(n / best["bare"]),
        "examine_rows_per_s": round(n / best["examine"]),
        "examine_time_against_bare_receive": round(best["examine"] / best["bare"], 2),
    }


def command(_: int | None) -> dict[str, Any]:
    """`plumbline check --sample 5000` on the demo, from the command to its end: the median of three."""
    command = [sys.executable, "-m", "plumbline"]
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PLUMBLINE_HOME": folder}

        def run(*words: str) -> float:
            began = time.perf_counter()
            subprocess.run([*command, *words], env=environ, cwd=folder, capture_output=True, check=True)
            return time.perf_counter() - began

        run("demo", "--no-serve")
        took = sorted(run("check", "demo/scenes", "--sample", "5000") for _ in range(3))
        run("demo", "--remove")
    return {"seconds": round(took[1], 2)}


def memory(rows: int | None) -> dict[str, Any]:
    """Peak memory of a process that reads generated batches and judges them: few rows, and ten times as many."""
    many = rows or MANY
    few = min(FEW, many // 10)
    peaks: dict[int, float] = {}
    for n in (few, many):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.health", "peak", str(n)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[n] = json.loads(done.stdout)["peak_mb"]
    return {
        f"peak_mb_{few}": peaks[few],
        f"peak_mb_{many}": peaks[many],
        "growth_mb": round(peaks[many] - peaks[few], 1),
    }


def peak(n: int) -> dict[str, Any]:
    """Reading, checks, causes, report and charts; searches need a server and are not in it."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((PAGE, DIMENSION), dtype=np.float32)

    def batches() -> Iterator[Batch]:
        for start in range(0, n, PAGE):
            size = min(PAGE, n - start)
            matrix = base[:size] + np.float32(start / MANY)
            matrix[:: PAGE // 4] = 0
            at = range(start, start + size)
            held = {
                "tag": [f"v{i % 3}" for i in at],
                "camera": [f"camera-{i % 8}" for i in at],
                "caption": [f"row {i}" for i in at],
                "taken_in": [1_700_000_000 + i for i in at],
            }
            yield Batch(tuple(at), {"": Vectors(matrix, np.ones(size, np.bool_))}, held)

    out = gather(batches(), [""], NAMES)[""]
    assert out.facts.scanned == len(out.table) == n
    codes = judged(out)
    assert "zero-vectors" in codes
    return {"rows": n, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """This program's own peak: `ru_maxrss` begins with that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)


def judged(out: Examined) -> list[str]:
    """Codes of the report on rows that no server holds."""
    from tests.health.served import memory as stand_in

    t = Target("rows")
    reader = stand_in(np.eye(2, DIMENSION, dtype=np.float32))
    description = reader.describe(t)
    field = description.field("")
    assert field is not None
    evidence = Evidence(
        "bench/rows", "qdrant", description, field, reader.server(), reader.index_state(t), reader.capabilities(t),
        CheckOptions(sample=None), NAMES, out.facts, out.profile, out.table, out.reservoir,
    )  # fmt: skip
    rules = policy()
    measured, unmeasured = judge(evidence, rules)
    found = explain(measured, evidence, rules, np.random.default_rng(0))
    report = build(evidence, rules, found, unmeasured, accepted=(), at=datetime.now(UTC), seconds=0.0)
    charts(evidence, measured)
    return [f["code"] for f in report.data["findings"]]


if __name__ == "__main__":
    sys.exit(main())
