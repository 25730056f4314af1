"""Doubles of troubled servers: the embedded store's own host in this process, with faults put in.

    from tests.doubles import double, http_on_grpc_port, tls_on_plain_port, silent_port

    with double(tmp_path) as server:                        # a healthy store on 127.0.0.1, key "test-key-0001"
        connector = connect(server.spec())                  # spec(api_key="wrong"), spec(timeout=0.2), ...
        server.faults.delay("Points/Scroll", 2.0)           # slow answers
        server.faults.fail("Points/Query", "UNAVAILABLE")   # until faults.clear()
        server.faults.fail("Points/Scroll", "UNAVAILABLE", after=2)             # in the middle of a scan
        server.faults.fail("*", "RESOURCE_EXHAUSTED", text="Rate limiting exceeded: ...",
                           metadata=(("retry-after", "2"),), times=1)           # once, then healthy
        server.faults.read_only()                           # a key that may only read
        server.cut()                                        # the connection breaks and the port is closed

    with double(tmp_path, version="1.15.5") as old: ...     # ignores what that version does not know
    with double(tmp_path, strict={"search_allow_exact": False}) as s: ...       # new collections get strict mode

`server.calls` counts the calls by method, `server.client()` is a stock `QdrantClient`.
A real server answers a health check without a key, and so does a double that pretends to be one
(`version` given); the embedded host asks for the key always.

`http_on_grpc_port()`, `tls_on_plain_port()` and `silent_port()` are context managers that give the port number;
`far(port, seconds)` is a server with late answers. `server_double` is a fixture: a healthy double in a folder of its own.
"""

from __future__ import annotations

from tests.doubles.faults import Faults
from tests.doubles.ports import far, http_on_grpc_port, silent_port, tls_on_plain_port
from tests.doubles.server import KEY, Double, double, server_double

__all__ = [
    "KEY",
    "Double",
    "Faults",
    "double",
    "far",
    "http_on_grpc_port",
    "server_double",
    "silent_port",
    "tls_on_plain_port",
]
