"""The way of one check: what it reads, what it says that it could not see, and faults that stay where they arise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, Tenant, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from console.health import registry
from console.health.findings import Finding, NotMeasured, Remedy
from console.health.options import CheckOptions
from console.health.policy import policy
from console.health.probes.recall import Recall
from console.health.probing import Cancelled
from console.health.progress import Progress
from console.health.run import _distinct, _unseen, check, judge
from console.settings.load import load
from console.workspace import Workspace
from tests.health.building import evidence as made

N, D = 200, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("run")
    connector = connect(ConnectionSpec("made", "qdrant", path=str(root / "store")))
    rng = np.random.default_rng(0)
    fields = (VectorField("a", dimension=D, metric="dot"), VectorField("b", dimension=D, metric="cosine"))
    connector.create("rows", CollectionPlan(fields))
    rows = [
        Row(i, {f: rng.standard_normal(D).astype(np.float32) for f in "ab"}, {"kind": i % 2})
        for i in range(N)
    ]
    assert len(connector.insert(Target("rows"), rows).done) == N
    connector.create("lists", CollectionPlan(fields[:1]))
    kinds: list[object] = [["x", "y"], {"x": 1}, "x", 1]
    rows = [
        Row(
            i,
            {"a": rng.standard_normal(D).astype(np.float32)},
            {"kind": kinds[i % 4], "tag": ["p", "q"][: i % 2]},
        )
        for i in range(N)
    ]
    assert len(connector.insert(Target("lists"), rows).done) == N
    connector.close()
    yield root
    host.stop(root / "store")


@pytest.fixture
def ws(folder: Path, tmp_path: Path) -> Iterator[Workspace]:
    held = {
        "PLUMBLINE_HOME": str(tmp_path),
        "PLUMBLINE_CONNECTIONS__E__KIND": "qdrant",
        "PLUMBLINE_CONNECTIONS__E__PATH": str(folder / "store"),
    }
    with Workspace(load(environ=held, cwd=tmp_path)) as workspace:
        yield workspace


def test_every_field_has_a_report_and_one_address_one(ws: Workspace) -> None:
    both = check(ws, ws.address("e/rows"), CheckOptions())
    assert [r.data["address"] for r in both] == ["e/rows#a", "e/rows#b"]
    (one,) = check(ws, ws.address("e/rows#b"), CheckOptions())
    assert one.data["profile"] == both[1].data["profile"]


def test_progress_names_each_step_and_keeps_within_its_total(ws: Workspace) -> None:
    told: list[Progress] = []
    check(ws, ws.address("e/rows#a"), CheckOptions(), tell=told.append)
    phases = list(dict.fromkeys(p.phase for p in told))
    assert phases[0] == "Connecting"
    assert phases[-1] == "Judging"
    assert [p.name for p in registry.probes()] == [
        p for p in phases if p in {q.name for q in registry.probes()}
    ]
    assert all(0 <= p.done <= p.total for p in told if p.total)


def test_a_check_is_cancelled_between_its_steps(ws: Workspace) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(Cancelled):
        check(ws, ws.address("e/rows#a"), CheckOptions(sample=None), cancelled=cancelled)


def test_a_check_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = policy({})
    evidence = made(np.random.default_rng(0).standard_normal((300, 32)).astype(np.float32))
    whole, _ = judge(evidence, rules)
    victim = registry.checks()["zero-vectors"]

    def broken(*_: object) -> list[object]:
        raise ZeroDivisionError("x")

    monkeypatch.setitem(registry._checks, "zero-vectors", replace(victim, run=broken))
    findings, unmeasured = judge(evidence, rules)
    assert [u.check for u in unmeasured if "failed" in u.why] == ["zero-vectors"]
    assert [f.id for f in findings] == [f.id for f in whole if f.code != "zero-vectors"]


def test_a_probe_that_fails_is_not_measured_and_hides_no_other(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise PlumblineError("timeout", "The server took too long.", where="e")

    whole = check(ws, ws.address("e/rows#a"), CheckOptions())[0].data
    found = [replace(p, run=broken) if p.name == "Copies of shards" else p for p in registry.probes()]
    monkeypatch.setattr(registry, "probes", lambda: found)
    report = check(ws, ws.address("e/rows#a"), CheckOptions())[0].data
    told = {u["check"]: u["why"] for u in report["not_measured"]}
    assert told["replica-divergence"] == "The server took too long. (timeout)"
    assert report["profile"] == whole["profile"]
    assert [f["id"] for f in report["findings"]] == [f["id"] for f in whole["findings"]]


def test_a_group_that_no_filter_can_say_is_not_filtered_by(ws: Workspace) -> None:
    """Lists and objects are groups, but `equals` means their elements: it would look like an index that finds nothing."""
    (report,) = check(ws, ws.address("e/lists"), CheckOptions(group_by=("kind", "tag")))
    assert "low-ann-recall" not in [f["code"] for f in report.data["findings"]]
    assert report.evidence is not None
    recall = report.evidence.get(Recall)
    assert not isinstance(recall, NotMeasured)
    assert recall.filter == ("kind", 1)


def test_tenants_that_rest_and_fields_that_nobody_has_are_said() -> None:
    evidence = made(np.eye(16, dtype=np.float32))
    assert _unseen(evidence) == []
    tenants = (Tenant("on"), *(Tenant(f"off{i}", "inactive") for i in range(7)))
    described = replace(evidence.description, tenants=tenants)
    told = _unseen(
        replace(
            evidence,
            description=described,
            options=replace(evidence.options, group_by=("nope", "nope")),
        )
    )
    assert told == [
        NotMeasured("tenants", "Not active, so not read: off0, off1, off2, off3, off4 and 2 more."),
        NotMeasured("group-by nope", "No row that was read has this field."),
    ]
    one = replace(described, target=Target("rows", "on"))
    assert _unseen(replace(evidence, description=one)) == []


def test_two_findings_never_share_an_id() -> None:
    one = Finding("norm-drift", "critical", "A.", "exact", Remedy("none", "Nothing."))
    held = _distinct([one, one.but(severity="warning"), one.but(key="tail"), one.but(key="tail"), one])
    assert [f.id for f in held] == [
        "norm-drift",
        "norm-drift:2",
        "norm-drift:tail",
        "norm-drift:tail~2",
        "norm-drift:3",
    ]
    assert [f.severity for f in held[:2]] == ["critical", "warning"]
