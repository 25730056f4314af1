"""Comparisons, gates and evaluations in processes of their own, as checks are; on a real store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.registry import connect
from console.compare import CompareRequest
from console.compare.gate.request import GateRequest
from console.jobs.runs import Run, Runs
from console.search.golden import GoldenQuery, Judgement, edit, freeze
from console.settings import Settings
from console.store import Comparisons, Evaluations, Gates

N, D = 200, 12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("kinds") / "store"
    connector = connect(ConnectionSpec("here", "qdrant", path=str(folder)))
    base = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
    for name, matrix in (("Old", base), ("New", base + np.float32(0.2) * np.roll(base, 1, axis=0))):
        connector.create(name, CollectionPlan((VectorField("v", "dense", D, "cosine"),)))
        assert not connector.insert(Target(name), (Row(i, {"v": matrix[i]}, {}) for i in range(N))).failed
    connector.close()
    yield folder
    from connectors.qdrant import host

    host.stop(folder)


@pytest.fixture
def home(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__HERE__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__HERE__PATH", str(store))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def ended(runs: Runs, run: str, seconds: float = 120.0) -> Run:
    until = time.monotonic() + seconds
    while (held := runs.progress(run)).active:
        assert time.monotonic() < until, held
        time.sleep(0.1)
    return held


def test_a_comparison_is_stored_by_its_process(home: Path) -> None:
    runs = Runs(home)
    request = CompareRequest("here/Old", "here/New", queries=40)
    run = runs.start("compare", request.key, request.to_json())
    assert runs.start("compare", request.key, request.to_json()) == run
    found = ended(runs, run)
    assert (found.state, found.error) == ("done", None)
    (made,) = runs.result(run) or ()
    data = Comparisons.open(Settings(home=home)).get(made)
    assert data["queries"] == 40
    assert 0 < data["overlap_at_k"]["mean"] < 1
    latest = runs.latest_of("compare", request.key)
    assert latest is not None
    assert latest.id == run
    assert runs.latest_of("check", request.key) is None


def test_what_a_comparison_can_not_do_is_the_error_of_its_run(home: Path) -> None:
    runs = Runs(home)
    request = CompareRequest("here/Old", "here/Gone")
    run = runs.start("compare", request.key, request.to_json())
    assert ended(runs, run).state == "failed"
    with pytest.raises(PlumblineError) as fault:
        runs.result(run)
    assert fault.value.code == "not-found"


def test_an_evaluation_and_a_gate_are_stored_by_theirs(home: Path) -> None:
    settings = Settings(home=home)
    queries = tuple(GoldenQuery(f"q{i}", row=i) for i in range(12))
    judgements = tuple(Judgement(f"q{i}", str(i), 1) for i in range(12))
    edit(settings, "mine", lambda draft: draft.but(queries=queries, judgements=judgements))
    freeze(settings, "mine")
    runs = Runs(home)
    run = runs.start("evaluate", "mine here/Old", {"golden": "mine", "address": "here/Old", "k": 5})
    assert ended(runs, run).error is None
    (made,) = runs.result(run) or ()
    assert Evaluations.open(settings).get(made)["version"] == 1
    asked = GateRequest("here/Old", "here/New", "mine")
    gate = runs.start("gate", asked.key, asked.to_json())
    assert ended(runs, gate, 240).error is None
    (stored,) = runs.result(gate) or ()
    assert Gates.open(settings).get(stored)["verdict"] in ("pass", "fail", "not_measurable")


def test_a_host_that_a_run_starts_is_not_as_patient_as_the_run(store: Path, home: Path) -> None:
    from connectors.qdrant import host

    runs = Runs(home)
    request = CompareRequest("here/Old", "here/New", queries=35)
    host.stop(store)
    assert ended(runs, runs.start("compare", request.key, request.to_json())).state == "done"
    serving = host.status(store).endpoint
    assert serving is not None, "the run's own host ended with it"
    assert os.getpriority(os.PRIO_PROCESS, serving.pid) == os.getpriority(os.PRIO_PROCESS, 0)
