"""The page Golden without a browser: sets, queries, judgements, versions, evaluations, and who may change them."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from connectors import filters
from connectors.errors import PlumblineError
from connectors.model import PayloadField
from console.cli import main
from console.jobs.model import Kind, Run
from console.search import HitRow, QueryRequest, golden
from console.search.golden import GoldenQuery
from console.search.golden.formats import Form
from console.settings import Address
from console.store import Store
from console.store.evaluations import Evaluations
from console.ui import (
    actions,
    golden_actions,
    golden_files,
    golden_pool,
    golden_queries,
    golden_results,
    golden_store,
    golden_thumbs,
    serving,
    session,
)
from console.ui.golden_cards import Judged
from tests.ui.evaluation_data import evaluation
from tests.ui.pretend import Held, Pretend

App = Callable[..., AppTest]
Open = Callable[..., dict[str, Pretend]]
A = "alive/things#clip"


def texts(test: AppTest) -> str:
    kinds = (test.text, test.markdown, test.caption, test.code, test.header, test.subheader)
    return "\n".join(str(e.value) for kind in kinds for e in kind)


def settled(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception
    assert "could not be drawn" not in texts(test)
    return test


class Pretended:
    """Runs without processes."""

    def __init__(self) -> None:
        self.held: dict[str, Run] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def start(self, kind: Kind, key: str, options: dict[str, Any]) -> str:
        self.asked.append((kind, key, options))
        name = f"20261121T00000{len(self.held)}-00000000"
        now = time.time()
        self.held[name] = Run(name, key, options, "running", now, heartbeat=now, kind=kind)
        return name

    def progress(self, run: str) -> Run:
        return self.held[run]

    def latest_of(self, kind: str, key: str) -> Run | None:
        return next((r for r in reversed(self.held.values()) if (r.kind, r.address) == (kind, key)), None)

    def cancel(self, run: str) -> None:
        self.held[run] = replace(self.held[run], state="cancelled", ended=time.time())


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    made = Pretended()
    monkeypatch.setattr(actions, "runs", lambda: made)
    yield made
    Store.open(session.workspace()).close()


@pytest.fixture
def things(pretend: Open, runs: Pretended) -> Pretend:
    made = pretend("alive")["alive"]
    rows = [(i, [1.0, i / 10, 0.0, 0.0], {"caption": f"thing {i}", "sku": f"s{i}"}) for i in range(8)]
    made.held["things"] = Held(rows)
    made.held["things-old"] = Held(rows[::-1])
    return made


@pytest.fixture
def shop(things: Pretend) -> Pretend:
    """A draft of two queries: one judged by rows and a rule, one with smoke items."""

    def filled(draft: golden.GoldenSet) -> golden.GoldenSet:
        draft = golden.with_query(draft, GoldenQuery("q1", text="a red circle", cohort={"language": "en"}))
        draft = golden.with_query(draft, GoldenQuery("q2", row=3, must=("4",), must_not=("0",)))
        draft = golden.judged(draft, "q1", "1", 2)
        draft = golden.judged(draft, "q1", "2", 0)
        return golden.with_rule(draft, "q1", filters.Equals("caption", "thing 5"), 1)

    golden.edit(session.workspace(), "shop", filled)
    return things


def draft(name: str = "shop") -> golden.GoldenSet:
    return golden.find(session.workspace(), f"{name}@draft")


def test_without_a_set_it_says_what_would_be_here_and_searches_nothing(app: App, things: Pretend) -> None:
    test = settled(app("golden"))
    assert "No golden set yet" in texts(test)
    assert "plumbline golden import" in texts(test)
    assert not {"scan", "sample", "search", "fetch", "facet", "count"} & set(things.calls)
    assert test.button(key="golden.evaluate").disabled


def test_a_set_is_made_and_a_query_added_by_hand(app: App, things: Pretend) -> None:
    test = settled(app("golden"))
    test.text_input(key="g.new").set_value("shop").run()
    test.text_input(key="g.new_field").set_value("sku").run()
    test.button(key="golden.create").click().run()
    assert not test.exception
    assert draft().key_field == "sku"
    assert test.query_params["set"] == ["shop"] or test.query_params["set"] == "shop"
    assert "No query yet" in texts(test)
    test.text_input(key="g.text.0").set_value("a red circle").run()
    test.text_input(key="g.cohort.0").set_value("language = en, kind = shape").run()
    test.button(key="golden.add").click().run()
    assert not test.exception
    (query,) = draft().queries
    assert (query.text, dict(query.cohort)) == ("a red circle", {"language": "en", "kind": "shape"})
    assert "No row is judged for this query yet." in texts(test)


def test_a_name_that_is_taken_or_wrong_is_said_and_nothing_changes(app: App, shop: Pretend) -> None:
    test = settled(app("golden"))
    for name, said in (
        ("shop", "There is a golden set of this name already."),
        ("a b", "no name of a golden set"),
    ):
        test.text_input(key="g.new").set_value(name).run()
        test.button(key="golden.create").click().run()
        assert not test.exception
        assert said in texts(test)
    assert [h["name"] for h in golden.heads(session.workspace())] == ["shop"]


def test_queries_are_listed_and_the_open_one_shows_its_judgements_rules_and_smoke_items(
    app: App, shop: Pretend
) -> None:
    test = settled(app("golden", set="shop", q="q1", a=A))
    said = texts(test)
    assert "2 queries, 2 judgements, 1 rule" in said
    table = test.dataframe[0].value
    assert list(table["Query"]) == ["a red circle", "row 3"]
    assert list(table["Judged"]) == [2, 0]
    assert list(table["Relevant"]) == [1, 0]
    assert list(table["language"]) == ["en", ""]
    assert "2 rows are judged, 1 of them relevant." in said
    assert '{"equals": {"field": "caption", "value": "thing 5"}}' in said
    assert not {"scan", "sample", "search"} & set(shop.calls)


def test_a_rule_is_added_with_the_filter_builder_and_taken_away(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", q="q2", a=A))
    test.toggle(key="g.rule.as_json").set_value(True).run()
    test.text_area(key="g.rule.json").set_value('{"equals": {"field": "shape", "value": "circle"}}').run()
    test.number_input(key="g.rule.grade").set_value(2).run()
    test.button(key="golden.add_rule").click().run()
    assert not test.exception
    own = [r for r in draft().rules if r.query == "q2"]
    assert [(r.where, r.grade) for r in own] == [(filters.Equals("shape", "circle"), 2)]
    test.button(key="golden.no_rule.0").click().run()
    assert not [r for r in draft().rules if r.query == "q2"]


def test_smoke_items_are_kept_and_a_contradiction_is_refused(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", q="q2", a=A))
    must, must_not = test.text_area[-2:]
    assert (must.value, must_not.value) == ("4", "0")
    must.set_value("4\n5").run()
    test.button(key="golden.smoke").click().run()
    assert draft().query("q2").must == ("4", "5")  # type: ignore[union-attr]
    test.text_area[-1].set_value("5").run()
    test.button(key="golden.smoke").click().run()
    assert "must and must not be found" in texts(test)
    assert draft().query("q2").must_not == ("0",)  # type: ignore[union-attr]


def test_a_version_is_frozen_shown_and_never_written(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", part="files", a=A))
    test.button(key="golden.freeze").click().run()
    assert not test.exception
    assert test.selectbox(key="g.version").value == "Version 1"
    assert test.button(key="golden.freeze").disabled
    assert "The draft is as version 1." in texts(test)
    golden_actions.judge("shop", "q1", "7", 1)
    again = settled(app("golden", set="shop", v="1", q="q1", a=A))
    assert "2 rows are judged" in texts(again)
    with pytest.raises(KeyError):
        again.button(key="golden.add")


def test_a_draft_that_was_changed_meanwhile_is_not_frozen_unseen(shop: Pretend) -> None:
    before = golden.heads(session.workspace(), "shop")[0]["hash"]
    golden_actions.judge("shop", "q1", "7", 1)
    with pytest.raises(PlumblineError) as fault:
        golden_actions.freeze("shop", before)
    assert fault.value.code == "changed"


def test_a_set_is_removed_only_by_its_name(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", part="files", a=A))
    test.button(key="golden.remove").click().run()
    assert "Nothing was removed: type shop above." in texts(test)
    assert golden.heads(session.workspace())
    test.text_input(key="g.remove.shop").set_value("shop").run()
    test.button(key="golden.remove").click().run()
    assert not test.exception
    assert "No golden set yet" in texts(test)
    assert not golden.heads(session.workspace())


def test_who_reaches_the_console_from_elsewhere_changes_nothing(
    app: App, shop: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.SERVING, "host", "0.0.0.0")
    for part in ("queries", "files", "blind"):
        test = settled(app("golden", set="shop", part=part, q="q1", a=A, b="alive/things-old#clip"))
        for button in test.button:
            if button.key in (
                "golden.evaluate",
                "golden.add",
                "golden.create",
                "golden.freeze",
                "golden.remove",
                "golden.remove_query",
            ):
                assert button.disabled, button.key
    query = GoldenQuery("q9", text="x")
    for act in (
        lambda: golden_actions.judge("shop", "q1", "7", 1),
        lambda: golden_actions.create("other", None),
        lambda: golden_actions.add_query("shop", query),
        lambda: golden_actions.remove_query("shop", "q1"),
        lambda: golden_actions.add_rule("shop", "q1", filters.Exists("a"), 1),
        lambda: golden_actions.remove_rule("shop", "q1", filters.Exists("a")),
        lambda: golden_actions.freeze("shop", "x"),
        lambda: golden_actions.remove("shop"),
        lambda: golden_actions.cancel("x"),
        lambda: golden_actions.evaluate("x", {"golden": "shop", "address": A}),
        lambda: golden_actions.take_in("shop", draft(), {}, True),
    ):
        with pytest.raises(PlumblineError) as fault:
            act()
        assert fault.value.code == "read-only"


def test_evaluating_starts_a_run_that_is_shown_and_can_be_cancelled(
    app: App, shop: Pretend, runs: Pretended
) -> None:
    test = settled(app("golden", set="shop", a=A, b="alive/things-old#clip"))
    test.button(key="golden.evaluate").click().run()
    assert not test.exception
    ((kind, _, options),) = runs.asked
    assert kind == "evaluate"
    assert options == {"golden": "shop@draft", "address": A, "k": 10, "against": "alive/things-old#clip"}
    assert "Evaluating" in texts(test)
    assert test.button(key="golden.evaluate").disabled
    other = settled(app("golden", set="shop", part="evaluation", a=A, b="alive/things-old#clip"))
    other.button(key="golden.cancel").click().run()
    assert "The last evaluation was cancelled" in texts(settled(test))


def kept(number: int, against: str | None, **changes: Any) -> str:
    """A stored evaluation of `A`, a minute younger with each number."""
    made = evaluation(id=f"e0000000000{number}", at=f"2026-11-21T04:0{number}:00+00:00", **changes)
    made["against"] = None if against is None else {**made["against"], "address": against}
    return Evaluations.open(session.workspace()).save(made)


def test_an_evaluation_is_shown_that_was_held_against_what_is_chosen_else_that_is_said(
    app: App, shop: Pretend
) -> None:
    old, other = "alive/things-old#clip", "alive/other#clip"
    for number, against in enumerate((None, old, other), 1):
        kept(number, against)

    def look(**params: str) -> str:
        return texts(settled(app("golden", set="shop", part="evaluation", a=A, **params)))

    said = look(b=old)
    assert "held against alive/things-old" in said
    assert "Not evaluated against" not in said
    said = look(b="alive/empty#clip")
    assert (
        "Not evaluated against alive/empty#clip yet: what stands below was held against alive/other#clip."
        in said
    )
    assert "It is of what the set said then, not of what the draft says." in said
    assert "It is of the first 10 hits, not of 20." in look(b=old, k="20")
    test = settled(app("golden", set="shop", part="evaluation", a=A, b=old))
    table = next(d.value for d in test.dataframe if "Held against" in d.value and "At" in d.value)
    assert list(table["Held against"]) == ["alive/other#clip", "alive/things-old#clip", "nothing"]
    assert list(table["Shown"]) == ["", "this one", ""]


def test_an_evaluation_of_another_collection_or_set_that_a_link_opens_is_said(
    app: App, shop: Pretend
) -> None:
    name = kept(1, None, golden="fair", address="alive/other#clip")
    said = texts(settled(app("golden", set="shop", part="evaluation", a=A, evaluation=name)))
    assert "It is of the golden set fair." in said
    assert "It is of alive/other#clip, not of alive/things#clip." in said


def test_the_button_evaluates_what_the_page_chooses_when_it_is_pressed(
    app: App, shop: Pretend, runs: Pretended
) -> None:
    test = settled(app("golden", set="shop", part="evaluation", a=A))
    test.number_input(key="g.k").set_value(25)
    test.selectbox(key="g.b").set_value("alive/things-old#clip")
    test.button(key="golden.evaluate").click().run()
    assert not test.exception
    ((_, _, options),) = runs.asked
    assert options == {"golden": "shop@draft", "address": A, "k": 25, "against": "alive/things-old#clip"}
    again = settled(app("golden", set="shop", part="evaluation", a=A, k="25"))
    assert again.number_input(key="g.k").value == 25


def test_a_set_is_removed_by_a_click_that_comes_with_the_typing(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", part="files", a=A))
    test.text_input(key="g.remove.shop").set_value("shop")
    test.button(key="golden.remove").click().run()
    assert not test.exception
    assert not golden.heads(session.workspace())


def test_how_large_recall_can_be_is_said_where_there_are_more_relevant_rows_than_hits(
    app: App, shop: Pretend
) -> None:
    held = evaluation()["per_query"][0]
    rows = [{**held, "query": f"q{n}", "relevant": many} for n, many in enumerate((4, 40))]
    assert golden_results._capped({"k": 10, "per_query": rows}) == [
        "Recall@10 can't be above 0.625 here: 1 of 2 queries have more than 10 relevant rows, up to 40."
    ]
    assert golden_results._capped({"k": 10, "per_query": rows[:1]}) == []
    assert golden_results._capped({"k": 10}) == []


def test_the_newest_evaluation_is_shown_with_intervals_and_hostile_texts_stay_cells(
    app: App, shop: Pretend
) -> None:
    Evaluations.open(session.workspace()).save(evaluation())
    test = settled(app("golden", set="shop", part="evaluation", a=A))
    said = texts(test)
    assert "nDCG@10 0.600" in said
    assert "+0.100 (+0.020 to +0.200) on 1 query, p 0.010" in said
    assert "Better" in said
    assert "Smoke items: 0 of 1 pass" in said
    shown = {m.label: (m.value, m.delta) for m in test.metric}
    assert shown["Not judged"] == ("3", "of 10 results")
    assert shown["nDCG@10"] == ("0.600", "0.550 to 0.650")
    marked_up = [*test.markdown, *test.caption, *test.header, *test.subheader]
    assert not any("evil.example" in str(e.value) for e in marked_up)
    assert not {"scan", "sample", "search", "fetch"} & set(shop.calls)


def test_blind_judging_hides_the_systems_until_every_row_has_a_grade(app: App, shop: Pretend) -> None:
    def look() -> str:
        return texts(settled(app("golden", set="shop", part="blind", q="q2", a=A, b="alive/things-old#clip")))

    said = look()
    assert "7 rows have no grade yet" in said
    assert "alive/things" not in said
    assert "System A" in said
    for key in ("0", "1", "2", "4", "5", "6", "7"):
        golden_actions.judge("shop", "q2", key, int(key in "45"))
    said = look()
    assert "System A is alive/things" in said
    assert "2 of its 7 rows relevant" in said


def test_which_system_stands_left_is_by_chance_and_the_same_for_one_query(shop: Pretend) -> None:
    addresses = (Address("a", "b"), Address("a", "c"))
    sides = {q: golden_pool.turned("shop", q, addresses) for q in map(str, range(64))}
    assert {True, False} == set(sides.values())
    assert sides == {q: golden_pool.turned("shop", q, addresses) for q in sides}


def test_a_thumb_is_a_judgement_in_the_draft_and_the_same_again_takes_it_back(
    shop: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console import search

    monkeypatch.setattr(golden_thumbs.st, "session_state", {"golden.chosen": "shop"})
    request = QueryRequest((Address("alive", "things", vector="clip"),), row=search.RowPart(3))
    hit = search.run(session.workspace(), request).hits[1]
    for act, expected in (("up", 1), ("up", None), ("down", 0), ("up", 1)):
        thumbs = golden_thumbs.of(request)
        assert thumbs is not None
        golden_thumbs.judge(thumbs, hit, act)  # type: ignore[arg-type]
        assert draft().grades("q2").get(str(hit.id)) == expected
    assert [q.id for q in draft().queries] == ["q1", "q2"], "the set asks for what is like row 3 already"


def test_a_bare_vector_has_no_thumbs(shop: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden_thumbs.st, "session_state", {"golden.chosen": "shop"})
    assert golden_thumbs.of(QueryRequest((Address("alive", "things"),), vector=(1.0, 0.0, 0.0, 0.0))) is None


@pytest.mark.parametrize(
    ("text", "made"),
    [("", {}), ("language = de", {"language": "de"}), ("a=1, b = x y ", {"a": "1", "b": "x y"})],
)
def test_what_a_query_is_counted_under_is_read(text: str, made: dict[str, str]) -> None:
    assert golden_queries.cohorts(text) == made


@pytest.mark.parametrize("text", ["language", "= de", "a = "])
def test_a_cohort_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(PlumblineError) as fault:
        golden_queries.cohorts(text)
    assert fault.value.code == "usage"


@pytest.mark.parametrize(
    "params",
    [
        {"set": "a b"},
        {"v": "0"},
        {"part": "x"},
        {"a": "nowhere"},
        {"evaluation": "../x"},
        {"k": "0"},
        {"k": "x"},
    ],
)
def test_a_link_that_can_t_be_followed_is_said(app: App, shop: Pretend, params: dict[str, str]) -> None:
    assert "The link can't be followed" in texts(settled(app("golden", **params)))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"set": "nosuch"}, ("There is no golden set nosuch.", "There are: shop.", "Shown instead: shop.")),
        ({"v": "99"}, ("shop has no version 99.", "It has: draft.", "Shown instead: draft.")),
        ({"q": "nosuch"}, ("There is no query nosuch in the draft of shop.",)),
        ({"evaluation": "e9999", "part": "evaluation"}, ("There is no such evaluation.", "Shown instead")),
    ],
)
def test_what_a_link_names_and_is_not_there_is_said_until_something_else_is_looked_at(
    app: App, shop: Pretend, params: dict[str, str], said: tuple[str, ...]
) -> None:
    test = settled(app("golden", **{"set": "shop", "a": A, **params}))
    name = next(iter(params))
    for _ in range(2):
        assert all(part in texts(test) for part in said)
        assert name not in test.query_params or name == "set"
        settled(test)
    assert test.query_params["set"] in ("shop", ["shop"])
    test.radio(key="g.part").set_value("Versions and files").run()
    assert said[0] not in texts(test)


def test_names_in_a_link_that_mean_nothing_here_are_said(app: App, shop: Pretend) -> None:
    said = texts(settled(app("golden", set="shop", versoin="2")))
    assert "they were left out: versoin." in said


def test_a_set_that_thumbs_are_to_make_is_no_fault_of_a_link(app: App, shop: Pretend) -> None:
    test = app("golden")
    test.session_state["golden.chosen"] = "not-made-yet"
    assert "There is no golden set" not in texts(settled(test))


@pytest.mark.parametrize("form", ["csv", "jsonl", "trec", "beir"])
def test_what_was_exported_is_imported_again(app: App, shop: Pretend, form: Any) -> None:
    head = golden.heads(session.workspace(), "shop")[0]
    made = golden_files._made(0, "shop", None, str(head["hash"]), form)
    loaded = golden_files.read({made.name: made.data}, "again", None)
    assert loaded.golden.queries[0].text == "a red circle"
    assert loaded.golden.grades("q1") == {"1": 2, "2": 0}
    if form in ("csv", "jsonl"):
        assert set(loaded.golden.rules) == set(draft().rules)
        assert loaded.golden.query("q2") == draft().query("q2")
        assert not made.said
    else:
        assert made.said


def test_a_file_is_taken_into_the_draft_and_what_came_of_it_is_said(app: App, things: Pretend) -> None:
    test = settled(app("golden"))
    test.text_input(key="g.import_name").set_value("shop").run()
    data = b"query,text,key,grade\nq1,a red circle,1,2\nq1,a red circle,2,0\n"
    test.file_uploader(key="g.files.0").upload("shop.csv", data, "text/csv").run()
    test.button(key="golden.import").click().run()
    assert not test.exception
    assert "1 query and 2 judgements were read; the draft now has 1 query." in texts(test)
    assert draft().grades("q1") == {"1": 2, "2": 0}


def test_a_file_that_can_t_be_read_names_its_line_and_not_this_machine_s_folders(
    app: App, shop: Pretend
) -> None:
    before = draft()
    test = settled(app("golden", set="shop", part="files"))
    data = b"query,text,key,grade\nq1,a red circle,1,2\nq9,x,not an id,2\n"
    test.file_uploader(key="g.files.0").upload("shop.csv", data, "text/csv").run()
    test.button(key="golden.import").click().run()
    assert not test.exception
    assert "Nothing was imported" in texts(test)
    assert "usage  shop.csv, line 3" in texts(test)
    assert draft() == before


def test_a_zip_that_leads_elsewhere_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("../queries.jsonl", "{}")
    with pytest.raises(PlumblineError) as fault:
        golden_files.read({"x.zip": out.getvalue()}, "shop", None)
    assert "outside" in fault.value.message
    with pytest.raises(PlumblineError) as fault:
        golden_files.read({"x.zip": b"not a zip"}, "shop", None)
    assert fault.value.code == "damaged"


def test_a_query_that_is_there_is_not_written_over_by_adding_it(app: App, shop: Pretend) -> None:
    before = draft()
    test = settled(app("golden", set="shop", a=A))
    test.text_input(key="g.text.0").set_value("a red circle").run()
    test.text_input(key="g.cohort.0").set_value("language = de").run()
    test.button(key="golden.add").click().run()
    assert not test.exception
    assert "The golden set asks this already." in texts(test)
    assert draft() == before


def test_smoke_items_of_a_stale_page_undo_nothing_that_a_colleague_did(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", q="q2", a=A))
    test.text_area[-2].set_value("4\n6").run()

    def changed(held: golden.GoldenSet) -> golden.GoldenSet:
        queries = tuple(replace(q, cohort={"by": "ann"}) if q.id == "q2" else q for q in held.queries)
        return held.but(queries=queries)

    golden.edit(session.workspace(), "shop", changed)
    test.button(key="golden.smoke").click().run()
    assert not test.exception
    held = draft().query("q2")
    assert held is not None
    assert (held.must, held.must_not, dict(held.cohort)) == (("4", "6"), ("0",), {"by": "ann"})


def test_a_stale_page_does_not_bring_a_removed_query_back(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", q="q2", a=A))
    test.button(key="golden.search").click().run()
    name, query, keys = test.session_state["golden.results.drawn"]
    golden_actions.remove_query("shop", "q2")
    with pytest.raises(PlumblineError) as fault:
        golden_actions.judge(name, query, next(iter(keys)), 1)
    assert fault.value.code == "not-found"
    test.button(key="golden.smoke").click().run()
    assert "There is no such query." in texts(test)
    assert [q.id for q in draft().queries] == ["q1"]


def test_a_thumb_finds_an_imported_query_by_what_it_asks(
    shop: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden_thumbs.st, "session_state", {"golden.chosen": "shop"})
    thumbs = golden_thumbs.of(QueryRequest((Address("alive", "things", vector="clip"),), text="a red circle"))
    assert thumbs is not None
    assert thumbs.grades == {"1": 2, "2": 0}
    golden_actions.judge("shop", thumbs.query, "5", 1)
    assert draft().grades("q1") == {"1": 2, "2": 0, "5": 1}
    assert len(draft().queries) == 2


def test_a_thumb_that_is_taken_back_twice_is_no_error(shop: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second click comes from a page that was drawn before the first one."""
    state: dict[str, Any] = {"golden.chosen": "shop"}
    monkeypatch.setattr(golden_thumbs.st, "session_state", state)
    where = Address("alive", "things", vector="clip")
    thumbs = golden_thumbs.of(QueryRequest((where,), text="a red circle"))
    assert thumbs is not None
    for _ in range(2):
        golden_thumbs.judge(thumbs, HitRow(1, 1, where, 0.5, "similarity", {}), "up")
        assert draft().grades("q1") == {"2": 0}
        assert list(state) == ["golden.chosen"]
    golden_actions.judge("shop", "q1", "1", None)
    assert draft().grades("q1") == {"2": 0}


