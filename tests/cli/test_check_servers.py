"""`plumbline check` on servers: tenants, aliases, keys, read-only users, strict mode, fields that can't be examined."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from tests.cli.checkstore import FAULTY, configure
from tests.cli.conftest import Inside
from tests.connectors.qdrant_stores import server_spec
from tests.faults.bases import unit_dot
from tests.weaviate_server import WeaviateServer, start_weaviate

KEY, READER = "s3cr3t-weaviate-key", "s3cr3t-reader-key"
N, D = 600, 32


def vectors(broken: bool = False) -> np.ndarray:
    base = unit_dot(3, N, D)
    matrix = base.matrix.copy()
    if broken:
        matrix[np.array(FAULTY) - 1] = 0
    return matrix


@pytest.fixture(scope="module")
def weaviate() -> Iterator[WeaviateServer]:
    import weaviate as client
    from weaviate.classes.config import Configure, DataType, Property
    from weaviate.classes.tenants import Tenant, TenantActivityStatus

    with start_weaviate(api_keys={KEY: "ada", READER: "bob"}, admins=("ada",), viewers=("bob",)) as server:
        held = client.connect_to_local(
            port=server.ports["http"], grpc_port=server.grpc_port,
            auth_credentials=client.auth.AuthApiKey(KEY),
        )  # fmt: skip
        try:
            own = Configure.Vectors.self_provided
            text = [Property(name="source", data_type=DataType.TEXT)]

            def fill(rows: Any, matrix: np.ndarray, name: str | None = None) -> None:
                with rows.batch.fixed_size(100) as batch:
                    for i, v in enumerate(matrix):
                        bad = "bad" if not v.any() else "good"
                        at = v.tolist() if name is None else {name: v.tolist()}
                        batch.add_object({"source": bad}, uuid=str(uuid.UUID(int=i + 1)), vector=at)
                assert not rows.batch.failed_objects

            tenanted = held.collections.create(
                "Tenanted", multi_tenancy_config=Configure.multi_tenancy(True), vector_config=own(), properties=text
            )  # fmt: skip
            tenanted.tenants.create([Tenant(name=n) for n in ("sound", "zeros", "resting")])
            for tenant in ("sound", "zeros", "resting"):
                fill(tenanted.with_tenant(tenant), vectors(tenant == "zeros"))
            resting = Tenant(name="resting", activity_status=TenantActivityStatus.INACTIVE)
            tenanted.tenants.update([resting])
            named = held.collections.create(
                "Named", vector_config=[own(name="x"), own(name="y")], properties=text
            )
            fill(named, vectors(True), "x")
            held.collections.create("Bare", vector_config=own(), properties=text)
            held.alias.create(alias_name="Current", target_collection="Named")
        finally:
            held.close()
        yield server


def connections(server: WeaviateServer) -> str:
    text = ""
    for name, key in (("weav", KEY), ("reader", READER), ("wrong", "wr0ng-" + KEY)):
        read_only = "read_only = true\n" if name == "reader" else ""
        text += (
            f'[connections.{name}]\nkind = "weaviate"\nurl = "{server.url}"\ngrpc_port = {server.grpc_port}\n'
            f'api_key = "{key}"\ntimeout = 30\n{read_only}'
        )
    return text


@pytest.fixture
def weav(inside: Inside, weaviate: WeaviateServer, tmp_path: Path) -> Inside:
    inside.secret(connections(weaviate))
    return inside


def report(ran: Any) -> dict[str, Any]:
    assert KEY not in ran.out + ran.err
    assert READER not in ran.out + ran.err
    return ran.json


@pytest.mark.weaviate
class TestWeaviate:
    def test_active_tenants_are_read_and_resting_ones_are_said(self, weav: Inside) -> None:
        held = report(weav("check", "weav/Tenanted", "--full", "--format", "json"))
        assert (held["rows"], held["scanned"]) == (2 * N, 2 * N)
        assert [u["why"] for u in held["not_measured"] if u["check"] == "tenants"] == [
            "Not active, so not read: resting."
        ]
        zero = next(f for f in held["findings"] if f["code"] == "zero-vectors")
        assert zero["rows"] == len(FAULTY)

    def test_one_tenant_has_a_report_of_its_own(self, weav: Inside) -> None:
        sound = report(weav("check", "weav/Tenanted@sound", "--format", "json"))
        zeros = weav("check", "weav/Tenanted@zeros", "--full", "--format", "json")
        assert (sound["address"], sound["scanned"]) == ("weav/Tenanted@sound#default", N)
        assert "zero-vectors" not in [f["code"] for f in sound["findings"]]
        assert not [u for u in sound["not_measured"] if u["check"] == "tenants"]
        assert (zeros.code, zeros.json["root_causes"][0]) == (1, "zero-vectors")

    @pytest.mark.parametrize(
        ("address", "code"),
        [
            ("weav/Tenanted@resting", "unsupported"),
            ("weav/Tenanted@nobody", "not-found"),
            ("weav/Named@nobody", "not-found"),
            ("weav/Nope", "not-found"),
            ("weav/Named#z", "not-found"),
            ("wrong/Named", "unauthorised"),
        ],
    )
    def test_what_can_not_be_examined(self, weav: Inside, address: str, code: str) -> None:
        ran = weav("check", address, "--format", "json")
        assert (ran.code, report(ran)["error"]["code"]) == (2, code)

    def test_a_reader_may_check(self, weav: Inside) -> None:
        ran = weav("check", "reader/Named#x", "--full", "--format", "json")
        assert (ran.code, report(ran)["root_causes"][0]) == (1, "zero-vectors")

    def test_an_alias_is_the_reports_address_and_its_real_name_is_accepted(self, weav: Inside) -> None:
        entry = '[[accepted]]\naddress = "weav/{}"\ncode = "zero-vectors"\nreason = "known"\n'
        for name in ("Current", "Named"):
            weav.plain(entry.format(name))
            held = report(weav("check", "weav/Current#x", "--full", "--format", "json"))
            assert (held["address"], held["collection"]) == ("weav/Current#x", "Named")
            zero = next(f for f in held["findings"] if f["code"] == "zero-vectors")
            assert zero["accepted"]["reason"] == "known"

    def test_a_field_that_no_row_has_and_a_collection_without_rows(self, weav: Inside) -> None:
        both = report(weav("check", "weav/Named", "--full", "--format", "json"))["reports"]
        assert [(r["vector"], r["profile"]["missing"]) for r in both] == [("x", 0), ("y", N)]
        ran = weav("check", "weav/Bare", "--format", "json")
        assert (ran.code, report(ran)["verdict"]) == (0, "not_known")

    def test_the_affected_rows_carry_the_ids_of_the_database(self, weav: Inside, tmp_path: Path) -> None:
        out = tmp_path / "rows.jsonl"
        assert weav("check", "weav/Named#x", "--full", "--rows-out", str(out), "--quiet").code == 1
        _, *rows = [json.loads(line) for line in out.read_text().splitlines()]
        zeros = [r for r in rows if "zero-vectors" in r["codes"]]
        assert {r["id"] for r in zeros} == {str(uuid.UUID(int=i)) for i in FAULTY}
        assert {r["norm"] for r in zeros} == {0}


@dataclass(frozen=True)
class Qdrant:
    name: str
    """Before every collection and alias."""
    client: Any


@pytest.fixture(scope="module")
def qdrant() -> Iterator[Qdrant]:
    from qdrant_client import QdrantClient, models

    spec = server_spec()
    client = QdrantClient(url=spec.url, api_key=spec.api_key, check_compatibility=False)
    name = f"C{uuid.uuid4().hex[:8]}"
    dense = models.VectorParams(size=D, distance=models.Distance.DOT)
    client.create_collection(f"{name}dense", vectors_config={"x": dense})
    strict = models.StrictModeConfig(enabled=True, search_allow_exact=False, max_query_limit=8)
    client.create_collection(f"{name}strict", vectors_config=dense)
    client.create_collection(
        f"{name}sparse", vectors_config={}, sparse_vectors_config={"s": models.SparseVectorParams()}
    )
    multi = dense.model_copy(
        update={
            "multivector_config": models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
        }
    )
    client.create_collection(f"{name}multi", vectors_config={"m": multi})
    client.create_collection(f"{name}bare", vectors_config={})
    for collection, field in (("dense", "x"), ("strict", None)):
        points = [
            models.PointStruct(
                id=i + 1, vector=v.tolist() if field is None else {field: v.tolist()}, payload={}
            )
            for i, v in enumerate(vectors(collection == "dense"))
        ]
        client.upsert(f"{name}{collection}", points, wait=True)
    client.update_collection(f"{name}strict", strict_mode_config=strict)
    alias = models.CreateAlias(collection_name=f"{name}dense", alias_name=f"{name}now")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    yield Qdrant(name, client)
    for collection in ("dense", "strict", "sparse", "multi", "bare"):
        client.delete_collection(f"{name}{collection}")
    client.close()


@pytest.fixture
def served(inside: Inside, tmp_path: Path) -> Inside:
    spec = server_spec()
    configure(
        inside,
        tmp_path / "store",
        f'[connections.q]\nkind = "qdrant"\nurl = "{spec.url}"\n'
        + (f"grpc_port = {spec.grpc_port}\n" if spec.grpc_port else ""),
    )
    return inside


@pytest.mark.qdrant_server
class TestQdrant:
    def test_an_alias_is_checked_under_its_own_address(self, served: Inside, qdrant: Qdrant) -> None:
        held = served("check", f"q/{qdrant.name}now", "--full", "--format", "json").json
        assert (held["address"], held["collection"]) == (f"q/{qdrant.name}now#x", f"{qdrant.name}dense")
        assert held["root_causes"][0] == "zero-vectors"
        assert held["findings"][0]["rows"] == len(FAULTY)

    @pytest.mark.parametrize("kind", ["sparse", "multi", "bare"])
    def test_without_a_dense_field_there_is_nothing_to_examine(
        self, served: Inside, qdrant: Qdrant, kind: str
    ) -> None:
        ran = served("check", f"q/{qdrant.name}{kind}", "--format", "json")
        assert (ran.code, ran.json["error"]["code"]) == (2, "unsupported")

    def test_what_strict_mode_forbids_is_not_measured(self, served: Inside, qdrant: Qdrant) -> None:
        ran = served("check", f"q/{qdrant.name}strict", "--full", "--format", "json")
        assert ran.code in (0, 1)
        assert ran.json["scanned"] == N
        told = {u["check"]: u["why"] for u in ran.json["not_measured"]}
        assert "(strict-mode)" in told["low-ann-recall"], told["low-ann-recall"]

    def test_a_sample_is_uniform_and_counts_what_is_there(self, served: Inside, qdrant: Qdrant) -> None:
        held = served("check", f"q/{qdrant.name}dense", "--sample", "300", "--format", "json").json
        assert (held["scanned"], held["rows"], held["exact"]) == (300, N, False)
        zero = next(f for f in held["findings"] if f["code"] == "zero-vectors")
        assert zero["interval"][0] < len(FAULTY) / N < zero["interval"][1]


def test_a_server_that_is_not_there_is_named(inside: Inside, tmp_path: Path) -> None:
    configure(inside, tmp_path / "store")
    ran = inside("check", "dead/x", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "unreachable")
    assert PlumblineError.__name__ not in ran.err
