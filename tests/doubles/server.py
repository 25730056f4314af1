"""The host's service in this process, on a free port."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from connectors.model import ConnectionSpec
from connectors.qdrant.host.protos import Method, pb
from connectors.qdrant.host.service import SEMANTICS, TITLE, Call, Service, start
from connectors.qdrant.host.store import Store
from tests.doubles.faults import Faults
from tests.doubles.older import forget, forget_answer, version_of
from tests.ports import free_port

KEY = "test-key-0001"
_SERVER_TITLE = "qdrant - vector search engine"


class Double:
    """A running double. `port` speaks gRPC; on `rest_port` nobody listens."""

    def __init__(
        self,
        folder: Path,
        *,
        key: str | None = KEY,
        version: str | None = None,
        title: str | None = None,
        strict: Mapping[str, Any] | None = None,
        port: int = 0,
    ) -> None:
        self.folder = folder
        self.key = key
        self.host = "127.0.0.1"
        self.rest_port = free_port()
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self._version = version
        self._title = title or (TITLE if version is None else _SERVER_TITLE)
        self._strict = dict(strict or {})
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store(folder)
        self.service = Service(self.store, key, self._around, open_health=version is not None)
        self._server, self.port = start(self.service, port)

    def spec(self, **changes: Any) -> ConnectionSpec:
        """The connection to this double; `changes` are fields of the spec."""
        fields: dict[str, Any] = {
            "name": "double",
            "kind": "qdrant",
            "url": f"http://{self.host}:{self.rest_port}",
            "grpc_port": self.port,
            "api_key": self.key,
        }
        return ConnectionSpec(**{**fields, **changes})

    def client(self, **changes: Any) -> Any:
        """A stock client of this double."""
        from qdrant_client import QdrantClient

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return QdrantClient(
                **{
                    "host": self.host,
                    "grpc_port": self.port,
                    "prefer_grpc": True,
                    "api_key": self.key,
                    "https": False,
                    "check_compatibility": False,
                    "timeout": 30,
                    **changes,
                }
            )

    def cut(self) -> None:
        """Break every connection now and close the port, as a server that dies."""
        self._server.stop(grace=0).wait()

    def restart(self) -> None:
        """Listen on the same port again, with the same rows."""
        self._server, self.port = start(self.service, self.port)

    def close(self) -> None:
        self.faults.clear()
        self._server.stop(grace=0).wait()
        self.store.close()

    def _around(self, method: Method, request: Any, context: grpc.ServicerContext, call: Call) -> Any:
        self.calls[method.path.removeprefix("/qdrant.")] += 1
        version = version_of(self._version or SEMANTICS)

        def answered(asked: Any) -> Any:
            if method.name == "HealthCheck":
                return pb.HealthCheckReply(title=self._title, version=self._version or SEMANTICS)
            forget(version, method, asked)
            if self._strict and method.name == "Create" and method.service == "qdrant.Collections":
                strict = pb.StrictModeConfig(enabled=True, **self._strict)
                asked.strict_mode_config.MergeFrom(strict)
            answer = call(asked)
            forget_answer(version, answer)
            return answer

        return self.faults(method, request, context, answered)


@contextlib.contextmanager
def double(folder: Path, **options: Any) -> Iterator[Double]:
    """A double in `folder`, closed at the end. Options: key, version, title, strict, port."""
    server = Double(folder, **options)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def server_double(tmp_path: Path) -> Iterator[Double]:
    with double(tmp_path / "double") as server:
        yield server
