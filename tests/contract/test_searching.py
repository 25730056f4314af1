"""search and search_text against exact neighbours computed with numpy."""

from __future__ import annotations

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import And, AnyOf, Between, Equals, Ids, Not
from connectors.model import SearchOptions
from tests.contract.conftest import Harness, plan, rows, vectors


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid"])
def test_the_nearest_rows_come_first_with_the_databases_own_score(store: Harness, metric: str) -> None:
    t = store.fresh(plan(16, metric))
    ids, matrix = store.ids(150), vectors(150, 16)
    matrix = matrix * np.linspace(0.5, 2, 150, dtype=np.float32)[:, None]
    store.fill(t, rows(ids, matrix))
    queries = vectors(4, 16, seed=5)
    answers = store.connector.search(t, "clip", queries, 10)
    assert len(answers) == 4
    for query, hits in zip(queries.astype(np.float64), answers, strict=True):
        held = matrix.astype(np.float64)
        if metric == "euclid":
            right = np.linalg.norm(held - query, axis=1)
            order = np.argsort(right)[:10]
        else:
            right = held @ query
            if metric == "cosine":
                right = right / (np.linalg.norm(held, axis=1) * np.linalg.norm(query))
            order = np.argsort(-right)[:10]
        assert [h.id for h in hits] == [ids[i] for i in order]
        for hit, i in zip(hits, order, strict=True):
            expected = right[i]
            if store.kind == "weaviate":
                expected = {"cosine": 1 - right[i], "dot": -right[i], "euclid": right[i] ** 2}[metric]
            assert hit.score == pytest.approx(expected, abs=1e-4)
        kind = "distance" if store.kind == "weaviate" or metric == "euclid" else "similarity"
        assert {h.score_kind for h in hits} == {kind}


def test_a_wrong_dimension_is_caught_before_the_server_sees_it(store: Harness) -> None:
    t = store.fresh(plan(8))
    store.fill(t, rows(store.ids(3), vectors(3)))
    with pytest.raises(PlumblineError) as caught:
        store.connector.search(t, "clip", vectors(1, 7), 3)
    assert caught.value.code == "dimension-mismatch"
    assert "7" in caught.value.message
    assert "8" in caught.value.message


def test_a_vector_field_that_is_not_there_is_said(store: Harness) -> None:
    t = store.fresh(plan(8))
    store.fill(t, rows(store.ids(3), vectors(3)))
    with pytest.raises(PlumblineError) as caught:
        store.connector.search(t, "nothing", vectors(1), 3)
    assert caught.value.code == "not-found"
    assert "clip" in str(caught.value)


def test_an_empty_collection_answers_with_nothing(store: Harness) -> None:
    t = store.fresh(plan(8))
    assert store.connector.search(t, "clip", vectors(2), 3) == [[], []]


def test_k_larger_than_the_collection_gives_every_row(store: Harness) -> None:
    t = store.fresh(plan(8))
    store.fill(t, rows(store.ids(4), vectors(4)))
    (hits,) = store.connector.search(t, "clip", vectors(1), 50)
    assert len(hits) == 4


def test_a_filter_holds_for_every_hit_and_costs_none(store: Harness) -> None:
    t = store.fresh(plan(8))
    ids, matrix = store.ids(200), vectors(200)
    store.fill(t, rows(ids, matrix))
    query = vectors(1, seed=3)
    order = np.argsort(-(matrix @ query[0]))
    for where, passes in [
        (Equals("exact", "tag-1"), lambda i: i % 3 == 1),
        (Equals("caption", "picture 7"), lambda i: i == 7),
        (
            And((AnyOf("exact", ("tag-0", "tag-2")), Between("count", gte=50, lt=120))),
            lambda i: i % 3 != 1 and 50 <= i < 120,
        ),
        (Not(Ids((ids[int(order[0])],))), lambda i: i != order[0]),
    ]:
        (hits,) = store.connector.search(t, "clip", query, 10, where)
        assert [h.id for h in hits] == [ids[i] for i in order if passes(i)][:10]


def test_payload_comes_whole_or_as_asked(store: Harness) -> None:
    t = store.fresh(plan(8))
    store.fill(t, rows(store.ids(4), vectors(4)))
    (whole,) = store.connector.search(t, "clip", vectors(1), 1)
    assert set(whole[0].payload) == {"caption", "exact", "count"}
    (part,) = store.connector.search(t, "clip", vectors(1), 1, payload=("count",))
    assert set(part[0].payload) == {"count"}
    (none,) = store.connector.search(t, "clip", vectors(1), 1, payload=())
    assert none[0].payload == {}


def test_exact_search_is_exact_or_refused_with_the_reason(store: Harness) -> None:
    t = store.fresh(plan(8))
    store.fill(t, rows(store.ids(4), vectors(4)))
    if store.connector.capabilities(t).exact_search:
        (hits,) = store.connector.search(t, "clip", vectors(1), 2, options=SearchOptions(exact=True))
        assert len(hits) == 2
    else:
        with pytest.raises(PlumblineError) as caught:
            store.connector.search(t, "clip", vectors(1), 2, options=SearchOptions(exact=True))
        assert caught.value.code == "unsupported"


def test_the_keyword_leg_finds_the_word_or_says_why_it_cannot(store: Harness) -> None:
    t = store.fresh(plan(8))
    store.fill(t, rows(store.ids(12), vectors(12)))
    capability = store.connector.capabilities(t).keyword_search
    if capability:
        hits = store.connector.search_text(t, "picture 7", 3, fields=("caption",))
        assert any(h.payload["caption"] == "picture 7" for h in hits)
    else:
        with pytest.raises(PlumblineError) as caught:
            store.connector.search_text(t, "picture 7", 3, fields=("caption",))
        assert caught.value.code == "unsupported"
        assert capability.why
