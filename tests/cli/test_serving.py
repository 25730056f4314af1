"""`demo`, `up`: made, found whole, served, taken away; and what stands in their way."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.model import CollectionPlan, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from connectors.spec import ConnectionSpec
from console.cli import main
from console.demo import seed
from tests.cli.conftest import Shell

SCENES = 40


class Small:
    """The command line in this process, with a demo of a few scenes."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.capsys = capsys

    def __call__(self, *words: str) -> tuple[int, Any]:
        code = main([*words, "--format", "json"])
        return code, json.loads(self.capsys.readouterr().out)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    yield folder
    for store in (folder / "demo" / "store", folder / "other"):
        host.stop(store)


@pytest.fixture
def small(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Small:
    monkeypatch.setenv("PLUMBLINE_HOME", str(home))
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__OTHER__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__OTHER__PATH", str(home / "other"))
    monkeypatch.chdir(home)
    monkeypatch.setattr(seed, "make_demo", functools.partial(seed.make_demo, scenes=SCENES))
    return Small(home, capsys)


def test_the_demo_is_made_found_whole_searched_and_removed(small: Small) -> None:
    code, made = small("demo", "--no-serve")
    assert code == 0
    assert set(made) == {"store", "collections", "seconds", "url"}
    assert made["store"] == str(small.home / "demo" / "store")
    assert made["url"] is None
    assert [(c["address"], c["rows"], c["made"]) for c in made["collections"]] == [
        ("demo/scenes", 2 * SCENES, True),
        ("demo/scenes-old", 2 * SCENES, True),
        ("demo/scenes-broken", 2 * SCENES, True),
    ]
    code, again = small("demo", "--no-serve")
    assert [c["made"] for c in again["collections"]] == [False, False, False]
    _, anew = small("demo", "--no-serve", "--reset")
    assert [c["made"] for c in anew["collections"]] == [True, True, True]

    _, listed = small("collections", "demo")
    assert {c["name"]: c["rows"] for c in listed["collections"]} == {
        "scenes": 2 * SCENES,
        "scenes-old": 2 * SCENES,
        "scenes-broken": 2 * SCENES,
    }
    for name, encoder in (("scenes", "scenes-v2"), ("scenes-old", "scenes-v1")):
        _, described = small("describe", f"demo/{name}")
        assert described["vectors"][0]["encoder"]["name"] == encoder
    code, found = small("query", "demo/scenes", "--text", "a red circle", "-k", "3")
    assert (code, len(found["hits"]), found["encoder"]["name"]) == (0, 3, "scenes-v2")
    code, stopped = small("query", "demo/scenes", "--text", "a red circle", "--encoder", "scenes-v1")
    assert (code, stopped["error"]["code"]) == (2, "encoder-mismatch")
    code, went = small("query", "demo/scenes", "--text", "x", "--encoder", "scenes-v1", "--allow-mismatch")
    assert code == 0
    assert went["warnings"]

    code, removed = small("demo", "--remove")
    assert (code, removed["removed"]) == (0, ["demo/scenes", "demo/scenes-old", "demo/scenes-broken"])
    assert small("demo", "--remove")[1]["removed"] == []
    code, gone = small("describe", "demo/scenes")
    assert (code, gone["error"]["code"]) == (2, "not-found")


def test_a_collection_that_the_demo_did_not_make_is_never_touched(small: Small) -> None:
    connector = connect(ConnectionSpec("other", "qdrant", path=str(small.home / "other")))
    connector.create("scenes-old", CollectionPlan((VectorField("mine", dimension=3),)))
    connector.close()
    for words in (["--no-serve"], ["--no-serve", "--reset"]):
        code, refused = small("demo", "--into", "other", *words)
        assert (code, refused["error"]["code"]) == (2, "changed")
    assert small("demo", "--into", "other", "--remove")[1]["removed"] == []
    listed = small("collections", "other")[1]["collections"]
    assert [c["name"] for c in listed] == ["scenes-old"]


def test_a_connection_that_is_not_configured_or_only_read_is_refused(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, refused = small("demo", "--no-serve", "--into", "othr")
    assert (code, refused["error"]["code"], refused["error"]["hint"]) == (
        2,
        "not-found",
        "Did you mean `other`?",
    )
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__OTHER__PATH", str(small.home / "other2"))
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__OTHER__READ_ONLY", "true")
    code, refused = small("demo", "--no-serve", "--into", "other")
    host.stop(small.home / "other2")
    assert (code, refused["error"]["code"]) == (2, "read-only")


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [
        ("torch", ["demo", "--no-serve"], "clip"),
        ("open_clip", ["demo"], "clip"),
        ("streamlit", ["demo"], "console"),
        ("streamlit", ["up"], "console"),
        ("plotly", ["up"], "console"),
    ],
)
def test_a_missing_extra_is_named_before_anything_is_begun(
    small: Small, monkeypatch: pytest.MonkeyPatch, missing: str, words: list[str], extra: str
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("console.cli.serving.find_spec", lambda name: None if name == missing else real(name))
    code, refused = small(*words)
    assert (code, refused["error"]["code"]) == (2, "extra-missing")
    assert refused["error"]["hint"] == f"pip install 'plumbline[{extra}]'"
    assert missing in refused["error"]["message"]


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_port_that_is_taken_is_said_at_once(small: Small, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, refused = small(command, "--port", str(port))
        assert (code, refused["error"]["code"], refused["error"]["where"]) == (
            2,
            "port-taken",
            f"127.0.0.1:{port}",
        )
    assert not (small.home / "demo" / "made.json").exists()


def test_an_address_that_is_not_this_machines_is_a_usage_error(small: Small) -> None:
    code, refused = small("up", "--host", "192.0.2.1", "--port", "0")
    assert (code, refused["error"]["code"]) == (2, "usage")


def test_up_serves_until_it_is_interrupted_and_reaches_nobody(shell: Shell) -> None:
    process = shell.start("up", "--port", "0", "--format", "json")
    assert process.stderr is not None
    told = ""
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", told)):
        line = process.stderr.readline().decode()
        assert line, told
        told += line
    with urllib.request.urlopen(f"{found[0]}/healthz", timeout=60) as answer:
        assert json.load(answer) == {"status": "ok"}
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out) == {"url": found[0]}
    assert b"Traceback" not in err
