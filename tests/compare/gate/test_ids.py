"""Id sets on a real embedded store while it is written: what is missing is found, what is under way does not count."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import Batch, CollectionPlan, ConnectionSpec, Row, RowId, Target, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from console.compare.gate.gather import again, keys
from console.compare.gate.gather.sides import Side
from console.health.options import FieldNames
from console.progress import Cancelled, Progress
from console.settings import Address
from tests.compare.gate.stores import Busy, counts, looked, row
from tests.connectors.test_host_life import client

UUIDS = [str(uuid.UUID(int=i << 64 | 7)) for i in range(50)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ids") / "store"


@pytest.fixture(scope="module")
def connector(folder: Path) -> Iterator[Any]:
    made = connect(ConnectionSpec("made", "qdrant", path=str(folder)))
    yield made
    made.close()
    host.stop(folder)


@pytest.fixture
def pair(connector: Any, request: pytest.FixtureRequest) -> Callable[..., tuple[Side, Side]]:
    """Two collections of these rows."""

    def make(left: list[Row], right: list[Row], **then: Callable[[], Any]) -> tuple[Side, Side]:
        out: list[Side] = []
        after, before = (
            {
                f"{request.node.name}-{name.removeprefix(when)}": do
                for name, do in then.items()
                if name.startswith(when)
            }
            for when in ("after_", "before_")
        )
        busy = Busy(connector, after, before)
        for name, rows in (("left", left), ("right", right)):
            collection = f"{request.node.name}-{name}"
            fields = tuple(VectorField(f, dimension=2, metric="dot") for f in ("a", "b"))
            connector.create(collection, CollectionPlan(fields))
            assert len(connector.insert(Target(collection), rows).done) == len(rows)
            description = connector.describe(Target(collection))
            address = Address("made", collection, vector="a")
            out.append(Side(address, busy, Target(collection), description, description.field("a")))
        return out[0], out[1]

    return make


def test_the_same_ids_in_another_order_and_of_both_kinds_differ_in_nothing(pair: Any) -> None:
    ids: list[RowId] = [*range(40), *UUIDS]
    found, _ = looked(pair([row(i) for i in ids], [row(i) for i in ids[::-1]]))
    assert (found.left, found.right, counts(found)) == (90, 90, (0, 0, 0, 0))


def test_equal_counts_of_different_ids_are_found_with_their_names(pair: Any) -> None:
    found, _ = looked(pair([row(i) for i in [1, 2, 3, *UUIDS[:2]]], [row(i) for i in [2, 3, 4, *UUIDS[1:3]]]))
    assert (found.left, found.right) == (5, 5)
    assert (found.on_left_only.rows, set(found.on_left_only.examples)) == (2, {1, UUIDS[0]})
    assert (found.on_right_only.rows, set(found.on_right_only.examples)) == (2, {4, UUIDS[2]})


def test_a_row_that_comes_to_the_other_side_while_the_gate_looks_does_not_count(
    pair: Any, connector: Any
) -> None:
    def write() -> None:
        connector.insert(sides[1].target, [row(7), row(UUIDS[3])])

    sides = pair([row(i) for i in [1, 7, UUIDS[3]]], [row(1)], after_right=lambda: write())
    found, _ = looked(sides)
    assert counts(found) == (0, 2, 0, 0)
    assert found.on_left_only.written == 2


def test_a_row_that_is_deleted_while_the_gate_looks_does_not_count(pair: Any, folder: Path) -> None:
    """Deleted on the left before it was read there, and on the right after it was."""

    def delete() -> None:
        owner = client(host.ensure(folder))
        owner.delete(sides[1].target.collection, [8, 9], wait=True)
        owner.delete(sides[0].target.collection, [5], wait=True)

    sides = pair([row(1), row(5)], [row(1), row(8), row(9), row(10)], after_right=lambda: delete())
    found, _ = looked(sides)
    assert counts(found) == (0, 1, 1, 2)
    assert (found.on_left_only.deleted, found.on_right_only.deleted) == (1, 2)
    assert found.on_right_only.examples == [10]


def test_rows_that_are_written_after_the_watermark_are_no_difference_at_all(
    pair: Any, connector: Any
) -> None:
    sides = pair([row(1)], [row(1)], after_left=lambda: connector.insert(sides[0].target, [row(500)]))
    found, _ = looked(sides)
    assert (found.left, counts(found)) == (1, (0, 0, 0, 0))


def now() -> str:
    return datetime.now(UTC).isoformat()


def test_a_row_that_was_made_since_the_watermark_by_its_own_time_does_not_count(
    pair: Any, connector: Any
) -> None:
    def write() -> None:
        connector.insert(sides[0].target, [row(2, at=now())])

    earlier = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    sides = pair([row(1), row(3, at=earlier), row(4)], [row(1)], before_left=lambda: write())
    found, _ = looked(sides, left_time="at")
    assert (found.on_left_only.rows, found.on_left_only.late) == (2, 1)
    assert set(found.on_left_only.examples) == {3, 4}


def test_a_missing_row_counts_although_its_time_lies_in_the_future(pair: Any) -> None:
    """A time of what the row is about is no time of its writing."""
    soon = (datetime.now(UTC) + timedelta(seconds=again.SKEW / 2)).isoformat()
    planned = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    found, _ = looked(pair([row(1), row(2, at=planned), row(3, at=soon)], [row(1)]), left_time="at")
    assert (found.on_left_only.rows, found.on_left_only.late) == (1, 1)
    assert list(found.on_left_only.examples) == [2]


def test_matched_by_a_field_rows_are_under_way_by_their_own_time_as_by_id(pair: Any, connector: Any) -> None:
    def write() -> None:
        connector.insert(sides[0].target, [row(i, sku=f"s{i}", at=now()) for i in (5, 6)])
        connector.insert(sides[0].target, [row(7, sku="s1", at=now())])

    earlier = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    left = [row(1, sku="s1", at=earlier), row(2, sku="s2", at=earlier), row(3, sku="s3")]
    sides = pair(left, [row(100, sku="s1")], before_left=lambda: write())
    found, _ = looked(sides, match_on="sku", left_time="at")
    assert (found.on_left_only.rows, found.on_left_only.late) == (2, 3)
    assert set(found.on_left_only.examples) == {"s2", "s3"}


def test_rows_are_matched_by_a_field_where_their_ids_differ(pair: Any, connector: Any) -> None:
    left = [row(i, sku=f"s{i}") for i in range(20)] + [row(100, sku=7_000), row(101, sku="gone")]
    right = [row(UUIDS[i], sku=f"s{i}") for i in range(20)] + [
        row(UUIDS[40], sku="7000"),
        row(UUIDS[41], sku="new"),
    ]
    sides = pair(left, right, after_right=lambda: connector.insert(sides[0].target, [row(300, sku="new")]))
    found, _ = looked(sides, match_on="sku")
    assert (found.left, found.right, found.by, found.keyless) == (22, 22, "sku", 0)
    assert counts(found) == (1, 0, 0, 1)
    assert list(found.on_left_only.examples) == ["gone"]


def test_a_value_on_several_rows_has_to_be_on_as_many_of_the_other_side(pair: Any, connector: Any) -> None:
    left = [row(i, sku=f"s{i % 3}") for i in range(9)]
    right = [row(100 + i, sku=f"s{i % 3}") for i in range(8)]
    sides = pair(left, right, after_right=lambda: connector.insert(sides[1].target, [row(300, sku="s1")]))
    found, _ = looked(sides, match_on="sku")
    assert (found.left, found.right) == (9, 8)
    assert counts(found) == (1, 0, 0, 0)
    assert list(found.on_left_only.examples) == ["s2"]
    connector.insert(sides[1].target, [row(301, sku="s2")])
    found, _ = looked(sides, match_on="sku")
    assert (counts(found), list(found.on_right_only.examples)) == ((0, 0, 1, 0), ["s1"])


def test_rows_without_a_key_are_counted(pair: Any) -> None:
    found, _ = looked(
        pair([row(1, sku="a"), row(2)], [row(9, sku="a"), row(8, sku=""), row(7, sku=None)]), match_on="sku"
    )
    assert (found.keyless, counts(found)) == (3, (0, 0, 0, 0))


def test_two_vector_fields_of_one_collection_are_held_to_the_rows_that_have_the_vector(
    pair: Any, connector: Any
) -> None:
    left, _ = pair([row(1), row(2)], [])
    for i, name in ((3, "a"), (4, "b"), (5, "b")):
        connector.insert(left.target, [Row(i, {name: np.ones(2, np.float32)}, {})])
    description = connector.describe(left.target)
    right = replace(left, address=left.address.with_vector("b"), field=description.field("b"))
    found, _ = looked((left, right))
    assert (found.left, found.right) == (3, 4)
    assert (list(found.on_left_only.examples), sorted(found.on_right_only.examples)) == ([3], [4, 5])


def test_version_tags_are_counted_on_every_row_of_the_right_side(pair: Any) -> None:
    right = [row(i, "v2" if i % 3 else "v1", modality="image" if i % 2 else "text") for i in range(30)]
    right += [row(100, None), row(101, None, modality="text")]
    names = FieldNames("embedding_version", "modality")
    _, tags = looked(pair([], right), names=names)
    assert tags == {
        ("image", "v1"): 5, ("image", "v2"): 10, ("text", "v1"): 5, ("text", "v2"): 10,
        ("", None): 1, ("text", None): 1,
    }  # fmt: skip


def test_more_differences_than_are_looked_at_one_by_one_are_counted_all_the_same(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "MOST", 5)
    found, _ = looked(pair([row(i) for i in range(30)], [row(0)]))
    assert found.on_left_only.rows == 29
    assert len(found.on_left_only.examples) == 5


def test_a_gate_that_is_cancelled_stops_reading(pair: Any) -> None:
    sides = pair([row(1)], [])
    with pytest.raises(Cancelled):
        looked(sides, cancelled=lambda: True)
    asked: list[float] = []
    began = time.monotonic()

    def later() -> bool:
        asked.append(time.monotonic())
        return asked[-1] - began > 1

    with pytest.raises(Cancelled):
        looked(sides, settle=600.0, cancelled=later)


def test_progress_names_the_side_that_is_read(pair: Any) -> None:
    said: list[Progress] = []
    looked(pair([row(1)], [row(2)]), tell=said.append)
    assert list(dict.fromkeys(p.phase for p in said)) == [
        "Reading the ids of the old side",
        "Reading the ids of the new side",
        "Looking again at rows that differ",
    ]


def test_a_collection_that_goes_away_is_said(pair: Any, connector: Any) -> None:
    sides = pair([row(1)], [row(2)], after_left=lambda: connector.drop(sides[1].target.collection))
    with pytest.raises(PlumblineError) as caught:
        looked(sides)
    assert caught.value.code == "not-found"


def test_a_key_is_64_bits_of_the_id_and_differs_between_kinds_and_tenants() -> None:
    ids: list[RowId] = [*range(5_000), *(str(uuid.UUID(int=i)) for i in range(5_000))]
    found = keys.of_batch(Batch(tuple(ids), {}, {}), None, True)
    assert (found.dtype, len(np.unique(found))) == (np.uint64, 10_000)
    assert len(np.intersect1d(found, keys.of_batch(Batch(tuple(ids), {}, {}, part="ada"), None, True))) == 0
    alone = keys.of_batch(Batch(tuple(ids), {}, {}), None, False)
    assert (alone == keys.of_batch(Batch(tuple(ids), {}, {}, part="ada"), None, False)).all()
    assert (found != keys.ABSENT).all()
    bits = (found[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.03


def test_whole_numbers_and_text_are_one_key_and_lists_and_truths_are_none() -> None:
    values = [7, "7", 7.0, None, "", True, ["a", "b"], ["7"]]
    found = keys.of_batch(Batch(tuple(range(8)), {}, {"sku": values}), "sku", False)
    assert (found[0] == found[[1, 2, 7]]).all()
    assert (found[3:7] == keys.ABSENT).all()


def test_membership_is_numpys() -> None:
    rng = np.random.default_rng(0)
    some = rng.integers(0, 200, 300).astype(np.uint64)
    wanted = np.unique(rng.integers(0, 200, 50).astype(np.uint64))
    assert (keys.among(some, wanted) == np.isin(some, wanted)).all()
    assert not keys.among(some, wanted[:0]).any()
