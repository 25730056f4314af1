"""Tenants, aliases and markers: what a query means by a place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from console.search import QueryRequest, RowPart, run
from console.search.guard import Mixes
from console.settings import Address, Settings
from tests.connectors.weaviate_kit import ask
from tests.doubles import Double, double
from tests.search.conftest import PAYLOAD, PHRASES, SPECS, ToyWorkspace, row_id
from tests.search.toys import Toy, ToyPool
from tests.weaviate_server import WeaviateServer

TOY = Toy(SPECS["toy-a"], 0, 8)


def rows(phrases: list[str], tag: str = "toy-a") -> list[Row]:
    return [
        Row(row_id(i), {"clip": TOY.of(p.split())}, {"caption": p, "embedding_version": tag})
        for i, p in enumerate(phrases)
    ]


def plan(**kwargs: Any) -> CollectionPlan:
    return CollectionPlan((VectorField("clip", "dense", 8, "cosine"),), PAYLOAD, **kwargs)


def marker(fingerprint: str) -> dict[str, Any]:
    return {"encoders": {"clip": {"name": "toy-a", "fingerprint": fingerprint}}}


class Place:
    def __init__(self, ws: ToyWorkspace, server: Any = None) -> None:
        self.ws = ws
        self.server = server
        self.pool = ToyPool({"toy-a": (0, 8), "toy-b": (3, 8), "toy-late": (0, 8)})
        self.mixes = Mixes()

    def ask(self, *addresses: Address, **kwargs: Any) -> Any:
        return run(self.ws, QueryRequest(addresses, **kwargs), pool=self.pool, mixes=self.mixes)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with double(tmp_path / "store") as server:
        spec = server.spec(name="real")
        with ToyWorkspace(Settings(home=tmp_path / "home", connections={"real": spec})) as ws:
            yield Place(ws, server)


TOYS = Address("real", "toys")


def test_the_tags_are_read_once_for_many_queries_and_never_by_a_description(place: Place) -> None:
    server: Double = place.server
    connector = place.ws.connector("real")
    connector.create("toys", plan())
    connector.insert(Target("toys"), rows(PHRASES))
    before = server.calls["Points/Facet"]
    connector.describe(Target("toys"))
    connector.collections()
    assert server.calls["Points/Facet"] == before
    for text in ("red star", "blue circle", "green square"):
        assert place.ask(TOYS, text=text).sides[0].versions is not None
    assert server.calls["Points/Facet"] == before + 1


def test_a_keyword_query_reads_no_tags(place: Place) -> None:
    connector = place.ws.connector("real")
    connector.create("toys", plan())
    connector.insert(Target("toys"), rows(PHRASES))
    before = place.server.calls["Points/Facet"]
    assert place.ask(TOYS, text="star", legs=("keyword",)).hits
    assert place.server.calls["Points/Facet"] == before


def test_an_alias_is_searched_by_the_name_of_its_collection(place: Place) -> None:
    from qdrant_client import models

    connector = place.ws.connector("real")
    for name, phrases in (("blue", PHRASES), ("green", PHRASES[:3])):
        connector.create(name, plan(marker=marker("toy-0-8")))
        connector.insert(Target(name), rows(phrases))
    client = place.server.client()

    def point(to: str) -> None:
        made = models.CreateAlias(collection_name=to, alias_name="live")
        client.update_collection_aliases([models.CreateAliasOperation(create_alias=made)])

    live = Address("real", "live")
    point("blue")
    assert len(place.ask(live, text="red circle", k=50).hits) == len(PHRASES)
    point("green")
    answer = place.ask(live, text="red circle", k=50)
    assert len(answer.hits) == 3
    assert {h.address for h in answer.hits} == {live}
    twice = place.ask(live, Address("real", "green"), text="red circle", fuse="rrf", k=50)
    assert len(twice.hits) == 3
    assert all(len(h.fused_from) == 2 for h in twice.hits)
    client.close()


def test_an_encoder_that_changed_under_its_name_is_stopped_by_the_markers_fingerprint(place: Place) -> None:
    connector = place.ws.connector("real")
    connector.create("toys", plan(marker=marker("f" * 32)))
    connector.insert(Target("toys"), rows(PHRASES))
    fault = place.ask(TOYS, text="red star").error
    assert fault.code == "encoder-mismatch"
    assert "toy-a (ffffffffffff)" in fault.message
    assert "--encoder" not in fault.hint
    answer = place.ask(TOYS, text="red star", allow_mismatch=True)
    assert answer.error is None
    assert "overridden" in answer.warnings[0]


def test_what_the_operator_chose_outweighs_the_marker_with_a_warning(place: Place) -> None:
    connector = place.ws.connector("real")
    connector.create("toys", plan(marker=marker("f" * 32)))
    connector.insert(Target("toys"), rows(PHRASES))
    place.ws.set_choice(TOYS, "toy-a")
    answer = place.ask(TOYS, text="red star")
    assert answer.error is None
    assert answer.sides[0].encoder.known_by == "choice"
    assert "marker names the encoder toy-a (ffffffffffff)" in answer.warnings[0]


def test_a_fingerprint_that_only_loading_tells_is_judged_after_loading(place: Place) -> None:
    connector = place.ws.connector("real")
    connector.create("toys", plan())
    connector.insert(Target("toys"), rows(PHRASES, tag="toy-0-8"))
    answer = place.ask(TOYS, text="red star", encoder="toy-late")
    assert answer.error is None
    assert answer.warnings == ()
    assert answer.sides[0].encoder.fingerprint == "toy-0-8"


def test_a_collection_without_a_dense_vector_can_still_be_searched_by_keyword(place: Place) -> None:
    connector = place.ws.connector("real")
    sparse = (VectorField("words", "sparse", None, None, None),)
    connector.create("toys", CollectionPlan(sparse, (PayloadField("caption", "text", indexed=True),)))
    connector.insert(Target("toys"), [Row(1, {}, {"caption": "a red star"})])
    assert len(place.ask(TOYS, text="star", legs=("keyword",)).hits) == 1
    assert place.ask(TOYS, vector=(1.0,) * 8).error.code == "unsupported"
    assert place.ask(TOYS.with_vector("words"), vector=(1.0,) * 8).error.code == "unsupported"
    assert place.ask(TOYS.with_vector("none"), vector=(1.0,) * 8).error.code == "not-found"


@pytest.fixture
def tenants(weaviate_server: WeaviateServer, tmp_path: Path) -> Iterator[Place]:
    spec = weaviate_server.spec("real")
    with ToyWorkspace(Settings(home=tmp_path, connections={"real": spec})) as ws:
        connector = ws.connector("real")
        connector.create("SearchTenants", plan(tenants=True))
        ask(spec, "POST", "/schema/SearchTenants/tenants", [{"name": n} for n in ("ann", "bob", "asleep")])
        connector.insert(Target("SearchTenants", "ann"), rows(PHRASES))
        connector.insert(Target("SearchTenants", "bob"), rows(PHRASES[::-1], tag="toy-b"))
        ask(spec, "PUT", "/schema/SearchTenants/tenants", [{"name": "asleep", "activityStatus": "INACTIVE"}])
        yield Place(ws)
        connector.drop("SearchTenants")


SHARED = Address("real", "SearchTenants")
ANN, BOB = (Address("real", "SearchTenants", name) for name in ("ann", "bob"))


@pytest.mark.weaviate
def test_a_tenant_is_searched_alone_and_its_tags_are_its_own(tenants: Place) -> None:
    answer = tenants.ask(ANN, text="big red circle", k=50)
    assert answer.error is None
    assert len(answer.hits) == len(PHRASES)
    assert {h.part for h in answer.hits} == {"ann"}
    assert answer.sides[0].versions.shares == {"toy-a": 1.0}
    assert tenants.ask(BOB, text="big red circle", encoder="toy-a").error.code == "encoder-mismatch"


@pytest.mark.weaviate
def test_without_a_tenant_all_active_ones_are_searched_and_none_is_woken(tenants: Place) -> None:
    answer = tenants.ask(SHARED, text="big red circle", k=2, encoder="toy-a", allow_mismatch=True)
    assert answer.error is None
    assert {h.part for h in answer.hits} == {"ann", "bob"}
    assert [h.payload["caption"] for h in answer.hits] == ["big red circle"] * 2
    states = {
        x["name"]: x["activityStatus"]
        for x in ask(tenants.ws.spec("real"), "GET", "/schema/SearchTenants/tenants")
    }
    assert states["asleep"] == "COLD"


@pytest.mark.weaviate
def test_rows_of_one_id_in_two_tenants_are_two_rows(tenants: Place) -> None:
    answer = tenants.ask(
        ANN, BOB, text="big red circle", k=50, fuse="rrf", encoder="toy-a", allow_mismatch=True
    )
    assert len(answer.hits) == 2 * len(PHRASES)
    assert np.all([len(h.fused_from) == 1 for h in answer.hits])


@pytest.mark.weaviate
def test_more_like_a_row_of_a_tenant(tenants: Place) -> None:
    answer = tenants.ask(ANN, row=RowPart(row_id(0)), k=50)
    assert len(answer.hits) == len(PHRASES) - 1
    assert row_id(0) not in {h.id for h in answer.hits}


@pytest.mark.weaviate
def test_two_databases_are_fused_row_by_row(weaviate_server: WeaviateServer, tmp_path: Path) -> None:
    """One scores by similarity, the other by distance."""
    with double(tmp_path / "store") as server:
        specs = {"one": server.spec(name="one"), "two": weaviate_server.spec("two")}
        with ToyWorkspace(Settings(home=tmp_path / "home", connections=specs)) as ws:
            for name in specs:
                ws.connector(name).create("SearchBoth", plan(marker=marker("toy-0-8")))
                ws.connector(name).insert(Target("SearchBoth"), rows(PHRASES))
            both = Address("one", "SearchBoth"), Address("two", "SearchBoth")
            try:
                for how in ("rrf", "weighted"):
                    answer = Place(ws).ask(*both, text="big red circle", fuse=how, k=18)
                    assert answer.error is None
                    assert answer.warnings == ()
                    assert len(answer.hits) == len(PHRASES)
                    assert answer.hits[0].payload["caption"] == "big red circle"
                    assert all(len(h.fused_from) == 2 for h in answer.hits)
                assert answer.hits[0].score == pytest.approx(1.0)
            finally:
                ws.connector("two").drop("SearchBoth")
