"""A workspace on the embedded store with small collections whose answers can be worked out by hand."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import CollectionPlan, PayloadField, Row, RowId, Target, VectorField
from connectors.protocol import Connector
from connectors.spec import ConnectionSpec
from console.encoders import EncoderSpec
from console.search import QueryAnswer, QueryRequest, run
from console.search.guard import Mixes
from console.settings import Address, Settings, parse_address
from console.workspace import Workspace
from tests.ports import free_port
from tests.search.toys import Toy, ToyPool

TURNS = {"toy-a": (0, 8), "toy-b": (3, 8), "toy-wide": (0, 12), "toy-late": (0, 8)}
"""Encoder -> (how its axes are turned, its dimension). `toy-late` is `toy-a` under another name."""

SPECS = {
    name: EncoderSpec(
        name,
        model=f"toy:{turn}:{dimension}",
        tags=("a-2024",) if name == "toy-a" else (),
        fingerprint=f"toy-{turn}-{dimension}" if name != "toy-late" else None,
        dimension=dimension if name != "toy-late" else None,
    )
    for name, (turn, dimension) in TURNS.items()
}
PHRASES = [
    f"{size} {colour} {shape}"
    for size in ("big", "small")
    for colour in ("red", "green", "blue")
    for shape in ("circle", "square", "star")
]
PAYLOAD = (
    PayloadField("caption", "text", indexed=True),
    PayloadField("modality", "keyword", indexed=True),
    PayloadField("embedding_version", "keyword", indexed=True),
    PayloadField("number", "integer", indexed=True),
)


class ToyWorkspace(Workspace):
    """The workspace, with encoders that need no weights."""

    def encoder_specs(self) -> Mapping[str, EncoderSpec]:
        return SPECS


class Bench:
    """What a test needs: collections made quickly, queries asked shortly."""

    def __init__(self, ws: Workspace, connection: str) -> None:
        self.ws = ws
        self.connection = connection
        self.pool = ToyPool(TURNS)
        self.mixes = Mixes()
        self.made: list[str] = []

    @property
    def kind(self) -> str:
        return self.connector.spec.kind

    @property
    def connector(self) -> Connector:
        return self.ws.connector(self.connection)

    def collection(
        self,
        encoder: str = "toy-a",
        tags: Sequence[str | None] | str | None = "toy-a",
        *,
        mark: bool = True,
        names: Sequence[str] = ("clip",),
        metric: Any = "cosine",
        extra: Mapping[str, Any] | None = None,
        ids: Sequence[RowId] | None = None,
        payload: Sequence[PayloadField] = PAYLOAD,
        phrases: Sequence[str] = PHRASES,
        encoded_by: Sequence[str] | None = None,
    ) -> Address:
        """A collection of `phrases` by `encoder`; `tags`: one for all rows, or one for each (None: untagged)."""
        name = f"Toys{uuid.uuid4().hex[:8]}"
        toy = Toy(SPECS[encoder], *TURNS[encoder])
        marker = {"encoders": {n: {"name": encoder, "fingerprint": toy.fingerprint} for n in names}}
        fields = tuple(VectorField(n, "dense", toy.dimension, metric) for n in names)
        self.connector.create(name, CollectionPlan(fields, tuple(payload), marker=marker if mark else None))
        self.made.append(name)
        rows = list[Row]()
        for i, phrase in enumerate(phrases):
            tag = tags if tags is None or isinstance(tags, str) else tags[i]
            held: dict[str, Any] = {
                "caption": phrase,
                "modality": "image" if i % 2 else "text",
                "number": i,
                **(extra or {}),
            }
            if tag is not None:
                held["embedding_version"] = tag
            vector = toy.of(phrase.split())
            rows.append(Row(ids[i] if ids else row_id(i), dict.fromkeys(names, vector), held))
        self.fill(name, rows)
        return Address(self.connection, name)

    def fill(self, name: str, rows: Sequence[Row]) -> None:
        result = self.connector.insert(Target(name), rows)
        assert not result.failed, result.failed

    def ask(self, *addresses: Address | str, **kwargs: Any) -> QueryAnswer:
        where = tuple(parse_address(a) if isinstance(a, str) else a for a in addresses)
        return run(self.ws, QueryRequest(where, **kwargs), pool=self.pool, mixes=self.mixes)

    def clean(self) -> None:
        for name in self.made:
            self.connector.drop(name)
        self.made.clear()


def row_id(number: int) -> RowId:
    """Both databases take UUIDs."""
    return str(uuid.UUID(int=0x5EED_0000_0000_4000_8000_0000_0000_0000 + number))


def captions(answer: QueryAnswer, n: int | None = None) -> list[str]:
    return [str(h.payload["caption"]) for h in answer.hits[:n]]


@pytest.fixture(scope="session")
def closed_port() -> int:
    return free_port()


STORES = [
    "embedded",
    pytest.param("weaviate", marks=pytest.mark.weaviate),
    pytest.param("qdrant", marks=pytest.mark.qdrant_server),
]


@pytest.fixture(scope="session", params=STORES)
def shared_workspace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, closed_port: int
) -> Iterator[tuple[Workspace, str]]:
    home: Path = tmp_path_factory.mktemp("home")
    dead = ConnectionSpec("dead", "qdrant", url=f"http://127.0.0.1:{closed_port}", timeout=2.0)
    if request.param == "embedded":
        spec = ConnectionSpec("real", "qdrant", path=str(home / "store"))
    elif request.param == "qdrant":
        grpc = os.environ.get("QDRANT_GRPC")
        spec = ConnectionSpec(
            "real",
            "qdrant",
            url=os.environ["QDRANT_URL"],
            grpc_port=int(grpc) if grpc else None,
            api_key=os.environ.get("QDRANT_API_KEY"),
        )
    else:
        spec = replace(request.getfixturevalue("weaviate_server").spec("weaviate"), name="real")
    with ToyWorkspace(Settings(home=home, connections={"real": spec, "dead": dead})) as ws:
        yield ws, "real"
    if request.param == "embedded":
        from connectors.qdrant import host

        host.stop(home / "store")


@pytest.fixture
def bench(shared_workspace: tuple[Workspace, str]) -> Iterator[Bench]:
    made = Bench(*shared_workspace)
    yield made
    made.clean()


@pytest.fixture
def pictures(tmp_path: Path) -> Mapping[str, Path]:
    """Small PNG files, one for each colour."""
    from PIL import Image

    out: dict[str, Path] = {}
    for colour, rgb in (("red", (255, 0, 0)), ("green", (0, 255, 0)), ("blue", (0, 0, 255))):
        out[colour] = tmp_path / f"{colour}.png"
        Image.fromarray(np.full((8, 8, 3), rgb, dtype=np.uint8)).save(out[colour])
    return out
