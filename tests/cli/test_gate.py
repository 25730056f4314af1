"""`plumbline gate` against its contract, on a small demo with its two real encoders."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from connectors.errors import PlumblineError
from console.cli import main
from console.demo import seed
from console.settings import load
from console.settings.gate import CONDITIONS
from console.store import Comparisons, Evaluations, Gates, Store
from tests.cli.conftest import Inside, Ran

QUICK = "[gate.latency]\nqueries = 100\n"


class Console:
    def __init__(self, inside: Inside, home: Path) -> None:
        self._inside, self.home, self.plain = inside, home, inside.plain

    def __call__(self, *words: str) -> Ran:
        return self._inside(*words, environ={"PLUMBLINE_HOME": str(self.home)})

    def stored(self, kind: Any, one: str) -> dict[str, Any]:
        return kind.open(load(environ={"PLUMBLINE_HOME": str(self.home)}, cwd=self.home)).get(one)


@pytest.fixture
def console(inside: Inside, home: Path) -> Console:
    inside.plain(QUICK)
    return Console(inside, home)


@pytest.fixture(scope="module")
def itself(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The gate of a collection against itself, with what was printed."""
    folder = tmp_path_factory.mktemp("itself")
    (folder / "plumbline.toml").write_text(QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUMBLINE_HOME", str(home))
        patch.chdir(folder)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = main(
                ["gate", "demo/scenes", "demo/scenes", "--golden", "demo", "--format", "json", "--quiet"]
            )
    return {"code": code, "data": json.loads(out.getvalue())}


def test_a_collection_passes_against_itself_in_every_condition(itself: dict[str, Any]) -> None:
    data = itself["data"]
    assert {c["name"]: c["verdict"] for c in data["conditions"]} == dict.fromkeys(
        (name for name in CONDITIONS if name != "threshold"), "pass"
    )
    assert (itself["code"], data["verdict"]) == (0, "pass")
    assert data["left_out"][0]["name"] == "threshold"


def test_the_json_has_the_keys_of_the_contract(itself: dict[str, Any]) -> None:
    data = itself["data"]
    assert set(data) >= {"verdict", "conditions", "id", "at", "left", "right", "golden"}
    assert (data["left"], data["right"]) == ("demo/scenes#clip", "demo/scenes#clip")
    assert data["golden"] == {"name": "demo", "version": 1}
    for one in data["conditions"]:
        assert set(one) >= {"name", "verdict", "figure", "limit", "interval", "waived", "why", "unit"}
        assert one["why"].endswith(".")
    figures = {c["name"]: c["figure"] for c in data["conditions"]}
    assert (figures["id-set"], figures["critical-findings"], figures["version-mix"]) == (0, 0, 0)
    assert (figures["quality"], figures["cohorts"]) == (0, 0)
    assert figures["recall"] > 0.95
    assert figures["canary"] > 0.999


def test_a_collection_of_eight_rows_passes_against_itself_with_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("open_clip", reason="the clip extra is not installed")
    monkeypatch.setattr(seed, "make_demo", functools.partial(seed.make_demo, scenes=4))
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--no-serve", "--quiet"]) == 0
    try:
        capsys.readouterr()
        code = main(["gate", "demo/scenes", "demo/scenes", "--golden", "demo", "--format", "json", "--quiet"])
    finally:
        from connectors.qdrant import host

        host.stop(tmp_path / "demo" / "store")
    data = json.loads(capsys.readouterr().out)
    assert {c["name"]: c["verdict"] for c in data["conditions"]} == dict.fromkeys(
        (name for name in CONDITIONS if name != "threshold"), "pass"
    )
    assert code == 0
    whys = {c["name"]: c["why"] for c in data["conditions"]}
    assert whys["id-set"] == "Both sides hold the same 8 ids."
    assert "every row was asked, 8 queries" in whys["recall"]
    assert "1,000 searches each in turn, with 8 different rows" in whys["latency"]


def test_what_a_gate_rests_on_can_be_opened_again(itself: dict[str, Any], console: Console) -> None:
    data = itself["data"]
    assert console.stored(Gates, data["id"]) == data
    assert console.stored(Comparisons, data["comparison"])["id"] == data["comparison"]
    assert [console.stored(Evaluations, one)["address"] for one in data["evaluations"]] == [
        "demo/scenes#clip"
    ] * 2
    settings = load(environ={"PLUMBLINE_HOME": str(console.home)}, cwd=console.home)
    assert Store.open(settings).report(data["report"])["address"] == "demo/scenes#clip"


def test_a_word_that_is_neither_an_id_nor_an_address_says_so(console: Console) -> None:
    ran = console("gates", "g6b8bv2pbx3", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "usage")
    assert "neither the id of a gate nor an address" in ran.json["error"]["message"]
    assert console("gates", "--limit", "9" * 30, "--format", "json").json["error"]["code"] == "usage"


def test_gates_are_listed_newest_first_and_shown_again_in_every_form(
    itself: dict[str, Any], console: Console
) -> None:
    made = itself["data"]["id"]
    console.plain("[gate]\n" + "".join(f"{name} = false\n" for name in CONDITIONS if name != "version-mix"))
    failed = console(
        "gate", "demo/scenes", "demo/scenes-broken", "--golden", "demo", "--format", "json", "--quiet"
    )
    listed = console("gates", "--format", "json").json["gates"]
    assert [g["id"] for g in listed][:1] == [failed.json["id"]]
    assert made in [g["id"] for g in listed]
    assert {"id", "at", "left", "right", "verdict", "conditions"} <= listed[0].keys()
    broken = console("gates", "demo/scenes-broken", "--format", "json").json["gates"]
    assert made not in [g["id"] for g in broken]
    assert len(console("gates", "--limit", "1", "--format", "json").json["gates"]) == 1
    table = console("gates")
    assert (table.code, "version-mix" in table.out, made in table.out) == (0, True, True)
    assert "There is no gate yet" in console("gates", "demo/nothing").out
    again = console("gates", made, "--format", "json")
    assert (again.code, again.json) == (0, itself["data"])
    for form, start in (("table", "Pass\n"), ("markdown", "## Pass: "), ("junit", "<?xml")):
        shown = console("gates", made, "--format", form)
        assert (shown.code, shown.out.startswith(start)) == (0, True)
    assert console("gates", failed.json["id"]).code == failed.code == 1
    refused = console("gates", "--format", "junit")
    assert (refused.code, "formats table and json" in refused.err) == (2, True)
    assert "`plumbline gates` lists them" in console("gates", "g00000000000").err


def test_the_faults_of_the_broken_demo_fail_the_gate_and_are_not_waived(console: Console) -> None:
    words = ("gate", "demo/scenes", "demo/scenes-broken", "--golden", "demo")
    waive = ("--waive", "critical-findings=known", "--waive", "cohorts=too few queries here")
    ran = console(*words, *waive, "--format", "json", "--quiet")
    held = {c["name"]: c for c in ran.json["conditions"]}
    assert (ran.code, ran.json["verdict"]) == (1, "fail")
    assert (held["critical-findings"]["verdict"], held["version-mix"]["verdict"]) == ("fail", "fail")
    assert held["critical-findings"]["waived"] is None
    assert held["critical-findings"]["waiver"] == {"reason": "known", "effect": "refused"}
    assert held["id-set"]["verdict"] == "pass"
    table = console(*words, *waive)
    assert table.code == 1
    assert table.out.startswith("Fail\n")
    assert "The waiver does not count, a condition that fails can't be waived: known" in " ".join(
        table.out.split()
    )
    assert "\x1b" not in table.out


def test_junit_and_markdown(console: Console) -> None:
    words = ("gate", "demo/scenes-old", "demo/scenes", "--golden", "demo", "--quiet")
    ran = console(*words, "--format", "junit")
    (suite,) = ElementTree.fromstring(ran.out)
    assert {case.attrib["name"] for case in suite.iter("testcase")} == set(CONDITIONS)
    assert (suite.attrib["failures"] == "0") is (ran.code == 0)
    ran = console(*words, "--format", "markdown")
    assert ran.out.startswith(("## Pass: ", "## Fail: ", "## Not measurable: "))
    assert "| id-set | pass |" in ran.out


def test_not_measurable_is_exit_1_until_it_is_waived(console: Console) -> None:
    console.plain(
        "[gate]\n" + "".join(f"{name} = false\n" for name in CONDITIONS if name not in ("id-set", "threshold")) + "threshold = true\n"
    )  # fmt: skip
    words = ("gate", "demo/scenes", "demo/scenes-old", "--golden", "demo", "--quiet", "--format", "json")
    ran = console(*words)
    assert (ran.code, ran.json["verdict"]) == (1, "not_measurable")
    ran = console(*words, "--waive", "threshold=nobody uses one = yet")
    assert (ran.code, ran.json["verdict"]) == (0, "pass")
    assert ran.json["conditions"][-1]["waived"] == {"reason": "nobody uses one = yet"}
    assert "threshold waived" in ran.json["summary"]


def test_a_cutoff_of_the_old_side_is_translated(console: Console) -> None:
    console.plain("[gate]\n" + "".join(f"{name} = false\n" for name in CONDITIONS if name != "threshold"))
    ran = console(
        "gate", "demo/scenes", "demo/scenes", "--golden", "demo", "--threshold", "0.85", "--quiet", "--format", "json"
    )  # fmt: skip
    (one,) = ran.json["conditions"]
    assert (ran.code, one["name"], one["verdict"], one["figure"]) == (0, "threshold", "pass", 1.0)
    (translation,) = one["details"]["translations"]
    assert translation["new"] == pytest.approx(0.85, abs=0.02)
    assert one["why"].startswith("The cutoff 0.85 becomes 0.8")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["demo/scenes", "demo/scenes"], "usage", "--golden"),
        (["demo/scenes", "--golden", "demo"], "usage", "RIGHT"),
        (
            ["demo/scenes", "demo/scenes", "--golden", "demo", "--waive", "qualty=x"],
            "usage",
            "Did you mean `quality`",
        ),
        (["demo/scenes", "demo/scenes", "--golden", "demo", "--waive", "quality"], "usage", "has no reason"),
        (["demo/scenes", "demo/scenes", "--golden", "demo", "--threshold", "nan"], "usage", "finite"),
        (["demo/scenes", "demo/scenes", "--golden", "demo", "-k", "51"], "usage", "number of hits"),
        (["demo/scenes", "demo/scenes", "--golden", "demo", "--match-on", " "], "usage", "no name"),
        (["demo/scenes", "demo/scenes", "--golden", "nope"], "not-found", ""),
        (["demo/scenes", "demo/nope", "--golden", "demo"], "not-found", ""),
        (["nowhere/scenes", "demo/scenes", "--golden", "demo"], "not-found", ""),
        (["demo/scenes", "encoder:scenes-v1", "--golden", "demo"], "unsupported", "compare"),
    ],
)
def test_what_can_not_be_looked_at_is_exit_2(
    console: Console, words: list[str], code: str, said: str
) -> None:
    ran = console("gate", *words, "--format", "json", "--quiet")
    error = ran.json["error"]
    assert (ran.code, error["code"]) == (2, code)
    assert said in f"{error['message']} {error['hint']} {error['where']}"


