"""The host's own process: owns the folder, serves it, and ends when nobody has called for a while."""

from __future__ import annotations

import faulthandler
import fcntl
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from connectors.qdrant.host import door

TICK: Final = 0.5
STOP_SECONDS: Final = 30.0


def run(root: Path, idle_seconds: float, tell: Callable[..., None] | None = None) -> int:
    """Serve `root` until idle or told to stop; returns an exit code.

    `tell` hears once, by keyword, where the host answers. Raises BlockingIOError where another host owns the
    folder, NotAStore where it can't be one, OSError where it can't be used.
    """
    faulthandler.enable()
    lock = os.open(root / door.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _serve(root, idle_seconds, tell or _nobody, lock)
    finally:
        os.close(lock)


def _owns(root: Path, lock: int) -> bool:
    """Whether the folder at `root` is still the one that this host has locked."""
    try:
        return os.path.samestat((root / door.LOCK).stat(), os.fstat(lock))
    except OSError:
        return False


def _nobody(**what: Any) -> None:
    pass


def _serve(root: Path, idle_seconds: float, tell: Callable[..., None], lock: int) -> int:
    stop = threading.Event()

    def told_to_stop(number: int, frame: object) -> None:
        stop.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, told_to_stop)
    from connectors.qdrant.host.service import ENGINE, Service, start
    from connectors.qdrant.host.store import Store

    door.check_format(root, ENGINE)
    store = Store(root)
    key = secrets.token_urlsafe(32)
    service = Service(store, key)
    server, port = start(service)
    endpoint = {"host": "127.0.0.1", "port": port, "key": key, "pid": os.getpid(), "started": time.time()}
    door.publish(root, endpoint)
    tell(**endpoint)
    try:
        while not stop.wait(TICK) and _owns(root, lock):
            if idle_seconds and service.idle > idle_seconds and not store.building:
                break
            store.tend()
    finally:
        if not _owns(root, lock):
            # The folder was removed under the host, and another may stand in its place: not one more byte.
            sys.stderr.write("the folder is gone\n")
            os._exit(1)
        (root / door.HOST).unlink(missing_ok=True)
        service.drain(STOP_SECONDS)
        # With a grace, gRPC waits 5 s for clients that keep their connection open (grpcio 1.78).
        server.stop(grace=None).wait()
        store.close()
    return 0
