"""Exact neighbours on the client against `faiss.IndexFlatIP` with the same threads: a ratio of times.

`python -m tests.bench.neighbours` prints one JSON object a size. faiss is in the dependency group `bench`; where it
is missing the reason is printed and nothing is measured. Memory: what a stream of five times as many rows adds.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable

THREADS = int(os.environ.get("BENCH_THREADS", "2"))
# Before numpy and faiss are loaded: both libraries read it once.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import numpy as np  # noqa: E402

from console.health.neighbours import ROW_BLOCK, TopK, top_k  # noqa: E402

ROUNDS = 5
GOAL = 0.9
SIZES = ((1_000, 100_000, 512, 10), (200, 5_000, 512, 200), (200, 100_000, 128, 10))


def main() -> int:
    try:
        import faiss
    except ImportError:
        print(json.dumps({"skipped": "faiss is not installed: uv pip install faiss-cpu"}))
        return 0
    faiss.omp_set_num_threads(THREADS)
    failed = 0
    for q, n, d, k in SIZES:
        rng = np.random.default_rng(0)
        rows = rng.standard_normal((n, d), dtype=np.float32)
        queries = rng.standard_normal((q, d), dtype=np.float32)
        index = faiss.IndexFlatIP(d)
        index.add(rows)
        places, _ = top_k(queries, rows, k, "dot")
        _, wanted = index.search(queries, k)
        same = float(np.mean([len(set(a) & set(b)) / k for a, b in zip(places, wanted, strict=True)]))
        mine, theirs = alternately(
            lambda q=queries, r=rows, k=k: top_k(q, r, k, "dot"),
            lambda q=queries, k=k, i=index: i.search(q, k),
        )
        ratio = theirs / mine
        print(
            json.dumps(
                {
                    "queries": q, "rows": n, "dimensions": d, "k": k, "threads": THREADS,
                    "ms": round(mine * 1e3, 1), "faiss_ms": round(theirs * 1e3, 1),
                    "ratio": round(ratio, 2), "same_rows": round(same, 5),
                }
            ),
            flush=True,
        )  # fmt: skip
        failed |= ratio < GOAL or same < 0.999
    print(json.dumps({"memory_mb_of_500_000_more_rows": round(growth(), 1)}))
    return int(failed)


def alternately(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Seconds of each, the best of some rounds in turn."""
    best = [float("inf")] * 2
    for _ in range(ROUNDS):
        for at, call in enumerate((one, other)):
            start = time.perf_counter()
            call()
            best[at] = min(best[at], time.perf_counter() - start)
    return best[0], best[1]


def growth() -> float:
    """MB by which the process grows while 500,000 rows stream by after the first 100,000."""
    rng = np.random.default_rng(1)
    search = TopK(rng.standard_normal((200, 256), dtype=np.float32), 200, "cosine")
    peak = 0
    for at in range(600_000 // ROW_BLOCK):
        search.add(rng.standard_normal((ROW_BLOCK, 256), dtype=np.float32))
        if at == 100_000 // ROW_BLOCK:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024


if __name__ == "__main__":
    sys.exit(main())
