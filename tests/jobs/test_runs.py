"""Long readings in processes of their own: one per address, found again, ended in time, and never silent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.errors import PlumblineError
from console.health.options import CheckOptions
from console.jobs import files
from console.jobs.runs import HOUSE, MOST, Run, Runs
from console.settings import Address, parse_address

THINGS = Address("here", "things")
SLOW = """
import time
from console.health.progress import Progress
import console.health.run as run

def check(ws, address, options, *, tell, cancelled):
    tell(Progress("Reading rows", 0, 1000))
    {body}
run.check = check
"""
POLITE = """
    from console.health.probing import Cancelled
    for i in range(600):
        if cancelled():
            raise Cancelled
        tell(Progress("Reading rows", i, 1000, 10.0, 60.0))
        time.sleep(0.05)
    return []
"""
DEAF = "time.sleep(60)"
FROZEN = "import os, signal; time.sleep(0.6); os.kill(os.getpid(), signal.SIGSTOP); time.sleep(60)"
FAILS = """
    raise RuntimeError("the key is s3cret-of-the-server")
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__HERE__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__HERE__URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__HERE__API_KEY", "s3cret-of-the-server")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def runs(home: Path) -> Iterator[Runs]:
    made = Runs(home)
    yield made
    for run in made.active():
        made.cancel(run.id)
        until(lambda run=run: not made.progress(run.id).active)


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What the child's check does in place of reading: lines of Python."""
    from console.jobs import runs as module

    def put(body: str) -> None:
        begin = f"import sys; sys.path.insert(0, sys.argv[1]); exec({SLOW.format(body=body.strip())!r}); "
        monkeypatch.setattr(
            module, "_START", begin + "from console.jobs.child import main; sys.exit(main(sys.argv[2:]))"
        )

    return put


def until(what: Callable[[], bool], seconds: float = 15) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - began


def test_progress_is_there_at_once_and_the_first_of_the_check_within_a_second(
    runs: Runs, instead: Callable[[str], None]
) -> None:
    instead(POLITE)
    began = time.monotonic()
    run = runs.submit(THINGS, CheckOptions(sample=7))
    first = runs.progress(run)
    assert (first.state, first.address) in {("starting", "here/things"), ("running", "here/things")}
    assert first.options["sample"] == 7
    until(lambda: runs.progress(run).state == "running")
    assert time.monotonic() - began < 10.0
    until(lambda: runs.progress(run).phase == "Reading rows" and runs.progress(run).done > 0)
    seen = runs.progress(run)
    assert (seen.total, seen.rate, seen.eta_seconds) == (1000, 10.0, 60.0)
    assert seen.pid != os.getpid()
    assert time.time() - seen.heartbeat < 2


def test_one_address_has_one_run_and_every_process_sees_it(
    runs: Runs, home: Path, instead: Callable[[str], None]
) -> None:
    instead(POLITE)
    first = runs.submit(THINGS, CheckOptions())
    assert runs.submit(THINGS, CheckOptions(sample=9)) == first
    assert Runs(home).submit(THINGS, CheckOptions()) == first
    other = runs.submit(parse_address("here/others"), CheckOptions())
    assert other != first
    asked = "from console.jobs.runs import Runs; import sys, pathlib; print(*(r.id for r in Runs(pathlib.Path(sys.argv[1])).active()))"
    told = subprocess.run(
        [sys.executable, "-c", asked, str(home)], cwd=HOUSE, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [first, other]
    assert Runs(home).latest(THINGS) == runs.latest(THINGS)


def test_too_many_at_once_are_refused(runs: Runs, instead: Callable[[str], None]) -> None:
    instead(POLITE)
    for i in range(MOST):
        runs.submit(Address("here", f"c{i}"), CheckOptions())
    with pytest.raises(PlumblineError) as fault:
        runs.submit(THINGS, CheckOptions())
    assert fault.value.code == "busy"
    assert len(runs.active()) == MOST


@pytest.mark.parametrize("body", [POLITE, DEAF, FROZEN], ids=["polite", "deaf", "frozen"])
def test_cancelled_within_two_seconds_however_it_behaves(
    body: str, runs: Runs, instead: Callable[[str], None]
) -> None:
    instead(body)
    run = runs.submit(THINGS, CheckOptions())
    until(lambda: runs.progress(run).phase == "Reading rows")
    pid = runs.progress(run).pid
    assert pid is not None
    if body is FROZEN:
        time.sleep(0.8)
    runs.cancel(run)
    assert runs.progress(run).stopping
    assert until(lambda: runs.progress(run).state == "cancelled") < 2.0
    until(lambda: files.started(pid) is None)
    assert runs.result(run) == ()
    assert runs.active() == []
    runs.cancel(run)
    assert not (runs.root / run / files.SCRATCH).exists()


def test_a_killed_process_is_told_from_a_slow_one(runs: Runs, instead: Callable[[str], None]) -> None:
    instead(DEAF)
    run = runs.submit(THINGS, CheckOptions())
    until(lambda: runs.progress(run).phase == "Reading rows")
    pid = runs.progress(run).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.5)
    slow = runs.progress(run)
    assert slow.active
    assert time.time() - slow.heartbeat > 1.2
    os.kill(pid, signal.SIGKILL)
    until(lambda: not runs.progress(run).active)
    dead = runs.progress(run)
    assert dead.state == "failed"
    assert dead.error is not None
    with pytest.raises(PlumblineError) as fault:
        runs.result(run)
    assert fault.value.code == "internal"
    assert "ended before" in fault.value.message
    instead(POLITE)
    assert runs.submit(THINGS, CheckOptions()) != run


