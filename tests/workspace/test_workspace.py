"""Connectors opened once, settings read again, choices kept."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.errors import PlumblineError
from connectors.model import (
    Capabilities,
    CollectionSummary,
    Description,
    Facet,
    ServerInfo,
    Target,
    VectorField,
)
from connectors.protocol import Connector
from connectors.spec import ConnectionSpec
from console import catalogue
from console.settings import Settings, load
from console.settings.choices import Choices
from console.workspace import Address, Workspace

CLIP = VectorField("clip", dimension=512)
THUMB = VectorField("thumb", dimension=64)


class Counted:
    """Counts what is opened and closed, and answers what a test wants."""

    def __init__(self, spec: ConnectionSpec) -> None:
        self.spec = spec
        self.closed = 0
        self.facets = 0
        self.asked = ""
        self.marker: dict[str, Any] | None = None
        self.tags: dict[str, int] = {}
        self.wait: threading.Event | None = None
        self.fault: BaseException | None = None

    def server(self, *, timeout: float | None = None) -> ServerInfo:
        if self.wait is not None:
            self.wait.wait(30)
        if self.fault is not None:
            raise self.fault
        return ServerInfo(self.spec.kind, "1.18.3", "grpc", 1.5)

    def capabilities(self, t: Target | None = None, *, timeout: float | None = None) -> Capabilities:
        return Capabilities()

    def collections(self, *, timeout: float | None = None) -> tuple[CollectionSummary, ...]:
        self.server()
        return (
            CollectionSummary("Docs", 3, (CLIP,), ("docs",)),
            CollectionSummary("Gone", None, error={"code": "x"}),
        )

    def facet(self, t: Target, field: str, *_: object, timeout: float | None = None) -> Facet:
        self.facets += 1
        self.asked = field
        if not self.tags:
            raise PlumblineError("unsupported", "no index")
        return Facet(self.tags, 0, True, sum(self.tags.values()))

    def describe(self, t: Target, *, timeout: float | None = None) -> Description:
        return Description(Target("Docs"), 3, (CLIP,), marker=self.marker)

    def sample(self, *_: object, timeout: float | None = None) -> object:
        raise PlumblineError("strict-mode", "Rows can't be drawn.")

    def index_state(self, t: Target, *, timeout: float | None = None) -> object:
        raise PlumblineError("timeout", "The index did not say.")

    def close(self) -> None:
        self.closed += 1


class Bench:
    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.file = folder / "secrets.toml"
        self.opened: list[Counted] = []
        self.write("a", "b")

    def write(self, *names: str, port: int = 1) -> None:
        text = "".join(
            f'[connections.{n}]\nkind = "qdrant"\nurl = "http://127.0.0.1:{port}"\n' for n in names
        )
        self.file.write_text(text)
        stamp = time.time_ns()
        os.utime(self.file, ns=(stamp, stamp))

    def connect(self, spec: ConnectionSpec) -> Connector:
        time.sleep(0.01)
        self.opened.append(Counted(spec))
        return cast("Connector", self.opened[-1])

    def workspace(self) -> Workspace:
        return Workspace(load(), self.connect, grace=0)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


def test_a_connector_is_opened_once_for_all_threads(bench: Bench) -> None:
    with bench.workspace() as ws:
        held: list[object] = []
        threads = [threading.Thread(target=lambda: held.append(ws.connector("a"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(held) == 8
        assert len({id(c) for c in held}) == 1
        assert len(bench.opened) == 1
    assert bench.opened[0].closed == 1


def test_a_connector_that_could_not_be_opened_is_tried_again(bench: Bench) -> None:
    tries = iter([PlumblineError("unreachable", "no"), None])

    def connect(spec: ConnectionSpec) -> Connector:
        fault = next(tries)
        if fault is not None:
            raise fault
        return bench.connect(spec)

    with Workspace(load(), connect) as ws:
        with pytest.raises(PlumblineError):
            ws.connector("a")
        assert ws.connector("a").spec.name == "a"


def test_reading_again_closes_only_what_changed(bench: Bench) -> None:
    with bench.workspace() as ws:
        a, b = ws.connector("a"), ws.connector("b")
        assert ws.reload() is False
        bench.file.write_text(
            bench.file.read_text().replace("127.0.0.1:1", "127.0.0.1:2", 1)
            + '[connections.c]\nkind = "qdrant"\nurl = "http://h"\n'
        )
        assert ws.reload() is True
        assert [c.closed for c in bench.opened] == [1, 0]
        assert ws.connector("b") is b
        assert ws.connector("a") is not a
        assert ws.connector("a").spec.url == "http://127.0.0.1:2"
        assert "c" in ws.settings.connections


def test_a_connection_that_is_gone_is_closed_and_not_found(bench: Bench) -> None:
    with bench.workspace() as ws:
        ws.connector("a")
        bench.write("b")
        assert ws.reload()
        assert bench.opened[0].closed == 1
        with pytest.raises(PlumblineError, match="no connection `a`"):
            ws.connector("a")


def test_a_fault_in_the_file_leaves_the_old_settings(bench: Bench) -> None:
    with bench.workspace() as ws:
        before, held = ws.settings, ws.connector("a")
        bench.file.write_text("[connections.a]\nkind = 'qdrant'\n")
        for _ in range(2):
            with pytest.raises(PlumblineError) as caught:
                ws.reload()
            assert caught.value.code == "settings"
        assert ws.settings is before
        assert ws.connector("a") is held
        bench.write("a", "b", "c")
        assert ws.reload() is True


def test_a_variable_that_changed_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench.workspace() as ws:
        monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__TIMEOUT", "3")
        assert ws.reload() is True
        assert ws.spec("a").timeout == 3


def test_the_demo_appears_when_it_has_been_made(bench: Bench) -> None:
    with bench.workspace() as ws:
        assert "demo" not in ws.settings.connections
        (bench.home / "demo").mkdir()
        (bench.home / "demo" / "made.json").write_text("{}")
        assert ws.reload() is True
        assert ws.spec("demo").path == str(bench.home / "demo" / "store")


def test_a_replaced_connector_stays_open_for_calls_under_way(bench: Bench) -> None:
    with Workspace(load(), bench.connect, grace=60) as ws:
        ws.connector("a")
        bench.write("a", "b", port=9)
        ws.reload()
        assert bench.opened[0].closed == 0
    assert bench.opened[0].closed == 1


def test_an_unknown_connection_names_the_nearest(bench: Bench) -> None:
    bench.write("production", "staging")
    with bench.workspace() as ws, pytest.raises(PlumblineError) as caught:
        ws.address("prodction/Docs")
    assert (caught.value.code, caught.value.hint) == ("not-found", "Did you mean `production`?")


def description(*fields: VectorField) -> Description:
    return Description(Target("Docs"), 3, fields)


def test_the_field_of_an_address(bench: Bench) -> None:
    sparse = VectorField("words", "sparse", None, None)
    with bench.workspace() as ws:
        plain = Address("a", "Docs")
        assert ws.field(description(CLIP, sparse), plain) is CLIP
        assert ws.field(description(CLIP, THUMB), plain.with_vector("thumb")) is THUMB
        unnamed = VectorField("", dimension=4)
        assert ws.field(description(unnamed, THUMB), plain.with_vector("")) is unnamed
        for fields, address, code in (
            ((CLIP, THUMB), plain, "vector-ambiguous"),
            ((CLIP,), plain.with_vector("clp"), "not-found"),
            ((sparse,), plain, "unsupported"),
            ((CLIP, sparse), plain.with_vector("words"), "unsupported"),
        ):
            with pytest.raises(PlumblineError) as caught:
                ws.field(description(*fields), address)
            assert caught.value.code == code


def test_the_encoder_of_a_field_by_what_comes_first(bench: Bench) -> None:
    address = Address("a", "Docs")
    marker = {"encoders": {"clip": {"name": "scenes-v1"}}}
    with bench.workspace() as ws:
        assert ws.known_encoder(address, CLIP, None) == (None, None)
        found, by = ws.known_encoder(address, CLIP, None, {"scenes-v2": 0.9, "scenes-v1": 0.1})
        assert found is not None
        assert (found.name, by) == ("scenes-v2", "version-tag")
        found, by = ws.known_encoder(address, CLIP, marker, {"scenes-v2": 1.0})
        assert found is not None
        assert (found.name, by) == ("scenes-v1", "marker")
        ws.set_choice(address.with_vector("clip"), "scenes-v2")
        found, by = ws.known_encoder(address, CLIP, marker)
        assert found is not None
        assert (found.name, by) == ("scenes-v2", "choice")
        assert ws.known_encoder(address, THUMB, None) == (None, None)
        (bench.home / "plumbline.toml").write_text('[collections."a/Docs"]\nencoder = "scenes-v1"\n')
        ws.reload()
        assert ws.known_encoder(address, CLIP, marker)[1] == "settings"
        assert ws.known_encoder(Address("a", "alias"), CLIP, None, collection="Docs")[1] == "settings"
        found, by = ws.known_encoder(address, CLIP, marker, explicit="scenes-v2")
        assert found is not None
        assert (found.name, by) == ("scenes-v2", "explicit")
        with pytest.raises(PlumblineError, match="no encoder `x`"):
            ws.known_encoder(address, CLIP, marker, explicit="x")


def test_a_choice_is_kept_and_forgotten(bench: Bench) -> None:
    address = Address("a", "Do/cs@#%", "tenant", "clip")
    with bench.workspace() as ws:
        with pytest.raises(PlumblineError) as caught:
            ws.set_choice(address, "scenes-v3")
        assert (caught.value.code, caught.value.hint) == ("encoder-unknown", "Did you mean `scenes-v2`?")
        ws.set_choice(address, "scenes-v2")
    with bench.workspace() as ws:
        assert ws.choice(address) == ws.choice(Address("a", "Do/cs@#%", None, "clip")) == "scenes-v2"
        assert ws.choice(address.with_vector("other")) is None
        ws.set_choice(address, None)
        ws.set_choice(address, None)
        assert ws.choice(address) is None
        assert sorted(p.name for p in bench.home.glob("*choices*")) == ["choices.json", "choices.lock"]


def _choose(home: str, n: int) -> None:
    for i in range(20):
        Choices(Path(home)).put(Address("a", f"c{n}", vector=str(i)), "scenes-v1")


def test_choices_of_many_processes_are_all_kept(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_choose, args=(str(tmp_path), n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(Choices(tmp_path).all()) == 60


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"encoders": []}', b'{"encoders": {"a/b": 3}}', b"\xff"]
)
def test_a_damaged_file_of_choices_is_said_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "choices.json").write_bytes(content)
    for act in (lambda c: c.get(Address("a", "b")), lambda c: c.put(Address("a", "b"), "scenes-v1")):
        with pytest.raises(PlumblineError) as caught:
            act(Choices(tmp_path))
        assert caught.value.code == "damaged"
    assert (tmp_path / "choices.json").read_bytes() == content


def test_a_home_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlumblineError) as caught:
        Choices(tmp_path / "file").put(Address("a", "b"), "x")
    assert caught.value.code == "settings"


def test_one_dead_server_does_not_hide_the_others(bench: Bench) -> None:
    with bench.workspace() as ws:
        cast("Counted", ws.connector("a")).fault = PlumblineError(
            "unreachable", "Nothing answers.", hint="Start it."
        )
        ws.connector("b")
        first, second = catalogue.connections(ws)
        assert (first.state, first.error) == (
            "down",
            {"code": "unreachable", "message": "Nothing answers.", "where": "a", "hint": "Start it."},
        )
        assert (second.state, second.error) == ("up", None)
        assert second.to_json()["server"]["version"] == "1.18.3"
        listed = [c.to_json() for c in catalogue.collections(ws)]
        assert [(c["connection"], c["name"], c["rows"]) for c in listed] == [
            ("a", None, None),
            ("b", "Docs", 3),
            ("b", "Gone", None),
        ]
        assert listed[0]["error"]["code"] == "unreachable"
        assert listed[1]["vectors"] == [
            {"name": "clip", "dimension": 512, "metric": "cosine", "kind": "dense"}
        ]
        assert listed[2]["error"] == {"code": "x"}
        json.dumps(listed)


def test_a_server_that_never_answers_costs_its_own_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.catalogue.parallel.SPARE", 0.2)
    with bench.workspace() as ws:
        never = threading.Event()
        cast("Counted", ws.connector("a")).wait = never
        ws.connector("b")
        came = list(catalogue.connections_as_they_come(ws, timeout=0.1))
        assert [(c.name, c.state) for c in came] == [("b", "up"), ("a", "down")]
        assert came[1].error is not None
        assert came[1].error["code"] == "timeout"
        never.set()


class Panic(BaseException):
    """As a Rust extension raises."""


def test_an_unforeseen_fault_of_one_connection_stands_in_its_place_without_a_secret(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__API_KEY", "s3cr3t-value")
    with bench.workspace() as ws:
        ws.connector("b")
        for fault in (ValueError("key s3cr3t-value"), Panic("s3cr3t-value")):
            cast("Counted", ws.connector("a")).fault = fault
            first, second = catalogue.connections(ws)
            assert first.error is not None
            assert first.error["code"] == "internal"
            assert "***" in first.error["message"]
            assert "s3cr3t" not in str(first.to_json())
            assert second.state == "up"


def test_a_description_names_the_encoder_and_asks_for_tags_only_where_it_must(bench: Bench) -> None:
    address = Address("a", "Docs")
    with bench.workspace() as ws:
        held = cast("Counted", ws.connector("a"))
        assert catalogue.describe(ws, address).to_json()["vectors"][0]["encoder"] is None
        held.tags = {"scenes-v2": 9, "scenes-v1": 1}
        found = catalogue.describe(ws, address).to_json()
        assert found["vectors"][0]["encoder"]["name"] == "scenes-v2"
        assert found["vectors"][0]["encoder"]["known_by"] == "version-tag"
        assert found["index_state"]["why"] == "The index did not say."
        assert held.facets == 2
        assert catalogue.describe(ws, address, tags=False).encoders == {}
        assert held.facets == 2
        held.marker = {"fields": {"version": "made_by"}}
        assert catalogue.describe(ws, address).version_field == held.asked == "made_by"
        held.facets = 2
        held.marker = {"encoders": {"clip": "scenes-v1"}}
        assert catalogue.describe(ws, address).encoders["clip"].known_by == "marker"
        assert held.facets == 2
        json.dumps(found)


def test_a_description_of_a_field_that_is_not_there_is_not_found(bench: Bench) -> None:
    with bench.workspace() as ws, pytest.raises(PlumblineError, match="no vector field `x`"):
        catalogue.describe(ws, Address("a", "Docs", vector="x"))


def test_no_repr_of_a_workspace_holds_a_secret(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__API_KEY", "s3cr3t-value")
    with bench.workspace() as ws:
        ws.connector("a")
        assert "s3cr3t" not in repr(ws) + repr(ws.settings) + repr(vars(ws))
        assert isinstance(ws.settings, Settings)
