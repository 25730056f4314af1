"""Judged rows by their keys, in Qdrant's own engine: a row that is there is shown, however many others have its key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from connectors.spec import ConnectionSpec
from console.search.answer import HitRow
from console.settings import Address, Settings
from console.ui import golden_rows, session
from console.workspace import Workspace

MANY = 400
WHERE = Address("here", "Things", vector="v")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ConnectionSpec]]:
    home = tmp_path_factory.mktemp("rows")
    spec = ConnectionSpec("here", "qdrant", path=str(home / "store"))
    with Workspace(Settings(home=home, connections={"here": spec})) as ws:
        connector = ws.connector("here")
        payload = (PayloadField("sku", "keyword", indexed=True),)
        connector.create("Things", CollectionPlan((VectorField("v", "dense", 4, "cosine"),), payload))
        rng = np.random.default_rng(0)
        # The rows of the crowded key lie where any search looks first, the others on the far side.
        crowd = [Row(i, {"v": rng.random(4).astype(np.float32) + 1}, {"sku": "many"}) for i in range(MANY)]
        others: list[object] = ["rare", "7", 7, -5, 1.5, 2**53, ["one"], ["many", "rare"], True]
        rest = [
            Row(
                1_000 + i, {"v": -rng.random(4).astype(np.float32) - 1}, {"sku": value, "caption": f"row {i}"}
            )
            for i, value in enumerate(others)
        ]
        assert not connector.insert(Target("Things"), [*crowd, *rest]).failed
    yield home, spec
    from connectors.qdrant import host

    host.stop(home / "store")


@pytest.fixture
def here(store: tuple[Path, ConnectionSpec]) -> Address:
    home, spec = store
    session.adopt(Workspace(Settings(home=home, connections={"here": spec})))
    return WHERE


def test_a_key_that_hundreds_of_rows_have_hides_no_other(here: Address) -> None:
    keys = ("many", "rare", "7", "-5", "1.5", str(2**53), "one", "gone", "2.5")
    held = golden_rows._fetched(here, "sku", keys)
    assert set(held.payloads) == set(keys) - {"gone", "2.5"}
    assert held.payloads["rare"]["caption"] == "row 0"
    assert held.payloads["1.5"]["sku"] == 1.5
    assert held.payloads["-5"]["sku"] == -5


@pytest.mark.parametrize(
    ("key", "number"),
    [("7", 7), ("-5", -5), ("1.5", 1.5), ("1.50", None), ("007", None), ("1e3", None), ("nan", None), ("inf", None),
     (str(2**63), None), ("٣", None), ("x", None), ("-", None), ("1_0", None)],
)  # fmt: skip
def test_a_key_is_looked_for_as_the_number_that_is_written_so(key: str, number: float | None) -> None:
    assert golden_rows._number(key) == number


def test_a_key_is_one_card_with_the_rank_of_its_first_hit() -> None:
    def hit(rank: int, sku: str | None) -> HitRow:
        return HitRow(rank, rank, WHERE, 0.5, "similarity", {} if sku is None else {"sku": sku})

    hits = [hit(1, "a"), hit(2, "a"), hit(3, None), hit(4, "b"), hit(5, "a")]
    made = golden_rows.of_hits(hits, "sku", {"b": 2}, None, blind=True)
    assert [(c.key, c.head, c.grade) for c in made] == [("a", "rank 1", None), ("b", "rank 3", 2)]
