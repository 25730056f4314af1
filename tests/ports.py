"""Ports of this machine that nobody else takes meanwhile."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FIRST: Final = 12_000
_WORKERS: Final = 16
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()


def free_port() -> int:
    """A port on which nobody listens.

    The system gives any port of its own range to whoever connects somewhere, and a client that asks for a port of that
    range where nobody listens may even be connected to itself. So it lies below that range, each process of a test run
    has its own, and none is given twice.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0) % _WORKERS
    own = [p for p in range(_FIRST, _last()) if p % _WORKERS == worker and p not in _given]
    random.SystemRandom().shuffle(own)
    for port in own:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port
    raise RuntimeError(f"no port from {_FIRST} to {_last()} is free")


def free_ports(n: int) -> list[int]:
    """`n` different ones."""
    return [free_port() for _ in range(n)]


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections: it is bound, so that nobody else gets it, and does not listen."""
    port = free_port()
    with socket.socket() as held:
        held.bind(("127.0.0.1", port))
        yield port


def _last() -> int:
    try:
        low = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        low = 32_768
    return max(low, _FIRST + 100 * _WORKERS)
