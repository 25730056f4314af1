"""On the real databases what needs a baseline or an encoder: each fault once, in a full scan and in a sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from console.cli.checking import fails
from console.health.report import Report
from tests.faults import plants_more as more
from tests.faults.bases import Base, text
from tests.faults.plants import Planted, grouped, rotation
from tests.faults.real import Database, Place, with_uuids
from tests.faults.running import above_info, silent
from tests.faults.test_more import cut, grown, not_measured, of, pictures, worst

SEED = 1_000
ROWS = 1_200
CODES = {"distribution-drift", "size-change", "recall-drop", "stale-vectors"}


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Iterator[Place]:
    held = Place(database, tmp_path)
    yield held
    held.drop()


def base(n: int = ROWS) -> Base:
    return with_uuids(Planted(text(SEED, n), None, ())).base


def spoken(report: Report) -> set[str]:
    """Warnings and worse; how fast this machine answered beside other tests is none of them."""
    return {f["code"] for f in above_info(report)} - {"latency-spike"}


def pinned(place: Place, rows: Base) -> Report:
    place.make(rows)
    first = place.check()
    assert silent(first) == []
    assert not_measured(first)["baseline"].startswith("There is no baseline")
    place.pin(first)
    return first


# Against a baseline.


def test_nothing_is_said_where_nothing_changed_and_where_like_rows_came(place: Place) -> None:
    whole = base()
    then = ROWS * 4 // 5
    first = pinned(place, cut(whole, then))
    for chosen in ({}, {"baseline": "latest"}, {"baseline": first.data["id"]}, {"sample": then // 2}):
        again = place.check(**chosen)
        assert spoken(again) == set()
        assert CODES & {f["code"] for f in again.data["findings"]} == set()
        assert again.data["baseline"] is not None
    place.add(whole, then)
    later = place.check()
    (said,) = [f for f in later.data["findings"] if f["code"] in CODES]
    assert (said["code"], said["evidence"]["rows_then"], said["evidence"]["rows_now"]) == (
        "size-change",
        then,
        ROWS,
    )
    # A quarter more within a day is worth a look; that these are other vectors is not said.
    assert spoken(later) == {"size-change"}


def test_new_rows_of_another_encoder(place: Place) -> None:
    """Nothing in a row tells: neither text nor tag. A tenth of the rows, then a sample of them."""

    def bare(rows: Base) -> Base:
        return rows.but(
            payloads=[{k: v for k, v in p.items() if k not in ("embedding_version", "caption")} for p in rows.payloads]
        )  # fmt: skip

    first = text(SEED, ROWS)
    other = text(SEED + 1, ROWS)
    foreign = other.but(matrix=other.matrix @ rotation(96).astype(np.float32))
    count = ROWS // 9
    both = with_uuids(Planted(bare(grown(first, foreign, count)), None, ())).base
    pinned(place, cut(both, ROWS))
    place.add(both, ROWS)
    for sample in (None, 1_000):
        report = place.check(sample=sample)
        (said,) = [f for f in of(report, "distribution-drift") if not f["key"]]
        assert said["severity"] in ("warning", "critical")
        assert "distribution-drift" in report.data["root_causes"]
        assert (said["evidence"]["rows_then"], said["evidence"]["rows_now"]) == (ROWS, sample or ROWS + count)
        assert fails(report.data, "warning")


def test_rows_embedded_again_edited_and_dropped(place: Place) -> None:
    """Three things that happened to the same collection, each told with its own true figure."""
    rows = base()
    pinned(place, rows)
    rng = np.random.default_rng(SEED)
    moved, at, group = grouped(rows, 96, rng)
    matrix = rows.matrix.copy()
    matrix[at] = matrix[at] @ rotation(96).astype(np.float32)
    moved = moved.but(matrix=matrix)
    place.replace(moved, at)
    (said,) = [f for f in of(place.check(), "distribution-drift") if f["key"] == "panel"]
    low, high = said["interval"]
    assert low <= len(at) / ROWS <= high
    assert (said["group"]["field"], said["group"]["value"]) == group
    others = rng.permutation(np.setdiff1d(np.arange(ROWS), at))
    edited, gone = others[:60], others[60:210]
    payloads = [dict(p) for p in moved.payloads]
    for i in edited:
        payloads[i]["caption"] += " edited"
    place.make_again(moved.but(payloads=payloads), np.setdiff1d(np.arange(ROWS), gone))
    report = place.check()
    (stale,) = of(report, "stale-vectors")
    low, high = stale["interval"]
    assert low <= len(edited) / (ROWS - len(gone)) <= high
    assert set(stale["sample_ids"]) <= {rows.ids[int(i)] for i in edited}
    (size,) = of(report, "size-change")
    assert (size["severity"], size["share"]) == ("critical", pytest.approx(len(gone) / ROWS))
    assert {"distribution-drift", "stale-vectors", "size-change"} <= set(report.data["root_causes"])
    assert fails(report.data, "critical")


GOOD: dict[str, dict[str, Any]] = {"qdrant": {"type": "hnsw", "full_scan_threshold": 10}, "weaviate": {}}
BAD: dict[str, dict[str, Any]] = {
    "qdrant": {"type": "hnsw", "m": 4, "ef_construct": 4, "full_scan_threshold": 10},
    "weaviate": {"type": "hnsw", "maxConnections": 4, "efConstruction": 4, "ef": 10},
}


def test_an_index_that_was_built_again_with_less(place: Place) -> None:
    """The same rows under the same name: only how they are searched differs."""
    rows, kind = base(3_000), place.database.kind
    options = {"optimizer": {"indexing_threshold": 100}} if kind == "qdrant" else {}
    place.make(rows, GOOD[kind], options)
    first = settled(place)
    assert silent(first) == []
    place.pin(first)
    assert spoken(place.check()) == set()
    place.drop()
    place.make(rows, BAD[kind], options)
    report = settled(place)
    (drop,) = of(report, "recall-drop")
    (low,) = [f for f in of(report, "low-ann-recall") if not f["key"]]
    assert drop["because_of"] == "low-ann-recall"
    assert report.data["root_causes"][0] == "low-ann-recall"
    now = drop["evidence"]["recall_now"]["value"]
    assert now == pytest.approx(low["effect"]["value"])
    assert drop["effect"]["value"] == pytest.approx(drop["evidence"]["recall_then"] - now)
    assert spoken(report) == {"low-ann-recall", "recall-drop"}


def settled(place: Place) -> Report:
    """A check of the index as it stays: after the optimizer has gone through."""
    import time

    from connectors.model import Target

    end, seen = time.monotonic() + 60, 0
    while seen < 3 and time.monotonic() < end:
        state = place.database.connector.index_state(Target(place.name))
        seen = seen + 1 if state.status == "ready" else 0
        time.sleep(0.3)
    return place.check()


# With the demo's encoders.


@pytest.fixture
def scenes(place: Place) -> Place:
    place.pictures = pictures(needed=True)
    return place


FOUND = {"foreign": 600, "exchanged": 300, "too-long": 300}
"""Cell -> rows of 2,000."""


@pytest.mark.parametrize("name", FOUND)
def test_what_an_encoder_tells(scenes: Place, name: str) -> None:
    cell, count = more.CELLS[name], FOUND[name]
    rng = np.random.default_rng([SEED, count, *name.encode()])
    planted = cell.plant(more.scenes(), count, rng)
    scenes.make(planted.base)
    for sample in (None, 800):
        report = scenes.check(sample=sample, **planted.options)
        said = of(report, cell.code)[0]
        assert said["severity"] in ("warning", "critical")
        assert report.data["root_causes"][0] == cell.code
        known = {cell.code, *planted.follows}
        assert {f["code"] for f in above_info(report)} <= known
        if cell.code != "cut-source":
            assert report.data["root_causes"] == [cell.code]
            low, high = said["interval"]
            assert low <= count / len(planted.base) <= high
            estimate = said["rows_estimated"]
            assert estimate["low"] <= count <= estimate["high"]


def test_an_encoder_has_nothing_to_say_of_its_own_rows(scenes: Place) -> None:
    scenes.make(more.scenes())
    for sample in (None, 800):
        report = scenes.check(sample=sample, **more.WITH)
        assert silent(report) == []
        told = not_measured(report)
        assert {"encoder-mismatch", "misaligned-payload", "cross-modal recall"} & set(told) == set()
        assert report.data["inferred_versions"] is None


def test_whose_untagged_rows_are(scenes: Place) -> None:
    from tests.faults.demo_base import demo

    rows = more.scenes()
    order = np.random.default_rng(SEED).permutation(len(rows))
    old, new = order[:60], order[60:240]
    matrix, payloads = rows.matrix.copy(), [dict(p) for p in rows.payloads]
    matrix[old] = demo().old[old]
    for i in [*old.tolist(), *new.tolist()]:
        del payloads[i]["embedding_version"]
    scenes.make(rows.but(matrix=matrix, payloads=payloads))
    for sample in (None, 800):
        report = scenes.check(sample=sample, **more.WITH)
        for tag, true in (("scenes-v1", 60), ("scenes-v2", 180)):
            held = report.data["inferred_versions"][tag]
            assert held.get("low", held["rows"]) <= true <= held.get("high", held["rows"])
        assert {"encoder-mismatch", "untagged-rows"} <= set(report.data["root_causes"])
        assert worst(report, "untagged-rows") == "warning"
