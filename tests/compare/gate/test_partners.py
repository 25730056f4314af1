"""A golden set that names rows of one side, asked of both: in Qdrant's own engine and in a real Weaviate."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.filters import And, Ids, Not, Or
from connectors.model import CollectionPlan, ConnectionSpec, Row, RowId, Target, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from console.compare.gate.evidence import Quality
from console.compare.gate.gather.evidence import Gathering
from console.compare.gate.gather.partners import Both, both
from console.compare.gate.gather.sides import opened
from console.compare.gate.limits import asked
from console.compare.gate.request import GateRequest
from console.health.findings import NotMeasured
from console.health.policy import policy
from console.search import golden
from console.search.golden import GoldenQuery, GoldenSet, Judgement, Rule
from console.search.golden.form import content_hash
from console.settings import GateSettings, Settings
from console.settings.gate import CONDITIONS
from console.store import Evaluations
from console.workspace import Workspace
from tests.compare.gate.parts import sound, told
from tests.weaviate_server import WeaviateServer

N, D = 120, 32
"""Queries (fewer than 99 equal ones exclude no loss of .03), each with the one row that is like it."""
QUIET: dict[str, Any] = {"tell": lambda _: None, "cancelled": lambda: False}


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


RNG = np.random.default_rng(1)
ASKED = unit(RNG.standard_normal((N, D)))
MATRIX = np.vstack([ASKED, unit(ASKED + 0.05 * RNG.standard_normal((N, D)))])
"""Row N + i is the nearest to row i."""
UUIDS = [str(uuid.UUID(int=(i + 1) << 80 | 0x4000 << 64 | 0x8 << 60 | i)) for i in range(2 * N)]
SKUS = {i: f"k{i}" for i in range(2 * N)}


def fill(connector: Any, name: str, ids: Mapping[int, RowId], skus: Mapping[int, str | None]) -> None:
    connector.create(name, CollectionPlan((VectorField("v", "dense", D, "cosine"),)))
    rows = [
        Row(ids[i], {"v": MATRIX[i]}, {} if skus.get(i) is None else {"sku": skus[i]}) for i in sorted(ids)
    ]
    assert not connector.insert(Target(name), rows).failed


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    home: Path = tmp_path_factory.mktemp("partners")
    spec = ConnectionSpec("here", "qdrant", path=str(home / "store"))
    connector = connect(spec)
    numbers: dict[int, RowId] = {i: i for i in range(2 * N)}
    named: dict[int, RowId] = dict(enumerate(UUIDS))
    few = {**SKUS, 2: None, 7: "k8", N + 3: None}
    fill(connector, "Old", numbers, SKUS)
    fill(connector, "Named", named, SKUS)
    # The same numbers, each of another row.
    fill(connector, "Turned", {i: 2 * N - 1 - i for i in range(2 * N)}, SKUS)
    fill(connector, "Beyond", {i: 10_000 + i for i in range(2 * N)}, SKUS)
    # Rows 3 (one that asks) and N + 5 (one that is judged) are gone.
    fill(connector, "Less", {i: row for i, row in named.items() if i not in (3, N + 5)}, SKUS)
    fill(connector, "Few", numbers, few)
    fill(connector, "Shared", named, {i: f"k{i // 2}" for i in range(2 * N)})
    fill(connector, "Pairs", numbers, {i: f"k{i // 2}" for i in range(2 * N)})
    fill(connector, "Bare", named, {})
    with Workspace(Settings(home=home, connections={"here": spec})) as made:
        yield made
    connector.close()
    host.stop(home / "store")


def of(ids: Mapping[int, RowId], key_field: str | None = None, **more: Any) -> GoldenSet:
    queries = tuple(GoldenQuery(f"q{i}", row=ids[i], cohort={"half": str(i % 2)}) for i in range(N))
    keys = {i: f"k{N + i}" if key_field else str(ids[N + i]) for i in range(N)}
    judgements = tuple(Judgement(f"q{i}", keys[i], 1) for i in range(N))
    return GoldenSet("shop", None, key_field, queries, judgements).but(**more)


NUMBERED = of({i: i for i in range(2 * N)})
BY_SKU = of({i: i for i in range(2 * N)}, "sku")
OF_UUIDS = of(dict(enumerate(UUIDS)))
OF_TURNED = of({i: 2 * N - 1 - i for i in range(2 * N)})


def gathered(
    ws: Workspace, left: str, right: str, asks: GoldenSet, match_on: str | None
) -> tuple[Quality | NotMeasured, Any]:
    names = [f"{name if '/' in name else f'here/{name}'}#v" for name in (left, right)]
    left_out = tuple(n for n in CONDITIONS if n not in ("quality", "cohorts"))
    wanted = asked(GateSettings(left_out=left_out), policy(), None)
    request = GateRequest(names[0], names[1], "shop", match_on=match_on)
    sides = opened(ws, names[0]), opened(ws, names[1])
    found = Gathering(ws, request, wanted, sides, asks, **QUIET).gather()
    return found.evidence.quality, found.stored.get("evaluations")


def measured(ws: Workspace, left: str, right: str, asks: GoldenSet, match_on: str | None) -> Quality:
    found, _ = gathered(ws, left, right, asks, match_on)
    assert isinstance(found, Quality)
    return found


def why(ws: Workspace, left: str, right: str, asks: GoldenSet, match_on: str | None) -> str:
    found, evaluations = gathered(ws, left, right, asks, match_on)
    assert isinstance(found, NotMeasured)
    assert evaluations is None
    held = replace(sound(), quality=found)
    assert told("quality", held).verdict == told("cohorts", held).verdict == "not_measurable"
    assert found.why == told("quality", held).why
    return found.why


@pytest.mark.parametrize("match_on", ["sku", None])
@pytest.mark.parametrize(
    ("left", "right", "asks"),
    [
        ("Old", "Named", NUMBERED), ("Old", "Named", BY_SKU), ("Old", "Turned", NUMBERED), ("Old", "Beyond", BY_SKU),
        ("Named", "Old", NUMBERED), ("Old", "Named", OF_UUIDS), ("Turned", "Named", OF_TURNED),
    ],
)  # fmt: skip
def test_a_copy_with_other_ids_answers_as_well_where_its_rows_are_matched_and_is_never_called_empty(
    ws: Workspace, left: str, right: str, asks: GoldenSet, match_on: str | None
) -> None:
    if match_on is None and "Turned" not in (left, right):
        assert "--match-on FIELD" in why(ws, left, right, asks, None)
    if match_on is not None:
        found = measured(ws, left, right, asks, match_on)
        assert found.left.tolist() == found.right.tolist() == [1.0] * N
        assert (found.gone, found.unanswered, found.lost, found.untold) == ((0, 0), (0, 0), 0, 0)
        assert found.judged is not None
        assert found.judged[0] == found.judged[1]
        assert told("quality", replace(sound(), quality=found)).verdict == "pass"
        assert told("cohorts", replace(sound(), quality=found)).verdict == "pass"


def test_without_a_field_ids_of_two_kinds_and_other_ids_of_one_kind_are_said(ws: Workspace) -> None:
    said = why(ws, "Old", "Named", BY_SKU, None)
    assert said.startswith("The rows' ids in the golden set are numbers, those of the new side UUIDs.")
    said = why(ws, "Named", "Old", NUMBERED, None)
    assert said.startswith("The rows' ids in the golden set are numbers, those of the old side UUIDs.")
    said = why(ws, "Old", "Beyond", BY_SKU, None)
    assert said.startswith("None of the 120 rows that the golden set names is on the new side:")


def test_a_text_query_beside_a_row_of_another_kind_is_said_and_beside_one_that_is_gone_is_asked(
    ws: Workspace,
) -> None:
    texts = tuple(GoldenQuery(f"t{i}", text=f"red {i}") for i in range(99))
    some = BY_SKU.but(queries=(BY_SKU.queries[3], *texts), judgements=())
    sides = [opened(ws, f"here/{name}#v") for name in ("Old", "Named", "Beyond")]
    found = both(some, sides[0], sides[1], None, **QUIET)
    assert isinstance(found, NotMeasured)
    assert "UUIDs" in found.why
    found = both(some, sides[0], sides[2], None, **QUIET)
    assert isinstance(found, Both)
    assert found.left is found.right is some
    alone = some.but(queries=texts)
    found = both(alone, sides[0], sides[1], "sku", **QUIET)
    assert isinstance(found, Both)
    assert found.left is found.right is alone


@pytest.mark.parametrize("asks", [NUMBERED, BY_SKU])
def test_a_row_without_a_partner_is_missing_on_the_other_side_and_named_by_the_sets_own_id(
    ws: Workspace, asks: GoldenSet
) -> None:
    found, evaluations = gathered(ws, "Old", "Less", asks, "sku")
    assert isinstance(found, Quality)
    assert (found.gone, found.unanswered, found.lost, found.untold) == ((0, 1), (0, 1), 1, 0)
    assert np.flatnonzero(found.right == 0).tolist() == [3, 5]
    assert np.count_nonzero(found.right == 1) == N - 2
    made = Evaluations.open(ws).get(evaluations[1])
    (unscored,) = made["not_scored"]
    assert unscored["why"] == "Its row 3 of the old side is not in the collection."
    (missing,) = made["missing"]
    assert (missing["query"], missing["keys"]) == ("q5", ["k125" if asks.key_field else "125"])
    assert made["hash"] == content_hash(asks)
    # The old side is the one that lacks them where it is asked the other way round: they are left out.
    found = measured(ws, "Less", "Old", asks, "sku")
    assert (found.gone, found.unanswered, found.lost) == ((1, 0), (1, 0), 0)
    assert len(found.left) == N - 1


def test_a_set_in_the_other_sides_ids_is_still_the_version_that_was_frozen(ws: Workspace) -> None:
    golden.edit(
        ws, "frozen", lambda draft: draft.but(queries=NUMBERED.queries, judgements=NUMBERED.judgements)
    )
    golden.freeze(ws, "frozen")
    _, evaluations = gathered(ws, "Old", "Named", golden.find(ws, "frozen"), "sku")
    one, other = (Evaluations.open(ws).get(name) for name in evaluations)
    assert (one["golden"], one["version"], one["hash"]) == (other["golden"], other["version"], other["hash"])
    assert one["warnings"] == other["warnings"]
    assert not any("has changed" in line for line in other["warnings"])


@pytest.mark.parametrize(
    "asks", [NUMBERED, BY_SKU.but(judgements=tuple(j for j in BY_SKU.judgements if j.query != "q3"))]
)
def test_a_few_rows_that_can_not_be_matched_are_left_out_on_both_sides(
    ws: Workspace, asks: GoldenSet
) -> None:
    """Rows 2 and N + 3 have no value, and 7 has that of 8."""
    found = measured(ws, "Few", "Named", asks, "sku")
    assert found.left.tolist() == found.right.tolist()
    assert len(found.left) == N - 4
    assert found.untold == (4 if asks.key_field is None else 3)
    assert told("quality", replace(sound(), quality=found)).verdict == "pass"
    said = told("quality", replace(sound(), quality=found))
    assert (
        f"{found.untold} rows that the golden set names can't be matched by sku, and are left out" in said.why
    )
    assert said.details["unmatched_rows"] == found.untold


def test_a_field_that_does_not_tell_the_rows_apart_is_not_measurable(ws: Workspace) -> None:
    said = why(ws, "Old", "Bare", NUMBERED, "sku")
    assert said == (
        "None of the 240 rows that the golden set names has a partner on the new side: no row has the same sku there."
    )
    said = why(ws, "Pairs", "Shared", NUMBERED, "sku")
    assert said.startswith(
        "240 of the 240 rows that the golden set names can't be matched by sku: 0 have no value of it, 240 one that"
    )
    said = why(ws, "Bare", "Old", OF_UUIDS, "sku")
    assert "240 have no value of it, 0 one" in said


def test_a_row_of_the_same_id_and_value_is_the_same_whoever_shares_the_value(ws: Workspace) -> None:
    found = measured(ws, "Pairs", "Pairs", NUMBERED, "sku")
    assert found.left.tolist() == found.right.tolist() == [1.0] * N


def test_smoke_items_and_the_ids_in_rules_are_those_of_the_side_that_is_asked(ws: Workspace) -> None:
    rule = And((Or((Ids((N, 9_999)), Ids((N + 1,)))), Not(Ids((N + 1,)))))
    asks = GoldenSet(
        "shop",
        queries=(GoldenQuery("q", row=0, must=(str(N),), must_not=("5", "0")),),
        rules=(Rule("q", rule, 2),),
    )
    old, new = (opened(ws, f"here/{name}#v") for name in ("Old", "Named"))
    found = both(asks, old, new, "sku", **QUIET)
    assert isinstance(found, Both)
    (query,), (ruled,) = found.right.queries, found.right.rules
    assert (query.row, query.must, query.must_not) == (UUIDS[0], (UUIDS[N],), (UUIDS[5], UUIDS[0]))
    assert isinstance(ruled.where, And)
    assert ruled.where.parts[1] == Not(Ids((UUIDS[N + 1],)))
    assert isinstance(ruled.where.parts[0], Or)
    (first, second), (nobody,) = ruled.where.parts[0].parts, found.nobodys
    assert (first, second) == (Ids((UUIDS[N], nobody)), Ids((UUIDS[N + 1],)))
    assert found.nobodys == {nobody: "9999"}
    assert found.left == asks
    assert measured(ws, "Old", "Named", asks, "sku").right.tolist() == [1.0]


def test_a_row_0_has_a_partner_and_is_one(ws: Workspace) -> None:
    """The number 0 is no id that is missing."""
    old, new = (opened(ws, f"here/{name}#v") for name in ("Named", "Old"))
    found = both(OF_UUIDS, old, new, "sku", **QUIET)
    assert isinstance(found, Both)
    assert found.right.queries[0].row == 0
    assert not found.one_name


@pytest.mark.weaviate
def test_numbers_and_uuids_of_two_databases_are_matched_by_a_field(
    ws: Workspace, weaviate_server: WeaviateServer
) -> None:
    spec = weaviate_server.spec("weav")
    connector = connect(spec)
    name = f"Partners{uuid.uuid4().hex[:8]}"
    fill(connector, name, dict(enumerate(UUIDS)), SKUS)
    with Workspace(Settings(home=ws.home, connections={**ws.settings.connections, "weav": spec})) as two:
        for left, right in (("Old", f"weav/{name}"), (f"weav/{name}", "Old")):
            for asks in (NUMBERED, BY_SKU, OF_UUIDS):
                found = measured(two, left, right, asks, "sku")
                assert found.left.tolist() == found.right.tolist() == [1.0] * N
                assert "--match-on FIELD" in why(two, left, right, asks, None)
    connector.drop(name)
    connector.close()
