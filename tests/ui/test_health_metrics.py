"""`/metrics`: figures that Prometheus reads, from the store alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.errors import PlumblineError
from console.store import Store
from console.ui import health_store, metrics, session
from tests.ui.pretend import Pretend
from tests.ui.reports import EVIL, finding, healthy, report

Open = Callable[..., dict[str, Pretend]]
A = "alive/things#clip"


def read() -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(held: Mapping[tuple[tuple[str, str], ...], float], **labels: str) -> float:
    return held[tuple(sorted(labels.items()))]


def test_verdict_age_and_counts_of_the_newest_report_of_each_field(pretend: Open) -> None:
    alive = pretend("alive")["alive"]
    store = Store.open(session.workspace())
    store.save(healthy(A, 1, at="2026-11-01T00:00:00+00:00"))
    store.save(report(A, 2, ago=timedelta(hours=2)))
    store.save(healthy("alive/others#", 3))
    held = read()
    assert of(held["plumbline_store_up"]) == 1
    verdicts = held["plumbline_verdict"]
    assert of(verdicts, address=A, vector="clip", verdict="broken") == 1
    assert of(verdicts, address=A, vector="clip", verdict="healthy") == 0
    assert of(verdicts, address="alive/others#", vector="", verdict="healthy") == 1
    assert abs(of(held["plumbline_check_age_seconds"], address=A, vector="clip") - 7200) < 30
    counts = held["plumbline_findings"]
    assert of(counts, address=A, vector="clip", severity="critical") == 1
    assert of(counts, address=A, vector="clip", severity="warning") == 1
    assert of(counts, address=A, vector="clip", severity="info") == 1
    assert of(held["plumbline_findings_accepted"], address=A, vector="clip") == 1
    assert of(held["plumbline_root_causes"], address=A, vector="clip") == 1
    assert of(held["plumbline_rows"], address=A, vector="clip") == 18_000
    assert alive.calls == []


def test_findings_are_counted_by_code_without_those_that_were_accepted(pretend: Open) -> None:
    pretend("alive")
    found = [
        finding("duplicate-vectors", id="d:a", severity="warning"),
        finding("duplicate-vectors", id="d:b", severity="warning"),
        finding("duplicate-vectors", id="d:c", severity="critical"),
        finding("zero-vectors", accepted={"reason": "known"}),
    ]
    Store.open(session.workspace()).save(report(A, findings=found))
    held = read()["plumbline_finding"]
    assert {(dict(k)["code"], dict(k)["severity"]): v for k, v in held.items()} == {
        ("duplicate-vectors", "critical"): 1,
        ("duplicate-vectors", "warning"): 2,
    }
    assert of(held, address=A, vector="clip", code="duplicate-vectors", severity="warning") == 2


def test_what_nobody_checks_again_does_not_age_for_ever(pretend: Open) -> None:
    """A snapshot file was examined once; a connection that left the settings never will be."""
    pretend("alive")
    store = Store.open(session.workspace())
    for number, address in enumerate((A, "snapshot:things.snapshot#clip", "removed/things#clip"), 1):
        store.save(healthy(address, number))
    held = read()
    for name in ("plumbline_check_age_seconds", "plumbline_verdict", "plumbline_rows"):
        assert {dict(k)["address"] for k in held[name]} == {A}


def test_labels_hold_whatever_a_collection_is_called(pretend: Open) -> None:
    pretend("alive")
    name = f'alive/a"b\\c {EVIL}\nplumbline_verdict 7#x'
    made = report(name, 1, vector="x", findings=[finding(EVIL, severity=EVIL)])
    Store.open(session.workspace()).save(made)
    (address,) = {dict(k)["address"] for k in read()["plumbline_verdict"]}
    assert '"b\\c' in address
    assert "\n" not in address
    assert of(read()["plumbline_store_up"]) == 1


def test_a_store_that_cannot_be_read_is_a_figure_and_tells_nothing_else(
    pretend: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("alive")

    def refused() -> Store:
        raise PlumblineError("unauthorised", "Refused for user s3cret.", where="store")

    monkeypatch.setattr(health_store, "store", refused)
    assert read() == {"plumbline_store_up": {(): 0.0}}


def test_the_route_stands_behind_the_same_door_and_takes_get_only(pretend: Open) -> None:
    from starlette.testclient import TestClient

    pretend("alive")
    from console.asgi import app

    client = TestClient(app, base_url="http://127.0.0.1:8501")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "plumbline_store_up 1.0" in answer.text
    assert client.get("/metrics", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/metrics", headers={"origin": "http://evil.example"}).status_code == 403
    own = {"origin": "http://127.0.0.1:8501"}
    assert client.post("/metrics", headers=own).status_code == 405
