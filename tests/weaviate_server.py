"""A real Weaviate server for tests: found, started on free ports with its own data, stopped cleanly.

    with start_weaviate(api_keys={"a-key": "ada"}) as server:
        connect(server.spec("weaviate", api_key="a-key"))

The pytest fixture `weaviate_server` is one server without authentication for the whole session.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.model import ConnectionSpec
from tests.needs import lacking, required, weaviate_program
from tests.ports import free_ports

PATIENCE = 90.0


class NoWeaviate(Exception):
    """No server program, or one that does not start; the text says why."""


@dataclass
class WeaviateServer:
    """A running server. `kill`, `stop` and `start` let a test take it away and bring it back."""

    program: Path
    folder: Path
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def grpc_port(self) -> int:
        return self.ports["grpc"]

    def spec(self, name: str = "weaviate", **changes: Any) -> ConnectionSpec:
        """A connection to this server; `changes` are fields of `ConnectionSpec`."""
        given: dict[str, Any] = {"url": self.url, "grpc_port": self.grpc_port, "timeout": 30.0, **changes}
        return ConnectionSpec(name, "weaviate", **given)

    def start(self) -> None:
        """Start the process and wait until it is ready. Raises `NoWeaviate`."""
        log = (self.folder / "log.txt").open("ab")
        self.process = subprocess.Popen(
            [self.program, "--host", "127.0.0.1", "--port", str(self.ports["http"]), "--scheme", "http"],
            env={**_plain_environment(), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise NoWeaviate(f"{self.program} ended with {self.process.returncode}: {self.last_words()}")
            try:
                with urllib.request.urlopen(f"{self.url}/v1/.well-known/ready", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.kill()
        raise NoWeaviate(f"{self.program} was not ready after {PATIENCE:.0f} s: {self.last_words()}")

    def stop(self) -> None:
        """End the process cleanly (killed after 20 s)."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def last_words(self, lines: int = 4) -> str:
        log = self.folder / "log.txt"
        text = log.read_text(errors="replace") if log.exists() else ""
        return " | ".join(text.splitlines()[-lines:])[-800:]


def find_program() -> Path:
    """The server program. Raises `NoWeaviate` with the reason."""
    program = weaviate_program()
    if program is None:
        raise NoWeaviate(lacking("weaviate") or "no server program")
    return program


def _plain_environment() -> dict[str, str]:
    """What the server may inherit: nothing that configures it."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}


@contextmanager
def start_weaviate(
    *,
    api_keys: Mapping[str, str] | None = None,
    admins: tuple[str, ...] = (),
    viewers: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    program: Path | None = None,
) -> Iterator[WeaviateServer]:
    """A server with its own data, gone afterwards.

    `api_keys`: key -> user; anonymous access is off then. `admins` and `viewers` (users) switch the
    admin list on. `env` adds to the server's environment. Raises `NoWeaviate`.
    """
    found = program or find_program()
    with tempfile.TemporaryDirectory(prefix="plumbline-weaviate-", ignore_cleanup_errors=True) as folder:
        fault: NoWeaviate | None = None
        for _ in range(3):
            server = _server(found, Path(folder), api_keys or {}, admins, viewers, env or {})
            try:
                server.start()
            except NoWeaviate as why:
                fault = why
                if "address already in use" not in str(why):
                    raise
                continue
            try:
                yield server
            finally:
                server.stop()
            return
        raise fault or NoWeaviate("not started")


def _server(
    program: Path,
    folder: Path,
    api_keys: Mapping[str, str],
    admins: tuple[str, ...],
    viewers: tuple[str, ...],
    env: Mapping[str, str],
) -> WeaviateServer:
    names = ("http", "grpc", "gossip", "data", "raft", "raft_rpc")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    environment = {
        "PERSISTENCE_DATA_PATH": str(folder / "data"),
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false" if api_keys else "true",
        "DEFAULT_VECTORIZER_MODULE": "none",
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
        "CLUSTER_GOSSIP_BIND_PORT": str(ports["gossip"]),
        "CLUSTER_DATA_BIND_PORT": str(ports["data"]),
        "RAFT_PORT": str(ports["raft"]),
        "RAFT_INTERNAL_RPC_PORT": str(ports["raft_rpc"]),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "GRPC_PORT": str(ports["grpc"]),
        "DISABLE_TELEMETRY": "true",
        "GO_PROFILING_DISABLE": "true",
        "LOG_LEVEL": "error",
        "GOMEMLIMIT": "1GiB",
        "DISK_USE_WARNING_PERCENTAGE": "99",
        "DISK_USE_READONLY_PERCENTAGE": "100",
    }
    if api_keys:
        environment |= {
            "AUTHENTICATION_APIKEY_ENABLED": "true",
            "AUTHENTICATION_APIKEY_ALLOWED_KEYS": ",".join(api_keys),
            "AUTHENTICATION_APIKEY_USERS": ",".join(api_keys.values()),
        }
    if admins or viewers:
        environment |= {
            "AUTHORIZATION_ADMINLIST_ENABLED": "true",
            "AUTHORIZATION_ADMINLIST_USERS": ",".join(admins),
            "AUTHORIZATION_ADMINLIST_READONLY_USERS": ",".join(viewers),
        }
    return WeaviateServer(program, folder, ports, {**environment, **env})


def skip_or_fail(why: NoWeaviate) -> None:
    """Skip with the reason; fail where PLUMBLINETEST_REQUIRE asks for Weaviate."""
    if "weaviate" in required():
        pytest.fail(f"PLUMBLINETEST_REQUIRE names weaviate: {why}", pytrace=False)
    pytest.skip(f"weaviate: {why}")


@pytest.fixture(scope="session")
def weaviate_server() -> Iterator[WeaviateServer]:
    """One server without authentication, for the whole session."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(start_weaviate())
        except NoWeaviate as why:
            skip_or_fail(why)
            return
        yield server