def test_taking_a_grade_back_brings_nothing_back_that_a_colleague_removed(shop: Pretend) -> None:
    query = GoldenQuery("q1", text="a red circle")
    golden_actions.remove_query("shop", "q1")
    for asked in (query, "q1"):
        with pytest.raises(PlumblineError) as fault:
            golden_actions.judge("shop", asked, "1", None)
        assert fault.value.code == "not-found"
    assert [q.id for q in draft().queries] == ["q2"]
    golden_actions.remove("shop")
    with pytest.raises(PlumblineError, match="There is no golden set `shop`"):
        golden_actions.judge("shop", query, "1", None)
    assert golden.heads(session.workspace()) == []


def test_a_system_that_fails_is_not_named_before_everything_is_judged(app: App, shop: Pretend) -> None:
    del shop.held["things-old"]

    def look() -> AppTest:
        return settled(app("golden", set="shop", part="blind", q="q2", a=A, b="alive/things-old#clip"))

    said = texts(look())
    assert "One of the two systems could not answer" in said
    assert "things-old" not in said
    for key in ("0", "1", "2", "4", "5", "6", "7"):
        golden_actions.judge("shop", "q2", key, 1)
    said = texts(look())
    assert "is alive/things-old#clip: it could not answer." in said
    assert "There is no such collection." in said


