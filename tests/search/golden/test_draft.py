"""What a golden set may hold, how a draft is edited, and what its hash depends on."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from connectors.errors import PlumblineError
from connectors.filters import And, Equals
from console.search.golden import (
    GoldenQuery,
    GoldenSet,
    Judgement,
    Rule,
    check,
    content_hash,
    has_grade,
    joined,
    judged,
    key_text,
    qrels,
    query_id,
    query_of,
    with_query,
    with_rule,
    with_smoke,
    without_query,
    without_rule,
)
from console.search.golden.form import from_json, to_json
from console.search.request import QueryRequest, RowPart, Upload
from console.settings import parse_address

RED = Equals("colour", "red")
PICTURE = Upload("ab" * 32)
SHOP = GoldenSet(
    "shop",
    queries=(
        GoldenQuery("red", "a red circle", cohort={"language": "en"}, must=("1",), must_not=("2",)),
        GoldenQuery("like", None, PICTURE, 7),
    ),
    judgements=(Judgement("red", "1", 3), Judgement("red", "2", 0), Judgement("like", "9", 1)),
    rules=(Rule("red", And((RED, Equals("shape", "circle"))), 2), Rule("red", RED, 1)),
    note="by hand",
)


def code_of(call: Any, *args: Any) -> str:
    with pytest.raises(PlumblineError) as caught:
        call(*args)
    return caught.value.code


def test_a_set_comes_back_from_its_json() -> None:
    assert from_json("shop", 3, to_json(SHOP)) == SHOP.but(version=3)
    assert check(SHOP) is SHOP


def test_the_hash_is_of_what_the_set_says() -> None:
    rng = random.Random(1)
    mixed = SHOP.but(
        name="other",
        version=9,
        note="",
        **{
            n: tuple(rng.sample(getattr(SHOP, n), len(getattr(SHOP, n))))
            for n in ("queries", "judgements", "rules")
        },
    )
    assert content_hash(mixed) == content_hash(SHOP)
    changes: list[GoldenSet] = [
        SHOP.but(key_field="sku"),
        judged(SHOP, "red", "1", 2),
        judged(SHOP, "red", "5", 1),
        without_rule(SHOP, "red", RED),
        with_smoke(SHOP, "red", (), ("2",)),
        with_query(SHOP, GoldenQuery("blue", "a blue circle")),
        without_query(SHOP, "like"),
    ]
    assert len({content_hash(s) for s in (SHOP, *changes)}) == len(changes) + 1


def test_a_thumb_adds_the_query_once_and_can_be_taken_back() -> None:
    asked = query_of(QueryRequest((parse_address("a/b"),), text="a red circle"))
    assert asked.id == query_id("a red circle") == query_id("a red circle", None, None)
    draft = judged(GoldenSet("shop", version=4), asked, "12", 1)
    draft = judged(draft, asked, "13", 0)
    draft = judged(draft, asked, "12", 2)
    assert draft.version is None
    assert draft.queries == (asked,)
    assert draft.judgements == (Judgement(asked.id, "12", 2), Judgement(asked.id, "13", 0))
    assert judged(draft, asked.id, "12", None).judgements == (Judgement(asked.id, "13", 0),)
    assert code_of(judged, draft, "nobody", "12", 1) == "not-found"


def test_a_grade_is_taken_back_only_where_there_is_one() -> None:
    same = GoldenQuery("other", "a red circle")
    assert has_grade(SHOP, "red", "2")
    assert not has_grade(SHOP, same, "5")
    assert "2" not in judged(SHOP, same, "2", None).grades("red")
    for query, key in (
        (GoldenQuery("new", "never asked"), "1"),
        ("nobody", "1"),
        ("red", "5"),
        (same, "9"),
        ("like", "1"),
    ):
        assert code_of(judged, SHOP, query, key, None) == "not-found"
    assert code_of(judged, SHOP, "red", "not an id", None) == "usage"
    assert code_of(has_grade, SHOP, "nobody", "1") == "not-found"


def test_a_thumb_goes_to_the_query_that_asks_the_same_whatever_its_id() -> None:
    asked_again = query_of(QueryRequest((parse_address("a/b"),), text="a red circle"))
    draft = judged(SHOP, asked_again, "7", 1)
    assert draft.queries == SHOP.queries
    assert draft.grades("red")["7"] == 1
    by_row = query_of(QueryRequest((parse_address("a/b"),), image=PICTURE, row=RowPart.parse("a/b:7")))
    assert judged(SHOP, by_row, "7", 1).grades("like") == {"9": 1, "7": 1}
    assert len(judged(SHOP, GoldenQuery("new", "a red circle", row=1), "7", 1).queries) == 3


def test_a_query_is_added_once_and_nothing_of_the_one_that_is_there_is_lost() -> None:
    draft = with_query(SHOP, GoldenQuery("blue", "a blue circle"))
    assert draft.queries == (*SHOP.queries, GoldenQuery("blue", "a blue circle"))
    for again in (
        GoldenQuery("red", "else"),
        GoldenQuery("other", "a red circle", cohort={"language": "de"}),
    ):
        assert code_of(with_query, SHOP, again) == "changed"


def test_smoke_items_are_changed_and_nothing_else_of_the_query() -> None:
    draft = with_smoke(SHOP, "red", ("5", "1"), ())
    held = draft.query("red")
    assert held is not None
    assert (held.must, held.must_not, held.cohort) == (("5", "1"), (), {"language": "en"})
    assert draft.but(queries=SHOP.queries) == SHOP
    assert code_of(with_smoke, SHOP, "nobody", ("1",), ()) == "not-found"
    assert code_of(with_smoke, SHOP, "red", ("1", "1"), ()) == "usage"
    assert code_of(with_smoke, SHOP, "red", ("1",), ("1",)) == "usage"


def test_a_rule_on_true_is_another_one_than_a_rule_on_1() -> None:
    true, one = Equals("on", True), Equals("on", 1)
    draft = with_rule(with_rule(GoldenSet("s", queries=(GoldenQuery("q", "x"),)), "q", true, 1), "q", one, 2)
    assert [r.grade for r in draft.rules] == [1, 2]
    assert [r.grade for r in without_rule(draft, "q", one).rules] == [1]
    assert len(joined(draft.but(rules=draft.rules[:1]), draft).rules) == 2


def test_the_order_of_smoke_items_does_not_change_the_hash_nor_what_is_joined() -> None:
    one = GoldenSet("s", queries=(GoldenQuery("q", "x", must=("1", "2"), must_not=("4", "3")),))
    other = GoldenSet("s", queries=(GoldenQuery("q", "x", must=("2", "1"), must_not=("3", "4")),))
    assert content_hash(one) == content_hash(other)
    assert joined(one, other).queries == one.queries


def test_sets_of_many_rules_are_joined_in_one_pass() -> None:
    """A set made anew for each of 5,000 rules would take minutes; the quadratic part is the only one that is slow."""
    rules = tuple(Rule("q", Equals("a", i), 1) for i in range(5_000))
    held = GoldenSet("s", queries=(GoldenQuery("q", "x"),), rules=rules)
    began = time.process_time()
    assert len(joined(held, held.but(rules=(*rules, Rule("q", Equals("a", -1), 1)))).rules) == 5_001
    assert time.process_time() - began < 3


def test_what_was_checked_before_is_not_looked_at_again_and_what_is_new_is() -> None:
    odd = SHOP.but(judgements=(*SHOP.judgements, Judgement("red", "not an id", 1)))
    assert code_of(check, odd) == "usage"
    assert check(odd, odd) is odd
    assert code_of(check, odd, SHOP) == "usage"
    assert code_of(check, odd.but(key_field="sku").but(judgements=(Judgement("red", "", 1),)), odd) == "usage"
    assert code_of(check, odd.but(judgements=odd.judgements * 2), odd) == "usage"


def test_a_live_query_becomes_a_golden_one_unless_it_is_a_bare_vector() -> None:
    where = (parse_address("a/b"),)
    asked = query_of(QueryRequest(where, text="x", image=PICTURE, row=RowPart.parse("a/c:12")))
    assert (asked.text, asked.image, asked.row) == ("x", PICTURE, 12)
    assert asked.parts == ("text", "image", "row")
    assert code_of(query_of, QueryRequest(where, vector=(1.0,))) == "usage"


def test_grades_of_rules_are_the_highest_and_a_judgement_outweighs_them() -> None:
    rows = {SHOP.rules[0]: ["1", "4"], SHOP.rules[1]: ["1", "2", "4", "5"]}
    assert qrels(SHOP, lambda rule: rows[rule]) == {
        "red": {"1": 3, "4": 2, "2": 0, "5": 1},
        "like": {"9": 1},
    }
    assert SHOP.closed == {"red"}


def test_sets_are_joined_where_they_do_not_contradict_each_other() -> None:
    more = GoldenSet(
        "x",
        queries=(SHOP.queries[0], GoldenQuery("new", "blue")),
        judgements=(Judgement("red", "1", 3), Judgement("new", "8", 1)),
        rules=(SHOP.rules[1],),
    )
    both = joined(SHOP, more)
    assert [q.id for q in both.queries] == ["red", "like", "new"]
    assert len(both.judgements) == 4
    assert both.rules == SHOP.rules
    assert joined(GoldenSet("empty"), SHOP.but(key_field="sku")).key_field == "sku"
    for other in (
        judged(SHOP, "red", "1", 1),
        SHOP.but(queries=(GoldenQuery("red", "something else"),)),
        with_smoke(SHOP, "red", ("1", "5"), ()),
        with_rule(SHOP, "red", RED, 3),
        SHOP.but(key_field="sku"),
    ):
        assert code_of(joined, SHOP, other) == "changed"


@pytest.mark.parametrize(
    "broken",
    [
        SHOP.but(name="../up"),
        SHOP.but(name=""),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("red", "again"))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("nothing"))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("blank", "  "))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery(" blank", "x"))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("nul", "a\0b"))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("lone", "a\ud800"))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("a\nb", "x"))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("both", "x", must=("1",), must_not=("1",)))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("cohort", "x", cohort={"": "de"}))),
        SHOP.but(judgements=(*SHOP.judgements, Judgement("red", "1", 1))),
        SHOP.but(judgements=(*SHOP.judgements, Judgement("nobody", "1", 1))),
        SHOP.but(judgements=(Judgement("red", "MED-10", 1),)),
        SHOP.but(judgements=(Judgement("red", "007", 1),)),
        SHOP.but(judgements=(Judgement("red", "1", -1),)),
        SHOP.but(judgements=(Judgement("red", "1", True),)),
        SHOP.but(judgements=(Judgement("red", "1", 1.5),)),  # type: ignore[arg-type]
        SHOP.but(key_field="a..b"),
        SHOP.but(rules=(Rule("nobody", RED, 1),)),
        SHOP.but(note="x" * 3_000),
        SHOP.but(note="a\ud800"),
        SHOP.but(note="a\0b"),
        SHOP.but(note="a\x1b[31m"),
        SHOP.but(rules=(Rule("red", Equals("a", "\udfff"), 1),)),
        SHOP.but(rules=(Rule("red", Equals("\ud800", 1), 1),)),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("twice", "x", must=("1", "1")))),
        SHOP.but(queries=(*SHOP.queries, GoldenQuery("true", row=True))),
    ],
)
def test_what_a_set_can_not_hold_is_refused(broken: GoldenSet) -> None:
    assert code_of(check, broken) == "usage"


def test_keys_of_a_field_may_be_any_text() -> None:
    field = SHOP.but(
        key_field="sku",
        queries=(GoldenQuery("red", "x"),),
        judgements=(Judgement("red", "MED-10 ü", 1),),
        rules=(),
    )
    assert check(field) is field
    assert [key_text(v) for v in ("a", 7, 7.0, 0.5, ["b"], ["b", "c"], True, None, {}, "", float("nan"))] == [
        "a", "7", "7", "0.5", "b", None, None, None, None, None, None,
    ]  # fmt: skip


def test_a_rule_is_replaced_by_one_of_the_same_condition() -> None:
    changed = with_rule(SHOP, "red", RED, 5)
    assert [r.grade for r in changed.rules] == [2, 5]
    assert code_of(with_rule, SHOP, "red", RED, 1_000) == "usage"
    assert code_of(with_rule, SHOP, "nobody", RED, 1) == "not-found"
    assert without_query(SHOP, "red").rules == ()


@pytest.mark.parametrize(
    "data", [{}, {"format": 1}, {**to_json(SHOP), "judgements": [[1]]}, {**to_json(SHOP), "queries": 5}]
)
def test_data_that_is_no_set_is_damaged(data: dict[str, Any]) -> None:
    assert code_of(from_json, "shop", None, data) == "damaged"
    assert code_of(from_json, "shop", None, {**data, "format": 2}) == "unsupported"
