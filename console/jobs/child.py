"""The process of one run: reads, judges, stores the reports, and says how far it is.

It is started by `Runs` with its folder, the descriptor of the lock that says it lives, and the settings
files. Little is imported before the first word, so that the page has one at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.jobs import files
from console.jobs.model import Kind, Run

if TYPE_CHECKING:
    from console.health.progress import Progress
    from console.workspace import Workspace

TICK: Final = 0.1
EVERY: Final = 0.2
"""Seconds between two states, where something moved."""
BEAT: Final = 1.0
"""Seconds between two states, where nothing did."""
GRACE: Final = 1.0
"""Seconds that a cancelled check has to stop where it likes."""
NICE: Final = 5
"""The pages of the console go first."""


class Told:
    """The run's state: changed by the check, written by a thread of its own a few times a second."""

    def __init__(self, place: Path, run: Run) -> None:
        self._place, self._run = place, run
        self._lock = threading.RLock()
        self._moved, self._wrote = True, 0.0
        self._asked: float | None = None
        self._closed = self._saving = False

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            self._run = self._run.but(
                phase=progress.phase,
                done=progress.done,
                total=progress.total,
                rate=progress.rate,
                eta_seconds=progress.eta_seconds,
            )
            self._moved = True

    def begin(self) -> None:
        self._write()
        threading.Thread(target=self._watch, name="state", daemon=True).start()

    def cancelled(self) -> bool:
        return self._asked is not None

    def ask(self) -> None:
        """Somebody asked for the end."""
        if self._asked is None:
            self._asked = time.monotonic()

    def saving(self) -> bool:
        """From here on the run is brought to its end; False where it was cancelled before."""
        with self._lock:
            if self._asked is not None:
                return False
            self._saving = True
        from console.health.progress import Progress

        self(Progress("Keeping the result"))
        return True

    def end(self, **changes: object) -> bool:
        """The last state; False where one was written before."""
        with self._lock:
            if self._closed:
                return False
            self._run = self._run.but(**changes, ended=files.now(), eta_seconds=None)
            self._write()
            self._closed = True
        return True

    def _watch(self) -> None:
        while not self._closed:
            time.sleep(TICK)
            if self._asked is None and (self._place / files.CANCEL).exists():
                self.ask()
            if self._asked is not None and not self._saving and time.monotonic() - self._asked > GRACE:
                # A request that waits for a server can't be interrupted otherwise.
                if self.end(state="cancelled"):
                    files.clear_scratch(self._place)
                    os._exit(0)
                return
            with self._lock:
                age = time.monotonic() - self._wrote
                if not self._closed and (age > BEAT or (self._moved and age > EVERY)):
                    with contextlib.suppress(OSError):
                        self._write()

    def _write(self) -> None:
        self._run = self._run.but(heartbeat=files.now())
        files.write(self._place, self._run)
        self._moved, self._wrote = False, time.monotonic()


def main(arguments: Sequence[str]) -> int:
    """`FOLDER LOCK [CONFIG] [SECRETS]`; empty names stand for none."""
    place, lock, config, secrets = Path(arguments[0]), int(arguments[1]), arguments[2], arguments[3]
    os.set_inheritable(lock, False)
    run = files.read(place)
    if run is None:
        return 2
    run = run.but(state="running", pid=os.getpid(), pid_started=files.started(os.getpid()))
    told = Told(place, run)
    told.begin()

    def asked(number: int, frame: object) -> None:
        told.ask()

    signal.signal(signal.SIGTERM, asked)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    scratch = place / files.SCRATCH
    scratch.mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = str(scratch)
    code = _run(told, run, config or None, secrets or None)
    files.clear_scratch(place)
    # Threads of clients that wait for a server would hold the process.
    sys.stderr.flush()
    os._exit(code)


