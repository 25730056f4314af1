"""Filters are exact: every adapter against the reference in plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    from_json,
    matches,
    to_json,
)
from connectors.model import Payload, Row, RowId, Target
from tests.contract.conftest import Harness, plan, vectors

TEXTS = [
    "clip-v1",
    "Clip V1",
    "v1-clip",
    "clip-v1-large",
    "clip",
    "v1",
    "CLIP-V1",
    "clip v1",
    " clip-v1",
    "clip-v1 ",
    "the",
    "The",
    "a",
    "",
    "été",
    "ete",
    "É",
    "日本",
    "日本語",
    "a,b",
    "a b",
    "a_b",
    "1",
    "true",
    "null",
    "x" * 300,
]
NUMBERS = [0, 1, -1, 2, 7, 2**31, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1]
FLOATS = [0.0, -0.0, 0.1, 1.0, 1.5, -1e300, 1e300, 5e-324, 0.30000000000000004]
TIMES = [
    "2026-11-20T22:10:00Z",
    "2026-11-20T23:10:00+01:00",
    "2026-11-20T22:10:00.5Z",
    "2025-01-01T00:00:00Z",
]


def corpus() -> list[Payload]:
    rng = np.random.default_rng(1)
    out: list[Payload] = [{}]
    for i in range(120):
        row: Payload = {}
        if i % 5:
            row["caption"] = TEXTS[i % len(TEXTS)]
        if i % 3:
            row["exact"] = TEXTS[(i * 7) % len(TEXTS)]
        if i % 4:
            row["count"] = NUMBERS[i % len(NUMBERS)]
        if i % 2:
            row["size"] = FLOATS[i % len(FLOATS)]
        if i % 7:
            row["flag"] = bool(i % 2)
        if i % 6:
            row["taken"] = TIMES[i % len(TIMES)]
        if i % 8 == 0:
            row["labels"] = [TEXTS[int(j)] for j in rng.integers(0, len(TEXTS), i % 4)]
        out.append(row)
    return out


@pytest.fixture(scope="module")
def filled(opened: Harness) -> Iterator[tuple[Harness, Target, dict[RowId, Payload]]]:
    t = opened.fresh(plan(4, "dot"))
    payloads = corpus()
    ids, matrix = opened.ids(len(payloads)), vectors(len(payloads), 4)
    opened.fill(
        t, [Row(r, {"clip": matrix[i]}, p) for i, (r, p) in enumerate(zip(ids, payloads, strict=True))]
    )
    kept = {row.id: row.payload for row in opened.connector.export(t)}
    yield opened, t, kept
    opened.clean()


texts = st.sampled_from(TEXTS)
atoms = st.one_of(
    st.builds(Equals, st.sampled_from(["caption", "exact", "labels"]), texts),
    st.builds(Equals, st.just("count"), st.sampled_from(NUMBERS)),
    st.builds(Equals, st.just("size"), st.sampled_from(FLOATS)),
    st.builds(Equals, st.just("flag"), st.booleans()),
    st.builds(Equals, st.sampled_from(["absent", "count"]), texts),
    st.builds(Equals, st.sampled_from(["count", "flag"]), st.sampled_from([1, True, 1.0, 0, False])),
    st.builds(AnyOf, st.sampled_from(["caption", "exact", "labels"]), st.lists(texts, max_size=4).map(tuple)),
    st.builds(AnyOf, st.just("count"), st.lists(st.sampled_from(NUMBERS), max_size=3).map(tuple)),
    st.builds(Between, st.just("count"), gte=st.sampled_from(NUMBERS), lt=st.sampled_from(NUMBERS)),
    st.builds(Between, st.just("size"), gt=st.sampled_from(FLOATS)),
    st.builds(Between, st.just("size"), lte=st.sampled_from(FLOATS)),
    st.builds(Between, st.just("taken"), gte=st.sampled_from(TIMES)),
    st.builds(Between, st.just("taken"), gt=st.sampled_from(TIMES), lte=st.sampled_from(TIMES)),
    st.builds(
        Exists, st.sampled_from(["caption", "exact", "count", "size", "flag", "taken", "labels", "absent"])
    ),
    st.builds(IsEmpty, st.sampled_from(["caption", "exact", "count", "labels", "absent"])),
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


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=filters)
def test_count_and_search_agree_with_the_reference(
    filled: tuple[Harness, Target, dict[RowId, Payload]], where: Filter
) -> None:
    store, t, kept = filled
    expected = {row for row, payload in kept.items() if matches(where, payload, row)}
    assert store.connector.count(t, where).rows == len(expected)
    (hits,) = store.connector.search(t, "clip", vectors(1, 4, seed=9), len(kept), where)
    assert {h.id for h in hits} == expected


def test_every_single_value_is_told_from_its_look_alikes(
    filled: tuple[Harness, Target, dict[RowId, Payload]],
) -> None:
    store, t, kept = filled
    for field in ("caption", "exact", "labels"):
        for text in TEXTS:
            for where in (Equals(field, text), Not(Equals(field, text))):
                expected = sum(matches(where, p, r) for r, p in kept.items())
                assert store.connector.count(t, where).rows == expected, where


def test_ids_select_and_exclude(filled: tuple[Harness, Target, dict[RowId, Payload]]) -> None:
    store, t, kept = filled
    some = tuple(list(kept)[:5])
    assert store.connector.count(t, Ids(some)).rows == 5
    assert store.connector.count(t, Not(Ids(some))).rows == len(kept) - 5
    assert store.connector.count(t, Ids(())).rows == 0


@given(filters)
def test_json_says_the_whole_filter(where: Filter) -> None:
    assert from_json(to_json(where)) == where
