"""Stored reports without a check: what the page draws is a report's JSON, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

EVIL = "![x](http://evil.example/a.png) <script>alert(1)</script> :red[x] $y$"


@dataclass
class Made:
    """A report as the store takes it."""

    data: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.data["id"])


def charts(tags: tuple[str, ...] = ("scenes-v1", "scenes-v2"), flat: bool = False) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    edges = np.geomspace(0.3, 12, 49)
    bad, good = np.histogram(rng.normal(0.9, 0.2, 1012).clip(0.31, 11), edges)[0], np.zeros(48, int)
    good[15] = 3000
    series = [
        {"value": tags[0], "kind": "value", "rows": 3000, "counts": good.tolist()},
        {"value": tags[1], "kind": "value", "rows": int(bad.sum()), "counts": bad.tolist()},
        {"value": "", "kind": "none", "rows": 40, "counts": [0] * 47 + [40]},
    ]
    start = datetime(2026, 11, 18, tzinfo=UTC).timestamp()
    variance = rng.gamma(4, 0.002, 96)
    variance[[7, 41]] = 0
    return {
        "norms": {
            "rows": 4052,
            "left_out": 3,
            "min": 0.3,
            "median": 1.0,
            "max": 12.0,
            "log": True,
            "flat": flat,
            "edges": [] if flat else edges.tolist(),
            "all": [] if flat else (bad + good).tolist(),
            "groups": {} if flat else {"embedding_version": series},
        },
        "versions": {
            "field": "embedding_version",
            "by": "time",
            "edges": np.linspace(start, start + 3 * 86400, 41).tolist(),
            "placed": 4000,
            "rows": 4055,
            "series": [
                {"value": tags[0], "kind": "value", "rows": 2000, "counts": [100] * 20 + [0] * 20},
                {"value": tags[1], "kind": "value", "rows": 2000, "counts": [0] * 20 + [100] * 20},
            ],
        },
        "dimensions": {
            "dimension": 96,
            "per": 1,
            "rows": 4052,
            "mean": rng.normal(0, 0.05, 96).tolist(),
            "variance": variance.tolist(),
            "dead": [7, 41],
            "dead_count": 2,
        },
        "figures": [
            {"code": "low-ann-recall", "key": "", "basis": "probe", "fires": False, "name": "recall@10", "value": 0.991,
             "threshold": 0.95, "low": 0.982, "high": 0.997, "worse": "lower"},
            {"code": "collapsed-neighbors", "key": "", "basis": "probe", "fires": True, "name": "excess of overlap@20",
             "value": 0.31, "threshold": 0.1, "low": 0.24, "high": 0.38, "worse": "higher"},
            {"code": "no-structure", "key": "", "basis": "probe", "fires": False, "name": "contrast", "value": 7.4,
             "threshold": 3.9, "low": None, "high": None, "worse": "lower"},
        ],
        "index": {"status": "ready", "why": "", "rows": 4055, "indexed": 4055, "queue": 0, "storage": "float32",
                  "quantization": False},
    }  # fmt: skip


def finding(code: str, **changes: Any) -> dict[str, Any]:
    made = {
        "id": code,
        "code": code,
        "key": "",
        "fault": "rows on another scale",
        "severity": "critical",
        "summary": f"Something is {code}.",
        "basis": "sample",
        "rows": 1012,
        "rows_estimated": None,
        "share": 0.2024,
        "interval": [0.191, 0.214],
        "group": None,
        "effect": None,
        "since": None,
        "sample_ids": [0, 2, 4],
        "evidence": {"median": 0.91, "of the rest": {"median": 1.0, "rows": 3988}},
        "because_of": None,
        "because_of_ids": [],
        "symptom_ids": [],
        "accepted": None,
        "remedy": {"action": "renormalize", "text": "Bring these rows to length 1 and write them back."},
    }
    return {**made, **changes}


def report(address: str, number: int = 1, *, ago: timedelta = timedelta(hours=3), **changes: Any) -> Made:
    """A broken collection's report, and what `changes` makes of it."""
    vector = address.partition("#")[2]
    group = {"field": "source", "value": "camera-3", "rows": 1012, "precision": 1.0, "recall": 1.0}
    root = finding(
        "norm-drift",
        summary="1,012 of 5,000 rows, all from source = camera-3, have norms of 0.4 to 1.3; the rest are 1.000.",
        group=group,
        since="2026-11-19T22:10:00+00:00",
    )
    folded = finding(
        "collapsed-neighbors", severity="warning", summary="Unrelated rows share 31% of their neighbours.",
        because_of="norm-drift", because_of_ids=["norm-drift"], rows=None, share=None, interval=None, sample_ids=[],
    )  # fmt: skip
    note = finding("dominant-axis", severity="info", fault="one direction dominates", sample_ids=[])
    known = finding(
        "duplicate-vectors", severity="warning", fault="one vector on many rows",
        accepted={"reason": "Boilerplate, known since March.", "until": "2027-01-01"},
    )  # fmt: skip
    data = {
        "id": f"20261121-04000{number}-0000000{number}",
        "at": (datetime.now(UTC) - ago).isoformat(timespec="seconds"),
        "address": address,
        "vector": vector,
        "verdict": "broken",
        "headline": "1,012 of 5,000 rows, all from source = camera-3, have norms of 0.4 to 1.3. Since 19 Nov 2026.",
        "server": {"kind": "qdrant", "version": "1.18.3"},
        "rows": 18_000,
        "scanned": 5_000,
        "exact": False,
        "seed": 0,
        "baseline": None,
        "seconds": 4.2,
        "profile": {
            "dimension": 96,
            "norms": {"mean": 0.98, "std": 0.1, "min": 0.4, "max": 1.3, "quantiles": {}},
            "zero": 0, "non_finite": 3, "missing": 0, "duplicates": 12, "versions": {"scenes-v2": 5000},
            "untagged": 0, "groups": {"source": {}},
        },
        "findings": [root, folded, note, known],
        "root_causes": ["norm-drift"],
        "root_ids": ["norm-drift"],
        "not_measured": [
            {"check": "stale-vectors", "why": "No time field is known."},
            {"check": "size-change", "why": "There is no baseline."},
            {"check": "recall-drop", "why": "There is no baseline."},
        ],
        "inferred_versions": None,
        "policy": {"name": "plumbline", "version": "1"},
        "limits": ["A sample of 5,000 of 18,000 rows: a fault that no row of it shows may be in up to 0.074%."],
        "fields": {"version": "embedding_version", "modality": "modality", "image": "image", "text": "caption",
                   "groups": ["source", "embedding_version"]},
        "charts": charts(),
    }  # fmt: skip
    return Made({**data, **changes})


def healthy(address: str, number: int = 1, **changes: Any) -> Made:
    made = report(address, number).data
    profile = {**made["profile"], "non_finite": 0, "duplicates": 0}
    clean = {
        "verdict": "healthy", "headline": "No fault found in a sample of 5,000 of 18,000 rows.", "profile": profile,
        "findings": [], "root_causes": [], "root_ids": [], "charts": charts(flat=True),
    }  # fmt: skip
    return report(address, number, **{**clean, **changes})
