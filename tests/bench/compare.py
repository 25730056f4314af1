"""Comparing two sides exactly against one `faiss.IndexFlatIP` search a side with the same threads: a ratio of times.

`python -m tests.bench.compare` prints one JSON object a part, and exits with 1 where a goal is missed. What is timed: the
neighbours of 1,000 queries (k = 10, lists of 100) among 100,000 rows on both sides, rows arriving in pages and on the
right in another order, then agreement, rank-biased overlap, displacement, lost and gained with their intervals. faiss is
in the dependency group `bench`; where it is missing the reason is printed and no ratio is measured.
Memory: what a stream of 400,000 rows a side takes at its peak beyond one of 100,000.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

THREADS = int(os.environ.get("BENCH_THREADS", "2"))
# Before numpy and faiss are loaded: both libraries read it once.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import numpy as np  # noqa: E402

from console.compare.displacement import displacement  # noqa: E402
from console.compare.intervals import anywhere, over_queries  # noqa: E402
from console.compare.measures import (  # noqa: E402
    agreement,
    jaccard,
    lost_and_gained,
    overlap,
    rank_biased_overlap,
    top1,
)
from console.compare.nearest import DEPTH, Nearest, NearestSearch  # noqa: E402

ROUNDS = 7
GOAL = 1.5
GROWTH = 50.0
QUERIES, ROWS, DIMENSION, K = 1_000, 100_000, 512, 10
PAGE = 2_048
"""Rows of a page of 4 MiB, as connectors read them."""
STREAMED = (100_000, 400_000)


def main() -> int:
    if len(sys.argv) == 3 and sys.argv[1] == "stream":
        print(stream(int(sys.argv[2])))
        return 0
    # First: a process of its own starts with the peak of the one that starts it.
    peaks = [peak(n) for n in STREAMED]
    growth = peaks[1] - peaks[0]
    print(
        json.dumps({
            "part": "memory", "rows": STREAMED[1], "peak_mb": round(peaks[1], 1),
            "growth_mb": round(growth, 1), "goal_mb": GROWTH,
        }),
        flush=True,
    )  # fmt: skip
    return int(speed() or growth >= GROWTH)


def speed() -> bool:
    try:
        import faiss
    except ImportError:
        print(json.dumps({"skipped": "faiss is not installed: uv pip install faiss-cpu"}))
        return False
    faiss.omp_set_num_threads(THREADS)
    rng = np.random.default_rng(0)
    sides: list[np.ndarray] = []
    rows = rng.standard_normal((ROWS, DIMENSION), dtype=np.float32)
    for noise in (0.0, 0.3):
        side = rows + np.float32(noise) * rng.standard_normal((ROWS, DIMENSION), dtype=np.float32)
        sides.append(side / np.linalg.norm(side, axis=1, keepdims=True))
    own = np.sort(rng.choice(ROWS, QUERIES, replace=False))
    orders = [np.arange(ROWS), rng.permutation(ROWS)]
    arriving = [np.ascontiguousarray(side[order]) for side, order in zip(sides, orders, strict=True)]
    indexes = []
    for side in sides:
        index = faiss.IndexFlatIP(DIMENSION)
        index.add(side)
        indexes.append(index)

    def theirs() -> list[np.ndarray]:
        return [index.search(side[own], K + 1)[1] for index, side in zip(indexes, sides, strict=True)]

    def mine() -> tuple[Nearest, Nearest, float]:
        left, right = (
            neighbours(side[own], own, rows, order)
            for side, rows, order in zip(sides, arriving, orders, strict=True)
        )
        return left, right, figures(left, right)

    best = [float("inf")] * 2
    for _ in range(ROUNDS):
        for at, call in enumerate((mine, theirs)):
            start = time.perf_counter()
            call()
            best[at] = min(best[at], time.perf_counter() - start)
    left, right, value = mine()
    same = float(np.mean([
        len((set(a) - {i}) & set(b)) / K
        for held, wanted in zip((left, right), theirs(), strict=True)
        for a, b, i in zip(wanted, held.rows[:, :K], own, strict=True)
    ]))  # fmt: skip
    ratio = best[0] / best[1]
    print(
        json.dumps({
            "part": "speed", "queries": QUERIES, "rows": ROWS, "dimensions": DIMENSION, "k": K, "threads": THREADS,
            "ms": round(best[0] * 1e3, 1), "two_faiss_searches_ms": round(best[1] * 1e3, 1), "ratio": round(ratio, 2),
            "goal": GOAL, "same_rows": round(same, 5), "overlap_at_k": round(value, 4),
        }),
        flush=True,
    )  # fmt: skip
    return ratio > GOAL or same < 0.999


def neighbours(queries: np.ndarray, own: np.ndarray, rows: np.ndarray, numbers: np.ndarray) -> Nearest:
    search = NearestSearch(queries, own, "cosine", DEPTH, k=K, rows=len(rows), threads=THREADS)
    for at in range(0, len(rows), PAGE):
        search.add(rows[at : at + PAGE], numbers[at : at + PAGE])
    return search.result()


def figures(left: Nearest, right: Nearest) -> float:
    """overlap@k; the others are computed all the same."""
    agree = agreement(left, right, K)
    for values in (jaccard(agree), rank_biased_overlap(agree), top1(agree)):
        over_queries(values)
    anywhere(displacement(left, right, K).kept)
    lost_and_gained(left, right, K)
    found = over_queries(overlap(agree))
    assert found is not None
    return found.value


def peak(rows: int) -> float:
    """MB at the peak of a process of its own that compares two streams of rows."""
    command = [sys.executable, "-m", "tests.bench.compare", "stream", str(rows)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def stream(rows: int) -> float:
    rng = np.random.default_rng(1)
    held: list[Nearest] = []
    for _ in range(2):
        search = NearestSearch(
            rng.standard_normal((QUERIES, DIMENSION), dtype=np.float32), None, "cosine", DEPTH, k=K, rows=rows,
            threads=THREADS,
        )  # fmt: skip
        for at in range(0, rows, PAGE):
            n = min(PAGE, rows - at)
            search.add(rng.standard_normal((n, DIMENSION), dtype=np.float32), np.arange(at, at + n))
        held.append(search.result())
    figures(*held)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
