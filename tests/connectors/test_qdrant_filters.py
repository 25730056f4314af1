"""Filters on Qdrant's engine against the reference, with every kind of payload index on every kind of value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from connectors.filters import (
    And,
    AnyOf,
    Between,
    Equals,
    Exists,
    Filter,
    Ids,
    IsEmpty,
    Not,
    Or,
    matches,
)
from connectors.model import Payload, PayloadField, Row, RowId, Target
from connectors.qdrant.adapter import QdrantConnector
from tests.connectors.qdrant_stores import Made, engine

__all__ = ["engine"]

U = "0f8fad5b-d9cb-469f-a165-70867728950e"
TEXTS = [
    "clip-v1", "Clip-V1", "clip", "clip v1", "clip-v1-large", " clip-v1", "", " ", "ete", "été", "e\u0301te\u0301",
    "ß", "SS", "日本", "1", "1.0", "true", "null", "[]", "a.b", 'quo"te', "back\\slash", "\u202e", "\x00", "🦀",
    U, U.upper(), "{" + U + "}", U.replace("-", ""), "urn:uuid:" + U, "x" * 300,
]  # fmt: skip
NUMBERS: list[int | float] = [
    0, 1, -1, 2, 5, 2**31, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, -(2**53) - 1, 2**63 - 1, -(2**63),
    0.0, -0.0, 1.0, 1.5, -1.5, 0.1, 0.30000000000000004, 1.0000000000000002, 1e300, -1e300, 5e-324, 1e18, 2.0**53,
]  # fmt: skip
TIMES = [
    "2026-11-20T22:10:00Z", "2026-11-20T23:10:00+01:00", "2026-11-20 22:10:00", "2026-11-20T22:10",
    "2026-11-20T22:10Z", "2026-11-20", "2026-1-5", "2026-11-20T22:10:00.0000001Z", "2026-11-20T22:10:00.000001Z",
    "2026-11-20t22:10:00z", "2026-11-20T22:10:00 +0100", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "2026-11-20T22:10:60Z", "20261120", "2026-02-30",
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, [], [None], [[]], {}, {"b": 1}, {"b": None}, {"b": {"c": "x"}}, {"b": [1, 1.5]},
    [{"b": 1}], [1, 1.5], [5, "clip"], [True, "true"], ["clip", "Clip-V1"], [2**53 + 1, 0.5], ["2026-1-5", "2026-11-20"],
    ["2026-11-20T22:10Z", "2020-01-01"], [U.upper(), "clip"], [[1]], [0, None], [1.5, 1],
]  # fmt: skip
VALUES: list[Any] = [*TEXTS, *NUMBERS, *TIMES, *ODD]
INDEXES = {
    "none": None,
    "keyword": PayloadField("keyword", "keyword"),
    "integer": PayloadField("integer", "integer"),
    "lookup": PayloadField("lookup", "integer", details={"lookup": True, "range": False}),
    "ranged": PayloadField("ranged", "integer", details={"lookup": False, "range": True}),
    "float": PayloadField("float", "float"),
    "bool": PayloadField("bool", "bool"),
    "datetime": PayloadField("datetime", "datetime"),
    "uuid": PayloadField("uuid", "uuid"),
    "text": PayloadField("text", "text"),
}
PATHS = [*INDEXES, "none.b", "none.b.c", '"dotted.key"', '"with space".b', "absent", "none.b.absent"]


def corpus() -> list[Payload]:
    """Each value under each index, a row without any, and keys that need quotes."""
    rows: list[Payload] = [{}]
    for value in VALUES:
        row: Payload = dict.fromkeys(INDEXES, value)
        row["dotted.key"] = value
        row["with space"] = {"b": value}
        rows.append(row)
    return rows


Filled = tuple[QdrantConnector, Target, dict[RowId, Payload]]


@pytest.fixture(scope="module")
def filled(engine: QdrantConnector) -> Iterator[Filled]:
    """The rows as the engine gives them back: what it alters on the way in is not the filters' matter."""
    made = Made(engine)
    t = made.collection()
    vectors = np.random.default_rng(0).standard_normal((len(VALUES) + 1, 4)).astype(np.float32)
    rows = [Row(i, {"": vectors[i]}, payload) for i, payload in enumerate(corpus())]
    half = len(rows) // 2
    assert not engine.insert(t, rows[:half]).failed
    engine.index_payload(t, [f for f in INDEXES.values() if f is not None])
    assert not engine.insert(t, rows[half:]).failed
    yield engine, t, {row.id: row.payload for row in engine.export(t)}
    made.clean()


paths = st.sampled_from(PATHS)
scalars = st.sampled_from([*TEXTS, *NUMBERS, *TIMES, True, False])
bounds = st.sampled_from(NUMBERS)
moments = st.sampled_from(
    [t for t in TIMES if t not in ("2026-1-5", "20261120", "2026-02-30", "2026-11-20T22:10:60Z")]
)
atoms = st.one_of(
    st.builds(Equals, paths, scalars),
    st.builds(AnyOf, paths, st.lists(scalars, max_size=5).map(tuple)),
    st.builds(Between, paths, gt=bounds),
    st.builds(Between, paths, lt=bounds),
    st.builds(Between, paths, gte=bounds, lte=bounds),
    st.builds(Between, paths, gt=bounds, lt=bounds),
    st.builds(Between, paths, gte=moments),
    st.builds(Between, paths, gt=moments, lte=moments),
    st.builds(Exists, paths),
    st.builds(IsEmpty, paths),
    st.builds(Ids, st.lists(st.integers(0, len(VALUES)), max_size=4).map(tuple)),
)
filters = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


