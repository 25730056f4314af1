"""The Qdrant engines that the adapter's own tests run against: the embedded store, and a server where one is named."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.model import CollectionPlan, ConnectionSpec, Target, VectorField
from connectors.qdrant.adapter import QdrantConnector

ENGINES = ["embedded", pytest.param("server", marks=pytest.mark.qdrant_server)]


def server_spec(**more: Any) -> ConnectionSpec:
    """The server that QDRANT_URL names."""
    grpc = os.environ.get("QDRANT_GRPC")
    given: dict[str, Any] = {
        "url": os.environ["QDRANT_URL"],
        "grpc_port": int(grpc) if grpc else None,
        "api_key": os.environ.get("QDRANT_API_KEY"),
        "timeout": 30.0,
    }
    return ConnectionSpec("server", "qdrant", **{**given, **more})


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QdrantConnector]:
    if request.param == "server":
        connector = QdrantConnector(server_spec())
        yield connector
        connector.close()
        return
    from connectors.qdrant import host

    folder = tmp_path_factory.mktemp("engine") / "store"
    connector = QdrantConnector(ConnectionSpec("embedded", "qdrant", path=str(folder), timeout=30.0))
    yield connector
    connector.close()
    host.stop(folder)


class Made:
    """Collections of one test, dropped after it."""

    def __init__(self, connector: QdrantConnector) -> None:
        self.connector = connector
        self.names: list[str] = []

    def collection(self, *vectors: VectorField, **plan: Any) -> Target:
        name = f"T{uuid.uuid4().hex[:10]}"
        fields = vectors or (VectorField("", dimension=4, metric="dot"),)
        self.connector.create(name, CollectionPlan(fields, **plan))
        self.names.append(name)
        return Target(name)

    def clean(self) -> None:
        for name in self.names:
            self.connector.drop(name)
        self.names.clear()


@pytest.fixture
def made(engine: QdrantConnector) -> Iterator[Made]:
    held = Made(engine)
    yield held
    held.clean()
