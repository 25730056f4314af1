"""The commands on a real Weaviate, which the demo is made in."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from console.cli import main
from console.demo import seed
from tests.cli.conftest import Shell
from tests.weaviate_server import WeaviateServer, start_weaviate

SCENES = 30
KEY = "s3cr3t-weaviate-key"

pytestmark = pytest.mark.weaviate


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main([*words, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def connected(
    weaviate_server: WeaviateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WeaviateServer:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__WEAV__KIND", "weaviate")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__WEAV__URL", weaviate_server.url)
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__WEAV__GRPC_PORT", str(weaviate_server.grpc_port))
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__WEAV__TIMEOUT", "60")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(seed, "make_demo", functools.partial(seed.make_demo, scenes=SCENES))
    return weaviate_server


def test_the_demo_in_a_weaviate(connected: WeaviateServer, capsys: pytest.CaptureFixture[str]) -> None:
    code, made = ask(capsys, "demo", "--into", "weav", "--no-serve")
    assert (code, made["store"], made["url"]) == (0, connected.url, None)
    names = ["Scenes", "ScenesOld", "ScenesBroken"]
    assert [(c["address"], c["rows"]) for c in made["collections"]] == [
        (f"weav/{n}", 2 * SCENES) for n in names
    ]

    code, found = ask(capsys, "connections")
    (weav,) = found["connections"]
    assert (code, weav["state"], weav["kind"]) == (0, "up", "weaviate")
    assert weav["server"]["version"].startswith("1.")

    code, listed = ask(capsys, "collections", "weav")
    rows = {c["name"]: (c["rows"], [v["name"] for v in c["vectors"]]) for c in listed["collections"]}
    assert code == 0
    assert {n: rows[n] for n in names} == {n: (2 * SCENES, ["clip"]) for n in names}

    code, described = ask(capsys, "describe", "weav/Scenes")
    (clip,) = described["vectors"]
    assert (code, described["kind"], described["rows"]) == (0, "weaviate", 2 * SCENES)
    assert (clip["encoder"]["name"], clip["encoder"]["known_by"]) == ("scenes-v2", "marker")
    assert {"caption", "modality", "embedding_version"} <= {p["field"] for p in described["payload"]}

    code, answer = ask(capsys, "query", "weav/Scenes", "--text", "a red circle", "-k", "4")
    assert code == 0
    assert len(answer["hits"]) == 4
    assert {h["score_kind"] for h in answer["hits"]} == {"distance"}
    one = answer["hits"][0]["id"]
    code, alike = ask(capsys, "query", "weav/Scenes", "--id", str(one), "-k", "2")
    assert (code, len(alike["hits"])) == (0, 2)
    assert one not in [h["id"] for h in alike["hits"]]

    assert ask(capsys, "query", "weav/Nope", "--id", str(one))[1]["error"]["code"] == "not-found"
    code, removed = ask(capsys, "demo", "--into", "weav", "--remove")
    assert (code, removed["removed"]) == (0, [f"weav/{n}" for n in names])


def test_a_weaviate_that_wants_a_key(shell: Shell) -> None:
    with start_weaviate(api_keys={KEY: "ada"}, admins=("ada",)) as server:
        text = (
            f'[connections.weav]\nkind = "weaviate"\nurl = "{server.url}"\ngrpc_port = {server.grpc_port}\n'
            "timeout = 30\n"
        )
        for key, code in ((KEY, None), ("wrong-" + KEY, "unauthorised"), (None, "unauthorised")):
            shell.secret(text + (f'api_key = "{key}"\n' if key else ""))
            ran = shell("collections", "weav", "--format", "json", "--verbose")
            assert (ran.json.get("error") or {}).get("code") == code
            assert ran.code == (2 if code else 0)
            assert KEY not in ran.out + ran.err
