"""The page Compare without a browser: what it says in each state, its links, and what it never does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from connectors.errors import PlumblineError
from console.compare.gate.request import GateRequest
from console.compare.request import CompareRequest
from console.store import Store
from console.store.comparisons import Comparisons
from console.store.gates import Gates
from console.ui import (
    actions,
    board,
    charts,
    compare_actions,
    compare_asked,
    compare_changed,
    compare_columns,
    compare_map,
    compare_sides,
    compare_state,
    compare_store,
    compare_thresholds,
    compare_words,
    serving,
    session,
)
from tests.ui import reports
from tests.ui.comparison_data import LEFT, RIGHT, Made, comparison, judged, request
from tests.ui.pretend import Held, Pretend
from tests.ui.test_golden_page import Pretended

App = Callable[..., AppTest]
Open = Callable[..., dict[str, Pretend]]
EVIL = "![x](http://evil.example/a.png) <script>alert(1)</script> :red[x] $y$"
READING = {"scan", "sample", "search", "fetch", "facet", "count"}


def texts(test: AppTest) -> str:
    kinds = (test.text, test.markdown, test.caption, test.code, test.header, test.subheader)
    return "\n".join(str(e.value) for kind in kinds for e in kind)


def settled(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception
    assert "could not be drawn" not in texts(test)
    return test


def option(test: AppTest, name: str) -> Any:
    """The widget of an option."""
    there = (*test.number_input, *test.text_area, *test.multiselect, *test.selectbox)
    return next(e for e in there if str(e.key).rpartition(".")[0] == name)


def named(test: AppTest) -> str:
    """The comparison that the link names."""
    held = test.query_params["comparison"]
    return held if isinstance(held, str) else held[0]


def asked(number: int, hours: float, **changes: Any) -> Made:
    """A comparison of so many hours ago that was asked with `changes`."""
    made = comparison(number=number, ago=timedelta(hours=hours))
    return Made({**made.data, "request": request(**changes)}, made.arrays)


def marked_up(test: AppTest) -> list[str]:
    """Every text of the page in which marks would be obeyed."""
    values = [str(e.value) for e in (*test.markdown, *test.caption, *test.header, *test.subheader)]
    figures = [str(part) for m in test.metric for part in (m.label, m.value, m.delta)]
    labelled = (
        *test.button,
        *test.selectbox,
        *test.number_input,
        *test.text_area,
        *test.multiselect,
        *test.expander,
    )
    return [*values, *figures, *(str(e.label) for e in labelled)]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    made = Pretended()
    monkeypatch.setattr(actions, "runs", lambda: made)
    yield made
    Store.open(session.workspace()).close()


@pytest.fixture
def scenes(pretend: Open, runs: Pretended) -> Pretend:
    made = pretend("alive")["alive"]
    rows = [(i, [1.0, i / 100, 0.0, 0.0], {"caption": f"scene {i}"}) for i in range(0, 120, 2)]
    made.held["scenes"], made.held["scenes-old"] = Held(rows), Held(rows)
    return made


def save(*made: Made) -> None:
    for one in made:
        Comparisons.open(session.workspace()).save(one)


def test_without_a_comparison_it_says_what_would_be_here_and_computes_nothing(
    app: App, scenes: Pretend
) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "Not compared yet" in texts(test)
    assert f"plumbline compare '{LEFT}' '{RIGHT}'" in texts(test)
    assert not READING & set(scenes.calls)
    assert not test.button(key="compare.now").disabled


def test_one_collection_alone_asks_for_the_other_side(app: App, pretend: Open, runs: Pretended) -> None:
    pretend("alive")["alive"].held["things"] = Held()
    test = settled(app("compare"))
    assert test.selectbox(key="c.left").value == "alive/things#clip"
    assert "Choose an old and a new side" in texts(test)
    assert test.button(key="compare.now").disabled
    assert "encoder:scenes-v1" in test.selectbox(key="c.right").options


def test_the_newest_comparison_of_the_two_sides_is_shown_and_no_database_is_asked(
    app: App, scenes: Pretend
) -> None:
    save(comparison(number=1, ago=timedelta(days=2), summary="An older one."), comparison(number=3))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    said = texts(test)
    assert "of 10 neighbours stay" in said
    assert "An older one." not in said
    shown = {m.label: (m.value, m.delta) for m in test.metric}
    assert shown["Overlap under noise alone"] == ("0.980", "new vectors rounded to int8")
    assert shown["Rows on both sides"] == ("99.8%", "11,980, matched by id")
    assert next(iter(shown)) == "Rows on both sides", "the sides hold different rows: their share comes first"
    assert shown["Same first hit"] == ("0.480", "0.450 to 0.510")
    assert "The two spaces are different" in said
    assert "0.9300 in the old cosine similarity accepts 140 of 200 pairs" in said
    assert "0.9300 becomes 0.4120 (0.3980 to 0.4300) in the new cosine similarity." in said
    assert "both accept 86.0% (81.0% to 90.0%)" in said
    assert "12 judgements lie near the cutoff; 50 are needed." in said
    assert "They have no vector." in said
    assert "Worse for de: the judged quality changes by -0.090" in said
    assert not READING & set(scenes.calls)


def test_a_side_without_its_vector_means_its_only_one(app: App, scenes: Pretend) -> None:
    save(comparison())
    test = settled(app("compare", l="alive/scenes-old", r="alive/scenes"))
    assert test.selectbox(key="c.left").value == LEFT
    assert "of 10 neighbours stay" in texts(test)


def test_judgements_say_whether_it_is_better(app: App, scenes: Pretend) -> None:
    save(judged())
    test = settled(app("compare", l=LEFT, r=RIGHT))
    shown = {m.label: (m.value, m.delta) for m in test.metric}
    assert shown["nDCG@10, new less old"] == ("+0.031", "+0.012 to +0.050")
    assert ":green-badge[:material/trending_up: Better]" in texts(test)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.01, 0.05, "Better"), (-0.05, -0.01, "Worse"), (-0.01, 0.02, "No difference shown")],
)
def test_a_difference_counts_only_beyond_its_interval(low: float, high: float, word: str) -> None:
    held = {"quality": {"metrics": {"ndcg@10": {"difference": {"mean": 0.0, "low": low, "high": high}}}}}
    assert compare_words.verdict(held)[0] == word
    assert compare_words.verdict({"quality": None})[0] == "Not judged"


def test_a_stored_comparison_opens_by_its_id_with_its_sides_and_options(app: App, scenes: Pretend) -> None:
    made = comparison(number=4, ago=timedelta(days=3))
    asked = CompareRequest(LEFT, RIGHT, queries=77, k=5, cohorts=("language",)).to_json()
    save(Made({**made.data, "request": asked}, made.arrays), comparison(number=5))
    test = settled(app("compare", comparison=made.id))
    assert test.selectbox(key="c.left").value == LEFT
    assert option(test, "c.queries").value == 77
    assert "A stored comparison" in texts(test)
    test.button(key="compare.newest").click().run()
    assert "A stored comparison" not in texts(test)
    assert named(test) == "c00000000005"
    assert option(test, "c.queries").value == CompareRequest(LEFT, RIGHT).queries


def test_what_is_asked_stands_in_the_link_and_the_link_is_followed(app: App, scenes: Pretend) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT))
    option(test, "c.queries").set_value(50).run()
    option(test, "c.texts").set_value("a red circle\n\n a blue square ").run()
    option(test, "c.threshold").set_value(0.93).run()
    option(test, "c.cohorts").set_value([]).run()
    assert not test.exception
    asked = {name: test.query_params[name] for name in test.query_params}
    again = settled(app("compare", **asked))
    assert option(again, "c.queries").value == 50
    assert option(again, "c.texts").value == "a red circle\na blue square"
    assert option(again, "c.threshold").value == 0.93


def test_options_that_changed_since_are_said_above_the_verdict_and_taken_back(
    app: App, scenes: Pretend
) -> None:
    save(comparison())
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "Asked otherwise" not in texts(test)
    option(test, "c.k").set_value(5).run()
    said = texts(test)
    assert "The form now asks for neighbours of each 5 instead of 10." in said
    assert said.index("The form now asks") < said.index("neighbours stay, of")
    test.button(key="compare.back").click().run()
    assert not test.exception
    assert option(test, "c.k").value == 10
    assert "Asked otherwise" not in texts(test)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"left": "alive/scenes-old"}, []),
        ({"left": "alive/other"}, ["another old side"]),
        ({"queries": 50}, ["queries 50 instead of 200"]),
        ({"golden": "shop", "queries": 50}, ["golden set shop instead of none"]),
        ({"texts": ("a", "b")}, ["2 texts instead of no words or pictures"]),
        ({"threshold": 0.5}, ["cutoff 0.5 instead of none"]),
        ({"cohorts": ("language",)}, ["fields to split by changed"]),
    ],
)
def test_what_the_form_asks_otherwise_is_named(changes: dict[str, Any], said: list[str]) -> None:
    asked = replace(CompareRequest(LEFT, RIGHT), **changes)
    assert compare_asked.changes(comparison().data, asked) == said


def test_what_is_shown_is_named_by_the_link_and_is_the_newest_that_was_asked_the_same(
    app: App, scenes: Pretend
) -> None:
    save(asked(1, 5, queries=77), asked(2, 4), asked(3, 3, queries=77), asked(4, 2, texts=("a red circle",)))
    for params, name in (({"n": "77"}, "3"), ({}, "2"), ({"text": "a red circle"}, "4"), ({"n": "5"}, "4")):
        test = settled(app("compare", l=LEFT, r=RIGHT, **params))
        assert named(test) == f"c0000000000{name}"
        assert ("Asked otherwise" in texts(test)) is (params == {"n": "5"})
        assert ("The newest of these two sides is of" in texts(test)) is (name != "4")


def test_a_comparison_of_an_earlier_version_is_found_by_what_it_was_asked(app: App, scenes: Pretend) -> None:
    pair = [{"id": "new", "left": LEFT, "right": RIGHT}, {"id": "old", "left": LEFT, "right": RIGHT}]
    held = {"new": asked(1, 1, k=5).data, "old": asked(2, 2).data}
    found = compare_asked.newest(pair, CompareRequest(LEFT, RIGHT), held.__getitem__)
    assert found is not None
    assert found["id"] == "old"
    assert compare_asked.newest(pair, CompareRequest(LEFT, RIGHT, k=7), held.__getitem__) is None


def test_a_visit_without_a_link_shows_the_last_comparison_as_it_was_asked(app: App, scenes: Pretend) -> None:
    save(asked(1, 3), asked(2, 1, queries=33, k=7))
    test = settled(app("compare"))
    assert named(test) == "c00000000002"
    assert (option(test, "c.queries").value, option(test, "c.k").value) == (33, 7)
    assert "Asked otherwise" not in texts(test)


def test_the_button_asks_what_the_form_holds_when_it_is_pressed(
    app: App, scenes: Pretend, runs: Pretended
) -> None:
    where = '{"equals":{"field":"caption","value":"x"}}'
    test = settled(app("compare", l=LEFT, r=RIGHT, filter=where))
    option(test, "c.texts").set_value("a red circle\na blue square")
    option(test, "c.k").set_value(4)
    next(t for t in test.text_input if t.value == "x").set_value("y")
    test.button(key="compare.now").click().run()
    assert not test.exception
    ((_, _, options),) = runs.asked
    assert (options["texts"], options["k"]) == (["a red circle", "a blue square"], 4)
    assert options["filter"] == {"equals": {"field": "caption", "value": "y"}}


def test_a_comparison_that_was_started_here_is_shown_when_it_ends_whatever_the_form_says_by_then(
    app: App, scenes: Pretend, runs: Pretended
) -> None:
    save(asked(1, 5, k=3))
    test = settled(app("compare", l=LEFT, r=RIGHT, k="3"))
    assert named(test) == "c00000000001"
    option(test, "c.k").set_value(4)
    test.button(key="compare.now").click().run()
    assert "comparison" not in test.query_params, "who comes back to the link wants the one that runs"
    option(test, "c.k").set_value(6).run()
    save(asked(2, 0, k=4))
    ((name, run),) = runs.held.items()
    runs.held[name] = replace(run, state="done", ended=time.time(), reports=("c00000000002",))
    assert named(settled(test)) == "c00000000002"
    assert "neighbours of each 6 instead of 4" in texts(test)


def test_a_visitor_s_comparison_is_the_one_that_the_form_asks(
    app: App, scenes: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.SERVING, "host", "0.0.0.0")
    save(asked(1, 1, rows=compare_actions.MOST_ROWS))
    assert "Asked otherwise" not in texts(settled(app("compare", l=LEFT, r=RIGHT)))


def test_names_in_the_link_that_mean_nothing_here_are_said(app: App, scenes: Pretend) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT, treshold="0.5", **{EVIL: "x"}))
    assert "they were left out:" in texts(test)
    assert "treshold" in texts(test)
    assert not any("evil.example" in text for text in marked_up(test))


@pytest.mark.parametrize(
    ("side", "said"),
    [
        ("nowhere/x", "There is no connection nowhere."),
        ("alive/nowhere", "alive has no collection nowhere."),
        ("alive/scenes#other", "scenes has no vector field other that can be compared."),
        ("encoder:nobody", "There is no encoder nobody."),
        ("dead/things", "Nothing answers."),
    ],
)
def test_a_side_that_is_not_there_is_said_before_anything_is_asked(
    app: App, pretend: Open, runs: Pretended, side: str, said: str
) -> None:
    made = pretend("alive", "dead")
    made["alive"].held["scenes"] = Held([(0, [1.0, 0.0, 0.0, 0.0], {})])
    made["dead"].fault = PlumblineError("unreachable", "Nothing answers.", where="dead", hint="Start it.")
    test = settled(app("compare", l=RIGHT, r=side))
    assert said in texts(test)
    assert "The new side can't be compared now" in texts(test)
    assert not READING & set(made["alive"].calls)
    Store.open(session.workspace()).close()


def test_a_side_that_its_last_check_found_broken_is_named_with_its_cause_and_nothing_is_read(
    app: App, scenes: Pretend
) -> None:
    made = comparison().data
    sides = {**made["sides"], "left": {**made["sides"]["left"], "notes": ["its own exact search was asked"]}}
    save(Made({**made, "sides": sides}))
    Store.open(session.workspace()).save(reports.report("alive/scenes-old#clip", 1))
    Store.open(session.workspace()).save(reports.healthy("alive/scenes#clip", 2))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    said = texts(test)
    assert "The old side is broken, as checked" in said
    assert "The new side is" not in said
    assert test.button(key="compare.health.left")
    assert not READING & set(scenes.calls)


def test_sides_with_the_same_neighbours_offer_no_judging_and_claim_no_change(
    app: App, scenes: Pretend
) -> None:
    made = comparison().data
    one = {"mean": 1.0, "low": 1.0, "high": 1.0, "queries": 2}
    held = [{**c, "lost": [], "gained": [], "overlap": 1.0} for c in made["changed"][:2]]
    save(Made({**made, "overlap_at_k": one, "changed": held}))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "None of them changed" in texts(test)
    assert "The queries most changed" not in texts(test)
    assert "compare.blind" not in [b.key for b in test.button]


def test_an_overlap_that_can_t_be_told_says_why(app: App, scenes: Pretend) -> None:
    why = {"not_measured": "A query has 3 other rows: all are among the 10 nearest on both sides."}
    save(Made({**comparison().data, "overlap_at_k": why, "jaccard": why, "summary": None}))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "How many neighbours stay was not measured" in texts(test)
    assert why["not_measured"] in texts(test)


def test_drawn_queries_are_of_no_effect_beside_a_golden_set_and_the_field_says_so(
    app: App, scenes: Pretend
) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert not option(test, "c.queries").disabled
    option(test, "c.texts").set_value("a red circle").run()
    assert option(test, "c.queries").disabled


def test_the_list_tells_comparisons_apart(app: App, scenes: Pretend) -> None:
    better = judged()
    save(
        Made({**better.data, "request": request(golden="shop@3", threshold=0.7)}),
        asked(4, 9, texts=("a", "b")),
        asked(5, 10),
    )
    table = next(
        d.value for d in settled(app("compare", l=LEFT, r=RIGHT)).dataframe if "Asked with" in d.value
    )
    assert list(table["Asked with"]) == ["golden set shop@3", "2 texts", "rows"]
    assert list(table["Judged"]) == ["Better, nDCG@10 +0.031", "", ""]
    assert list(table["Cutoff"]) == ["0.7000", "", ""]
    assert list(table["k"]) == [10, 10, 10]


def test_the_cards_of_an_encoder_that_made_no_collection_name_the_encoder(
    app: App, scenes: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[compare_columns.Asked]] = []
    monkeypatch.setattr(compare_columns, "columns", lambda queries, **_: drawn.append(list(queries)))
    scenes.held["scenes-old"] = Held(
        [(2 * n, [1.0, 0.0, 0.0, 0.0], {"embedding_version": "v1"}) for n in range(60)]
    )
    save(comparison(LEFT, "encoder:next"))
    settled(app("compare", l=LEFT, r="encoder:next", open="0"))
    old, new = drawn[-1][0].columns
    assert {c.tags for c in old.cards} == {("v1",)}
    assert {c.tags for c in new.cards} == {("next",)}


def gate(number: int = 1, **changes: Any) -> dict[str, Any]:
    conditions = [
        {"name": "id-set", "asks": "Both sides hold the same ids.", "verdict": "pass", "figure": 0, "limit": 0,
         "unit": "rows", "why": "All are there.", "waived": None},
        {"name": "quality", "asks": EVIL, "verdict": "fail", "figure": -0.08, "limit": -0.03, "unit": "nDCG@10",
         "why": EVIL, "waived": None},
    ]  # fmt: skip
    made = {"id": f"g0000000000{number}", "at": datetime.now(UTC).isoformat(), "left": LEFT, "right": RIGHT,
            "golden": {"name": "shop", "version": 3}, "verdict": "fail", "summary": EVIL, "conditions": conditions}  # fmt: skip
    return {**made, **changes}


def test_the_last_gate_of_the_two_sides_is_shown_with_its_conditions_the_worst_first(
    app: App, scenes: Pretend
) -> None:
    Gates.open(session.workspace()).save(
        gate(1, at="2026-11-20T00:00:00+00:00", verdict="pass", conditions=[])
    )
    Gates.open(session.workspace()).save(gate(2))
    Gates.open(session.workspace()).save(gate(3, right="alive/other#clip"))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    said = texts(test)
    assert ":red-badge[:material/block: Fail]" in said
    assert "With the golden set shop, version 3, just now" in said
    assert f"quality, fail: {EVIL}" in said, "why it is no pass is read whole, not in a cell that cuts it"
    table = next(d.value for d in test.dataframe if "Condition" in d.value)
    assert list(table["Condition"]) == ["quality", "id-set"]
    assert list(table["Figure"]) == ["-0.08 nDCG@10", "0 rows"]
    assert "Earlier gates of these sides (1)" in [e.label for e in test.expander]
    assert not any("evil.example" in text for text in marked_up(test))


def test_a_gate_is_started_as_the_form_says_by_the_operator_alone(
    app: App, scenes: Pretend, runs: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT, golden="shop"))
    assert "plumbline gate 'alive/scenes-old#clip' 'alive/scenes#clip' --golden shop" in texts(test)
    option(test, "c.threshold").set_value(0.8)
    test.button(key="compare.gate.run").click().run()
    assert not test.exception
    ((kind, _, options),) = runs.asked
    assert (kind, options["golden"], options["threshold"]) == ("gate", "shop", 0.8)
    assert "Running the gate" in texts(test)
    assert test.button(key="compare.gate.run").disabled
    monkeypatch.setattr(serving.SERVING, "host", "0.0.0.0")
    assert settled(app("compare", l=LEFT, r=RIGHT)).button(key="compare.gate.run").disabled
    for act in (
        lambda: compare_actions.gate_now(GateRequest(LEFT, RIGHT)),
        lambda: compare_actions.cancel_gate("x"),
    ):
        with pytest.raises(PlumblineError) as fault:
            act()
        assert fault.value.code == "read-only"


def test_a_gate_as_a_command_is_the_one_that_the_button_starts(
    app: App, scenes: Pretend, runs: Pretended
) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT, golden="shop", k="5", seed="9", t="-0.5"))
    assert f"plumbline gate '{LEFT}' '{RIGHT}' --golden shop --threshold=-0.5 -k 5 --seed 9" in texts(test)
    test.button(key="compare.gate.run").click().run()
    ((_, _, options),) = runs.asked
    assert (options["k"], options["seed"], options["threshold"]) == (5, 9, -0.5)


def test_without_a_golden_set_there_is_no_gate_and_no_command_that_would_be_refused(
    app: App, scenes: Pretend, runs: Pretended
) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert test.button(key="compare.gate.run").disabled
    assert "A gate needs a golden set" in texts(test)
    assert "plumbline gate" not in texts(test)
    with pytest.raises(PlumblineError) as fault:
        compare_actions.gate_now(GateRequest(LEFT, RIGHT))
    assert fault.value.code == "usage"
    assert not runs.asked


def test_what_folds_in_the_options_has_one_label_whatever_it_holds(app: App, scenes: Pretend) -> None:
    folded = ("More", "Only these rows count", "Only these rows are queries")
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert [e.label for e in test.expander if e.label in folded] == list(folded)
    where = '{"equals":{"field":"caption","value":"x"}}'
    test = settled(app("compare", l=LEFT, r=RIGHT, rows="50", seed="9", filter=where))
    assert [e.label for e in test.expander if e.label in folded] == list(folded)
    said = texts(test)
    assert "Set under “More”: rows of the pool and seed." in said
    assert "“Only these rows count” is on." in said
    assert "“Only these rows are queries” is on." not in said


def test_an_encoder_that_made_no_collection_has_no_gate(app: App, scenes: Pretend) -> None:
    test = settled(app("compare", l=LEFT, r="encoder:x"))
    assert "build one with this encoder first" in texts(test)
    assert "compare.gate.run" not in [b.key for b in test.button]
    with pytest.raises(PlumblineError) as fault:
        compare_actions.gate_now(GateRequest(LEFT, "encoder:x"))
    assert fault.value.code == "usage"


def test_compare_now_starts_a_run_that_everybody_sees_and_cancels(
    app: App, scenes: Pretend, runs: Pretended
) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT, n="30"))
    test.button(key="compare.now").click().run()
    assert not test.exception
    ((kind, _, options),) = runs.asked
    assert (kind, options["queries"], options["left"]) == ("compare", 30, LEFT)
    assert "Comparing" in texts(test)
    assert test.button(key="compare.now").disabled
    other = settled(app("compare", l=LEFT, r=RIGHT))
    other.button(key="compare.cancel").click().run()
    assert "The last comparison was cancelled" in texts(settled(test))


def test_a_failed_run_says_why_until_it_is_put_away(app: App, scenes: Pretend, runs: Pretended) -> None:
    request = CompareRequest(LEFT, RIGHT)
    name = compare_actions.compare_now(request)
    error = {"code": "unreachable", "message": EVIL, "where": "alive", "hint": "Start it."}
    runs.held[name] = replace(runs.held[name], state="failed", error=error, ended=time.time())
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert EVIL in [t.value for t in test.text]
    assert not any("evil.example" in str(e.value) for e in test.markdown)
    test.button(key="compare.put_away").click().run()
    assert EVIL not in texts(test)


def test_a_run_that_ends_while_the_page_reads_the_list_is_shown_all_the_same(
    app: App, scenes: Pretend, runs: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = compare_actions.compare_now(CompareRequest(LEFT, RIGHT))
    list_of_then = compare_store.store().list

    def ends_just_then(limit: int) -> list[Any]:
        held = list_of_then(limit)
        if runs.held[name].active:
            save(comparison())
            runs.held[name] = replace(runs.held[name], state="done", ended=time.time())
        return list(held)

    monkeypatch.setattr(Comparisons, "list", lambda _, limit: ends_just_then(limit))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "Not compared yet" not in texts(test)
    assert "neighbours stay" in texts(test)


def test_what_the_button_would_ask_is_what_the_form_says(app: App, scenes: Pretend) -> None:
    test = settled(app("compare", l=LEFT, r=RIGHT, n="30"))
    assert "asks both sides with 30 of their rows" in texts(test)
    option(test, "c.texts").set_value("a red circle\n\n a blue square ").run()
    assert "asks both sides with your 2 texts" in texts(test)


def test_a_query_opens_to_two_columns_with_rows_fetched_for_it_alone(
    app: App, scenes: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[compare_columns.Asked]] = []
    monkeypatch.setattr(compare_columns, "columns", lambda queries, **_: drawn.append(list(queries)))
    made = comparison()
    save(made)
    settled(app("compare", l=LEFT, r=RIGHT))
    assert all(not q.columns for q in drawn[-1])
    assert "fetch" not in scenes.calls
    test = settled(app("compare", l=LEFT, r=RIGHT, open="1"))
    assert len(drawn[-1]) == compare_changed.PAGE
    opened = drawn[-1][1]
    old, new = opened.columns
    wanted = made.data["changed"][1]
    assert [c.id for c in old.cards] == [str(h["id"]) for h in wanted["left"]]
    assert {c.id for c in old.cards if c.mark == "lost"} == {str(i) for i in wanted["lost"]}
    assert {c.id for c in new.cards if c.mark == "gained"} == {str(i) for i in wanted["gained"]}
    assert (opened.label, opened.text) == (str(wanted["id"]), f"scene {wanted['id']}")
    assert all(c.text == f"scene {c.id}" for c in (*old.cards, *new.cards))
    assert scenes.calls.count("fetch") == 2
    assert test.query_params["open"] in ("1", ["1"])


def test_a_database_that_is_gone_leaves_the_comparison_and_says_so_in_its_place(
    app: App, scenes: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[compare_columns.Asked]] = []
    monkeypatch.setattr(compare_columns, "columns", lambda queries, **_: drawn.append(list(queries)))
    save(comparison())
    scenes.fault = PlumblineError(
        "unreachable", "No answer!", where="alive", hint="Start it, or correct `url`."
    )
    settled(app("compare", l=LEFT, r=RIGHT, open="0"))
    old, new = drawn[-1][0].columns
    assert old.fault == new.fault == "The rows can't be shown. No answer. Start it, or correct “url”."
    assert len(old.cards) == 10


def test_judgements_stand_on_the_cards(app: App, scenes: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[compare_columns.Asked]] = []
    monkeypatch.setattr(compare_columns, "columns", lambda queries, **_: drawn.append(list(queries)))
    save(judged())
    settled(app("compare", l=LEFT, r=RIGHT, open="0"))
    old, new = drawn[-1][0].columns
    assert old.cards[0].grade == "relevant, grade 2"
    assert new.cards[0].grade == "not relevant"
    assert {c.grade for c in old.cards[1:]} <= {"not judged", "not relevant"}


def test_hostile_names_values_and_ids_stay_cells_and_text(app: App, scenes: Pretend) -> None:
    made = comparison().data
    cohort = {**made["cohorts"]["language"][0], "value": EVIL}
    changed = [{**made["changed"][0], "query": EVIL, "kind": "text", "id": None, "text": EVIL}]
    save(
        Made(
            {
                **made, "summary": EVIL, "warnings": [EVIL], "cohorts": {EVIL: [cohort, cohort]}, "changed": changed,
                "not_measured": [{"what": EVIL, "why": EVIL}], "map": {"not_measured": EVIL},
                "noise": {"left_index": {"not_measured": EVIL}}, "structure": {"cka": {"not_measured": EVIL}},
                "matched": {**made["matched"], "by": EVIL}, "top1": {"not_measured": EVIL},
                "sides": {n: {**made["sides"][n], "metric": EVIL, "notes": [EVIL]} for n in ("left", "right")},
            }
        )
    )  # fmt: skip
    test = settled(app("compare", l=LEFT, r=RIGHT, open="0"))
    assert not any("evil.example" in text for text in marked_up(test))


@pytest.mark.parametrize(
    "params",
    [
        {"comparison": "../x"},
        {"open": "x"},
        {"p": "0"},
        {"cutoff": "high"},
        {"l": "nowhere"},
        {"k": "lots"},
    ],
)
def test_a_link_that_can_t_be_followed_is_said(app: App, scenes: Pretend, params: dict[str, str]) -> None:
    assert "The link can't be followed" in texts(settled(app("compare", **params)))


def test_one_bad_value_of_a_link_is_named_and_the_rest_is_followed(app: App, scenes: Pretend) -> None:
    save(comparison())
    test = settled(
        app(
            "compare",
            l=LEFT,
            r=RIGHT,
            n="77",
            k="lots",
            open="1",
            cutoff="high",
            image="x",
            text="a red circle",
        )
    )
    said = texts(test)
    for name in ("k", "cutoff", "image"):
        assert f"The link can't be followed: its {name} was left out" in said
    assert said.count("The link can't be followed") == 3
    assert test.selectbox(key="c.left").value == LEFT
    assert (option(test, "c.queries").value, option(test, "c.k").value) == (77, CompareRequest(LEFT, RIGHT).k)
    assert option(test, "c.texts").value == "a red circle"
    assert test.query_params["open"] in ("1", ["1"])
    assert "cutoff" not in test.query_params


def test_the_page_golden_follows_the_rest_of_a_link_too(app: App, scenes: Pretend) -> None:
    test = settled(app("golden", v="0", part="files", k="x", a=LEFT))
    assert texts(test).count("The link can't be followed") == 2
    assert texts(test).count("It was left out of the link; the rest of it holds.") == 2
    assert test.query_params["part"] in ("files", ["files"])
    assert "v" not in test.query_params


def test_a_bad_side_of_a_link_leaves_the_other(app: App, scenes: Pretend) -> None:
    test = settled(app("compare", l="nowhere", r=RIGHT))
    assert "The link can't be followed: its l was left out" in texts(test)
    assert test.selectbox(key="c.right").value == RIGHT


def test_the_query_string_of_another_page_is_no_link_and_what_was_looked_at_stays(
    app: App, scenes: Pretend
) -> None:
    save(asked(1, 1), asked(2, 2, queries=77))
    test = settled(app("compare", l=LEFT, r=RIGHT, n="77", open="1"))
    own = {name: test.query_params[name] for name in test.query_params}
    test.query_params.clear()
    for name, value in {"a": [LEFT, RIGHT], "text": "a red circle", "k": "5"}.items():
        test.query_params[name] = value
    settled(test)
    assert {name: test.query_params[name] for name in test.query_params} == own
    assert (option(test, "c.queries").value, option(test, "c.texts").value) == (77, "")
    assert "they were left out" not in texts(test)
    elsewhere = settled(app("compare", a=LEFT, text="a red circle", k="5"))
    assert option(elsewhere, "c.texts").value == ""
    assert "a" not in elsewhere.query_params


def test_a_comparison_that_is_gone_is_said_and_the_newest_shown(app: App, scenes: Pretend) -> None:
    save(comparison())
    test = settled(app("compare", l=LEFT, r=RIGHT, comparison="c99999999999"))
    for _ in range(2):
        assert "There is no such comparison." in texts(test)
        assert "Shown instead: c00000000001, of the two sides above, compared" in texts(test)
        assert "of 10 neighbours stay" in texts(test)
        assert named(test) == "c00000000001"
        settled(test)
    option(test, "c.k").set_value(5).run()
    assert "There is no such comparison." not in texts(test)


def test_an_empty_or_odd_comparison_is_drawn_without_an_error(app: App, scenes: Pretend) -> None:
    made = comparison().data
    bare = {name: made[name] for name in ("id", "at", "left", "right", "k", "request", "queries", "summary")}
    save(Made(bare))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "It could not be compared" in texts(test)
    assert "No query could be asked of both sides." in texts(test)


def test_a_visitor_s_comparison_is_bounded_in_the_acting_function(
    scenes: Pretend, runs: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.SERVING, "host", "0.0.0.0")
    request = CompareRequest(LEFT, RIGHT)
    compare_actions.compare_now(request)
    assert runs.asked[0][2]["rows"] == compare_actions.MOST_ROWS
    for large in (replace(request, queries=5_000), replace(request, rows=1_000_000)):
        with pytest.raises(PlumblineError) as fault:
            compare_actions.compare_now(large)
        assert fault.value.code == "read-only"


def test_an_unknown_connection_is_refused_before_a_process_is_started(
    scenes: Pretend, runs: Pretended
) -> None:
    with pytest.raises(PlumblineError) as fault:
        compare_actions.compare_now(CompareRequest(LEFT, "nowhere/x#clip"))
    assert fault.value.code in ("not-found", "settings", "usage")
    assert not runs.asked


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a/b#c", "a/b#c", True), ("a/b", "a/b#c", True), ("a/b#d", "a/b#c", False), ("a/b", "a/c", False),
        ("encoder:x", "encoder:x", True), ("encoder:x", "a/b", False), ("a/b@t#c", "a/b#c", False),
    ],
)  # fmt: skip
def test_two_names_mean_the_same_side(one: str, other: str, same: bool) -> None:
    assert compare_sides.same(one, other) is same


def test_a_cutoff_between_two_points_of_the_curve_is_interpolated_and_none_beyond() -> None:
    curve = [[0.5, 0.1, 0.0, 0.2], [0.7, 0.3, 0.2, 0.4], [0.9, 0.7, 0.6, 0.8]]
    assert compare_thresholds.read(curve, 0.6) == pytest.approx((0.2, 0.1, 0.3))
    assert compare_thresholds.read(curve, 0.8) == pytest.approx((0.5, 0.4, 0.6))
    assert compare_thresholds.read(curve, 0.95) is None
    assert compare_thresholds.read([[0.5, 0.1], [0.7, 0.3]], 0.6) == (pytest.approx(0.2), None, None)


def test_a_cutoff_beyond_the_curve_says_which_end_it_lies_at_in_similarities_and_in_distances() -> None:
    rising = [[0.5, 0.1], [0.7, 0.3]]
    falling = [[0.5, 0.3], [0.3, 0.1]]
    for curve, strict, loose in ((rising, 0.8, 0.4), (falling, 0.2, 0.6)):
        assert "fewer than 100 queries pass it" in compare_thresholds._beyond(curve, strict)
        assert "rejects next to nothing" in compare_thresholds._beyond(curve, loose)


def test_an_earlier_version_s_curve_ends_where_too_few_queries_pass() -> None:
    curve = [[0.5, 0.1], [0.6, 0.2], [0.7, 0.3]]
    untold = [{"by": "acceptance", "old": 0.65, "new": None, "accepted": 85}]
    assert compare_thresholds._told(curve, untold, "top1") == curve[:2]
    assert compare_thresholds._told(curve, [{**untold[0], "accepted": 120}], "top1") == curve


def test_a_cutoff_is_translated_and_compared_again_as_the_field_holds_it(
    app: App, scenes: Pretend, runs: Pretended
) -> None:
    save(comparison())
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert test.number_input(key="c.cutoff").value is not None, "its steppers work at once"
    assert "cutoff" not in test.query_params
    test.number_input(key="c.cutoff").set_value(0.7).run()
    assert "0.7000 becomes 0.2000 (0.1800 to 0.2200), by equal acceptance" in texts(test)
    test.number_input(key="c.cutoff").set_value(0.8)
    test.button(key="compare.take").click().run()
    assert not test.exception
    assert runs.asked[0][2]["threshold"] == 0.8


def test_why_a_cutoff_could_not_be_translated_is_said_once(app: App, scenes: Pretend) -> None:
    made = comparison().data
    why = "70 queries pass the old cutoff; 100 are needed: ask 300 queries."
    untold = [
        {
            "by": by,
            "old": 0.93,
            "new": None,
            "accepted": 70,
            "population": 200,
            "verdict": "not measured",
            "why": why,
        }
        for by in ("acceptance", "precision", "recall")
    ]
    save(
        Made(
            {
                **made,
                "thresholds": {**made["thresholds"], "translations": untold},
                "request": request(threshold=0.93),
                "not_measured": [
                    *made["not_measured"],
                    *({"what": f"threshold by equal {one['by']}", "why": why} for one in untold),
                ],
            }
        )
    )
    test = settled(app("compare", l=LEFT, r=RIGHT, t="0.93"))
    said = texts(test)
    assert said.count("100 are needed") == 1
    assert "**By equal acceptance, equal precision and equal recall**" in said
    assert "queries pass it" not in said
    assert "Not measured (2)" in [e.label for e in test.expander]


def test_the_picture_offers_the_fields_that_were_kept_and_says_how_to_get_another(
    app: App, scenes: Pretend
) -> None:
    save(comparison())
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert test.selectbox(key="c.colour").options == ["nothing", "modality", "shapes", "finding"]
    assert "Split by a field in Options" in texts(test)


def with_outliers(name: Any = 4) -> Made:
    made = comparison()
    held = {
        "count": 2, "looked": 11_980, "share": 2 / 11_980, "low": 2 / 11_980, "high": 2 / 11_980, "reading": "same",
        "typical": 1e-15, "line": 0.001, "mostly": None,
        "rows": [{"left": {"id": name}, "right": {"id": 8, "tenant": "b"}, "residual": 1.5},
                 {"left": {"id": 6}, "right": {"id": 6}, "residual": 0.75}],
    }  # fmt: skip
    strays = np.zeros(len(made.arrays["map_ids"]), np.bool_)
    strays[3] = True
    arrays = {
        **made.arrays, "map_outlier": strays, "outlier_left_ids": np.asarray(["4", "6"]),
        "outlier_right_ids": np.asarray(["8", "6"]), "outlier_residuals": np.asarray([1.5, 0.75]),
    }  # fmt: skip
    data = {**made.data, "structure": {**made.data["structure"], "reading": "same", "outliers": held}}
    return Made(data, arrays)


@pytest.mark.parametrize(
    ("structure", "said"),
    [
        ({"reading": "same", "plain_residual": 0.0004}, "The two spaces are the same"),
        ({"reading": "same", "plain_residual": 0.05}, "the old one but for 5% of its spread"),
        ({"reading": "rotated", "procrustes": {"residual": 0.0004}}, "every distance is kept"),
        ({"reading": "rotated", "procrustes": {"residual": 0.02}}, "turned, but for 2% of its spread"),
        ({"reading": "same", "plain_residual": 0.05, "outliers": {"count": 2, "looked": 40, "share": 0.05,
          "low": 0.05, "high": 0.05, "reading": "same", "rows": []}}, "The two spaces are the same"),
    ],
)  # fmt: skip
def test_a_space_that_moved_a_little_is_not_called_the_same(
    app: App, scenes: Pretend, structure: dict[str, Any], said: str
) -> None:
    made = comparison(number=3)
    data = {**made.data, "structure": {"cka": {"not_measured": "few rows"}, **structure}}
    save(Made(data, made.arrays))
    shown = texts(settled(app("compare", l=LEFT, r=RIGHT)))
    assert said in shown
    assert ("threshold in one means the same" in shown) is (said == "The two spaces are the same")


def test_rows_that_do_not_follow_are_listed_and_coloured(
    app: App, scenes: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, Any] = {}
    kept = charts.data
    monkeypatch.setattr(charts, "data", lambda n, h, r, *a: (files.update({n: r}), kept(n, h, r, *a)))
    save(with_outliers())
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "But for 2 of 11,980 rows (under 0.1%), which do not follow" in texts(test)
    assert "The two spaces are the same" in texts(test)
    table = next(d.value for d in test.dataframe if "Old row" in d.value)
    assert table.to_numpy().tolist() == [["4", "8 in b", "1.500"], ["6", "6", "0.750"]]
    assert files["outliers"]() == [["4", "8", 1.5], ["6", "6", 0.75]]
    assert test.selectbox(key="c.colour").value == "rows that do not follow"
    coloured = files["spaces"]()
    assert [row[-2:] for row in coloured[2:5]] == [["follows"] * 2, ["does not follow"] * 2, ["follows"] * 2]


def test_names_of_rows_that_do_not_follow_stay_cells(app: App, scenes: Pretend) -> None:
    save(with_outliers(EVIL))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert not any("evil.example" in text for text in marked_up(test))


@pytest.mark.parametrize(
    "held",
    [
        None,
        {"not_measured": EVIL},
        {"count": 0, "looked": 5, "share": 0.0, "low": 0.0, "high": 0.0},
    ],
)
def test_a_comparison_that_knows_of_no_such_rows_says_nothing_of_them(
    app: App, scenes: Pretend, held: Any
) -> None:
    made = comparison()
    save(Made({**made.data, "structure": {**made.data["structure"], "outliers": held}}, made.arrays))
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "do not follow" not in texts(test)
    assert not any("evil.example" in text for text in marked_up(test))


def test_each_side_of_the_picture_has_the_colours_of_its_own_rows() -> None:
    arrays = {
        "map_ids": np.asarray(["1", "2", "3"]), "map_right_ids": np.asarray(["a", "b", "c"]),
        "map_field:tag": np.asarray(["v1", "v1", "v2"]), "map_right_field:tag": np.asarray(["v2", "v2", "v2"]),
        "map_field:old_only": np.asarray(["x", "x", "y"]),
    }  # fmt: skip
    ids = {"left": ["1", "2", "3"], "right": ["a", "b", "c"]}
    data = {"left": LEFT, "right": RIGHT}
    groups = compare_map._groups(data, arrays, ids, "tag")
    assert groups == {"left": ["v1", "v1", "v2"], "right": ["v2", "v2", "v2"]}
    assert compare_map._order(groups) == ["v2", "v1"]
    lacking = compare_map._groups(data, arrays, ids, "old_only")
    assert lacking == {"left": ["x", "x", "y"], "right": ["", "", ""]}
    encoded = compare_map._groups({"left": LEFT, "right": "encoder:x"}, arrays, ids, "old_only")
    assert encoded == {"left": ["x", "x", "y"], "right": ["x", "x", "y"]}
    earlier = {name: held for name, held in arrays.items() if not name.startswith("map_right")}
    assert compare_map._groups(data, earlier, ids, "tag") == {side: ["v1", "v1", "v2"] for side in ids}


def test_numbers_fall_into_the_same_ranges_on_both_sides() -> None:
    held = compare_map._split(
        {"left": [str(n) for n in range(50)], "right": [str(n) for n in range(50, 100)]}
    )
    assert held["left"][0] == "0 to 19.8"
    assert held["right"][-1] == "79.2 to 99"


def test_a_row_s_finding_is_that_of_its_own_side(scenes: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"alive/scenes-old": {"1": "norm-drift"}, "alive/scenes": {"a": "zero-vectors"}}
    monkeypatch.setattr(compare_map.health_store, "newest", lambda a: {"id": str(a.with_vector(None))})
    monkeypatch.setattr(compare_map.kept, "place", lambda home, name: name)
    monkeypatch.setattr(compare_map, "_written", found.__getitem__)
    ids = {"left": ["1", "a"], "right": ["1", "a"]}
    groups = compare_map._groups({"left": LEFT, "right": RIGHT}, {}, ids, compare_map.FINDING)
    assert groups == {"left": ["norm-drift", ""], "right": ["", "zero-vectors"]}


def test_points_are_grouped_by_the_commonest_values_and_numbers_by_ranges() -> None:
    words = ["a"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 6 + ["e"] * 5 + ["f"] * 2 + [""]
    groups = compare_map.grouped(words)
    assert set(groups) == {"a", "b", "c", "d", "e", "all others", ""}
    assert groups.count("all others") == 2
    numbers = compare_map.grouped([str(n) for n in range(100)] + [""])
    assert len(set(numbers)) == compare_map.BINS + 1
    assert numbers[0] == "0 to 19.8"
    assert numbers[-1] == ""


@pytest.mark.parametrize(
    "told",
    [None, "x", {}, {"act": "drop"}, {"act": "open"}, {"act": "open", "index": -1}, {"act": "open", "index": True},
     {"act": "row", "index": 1, "side": 0}],
)  # fmt: skip
def test_what_the_browser_sends_is_not_believed(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_columns.st, "session_state", {compare_columns.KEY: {"told": told}})
    assert compare_columns.told() is None


def test_the_state_holds_a_request_without_loss() -> None:
    request = CompareRequest(
        LEFT, "encoder:x", queries=33, texts=("a", "b c"), k=3, match_on="sku", cohorts=("language",), threshold=0.5,
        population="topk", rows=100, seed=9, golden="shop",
    )  # fmt: skip
    state: dict[str, Any] = {}
    compare_state.fill(state, request, request.left, request.right)
    assert compare_state.request_of(state, {}) == request


def test_a_list_that_comes_late_is_waited_for_and_not_taken_for_none(
    app: App, scenes: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(comparison())
    come = threading.Event()
    read = Comparisons.list
    monkeypatch.setattr(Comparisons, "list", lambda *a, **k: (come.wait(20), read(*a, **k))[1])
    monkeypatch.setattr(compare_store, "FRESH", 600.0)
    test = settled(app("compare", l=LEFT, r=RIGHT))
    assert "Not compared yet" not in texts(test)
    come.set()
    board.glance(compare_store.listed(), seconds=10)
    assert "of 10 neighbours stay" in texts(settled(test))
