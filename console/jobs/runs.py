"""Long readings as child processes, found by their files: they survive a reload of the page and the end of
the console that started them, and every console process on this machine sees the same ones.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.errors import CODES, Code, PlumblineError
from console.jobs import files
from console.jobs.model import Kind, Readings, Run

if TYPE_CHECKING:
    from console.health.options import CheckOptions
    from console.settings import Address

__all__ = ["Kind", "Readings", "Run", "Runs"]

HOUSE: Final = Path(__file__).resolve().parents[2]
"""The folder that `console` lies in: the checkout, or `plumbline` of an installed wheel."""
MOST: Final = 4
"""Runs at the same time: each may need a core and the memory of a scan."""
KEPT: Final = 40
"""Ended runs that are still known."""
PATIENCE: Final = 1.6
"""Seconds that a cancelled run has to end by itself; then its process is ended."""
NOUN: Final[Mapping[Kind, str]] = {
    "check": "the check",
    "compare": "the comparison",
    "gate": "the gate",
    "evaluate": "the evaluation",
}

_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from console.jobs.child import main; sys.exit(main(sys.argv[2:]))"
)


class Runs:
    """The readings of one PLUMBLINE_HOME. `config` and `secrets`: the settings files that were named, if any."""

    def __init__(self, home: Path, config: str | None = None, secrets_file: str | None = None) -> None:
        self.root = files.folder(home)
        self._config = config
        self._secrets = secrets_file

    def submit(self, address: Address, options: CheckOptions) -> str:
        """Starts a check, or names the one that runs for the address. Raises as `start`."""
        return self.start("check", str(address), options.to_json())

    def start(self, kind: Kind, name: str, options: Mapping[str, Any]) -> str:
        """Starts a reading, or names the one of this kind that runs for the same.

        Raises `busy` where too many run, `disk-full`, and `settings` where the folder can't be written.
        """
        try:
            with files.alone(self.root):
                running = self.active()
                same = next((r for r in running if r.address == name and r.kind == kind), None)
                if same is not None:
                    return same.id
                if len(running) >= MOST:
                    raise PlumblineError(
                        "busy",
                        f"{len(running)} readings are running already.",
                        where=name,
                        hint="Wait until one has ended, or cancel one.",
                    )
                self._tidy()
                return self._start(kind, name, options)
        except OSError as fault:
            full = fault.errno in (28, 122)
            raise PlumblineError(
                "disk-full" if full else "settings",
                f"{NOUN[kind].capitalize()} can't be started ({fault.strerror or type(fault).__name__}).",
                where=str(self.root),
                hint="Make room." if full else "PLUMBLINE_HOME must be a folder that can be written.",
            ) from None

    def progress(self, run: str) -> Run:
        """The state as its process last wrote it; one that has died is `failed`. Raises `not-found`."""
        found = self._read(self._place(run))
        if found is None:
            raise _unknown(run)
        return found

    def cancel(self, run: str) -> None:
        """Asks for the end and returns; where nothing comes of it in time, the process is ended."""
        held = self.progress(run)
        if not held.active:
            return
        place = self._place(run)
        (place / files.CANCEL).touch(mode=0o600)
        threading.Thread(target=self._end, args=(place,), name="cancel", daemon=True).start()

    def result(self, run: str) -> tuple[str, ...] | None:
        held = self.progress(run)
        if held.active:
            return None
        if held.error is not None:
            raise restored(held.error)
        return held.reports

    def active(self) -> Sequence[Run]:
        return [r for r in self._all() if r.active]

    def latest(self, address: Address) -> Run | None:
        return self.latest_of("check", str(address))

    def latest_of(self, kind: Kind, name: str) -> Run | None:
        return next((r for r in reversed(self._all()) if r.kind == kind and r.address == name), None)

    def forget(self, run: str) -> None:
        held = self.progress(run)
        if held.active:
            raise PlumblineError(
                "busy",
                f"{NOUN[held.kind].capitalize()} is still running.",
                where=run,
                hint="Cancel it first.",
            )
        files.remove(self._place(run))

    def _place(self, run: str) -> Path:
        if files.ID.fullmatch(run) is None:
            raise _unknown(run)
        return self.root / run

    def _all(self) -> list[Run]:
        try:
            names = sorted(p.name for p in self.root.iterdir() if files.ID.fullmatch(p.name))
        except OSError:
            return []
        found = [self._read(self.root / name) for name in names]
        return sorted((r for r in found if r is not None), key=lambda r: (r.submitted, r.id))

    def _read(self, place: Path) -> Run | None:
        run = files.read(place)
        if run is None or not run.active or files.living(place):
            return run
        run = files.read(place)
        if run is None or not run.active:
            return run
        ended = run.but(
            state="cancelled" if run.stopping else "failed",
            error=None if run.stopping else lost(run),
            ended=files.now(),
        )
        with contextlib.suppress(OSError):
            files.write(place, ended)
        files.clear_scratch(place)
        return ended

    def _start(self, kind: Kind, name: str, options: Mapping[str, Any]) -> str:
        at = files.now()
        run = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(at))}-{secrets.token_hex(4)}"
        place = self.root / run
        place.mkdir(mode=0o700)
        lock = files.hold(place)
        try:
            files.write(place, Run(run, name, dict(options), "starting", at, heartbeat=at, kind=kind))
            log = os.open(place / files.LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(log, "wb") as errors:
                child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
                    [
                        sys.executable, "-P", "-c", _START, str(HOUSE), str(place), str(lock),
                        self._config or "", self._secrets or "",
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    start_new_session=True,
                    pass_fds=(lock,),
                )  # fmt: skip
        except BaseException:
            files.remove(place)
            raise
        finally:
            os.close(lock)
        threading.Thread(target=child.wait, name="reading", daemon=True).start()
        return run

    def _end(self, place: Path) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            run = self._read(place)
            if run is None or not run.active:
                return
            time.sleep(0.05)
        run = files.read(place)
        if run is None or run.pid is None or not files.living(place):
            return
        # The lock is held, so the process lives; its start time shows that the number was not given anew.
        if files.started(run.pid) == run.pid_started:
            with contextlib.suppress(OSError):
                os.kill(run.pid, signal.SIGKILL)

    def _tidy(self) -> None:
        ended = [r for r in self._all() if not r.active]
        for run in ended[: max(0, len(ended) - KEPT)]:
            files.remove(self.root / run.id)


def lost(run: Run) -> dict[str, str]:
    """What became of a run whose process has died."""
    what = NOUN[run.kind]
    smaller = (
        "Check again, with a smaller sample where that was it."
        if run.kind == "check"
        else ("Start it again, with fewer queries or rows where that was it.")
    )
    return {
        "code": "internal",
        "message": f"The process of {what.replace('the', 'this', 1)} ended before {what} did.",
        "where": run.address,
        "hint": f"It may have been killed for want of memory. {smaller}",
    }


def restored(error: Mapping[str, str]) -> PlumblineError:
    """The error that a run's process wrote down."""
    code = cast("Code", error["code"]) if error.get("code") in CODES else "internal"
    return PlumblineError(
        code, error.get("message", ""), where=error.get("where", ""), hint=error.get("hint", "")
    )


def _unknown(run: str) -> PlumblineError:
    return PlumblineError(
        "not-found", "There is no such run.", where=run, hint="It has been forgotten, or never was."
    )
