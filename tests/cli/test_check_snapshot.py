"""`check snapshot:FILE` and a connection with a snapshot: the report of the live collection, without it."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from connectors.model import CollectionPlan, ConnectionSpec, Target, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from tests.cli.checkstore import configure
from tests.cli.conftest import Inside

DATA = Path(__file__).parents[1] / "data" / "snapshots"
STAMP = "8177368586269876-2026-11-21-04-12-58.snapshot"


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "snapshots of last night"
    folder.mkdir()
    for packed in DATA.glob("*.gz"):
        (folder / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return folder


def judged(report: dict[str, Any]) -> dict[str, Any]:
    findings = [
        {
            k: f[k]
            for k in ("code", "severity", "rows", "share", "group", "sample_ids", "because_of", "remedy")
        }
        for f in report["findings"]
        if f["code"] not in ("unindexed-vectors", "index-config")
    ]
    return {k: report[k] for k in ("verdict", "scanned", "exact", "root_causes", "profile")} | {
        "findings": findings
    }


def test_a_snapshot_gives_the_findings_of_the_same_rows_live(
    inside: Inside, snapshots: Path, tmp_path: Path
) -> None:
    file = snapshots / f"things-{STAMP}"
    read = connect(ConnectionSpec("snap", "qdrant", snapshot=str(file)))
    live = connect(ConnectionSpec("live", "qdrant", path=str(tmp_path / "live")))
    try:
        description = read.describe(Target("things"))
        fields = tuple(VectorField(f.name, dimension=f.dimension, metric=f.metric) for f in description.dense)
        live.create("things", CollectionPlan(fields))
        rows = [r for part in read.ranges(Target("things"), 1) for r in read.export(Target("things"), part)]
        assert len(live.insert(Target("things"), rows).done) == 200
        configure(inside, tmp_path / "live")
        left = inside("check", f"snapshot:{file}", "--full", "--format", "json")
        right = inside("check", "emb/things", "--full", "--format", "json")
    finally:
        read.close()
        live.close()
        host.stop(tmp_path / "live")
    assert left.code == right.code == 1
    assert judged(left.json) == judged(right.json)
    assert set(left.json["root_causes"]) == {"zero-vectors", "non-finite"}
    told = {u["check"]: u["why"] for u in left.json["not_measured"]}
    assert "snapshot" in told["latency-spike"]
    assert "snapshot" in told["aliases"]
    assert "snapshot" in told["replica-divergence"]
    assert "latency-spike" not in {u["check"] for u in right.json["not_measured"]}


def test_its_address_may_be_used_again(inside: Inside, snapshots: Path, tmp_path: Path) -> None:
    odd = snapshots / "a#b%20c.snapshot"
    (snapshots / "things-shard-0.snapshot").rename(odd)
    word = f"snapshot:{str(odd).replace('%', '%25').replace('#', '%23')}"
    held = inside("check", word, "--format", "json").json
    assert held["address"] == f"{word}#"
    assert held["scanned"] == 200
    again = inside("check", held["address"], "--format", "json").json
    assert again["address"] == held["address"]
    listed = inside("reports", word, "--format", "json").json["reports"]
    assert {r["id"] for r in listed} == {held["id"], again["id"]}
    assert not any((tmp_path / "temporary").iterdir()), "what was unpacked is removed"


def test_a_connection_may_be_a_snapshot(inside: Inside, snapshots: Path) -> None:
    file = snapshots / f"pieces-{STAMP}"
    environ = {"PLUMBLINE_CONNECTIONS__SNAP__KIND": "qdrant", "PLUMBLINE_CONNECTIONS__SNAP__SNAPSHOT": str(file)}  # fmt: skip
    held = inside("check", "snap", "--full", "--format", "json", environ=environ)
    assert held.code == 1
    assert [r["address"] for r in held.json["reports"]] == ["snap/pieces#a", "snap/pieces#b"]
    direct = inside("check", f"snapshot:{file}", "--full", "--format", "json").json["reports"]
    assert [judged(r) for r in held.json["reports"]] == [judged(r) for r in direct]


def test_its_affected_rows_are_written(inside: Inside, snapshots: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    ran = inside(
        "check", f"snapshot:{snapshots / 'things-shard-0.snapshot'}", "--rows-out", str(out), "--quiet"
    )
    head, *rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert ran.code == 1
    assert head["affected"] == len(rows) == 5
    assert {tuple(r["codes"]) for r in rows} == {("zero-vectors",), ("non-finite",)}
    assert [r["norm"] for r in rows if r["codes"] == ["non-finite"]] == [None]


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "damaged"), (b"not an archive" * 90, "damaged"), (None, "not-found")]
)
def test_a_file_that_is_no_snapshot(inside: Inside, tmp_path: Path, content: bytes | None, code: str) -> None:
    file = tmp_path / "x.snapshot"
    if content is not None:
        file.write_bytes(content)
    ran = inside("check", f"snapshot:{file}", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)


def test_a_snapshot_that_was_cut_is_damaged(inside: Inside, snapshots: Path, tmp_path: Path) -> None:
    whole = snapshots / f"things-{STAMP}"
    cut = tmp_path / f"things-{STAMP}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    ran = inside("check", f"snapshot:{cut}", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "damaged")
