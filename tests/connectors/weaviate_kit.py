"""Collections and rows for the tests of the Weaviate adapter."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np

from connectors.model import CollectionPlan, ConnectionSpec, PayloadField, Row, Target, VectorField
from connectors.weaviate.adapter import WeaviateConnector


def uid(n: int) -> str:
    return str(uuid.UUID(int=n))


def vector(*values: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(values, np.float32)


def bits(values: Any) -> bytes:
    return np.asarray(values, "<f4").tobytes()


def raw(spec: ConnectionSpec) -> httpx.Client:
    """The server's REST interface, for what an operator does beside Plumbline."""
    return httpx.Client(base_url=f"{spec.url}/v1", timeout=60, trust_env=False)


def ask(spec: ConnectionSpec, method: str, path: str, body: Any = None) -> Any:
    with raw(spec) as client:
        answer = client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@contextmanager
def collection(
    wv: WeaviateConnector,
    name: str,
    *fields: PayloadField,
    vectors: tuple[VectorField, ...] = (VectorField("clip"),),
    **plan: Any,
) -> Iterator[Target]:
    wv.create(name, CollectionPlan(vectors, fields, **plan))
    try:
        yield Target(name)
    finally:
        wv.drop(name)


@contextmanager
def raw_collection(wv: WeaviateConnector, body: dict[str, Any]) -> Iterator[Target]:
    """A collection made by the server's own JSON."""
    ask(wv.spec, "POST", "/schema", body)
    try:
        yield Target(body["class"])
    finally:
        ask(wv.spec, "DELETE", f"/schema/{body['class']}")


def plain_rows(ids: list[str], dimension: int = 4, seed: int = 0, **payload: Any) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        Row(i, {"clip": rng.standard_normal(dimension).astype(np.float32)}, {"n": at, **payload})
        for at, i in enumerate(ids)
    ]


N = PayloadField("n", "integer", True)
