"""The embedded store: Qdrant's own engine behind Qdrant's own gRPC, in a process of its own.

`ensure(path)` finds or starts the one host of a folder. A host ends by itself when it has been idle for a
while: a caller that finds its endpoint gone (UNAVAILABLE) calls `ensure` again and repeats the call.

The fine print:
- What was acknowledged outlives the death of any process (SIGKILL). A power cut may take what was written in
  the last seconds: the log is synced 3 s after the last write, and whenever 128 MB have gathered.
- After a clean end every file is held against its size, time and CRC-32, after an unclean one the rows are
  counted and read; what does not agree is refused as DATA_LOSS, collection by collection. A changed value
  inside a file, after an unclean end, can't be noticed.
- The index is built by a child process on a copy, and so needs as much free space again.
- The engine (qdrant-edge 0.9) has the semantics of a server 1.19, and leaves rows whose score is NaN out of
  an answer, where a server 1.18 puts them first.
- Not served (UNIMPLEMENTED, with the name): groups, formulas, the old Recommend and Discover, distance
  matrices, snapshots, shard keys, replicas, inference.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from connectors.errors import Code, PlumblineError
from connectors.qdrant.host import door
from connectors.qdrant.host.door import Endpoint

__all__ = ["IDLE_SECONDS", "TITLE_PREFIX", "Endpoint", "Status", "ensure", "serve", "status", "stop"]

IDLE_SECONDS: Final = 300.0
TITLE_PREFIX: Final = "plumbline embedded store"
"""The title in the answer to a health check starts so, and no server's does."""

_LONGEST_LOG: Final = 1_000_000
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from connectors.qdrant.host.__main__ import main; sys.exit(main(sys.argv[2:]))"
)


@dataclass(frozen=True, slots=True)
class Status:
    """`state`: `running` with an endpoint, `starting` (or ending), or `stopped`."""

    state: str
    endpoint: Endpoint | None = None


def ensure(path: Path | str, timeout: float = 20.0, idle_seconds: float = IDLE_SECONDS) -> Endpoint:
    """The living host of the store in `path`; starts one, and makes the folder, where there is none.

    Safe to call from any number of processes and threads at once. `timeout` in seconds.
    Raises PlumblineError: `settings` where the folder can't be a store, `disk-full`, `timeout`, `unreachable`.
    """
    root = _folder(path)
    deadline = time.monotonic() + timeout
    try:
        while True:
            endpoint = door.living(root)
            if endpoint is not None:
                return endpoint
            with door.starting(root, deadline):
                endpoint = door.living(root) or _start(root, deadline, idle_seconds)
            if endpoint is not None:
                return endpoint
            if time.monotonic() > deadline:
                raise TimeoutError("the host that owns the folder does not answer")
            time.sleep(0.05)
    except TimeoutError as fault:
        raise PlumblineError(
            "timeout",
            f"The embedded store was not there after {timeout:g} s: {fault}.",
            where=str(root),
            hint=f"Its log is {root / door.LOG}; `plumbline store state` shows whether it runs.",
        ) from None
    except OSError as fault:
        raise _unusable(root, fault) from None


def serve(path: Path | str, idle_seconds: float = IDLE_SECONDS) -> int:
    """Serve a store in this process until it is idle (0: never) or gets SIGTERM; returns an exit code.

    Raises PlumblineError where the folder can't be a store; `busy` where another host serves it.
    """
    from connectors.qdrant.host import process

    root = _folder(path)
    if door.owned(root):
        raise _served(root)
    try:
        return process.run(root, idle_seconds)
    except BlockingIOError:
        raise _served(root) from None
    except door.NotAStore as fault:
        raise PlumblineError("settings", f"This can't be served: {fault}.", where=str(root)) from None
    except OSError as fault:
        raise _unusable(root, fault) from None


def stop(path: Path | str, timeout: float = 30.0) -> bool:
    """End the host of a store cleanly; returns whether there was one. Raises `timeout`."""
    root = Path(path).expanduser().resolve()
    endpoint = door.living(root)
    if endpoint is None and not door.owned(root):
        return False
    if endpoint is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(endpoint.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while door.owned(root):
        if time.monotonic() > deadline:
            raise PlumblineError(
                "timeout", f"The host did not end within {timeout:g} s.", where=str(root), hint="Try again."
            )
        time.sleep(0.02)
    return True


def status(path: Path | str) -> Status:
    """Whether a host serves the store. Starts none."""
    root = Path(path).expanduser().resolve()
    endpoint = door.living(root)
    if endpoint is not None:
        return Status("running", endpoint)
    return Status("starting" if door.owned(root) else "stopped")


def _folder(path: Path | str) -> Path:
    root = Path(path).expanduser().resolve()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise _unusable(root, fault) from None
    return root


def _served(root: Path) -> PlumblineError:
    return PlumblineError(
        "busy",
        "Another process serves this store already.",
        where=str(root),
        hint="There is one host per folder; every command finds it by itself.",
    )


def _unusable(root: Path, fault: OSError) -> PlumblineError:
    full = fault.errno in (28, 122)
    code: Code = "disk-full" if full else "settings"
    return PlumblineError(
        code,
        f"The folder of the embedded store can't be used ({fault.strerror or fault}).",
        where=str(root),
        hint="Make room." if full else "Name a folder that can be written, as `path` of the connection.",
    )


def _start(root: Path, deadline: float, idle_seconds: float) -> Endpoint | None:
    """Start a host and wait for its word. None where another one owns the folder."""
    log = root / door.LOG
    mode = "ab" if log.exists() and log.stat().st_size < _LONGEST_LOG else "wb"
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "ab" else os.O_TRUNC), 0o600)
    with os.fdopen(handle, mode) as errors:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
            [sys.executable, "-P", "-c", _START, str(door.HOUSE), str(root), str(idle_seconds)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=root,
            start_new_session=True,
            close_fds=True,
        )
    threading.Thread(target=child.wait, name="store-host", daemon=True).start()
    assert child.stdout is not None
    with child.stdout as stream:
        told = _first_line(stream, deadline)
    if told is None:
        if child.poll() is None:
            child.terminate()
        raise PlumblineError(
            "unreachable",
            "The embedded store's host ended before it could serve.",
            where=str(root),
            hint=f"Its log is {log}.",
        )
    if "error" in told:
        raise PlumblineError(
            "disk-full" if "No space left" in told["error"] else "settings",
            f"The embedded store can't be opened: {told['error']}.",
            where=str(root),
            hint="Name an empty folder, or one that holds a store, as `path` of the connection.",
        )
    return door.living(root)


def _first_line(stream: IO[bytes], deadline: float) -> dict[str, Any] | None:
    """The JSON line that a starting host writes, or None where it ends without one. Raises TimeoutError."""
    data = b""
    while b"\n" not in data:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            raise TimeoutError("the host that was started does not answer")
        block = os.read(stream.fileno(), 4096)
        if not block:
            return None
        data += block
    return json.loads(data)
