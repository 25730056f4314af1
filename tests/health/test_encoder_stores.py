"""The whole check with an encoder, on real databases: from rows that were written to the report."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import console.encoders
from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from connectors.spec import ConnectionSpec
from console.health.options import CheckOptions
from console.health.probes import reencode as module
from console.health.run import check
from console.settings import Address
from tests.health.encoding import Bench, Hashing, captions

MINE, OLD = Hashing("mine", dimension=48), Hashing("old", dimension=48)
N = 400
FIELDS = (
    PayloadField("caption", "text", indexed=True),
    PayloadField("embedding_version", "keyword", indexed=True),
)


class Pool:
    def get(self, spec: Any) -> Hashing:
        return {"mine": MINE, "old": OLD}[spec.name]


@pytest.fixture(params=["embedded", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def ws(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(console.encoders, "shared", Pool)
    monkeypatch.setattr(module, "load_by_spec", Pool().get)
    if request.param == "embedded":
        spec = ConnectionSpec("real", "qdrant", path=str(tmp_path / "s"))
    else:
        spec = replace(request.getfixturevalue("weaviate_server").spec("weaviate"), name="real")
    with Bench(tmp_path, (MINE, OLD), {"real": spec}) as made:
        yield made
    if request.param == "embedded":
        from connectors.qdrant import host

        host.stop(tmp_path / "s")


def row_id(i: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(i)))


def written(ws: Bench, matrix: np.ndarray, payloads: list[dict[str, Any]]) -> Address:
    name = f"Rows{uuid.uuid4().hex[:8]}"
    connector = ws.connector("real")
    connector.create(name, CollectionPlan((VectorField("v", "dense", 48, "cosine"),), FIELDS))
    rows = [Row(row_id(i), {"v": matrix[i]}, payloads[i]) for i in range(len(payloads))]
    assert not connector.insert(Target(name), rows, "replace").failed
    return Address("real", name)


def clean() -> tuple[np.ndarray, list[dict[str, Any]]]:
    said = captions(N)
    return MINE.encode_texts(said), [{"caption": t, "embedding_version": "mine"} for t in said]


def report(ws: Bench, address: Address, **options: Any) -> dict[str, Any]:
    (made,) = check(ws, address, CheckOptions(encoder="mine", **{"sample": None, **options}))
    return dict(made.data)


def codes(data: dict[str, Any], least: tuple[str, ...] = ("warning", "critical")) -> set[str]:
    return {f["code"] for f in data["findings"] if f["severity"] in least}


OURS = {
    "encoder-mismatch",
    "misaligned-payload",
    "encoder-changed",
    "empty-source",
    "cut-source",
    "stale-vectors",
}


def test_clean_rows_have_none_of_these_findings(ws: Bench) -> None:
    address = written(ws, *clean())
    for sample in (None, 200):
        data = report(ws, address, sample=sample)
        assert not OURS & {f["code"] for f in data["findings"]}
        assert data["inferred_versions"] is None
    ws.connector("real").drop(address.collection)


def test_planted_faults_are_found_with_their_rows(ws: Bench) -> None:
    matrix, payloads = clean()
    swapped = np.arange(40, 60)
    matrix[swapped] = matrix[np.roll(swapped, 1)]
    matrix[100:130] = OLD.encode_texts(captions(N)[100:130])
    for p in payloads[110:120]:
        del p["embedding_version"]
    for p in payloads[200:230]:
        del p["embedding_version"]
    for i in range(300, 306):
        payloads[i]["caption"] = ""
    address = written(ws, matrix, payloads)
    data = report(ws, address)
    found = {f["code"]: f for f in data["findings"]}
    assert {"encoder-mismatch", "misaligned-payload", "empty-source"} <= codes(data)
    assert (found["encoder-mismatch"]["rows"], found["misaligned-payload"]["rows"]) == (30, 20)
    assert set(found["encoder-mismatch"]["sample_ids"]) <= {row_id(i) for i in range(100, 130)}
    assert set(found["misaligned-payload"]["sample_ids"]) == {row_id(int(i)) for i in swapped}
    assert found["empty-source"]["rows"] == 6
    inferred = data["inferred_versions"]
    assert {tag: entry["rows"] for tag, entry in inferred.items()} == {"mine": 30, "old": 10}
    ws.connector("real").drop(address.collection)


def test_a_sampled_check_finds_a_shifted_collection(ws: Bench) -> None:
    matrix, payloads = clean()
    address = written(ws, np.roll(matrix, 1, axis=0), payloads)
    data = report(ws, address, sample=150)
    found = {f["code"]: f for f in data["findings"]}
    assert found["misaligned-payload"]["severity"] == "critical"
    assert found["misaligned-payload"]["share"] > 0.95
    assert "encoder-mismatch" not in codes(data)
    ws.connector("real").drop(address.collection)


def test_the_canary_keeps_at_the_first_check_and_compares_at_the_second(ws: Bench) -> None:
    address = written(ws, *clean())
    first = report(ws, address)
    assert any(n["check"] == "encoder-changed" and "First use" in n["why"] for n in first["not_measured"])
    second = report(ws, address)
    assert not any(n["check"] == "encoder-changed" for n in second["not_measured"])
    ws.connector("real").drop(address.collection)
