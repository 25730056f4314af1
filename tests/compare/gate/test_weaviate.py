"""Id sets and latency on a real Weaviate, alone and beside the embedded store."""

from __future__ import annotations

import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from console.compare.gate.bounds import slower
from console.compare.gate.evidence import Latency
from console.compare.gate.gather.sides import Side
from console.compare.gate.gather.timing import timed
from console.settings import Address
from tests.compare.gate.stores import Busy, counts, looked, row
from tests.connectors.weaviate_kit import ask
from tests.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate

IDS = [str(uuid.UUID(int=(i + 1) << 80 | 0x4000 << 64 | 0x8 << 60 | i)) for i in range(40)]
FIELDS = (VectorField("a", dimension=2, metric="cosine"), VectorField("b", dimension=2, metric="cosine"))


@pytest.fixture(scope="module")
def weaviate(weaviate_server: WeaviateServer) -> Iterator[Any]:
    made = connect(weaviate_server.spec("weav"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def qdrant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("gate") / "store"
    made = connect(ConnectionSpec("made", "qdrant", path=str(folder)))
    yield made
    made.close()
    host.stop(folder)


Make = Callable[..., Side]


@pytest.fixture
def make(weaviate: Any) -> Iterator[Make]:
    """A side of rows; on Weaviate, it is gone afterwards."""
    names: list[str] = []

    def side(connector: Any, rows: list[Row], tenants: tuple[str, ...] = ()) -> Side:
        name = f"Gate{uuid.uuid4().hex[:8]}"
        connector.create(name, CollectionPlan(FIELDS, tenants=bool(tenants)))
        if tenants:
            ask(connector.spec, "POST", f"/schema/{name}/tenants", [{"name": t} for t in tenants])
        if connector is weaviate:
            names.append(name)
        result = connector.insert(Target(name), rows)
        assert len(result.done) == len(rows), result
        description = connector.describe(Target(name))
        address = Address(connector.spec.name, name, vector="a")
        return Side(address, connector, Target(name), description, description.field("a"))

    yield side
    for name in names:
        weaviate.drop(name)


def test_a_row_that_is_missing_is_found_beside_one_that_is_on_its_way(weaviate: Any, make: Make) -> None:
    left = make(weaviate, [row(i) for i in IDS])
    right = make(weaviate, [row(i) for i in IDS[:38]])
    busy = Busy(weaviate, {right.target.collection: lambda: weaviate.insert(right.target, [row(IDS[38])])})
    found, _ = looked((_by(left, busy), _by(right, busy)))
    assert (found.left, found.right, counts(found)) == (40, 38, (1, 1, 0, 0))
    assert list(found.on_left_only.examples) == [IDS[39]]


def test_a_row_that_was_created_after_the_watermark_by_the_servers_own_time_does_not_count(
    weaviate: Any, make: Make
) -> None:
    left, right = make(weaviate, [row(i) for i in IDS[:5]]), make(weaviate, [row(i) for i in IDS[:4]])
    busy = Busy(weaviate, {}, {left.target.collection: lambda: weaviate.insert(left.target, [row(IDS[20])])})
    found, _ = looked((_by(left, busy), right))
    assert (found.on_left_only.rows, found.on_left_only.late) == (1, 1)
    assert list(found.on_left_only.examples) == [IDS[4]]


def test_a_row_that_is_deleted_meanwhile_does_not_count(
    weaviate: Any, make: Make, weaviate_server: WeaviateServer
) -> None:
    left, right = make(weaviate, [row(IDS[0])]), make(weaviate, [row(IDS[0]), row(IDS[1]), row(IDS[2])])

    def delete() -> None:
        url = f"{weaviate_server.url}/v1/objects/{right.target.collection}/{IDS[1]}"
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30).close()

    found, _ = looked((left, _by(right, Busy(weaviate, {right.target.collection: delete}))))
    assert counts(found) == (0, 0, 1, 1)
    assert list(found.on_right_only.examples) == [IDS[2]]


def test_one_id_in_two_tenants_is_two_rows(weaviate: Any, make: Make) -> None:
    def of(part: str, i: int) -> Row:
        made = row(IDS[i])
        return Row(made.id, made.vectors, made.payload, part=part)

    left = make(weaviate, [of("ada", 0), of("ada", 1), of("bob", 0)], ("ada", "bob"))
    right = make(weaviate, [of("ada", 0), of("ada", 1)], ("ada", "bob"))
    found, _ = looked((left, right))
    assert (found.left, found.right, counts(found), found.resting) == (3, 2, (1, 0, 0, 0), 0)
    assert list(found.on_left_only.examples) == [IDS[0]]
    ask(
        weaviate.spec,
        "PUT",
        f"/schema/{left.target.collection}/tenants",
        [{"name": "bob", "activityStatus": "INACTIVE"}],
    )
    asleep = replace(left, description=weaviate.describe(left.target))
    found, _ = looked((asleep, right))
    assert (found.left, counts(found), found.resting) == (2, (0, 0, 0, 0), 1)


def test_an_id_in_two_tenants_is_missing_once_where_the_other_side_has_no_tenants(
    weaviate: Any, make: Make
) -> None:
    def of(part: str, i: int) -> Row:
        made = row(IDS[i])
        return Row(made.id, made.vectors, made.payload, part=part)

    left = make(weaviate, [of("ada", 0), of("ada", 1), of("bob", 0)], ("ada", "bob"))
    right = make(weaviate, [row(IDS[0]), row(IDS[1])])
    found, _ = looked((left, right))
    assert (found.left, found.right) == (3, 2)
    assert (found.on_left_only.rows + found.on_left_only.late, found.on_right_only.rows) == (1, 0)
    back, _ = looked((right, left))
    assert (back.on_left_only.rows, back.on_right_only.rows + back.on_right_only.late) == (0, 1)
    same, _ = looked((make(weaviate, [of("ada", 0), of("bob", 1)], ("ada", "bob")), right))
    assert counts(same) == (0, 0, 0, 0)


def test_matched_by_a_field_a_row_that_was_created_after_the_watermark_does_not_count(
    weaviate: Any, make: Make
) -> None:
    left = make(weaviate, [row(i, sku=f"s{n}") for n, i in enumerate(IDS[:5])])
    right = make(weaviate, [row(i, sku=f"s{n}") for n, i in enumerate(IDS[10:14])])
    new = [row(IDS[20], sku="s20")]
    busy = Busy(weaviate, {}, {left.target.collection: lambda: weaviate.insert(left.target, new)})
    found, _ = looked((_by(left, busy), right), match_on="sku")
    assert (found.on_left_only.rows, found.on_left_only.late) == (1, 1)
    assert list(found.on_left_only.examples) == ["s4"]


def test_two_databases_are_matched_by_uuids_or_by_a_field(weaviate: Any, qdrant: Any, make: Make) -> None:
    left = make(qdrant, [row(i, sku=f"s{i}") for i in IDS[:5]] + [row(77, sku="seven")])
    right = make(weaviate, [row(i, sku=f"s{i}") for i in IDS[:5]] + [row(IDS[9], sku="seven")])
    found, _ = looked((left, right))
    assert (counts(found), list(found.on_left_only.examples)) == ((1, 0, 1, 0), [77])
    found, _ = looked((left, right), match_on="sku")
    assert counts(found) == (0, 0, 0, 0)


def test_rows_without_the_vector_are_not_held_by_that_field(weaviate: Any, make: Make) -> None:
    left = make(weaviate, [row(IDS[0]), row(IDS[1])])
    weaviate.insert(left.target, [Row(IDS[2], {"a": np.ones(2, np.float32)}, {})])
    right = replace(left, address=left.address.with_vector("b"), field=left.description.field("b"))
    found, _ = looked((left, right))
    assert (counts(found), list(found.on_left_only.examples)) == ((1, 0, 0, 0), [IDS[2]])


def test_searches_on_two_databases_are_timed_in_turn(weaviate: Any, qdrant: Any, make: Make) -> None:
    rng = np.random.default_rng(0)
    rows = [Row(i, {n: rng.normal(size=2).astype(np.float32) for n in "ab"}, {}) for i in IDS]
    left, right = make(qdrant, rows), make(weaviate, rows)
    found = timed(left, right, 100, 10, 0, lambda *_: False, lambda _: None, lambda: False)
    assert isinstance(found, Latency)
    assert (found.left > 0).all()
    assert (found.right > 0).all()
    assert slower(found.left, found.right).n == 100


def _by(side: Side, reader: Any) -> Side:
    return replace(side, reader=reader)
