"""Comparisons of spaces whose difference is known, in Qdrant's own engine and in a real Weaviate."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, ortho_group

from connectors.errors import PlumblineError
from connectors.filters import parse
from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.registry import connect
from console.compare import CompareRequest, compare, render, serverside
from console.compare.render.reading import figures
from console.compare.sides import Stored, open_side
from console.compare.words import left_over, share
from console.progress import Cancelled, Progress
from console.settings import Settings
from console.store import Comparisons
from console.workspace import Workspace

N, D = 1_500, 48
LANGUAGES = ("de", "en", "es")
SHUFFLED = N // 10


def clustered(n: int, d: int, seed: int = 0) -> np.ndarray:
    """(n, d) at length 1: 60 topics with a falling spectrum, as texts have."""
    rng = np.random.default_rng(seed)
    scale = 1 / np.sqrt(1 + np.arange(d))
    centres = rng.standard_normal((60, d)) * scale
    held = centres[rng.integers(0, 60, n)] + 0.6 * rng.standard_normal((n, d)) * scale
    return (held / np.linalg.norm(held, axis=1, keepdims=True)).astype(np.float32)


BASE = clustered(N, D)
DOUBLED = np.concatenate([BASE[: N - 450], BASE[np.random.default_rng(9).integers(0, 300, 450)]])
"""30% of the rows have another one's vector."""
IDS = [str(uuid.UUID(bytes=np.random.default_rng(i).bytes(16), version=4)) for i in range(N)]
MOVED = np.random.default_rng(3).choice(N, SHUFFLED, replace=False)


def shuffled() -> np.ndarray:
    """A tenth of the rows have each other's vectors."""
    held = BASE.copy()
    held[MOVED] = BASE[np.roll(MOVED, 1)]
    return held


def worse_for_one() -> np.ndarray:
    """Rows of one language point anywhere, the others as they did."""
    held = BASE.copy()
    mine = np.arange(N) % 3 == 0
    held[mine] = clustered(int(mine.sum()), D, 77)
    return held


