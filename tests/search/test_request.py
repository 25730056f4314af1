"""A request is a value: what it says survives a URL and a shell."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import filters
from connectors.errors import PlumblineError
from connectors.filters import And, AnyOf, Between, Equals, Exists, Filter, Ids, IsEmpty, Not, Or
from console.search import QueryRequest, RowPart, Upload
from console.search.links import LONGEST_URL
from console.settings import Address, parse_address

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
names = st.from_regex(r"[a-z](_?[a-z0-9]){0,6}", fullmatch=True)
addresses = st.builds(Address, names, words, st.none() | words, st.none() | words | st.just(""))
row_ids = st.integers(0, 2**64 - 1) | st.uuids().map(str)
floats = st.floats(allow_nan=False, allow_infinity=False)
fields = st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5})?", fullmatch=True)
scalars = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.booleans() | st.integers() | floats
)
atoms: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Equals, fields, scalars),
    st.builds(AnyOf, fields, st.lists(scalars, max_size=3).map(tuple)),
    st.builds(Between, fields, gte=floats),
    st.builds(Exists, fields),
    st.builds(IsEmpty, fields),
    st.builds(Ids, st.lists(row_ids, max_size=3).map(tuple)),
)
wheres = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=2).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=2).map(tuple)),
    ),
    max_leaves=4,
)
uploads = st.binary(min_size=32, max_size=32).map(lambda b: Upload(b.hex()))
requests = st.builds(
    QueryRequest,
    addresses=st.lists(addresses, max_size=3).map(tuple),
    text=st.none() | words,
    image=st.none() | uploads,
    row=st.none() | st.builds(RowPart, row_ids, st.none() | addresses),
    vector=st.none() | uploads | st.lists(st.floats(width=32), min_size=1, max_size=8).map(tuple),
    blend=st.floats(0, 1),
    fuse=st.sampled_from([None, "rrf", "weighted"]),
    legs=st.sampled_from([("vector",), ("keyword",), ("vector", "keyword"), ("keyword", "vector")]),
    weights=st.lists(st.floats(0, 1e6), max_size=4).map(tuple),
    encoder=st.none() | words,
    k=st.integers(1, 10_000),
    filter=st.none() | wheres,
    exact=st.booleans(),
    cutoff=st.none() | floats,
    allow_mismatch=st.booleans(),
)


def same(one: QueryRequest, other: QueryRequest) -> bool:
    """Equality that takes NaN for itself: a pasted vector may hold it until it is checked."""
    return repr(one) == repr(other)


@settings(max_examples=300, deadline=None)
@given(requests)
def test_a_url_loses_nothing(request_: QueryRequest) -> None:
    assert same(QueryRequest.from_url(request_.to_url()), request_)
    assert same(QueryRequest.from_url("http://127.0.0.1:8501/query?" + request_.to_url() + "#top"), request_)


@settings(max_examples=200, deadline=None)
@given(requests)
def test_fields_grouped_by_name_say_the_same_as_a_url(request_: QueryRequest) -> None:
    grouped: dict[str, list[str]] = {}
    for name, value in request_.to_params():
        grouped.setdefault(name, []).append(value)
    grouped["theme"] = ["dark", "light"]
    assert same(QueryRequest.from_params(grouped), request_)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda b: b.decode("latin-1")))
def test_whatever_stands_in_a_url_is_a_request_or_an_error_of_ours(text: str) -> None:
    for url in (text, "a=demo%2Fscenes&" + text, "?vector=" + text, "?filter=" + text, "?id=" + text):
        with contextlib.suppress(PlumblineError):
            assert isinstance(QueryRequest.from_url(url), QueryRequest)


def test_a_url_names_an_upload_and_never_a_path() -> None:
    with pytest.raises(PlumblineError, match="upload"):
        QueryRequest.from_url("a=demo%2Fscenes&image=%2Fetc%2Fpasswd")
    with pytest.raises(PlumblineError, match="no place in a URL"):
        QueryRequest((parse_address("demo/scenes"),), image=Path("/etc/passwd")).to_url()


def test_a_query_too_long_for_a_url_says_so_in_both_directions() -> None:
    long = QueryRequest((parse_address("demo/scenes"),), text="語" * LONGEST_URL)
    with pytest.raises(PlumblineError, match="too long"):
        long.to_url()
    with pytest.raises(PlumblineError, match="too long"):
        QueryRequest.from_url("text=" + "x" * LONGEST_URL)


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("k=ten", "k"),
        ("k=-1", "k"),
        ("k=1&k=2", "k"),
        ("blend=nan", "blend"),
        ("cutoff=inf", "cutoff"),
        ("fuse=best", "fuse"),
        ("leg=sparse", "leg"),
        ("exact=yes", "exact"),
        ("id=seven", "--id"),
        ("vector=%21%21", "vector"),
        ("weight=x", "weight"),
        ("filter={", "filter"),
        ("image=upload:12", "image"),
        ("text=%ff", "url"),
    ],
)
def test_a_wrong_field_of_a_url_is_named(url: str, field: str) -> None:
    with pytest.raises(PlumblineError) as fault:
        QueryRequest.from_url(url)
    assert (fault.value.code, fault.value.where) == ("usage", field)


ONE = (Address("demo", "scenes"),)
TWO = (*ONE, Address("demo", "scenes-old"))


@pytest.mark.parametrize(
    ("kwargs", "where"),
    [
        ({}, "query"),
        ({"addresses": (), "text": "x"}, "query"),
        ({"addresses": tuple(Address("c", f"n{i}") for i in range(17)), "text": "x"}, "query"),
        ({"text": ""}, "--text"),
        ({"text": " \n\t"}, "--text"),
        ({"text": "\ud800"}, "--text"),
        ({"text": "x" * 100_001}, "--text"),
        ({"text": "x", "k": 0}, "-k"),
        ({"text": "x", "k": 10_001}, "-k"),
        ({"text": "x", "blend": 1.5}, "--blend"),
        ({"text": "x", "blend": math.nan}, "--blend"),
        ({"text": "x", "cutoff": math.nan}, "--cutoff"),
        ({"text": "x", "weights": (1.0,)}, "--weight"),
        ({"text": "x", "weights": (1.0, 2.0), "fuse": "weighted"}, "--weight"),
        ({"text": "x", "weights": (0.0,), "fuse": "weighted"}, "--weight"),
        ({"text": "x", "weights": (-1.0,), "fuse": "weighted"}, "--weight"),
        ({"text": "x", "weights": (math.inf,), "fuse": "weighted"}, "--weight"),
        ({"row": RowPart(1), "legs": ("keyword",)}, "--leg"),
        ({"text": "x", "legs": ()}, "query"),
        ({"text": "x", "row": RowPart(1), "legs": ("keyword",)}, "--leg"),
        ({"text": "x", "vector": (1.0,), "legs": ("keyword",)}, "--leg"),
        ({"vector": ()}, "--vector"),
        ({"vector": (0.0, -0.0)}, "--vector"),
        ({"vector": (1.0, math.nan)}, "--vector"),
        ({"vector": (1.0, 1e39)}, "--vector"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_that_names_the_option(
    kwargs: dict[str, Any], where: str
) -> None:
    with pytest.raises(PlumblineError) as fault:
        QueryRequest(**{"addresses": ONE, **kwargs}).check()
    assert (fault.value.code, fault.value.where) == ("usage", where)


def test_parts_are_counted_in_one_order_and_weights_go_with_them() -> None:
    request_ = QueryRequest(
        TWO, text="x", row=RowPart(1), legs=("keyword", "vector"), fuse="rrf", weights=(1, 2, 3)
    )
    assert request_.check().parts() == ("text", "row", "keyword")
    QueryRequest(TWO, text="x", row=RowPart(1), fuse="rrf", weights=(1, 2, 3, 4)).check()


def test_an_address_is_asked_once() -> None:
    assert QueryRequest((*TWO, *ONE)).addresses == TWO


def test_a_vector_is_held_as_the_databases_hold_it() -> None:
    assert QueryRequest(ONE, vector=(0.1,)).vector == (0.10000000149011612,)


@settings(max_examples=60, deadline=None)
@given(requests.filter(lambda r: "\x00" not in repr(r) and not r.vector))
def test_every_word_of_the_command_survives_a_shell(request_: QueryRequest) -> None:
    command = request_.to_command()
    words_ = shlex.split(command)
    assert words_[:2] == ["plumbline", "query"]
    if "\x00" in command:
        return
    printed = subprocess.run(
        ["/bin/sh", "-c", command.replace("plumbline", "printf '%s\\0'", 1)], capture_output=True, check=True
    )
    assert printed.stdout.decode().split("\0")[:-1] == words_[1:]
    if request_.filter is not None:
        place = next(i for i, w in enumerate(words_) if w == "--filter")
        assert filters.parse(words_[place + 1]) == request_.filter


def test_a_text_that_looks_like_an_option_is_still_a_text() -> None:
    assert "--text=--exact" in shlex.split(QueryRequest(ONE, text="--exact").to_command())


def test_a_pasted_vector_goes_through_standard_input() -> None:
    command = QueryRequest(ONE, vector=(0.1, -2.0)).to_command()
    lead, _, rest = command.partition(" | ")
    printed = subprocess.run(["/bin/sh", "-c", lead], capture_output=True, check=True).stdout
    assert json.loads(printed) == [0.1, -2.0]
    assert rest.endswith("--vector -")


@pytest.mark.parametrize("text", ["7", "demo/scenes:7", "w/Things@t#v:8f14e45f-ceea-467f-a8d0-3d6bb1d0ec5a"])
def test_a_row_names_its_place_or_none(text: str) -> None:
    assert str(RowPart.parse(text)) == text


def test_more_like_this_asks_for_the_row_alone() -> None:
    asked = QueryRequest(TWO, text="x", legs=("vector", "keyword"), filter=Exists("a"), k=5, cutoff=0.3)
    more = asked.more_like(7, TWO[1]).check()
    assert (more.parts(), more.row, more.filter, more.k) == (("row",), RowPart(7, TWO[1]), Exists("a"), 5)


def test_importing_the_search_loads_no_model_no_page_and_no_client() -> None:
    code = (
        "import sys, console.search; heavy = {'torch', 'open_clip', 'streamlit', 'qdrant_client', 'weaviate', 'PIL', 'grpc'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert printed.strip() == "[]"
