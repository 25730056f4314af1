"""Tenants and aliases on a real Weaviate: active ones are read, the others are listed and left asleep."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import Equals
from connectors.model import Alias, Range, Row, Target
from connectors.weaviate.adapter import WeaviateConnector
from tests.connectors.weaviate_kit import ask, raw_collection, uid, vector
from tests.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate


@pytest.fixture(scope="module")
def wv(weaviate_server: WeaviateServer) -> Iterator[WeaviateConnector]:
    connector = WeaviateConnector(weaviate_server.spec())
    yield connector
    connector.close()


@pytest.fixture(scope="module")
def shared(wv: WeaviateConnector) -> Iterator[Target]:
    """Three active tenants and a sleeping one with rows, on a collection that would wake and make tenants by itself."""
    names = {"alpha": 7, "zeta": 3, "asleep": 2}
    body = {
        "class": "Shared",
        "multiTenancyConfig": {"enabled": True},
        "vectorConfig": {"clip": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}},
        "properties": [{"name": "n", "dataType": ["int"]}, {"name": "tag", "dataType": ["text"]}],
    }
    with raw_collection(wv, body) as t:
        ask(wv.spec, "POST", "/schema/Shared/tenants", [{"name": n} for n in ("alpha", "zeta", "asleep")])
        for name, count in names.items():
            rows = [
                Row(uid(n), {"clip": vector(n, 1)}, {"n": n, "tag": f"{name}"}) for n in range(1, count + 1)
            ]
            assert len(wv.insert(Target("Shared", name), rows).done) == count
        ask(wv.spec, "PUT", "/schema/Shared/tenants", [{"name": "asleep", "activityStatus": "INACTIVE"}])
        schema = ask(wv.spec, "GET", "/schema/Shared")
        schema["multiTenancyConfig"] |= {"autoTenantActivation": True, "autoTenantCreation": True}
        ask(wv.spec, "PUT", "/schema/Shared", schema)
        yield t
        states = {x["name"]: x["activityStatus"] for x in ask(wv.spec, "GET", "/schema/Shared/tenants")}
        assert states == {"alpha": "HOT", "zeta": "HOT", "asleep": "COLD"}


def test_every_tenant_is_listed_and_only_active_ones_are_counted(
    wv: WeaviateConnector, shared: Target
) -> None:
    found = {x.name: (x.state, x.rows) for x in wv.tenants(shared) or ()}
    assert found == {"alpha": ("active", 7), "zeta": ("active", 3), "asleep": ("inactive", None)}
    described = wv.describe(shared)
    assert described.rows == 10
    assert {x.name: x.rows for x in described.tenants or ()} == {"alpha": 7, "zeta": 3, "asleep": None}
    assert wv.describe(Target("Shared", "zeta")).rows == 3
    listed = next(c for c in wv.collections() if c.name == "Shared")
    assert (listed.rows, listed.vectors[0].dimension) == (10, 2)
    assert wv.capabilities(shared).tenants


def test_without_a_tenant_all_active_ones_are_read_each_as_a_part(
    wv: WeaviateConnector, shared: Target
) -> None:
    batches = list(wv.scan(shared, ["clip"], payload=("tag",)))
    assert [(b.part, len(b)) for b in batches] == [("alpha", 7), ("zeta", 3)]
    assert {tag for b in batches for tag in b.columns["tag"]} == {"alpha", "zeta"}
    rows = {(r.part, r.id) for r in wv.export(shared)}
    assert len(rows) == 10
    assert wv.count(shared).rows == 10
    assert wv.count(shared, Equals("tag", "zeta")).rows == 3
    assert wv.facet(shared, "tag").values == {"alpha": 7, "zeta": 3}
    assert len(wv.sample(shared, 100).ids) == 10
    assert len(wv.sample(shared, 4).ids) == 4


def test_ranges_name_their_tenant_and_hold_every_row_once(wv: WeaviateConnector, shared: Target) -> None:
    ranges = wv.ranges(shared, 2)
    assert {r.part for r in ranges} == {"alpha", "zeta"}
    seen = [
        (b.part, i) for r in ranges for b in wv.scan(shared, [], Range.from_json(r.to_json())) for i in b.ids
    ]
    assert len(seen) == len(set(seen)) == 10


def test_a_search_without_a_tenant_merges_all_active_ones(wv: WeaviateConnector, shared: Target) -> None:
    query = np.array([[7, 1]], np.float32)
    hits = wv.search(shared, "clip", query, 4)[0]
    assert (hits[0].part, hits[0].id) == ("alpha", uid(7))
    assert [h.score for h in hits] == sorted(h.score for h in hits)
    assert {h.part for h in wv.search(shared, "clip", query, 10)[0]} == {"alpha", "zeta"}
    only = wv.search(Target("Shared", "zeta"), "clip", query, 10)[0]
    assert {(h.part, len(only)) for h in only} == {("zeta", 3)}
    assert {h.part for h in wv.search_text(shared, "zeta alpha", 20)} == {"alpha", "zeta"}


def test_a_sleeping_tenant_is_refused_for_reading_and_writing(wv: WeaviateConnector, shared: Target) -> None:
    asleep = Target("Shared", "asleep")
    query = np.ones((1, 2), np.float32)
    calls = [
        lambda: wv.count(asleep),
        lambda: list(wv.scan(asleep, [])),
        lambda: list(wv.scan(shared, [], Range("asleep"))),
        lambda: wv.search(asleep, "clip", query, 1),
        lambda: wv.fetch(asleep, [uid(1)], []),
        lambda: wv.insert(asleep, [Row(uid(9), {}, {})]),
        lambda: wv.describe(asleep),
    ]
    for call in calls:
        with pytest.raises(PlumblineError) as caught:
            call()
        assert caught.value.code == "unsupported"
        assert "inactive" in caught.value.message


def test_a_missing_tenant_is_not_made(wv: WeaviateConnector, shared: Target) -> None:
    nobody = Target("Shared", "nobody")
    for call in (lambda: wv.count(nobody), lambda: wv.insert(nobody, [Row(uid(9), {}, {})])):
        with pytest.raises(PlumblineError) as caught:
            call()
        assert caught.value.code == "not-found"
        assert "nobody" in caught.value.message
    assert "nobody" not in {x.name for x in wv.tenants(shared) or ()}
    with pytest.raises(PlumblineError) as caught:
        wv.insert(shared, [Row(uid(9), {}, {})])
    assert caught.value.code == "usage"


def test_rows_find_their_tenant_by_their_part(wv: WeaviateConnector, shared: Target) -> None:
    row = Row(uid(50), {"clip": vector(1, 1)}, {"n": 50, "tag": "guest"}, part="zeta")
    assert wv.insert(shared, [row]).done == (uid(50),)
    try:
        assert wv.count(Target("Shared", "zeta")).rows == 4
        exported = next(wv.export(shared, [uid(50)]))
        assert (exported.part, exported.payload["tag"]) == ("zeta", "guest")
    finally:
        ask(wv.spec, "DELETE", f"/objects/Shared/{uid(50)}?tenant=zeta")


def test_a_tenant_on_a_collection_without_any_is_not_found(wv: WeaviateConnector) -> None:
    with raw_collection(wv, {"class": "NoTenants"}):
        with pytest.raises(PlumblineError) as caught:
            wv.count(Target("NoTenants", "x"))
        assert caught.value.code == "not-found"
        assert wv.tenants(Target("NoTenants")) is None


def test_an_alias_stands_for_its_collection_and_is_followed_at_once(wv: WeaviateConnector) -> None:
    vectors = {"clip": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}}
    with (
        raw_collection(wv, {"class": "Old", "vectorConfig": vectors}) as old,
        raw_collection(wv, {"class": "New", "vectorConfig": vectors}) as new,
    ):
        wv.insert(old, [Row(uid(1), {"clip": vector(1, 1)}, {})])
        wv.insert(new, [Row(uid(n), {"clip": vector(1, 1)}, {}) for n in (2, 3)])
        ask(wv.spec, "POST", "/aliases", {"alias": "Live", "class": "Old"})
        try:
            live = Target("Live")
            assert Alias("Live", "Old") in wv.aliases()
            assert wv.count(live).rows == 1
            described = wv.describe(live)
            assert (described.target.collection, described.via_alias) == ("Old", "Live")
            assert described.aliases == ("Live",)
            ask(wv.spec, "PUT", "/aliases/Live", {"class": "New"})
            assert [i for b in wv.scan(live, []) for i in b.ids] == [uid(2), uid(3)]
            assert wv.insert(live, [Row(uid(4), {"clip": vector(1, 1)}, {})]).done
            assert wv.count(new).rows == 3
            with pytest.raises(PlumblineError) as caught:
                wv.drop("Live")
            assert caught.value.code == "usage"
            assert wv.count(new).rows == 3
        finally:
            ask(wv.spec, "DELETE", "/aliases/Live")
    with pytest.raises(PlumblineError) as caught:
        wv.count(Target("Live"))
    assert caught.value.code == "not-found"
