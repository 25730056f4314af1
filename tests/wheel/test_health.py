"""Health from the wheel: checks, reports, baselines, snapshots, the page's own process, and the figures served."""

from __future__ import annotations

import gzip
import json
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from console.store.tables import HEAD, VERSION_TABLE
from tests.wheel.conftest import Installed, get

SNAPSHOTS = Path(__file__).parents[1] / "data" / "snapshots"
BROKEN = "demo/scenes-broken"
FORMS = ("html", "markdown", "junit")

PAGE = """
import json, sys, time
import plumbline
plumbline.enter()
from streamlit.testing.v1 import AppTest
from console.ui import actions, serving

def shown(test):
    assert not test.exception, test.exception
    return "\\n".join(str(e.value) for kind in (test.text, test.markdown, test.header) for e in kind)

serving.SERVING.host = "127.0.0.1"
test = AppTest.from_file(str(plumbline.HOUSE / "console" / "app.py"), default_timeout=60)
test.switch_page("../pages/health.py")
test.query_params["a"] = sys.argv[1]
test.run()
until = time.monotonic() + 60
while "health.check" not in {b.key for b in test.button}:
    assert time.monotonic() < until, shown(test)
    test.run()
before = shown(test)
test.button(key="health.check").click()
test.run()
(run,) = actions.runs().active()
until = time.monotonic() + 120
while actions.runs().result(run.id) is None:
    assert time.monotonic() < until
    time.sleep(0.1)
test.run()
print("@" + json.dumps([before, list(actions.runs().result(run.id)), shown(test)]))
"""


@pytest.fixture(scope="module")
def report(installed: Installed, demo: dict[str, int]) -> dict[str, Any]:
    """The first report of the broken collection, which is then its baseline."""
    made = installed.json("check", BROKEN, code=1)
    pinned = installed.json("baseline", "set", BROKEN)
    assert pinned["report"] == made["id"]
    return made


def test_a_check_of_the_broken_collection(report: dict[str, Any]) -> None:
    assert report["verdict"] == "broken"
    assert report["address"] == f"{BROKEN}#clip"
    assert "norm-drift" in report["root_causes"]
    (drift,) = [f for f in report["findings"] if f["code"] == "norm-drift" and f["because_of"] is None]
    assert drift["rows"] > 0


def test_the_store_was_made_by_the_migrations_that_the_wheel_holds(
    installed: Installed, report: dict[str, Any]
) -> None:
    folder = installed.site / "plumbline" / "console" / "store" / "migrations"
    assert (folder / "env.py").is_file()
    assert [p.name for p in (folder / "versions").glob("*.py") if p.name.startswith(HEAD)]
    with sqlite3.connect(installed.home / "store.sqlite3") as held:
        assert held.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() == [(HEAD,)]


def test_kept_reports_are_listed_and_rendered(installed: Installed, report: dict[str, Any]) -> None:
    listed = installed.json("reports", BROKEN)["reports"]
    assert (listed[-1]["id"], listed[-1]["verdict"]) == (report["id"], "broken")
    assert listed[-1]["root_causes"] == report["root_causes"]
    told = {form: installed("report", report["id"], "--format", form) for form in FORMS}
    assert {form: done.returncode for form, done in told.items()} == dict.fromkeys(FORMS, 1)
    assert told["markdown"].stdout.startswith("#")
    HTMLParser().feed(told["html"].stdout)
    assert told["html"].stdout.lstrip().lower().startswith("<!doctype html>")
    for form in ("markdown", "html"):
        assert BROKEN in told[form].stdout
        assert "norm-drift" in told[form].stdout
    root = ElementTree.fromstring(told["junit"].stdout)
    failed = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert any("norm-drift" in str(case.get("name")) for case in failed)


def test_a_snapshot_file_needs_no_connection(installed: Installed, tmp_path: Path) -> None:
    (packed,) = SNAPSHOTS.glob("things-[0-9]*.snapshot.gz")
    file = tmp_path / packed.stem
    file.write_bytes(gzip.decompress(packed.read_bytes()))
    done = installed("check", f"snapshot:{file}", "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    held = json.loads(done.stdout)
    for made in held.get("reports", [held]):
        assert (made["rows"], made["scanned"], made["exact"]) == (200, 200, True)
        assert made["address"] == f"snapshot:{file}#{made['vector']}"


def test_the_page_checks_in_a_process_of_its_own(
    installed: Installed, report: dict[str, Any], console: str
) -> None:
    before, (made,), after = json.loads(installed.python_says(PAGE, BROKEN).rpartition("@")[2])
    (drift,) = [f for f in report["findings"] if f["code"] == "norm-drift" and f["because_of"] is None]
    assert drift["summary"].rstrip(".") in before
    assert drift["summary"].rstrip(".") in after
    assert "This is the first report" in before
    assert "This is the first report" not in after
    found = installed("report", made, "--format", "json")
    assert found.returncode == 1, found.stderr
    assert json.loads(found.stdout)["baseline"] == report["id"]
    served = get(f"{console}/metrics")
    assert served.status == 200
    figures = [line for line in served.text.splitlines() if f'address="{BROKEN}#clip"' in line]
    assert any(
        line.startswith("plumbline_verdict{") and 'verdict="broken"' in line and line.endswith(" 1.0")
        for line in figures
    )
    assert any(line.startswith("plumbline_rows{") and line.endswith(" 6000.0") for line in figures)
