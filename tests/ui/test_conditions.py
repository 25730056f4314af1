"""The filter builder's rows and the filters that they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.errors import PlumblineError
from connectors.filters import And, AnyOf, Between, Equals, Exists, Filter, IsEmpty, Not, Or
from console.ui.conditions import Condition, from_filter, to_filter

values = some.one_of(
    some.text(max_size=12),
    some.integers(-(10**9), 10**9),
    some.floats(allow_nan=False, allow_infinity=False),
    some.booleans(),
    some.sampled_from(["12", "true", "1e5", "", " x", 'a"b', "a,b", '"', "null"]),
)
fields = some.sampled_from(["modality", "a.b", "source"])
atoms: some.SearchStrategy[Filter] = some.one_of(
    some.builds(Equals, fields, values),
    some.builds(lambda f, v: Not(Equals(f, v)), fields, values),
    some.builds(AnyOf, fields, some.lists(values, min_size=1, max_size=3).map(tuple)),
    some.builds(Exists, fields),
    some.builds(IsEmpty, fields),
    some.builds(lambda f, v: Between(f, gte=v), fields, some.floats(-1e6, 1e6)),
)
simple: some.SearchStrategy[Filter] = some.one_of(
    atoms,
    some.lists(atoms, min_size=2, max_size=4).map(lambda p: And(tuple(p))),
    some.lists(atoms, min_size=2, max_size=4).map(lambda p: Or(tuple(p))),
)


@given(simple)
def test_rows_that_show_a_filter_mean_the_same_filter(what: Filter) -> None:
    shown = from_filter(what)
    if shown is not None:
        rows, join = shown
        assert to_filter(rows, join, {}) == what


@given(some.one_of(some.builds(Equals, fields, values), some.builds(Exists, fields)))
def test_a_single_condition_can_always_be_shown_as_a_row(what: Filter) -> None:
    assert from_filter(what) is not None


def test_what_rows_can_t_show_is_left_to_json() -> None:
    assert from_filter(Not(And((Exists("a"), Exists("b"))))) is None
    assert from_filter(And((Exists("a"),))) is None
    assert from_filter(Between("a", gte=1.0, lt=2.0)) is None


def test_rows_without_a_field_say_nothing() -> None:
    assert to_filter([Condition(), Condition(" ", "is", "x")], "all", {}) is None


def test_a_value_is_read_by_the_field_s_type() -> None:
    row = [Condition("n", "is", "12")]
    assert to_filter(row, "all", {"n": "integer"}) == Equals("n", 12)
    assert to_filter(row, "all", {"n": "keyword"}) == Equals("n", "12")
    assert to_filter(row, "all", {}) == Equals("n", 12)
    assert to_filter([Condition("n", "is", '"12"')], "all", {}) == Equals("n", "12")


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (Condition("n", "is", "twelve"), "integer"),
        (Condition("n", "is", "yes"), "bool"),
        (Condition("n", "at least", "soon"), "datetime"),
        (Condition("n", "at least", ""), "float"),
    ],
)
def test_a_value_that_can_t_be_read_is_refused_with_its_row(row: Condition, kind: str) -> None:
    with pytest.raises(PlumblineError) as fault:
        to_filter([row], "all", {"n": kind})
    assert fault.value.code == "usage"
    assert "condition 1" in fault.value.where


def test_values_in_a_list_may_hold_commas_in_quotes() -> None:
    rows = [Condition("f", "is one of", 'a, "b, c", 3')]
    assert to_filter(rows, "any", {}) == AnyOf("f", ("a", "b, c", 3))
