"""Reading vectors from Weaviate: a whole scan against the stock client's iterator and against the bare bytes, memory.

`python -m tests.bench.scan_weaviate` starts the real server. Prints one JSON object. Ratios are from one run, taken in
turns and each at its best of three, so they hold on any machine.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np

from connectors.model import PAGE_BYTES, CollectionPlan, Row, Target, VectorField
from connectors.weaviate import stubs, wire
from connectors.weaviate.adapter import WeaviateConnector
from tests.weaviate_server import WeaviateServer, start_weaviate

DIMENSION = 512
ROWS = 20_000
MANY = 100_000
FEW = 10_000


def main() -> None:
    if len(sys.argv) > 3:
        print(json.dumps(peak(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
        return
    with start_weaviate() as server:
        connector = WeaviateConnector(server.spec(timeout=120))
        t = fill(connector, "BenchScan", ROWS)
        out: dict[str, Any] = {"rows": ROWS, "dimension": DIMENSION, **speed(connector, server, t)}
        connector.drop(t.collection)
        for name, rows in (("BenchFew", FEW), ("BenchMany", MANY)):
            fill(connector, name, rows)
        out |= memory(server)
        connector.close()
    print(json.dumps(out))


def fill(connector: WeaviateConnector, name: str, rows: int) -> Target:
    """Rows with random vectors; no index is built, since none is read here."""
    connector.create(name, CollectionPlan((VectorField("clip", index={"type": "hnsw", "skip": True}),)))
    rng = np.random.default_rng(0)
    for start in range(0, rows, 5_000):
        matrix = rng.standard_normal((min(5_000, rows - start), DIMENSION)).astype(np.float32)
        result = connector.insert(
            Target(name),
            (Row(_random_id(rng), {"clip": v}, {}) for v in matrix),
            "replace",
        )
        assert not result.failed
    return Target(name)


def _random_id(rng: np.random.Generator) -> str:
    import uuid

    return str(uuid.UUID(bytes=rng.bytes(16), version=4))


def speed(connector: WeaviateConnector, server: WeaviateServer, t: Target) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import weaviate

        client = weaviate.connect_to_custom(
            "127.0.0.1", server.ports["http"], False, "127.0.0.1", server.grpc_port, False, skip_init_checks=True
        )  # fmt: skip
    collection = client.collections.use(t.collection)
    requests = pages(connector, t)
    channel = grpc.insecure_channel(
        f"127.0.0.1:{server.grpc_port}", options=[("grpc.max_receive_message_length", 104_858_000)]
    )
    receive = channel.unary_unary(
        "/weaviate.v1.Weaviate/Search", request_serializer=stubs.search_get.SearchRequest.SerializeToString
    )

    def bare() -> int:
        return sum(len(receive(request)) for request in requests)

    def scanned() -> int:
        return sum(len(b.vectors["clip"].matrix) for b in connector.scan(t, ["clip"]))

    def stock() -> int:
        return sum(len(o.vector["clip"]) for o in collection.iterator(include_vector=True)) // DIMENSION

    assert scanned() == stock() == ROWS
    size = bare()
    best = best_in_turns({"bare": bare, "scan": scanned, "stock": stock}, 3)
    channel.close()
    client.close()
    return {
        "megabytes": round(size / 2**20, 1),
        "scan_rows_per_s": round(ROWS / best["scan"]),
        "stock_rows_per_s": round(ROWS / best["stock"]),
        "bare_rows_per_s": round(ROWS / best["bare"]),
        "scan_against_stock_iterator": round(best["stock"] / best["scan"], 2),
        "scan_against_bare_receive": round(best["bare"] / best["scan"], 2),
    }


def pages(connector: WeaviateConnector, t: Target) -> list[wire.SearchRequest]:
    """The requests of a scan, known beforehand."""
    schema = connector._schema(t.collection)
    made = []
    after = ""
    for batch in connector.scan(t, ["clip"], page_bytes=PAGE_BYTES):
        made.append(wire.listing(schema, None, len(batch), ["clip"], after=after))
        after = str(batch.ids[-1])
    return made


def best_in_turns(parts: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Seconds of each part at its best."""
    best = dict.fromkeys(parts, float("inf"))
    for _ in range(times):
        for name, part in parts.items():
            began = time.perf_counter()
            part()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def memory(server: WeaviateServer) -> dict[str, Any]:
    """Peak memory of a process that scans many rows against one that scans few."""
    peaks = {}
    for name, rows in (("BenchFew", FEW), ("BenchMany", MANY)):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.scan_weaviate", server.url, str(server.grpc_port), name],
            capture_output=True,
            text=True,
            check=True,
        )
        held = json.loads(done.stdout)
        assert held["rows"] == rows
        peaks[name] = held["peak_mb"]
    return {
        "peak_mb_10000": peaks["BenchFew"],
        "peak_mb_100000": peaks["BenchMany"],
        "growth_mb": round(peaks["BenchMany"] - peaks["BenchFew"], 1),
    }


def peak(url: str, port: int, name: str) -> dict[str, Any]:
    from connectors.model import ConnectionSpec

    connector = WeaviateConnector(ConnectionSpec("bench", "weaviate", url=url, grpc_port=port, timeout=120))
    rows = sum(len(b) for b in connector.scan(Target(name), ["clip"]))
    connector.close()
    return {"rows": rows, "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}


if __name__ == "__main__":
    main()
