"""Filters on a real Weaviate against the reference evaluation in Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
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
from connectors.model import Row, Target, VectorField
from connectors.weaviate.adapter import WeaviateConnector
from connectors.weaviate.atoms import has_tokens
from tests.connectors.weaviate_kit import ask, raw_collection, uid, vector
from tests.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate

TEXTS = [
    "clip-v1", "Clip V1", "v1-clip", "clip-v1-large", "clip", "CLIP", "", " ", " clip", "clip ", "the",
    "The", "the clip", "of the", "clip v1", "clip\tv1", "ü", "Ü", "u", "straße", "STRASSE", "日本語", "日本",
    "!!!", "-", "a", "an apple", "naïve", "naive", "é", "e\u0301", "🙂", "0", "1", "2024-01-01T00:00:00Z",
    "thé", "İ", "i", "ſ", "s", "clip\u00a0v1", "\u200b", "*", "cl?p", "clip*",
]  # fmt: skip
NUMBERS = [0, 1, -1, 0.0, -0.0, 0.5, 1.0, 2**53, 2**53 + 2, -(2**40), 1e300, -1e300, 5e-324, 0.1]
INTEGERS = [0, 1, -1, 2, 7, 2**31, 2**53, -(2**53), 2**53 - 1]
DATES = [
    "2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00.5Z", "1969-12-31T23:59:59Z",
    "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z", "2262-04-12T00:00:00Z", "1677-09-21T00:00:00Z",
    "2024-01-01T00:00:00.000000001Z",
]  # fmt: skip
UUIDS = [uid(7), uid(8), "ab3e4567-e89b-12d3-a456-426614174000"]

PROPERTIES: list[dict[str, Any]] = [
    {"name": "word", "dataType": ["text"]},
    {"name": "folded", "dataType": ["text"], "tokenization": "lowercase"},
    {"name": "spaced", "dataType": ["text"], "tokenization": "whitespace"},
    {"name": "whole", "dataType": ["text"], "tokenization": "field"},
    {"name": "tri", "dataType": ["text"], "tokenization": "trigram"},
    {"name": "bare", "dataType": ["text"], "indexFilterable": False, "indexSearchable": False},
    {"name": "searched", "dataType": ["text"], "indexFilterable": False, "indexSearchable": True},
    {"name": "words", "dataType": ["text[]"]},
    {"name": "wholes", "dataType": ["text[]"], "tokenization": "field"},
    {"name": "i", "dataType": ["int"]},
    {"name": "ranged", "dataType": ["int"], "indexRangeFilters": True},
    {"name": "x", "dataType": ["number"]},
    {"name": "rangedx", "dataType": ["number"], "indexRangeFilters": True},
    {"name": "b", "dataType": ["boolean"]},
    {"name": "d", "dataType": ["date"]},
    {"name": "u", "dataType": ["uuid"]},
    {"name": "ints", "dataType": ["int[]"]},
    {"name": "xs", "dataType": ["number[]"]},
    {"name": "bs", "dataType": ["boolean[]"]},
    {"name": "ds", "dataType": ["date[]"]},
    {"name": "us", "dataType": ["uuid[]"]},
    {"name": "o", "dataType": ["object"], "nestedProperties": [{"name": "k", "dataType": ["text"]}]},
    {"name": "os", "dataType": ["object[]"], "nestedProperties": [{"name": "k", "dataType": ["text"]}]},
    {"name": "geo", "dataType": ["geoCoordinates"]},
    {"name": "blob", "dataType": ["blob"]},
]  # fmt: skip

_FLOATS = [*NUMBERS, 2**53 + 1, 10**400, -(10**400), 10**22 + 1]
_UUIDS = [*UUIDS, UUIDS[2].upper(), "nonsense"]
_INTS = [*INTEGERS, 0.5, 1.0, 2**70, -(2**70)]
_FLAGS = [True, False, 1, 0]
POOLS: dict[str, list[Any]] = {
    **dict.fromkeys(("word", "folded", "spaced", "whole", "tri", "bare", "searched", "o.k"), TEXTS),
    **dict.fromkeys(("words", "wholes"), TEXTS),
    **dict.fromkeys(("i", "ranged", "ints"), _INTS),
    **dict.fromkeys(("x", "rangedx", "xs"), _FLOATS),
    **dict.fromkeys(("b", "bs"), _FLAGS),
    **dict.fromkeys(("d", "ds"), DATES),
    **dict.fromkeys(("u", "us"), _UUIDS),
    "blob": ["aGVsbG8=", ""],
    "geo": ["nothing"],
    "geo.latitude": [1.5, 2],
    "o": ["x"],
    "os": ["x"],
    "os.k": ["clip"],
    "absent": ["clip", 1, True],
    "word.deeper": ["clip"],
    "Word": ["clip"],
}


def _rows() -> list[Row]:
    """Every text in every text property, alone and beside others; other values likewise; gaps everywhere."""
    payloads: list[dict[str, Any]] = [{}]
    texts = ("word", "folded", "spaced", "whole", "tri", "bare", "searched")
    for at, text in enumerate(TEXTS):
        payloads.append(dict.fromkeys(texts, text) | {"words": [text], "wholes": [text], "o": {"k": text}})
        payloads.append(
            {"words": [text, TEXTS[at - 1]], "wholes": [TEXTS[at - 2], text], "os": [{"k": text}]}
        )
    payloads += [{"i": i, "ranged": i, "ints": [i, 1]} for i in INTEGERS]
    payloads.append({"ints": [1, 7]})
    payloads += [{"x": float(x), "rangedx": float(x), "xs": [float(x), 0.5]} for x in NUMBERS]
    turned = DATES[1:] + DATES[:1]
    payloads += [{"d": d, "ds": [d, other]} for d, other in zip(DATES, turned, strict=True)]
    payloads += [{"u": u, "us": [u, UUIDS[0]]} for u in UUIDS]
    payloads += [{"b": True, "bs": [True]}, {"b": False, "bs": [True, False]}, {"bs": []}]
    payloads += [{"words": [], "wholes": [], "ints": [], "xs": [], "ds": [], "us": [], "os": []}]
    payloads += [{"o": {}}, {"os": [{}]}, {"geo": {"latitude": 1.5, "longitude": 2}}, {"blob": "aGVsbG8="}]
    return [Row(uid(1000 + n), {"clip": vector(n, 1)}, payload) for n, payload in enumerate(payloads)]


class Held:
    """A filled collection and what the server says is in it."""

    def __init__(self, wv: WeaviateConnector, target: Target) -> None:
        self.wv = wv
        self.target = target
        self.rows = {str(row.id): row.payload for row in wv.export(target)}

    def wanted(self, where: Filter) -> set[str]:
        return {i for i, payload in self.rows.items() if matches(where, payload, i)}


def _filled(wv: WeaviateConnector, name: str, null_state: bool) -> Iterator[Held]:
    body = {
        "class": name,
        "vectorConfig": {"clip": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}},
        "invertedIndexConfig": {"indexNullState": null_state},
        "properties": PROPERTIES[1:],
    }
    with raw_collection(wv, body) as target:
        old = Row(uid(1), {"clip": vector(1, 1)}, {"whole": "older than the property word"})
        assert wv.insert(target, [old], "replace").done
        ask(wv.spec, "POST", f"/schema/{name}/properties", PROPERTIES[0])
        rows = _rows()
        result = wv.insert(target, rows, "replace")
        assert not result.failed
        assert len(result.done) == len(rows)
        yield Held(wv, target)


@pytest.fixture(scope="module")
def wv(weaviate_server: WeaviateServer) -> Iterator[WeaviateConnector]:
    connector = WeaviateConnector(weaviate_server.spec(timeout=60))
    yield connector
    connector.close()


@pytest.fixture(scope="module")
def held(wv: WeaviateConnector) -> Iterator[Held]:
    yield from _filled(wv, "FiltersWithNulls", True)


@pytest.fixture(scope="module")
def plain(wv: WeaviateConnector) -> Iterator[Held]:
    yield from _filled(wv, "FiltersPlain", False)


def _atoms() -> list[Filter]:
    found: list[Filter] = []
    for field, pool in POOLS.items():
        found += [Equals(field, value) for value in pool]
        found += [AnyOf(field, tuple(pool[:3])), AnyOf(field, ()), Exists(field), IsEmpty(field)]
        numbers = [v for v in pool if isinstance(v, (int, float)) and not isinstance(v, bool)]
        for bound in numbers:
            found += [Between(field, **{name: bound}) for name in ("gt", "gte", "lt", "lte")]
        found += [Between(field, gte=low, lt=high) for low, high in itertools.pairwise(numbers)]
    for field in ("d", "ds", "word", "i"):
        for bound in DATES:
            found += [Between(field, **{name: bound}) for name in ("gt", "gte", "lt", "lte")]
        found += [Between(field, gte=low, lte=high) for low, high in itertools.permutations(DATES[:6], 2)]
    found += [Ids((uid(1000), uid(1003))), Ids(()), Ids((5, uid(1001))), Ids((uid(99999),))]
    return found


@pytest.mark.parametrize("which", ["held", "plain"])
@pytest.mark.parametrize("negated", [False, True])
def test_every_atom_counts_what_the_reference_counts(
    which: str, negated: bool, request: pytest.FixtureRequest
) -> None:
    held: Held = request.getfixturevalue(which)
    wrong: list[tuple[Filter, int, int]] = []
    for atom in _atoms():
        where = Not(atom) if negated else atom
        counted = held.wv.count(held.target, where)
        if counted.rows != len(held.wanted(where)):
            wrong.append((where, counted.rows, len(held.wanted(where))))
    assert not wrong, wrong[:10]


def _some_atom() -> st.SearchStrategy[Filter]:
    return st.sampled_from(_atoms())


def _some_filter() -> st.SearchStrategy[Filter]:
    return st.recursive(
        _some_atom(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
            inner.map(Not),
        ),
        max_leaves=6,
    )


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(where=_some_filter())
def test_a_search_through_any_filter_finds_the_rows_of_the_reference(held: Held, where: Filter) -> None:
    hits = held.wv.search(
        held.target, "clip", vector(1, 2).reshape(1, 2), len(held.rows) + 1, where, payload=()
    )[0]
    assert {str(h.id) for h in hits} == held.wanted(where)
    assert held.wv.count(held.target, where).rows == len(hits)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(max_size=12), field=st.sampled_from(["word", "folded", "spaced", "whole", "tri", "words"])
)
def test_any_text_is_found_by_itself_and_by_nothing_else(
    wv: WeaviateConnector, held: Held, text: str, field: str
) -> None:
    row = Row(uid(500), {"clip": vector(1, 1)}, {field: [text] if field == "words" else text})
    assert wv.insert(held.target, [row], "replace").done
    stored = next(wv.export(held.target, [uid(500)])).payload
    assert stored == row.payload
    here = And((Ids((uid(500),)), Equals(field, text)))
    assert wv.count(held.target, here).rows == 1
    assert wv.count(held.target, And((Ids((uid(500),)), Equals(field, text + "x")))).rows == 0
    assert wv.count(held.target, And((Ids((uid(500),)), Not(Equals(field, text))))).rows == 0


def test_a_text_comparison_is_never_left_to_the_server_alone(held: Held) -> None:
    counted = held.wv.count(held.target, Equals("whole", "clip"))
    assert (counted.rows, counted.scanned) == (1, True)
    by_number = held.wv.count(held.target, Equals("i", 7))
    assert not by_number.scanned


def test_k_rows_pass_where_most_candidates_are_only_similar(wv: WeaviateConnector) -> None:
    body = {
        "class": "Rechecked",
        "vectorConfig": {"clip": {"vectorizer": {"none": {}}, "vectorIndexType": "flat"}},
        "properties": [{"name": "tag", "dataType": ["text"]}],
    }
    with raw_collection(wv, body) as target:
        near = [Row(uid(n), {"clip": vector(1, n / 10_000)}, {"tag": "Clip V1"}) for n in range(1, 700)]
        far = [Row(uid(9_000 + n), {"clip": vector(-1, n)}, {"tag": "clip-v1"}) for n in range(5)]
        wv.insert(target, near + far, "replace")
        hits = wv.search(target, "clip", vector(1, 0).reshape(1, 2), 3, Equals("tag", "clip-v1"))[0]
        assert [h.payload["tag"] for h in hits] == ["clip-v1"] * 3
        texts = wv.search_text(target, "clip", 4, Equals("tag", "clip-v1"))
        assert [h.payload["tag"] for h in texts] == ["clip-v1"] * 4


def test_facets_are_exact_where_filters_on_the_same_values_are_not(held: Held) -> None:
    facet = held.wv.facet(held.target, "whole", limit=1000)
    rows = [row.payload for row in held.wv.export(held.target)]
    present = [p["whole"] for p in rows if "whole" in p]
    assert facet.values == {text: present.count(text) for text in set(present)}
    assert facet.rest == len(rows) - len(present)
    assert facet.values["clip"] == 1
    with pytest.raises(PlumblineError, match="exactly") as caught:
        held.wv.facet(held.target, "i", Equals("whole", "clip"))
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize(
    ("text", "tokenization", "known"),
    [
        ("the", "word", False),
        ("thé", "word", False),
        ("the cat", "word", True),
        ("the", "whitespace", True),
        ("--", "word", False),
        ("--", "whitespace", True),
        (" ", "field", False),
        ("ab", "trigram", False),
        ("a-bc", "trigram", True),
        ("clip", "gse", False),
    ],
)
def test_a_value_without_sure_tokens_is_not_asked_for(text: str, tokenization: str, known: bool) -> None:
    assert has_tokens(text, tokenization, frozenset({"the"})) is known


def test_vector_fields_stay_described(held: Held) -> None:
    described = held.wv.describe(held.target)
    assert [(f.name, f.dimension) for f in described.vectors] == [("clip", 2)]
    assert isinstance(described.vectors[0], VectorField)