def test_a_query_that_rules_judge_is_offered_to_nobody(app: App, shop: Pretend) -> None:
    said = texts(settled(app("golden", set="shop", part="blind", q="q1", a=A, b="alive/things-old#clip")))
    assert "Rules judge a red circle completely" in said
    assert "Query 1 of 1" in said
    golden_actions.add_rule("shop", "q2", filters.Exists("caption"), 1)
    said = texts(settled(app("golden", set="shop", part="blind", q="q2", a=A, b="alive/things-old#clip")))
    assert "Rules judge every query" in said


def _zip(files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_that_was_cut_or_altered_is_damaged_whatever_packed_it(how: int) -> None:
    whole = _zip({"set/queries.jsonl": b'{"_id": "q", "text": "red"}\n' + b"\n" * 4_000}, how)
    assert golden_files.read({"x.zip": whole}, "shop", None).golden.queries
    for place in range(0, len(whole), 7):
        broken = bytes([*whole[:place], whole[place] ^ 0xFF, *whole[place + 1 :]])
        for data in (broken, whole[:place]):
            with contextlib.suppress(PlumblineError):
                golden_files.read({"x.zip": data}, "shop", None)


def test_a_zip_of_two_data_sets_is_refused_and_names_them() -> None:
    query = b'{"_id": "q", "text": "red"}\n'
    data = _zip({"one/queries.jsonl": query, "two/deeper/queries.jsonl": query})
    with pytest.raises(PlumblineError) as fault:
        golden_files.read({"x.zip": data}, "shop", None)
    assert fault.value.code == "usage"
    assert "one/queries.jsonl" in fault.value.message
    assert "two/deeper/queries.jsonl" in fault.value.message


def test_a_zip_is_taken_for_what_is_in_it() -> None:
    trec = {"deep/er.txt": b"1 0 7 1\n", "asked.txt": b"1\tred circle\n"}
    forms: tuple[Form | None, ...] = (None, "trec")
    for form in forms:
        loaded = golden_files.read({"x.zip": _zip(trec)}, "shop", form)
        assert [(q.text, loaded.golden.grades(q.id)) for q in loaded.golden.queries] == [
            ("red circle", {"7": 1})
        ]
    refused: tuple[tuple[dict[str, bytes], Form | None, str], ...] = (
        ({"a.txt": b"1 0 7 1\n"}, None, "neither queries.jsonl of BEIR nor qrels with topics of TREC"),
        (trec, "beir", "holds no queries.jsonl of BEIR"),
        ({"queries.jsonl": b'{"_id": "q", "text": "red"}\n'}, "trec", "holds no qrels with topics"),
    )
    for files, form, said in refused:
        with pytest.raises(PlumblineError) as fault:
            golden_files.read({"x.zip": _zip(files)}, "shop", form)
        assert (fault.value.code, fault.value.where) == ("usage", "x.zip")
        assert said in fault.value.message


def test_qrels_with_grades_as_fractions_are_told_from_their_topics() -> None:
    given = {"a.txt": b"1 0 7 1.0\n", "b.txt": b"1\tred circle\n"}
    loaded = golden_files.read(given, "shop", None)
    assert [(q.text, loaded.golden.grades(q.id)) for q in loaded.golden.queries] == [("red circle", {"7": 1})]


def test_qrels_that_begin_with_a_blank_line_are_told_from_their_topics() -> None:
    given = {"a.txt": "\ufeff\n\n1 0 7 1\n".encode(), "b.txt": b"\n1\tred circle\n"}
    loaded = golden_files.read(given, "shop", None)
    assert [(q.text, loaded.golden.grades(q.id)) for q in loaded.golden.queries] == [("red circle", {"7": 1})]


def test_a_file_that_calls_another_thing_a_picture_is_refused_by_its_line() -> None:
    with pytest.raises(PlumblineError) as fault:
        golden_files.read({"set.jsonl": b'{"text": "a"}\n{"image": "set.jsonl"}\n'}, "shop", None)
    assert (fault.value.code, fault.value.where) == ("image-refused", "set.jsonl, line 2")


def test_a_note_that_was_changed_is_shown_and_exported(app: App, shop: Pretend) -> None:
    golden.put(session.workspace(), draft().but(note="the first note"))
    head = golden.heads(session.workspace(), "shop")[0]
    assert golden_store.golden(head).note == "the first note"
    time.sleep(0.005)
    golden.put(session.workspace(), draft().but(note="the second note"))
    head = golden.heads(session.workspace(), "shop")[0]
    assert golden_store.golden(head).note == "the second note"
    made = golden_files._made(0, "shop", None, golden_store.written(head), "jsonl")
    assert b"the second note" in made.data


def test_the_next_version_of_a_name_that_was_removed_is_named_as_it_will_be(app: App, shop: Pretend) -> None:
    golden_actions.freeze("shop", str(golden.heads(session.workspace(), "shop")[0]["hash"]))
    golden_actions.remove("shop")
    golden_actions.add_query("shop", GoldenQuery("q", text="blue"))
    test = settled(app("golden", set="shop", part="files", a=A))
    assert test.button(key="golden.freeze").label == "Freeze the draft as version 2"


def test_an_evaluation_says_where_it_measured_nothing_and_what_missed(app: App, shop: Pretend) -> None:
    parts = {
        "text": {"queries": 1, "missed": 1, "in_fusions": {"queries": 3, "missed": 2}},
        "image": {"queries": 0, "missed": 0, "in_fusions": {"queries": 3, "missed": 0}},
        "fusion": {
            "queries": 3,
            "missed": 1,
            "missed_by_every_part": 1,
            "lost_keys": 1,
            "had_by": {},
            "lost": [],
        },
    }
    error = {"code": "not-found", "message": "Nothing here.", "where": "alive/things", "hint": "Look."}
    base = evaluation()
    against = {
        **base["against"],
        "difference": {n: {**d, "p_value": 1e-4} for n, d in base["against"]["difference"].items()},
    }
    Evaluations.open(session.workspace()).save(
        {**base, "failed_modality": parts, "error": error, "against": against}
    )
    test = settled(app("golden", set="shop", part="evaluation", a=A))
    said = texts(test)
    assert "Nothing could be measured" in said
    assert "Nothing here." in said
    assert "In 1 query a part alone had a relevant result" in said
    assert "p < 0.001" in said
    (table,) = [t.value for t in test.dataframe if "Asked by" in t.value.columns]
    assert table.to_numpy().tolist() == [
        ["Words", 1, 1],
        ["Several parts", 3, 2],
        ["Words alone, of several parts", 3, 2],
        ["Pictures alone, of several parts", 3, 0],
    ]


def test_evaluating_waits_for_a_list_of_sets_that_grew_old_before_the_click(
    app: App, shop: Pretend, runs: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = settled(app("golden", set="shop", a=A))
    opened = golden_store.sets

    def slowly() -> Any:
        time.sleep(0.3)
        return opened()

    monkeypatch.setattr(golden_store, "sets", slowly)
    golden_store.forget()
    test.button(key="golden.evaluate").click().run()
    assert not test.exception
    assert "Choose a golden set and a collection first" not in texts(test)
    assert [options["golden"] for _, _, options in runs.asked] == ["shop@draft"]


def test_a_rule_is_what_was_typed_when_it_is_added(app: App, shop: Pretend) -> None:
    shop.held["things"] = replace(shop.held["things"], payload=(PayloadField("caption", "keyword"),))
    test = settled(app("golden", set="shop", q="q2", a=A))
    test.button(key="golden.add_rule").click().run()
    assert "The rule has no condition." in texts(test)
    assert "No condition yet: a rule needs one at least." in texts(test)
    test.button(key="g.rule.add").click().run()
    test.button(key="golden.add_rule").click().run()
    assert "A condition names no field." in texts(test)
    assert not [r for r in draft().rules if r.query == "q2"]
    turn = test.session_state["g.rule.filter_turn"]
    test.selectbox(key=f"g.rule.field.{turn}.0").set_value("caption")
    test.text_input(key=f"g.rule.value.{turn}.0").set_value("thing 6")
    test.number_input(key="g.rule.grade").set_value(3)
    test.button(key="golden.add_rule").click().run()
    assert not test.exception
    own = [(r.where, r.grade) for r in draft().rules if r.query == "q2"]
    assert own == [(filters.Equals("caption", "thing 6"), 3)]


def test_another_condition_loses_nothing_that_was_typed(app: App, shop: Pretend) -> None:
    shop.held["things"] = replace(shop.held["things"], payload=(PayloadField("caption", "keyword"),))
    test = settled(app("golden", set="shop", q="q2", a=A))
    test.button(key="g.rule.add").click().run()
    turn = test.session_state["g.rule.filter_turn"]
    test.selectbox(key=f"g.rule.field.{turn}.0").set_value("caption")
    test.text_input(key=f"g.rule.value.{turn}.0").set_value("thing 6")
    test.button(key="g.rule.add").click().run()
    rows = test.session_state["g.rule.rows"]
    assert [(r["field"], r["value"]) for r in rows] == [("caption", "thing 6"), ("", "")]
    turn = test.session_state["g.rule.filter_turn"]
    test.text_input(key=f"g.rule.value.{turn}.0").set_value("thing 7")
    test.button(key=f"g.rule.remove.{turn}.1").click().run()
    rows = test.session_state["g.rule.rows"]
    assert [(r["field"], r["value"]) for r in rows] == [("caption", "thing 7")]


def test_a_refused_query_is_said_where_it_was_typed_and_its_words_stay(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", a=A))
    places = [str(b.key) for b in test.button]
    test.text_input(key="g.text.0").set_value("a red circle")
    test.button(key="golden.add").click().run()
    assert "The query was not added" in texts(test)
    assert "The golden set stays as it was" not in texts(test)
    assert test.text_input(key="g.text.0").value == "a red circle"
    assert [str(b.key) for b in test.button] == places
    test.text_input(key="g.text.0").set_value("a blue circle")
    test.button(key="golden.add").click().run()
    assert "The query was not added" not in texts(test)
    assert test.text_input(key="g.text.1").value == ""
    assert len(draft().queries) == 3


def test_a_key_that_is_no_row_id_is_refused_in_words_of_the_page(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", q="q2", a=A))
    test.text_area[-2].set_value("no id")
    test.button(key="golden.smoke").click().run()
    assert "The smoke items stay as they were" in texts(test)
    assert "is no row id" in texts(test)
    assert "--key-field" not in texts(test)


def test_the_ticked_row_is_the_open_query_after_a_removal_and_by_link(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", q="q2", a=A))
    first = test.session_state["golden.table"]
    assert (first.ids, first.ticked) == (("q1", "q2"), [1])
    golden_actions.remove_query("shop", "q1")
    test.run()
    second = test.session_state["golden.table"]
    assert (second.ids, second.ticked) == (("q2",), [0])
    assert second.turn != first.turn
    test.button(key="golden.remove_query").click().run()
    assert not test.exception
    assert test.session_state["golden.q"] is None


def test_a_draft_that_is_a_version_already_offers_no_number(app: App, shop: Pretend) -> None:
    test = settled(app("golden", set="shop", part="files", a=A))
    assert test.button(key="golden.freeze").label == "Freeze the draft as version 1"
    test.button(key="golden.freeze").click().run()
    button = test.button(key="golden.freeze")
    assert (button.label, button.disabled) == ("Freeze the draft", True)


def test_a_set_and_a_query_that_another_browser_removed_are_no_fault_of_the_link(
    app: App, shop: Pretend
) -> None:
    test = settled(app("golden", set="shop", q="q2", a=A))
    golden_actions.remove_query("shop", "q2")
    said = texts(settled(test))
    assert "The query was removed" in said
    golden.remove(session.workspace(), "shop")
    golden_store.forget()
    said = texts(settled(test))
    assert "The set was removed" in said
    assert "The link can't be followed" not in said


def test_blind_judging_hides_grades_that_were_given_for_one_system_elsewhere(app: App, shop: Pretend) -> None:
    for key in ("0", "1"):
        golden_actions.judge("shop", "q2", key, 1)
    held, query = draft(), draft().query("q2")
    assert query is not None
    test = settled(app("golden", set="shop", part="blind", q="q2", a=A, b="alive/things-old#clip"))
    assert "5 rows have no grade yet" in texts(test)
    assert "2 rows were judged elsewhere before." in texts(test)
    cards = [Judged("0", "rank 1", held.grades("q2")["0"]), Judged("1", "rank 2", 1)]
    test.session_state["golden.given_blind"] = {("shop", "q2"): {"0", "2"}}
    golden_actions.judge("shop", "q2", "2", 0)
    said = texts(settled(test))
    assert "4 rows have no grade yet" in said
    assert "1 row was judged elsewhere before." in said
    assert golden_pool.hidden(cards, {"0"}) == [cards[0], replace(cards[1], grade=None)]


def test_a_visitor_who_may_not_judge_is_offered_no_search_to_judge(
    app: App, shop: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.SERVING, "host", "0.0.0.0")
    test = settled(app("golden", set="shop", q="q1", a=A))
    assert "golden.search" not in [b.key for b in test.button]


def test_evaluations_are_listed_in_80_columns_with_their_addresses_whole(
    shop: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = kept(1, "demo/scenes-old", golden="demo", address="demo/scenes-broken", smoke_failed=2)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main(["evaluations"])
    lines = said.getvalue().splitlines()
    assert lines[0].split() == ["Evaluation", "At", "Address", "Against", "Golden", "k", "nDCG"]
    assert all(len(line) <= 80 for line in lines)
    assert {name, "11-21", "demo/scenes-broken", "demo/scenes-old", "10"} <= set(lines[1].split())
    assert f"Smoke items that failed: {name} 2." in lines
