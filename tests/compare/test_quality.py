"""Golden sets held against both exact rankings of a comparison: on matched rows only, and as an evaluation counts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from connectors.filters import Equals
from connectors.model import CollectionPlan, Row, Target, VectorField
from connectors.spec import ConnectionSpec
from console.compare import CompareRequest, compare
from console.search import golden
from console.search.golden import GoldenQuery, GoldenSet, Judgement, Rule
from console.settings import Settings
from console.workspace import Workspace

D = 8
N = 12
Places = Mapping[int, Mapping[str, Any]]


def line(i: int) -> np.ndarray:
    """Rows on an arc: row 0 is nearest to 1, then to 2, and so on."""
    angle = 0.1 * i
    return np.array([np.cos(angle), np.sin(angle), *[0.0] * (D - 2)], np.float32)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    home = tmp_path_factory.mktemp("quality")
    spec = ConnectionSpec("here", "qdrant", path=str(home / "store"))
    with Workspace(Settings(home=home, connections={"here": spec})) as ws:
        made = {
            # Row 1 has no key; rows 2 and 3 are one article.
            "Old": {
                i: {} if i == 1 else {"sku": f"s{2 if i == 3 else i}", "on": i % 2 == 0} for i in range(N)
            },
            "New": {i: {} if i == 1 else {"sku": f"s{2 if i == 3 else i}"} for i in range(N)},
            # Rows 4 and 5 are gone, and every row has another id.
            "Moved": {i: {"sku": f"s{i}"} for i in range(N) if i not in (4, 5)},
            "Known": {i: {"sku": f"s{i}"} for i in range(N)},
        }
        for name, rows in made.items():
            fill(ws, name, rows, 100 if name == "Moved" else 0)
        yield ws
    from connectors.qdrant import host

    host.stop(home / "store")


def fill(ws: Workspace, name: str, rows: Places, offset: int) -> None:
    connector = ws.connector("here")
    connector.create(name, CollectionPlan((VectorField("v", "dense", D, "cosine"),)))
    held = [Row(offset + i, {"v": line(i)}, dict(payload)) for i, payload in rows.items()]
    assert not connector.insert(Target(name), held).failed


def judged(
    ws: Workspace,
    left: str,
    right: str,
    judgements: Sequence[tuple[str, int]],
    *,
    key_field: str | None = None,
    rules: Sequence[Rule] = (),
    row: int = 0,
    **more: Any,
) -> Mapping[str, Any]:
    made = GoldenSet(
        "set",
        key_field=key_field,
        queries=(GoldenQuery("q", row=row),),
        judgements=tuple(Judgement("q", key, grade) for key, grade in judgements),
        rules=tuple(rules),
    )
    golden.put(ws, made)
    data = compare(
        ws, CompareRequest(f"here/{left}", f"here/{right}", golden="set@draft", **{"k": 3, **more})
    ).data
    return data["quality"]


def test_a_querys_own_row_is_not_missed(here: Workspace) -> None:
    held = judged(here, "Old", "New", [("0", 3), ("1", 1)])
    assert held["metrics"]["recall@3"]["left"]["mean"] == 1.0
    assert held["metrics"]["ndcg@3"]["right"]["mean"] == 1.0
    ruled = judged(here, "Old", "New", [], rules=[Rule("q", Equals("on", True), 1)], k=11)
    assert ruled["metrics"]["recall@11"]["left"]["mean"] == 1.0
    assert judged(here, "Old", "New", [("0", 3)])["queries"] == 0


def test_a_row_without_a_key_keeps_its_rank(here: Workspace) -> None:
    """Row 1 is first and has none: the article of rows 2 and 3 is second."""
    held = judged(here, "Old", "New", [("s2", 1)], key_field="sku")
    assert held["metrics"]["mrr"]["left"]["mean"] == 0.5
    assert held["metrics"]["precision@3"]["left"]["mean"] == pytest.approx(1 / 3)


def test_relevant_rows_that_are_not_on_both_sides_are_out_of_the_ideal_ranking(here: Workspace) -> None:
    """Articles 4 and 5 are not in the new collection: the best list that there can be is 1 and 2."""
    judgements = [("s1", 1), ("s2", 1), ("s4", 1), ("s5", 1), ("gone", 1)]
    for match_on in ("sku", None):
        if match_on is None:
            held = judged(here, "Known", "Known", judgements, key_field="sku", filter=_below("s4", "s5"), k=3)
        else:
            held = judged(here, "Known", "Moved", judgements, key_field="sku", match_on=match_on)
        assert held["judged_outside_the_pool"] == 3, match_on
        assert held["metrics"]["recall@3"]["left"]["mean"] == 1.0
        assert held["metrics"]["ndcg@3"]["right"]["mean"] == 1.0


def _below(*skus: str) -> Any:
    from connectors.filters import AnyOf, Not

    return Not(AnyOf("sku", skus))


def test_a_querys_own_key_counts_where_another_row_of_the_pool_has_it(here: Workspace) -> None:
    """Asked with row 2, its article is that of row 3, too; matched on the article, no other row can have it."""
    held = judged(here, "Old", "New", [("s2", 1)], key_field="sku", row=2)
    assert held["metrics"]["mrr"]["left"]["mean"] > 0
    alone = judged(here, "Known", "Moved", [("s2", 1), ("s3", 1)], key_field="sku", row=2, match_on="sku")
    assert alone["metrics"]["recall@3"]["left"]["mean"] == 1.0
