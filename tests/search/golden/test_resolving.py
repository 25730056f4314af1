"""Rules on a real collection mean the rows that the filter's reference evaluation lets pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from connectors.filters import And, AnyOf, Between, Equals, Exists, Filter, Ids, IsEmpty, Not, Or, matches
from connectors.model import PayloadField, Row, Target
from console.progress import Cancelled
from console.search.golden import GoldenQuery, GoldenSet, Judgement, Rule
from console.search.golden.passing import Passing
from console.search.golden.resolving import resolve
from tests.search.conftest import PAYLOAD, PHRASES, Bench, row_id

SCALARS = st.one_of(
    st.sampled_from(["red", "blue", "", "1", "2026-01-01"]), st.integers(-2, 2), st.booleans(), st.just(0.5)
)
VALUES = st.one_of(st.none(), SCALARS, st.lists(SCALARS, max_size=3))
FIELDS = st.sampled_from(["a", "b.c", '"d.e"'])
ATOMS = st.one_of(
    st.builds(Equals, FIELDS, SCALARS),
    st.builds(AnyOf, FIELDS, st.lists(SCALARS, max_size=3).map(tuple)),
    st.builds(lambda f, n: Between(f, gte=n), FIELDS, st.integers(-2, 2)),
    st.builds(Exists, FIELDS),
    st.builds(IsEmpty, FIELDS),
    st.builds(lambda ids: Ids(tuple(ids)), st.lists(st.integers(0, 9), max_size=4)),
)
FILTERS: Any = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda parts: And(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


@given(
    st.lists(FILTERS, min_size=1, max_size=4),
    st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_columns_pass_as_payloads_do(wanted: list[Filter], rows: list[tuple[Any, Any, Any]]) -> None:
    passing = Passing(wanted)
    held = {"a": [r[0] for r in rows], "b.c": [r[1] for r in rows], '"d.e"': [r[2] for r in rows]}
    masks = passing.masks(range(len(rows)), {name: held[name] for name in passing.fields})
    for what, mask in zip(wanted, masks, strict=True):
        for i, (a, bc, de) in enumerate(rows):
            payload = {
                **({} if a is None else {"a": a}),
                "b": {} if bc is None else {"c": bc},
                **({} if de is None else {"d.e": de}),
            }
            assert mask[i] == matches(what, payload, i), (what, payload)


RULES = {
    "red": Equals("modality", "text"),
    "low": And((Between("number", lt=9), Not(Equals("modality", "image")))),
    "named": Or((Equals("caption", "big red circle"), Ids((row_id(3),)))),
    "none": Equals("modality", "sound"),
}


def a_set(**more: Any) -> GoldenSet:
    return GoldenSet(
        "toys",
        queries=tuple(GoldenQuery(name, name) for name in RULES),
        rules=tuple(Rule(name, where, 1) for name, where in RULES.items()),
    ).but(**more)


def test_rules_mean_the_rows_that_pass(bench: Bench) -> None:
    address = bench.collection()
    found = resolve(a_set(), bench.connector, Target(address.collection), modality_field="modality")
    payloads = [
        {"caption": p, "modality": "image" if i % 2 else "text", "number": i} for i, p in enumerate(PHRASES)
    ]
    for name, where in RULES.items():
        wanted = {str(row_id(i)) for i, p in enumerate(payloads) if matches(where, p, row_id(i))}
        assert set(found.qrels.get(name, {})) == wanted, name
    assert (found.rows, found.read, found.things, found.missing) == (
        len(PHRASES),
        len(PHRASES),
        len(PHRASES),
        {},
    )
    assert found.modality[str(row_id(3))] == "image"


def test_judged_rows_that_are_gone_are_named(bench: Bench) -> None:
    address = bench.collection()
    golden = GoldenSet(
        "toys",
        queries=(GoldenQuery("q", "red", must=(str(row_id(1)), str(row_id(900)))), GoldenQuery("r", "blue")),
        judgements=(Judgement("q", str(row_id(0)), 1), Judgement("q", str(row_id(901)), 0)),
    )
    found = resolve(golden, bench.connector, Target(address.collection), modality_field="modality")
    assert found.missing == {"q": (str(row_id(901)),)}
    assert found.missing_smoke == {"q": (str(row_id(900)),)}
    assert (found.rows, found.keys, found.read) == (len(PHRASES), None, 0)
    assert found.modality == {str(row_id(0)): "text", str(row_id(1)): "image"}


def test_keys_of_a_field_outlive_new_ids(bench: Bench) -> None:
    """Two rows of one article are one key; the same judgements hold for a collection with other ids."""
    golden = GoldenSet(
        "toys",
        key_field="sku",
        queries=(GoldenQuery("q", "red", must=("gone",)),),
        judgements=(Judgement("q", "sku-1", 1),),
        rules=(Rule("q", Equals("modality", "image"), 2),),
    )
    payload = (*PAYLOAD, PayloadField("sku", "keyword", indexed=True))
    for start in (0, 500):
        address = bench.collection(phrases=(), payload=payload)
        rows = [
            Row(
                row_id(start + i),
                {"clip": np.eye(8, dtype=np.float32)[i]},
                {"modality": "image" if i % 3 else "text", **({"sku": f"sku-{i // 2}"} if i < 6 else {})},
            )
            for i in range(8)
        ]
        bench.fill(address.collection, rows)
        found = resolve(golden, bench.connector, Target(address.collection))
        assert found.qrels == {"q": {"sku-0": 2, "sku-1": 1, "sku-2": 2}}
        assert (found.missing, found.missing_smoke) == ({}, {"q": ("gone",)})
        assert (found.rows, found.keys, found.things) == (8, 3, 3)


def test_too_many_rows_are_said_before_they_are_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    address = bench.collection()
    monkeypatch.setattr("console.search.golden.resolving.MOST_ROWS", 5)
    with pytest.raises(PlumblineError) as caught:
        resolve(a_set(), bench.connector, Target(address.collection))
    assert caught.value.code == "usage"
    assert "18 rows" in caught.value.message
    monkeypatch.undo()
    monkeypatch.setattr("console.search.golden.resolving.MOST_KEYS", 5)
    with pytest.raises(PlumblineError) as caught:
        resolve(a_set(), bench.connector, Target(address.collection))
    assert caught.value.code == "usage"


def test_it_stops_where_it_is_told_to(bench: Bench) -> None:
    address = bench.collection()
    with pytest.raises(Cancelled):
        resolve(a_set(), bench.connector, Target(address.collection), cancelled=lambda: True)


def test_rules_on_true_and_on_1_mean_different_rows(bench: Bench) -> None:
    payload = (*PAYLOAD, PayloadField("on", "bool", indexed=True))
    address = bench.collection(payload=payload, extra={"on": True})
    golden = GoldenSet(
        "toys",
        queries=(GoldenQuery("true", "red"), GoldenQuery("one", "red")),
        rules=(Rule("true", Equals("on", True), 1), Rule("one", Equals("on", 1), 1)),
    )
    found = resolve(golden, bench.connector, Target(address.collection))
    assert {query: len(grades) for query, grades in found.qrels.items()} == {"true": 18, "one": 0}


def test_a_querys_own_row_is_no_answer_to_it(bench: Bench) -> None:
    address = bench.collection()
    golden = GoldenSet(
        "toys",
        queries=(
            GoldenQuery("alone", row=row_id(1)),
            GoldenQuery("more", row=row_id(1)),
            GoldenQuery("t", "x"),
        ),
        judgements=(
            Judgement("alone", str(row_id(1)), 1),
            *(Judgement(query, str(row_id(i)), 1) for query in ("more", "t") for i in (1, 2)),
        ),
    )
    own = str(row_id(1))
    for rules in ((), (Rule("more", Equals("modality", "image"), 2),)):
        found = resolve(golden.but(rules=rules), bench.connector, Target(address.collection))
        assert (own in found.qrels["alone"], own in found.qrels["more"], own in found.qrels["t"]) == (
            False,
            False,
            True,
        )
        assert found.own == {"alone": (own,), "more": (own,)}
        assert found.by_own == {"alone", "more"}
        assert (found.things_of("alone"), found.things_of("t")) == (17, 18)


def test_a_querys_own_key_is_an_answer_where_another_row_has_it(bench: Bench) -> None:
    """Rows 0 and 1 are one article, row 2 is another one."""
    payload = (*PAYLOAD, PayloadField("sku", "keyword", indexed=True))
    address = bench.collection(phrases=(), payload=payload)
    bench.fill(
        address.collection,
        [
            Row(row_id(i), {"clip": np.eye(8, dtype=np.float32)[i]}, {"sku": f"sku-{i // 2}"})
            for i in range(3)
        ],
    )
    golden = GoldenSet(
        "toys",
        key_field="sku",
        queries=(
            GoldenQuery("two", row=row_id(0)),
            GoldenQuery("one", row=row_id(2)),
            GoldenQuery("no", row=row_id(9)),
        ),
        judgements=tuple(Judgement(q, f"sku-{i}", 1) for q in ("two", "one", "no") for i in (0, 1)),
    )
    found = resolve(golden, bench.connector, Target(address.collection))
    assert found.qrels == {
        "two": {"sku-0": 1, "sku-1": 1},
        "one": {"sku-0": 1},
        "no": {"sku-0": 1, "sku-1": 1},
    }
    assert found.own == {"one": ("sku-1",)}
    assert found.by_own == {"one"}
