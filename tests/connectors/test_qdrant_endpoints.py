"""Where a configured server listens, and what it costs to load the adapter."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.qdrant import values, wire
from connectors.qdrant.endpoints import address
from connectors.qdrant.stubs import pb
from connectors.registry import connect
from connectors.spec import ConnectionSpec


def spec(**more: Any) -> ConnectionSpec:
    return ConnectionSpec("here", "qdrant", **more)


@pytest.mark.parametrize(
    ("given", "grpc", "rest"),
    [
        ({"url": "http://db:6333"}, ["db:6334"], "http://db:6333"),
        ({"url": "http://db"}, ["db:6334"], "http://db:6333"),
        ({"url": "http://db:6334"}, ["db:6334"], "http://db:6333"),
        ({"url": "http://db:16333"}, ["db:16334", "db:16333"], "http://db:16333"),
        ({"url": "http://db:6333/"}, ["db:6334"], "http://db:6333"),
        ({"url": "https://db.cloud"}, ["db.cloud:6334"], "https://db.cloud:6333"),
        ({"url": "http://db:6333", "grpc_port": 7000}, ["db:7000"], "http://db:6333"),
        ({"url": "http://db:6333", "grpc_host": "grpc.db"}, ["grpc.db:6334"], "http://db:6333"),
        ({"url": "https://proxy/qdrant"}, [], "https://proxy:443/qdrant"),
        ({"url": "https://proxy/qdrant", "grpc_port": 6334}, ["proxy:6334"], "https://proxy:443/qdrant"),
        ({"url": "http://[::1]:6333"}, ["[::1]:6334"], "http://[::1]:6333"),
        ({"grpc_host": "db"}, ["db:6334"], None),
    ],
)
def test_ports_follow_from_what_was_configured(
    given: dict[str, Any], grpc: list[str], rest: str | None
) -> None:
    found = address(spec(**given))
    assert [end.address for end in found.grpc] == grpc
    assert found.rest == rest
    assert all(end.tls is given.get("url", "").startswith("https") for end in found.grpc)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "db:6333"},
        {"url": "ftp://db:6333"},
        {"url": "http://"},
        {"url": "http://db:notaport"},
        {"url": "http://user:hunter2@db:6333"},
        {"url": "http://db:6333", "api_key": "schlüssel"},
        {"url": "http://db:6333", "headers": {"x": "é"}},
    ],
)
def test_what_cannot_be_a_server_is_said_when_the_connection_is_made(given: dict[str, Any]) -> None:
    with pytest.raises(PlumblineError) as caught:
        connect(spec(**given))
    assert caught.value.code == "settings"
    assert caught.value.where == "here"
    assert "hunter2" not in str(caught.value)


def test_the_adapter_loads_no_more_of_the_client_than_its_messages() -> None:
    code = (
        "import sys; import connectors.qdrant.adapter; "
        "bad = [m for m in ('qdrant_client', 'pydantic', 'httpx', 'urllib3', 'qdrant_edge', 'weaviate') if m in sys.modules]; "
        "print(bad)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_messages_are_the_clients_own() -> None:
    code = (
        "from connectors.qdrant.stubs import pb; from qdrant_client import grpc; "
        "assert pb.ScrollPoints is grpc.ScrollPoints; print('same')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "same"


def test_wire_messages_read_what_the_stock_ones_wrote_and_the_other_way_round() -> None:
    matrix = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    stock = pb.ScrollResponse()
    for i, row in enumerate(matrix):
        point = stock.result.add()
        point.id.num = i
        point.vectors.vectors.vectors["v"].dense.data.extend(row.tolist())
    # The form of older servers: the deprecated field, and an unnamed vector.
    older = stock.result.add()
    older.id.uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    older.vectors.vector.data.extend(matrix[0].tolist())
    points = wire.message("ScrollResponse").FromString(stock.SerializeToString()).result
    assert wire.ids(points) == (0, 1, 2, "0f8fad5b-d9cb-469f-a165-70867728950e")
    named = wire.dense(points, "v", 5)
    assert named.present.tolist() == [True, True, True, False]
    assert np.array_equal(named.matrix[:3], matrix)
    unnamed = wire.dense(points[3:], "", 5)
    assert np.array_equal(unnamed.matrix[0], matrix[0])
    for old in (True, False):
        for value in (matrix[0], matrix, wire.Sparse(np.array([3, 9], np.uint32), matrix[0, :2])):
            vector = wire.message("Vector")()
            wire.put(vector, value, old)
            back = wire.whole(vector)
            if isinstance(value, wire.Sparse):
                assert isinstance(back, wire.Sparse)
                assert back.values.tobytes() == value.values.tobytes()
                assert back.indices.tolist() == [3, 9]
            else:
                assert isinstance(back, np.ndarray)
                assert back.shape == value.shape
                assert back.tobytes() == value.tobytes()


def test_a_vector_of_another_length_than_described_is_said() -> None:
    stock = pb.ScrollResponse()
    stock.result.add().vectors.vectors.vectors["v"].dense.data.extend([1.0, 2.0])
    points = wire.message("ScrollResponse").FromString(stock.SerializeToString()).result
    with pytest.raises(PlumblineError) as caught:
        wire.dense(points, "v", 3)
    assert caught.value.code == "changed"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a", "a"),
        ("a.b", "a.b"),
        ('"a.b".c', '"a.b".c'),
        ("with space", '"with space"'),
        ("a[]", '"a[]"'),
        ("é", '"é"'),
        ("back\\slash", None),
    ],
)
def test_paths_are_said_in_qdrants_words_or_not_at_all(path: str, said: str | None) -> None:
    assert values.json_path(path) == said
