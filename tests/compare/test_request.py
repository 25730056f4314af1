"""A comparison's request as JSON, URL and command."""

from __future__ import annotations

import shlex
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from connectors.filters import parse
from console.compare import CompareRequest
from console.search import Upload

WHERE = parse('{"equals": {"field": "language", "value": "de"}}')
requests = st.builds(
    CompareRequest,
    left=st.sampled_from(["a/b", "a/b@t#v", "encoder:x"]),
    right=st.sampled_from(["a/c#", "b/d"]),
    queries=st.integers(1, 5_000),
    golden=st.none() | st.sampled_from(["demo", "demo@3"]),
    texts=st.lists(st.text(min_size=1, max_size=9), max_size=3).map(tuple),
    images=st.lists(st.sampled_from([Upload("0" * 64), Upload("a" * 64)]), max_size=2).map(tuple),
    k=st.integers(1, 50),
    match_on=st.none() | st.just("sku"),
    cohorts=st.lists(st.sampled_from(["language", "-x", "a b"]), unique=True, max_size=3).map(tuple),
    threshold=st.none() | st.floats(-2, 2),
    population=st.sampled_from(["top1", "topk"]),
    filter=st.none() | st.just(WHERE),
    query_filter=st.none() | st.just(WHERE),
    rows=st.none() | st.integers(2, 10**9),
    seed=st.integers(0, 2**40),
)


@given(requests)
def test_json_and_url_come_back_the_same(request: CompareRequest) -> None:
    assert CompareRequest.from_json(request.to_json()) == request
    assert CompareRequest.from_params(request.to_params()) == request
    texts = "".join(request.texts)
    if all(0x20 <= ord(c) < 0xD800 for c in texts):
        assert (
            CompareRequest.from_params(parse_qsl(urlencode(request.to_params()), keep_blank_values=True))
            == request
        )


def test_defaults_are_not_in_the_url() -> None:
    assert CompareRequest("a/b", "a/c").to_params() == [("l", "a/b"), ("r", "a/c")]


def test_the_command_is_one_that_a_shell_understands() -> None:
    request = CompareRequest(
        "a/b", "a/c", texts=("-x; rm -rf", "it's"), threshold=-0.5, filter=WHERE, cohorts=("-x",), seed=4
    )
    words = shlex.split(request.to_command())
    assert words[:4] == ["plumbline", "compare", "a/b", "a/c"]
    assert "--text=-x; rm -rf" in words
    assert words[words.index("--text") + 1] == "it's"
    assert "--threshold=-0.5" in words
    assert "--cohort=-x" in words


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"queries": 0}, "--queries"),
        ({"k": 51}, "-k"),
        ({"rows": 1}, "--rows"),
        ({"seed": -1}, "--seed"),
        ({"threshold": float("inf")}, "--threshold"),
        ({"texts": (" ",)}, "--text"),
        ({"texts": ("a",), "golden": "g"}, "--golden"),
        ({"cohorts": tuple("abcdefghi")}, "--cohort"),
        ({"match_on": " "}, "--match-on"),
        ({"left": "nothing"}, "nothing"),
        ({"left": "encoder:a", "right": "encoder:b"}, "encoder:a"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes: dict[str, object], where: str) -> None:
    with pytest.raises(PlumblineError) as fault:
        CompareRequest(**{"left": "a/b", "right": "a/c", **changes}).check()  # type: ignore[arg-type]
    assert (fault.value.code, fault.value.where) == ("usage", where)


@pytest.mark.parametrize(
    "params",
    [
        [("l", "a/b")],
        [("l", "a/b"), ("r", "a/c"), ("k", "ten")],
        [("l", "a/b"), ("r", "a/c"), ("t", "nan")],
        [("l", "a/b"), ("r", "a/c"), ("pop", "all")],
        [("l", "a/b"), ("r", "a/c"), ("r", "a/d")],
        [("l", "a/b"), ("r", "a/c"), ("image", "../../etc/passwd")],
        [("l", "a/b"), ("r", "a/c"), ("filter", "{")],
    ],
)
def test_a_url_that_can_not_be_read_is_refused(params: list[tuple[str, str]]) -> None:
    with pytest.raises(PlumblineError) as fault:
        CompareRequest.from_params(params)
    assert fault.value.code == "usage"