def test_a_gate_that_can_not_be_kept_is_printed_all_the_same(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise PlumblineError("disk-full", "There is no room to write.")

    console.plain("[gate]\n" + "".join(f"{name} = false\n" for name in CONDITIONS if name != "id-set"))
    monkeypatch.setattr(Gates, "save", full)
    ran = console("gate", "demo/scenes", "demo/scenes", "--golden", "demo", "--format", "json")
    assert (ran.code, ran.json["verdict"], ran.json["id"]) == (0, "pass", None)
    (note,) = ran.json["notes"]
    assert note.startswith("The gate was not kept: There is no room to write.")
    assert "There is no room to write." in ran.err


def test_a_gate_runs_from_its_request_as_json_to_the_id_of_what_was_stored(
    console: Console, home: Path
) -> None:
    from console.compare.gate.request import GateRequest
    from console.compare.gate.run import run
    from console.progress import Cancelled
    from console.workspace import Workspace

    folder = home / "from-json"
    folder.mkdir()
    (folder / "plumbline.toml").write_text(
        "[gate]\n" + "".join(f"{name} = false\n" for name in CONDITIONS if name != "id-set")
    )
    settings = load(environ={"PLUMBLINE_HOME": str(home)}, cwd=folder)
    request = GateRequest("demo/scenes", "demo/scenes-old", "demo", {"id-set": "no need"})
    with Workspace(settings) as ws:
        made = run(ws, request.to_json(), lambda _: None, lambda: False)
        held = Gates.open(ws).get(made)
        assert (held["verdict"], held["right"]) == ("pass", "demo/scenes-old#clip")
        assert GateRequest.from_json(held["request"]) == request
        with pytest.raises(Cancelled):
            run(ws, request.to_json(), lambda _: None, lambda: True)
        for wrong in (
            {"left": "a/b"},
            {**request.to_json(), "waive": {"x": "y"}},
            {**request.to_json(), "waive": 3},
        ):
            with pytest.raises(PlumblineError) as caught:
                run(ws, wrong, lambda _: None, lambda: False)
            assert caught.value.code == "usage"