def test_the_number_of_a_process_given_anew_is_not_killed(runs: Runs, instead: Callable[[str], None]) -> None:
    instead(FROZEN)
    run = runs.submit(THINGS, CheckOptions())
    until(lambda: runs.progress(run).phase == "Reading rows")
    place = runs.root / run
    held = files.read(place)
    assert held is not None
    real = held.pid
    assert real is not None
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        time.sleep(0.8)
        files.write(place, held.but(pid=bystander.pid))
        runs.cancel(run)
        time.sleep(2.2)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        os.kill(real, signal.SIGKILL)


def test_it_outlives_the_process_that_started_it_and_ends_with_its_run(home: Path, runs: Runs) -> None:
    starting = (
        "import sys, pathlib; from console.jobs.runs import Runs; from console.settings import Address; "
        "from console.health.options import CheckOptions; "
        "print(Runs(pathlib.Path(sys.argv[1])).submit(Address('here', 'things'), CheckOptions()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", starting, str(home)], cwd=HOUSE, capture_output=True, text=True, check=True
    )
    run = told.stdout.strip()
    until(lambda: not runs.progress(run).active, 30)
    ended = runs.progress(run)
    assert ended.state == "failed"
    assert ended.error is not None
    assert ended.error["code"] == "unreachable"
    assert ended.error["where"]
    assert ended.error["hint"]
    assert ended.pid is not None
    until(lambda: files.started(ended.pid or 0) is None)


def test_nothing_that_is_written_down_holds_a_secret(runs: Runs, instead: Callable[[str], None]) -> None:
    instead(FAILS)
    run = runs.submit(THINGS, CheckOptions())
    until(lambda: not runs.progress(run).active)
    ended = runs.progress(run)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["where"]) == ("internal", "here/things")
    assert "RuntimeError" in ended.error["message"]
    written = "".join(p.read_text() for p in sorted((runs.root / run).iterdir()) if p.is_file())
    assert "RuntimeError" in written
    assert "s3cret" not in written
    assert all((p.stat().st_mode & 0o077) == 0 for p in (runs.root / run).iterdir())


def test_forgetting_and_what_is_unknown(runs: Runs, instead: Callable[[str], None]) -> None:
    instead(POLITE)
    run = runs.submit(THINGS, CheckOptions())
    with pytest.raises(PlumblineError) as fault:
        runs.forget(run)
    assert fault.value.code == "busy"
    runs.cancel(run)
    until(lambda: not runs.progress(run).active)
    runs.forget(run)
    for unknown in (run, "../../etc", "", "20260101T000000-00000000", "20260101T000000-0000000g"):
        with pytest.raises(PlumblineError) as fault:
            runs.progress(unknown)
        assert fault.value.code == "not-found"
    assert runs.latest(THINGS) is None


def test_damaged_and_foreign_files_are_passed_over(runs: Runs) -> None:
    runs.root.mkdir(parents=True)
    at = "20260101T000000-0000000"
    for number, text in enumerate(("", "{", "[]", '{"state": "odd"}', '{"id": "x", "state": "done"}')):
        place = runs.root / f"{at}{number}"
        place.mkdir()
        (place / files.STATE).write_text(text)
    moved = Run(f"{at}9", "here/things", {}, "running", 0.0)
    (runs.root / f"{at}8").mkdir()
    (runs.root / f"{at}8" / files.STATE).write_text(json.dumps(moved.to_json()))
    (runs.root / "notes.txt").write_text("mine")
    assert runs.active() == []
    with pytest.raises(PlumblineError):
        runs.progress(f"{at}8")


def test_a_run_of_before_a_restart_is_not_running(runs: Runs) -> None:
    place = runs.root / "20260101T000000-00000001"
    place.mkdir(parents=True)
    files.write(place, Run(place.name, "here/things", {}, "running", 1.0, pid=os.getpid()))
    assert runs.progress(place.name).state == "failed"
    assert runs.active() == []


def test_old_runs_make_room(
    runs: Runs, instead: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.jobs import runs as module

    monkeypatch.setattr(module, "KEPT", 3)
    for number in range(6):
        place = runs.root / f"20260101T000000-0000000{number}"
        place.mkdir(parents=True)
        files.write(place, Run(place.name, "here/old", {}, "done", float(number)))
    instead(POLITE)
    runs.submit(THINGS, CheckOptions())
    left = sorted(
        p.name[-1]
        for p in runs.root.iterdir()
        if p.name.endswith(("0", "1", "2", "3", "4", "5")) and p.name.startswith("20260101")
    )
    assert left == ["3", "4", "5"]
