"""The poison probe on real databases: what a search shows of a row with NaN, and what it cannot."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from connectors.model import CollectionPlan, ConnectionSpec, Row, RowId, Target, VectorField
from connectors.protocol import Connector
from connectors.registry import connect
from console.health.evidence import Evidence
from console.health.findings import NotMeasured
from console.health.policy import policy
from console.health.probes import poison
from console.health.probes.poison import Poison
from console.health.probing import Budget, BudgetSpent, Cancelled, Probing
from console.settings import parse_address
from tests.health.building import evidence
from tests.health.rowkit import anisotropic, only, run
from tests.weaviate_server import start_weaviate

N, D = 1200, 32


def made(connector: Connector, matrix: np.ndarray, metric: str = "cosine") -> tuple[Target, list[RowId]]:
    name = f"Poison{uuid.uuid4().hex[:8]}"
    field = VectorField("clip", "dense", matrix.shape[1], cast("Any", metric))
    connector.create(name, CollectionPlan((field,)))
    rng = np.random.default_rng(len(matrix))
    ids: list[RowId] = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in matrix]
    result = connector.insert(
        Target(name), [Row(ids[i], {"clip": matrix[i]}, {}) for i in range(len(matrix))]
    )
    assert not result.failed
    return Target(name), ids


def sampled(connector: Connector, target: Target, clean: np.ndarray, *, exact: bool = False) -> Evidence:
    """A sample that happened to hold clean rows only."""
    description = connector.describe(target)
    field = description.field("clip")
    assert field is not None
    held = evidence(clean[:200], exact=exact, rows=None if exact else len(clean), kind=connector.spec.kind)
    return replace(
        held, description=description, field=field, server=connector.server(),
        capabilities=connector.capabilities(target),
    )  # fmt: skip


def probing(connector: Connector, target: Target, held: Evidence, budget: Budget | None = None) -> Probing:
    return Probing(
        cast("Any", None), parse_address("test/rows"), connector, target, held, policy(), budget or Budget(60)
    )


def looked(held: Evidence, result: Poison | NotMeasured) -> Evidence:
    return replace(held, results={Poison: result})


@pytest.fixture(scope="module")
def weaviate() -> Iterator[Connector]:
    with start_weaviate() as server:
        connector = connect(server.spec("weaviate"))
        yield connector
        connector.close()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connector]:
    from connectors.qdrant import host

    folder: Path = tmp_path_factory.mktemp("poison") / "store"
    connector = connect(ConnectionSpec("embedded", "qdrant", path=str(folder)))
    yield connector
    connector.close()
    host.stop(folder)


@pytest.fixture(scope="module")
def qdrant() -> Iterator[Connector]:
    grpc = os.environ.get("QDRANT_GRPC")
    connector = connect(
        ConnectionSpec(
            "server", "qdrant", url=os.environ["QDRANT_URL"], grpc_port=int(grpc) if grpc else None,
            api_key=os.environ.get("QDRANT_API_KEY"),
        )
    )  # fmt: skip
    yield connector
    connector.close()


@pytest.mark.weaviate
@pytest.mark.parametrize(("value", "metric"), [(np.nan, "cosine"), (np.nan, "dot"), (np.inf, "dot")])
def test_weaviate_shows_poisoned_rows_that_a_sample_missed(
    weaviate: Connector, value: float, metric: str
) -> None:
    clean = anisotropic(N, D, 1)
    matrix = clean.copy()
    bad = np.random.default_rng(5).choice(np.arange(200, N), 20, replace=False)
    matrix[bad, 3] = value
    target, ids = made(weaviate, matrix, metric)
    held = sampled(weaviate, target, clean)
    result = poison.poison(probing(weaviate, target, held))
    assert isinstance(result, Poison)
    assert result.needed
    assert result.searches == 20
    assert result.ids
    assert set(result.ids) <= {ids[i] for i in bad}
    found = only("non-finite", looked(held, result))
    assert (found.severity, found.basis) == ("critical", "probe")
    assert poison.blind(looked(held, result)) == ""


@pytest.mark.weaviate
def test_weaviate_without_such_rows_is_said_to_be_clean_as_far_as_searches_show(weaviate: Connector) -> None:
    clean = anisotropic(N, D, 2)
    target, _ = made(weaviate, clean)
    held = sampled(weaviate, target, clean)
    result = poison.poison(probing(weaviate, target, held))
    assert isinstance(result, Poison)
    assert (result.ids, result.searches) == ((), 20)
    assert result.hits == 20 * poison.DEPTH["weaviate"]
    assert run("non-finite", looked(held, result)) == ([], [])


@pytest.mark.weaviate
def test_the_same_seed_searches_with_the_same_rows(weaviate: Connector) -> None:
    clean = anisotropic(N, D, 3)
    matrix = clean.copy()
    matrix[300:340, 0] = np.nan
    target, _ = made(weaviate, matrix)
    held = sampled(weaviate, target, clean)
    one, other = (poison.poison(probing(weaviate, target, held)) for _ in range(2))
    assert one == other


@pytest.mark.weaviate
def test_the_probe_stops_when_it_is_told_to(weaviate: Connector) -> None:
    clean = anisotropic(N, D, 2)
    target, _ = made(weaviate, clean)
    held = sampled(weaviate, target, clean)
    with pytest.raises(BudgetSpent):
        poison.poison(probing(weaviate, target, held, Budget(0)))
    with pytest.raises(Cancelled):
        poison.poison(probing(weaviate, target, held, Budget(60, lambda: True)))


@pytest.mark.parametrize("large", [True, False])
def test_the_embedded_engine_leaves_such_rows_out_and_so_they_are_read_where_they_are_few(
    embedded: Connector, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(poison, "READ", N * D * 4 - 1)
    clean = anisotropic(N, D, 1)
    matrix = clean.copy()
    matrix[[500, 600], 3] = np.nan
    target, ids = made(embedded, matrix, "dot")
    # The reason: no search brings them, not even one for everything.
    hits = embedded.search(target, "clip", clean[:1], N, payload=())[0]
    assert {ids[500], ids[600]}.isdisjoint({h.id for h in hits})
    held = sampled(embedded, target, clean)
    result = poison.poison(probing(embedded, target, held))
    if not large:
        assert isinstance(result, Poison)
        assert (set(result.ids), result.read, result.searches) == ({ids[500], ids[600]}, N, 0)
        ((found,), _) = run("non-finite", looked(held, result))
        assert (found.severity, found.rows, found.basis) == ("critical", 2, "probe")
        assert f"all {N:,} rows were read" in found.summary
        assert poison.blind(looked(held, result)) == ""
        return
    assert isinstance(result, NotMeasured)
    assert "--full" in result.why
    assert run("non-finite", looked(held, result)) == ([], [result])
    assert poison.blind(looked(held, result)) == result.why


def test_a_whole_scan_needs_no_search(embedded: Connector) -> None:
    clean = anisotropic(200, D, 1)
    target, _ = made(embedded, clean)
    held = sampled(embedded, target, clean, exact=True)
    result = poison.poison(probing(embedded, target, held, Budget(60, lambda: True)))
    assert result == Poison(needed=False)
    assert poison.blind(looked(held, result)) == ""


@pytest.mark.qdrant_server
@pytest.mark.parametrize(
    ("value", "metric"), [(np.nan, "cosine"), (np.inf, "cosine"), (np.nan, "dot"), (-np.inf, "dot")]
)
def test_one_search_of_a_qdrant_server_shows_the_row(qdrant: Connector, value: float, metric: str) -> None:
    clean = anisotropic(N, D, 1)
    matrix = clean.copy()
    matrix[500, 3] = value
    target, ids = made(qdrant, matrix, metric)
    try:
        held = sampled(qdrant, target, clean)
        result = poison.poison(probing(qdrant, target, held))
        if poison.impossible(held):
            assert isinstance(result, NotMeasured) or result.ids == (ids[500],)
        else:
            assert isinstance(result, Poison)
            assert result.ids == (ids[500],)
    finally:
        qdrant.drop(target.collection)


@pytest.mark.qdrant_server
def test_a_clean_collection_of_a_qdrant_server(qdrant: Connector) -> None:
    clean = anisotropic(N, D, 1)
    target, _ = made(qdrant, clean)
    try:
        held = sampled(qdrant, target, clean)
        result = poison.poison(probing(qdrant, target, held))
        if poison.impossible(held):
            assert isinstance(result, NotMeasured)
        else:
            assert result == Poison(True, (), 1, poison.DEPTH["qdrant"])
    finally:
        qdrant.drop(target.collection)