def expected(kept: dict[RowId, Payload], where: Filter) -> set[RowId]:
    return {row for row, payload in kept.items() if matches(where, payload, row)}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@example(where=Not(Equals("uuid", U)))
@example(where=Between("integer", gt=0, lt=2))
@example(where=Not(Between("integer", gte=1.5)))
@example(where=Between("datetime", gte="2026-11-20T22:10:00.0000001Z"))
@example(where=Between("datetime", gt=-1))
@example(where=Between("float", gte="2020-01-01"))
@example(where=Or(()))
@example(where=Not(And(())))
@given(where=filters)
def test_counts_and_hits_are_those_of_the_reference(filled: Filled, where: Filter) -> None:
    engine, t, kept = filled
    right = expected(kept, where)
    assert engine.count(t, where).rows == len(right)
    (hits,) = engine.search(t, "", np.ones((1, 4), np.float32), len(kept), where)
    assert {h.id for h in hits} == right


@pytest.mark.parametrize("index", INDEXES)
def test_every_value_is_told_from_every_other(filled: Filled, index: str) -> None:
    engine, t, kept = filled
    for value in [*TEXTS, *NUMBERS, *TIMES, True, False]:
        right = expected(kept, Equals(index, value))
        assert engine.count(t, Equals(index, value)).rows == len(right), value
        assert engine.count(t, Not(Equals(index, value))).rows == len(kept) - len(right), value


def test_a_long_list_of_numbers_is_matched_exactly(filled: Filled) -> None:
    engine, t, kept = filled
    for index in INDEXES:
        where = AnyOf(index, tuple(range(1000)))
        assert engine.count(t, where).rows == len(expected(kept, where))
        assert engine.count(t, Not(where)).rows == len(kept) - len(expected(kept, where))


def test_a_key_that_qdrant_cannot_name_is_rechecked_here(engine: QdrantConnector) -> None:
    made = Made(engine)
    t = made.collection()
    one = np.ones(4, np.float32)
    rows = [
        Row(1, {"": one}, {"back\\slash": "a"}),
        Row(2, {"": one}, {"back\\slash": "b"}),
        Row(3, {"": one}, {}),
    ]
    engine.insert(t, rows)
    for where, right in [
        (Equals("back\\slash", "a"), {1}),
        (Not(Equals("back\\slash", "a")), {2, 3}),
        (IsEmpty("back\\slash"), {3}),
    ]:
        found = engine.count(t, where)
        assert (found.rows, found.scanned) == (len(right), True)
        (hits,) = engine.search(t, "", np.ones((1, 4), np.float32), 3, where)
        assert {h.id for h in hits} == right
    made.clean()


def test_a_plain_filter_is_counted_by_the_server_alone(filled: Filled) -> None:
    engine, t, _ = filled
    for where in (Equals("keyword", "clip"), Exists("none"), Between("none", gte=0), Ids((1, 2))):
        assert not engine.count(t, where).scanned


def test_a_search_that_is_rechecked_gives_k_rows_where_there_are_k(engine: QdrantConnector) -> None:
    made = Made(engine)
    t = made.collection()
    engine.index_payload(t, [PayloadField("code", "uuid")])
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((400, 4)).astype(np.float32)
    rows = [Row(i, {"": vectors[i]}, {"code": U if i % 4 == 0 else U.upper()}) for i in range(400)]
    engine.insert(t, rows)
    (hits,) = engine.search(t, "", np.ones((1, 4), np.float32), 20, Equals("code", U))
    order = sorted((i for i in range(0, 400, 4)), key=lambda i: -vectors[i].sum())
    assert [h.id for h in hits] == order[:20]
    made.clean()


def test_a_path_that_cannot_be_read_is_a_usage_error(filled: Filled) -> None:
    engine, t, _ = filled
    with pytest.raises(PlumblineError) as caught:
        engine.count(t, Equals('"open', "x"))
    assert caught.value.code == "usage"


def test_a_fraction_that_is_written_into_an_integer_field_is_found_at_once(engine: QdrantConnector) -> None:
    made = Made(engine)
    t = made.collection()
    engine.index_payload(t, [PayloadField("n", "integer")])
    one = np.ones(4, np.float32)
    engine.insert(t, [Row(i, {"": one}, {"n": i}) for i in range(10)])
    where = Between("n", gte=5, lt=8)
    assert (engine.count(t, where).rows, engine.count(t, where).scanned) == (3, False)
    engine.insert(t, [Row(20, {"": one}, {"n": 5.5}), Row(21, {"": one}, {"n": [1, 6.5]})])
    assert engine.count(t, where).rows == 5
    (hits,) = engine.search(t, "", np.ones((1, 4), np.float32), 20, where)
    assert {h.id for h in hits} == {5, 6, 7, 20, 21}
    made.clean()
