"""A whole check in its own process on the embedded store: the report is kept, and its rows beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors.model import CollectionPlan, Row, Target, VectorField
from connectors.qdrant import host
from connectors.qdrant.adapter import QdrantConnector
from connectors.spec import ConnectionSpec
from console import settings
from console.health.options import CheckOptions
from console.jobs import rows
from console.jobs.runs import Runs
from console.settings import Address
from console.store import Store
from console.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    folder = tmp_path / "store"
    connector = QdrantConnector(ConnectionSpec("here", "qdrant", path=str(folder), timeout=60.0))
    connector.create("things", CollectionPlan((VectorField("", dimension=16, metric="dot"),)))
    rng = np.random.default_rng(2)
    matrix = rng.normal(0, 1, (400, 16)).astype(np.float32)
    matrix[::10] = 0
    connector.insert(Target("things"), [Row(i, {"": v}, {"number": i}) for i, v in enumerate(matrix)])
    connector.close()
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__HERE__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__HERE__PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    with Workspace(settings.load()) as made:
        yield made
        Store.open(made).close()
    host.stop(folder)


def test_a_check_ends_in_a_stored_report_with_its_rows(workspace: Workspace) -> None:
    runs = Runs(workspace.home)
    address = Address("here", "things", vector="")
    run = runs.submit(address, CheckOptions(sample=None))
    assert runs.result(run) is None
    phases: set[str] = set()
    until = time.monotonic() + 120
    while runs.progress(run).active and time.monotonic() < until:
        phases.add(runs.progress(run).phase)
        time.sleep(0.05)
    found = runs.result(run)
    assert found is not None
    (report,) = found
    stored = Store.open(workspace).whole(report, arrays=False).data
    assert stored["address"] == str(address)
    assert stored["exact"] is True
    assert stored["profile"]["zero"] == 40
    assert "zero-vectors" in stored["root_causes"]
    assert stored["charts"]["dimensions"]["rows"] == 360
    assert phases, "a run was never seen under way"
    path = rows.place(workspace.home, report)
    assert path is not None
    head, *held = [json.loads(line) for line in path.read_text().splitlines()]
    assert head["header"] is True
    zero = [h["id"] for h in held if "zero-vectors" in h["codes"]]
    assert zero == list(range(0, 400, 10))
    assert runs.active() == []


def test_a_missing_collection_is_said_with_its_code(workspace: Workspace) -> None:
    runs = Runs(workspace.home)
    run = runs.submit(Address("here", "nothing"), CheckOptions())
    until = time.monotonic() + 60
    while runs.progress(run).active and time.monotonic() < until:
        time.sleep(0.05)
    ended = runs.progress(run)
    assert ended.error is not None
    assert ended.error["code"] == "not-found"
