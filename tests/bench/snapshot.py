"""Examining a snapshot file against the loop that everybody writes with the stock client, on the same rows.

`python -m tests.bench.snapshot [ROWS]`. The file is made of the embedded store's own segments, laid out as a server's
shard snapshot is. The loop reads the same rows from the embedded store. Unpacking the file is measured apart and counted
in `with_unpacking_against_naive`. Prints one JSON object; ratios are taken in turns within one run, each part at its
best, so they hold on any machine.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from connectors.model import CollectionPlan, ConnectionSpec, Target, VectorField
from connectors.registry import connect
from tests.bench.health import DIMENSION, NAMES, naive_lengths, rows_of, stock_client, whole
from tests.bench.scan_weaviate import best_in_turns

ROWS = 50_000
GOAL = 2.0


def main() -> int:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        held = measured(Path(folder), n)
    print(json.dumps(held))
    return int(held["with_unpacking_against_naive"] < GOAL)


def measured(folder: Path, n: int) -> dict[str, Any]:
    from connectors.qdrant import host

    store, file = folder / "store", folder / "bench.snapshot"
    connector = connect(ConnectionSpec("bench", "qdrant", path=str(store), timeout=120.0))
    connector.create("bench", CollectionPlan((VectorField("clip", "dense", DIMENSION, "dot"),)))
    assert not connector.insert(Target("bench"), rows_of(n, lambda i: i)).failed
    while connector.index_state(Target("bench")).status == "building":
        time.sleep(1)
    connector.close()
    host.stop(store)
    pack(store, file)

    client = stock_client(store)

    def naive() -> float:
        lengths = naive_lengths(client, "bench")
        assert len(lengths) == n
        return float(lengths.mean(dtype=np.float64))

    began = time.perf_counter()
    snapshot = connect(ConnectionSpec("bench", "qdrant", snapshot=str(file), timeout=120.0))
    t = Target(snapshot.collections()[0].name)
    assert snapshot.describe(t).rows == n
    unpacking = time.perf_counter() - began
    found = whole(snapshot, t, NAMES)
    assert found.facts.scanned == n
    assert abs(found.profile.to_json()["norms"]["mean"] - naive()) < 1e-3
    best = best_in_turns({"naive": naive, "examine": lambda: whole(snapshot, t, NAMES)}, 3)
    snapshot.close()
    client.close()
    host.stop(store)
    return {
        "rows": n,
        "unpacking_seconds": round(unpacking, 2),
        "naive_rows_per_s": round(n / best["naive"]),
        "examine_rows_per_s": round(n / best["examine"]),
        "examine_against_naive": round(best["naive"] / best["examine"], 2),
        "with_unpacking_against_naive": round(best["naive"] / (unpacking + best["examine"]), 2),
    }


def pack(store: Path, file: Path) -> None:
    """A collection of the embedded store as a shard snapshot: `segments/ID/files/...`."""
    (data,) = (store / "collections").glob("*/data-*")
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as made:
        for one in sorted(data.rglob("*")):
            inside = one.relative_to(data)
            if one.is_file() and inside.parts[0] == "segments":
                segment, *rest = inside.parts[1:]
                made.add(one, "/".join(("segments", segment, "files", *rest)))


if __name__ == "__main__":
    sys.exit(main())
