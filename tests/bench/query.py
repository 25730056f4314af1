"""A warm text query in the demo: 200 of them, end to end in Python and split by part.

`python -m tests.bench.query` makes the demo in a folder of its own (about a minute), or uses the one of
PLUMBLINE_HOME where `--home` is given. Prints one JSON object, milliseconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from connectors.filters import Equals
from connectors.registry import connect
from console.demo.captions import describe
from console.demo.scenes import unseen_scenes
from console.search import QueryRequest, Timings, run
from console.settings import load, parse_address
from console.settings.model import demo_spec
from console.workspace import Workspace

QUERIES = 200
WARM = 5


def main() -> None:
    if "--home" in sys.argv:
        print(json.dumps(measure(Workspace(load()))))
        return
    with tempfile.TemporaryDirectory() as folder:
        from connectors.qdrant import host
        from console.demo.seed import make_demo

        home = Path(folder)
        connector = connect(demo_spec(home))
        make_demo(connector, home)
        connector.close()
        with Workspace(load(environ={"PLUMBLINE_HOME": folder})) as ws:
            print(json.dumps(measure(ws)))
        host.stop(home / "demo" / "store")


def measure(ws: Workspace) -> dict[str, Any]:
    """p50 and p95 of a text query for pictures, and of the same fused over both versions of the demo."""
    texts = [describe(scene).text for scene in unseen_scenes(QUERIES + WARM, seed=3)]
    return {
        "queries": QUERIES,
        "one_address": asked(ws, texts, "demo/scenes"),
        "two_fused": asked(ws, texts, "demo/scenes", "demo/scenes-old", fuse="rrf"),
    }


def asked(ws: Workspace, texts: list[str], *addresses: str, **kwargs: Any) -> dict[str, Any]:
    where = tuple(parse_address(a) for a in addresses)
    whole: list[float] = []
    parts: dict[str, list[float]] = {f.name: [] for f in fields(Timings)}
    for n, text in enumerate(texts):
        request = QueryRequest(where, text=text, filter=Equals("modality", "image"), **kwargs)
        start = time.perf_counter()
        answer = run(ws, request)
        took = (time.perf_counter() - start) * 1e3
        if answer.error is not None:
            raise answer.error
        if n >= WARM:
            whole.append(took)
            for name, held in parts.items():
                held.append(max(getattr(side.timings, name) for side in answer.sides))
    return {"whole": spread(whole), **{name: spread(held) for name, held in parts.items()}}


def spread(held: list[float]) -> dict[str, float]:
    return {name: round(float(np.percentile(held, q)), 3) for name, q in (("p50", 50), ("p95", 95))}


if __name__ == "__main__":
    main()
