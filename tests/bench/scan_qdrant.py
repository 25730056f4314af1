"""Reading vectors from Qdrant: wire decoding against the stock client, a whole scan against the bare bytes, memory.

`python -m tests.bench.scan_qdrant` runs on the embedded store in a temporary folder; on the server that QDRANT_URL
(and QDRANT_GRPC) name where they are set. Prints one JSON object. Ratios are from one run, so they hold on any machine.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.qdrant import wire
from connectors.qdrant.adapter import QdrantConnector
from connectors.qdrant.paging import vectors
from connectors.qdrant.stubs import pb

DIMENSION = 512
ROWS = 20_000
MANY = 100_000
PAGE = 1_000


def main() -> None:
    if len(sys.argv) > 2:
        print(json.dumps(peak(sys.argv[1], sys.argv[2])))
        return
    with opened() as (connector, spec):
        t = fill(connector, ROWS)
        pages = answers(connector, t)
        out: dict[str, Any] = {
            "rows": ROWS,
            "dimension": DIMENSION,
            **decoding(pages),
            **scanning(connector, t),
        }
        connector.drop(t.collection)
        out |= memory(connector, spec)
    print(json.dumps(out))


@contextmanager
def opened() -> Iterator[tuple[QdrantConnector, dict[str, Any]]]:
    if "QDRANT_URL" in os.environ:
        port = os.environ.get("QDRANT_GRPC")
        spec: dict[str, Any] = {"url": os.environ["QDRANT_URL"], "grpc_port": int(port) if port else None}
        connector = connect(spec)
        yield connector, spec
        connector.close()
        return
    from connectors.qdrant import host

    with tempfile.TemporaryDirectory() as folder:
        spec = {"path": str(Path(folder) / "store")}
        connector = connect(spec)
        yield connector, spec
        connector.close()
        host.stop(Path(spec["path"]))


def connect(spec: dict[str, Any]) -> QdrantConnector:
    return QdrantConnector(ConnectionSpec("bench", "qdrant", timeout=120.0, **spec))


def fill(connector: QdrantConnector, rows: int) -> Target:
    t = Target(f"Bench{uuid.uuid4().hex[:8]}")
    # No index is built while it is measured.
    options = {"optimizer": {"indexing_threshold": 0}} if connector.spec.path is None else {}
    connector.create(
        t.collection, CollectionPlan((VectorField("clip", "dense", DIMENSION, "dot"),), options=options)
    )
    rng = np.random.default_rng(0)
    for start in range(0, rows, 5_000):
        matrix = rng.standard_normal((min(5_000, rows - start), DIMENSION)).astype(np.float32)
        result = connector.insert(
            t, (Row(start + i, {"clip": v}, {"tag": "v1"}) for i, v in enumerate(matrix))
        )
        assert not result.failed
    return t


def answers(connector: QdrantConnector, t: Target) -> list[bytes]:
    """The server's own answers to a scan, as bytes."""
    return [raw for raw, _ in bare(connector, t, PAGE)]


def bare(connector: QdrantConnector, t: Target, limit: int) -> Iterator[tuple[bytes, Any]]:
    """Pages received one after the other, nothing decoded but where the next one starts."""
    request = pb.ScrollPoints(collection_name=t.collection, limit=limit, with_vectors=vectors(("clip",)))
    request.with_payload.enable = False
    while True:
        raw = connector.ask("Points/Scroll", request, 120.0)
        answer = wire.message("ScrollResponse").FromString(raw)
        yield raw, answer
        if not answer.HasField("next_page_offset"):
            return
        request.offset.CopyFrom(pb.PointId.FromString(answer.next_page_offset.SerializeToString()))


def decoding(pages: list[bytes]) -> dict[str, float]:
    """The same answers, by the wire trick and by the stock client's conversion into its own models: CPU time."""
    from qdrant_client.conversions.conversion import GrpcToRest

    def by_wire() -> int:
        rows = 0
        for raw in pages:
            points = wire.message("ScrollResponse").FromString(raw).result
            rows += len(wire.ids(points)) + len(wire.dense(points, "clip", DIMENSION).matrix)
        return rows

    def stock(matrix: bool) -> Callable[[], int]:
        def convert() -> int:
            rows = 0
            for raw in pages:
                points = [
                    GrpcToRest.convert_retrieved_point(p) for p in pb.ScrollResponse.FromString(raw).result
                ]
                rows += len(points)
                if matrix:
                    held: list[Any] = [p.vector["clip"] for p in points]  # type: ignore[index,call-overload]
                    rows += len(np.array(held, np.float32))
            return rows

        return convert

    best = {name: best_of(part, time.process_time, 5) for name, part in
            (("wire", by_wire), ("stock", stock(False)), ("matrix", stock(True)))}  # fmt: skip
    return {
        "wire_ms_per_1000": round(best["wire"] * 1e3 / len(pages), 3),
        "stock_ms_per_1000": round(best["stock"] * 1e3 / len(pages), 3),
        "wire_against_stock_conversion": round(best["stock"] / best["wire"], 1),
        "wire_against_stock_matrix": round(best["matrix"] / best["wire"], 1),
    }


def best_of(
    part: Callable[[], object], clock: Callable[[], float] = time.perf_counter, times: int = 1
) -> float:
    """Seconds of the quickest of several runs, by a clock."""
    spans: list[float] = []
    for _ in range(times):
        started = clock()
        part()
        spans.append(clock() - started)
    return min(spans)


def scanning(connector: QdrantConnector, t: Target) -> dict[str, float]:
    """Whole scan, decoded, against the bare receive of the same rows in pages of the same size."""
    limit = len(next(connector.scan(t, ("clip",))))

    def whole() -> None:
        assert sum(len(b) for b in connector.scan(t, ("clip",))) == ROWS

    def bytes_only() -> None:
        for _ in bare(connector, t, limit):
            pass

    scans: list[float] = []
    bares: list[float] = []
    for _ in range(5):
        bares.append(best_of(bytes_only))
        scans.append(best_of(whole))
    return {
        "scan_rows_per_s": round(ROWS / min(scans)),
        "bare_rows_per_s": round(ROWS / min(bares)),
        "scan_against_bare": round(min(bares) / min(scans), 2),
    }


def memory(connector: QdrantConnector, spec: dict[str, Any]) -> dict[str, float]:
    """Peak memory of a process that scans 10,000 and one that scans 100,000 rows."""
    peaks: dict[int, float] = {}
    for rows in (10_000, MANY):
        t = fill(connector, rows)
        command = [sys.executable, "-m", "tests.bench.scan_qdrant", json.dumps(spec), t.collection]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[rows] = json.loads(done.stdout)["peak_mb"]
        connector.drop(t.collection)
    return {
        "peak_mb_10000": peaks[10_000],
        "peak_mb_100000": peaks[MANY],
        "growth_mb": round(peaks[MANY] - peaks[10_000], 1),
    }


def peak(spec: str, name: str) -> dict[str, float]:
    connector = connect(json.loads(spec))
    rows = sum(len(batch) for batch in connector.scan(Target(name), ("clip",), payload=("tag",)))
    connector.close()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "peak_mb": round(held, 1)}


if __name__ == "__main__":
    main()
