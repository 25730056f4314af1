"""Spaces that are hard to compare, in Qdrant's own engine: ties past the lists, rows without vectors, one long row."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import Equals
from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from console.compare import CompareRequest, compare, render
from console.settings import Settings
from console.workspace import Workspace

D = 32
RNG = np.random.default_rng(0)
CLOUD = RNG.standard_normal((1_200, D)).astype(np.float32)
LENGTHS = RNG.uniform(0.2, 9, (5_000, 1)).astype(np.float32)
Fill = Callable[..., str]


def uid(i: int) -> str:
    return str(uuid.UUID(int=(4 << 76) | (8 << 60) | i))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    home = tmp_path_factory.mktemp("exact")
    spec = ConnectionSpec("here", "qdrant", path=str(home / "store"))
    with Workspace(Settings(home=home, connections={"here": spec})) as ws:
        yield ws
    host.stop(home / "store")


@pytest.fixture
def fill(here: Workspace) -> Iterator[Fill]:
    """Writes a collection and returns its address; it is gone afterwards."""
    connector = connect(here.settings.connections["here"])
    names: list[str] = []

    def made(
        fields: Mapping[str, Sequence[Any]] | np.ndarray,
        metric: str = "cosine",
        ids: Sequence[int] | None = None,
        payload: Callable[[int], dict[str, Any]] = lambda i: {},
    ) -> str:
        held = {"v": fields} if isinstance(fields, np.ndarray) else fields
        n = len(next(iter(held.values())))
        width = {f: len(next(v for v in rows if v is not None)) for f, rows in held.items()}
        name = f"c{len(names)}-{uuid.uuid4().hex[:6]}"
        names.append(name)
        connector.create(
            name, CollectionPlan(tuple(VectorField(f, "dense", d, metric) for f, d in width.items()))
        )  # type: ignore[arg-type]
        order = range(n) if ids is None else ids
        rows = (
            Row(
                uid(i),
                {f: np.asarray(v[i], np.float32) for f, v in held.items() if v[i] is not None},
                payload(i),
            )
            for i in order
        )
        assert not connector.insert(Target(name), rows).failed
        return f"here/{name}"

    yield made
    for name in names:
        connector.drop(name)
    connector.close()


def compared(ws: Workspace, left: str, right: str, **more: Any) -> Any:
    return compare(ws, CompareRequest(left, right, **{"queries": 200, **more})).data


@pytest.mark.parametrize("size", [101, 150, 900])
def test_a_class_of_equal_rows_that_runs_past_the_lists_counts_whole_whatever_their_lengths(
    here: Workspace, fill: Fill, size: int
) -> None:
    rows = CLOUD.copy()
    rows[-size:] = rows[0]
    data = compared(here, fill(unit(rows)), fill(rows * LENGTHS[:1_200]), threshold=0.2)
    assert data["overlap_at_k"]["mean"] == 1.0
    assert all(q["lost"] == q["gained"] == [] for q in data["changed"])
    assert all(data["noise"][name]["mean"] == 1.0 for name in ("left_index", "right_index", "both_indexes"))
    (one,) = data["thresholds"]["translations"]
    assert one["verdict"] == "translated"
    assert one["agreement"]["jaccard"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("spread", [3e-3, 1e-3, 1e-4])
def test_a_collapsed_cone_is_the_same_stored_at_length_1_and_as_it_came(
    here: Workspace, fill: Fill, spread: float
) -> None:
    cone = 1 + spread * np.random.default_rng(1).standard_normal((3_000, D))
    data = compared(here, fill(unit(cone)), fill((cone * LENGTHS[:3_000]).astype(np.float32)), queries=100)
    assert data["overlap_at_k"]["mean"] == 1.0
    assert data["noise"]["both_indexes"]["mean"] == 1.0


def test_ties_that_can_not_be_told_are_left_out_and_said(
    here: Workspace, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.compare import settling

    monkeypatch.setattr(settling, "PLACES", 1)
    rows = CLOUD.copy()
    rows[-500:] = rows[0]
    data = compared(here, fill(unit(rows)), fill(rows * LENGTHS[:1_200]))
    assert data["overlap_at_k"]["mean"] == 1.0
    assert data["overlap_at_k"]["queries"] < 200
    assert any("have so many rows as near as the 10-th" in w for w in data["warnings"])


def test_a_field_that_half_of_the_rows_have_is_compared_on_these_rows(here: Workspace, fill: Fill) -> None:
    rows = CLOUD[:600]
    both = fill({"old": list(rows), "new": [rows[i] if i % 2 else None for i in range(600)]})
    data = compared(here, f"{both}#old", f"{both}#new", queries=100)
    assert data["queries"] == 100
    assert data["overlap_at_k"]["mean"] == 1.0
    assert (data["matched"]["rows"], data["matched"]["share"]) == (300, 0.5)
    assert data["pool"]["without_vector"] == {"left": 0, "right": 300}
    assert data["summary"].startswith("50% of all rows are on both sides, and only these count")
    assert data["noise"]["left_index"]["mean"] == data["noise"]["both_indexes"]["mean"] == 1.0
    assert data["noise"]["chance"] == pytest.approx(10 / 299)


def test_lists_that_lose_most_of_their_rows_are_read_again(here: Workspace, fill: Fill) -> None:
    rows = CLOUD.copy()
    there = np.random.default_rng(3).random(1_200) < 0.08
    data = compared(
        here, fill(rows), fill({"v": [rows[i] if there[i] else None for i in range(1_200)]}), queries=50
    )
    assert data["pool"]["rows"] == int(there.sum())
    assert data["overlap_at_k"]["mean"] == 1.0


def test_rows_without_a_direction_are_nobodys_lost_neighbours(here: Workspace, fill: Fill) -> None:
    broken = CLOUD.copy()
    broken[:360] = 0
    data = compared(here, fill(CLOUD), fill(broken))
    assert data["overlap_at_k"]["mean"] == 1.0
    assert data["matched"]["rows"] == 840


@pytest.mark.parametrize("factor", [1e4, 1e6])
def test_one_long_row_is_no_tie_of_all_others(here: Workspace, fill: Fill, factor: float) -> None:
    old = np.random.default_rng(5).standard_normal((1_000, D))
    new = old + 0.1 * np.random.default_rng(6).standard_normal(old.shape)
    old[7] *= factor
    new[7] *= factor
    old, new = old.astype(np.float32), new.astype(np.float32)
    data = compared(here, fill(old, "dot"), fill(new, "dot"), queries=60)
    shares: list[float] = []
    for query in data["changed"]:
        i = uuid.UUID(query["id"]).int & 0xFFFFFFFF
        lists = []
        for space in (old, new):
            scores = space.astype(np.float64) @ space[i].astype(np.float64)
            scores[i] = -np.inf
            lists.append(set(np.argsort(-scores)[:10].tolist()))
        shares.append(len(lists[0] & lists[1]) / 10)
    assert data["overlap_at_k"]["mean"] == pytest.approx(np.mean(shares), abs=1e-9)


@pytest.mark.parametrize("n", [5, 11])
def test_where_every_row_is_among_the_first_overlap_is_not_measured(
    here: Workspace, fill: Fill, n: int
) -> None:
    one, other = (np.random.default_rng(s).standard_normal((n, D)).astype(np.float32) for s in (1, 2))
    data = compared(here, fill(one), fill(other))
    assert f"A query has {n - 1} other rows" in data["overlap_at_k"]["not_measured"]
    assert "not_measured" in data["jaccard"]
    assert data["top1"]["mean"] < 1
    assert data["noise"]["chance"] == 1.0
    assert "same on both sides" not in data["summary"]
    assert "all are among the 10 nearest" in data["summary"]
    for made in (render.to_table(data), [render.to_markdown(data)], [render.to_html(data)]):
        assert "not measured" in " ".join(made)


@pytest.mark.parametrize(("cut", "code"), [(1.5, "usage"), (-5.0, "usage"), (0.5, None)])
def test_a_cutoff_that_no_score_can_have_is_refused(
    here: Workspace, fill: Fill, cut: float, code: str | None
) -> None:
    side = fill(CLOUD[:100])
    if code is None:
        assert compared(here, side, side, threshold=cut)["thresholds"]["translations"]
        return
    with pytest.raises(PlumblineError, match="similarities lie between -1 and 1") as fault:
        compared(here, side, side, threshold=cut)
    assert (fault.value.code, fault.value.where) == (code, "--threshold")


# What the index finds


def test_a_filter_that_the_other_side_can_not_answer_is_not_asked_of_it(here: Workspace, fill: Fill) -> None:
    with_kind = fill(CLOUD, payload=lambda i: {"kind": "ab"[i % 2]})
    data = compared(here, with_kind, fill(CLOUD), filter=Equals("kind", "a"), queries=100)
    assert data["overlap_at_k"]["mean"] == 1.0
    assert data["pool"]["rows"] == 600
    for name in ("left_index", "right_index", "both_indexes"):
        assert data["noise"][name]["mean"] == 1.0


@pytest.mark.parametrize("filtered", [False, True])
def test_rows_of_one_side_alone_do_not_count_against_its_index(
    here: Workspace, fill: Fill, filtered: bool
) -> None:
    near = [CLOUD[:400] + 1e-3 * RNG.standard_normal((400, D)) for _ in range(3)]
    where = {"filter": Equals("kind", "a")} if filtered else {}
    one = fill(CLOUD[:400], payload=lambda i: {"kind": "a"})
    more = fill(np.concatenate([CLOUD[:400], *near]).astype(np.float32), payload=lambda i: {"kind": "a"})
    data = compared(here, one, more, queries=100, **where)
    assert data["overlap_at_k"]["mean"] == data["noise"]["right_index"]["mean"] == 1.0


def test_queries_that_other_rows_crowd_about_are_not_measured(
    here: Workspace, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.compare import indexes

    monkeypatch.setattr(indexes, "MOST", 40)
    crowd = [CLOUD[:40] + 1e-3 * RNG.standard_normal((40, D)) for _ in range(60)]
    data = compared(here, fill(CLOUD), fill(np.concatenate([CLOUD, *crowd]).astype(np.float32)), queries=600)
    assert data["noise"]["right_index"]["mean"] == 1.0
    assert data["noise"]["right_index"]["queries"] < 600
    assert any(h["what"].startswith("the right index, ") for h in data["not_measured"])


@pytest.mark.parametrize("copies", ["small classes", "one class"])
def test_which_of_equal_rows_two_indexes_return_is_no_difference(
    here: Workspace, fill: Fill, copies: str
) -> None:
    rows = CLOUD.copy()
    rows[600:] = rows[RNG.integers(0, 150, 600)] if copies == "small classes" else rows[0]
    order = RNG.permutation(1_200).tolist()
    data = compared(here, fill(rows), fill(rows, ids=order))
    assert data["overlap_at_k"]["mean"] == data["noise"]["both_indexes"]["mean"] == 1.0


# Cohorts and golden rows


def test_cohorts_that_are_too_small_or_not_there_are_said(here: Workspace, fill: Fill) -> None:
    side = fill(CLOUD, payload=lambda i: {"lang": "en" if i % 20 else "de"})
    data = compared(here, side, side, cohorts=("lang", "nofield"))
    assert [row["value"] for row in data["cohorts"]["lang"]] == ["en"]
    said = {h["what"]: h["why"] for h in data["not_measured"]}
    assert "Fewer than 30 queries each: de (" in said["cohorts by lang"]
    assert said["cohorts by nofield"] == "No query has a value of nofield."
    (row,) = data["cohorts"]["lang"]
    assert {"jaccard", "rank_biased_overlap", "top1", "displacement"} <= row.keys()
    assert row["top1"]["mean"] == 1.0


# What is said


def test_rows_that_an_encoder_can_not_make_are_missing_on_its_side(
    here: Workspace, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.compare import run, sides

    side = fill(CLOUD[:300], payload=lambda i: {"caption": f"row {i}"} if i % 2 else {})

    class Half:
        """An encoder of texts, of which every other row has one."""

        name, fingerprint, dimension, modalities = "half", "0" * 8, D, ("text",)

        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            return np.stack([CLOUD[int(t.split()[1])] for t in texts])

    def opened(ws: Any, name: Any, address: str, queries: Any, *, tell: Any, cancelled: Any) -> Any:
        if address.startswith("encoder:"):
            return sides.Encoded(name, Half(), {}, {}, np.zeros((0, D), np.float32))  # type: ignore[arg-type]
        return sides.open_side(ws, name, address, queries, tell=tell, cancelled=cancelled)

    monkeypatch.setattr(run, "open_side", opened)
    data = compared(here, side, "encoder:half", queries=50)
    assert (data["matched"]["rows"], data["matched"]["share"]) == (150, 0.5)
    assert data["pool"]["exact"] is True
    assert data["overlap_at_k"]["mean"] == 1.0
    assert data["summary"].startswith("50% of all rows are on both sides")
    for said in ("\n".join(render.to_table(data)), render.to_markdown(data), render.to_html(data)):
        assert "150 of 300 rows could not be encoded" in " ".join(said.split())


def test_sides_without_a_common_row_say_whose_fault_it_is(here: Workspace, fill: Fill) -> None:
    empty = fill(CLOUD[:1])
    connector = here.connector("here")
    name = empty.partition("/")[2]
    connector.drop(name)
    connector.create(name, CollectionPlan((VectorField("v", "dense", D, "cosine"),)))
    with pytest.raises(PlumblineError, match="The right side has no rows"):
        compared(here, fill(CLOUD[:20]), empty)
    with pytest.raises(PlumblineError, match="Neither side has a row"):
        compared(here, empty, empty)


def test_what_has_no_effect_is_said(here: Workspace, fill: Fill) -> None:
    from console.search import golden
    from console.search.golden import GoldenQuery

    def filled(draft: golden.GoldenSet) -> golden.GoldenSet:
        for i in (0, 1, 2, 99_999):
            draft = golden.with_query(draft, GoldenQuery(f"q{i}", row=uid(i)))
            draft = golden.judged(draft, f"q{i}", uid(5), 1)
        return golden.judged(draft, "q0", uid(77_777), 1)

    golden.edit(here, "rows", filled)
    side = fill(CLOUD[:200], payload=lambda i: {"kind": "a"})
    data = compared(here, side, side, golden="rows@draft", query_filter=Equals("kind", "a"))
    said = " ".join("\n".join(render.to_table(data)).split())
    assert "--query-filter has no effect" in said
    assert "1 query was left out: the row is not on both sides." in said
    assert "1 judged row is not among those that both sides hold" in said


def test_where_only_relevant_rows_were_judged_precision_is_not_translated() -> None:
    from console.compare.judged import Judged, equal

    scores = np.sort(np.random.default_rng(0).random((200, 1)), axis=0)
    every = np.arange(200)
    held = Judged(every, scores.ravel(), np.ones(200, np.bool_))
    for figure in ("precision", "recall"):
        found = equal(figure, scores, scores, (held, held), 0.5)  # type: ignore[arg-type]
        assert found.new is None
        assert "Every judged row of the old side's hits is relevant" in (found.why or "")
