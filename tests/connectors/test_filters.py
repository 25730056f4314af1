"""What a filter means: the reference that every adapter is held to, against hand-made tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from connectors.filters import (
    And,
    AnyOf,
    Atom,
    Equals,
    Filter,
    Not,
    Or,
    Translated,
    fields_of,
    from_json,
    instant,
    matches,
    parse,
    split_path,
    translate,
)
from connectors.model import parse_id


def says(where: dict[str, Any], payload: dict[str, Any]) -> bool:
    return matches(from_json(where), payload)


@pytest.mark.parametrize(
    ("held", "value", "equal"),
    [
        ("clip-v1", "clip-v1", True),
        ("clip-v1", "Clip-v1", False),
        ("clip-v1", "clip", False),
        ("clip-v1 ", "clip-v1", False),
        ("e\u0301", "é", False),
        ("", "", True),
        ("1", 1, False),
        (1, 1.0, True),
        (1, True, False),
        (True, 1, False),
        (True, True, True),
        (False, 0, False),
        (2**53 + 1, 2**53, False),
        (None, "None", False),
        (["a", "b"], "b", True),
        (["a", ["b"]], "b", False),
        ([], "", False),
        ({"a": 1}, "a", False),
    ],
)
def test_equality_is_by_value_and_kind(held: Any, value: Any, equal: bool) -> None:
    assert says({"equals": {"field": "x", "value": value}}, {"x": held}) is equal
    assert says({"any_of": {"field": "x", "values": ["other", value]}}, {"x": held}) is equal
    assert says({"not": {"equals": {"field": "x", "value": value}}}, {"x": held}) is not equal


@pytest.mark.parametrize(
    ("payload", "there"),
    [
        ({}, False),
        ({"x": None}, False),
        ({"x": []}, False),
        ({"x": ""}, True),
        ({"x": 0}, True),
        ({"x": [None]}, True),
        ({"x": {}}, True),
        ({"x": False}, True),
    ],
)
def test_exists_is_there_not_null_and_not_an_empty_list(payload: dict[str, Any], there: bool) -> None:
    assert says({"exists": {"field": "x"}}, payload) is there
    assert says({"is_empty": {"field": "x"}}, payload) is not there


def test_a_path_goes_through_objects_and_never_through_lists() -> None:
    where = {"equals": {"field": "a.b", "value": 1}}
    assert says(where, {"a": {"b": 1}})
    assert says(where, {"a": {"b": [2, 1]}})
    assert not says(where, {"a": [{"b": 1}]})
    assert not says(where, {"a.b": 1})
    assert says({"equals": {"field": '"a.b".c', "value": 1}}, {"a.b": {"c": 1}})
    assert split_path('a."b.c".d') == ("a", "b.c", "d")


@pytest.mark.parametrize(
    ("bounds", "held", "inside"),
    [
        ({"gte": 1}, 1, True),
        ({"gt": 1}, 1, False),
        ({"gt": 1, "lt": 3}, 2.5, True),
        ({"gte": 0}, True, False),
        ({"gte": 0}, "1", False),
        ({"lt": 0}, [5, -1], True),
        ({"gte": "2026-01-01"}, "2026-01-01T00:00:00Z", True),
        ({"gt": "2026-01-01T00:00:00Z"}, "2026-01-01T01:00:00+01:00", False),
        ({"gte": "2026-01-01T00:00:00Z"}, "2026-01-01T01:00:00+01:00", True),
        ({"gt": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:00.000000001Z", True),
        ({"gte": "2026-01-01"}, "not a time", False),
        ({"gte": "2026-01-01"}, 5, False),
    ],
)
def test_a_range_compares_numbers_or_instants(bounds: dict[str, Any], held: Any, inside: bool) -> None:
    assert says({"range": {"field": "x", **bounds}}, {"x": held}) is inside


def test_empty_conjunction_is_true_and_empty_disjunction_false() -> None:
    assert says({"and": []}, {})
    assert not says({"or": []}, {})


@given(st.datetimes(timezones=st.timezones()))
def test_instants_agree_with_the_standard_library(moment: datetime) -> None:
    offset = moment.utcoffset()
    assert offset is not None
    if offset.total_seconds() % 60:
        return
    nanoseconds = instant(moment.isoformat())
    assert nanoseconds is not None
    days = moment.toordinal() - datetime(1970, 1, 1).toordinal()  # noqa: DTZ001
    seconds = (
        days * 86400 + moment.hour * 3600 + moment.minute * 60 + moment.second - int(offset.total_seconds())
    )
    assert nanoseconds == seconds * 10**9 + moment.microsecond * 1000


@pytest.mark.parametrize(
    "text", ["2026-13-01", "2026-01-01T25:00:00Z", "yesterday", "", "2026", "2026-01-01T00:00:00+99:00"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert instant(text) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("{", "filter"),
        ("[]", "filter"),
        ('{"equals": {"field": "a", "value": 1}, "or": []}', "filter"),
        ('{"equals": {"value": 1}}', "filter.equals"),
        ('{"equals": {"field": "a", "value": null}}', "filter.equals"),
        ('{"equals": {"field": "a", "vlaue": 1}}', "filter.equals"),
        ('{"matches": {"field": "a"}}', "filter"),
        ('{"and": {"field": "a"}}', "filter.and"),
        ('{"or": [{"range": {"field": "a"}}]}', "filter.or[0].range"),
        ('{"range": {"field": "a", "gt": "x"}}', "filter.range"),
        ('{"range": {"field": "a", "gt": 1, "lt": "2026-01-01"}}', "filter.range"),
        ('{"any_of": {"field": "a", "values": "b"}}', "filter.any_of"),
        ('{"ids": ["nonsense"]}', "filter.ids"),
        ('{"equals": {"field": "a..b", "value": 1}}', "filter"),
        ('{"not": ' * 30 + '{"and": []}' + "}" * 30, "filter"),
        ("[" * 100_000, "filter"),
    ],
)
def test_a_bad_filter_is_refused_with_its_place(text: str, at: str) -> None:
    with pytest.raises(PlumblineError) as caught:
        parse(text)
    assert caught.value.code == "usage"
    assert caught.value.where.startswith(at)


class Halves:
    """A dialect over sets of the numbers 0 to 31 that is exact for even atoms and too wide for odd ones."""

    everything = frozenset(range(32))

    def atom(self, atom: Atom, negated: bool) -> Translated[frozenset[int]]:
        assert isinstance(atom, Equals)
        exact = frozenset(
            n
            for n in self.everything
            if matches(atom, {"bits": [b for b in range(5) if n >> b & 1]}) is not negated
        )
        if atom.value == 4:
            return Translated(None, False)
        if isinstance(atom.value, int) and atom.value % 2:
            return Translated(exact | {0, 31}, False)
        return Translated(exact, True)

    def all_of(self, parts: Any) -> frozenset[int]:
        return frozenset.intersection(*parts)

    def any_of(self, parts: Any) -> frozenset[int]:
        return frozenset.union(*parts)

    def nothing(self) -> frozenset[int]:
        return frozenset()


bit_filters = st.recursive(
    st.builds(Equals, st.just("bits"), st.integers(0, 4)),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(bit_filters)
def test_a_translation_never_loses_a_row_and_is_exact_where_it_says_so(where: Filter) -> None:
    right = {n for n in range(32) if matches(where, {"bits": [b for b in range(5) if n >> b & 1]})}
    translated = translate(where, Halves())
    given_rows = Halves.everything if translated.server is None else translated.server
    assert right <= given_rows
    if translated.exact:
        assert right == given_rows


def test_the_fields_of_a_filter_are_each_named_once() -> None:
    where = parse(
        '{"and": [{"exists": {"field": "a.b"}}, {"not": {"equals": {"field": "c", "value": 1}}}, {"is_empty": {"field": "a.b"}}, {"ids": [1]}]}'
    )
    assert fields_of(where) == ("a.b", "c")


def test_true_is_another_condition_than_1_and_1_is_1_0() -> None:
    for one, other in (
        (Equals("a", True), Equals("a", 1)),
        (Equals("a", False), Equals("a", 0.0)),
        (AnyOf("a", (True, 2)), AnyOf("a", (1, 2))),
        (And((Equals("a", True),)), And((Equals("a", 1),))),
        (Not(Equals("a", True)), Not(Equals("a", 1))),
    ):
        assert one != other
        assert len({one, other}) == 2
    assert Equals("a", 1) == Equals("a", 1.0)
    assert hash(Equals("a", 1)) == hash(Equals("a", 1.0))
    assert AnyOf("a", (1, "x")) == AnyOf("a", (1.0, "x"))
    assert Equals("a", 1) != AnyOf("a", (1,))


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_is_no_id(value: bool) -> None:
    with pytest.raises(ValueError, match="no id"):
        parse_id(value)
    with pytest.raises(PlumblineError):
        from_json({"ids": [value]})
