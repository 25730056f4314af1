"""How a host is found: the files that say whether one lives, where, and with which key.

The host holds `host.lock` for as long as it lives, so that nothing but the kernel's word is needed to tell
a living host from the file of a dead one. `start.lock` is held by whoever starts a host.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HOST: Final = "host.json"
LOCK: Final = "host.lock"
STARTING: Final = "start.lock"
LOG: Final = "host.log"
STORE: Final = "store.json"
FORMAT: Final = 1

HOUSE: Final = Path(__file__).resolve().parents[3]
"""The folder that `connectors` lies in: the checkout, or `plumbline` of an installed wheel."""


class NotAStore(ValueError):
    """A folder that can't be served; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a living host answers, and the key that each call carries as metadata `api-key`."""

    host: str
    port: int
    key: str = field(repr=False)
    pid: int


def publish(root: Path, endpoint: dict[str, Any]) -> None:
    aside = root / f".{HOST}.new"
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(endpoint, file)
    aside.replace(root / HOST)


def living(root: Path) -> Endpoint | None:
    """The host that owns the folder and has said where it is; None where there is none (yet)."""
    try:
        held = json.loads((root / HOST).read_bytes())
        endpoint = Endpoint(str(held["host"]), int(held["port"]), str(held["key"]), int(held["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return endpoint if owned(root) else None


def owned(root: Path) -> bool:
    """Whether a living process holds the folder."""
    try:
        handle = os.open(root / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


@contextlib.contextmanager
def starting(root: Path, deadline: float) -> Generator[None]:
    """Hold the right to start a host. Raises TimeoutError at `deadline` (monotonic)."""
    handle = os.open(root / STARTING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError("another process has been starting the host for too long") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def check_format(root: Path, engine: str) -> None:
    """Hold the folder against the mark of a store; marks an empty one. Raises NotAStore."""
    mark = root / STORE
    try:
        held = json.loads(mark.read_bytes())
        number = int(held["format"])
    except FileNotFoundError:
        ours = {HOST, LOCK, STARTING, LOG, f".{HOST}.new"}
        strangers = sorted(p.name for p in root.iterdir() if p.name not in ours)
        if strangers:
            raise NotAStore(
                f"the folder holds other things ({', '.join(strangers[:3])}) and is no embedded store"
            ) from None
        mark.write_text(json.dumps({"format": FORMAT, "engine": engine}))
        return
    except (ValueError, KeyError, TypeError):
        raise NotAStore(f"{STORE} can't be read: the folder is damaged or no embedded store") from None
    if number > FORMAT:
        raise NotAStore(f"the store has format {number}; this version of Plumbline reads up to {FORMAT}")