def _run(told: Told, run: Run, config: str | None, secrets_file: str | None) -> int:
    from connectors.errors import PlumblineError
    from console import egress, settings
    from console.health.probing import Cancelled
    from console.workspace import Workspace

    egress.begin()
    hidden: Sequence[str] = ()
    try:
        held = settings.load(config, secrets_file)
        hidden = held.secrets()
        egress.configured(held)
        with Workspace(held) as ws:
            _start_hosts(ws, run)
            with contextlib.suppress(OSError):
                os.nice(NICE)
            reports = WORK[run.kind](ws, run, told)
            told.end(state="done", reports=reports)
        return 0
    except Cancelled:
        told.end(state="cancelled")
        return 0
    except PlumblineError as fault:
        told.end(state="failed", error=_told(fault, hidden))
    except BaseException as fault:
        _log(hidden)
        told.end(state="failed", error=_told(_unforeseen(fault, run.address), hidden))
    return 2


def _start_hosts(ws: Workspace, run: Run) -> None:
    """The hosts of the embedded stores that the run reads, before this process steps back: they would step back with
    it, and serve the pages too. What is wrong with one the run itself will say.
    """
    from connectors.errors import PlumblineError

    said = [run.address, *(text for text in run.options.values() if isinstance(text, str))]
    for name in {text.partition("/")[0] for text in said if "/" in text}:
        with contextlib.suppress(PlumblineError):
            if ws.spec(name).path is not None:
                ws.connector(name).server()


def _checked(ws: Workspace, run: Run, told: Told) -> tuple[str, ...]:
    from console.health.options import CheckOptions
    from console.health.probing import Cancelled
    from console.health.run import check

    address = ws.address(run.address)
    options = CheckOptions.from_json(run.options)
    reports = check(ws, address, options, tell=told, cancelled=told.cancelled)
    if not told.saving():
        raise Cancelled
    from console.jobs import rows
    from console.store import Store

    store = Store.open(ws)
    for report in reports:
        store.save(report)
        rows.keep(ws.home, report)
    return tuple(report.id for report in reports)


def _compared(ws: Workspace, run: Run, told: Told) -> tuple[str, ...]:
    from console.compare.request import CompareRequest
    from console.compare.run import compare
    from console.health.probing import Cancelled
    from console.store import Comparisons

    request = CompareRequest.from_json(run.options)
    made = compare(ws, request, tell=told, cancelled=told.cancelled)
    if not told.saving():
        raise Cancelled
    return (Comparisons.open(ws).save(made),)


def _gated(ws: Workspace, run: Run, told: Told) -> tuple[str, ...]:
    from console.compare.gate.run import run as judge

    return (judge(ws, run.options, told, told.cancelled),)


def _evaluated(ws: Workspace, run: Run, told: Told) -> tuple[str, ...]:
    from console.health.probing import Cancelled
    from console.search.evaluate import evaluate
    from console.store import Evaluations

    asked = run.options
    other = asked.get("against")
    made = evaluate(
        ws,
        str(asked["golden"]),
        ws.address(str(asked["address"])),
        k=int(asked.get("k") or 10),
        tell=told,
        cancelled=told.cancelled,
        against=None if other is None else ws.address(str(other)),
    )
    if not told.saving():
        raise Cancelled
    return (Evaluations.open(ws).save(made.data),)


WORK: Final[Mapping[Kind, Callable[[Workspace, Run, Told], tuple[str, ...]]]] = {
    "check": _checked,
    "compare": _compared,
    "gate": _gated,
    "evaluate": _evaluated,
}


def _unforeseen(fault: BaseException, where: str) -> Exception:
    from connectors.errors import PlumblineError

    if isinstance(fault, MemoryError):
        return PlumblineError(
            "internal",
            "The memory did not suffice.",
            where=where,
            hint="Read a sample, or fewer fields and queries.",
        )
    return PlumblineError(
        "internal",
        f"Something unforeseen happened ({type(fault).__name__}).",
        where=where,
        hint="The log in the run's folder says more.",
    )


def _told(fault: Exception, hidden: Sequence[str]) -> dict[str, str]:
    from connectors.errors import PlumblineError, redact

    assert isinstance(fault, PlumblineError)
    return {name: redact(text, hidden) for name, text in fault.to_json().items()}


def _log(hidden: Sequence[str]) -> None:
    from connectors.errors import redact

    sys.stderr.write(redact(traceback.format_exc(), hidden))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