SPACES = {
    "Base": BASE,
    "Again": BASE,
    "Rotated": (BASE @ ortho_group.rvs(D, random_state=1)).astype(np.float32),
    "Shuffled": shuffled(),
    "Half": BASE.astype(np.float16).astype(np.float32),
    "Cut": BASE[:, : D // 3].copy(),
    "One": worse_for_one(),
    "Doubled": DOUBLED,
    "Few": BASE[: N // 2],
}


def payload(i: int) -> dict[str, Any]:
    return {
        "language": LANGUAGES[i % 3],
        "sku": f"sku-{i}",
        "caption": f"row {i}",
        "kind": "a" if i % 2 else "b",
    }


def filled(connector: Any, name: str, matrix: np.ndarray, metric: str = "cosine", ids: Any = None) -> None:
    field = VectorField("v", "dense", matrix.shape[1], metric)  # type: ignore[arg-type]
    connector.create(name, CollectionPlan((field,)))
    rows = (Row(ids[i] if ids else IDS[i], {"v": matrix[i]}, payload(i)) for i in range(len(matrix)))
    assert not connector.insert(Target(name), rows).failed


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    home = tmp_path_factory.mktemp("compare")
    spec = ConnectionSpec("here", "qdrant", path=str(home / "store"))
    connector = connect(spec)
    for name, matrix in SPACES.items():
        filled(connector, name, matrix)
    filled(connector, "Numbered", BASE, ids=list(range(N, 2 * N)))
    with Workspace(Settings(home=home, connections={"here": spec})) as ws:
        yield ws
    connector.close()
    from connectors.qdrant import host

    host.stop(home / "store")


def compared(ws: Workspace, right: str, left: str = "here/Base", **more: Any) -> Any:
    return compare(ws, CompareRequest(left, right, **{"queries": 100, **more})).data


def test_the_same_vectors_agree_exactly(here: Workspace) -> None:
    data = compared(here, "here/Again")
    for figure in ("overlap_at_k", "jaccard", "rank_biased_overlap", "top1"):
        assert data[figure]["mean"] == 1.0, figure
        assert data[figure]["low"] > 0.95
    assert data["structure"]["reading"] == "same"
    assert data["matched"]["share"] == 1.0
    assert all(not q["lost"] and not q["gained"] for q in data["changed"])
    assert data["summary"].startswith("The 10 nearest rows of 100 queries are the same")


def test_an_index_that_hides_the_figures_is_said(here: Workspace) -> None:
    connector = here.connector("here")
    field = VectorField("v", "dense", D, "cosine", quantization={"binary": {"always_ram": True}})
    connector.create("Coarse", CollectionPlan((field,), options={"optimizer": {"indexing_threshold": 100}}))
    target = Target("Coarse")
    assert not connector.insert(target, (Row(IDS[i], {"v": BASE[i]}, payload(i)) for i in range(N))).failed
    end = time.monotonic() + 120
    while not ((state := connector.index_state(target)).status == "ready" and state.indexed):
        assert time.monotonic() < end, state
        time.sleep(0.1)
    for left, right, name in (("here/Base", "here/Coarse", "new"), ("here/Coarse", "here/Base", "old")):
        data = compared(here, right, left)
        found = data["noise"]["right_index" if name == "new" else "left_index"]
        assert found["high"] < 0.95
        assert data["overlap_at_k"]["mean"] == 1.0
        assert f"; the {name} side's index finds only {share(found['mean'])} of its own" in data["summary"]
        (said,) = [w for w in data["warnings"] if "index finds" in w]
        assert said.startswith(f"The {name} side's index finds {share(found['mean'])} ")
    both = compared(here, "here/Coarse", "here/Coarse")
    assert "the indexes find" in both["summary"]
    assert not [w for w in compared(here, "here/Again")["warnings"] if "index" in w]


def test_a_space_that_moved_a_little_is_not_called_the_same(here: Workspace) -> None:
    noise = np.random.default_rng(5).standard_normal(BASE.shape) * 0.02
    filled(here.connector("here"), "Noisy", (BASE + noise).astype(np.float32))
    data = compared(here, "here/Noisy")
    held = data["structure"]
    assert held["reading"] == "same"
    left = left_over(held)
    assert left == held["plain_residual"] > 0.001
    assert f"the old one as it is, but for {share(left)} of its spread" in dict(figures(data)).values()
    for near in ("here/Again", "here/Half"):
        assert left_over(compared(here, near)["structure"]) is None


def test_a_rotated_copy_has_the_same_neighbours_and_another_space(here: Workspace) -> None:
    data = compared(here, "here/Rotated")
    assert data["overlap_at_k"]["mean"] == pytest.approx(1, abs=2e-3)
    assert data["structure"]["cka"]["value"] == pytest.approx(1, abs=1e-4)
    assert data["structure"]["procrustes"]["residual"] == pytest.approx(0, abs=1e-4)
    assert data["structure"]["reading"] == "rotated"


def test_rows_with_each_others_vectors_are_found(here: Workspace) -> None:
    data = compared(here, "here/Shuffled", queries=N)
    moved = {IDS[int(i)] for i in MOVED}
    assert data["queries"] == N
    changed = {q["id"] for q in data["changed"] if q["overlap"] < 0.2}
    assert moved <= {q["id"] for q in data["changed"][: SHUFFLED * 2]}
    assert len(moved & changed) >= 0.9 * SHUFFLED
    lost = [i for q in data["changed"] if q["id"] not in moved for i in q["lost"]]
    assert lost
    assert set(lost) <= moved | {q["id"] for q in data["changed"] if q["lost"]}
    named = np.array([i in moved for i in lost])
    assert named.mean() > 0.95


def test_rows_that_do_not_follow_are_named_whoever_asks(here: Workspace) -> None:
    found = compare(here, CompareRequest("here/Base", "here/Shuffled", queries=30))
    held = found.data["structure"]["outliers"]
    moved = {IDS[int(i)] for i in MOVED}
    assert (held["count"], held["looked"], held["low"], held["high"]) == (
        SHUFFLED,
        N,
        SHUFFLED / N,
        SHUFFLED / N,
    )
    assert {r["left"]["id"] for r in held["rows"]} <= moved
    assert set(found.arrays["outlier_left_ids"].tolist()) == moved
    assert found.arrays["outlier_right_ids"].tolist() == found.arrays["outlier_left_ids"].tolist()
    assert found.arrays["map_outlier"].sum() == len(moved & set(found.arrays["map_ids"].tolist()))
    assert found.data["structure"]["reading"] == "same"
    assert f"{SHUFFLED / N:.0%} of the rows don't follow the others" in found.data["summary"]
    assert held["mostly"] is None
    warned = [w for w in found.data["warnings"] if "do not follow the others" in w]
    assert warned[0].startswith(f"{SHUFFLED:,} of {N:,} rows (")
    for text in (
        "\n".join(render.to_table(found.data, 300)),
        render.to_markdown(found.data),
        render.to_html(found.data),
    ):
        assert "not follow the others" in text
        assert "but for" in text


def test_whose_rows_do_not_follow_is_said_where_a_field_tells(here: Workspace) -> None:
    data = compared(here, "here/One", cohorts=("language",))
    held = data["structure"]["outliers"]
    assert held["count"] == sum(i % 3 == 0 for i in range(N))
    assert (held["mostly"]["field"], held["mostly"]["value"]) == ("language", "de")
    assert held["mostly"]["outliers"] == held["mostly"]["rows"] == held["mostly"]["of"]
    assert any("language = de" in w for w in data["warnings"])


def test_a_sample_says_between_which_shares_of_all_rows_do_not_follow(here: Workspace) -> None:
    data = compared(here, "here/Shuffled", rows=800)
    held = data["structure"]["outliers"]
    assert held["looked"] == 800
    exact = binomtest(held["count"], 800).proportion_ci(0.95, "exact")
    assert (held["low"], held["high"]) == pytest.approx((exact.low, exact.high))
    assert held["low"] < SHUFFLED / N < held["high"]
    assert "of 800 sampled rows" in " ".join(data["warnings"])


def test_nothing_is_said_of_rows_where_spaces_are_others_or_all_follow(here: Workspace) -> None:
    for right in ("here/Again", "here/Rotated", "here/Half"):
        data = compared(here, right)
        assert data["structure"]["outliers"]["count"] == 0
        assert not [w for w in data["warnings"] if "follow" in w]
    assert "not_measured" in compared(here, "here/Cut")["structure"]["outliers"]


def test_half_precision_is_seldom_seen(here: Workspace) -> None:
    data = compared(here, "here/Half", queries=300)
    assert data["overlap_at_k"]["mean"] > 0.98
    assert data["noise"]["anchors"]["left"]["fp16"] > 0.98


def test_a_cut_space_lies_between_the_same_and_another_one(here: Workspace) -> None:
    same, cut, other = (
        compared(here, f"here/{name}")["overlap_at_k"]["mean"] for name in ("Again", "Cut", "One")
    )
    assert 0.05 < cut < same
    assert cut != other


def test_the_language_that_loses_is_named(here: Workspace) -> None:
    data = compared(here, "here/One", queries=300, cohorts=("language",))
    rows = data["cohorts"]["language"]
    assert rows[0]["value"] == "de"
    assert rows[0]["gap"]["low"] > 0
    assert all(r["gap"]["high"] < 0 for r in rows[1:])
    assert "language = de" in data["summary"]


def test_duplicates_agree_with_themselves(here: Workspace) -> None:
    assert compared(here, "here/Doubled", "here/Doubled", queries=200)["overlap_at_k"]["mean"] == 1.0


def test_only_rows_of_both_sides_count(here: Workspace) -> None:
    data = compared(here, "here/Few")
    assert data["matched"]["rows"] == N // 2
    assert data["matched"]["left"]["share"] == 0.5
    assert data["matched"]["right"]["share"] == 1.0
    assert data["overlap_at_k"]["mean"] == 1.0
    assert data["pool"] == {"rows": N // 2, "of": N // 2, "exact": True, "why": None, "without_vector": {"left": 0, "right": 0}}  # fmt: skip
    assert "50% of all rows are on both sides" in data["summary"]
    back = compared(here, "here/Base", "here/Few")
    assert back["overlap_at_k"]["mean"] == 1.0
    assert back["noise"]["right_index"]["mean"] == 1.0


def test_rows_are_matched_by_a_field_where_ids_differ(here: Workspace) -> None:
    with pytest.raises(PlumblineError, match="no row has the same id") as fault:
        compared(here, "here/Numbered")
    assert fault.value.code == "usage"
    assert "--match-on" in fault.value.hint
    data = compared(here, "here/Numbered", match_on="sku")
    assert data["matched"] == {
        "rows": N, "share": 1.0, "by": "sku", "left": {"rows": N, "share": 1.0},
        "right": {"rows": N, "share": 1.0}, "ambiguous": 0, "without_key": 0, "within_tenants": False,
    }  # fmt: skip
    assert data["overlap_at_k"]["mean"] == 1.0
    assert isinstance(data["changed"][0]["right"][0]["id"], int)
    ambiguous = pytest.raises(PlumblineError, match="once on each")
    with ambiguous:
        compared(here, "here/Numbered", match_on="language")


def test_filters_choose_the_rows_and_the_queries(here: Workspace) -> None:
    data = compared(
        here, "here/Rotated",
        filter=parse('{"equals": {"field": "kind", "value": "a"}}'),
        query_filter=parse('{"equals": {"field": "language", "value": "es"}}'),
        cohorts=("language", "kind"),
    )  # fmt: skip
    assert data["pool"]["rows"] == N // 2
    assert not data["pool"]["exact"]
    assert [r["value"] for r in data["cohorts"]["language"]] == ["es"]
    assert [r["value"] for r in data["cohorts"]["kind"]] == ["a"]
    shown = {int(IDS.index(h["id"])) for q in data["changed"] for h in q["left"]}
    assert all(i % 2 for i in shown)
    nobody = parse('{"equals": {"field": "kind", "value": "z"}}')
    with pytest.raises(PlumblineError, match="0 rows are left"):
        compared(here, "here/Again", filter=nobody)
    with pytest.raises(PlumblineError, match="No query is left"):
        compared(here, "here/Again", query_filter=nobody)


def test_a_sample_of_rows_says_what_it_is(here: Workspace) -> None:
    one, again, other = (compared(here, "here/Cut", rows=500, seed=s) for s in (1, 1, 2))
    assert one["pool"]["rows"] == 500
    assert "A random sample of 500 rows" in one["pool"]["why"]
    assert one["overlap_at_k"] == again["overlap_at_k"]
    assert [q["id"] for q in one["changed"]] != [q["id"] for q in other["changed"]]
    assert "not_measured" in one["noise"]["left_index"]


def test_figures_are_those_of_a_plain_script(here: Workspace) -> None:
    data = compared(here, "here/One", queries=80)
    rank = []
    for matrix in (BASE, SPACES["One"]):
        scores = matrix.astype(np.float64) @ matrix.T.astype(np.float64)
        np.fill_diagonal(scores, -9)
        rank.append(np.argsort(-scores, axis=1)[:, :10])
    expected = []
    for query in data["changed"]:
        i = IDS.index(query["id"])
        a, b = ({IDS[j] for j in r[i]} for r in rank)
        assert query["overlap"] == pytest.approx(len(a & b) / 10)
        assert set(query["lost"]) == a - b
        assert set(query["gained"]) == b - a
        assert [h["id"] for h in query["left"]] == [IDS[j] for j in rank[0][i]]
        expected.append(len(a & b) / 10)
    assert data["overlap_at_k"]["mean"] == pytest.approx(np.mean(expected))
    assert data["changed"] == sorted(data["changed"], key=lambda q: q["overlap"] if q["overlap"] else 0)


def test_the_servers_exact_search_gives_the_same_as_reading(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded engine answers exact searches as a server does; only a server is asked outside of tests."""
    where = parse('{"equals": {"field": "kind", "value": "a"}}')
    for more in ({}, {"filter": where}, {"match_on": "sku"}):
        right = "here/Numbered" if "match_on" in more else "here/One"
        by_reading = compared(here, right, queries=60, **more)
        with monkeypatch.context() as patch:
            patch.setattr(serverside, "worthwhile", lambda side, pool, queries: isinstance(side, Stored))
            by_server = compared(here, right, queries=60, **more)
        assert "server's own exact search" in " ".join(by_server["sides"]["right"]["notes"])
        for figure in ("overlap_at_k", "jaccard", "rank_biased_overlap", "top1"):
            assert by_server[figure] == pytest.approx(by_reading[figure], abs=1e-9), figure
        assert [(q["id"], q["lost"], q["gained"]) for q in by_server["changed"]] == [
            (q["id"], q["lost"], q["gained"]) for q in by_reading["changed"]
        ]


def test_a_server_is_asked_where_reading_costs_more(here: Workspace) -> None:
    from types import SimpleNamespace

    side = open_side(here, "left", "here/Base", [], tell=lambda _: None, cancelled=lambda: False)
    assert isinstance(side, Stored)
    assert not serverside.worthwhile(side, SimpleNamespace(__len__=lambda: N), 10)  # type: ignore[arg-type]
    remote = replace(side.opened.connector.spec, path=None, url="http://127.0.0.1:1")
    asked = SimpleNamespace(spec=remote, capabilities=lambda _: SimpleNamespace(exact_search=True))
    large = Stored("left", replace(side.opened, connector=asked), 2_000_000)  # type: ignore[arg-type]
    whole, part = range(2_000_000), range(500_000)
    assert serverside.worthwhile(large, whole, 50)  # type: ignore[arg-type]
    assert not serverside.worthwhile(large, part, 50)  # type: ignore[arg-type]
    assert not serverside.worthwhile(large, whole, 5_000)  # type: ignore[arg-type]
    huge = Stored("left", large.opened, 20_000_000)
    assert serverside.worthwhile(huge, range(20_000_000), 5_000)  # type: ignore[arg-type]


def test_a_cutoff_is_carried_over_where_the_space_is_the_same(here: Workspace) -> None:
    data = compared(here, "here/Again", queries=400, threshold=0.7)
    (one,) = data["thresholds"]["translations"]
    assert one["new"] == pytest.approx(0.7, abs=0.01)
    assert one["agreement"]["jaccard"] == 1.0
    assert one["verdict"] == "translated"
    assert "what nonsense finds" in [h["what"] for h in data["not_measured"]]


def test_progress_is_told_and_the_end_can_be_asked_for(here: Workspace) -> None:
    said: list[Progress] = []
    compare(here, CompareRequest("here/Base", "here/Cut", queries=20), tell=said.append)
    assert any(p.phase == "Reading the left side" and p.done == N for p in said)
    with pytest.raises(Cancelled):
        compare(here, CompareRequest("here/Base", "here/Cut"), cancelled=lambda: len(said) > 0)


def test_it_is_kept_and_comes_back_the_same(here: Workspace) -> None:
    made = compare(here, CompareRequest("here/Base", "here/One", queries=40))
    rooms = Comparisons.open(here)
    assert rooms.save(made) == made.id
    assert rooms.get(made.id) == json.loads(json.dumps(made.data))
    arrays = rooms.arrays(made.id)
    assert arrays["map_left"].shape == arrays["map_right"].shape == (len(arrays["map_ids"]), 2)
    assert {"map_field:language"} <= arrays.keys()
    assert CompareRequest.from_json(rooms.get(made.id)["request"]) == CompareRequest(
        "here/Base", "here/One", queries=40
    )
    (head, *_) = rooms.list(5)
    assert head["overlap"] == made.data["overlap_at_k"]["mean"]


def test_every_form_holds_the_sentence_and_no_live_text(here: Workspace) -> None:
    data = dict(compared(here, "here/One", queries=40, threshold=0.7))
    data["changed"] = [{**data["changed"][0], "query": "<img src=x onerror=alert(1)> [a](http://b) \x1b[31m"}]
    page, text, table = render.to_html(data), render.to_markdown(data), "\n".join(render.to_table(data, 90))
    assert "<img" not in page
    assert "](http" not in text
    assert "\x1b" not in table + page + text
    for shown in (page, table):
        assert "of the 10 nearest rows stay the same" in shown
    assert json.loads(render.to_json(data))["id"] == data["id"]
    assert all(len(line) <= 90 or " " not in line.strip() for line in table.splitlines())


def test_sides_that_can_not_be_compared_say_why(here: Workspace) -> None:
    for left, right, code in (
        ("here/Base", "here/Nothing", "not-found"),
        ("here/Base", "encoder:nobody", "encoder-unknown"),
        ("encoder:a", "encoder:b", "usage"),
        ("here/Base", "encoder:", "usage"),
        ("nowhere/Base", "here/Base", "not-found"),
    ):
        with pytest.raises(PlumblineError) as fault:
            compared(here, right, left)
        assert fault.value.code == code, (left, right)
    with pytest.raises(PlumblineError, match=r"[Ww]hich encoder") as fault:
        compared(here, "here/Again", texts=("a red circle",))
    assert fault.value.code == "encoder-unknown"


def test_rows_without_a_direction_are_told(here: Workspace) -> None:
    connector = here.connector("here")
    held = BASE[:300].copy()
    held[:7] = 0
    filled(connector, "Zero", held)
    data = compared(here, "here/Zero", queries=300)
    assert any(
        "7 of the pool's rows have no vector with a direction on the right side" in w
        for w in data["warnings"]
    )
    assert data["query_source"]["dropped"] == [
        {"why": "the row has no vector with a direction on both sides", "queries": 7}
    ]
    connector.drop("Zero")


@pytest.mark.weaviate
def test_the_same_vectors_on_two_databases_agree_exactly(here: Workspace, tmp_path: Path) -> None:
    from tests.weaviate_server import start_weaviate

    with start_weaviate() as server:
        spec = replace(server.spec("there"), name="there")
        connector = connect(spec)
        # Weaviate keeps lengths, Qdrant brings cosine vectors to length 1; 30% are there more than once.
        lengths = np.random.default_rng(4).uniform(0.2, 9, (N, 1)).astype(np.float32)
        filled(connector, "There", DOUBLED * lengths)
        filled(connector, "Squared", BASE, "euclid")
        both = Settings(home=tmp_path, connections={**here.settings.connections, "there": spec})
        with Workspace(both) as ws:
            for left, right in (("here/Doubled", "there/There"), ("there/There", "here/Doubled")):
                data = compared(
                    ws, right, left, queries=300, threshold=0.7 if left == "here/Doubled" else 0.3
                )
                assert data["overlap_at_k"]["mean"] == 1.0, left
                assert data["rank_biased_overlap"]["mean"] == 1.0
                assert data["noise"]["right_index"]["mean"] > 0.97
                (one,) = data["thresholds"]["translations"]
                assert one["new"] == pytest.approx(1 - one["old"], abs=0.01)
            assert data["sides"]["left"]["score_kind"] == "distance"
            assert data["scores"]["left"]["quantiles"]["top1"]["50"] == pytest.approx(
                1 - data["scores"]["right"]["quantiles"]["top1"]["50"], abs=1e-3
            )
            squared = compared(ws, "there/Squared", queries=100)
            assert squared["overlap_at_k"]["mean"] == pytest.approx(1.0, abs=2e-3)
        connector.close()


def test_a_golden_set_may_name_the_new_sides_rows(here: Workspace) -> None:
    from console.search import golden
    from console.search.golden import GoldenQuery

    def filled(draft: golden.GoldenSet) -> golden.GoldenSet:
        for i in range(40):
            draft = golden.with_query(draft, GoldenQuery(f"q{i}", row=N + i))
            draft = golden.judged(draft, f"q{i}", str(N + 100 + i), 1)
        return draft

    golden.edit(here, "numbered", filled)
    data = compared(here, "here/Numbered", golden="numbered@draft", match_on="sku", cohorts=("language",))
    assert (data["queries"], data["query_source"]["dropped"]) == (40, [])
    assert {q["id"] for q in data["changed"]} == set(IDS[:40])
    assert data["quality"]["judged_outside_the_pool"] == 0
    # The query's row says its language, which the golden set does not.
    assert any(h["what"] == "cohorts by language" and "de (1" in h["why"] for h in data["not_measured"])


def test_a_server_whose_lists_end_among_ties_is_not_trusted_with_them(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = here.connector("here")
    held = BASE[:600].copy()
    held[300:] = held[0]
    filled(connector, "Tied", held)
    monkeypatch.setattr(serverside, "worthwhile", lambda side, pool, queries: isinstance(side, Stored))
    data = compared(here, "here/Tied", "here/Tied")
    assert data["overlap_at_k"]["mean"] == 1.0
    assert "server's own" not in " ".join(data["sides"]["right"]["notes"])
    connector.drop("Tied")
