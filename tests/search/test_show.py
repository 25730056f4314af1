"""Answers for people: nothing in a payload is ever more than data."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from console.search import HitRow, QueryAnswer, QueryRequest, Side, Timings
from console.search.answer import finite
from console.search.fields import RowFields, same_row
from console.search.show import LONGEST_CELL, cell, explain, export_hits, preview
from console.settings import Address

HERE = Address("demo", "scenes")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
payloads = st.dictionaries(st.text(max_size=10), json_values, max_size=5)


def answer(*payloads_: dict[str, Any], score: float = 0.5) -> QueryAnswer:
    hits = tuple(
        HitRow(rank, rank, HERE, score, "similarity", payload) for rank, payload in enumerate(payloads_, 1)
    )
    return QueryAnswer(QueryRequest((HERE,), text="x"), (Side(HERE),), hits)


@given(payloads, st.integers(50, 3000))
def test_a_preview_is_bounded_and_json_whatever_the_payload(payload: dict[str, Any], limit: int) -> None:
    made = preview(payload, limit)
    assert len(json.dumps(made.value, ensure_ascii=False, allow_nan=False)) < limit * 12 + 2000


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "x" * 10_000_000},
        {"list": ["x"] * 1_000_000},
        {f"k{i}": i for i in range(100_000)},
        {"k" * 100_000: 1},
        {"deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}},
    ],
)
def test_a_huge_payload_is_cut_and_says_so(payload: dict[str, Any]) -> None:
    made = preview(payload, 500)
    assert len(json.dumps(made.value)) < 3000
    assert made.cut or "k" * 100_000 in payload


def test_a_small_payload_is_left_alone() -> None:
    payload = {"caption": "a red circle", "tags": ["a", 1, None], "n": {"x": 1.5}}
    assert preview(payload).value == payload
    assert not preview(payload).cut


@given(st.lists(payloads, max_size=3))
def test_json_lines_hold_every_payload_whole(held: list[dict[str, Any]]) -> None:
    lines = export_hits(answer(*held)).split("\n")[:-1]
    assert [json.loads(line)["payload"] for line in lines] == [finite(p) for p in held]


@given(st.lists(payloads, max_size=3))
def test_csv_has_a_row_for_each_hit_and_no_cell_that_is_a_formula(held: list[dict[str, Any]]) -> None:
    rows = list(csv.reader(io.StringIO(export_hits(answer(*held), "csv"), newline="")))
    assert len(rows) == len(held) + 1
    assert len({len(r) for r in rows}) == 1
    for value in (v for row in rows for v in row):
        assert not value.startswith(("=", "+", "@", "|", "%", "\t", "\r")), value
        if value.startswith("-"):
            float(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("  =1", "'  =1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("\x00=1", "'=1"),
        ("\t=1", "'\t=1"),
        ("plain", "plain"),
        (-2.5, -2.5),
        (7, 7),
        (math.nan, None),
        (None, None),
        (True, "true"),
        (["=1"], '["=1"]'),
    ],
)
def test_a_cell_is_never_a_formula(value: Any, shown: Any) -> None:
    assert cell(value) == shown


def test_a_cell_fits_a_spreadsheet() -> None:
    assert len(str(cell("x" * 100_000))) == LONGEST_CELL


def test_an_unknown_export_is_refused() -> None:
    with pytest.raises(PlumblineError):
        export_hits(answer(), "xlsx")  # type: ignore[arg-type]


def test_the_time_is_explained_part_by_part() -> None:
    made = QueryAnswer(
        QueryRequest((HERE,), text="x"), (Side(HERE, timings=Timings(10, 20, 60, 5, 5)), Side(HERE))
    )
    told = explain(made)[0]
    assert told["total_ms"] == 100
    assert [(p["name"], p["share"]) for p in told["parts"]] == [
        ("load", 0.1),
        ("encode", 0.2),
        ("search", 0.6),
        ("fetch", 0.05),
        ("guard", 0.05),
    ]
    assert explain(made)[1]["parts"][0]["share"] == 0


def test_fields_are_taken_where_they_are_named_and_guessed_for_display_where_not() -> None:
    payload = {"pic": "a.png", "image": "b.png", "caption": "c", "modality": 3, "embedding_version": 2}
    assert RowFields().image_of(payload) == "b.png"
    assert RowFields(image="pic").image_of(payload) == "a.png"
    assert RowFields(image="none").image_of(payload) is None
    assert RowFields().modality_of(payload) is None
    assert RowFields().version_of(payload) == "2"
    assert RowFields(text="meta.title").caption_of({"meta": {"title": "t"}}) == "t"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({"a": 1}, {"b": 2}, True),
        ({"image": "x", "n": 1}, {"image": "x", "n": 2}, True),
        ({"image": "x", "n": 1}, {"image": "y", "n": 1}, False),
        ({"caption": "x"}, {"caption": "y"}, False),
        ({"caption": "x", "image": None}, {"caption": "x", "image": "p"}, True),
        ({"n": 1, "embedding_version": "v1"}, {"n": 1, "embedding_version": "v2"}, True),
        ({"n": 1, "m": 2, "at": 3}, {"n": 1, "m": 2, "at": 4}, True),
        ({"n": 1, "m": 2, "at": 3}, {"n": 2, "m": 3, "at": 3}, False),
        ({"sku": 1}, {"sku": 2}, False),
    ],
)
def test_rows_of_one_id_are_one_row_unless_their_payloads_contradict(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert same_row(RowFields(), one, other) is same
    assert same_row(RowFields(), other, one) is same
