"""The databases that the contract suite runs against, each behind the same small harness."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import CollectionPlan, ConnectionSpec, PayloadField, Row, RowId, Target, VectorField
from connectors.protocol import Connector
from connectors.registry import connect


@dataclass
class Harness:
    """One connector, and what a test must know of its database to state the same fact everywhere."""

    kind: str
    connector: Connector
    integer_ids: bool
    made: list[str] = field(default_factory=list)

    def fresh(self, plan: CollectionPlan, name: str = "Contract") -> Target:
        made = f"{name}{uuid.uuid4().hex[:8]}"
        self.connector.create(made, plan)
        self.made.append(made)
        return Target(made)

    def ids(self, n: int, seed: int = 0) -> list[RowId]:
        """Distinct ids in random order: UUIDs, and where the database takes them every third an integer."""
        rng = np.random.default_rng(seed)
        drawn: list[RowId] = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]
        if self.integer_ids:
            for i in range(0, n, 3):
                drawn[i] = int(rng.integers(0, 2**63)) if i % 2 else i
        return drawn

    def fill(self, t: Target, rows: Sequence[Row]) -> None:
        result = self.connector.insert(t, rows)
        assert not result.failed, result.failed
        assert len(result.done) == len(rows)

    def clean(self) -> None:
        for name in self.made:
            self.connector.drop(name)
        self.made.clear()


STORES = [
    "embedded",
    pytest.param("weaviate", marks=pytest.mark.weaviate),
    pytest.param("qdrant", marks=pytest.mark.qdrant_server),
]


@pytest.fixture(scope="session", params=STORES)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    match request.param:
        case "embedded":
            folder: Path = tmp_path_factory.mktemp("embedded") / "store"
            connector = connect(ConnectionSpec("embedded", "qdrant", path=str(folder)))
            yield Harness("embedded", connector, integer_ids=True)
            connector.close()
            from connectors.qdrant import host

            host.stop(folder)
        case "weaviate":
            from tests.weaviate_server import start_weaviate

            with start_weaviate() as server:
                connector = connect(server.spec("weaviate"))
                yield Harness("weaviate", connector, integer_ids=False)
                connector.close()
        case _:
            grpc = os.environ.get("QDRANT_GRPC")
            spec = ConnectionSpec(
                "server",
                "qdrant",
                url=os.environ["QDRANT_URL"],
                grpc_port=int(grpc) if grpc else None,
                api_key=os.environ.get("QDRANT_API_KEY"),
            )
            connector = connect(spec)
            yield Harness("qdrant", connector, integer_ids=True)
            connector.close()


@pytest.fixture
def store(opened: Harness) -> Iterator[Harness]:
    yield opened
    opened.clean()


FIELDS = (
    PayloadField("caption", "text"),
    PayloadField("exact", "keyword"),
    PayloadField("count", "integer"),
    PayloadField("size", "float"),
    PayloadField("flag", "bool"),
    PayloadField("taken", "datetime"),
    PayloadField("labels", "keyword[]"),
)


def plan(
    dimension: int = 8, metric: Any = "cosine", names: Sequence[str] = ("clip",), **more: Any
) -> CollectionPlan:
    return CollectionPlan(
        tuple(VectorField(n, "dense", dimension, metric) for n in names), payload=FIELDS, **more
    )


def vectors(n: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    """(n, dimension) float32 unit vectors."""
    drawn = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def rows(ids: Sequence[RowId], matrix: np.ndarray, field: str = "clip") -> list[Row]:
    return [
        Row(row, {field: matrix[i]}, {"caption": f"picture {i}", "exact": f"tag-{i % 3}", "count": i})
        for i, row in enumerate(ids)
    ]
