"""Comparisons of Weaviate collections with tenants: an id in two tenants is two rows, and tenants are cohorts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import CollectionPlan, Row, Target, VectorField
from connectors.registry import connect
from console.compare import CompareRequest, compare, render
from console.settings import Settings
from console.ui import compare_rows
from console.workspace import Workspace
from tests.compare.test_run import clustered
from tests.connectors.weaviate_kit import ask
from tests.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate
N, D = 200, 24
TENANTS = ("ada", "bob")
IDS = [str(uuid.UUID(int=(i + 1) << 64 | 5, version=4)) for i in range(N)]


@pytest.fixture
def shared(weaviate_server: WeaviateServer, tmp_path: Path) -> Iterator[tuple[Workspace, str, str]]:
    """Two tenants with the same ids and other vectors; on the new side bob's are another model's."""
    connector = connect(weaviate_server.spec("wv"))
    old = [clustered(N, D, seed) for seed in (1, 2)]
    new = [old[0], clustered(N, D, 77)]
    names: list[str] = []
    for spaces in (old, new):
        name = f"Tenants{uuid.uuid4().hex[:8]}"
        names.append(name)
        connector.create(name, CollectionPlan((VectorField("v", "dense", D, "cosine"),), tenants=True))
        ask(connector.spec, "POST", f"/schema/{name}/tenants", [{"name": t} for t in TENANTS])
        rows = (
            Row(IDS[i], {"v": matrix[i]}, {"caption": f"{tenant} {i}"}, part=tenant)
            for tenant, matrix in zip(TENANTS, spaces, strict=True)
            for i in range(N)
        )
        assert not connector.insert(Target(name), rows).failed
    with Workspace(Settings(home=tmp_path, connections={"wv": connector.spec})) as ws:
        yield ws, f"wv/{names[0]}", f"wv/{names[1]}"
    for name in names:
        connector.drop(name)
    connector.close()


def test_an_id_in_two_tenants_is_two_rows_and_the_worse_tenant_is_named(shared: Any) -> None:
    ws, left, right = shared
    data = compare(ws, CompareRequest(left, right, queries=300)).data
    assert data["matched"] == {
        "rows": 2 * N,
        "share": 1.0,
        "by": "id",
        "left": {"rows": 2 * N, "share": 1.0},
        "right": {"rows": 2 * N, "share": 1.0},
        "ambiguous": 0,
        "without_key": 0,
        "within_tenants": True,
    }
    worst, best = data["cohorts"]["tenant"]
    assert (worst["value"], best["value"]) == ("bob", "ada")
    # Neighbours are found over both tenants, so that ada's change, too.
    assert worst["overlap_at_k"]["high"] < best["overlap_at_k"]["low"]
    assert any("over all tenants together" in w for w in data["warnings"])
    assert data["noise"]["left_index"]["mean"] > 0.97
    asked = [(q["tenant"], q["query"]) for q in data["changed"]]
    assert all(caption.startswith(tenant) for tenant, caption in asked)
    assert "tenant" in render.to_markdown(data)


def test_within_one_tenant_identical_vectors_agree_exactly_and_rows_are_fetched_of_their_tenant(
    shared: Any,
) -> None:
    ws, left, right = shared
    data = compare(ws, CompareRequest(f"{left}@ada", f"{right}@ada", queries=100)).data
    assert data["overlap_at_k"]["mean"] == 1.0
    assert (data["matched"]["rows"], data["matched"]["within_tenants"]) == (N, False)
    assert "tenant" not in data["changed"][0]
    whole = compare(ws, CompareRequest(left, left, queries=50)).data
    assert whole["overlap_at_k"]["mean"] == 1.0
    names = [compare_rows.name(hit) for hit in whole["changed"][0]["left"]]
    assert {tenant for tenant, _ in names} <= set(TENANTS)
    source = ws.address(left)
    for tenant, row in names:
        place = compare_rows.within(source, (tenant, row))
        batch = ws.connector("wv").fetch(Target(place.collection, place.tenant), [row], [], ("caption",))
        assert batch.columns["caption"][0] == f"{tenant} {IDS.index(str(row))}"


def test_a_seed_draws_the_same_queries(shared: Any) -> None:
    ws, left, right = shared
    one, other = (compare(ws, CompareRequest(left, right, queries=40, seed=s)).data for s in (3, 3))
    assert [q["query"] for q in one["changed"]] == [q["query"] for q in other["changed"]]
    assert np.isclose(one["overlap_at_k"]["mean"], other["overlap_at_k"]["mean"], rtol=0, atol=0)
