"""The real databases that faults are planted in."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from connectors.model import ConnectionSpec
from connectors.registry import connect
from tests.faults.real import Database


@pytest.fixture(
    scope="module",
    params=[
        "embedded",
        pytest.param("weaviate", marks=pytest.mark.weaviate),
        pytest.param("qdrant", marks=pytest.mark.qdrant_server),
    ],
)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "embedded":
        folder = tmp_path_factory.mktemp("faults") / "store"
        spec = ConnectionSpec("real", "qdrant", path=str(folder), timeout=60.0)
        connector = connect(spec)
        yield Database("embedded", "qdrant", spec, connector)
        connector.close()
        from connectors.qdrant import host

        host.stop(folder)
    elif request.param == "weaviate":
        from tests.weaviate_server import start_weaviate

        with start_weaviate() as server:
            spec = server.spec("real")
            connector = connect(spec)
            yield Database("weaviate", "weaviate", spec, connector)
            connector.close()
    else:
        grpc = os.environ.get("QDRANT_GRPC")
        spec = ConnectionSpec(
            "real",
            "qdrant",
            url=os.environ["QDRANT_URL"],
            grpc_port=int(grpc) if grpc else None,
            timeout=60.0,
        )
        connector = connect(spec)
        yield Database("qdrant", "qdrant", spec, connector)
        connector.close()
