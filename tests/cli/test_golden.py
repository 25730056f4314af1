"""`plumbline golden` and `eval` against their contract, on a small demo with its two real encoders."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from console.demo import seed
from console.search import golden
from console.settings import Settings
from console.store import Evaluations
from tests.cli.conftest import Inside, Ran

METRICS = ("ndcg@10", "precision@10", "recall@10", "mrr", "map", "hit@10", "bpref", "judged@10")


class Console:
    def __init__(self, inside: Inside, home: Path) -> None:
        self._inside, self.home, self.cwd = inside, home, inside.cwd

    def __call__(self, *words: str) -> Ran:
        return self._inside(*words, environ={"PLUMBLINE_HOME": str(self.home)})


@pytest.fixture
def console(inside: Inside, home: Path) -> Console:
    return Console(inside, home)


NUMBERS = itertools.count()


@pytest.fixture
def mine(console: Console) -> Iterator[str]:
    """A set that is gone afterwards; its versions' numbers stay taken, so each test has a name of its own."""
    name = f"mine{next(NUMBERS)}"
    yield name
    console("golden", "remove", name, "--confirm", name)


def table(console: Console, *lines: str) -> str:
    file = console.cwd / f"set{len(list(console.cwd.iterdir()))}.csv"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def test_the_demo_comes_with_a_golden_set(console: Console) -> None:
    ran = console("golden", "list", "--format", "json")
    sets = ran.json["sets"]
    assert [(s["name"], s["version"], s["queries"], s["judgements"], s["changed"]) for s in sets] == [
        ("demo", 1, 219, 0, False),
        ("demo", None, 219, 0, False),
    ]
    assert "demo  1            219" in console("golden", "list").out


def test_every_key_of_an_evaluation_is_there(console: Console) -> None:
    ran = console("eval", "demo/scenes", "--golden", "demo", "--format", "json")
    held = ran.json
    assert ran.code == 0
    assert {
        "address",
        "golden",
        "version",
        "queries",
        "metrics",
        "judged@10",
        "against",
        "failed_modality",
    } <= set(held)
    assert {
        "id",
        "at",
        "seconds",
        "hash",
        "k",
        "encoder",
        "scored",
        "cohorts",
        "smoke",
        "missing",
        "not_scored",
        "per_query",
        "warnings",
    } <= set(held)
    assert (held["address"], held["golden"], held["version"], held["k"]) == (
        "demo/scenes#clip",
        "demo",
        1,
        10,
    )
    assert (held["encoder"]["name"], held["encoder"]["known_by"]) == ("scenes-v2", "marker")
    assert tuple(held["metrics"]) == METRICS
    for one in held["metrics"].values():
        assert 0 <= one["low"] <= one["mean"] <= one["high"] <= 1
        assert one["queries"] == held["scored"]
    assert held["judged@10"] == 1.0
    assert held["metrics"]["ndcg@10"]["mean"] > 0.25
    assert held["against"] is None
    assert set(held["failed_modality"]) == {"text"}
    assert held["queries"] == 219
    assert held["scored"] + len(held["not_scored"]) == 219
    assert {row["value"] for row in held["cohorts"]["language"]} == {"en", "de", "es"}
    kept = Evaluations.open(Settings(home=console.home)).get(held["id"])
    assert kept == held


def test_two_addresses_are_paired(console: Console) -> None:
    ran = console(
        "eval",
        "demo/scenes",
        "--golden",
        "demo@1",
        "--against",
        "demo/scenes-old",
        "-k",
        "5",
        "--format",
        "json",
    )
    other = ran.json["against"]
    assert (other["address"], other["encoder"]["name"]) == ("demo/scenes-old#clip", "scenes-v1")
    gap = other["difference"]["ndcg@5"]
    assert gap["low"] <= gap["mean"] <= gap["high"]
    by_query = [q["difference"] for q in ran.json["per_query"]]
    assert gap["mean"] == pytest.approx(sum(by_query) / len(by_query))
    assert gap["mean"] == pytest.approx(
        ran.json["metrics"]["ndcg@5"]["mean"] - other["metrics"]["ndcg@5"]["mean"]
    )
    assert 0 < gap["p_value"] <= 1
    shown = console("eval", "demo/scenes", "--golden", "demo", "--against", "demo/scenes-old").out
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("Difference", "ndcg@10", "language", "Smoke items: 6 of 6 hold."):
        assert word in shown


def test_a_smoke_item_that_fails_is_exit_1_in_every_format(console: Console) -> None:
    ran = console("eval", "demo/scenes-broken", "--golden", "demo", "--format", "json")
    failed = [item for item in ran.json["smoke"] if not item["passed"]]
    assert (ran.code, ran.json["smoke_failed"]) == (1, len(failed))
    assert failed
    shown = console("eval", "demo/scenes-broken", "--golden", "demo")
    assert shown.code == 1
    assert f"Smoke items: {6 - len(failed)} of 6 hold." in shown.out
    junit = console("eval", "demo/scenes-broken", "--golden", "demo", "--format", "junit")
    assert junit.code == 1
    (suite,) = ElementTree.fromstring(junit.out)
    assert (suite.get("tests"), suite.get("failures")) == ("6", str(len(failed)))
    assert len(suite.findall("testcase/failure")) == len(failed)
    assert {p.get("name") for p in suite.iter("property")} >= {"golden", "version", "hash", "ndcg@10"}


def test_a_table_becomes_a_draft_a_version_and_a_file_again(console: Console, mine: str) -> None:
    file = table(console, "text,key,grade", "a red circle,1,1", "a blue star,2,0")
    assert console("golden", "import", mine, file, "--format", "json").json["queries"] == 2
    again = console("golden", "import", mine, file, "--format", "json")
    assert (again.code, again.json["error"]["code"]) == (2, "changed")
    more = table(console, "text,key,grade", "a blue star,3,1")
    added = console("golden", "import", mine, more, "--add", "--format", "json").json
    assert (added["queries"], added["judgements"]) == (2, 3)
    assert console("golden", "import", mine, more, "--replace", "--format", "json").json["judgements"] == 1
    assert console("golden", "import", mine, file, "--replace").code == 0
    frozen = console("golden", "freeze", mine, "--format", "json").json
    assert (frozen["version"], frozen["new"]) == (1, True)
    assert console("golden", "freeze", mine, "--format", "json").json["new"] is False
    out = console.cwd / "out.jsonl"
    written = console("golden", "export", mine, str(out), "--format", "json").json
    assert written == {"name": mine, "version": 1, "files": [str(out)], "not_held": []}
    assert console("golden", "import", mine, str(out), "--replace").code == 0
    shown = console("golden", "show", f"{mine}@draft", "--format", "json").json
    assert (shown["version"], shown["hash"]) == (None, frozen["hash"])
    assert "a red circle" in console("golden", "show", mine).out


def test_a_set_is_removed_only_where_its_name_is_given_twice(console: Console, mine: str) -> None:
    console("golden", "import", mine, table(console, "text,key,grade", "a red circle,1,1"))
    for words in ((), ("--confirm", "other")):
        ran = console("golden", "remove", mine, *words, "--format", "json")
        assert (ran.code, ran.json["error"]["code"]) == (2, "not-confirmed")
        assert "0 versions with up to 1 judgement would be gone" in ran.json["error"]["message"]
    assert console("golden", "show", mine).code == 0
    ran = console("golden", "remove", mine, "--confirm", mine, "--format", "json")
    assert (ran.code, ran.json) == (0, {"name": mine, "removed": True})
    assert console("golden", "show", mine).code == 2


def test_a_judgement_is_given_and_taken_back_on_the_command_line(console: Console, mine: str) -> None:
    console("golden", "import", mine, table(console, "query,text,key,grade", "q1,a red circle,1,1"))

    def judge(*words: str) -> Ran:
        return console("golden", "judge", mine, *words, "--format", "json")

    def grades() -> list[list[object]]:
        return console("golden", "show", f"{mine}@draft", "--format", "json").json["judgements"]

    told = judge("--query", "q1", "--key", "7", "--grade", "0")
    assert (told.code, told.json) == (
        0,
        {"name": mine, "version": None, "query": "q1", "key": "7", "grade": 0},
    )
    assert judge("--text", "a red circle", "--key", "8", "--grade", "2").json["query"] == "q1"
    assert grades() == [["q1", "1", 1], ["q1", "7", 0], ["q1", "8", 2]]
    assert judge("--query", "q1", "--key", "1", "--forget").json["grade"] is None
    assert grades() == [["q1", "7", 0], ["q1", "8", 2]]
    made = judge("--text", "a blue star", "--key", "9", "--grade", "1").json["query"]
    assert grades()[-1] == [made, "9", 1]
    assert (
        "has the grade 3"
        in console("golden", "judge", mine, "--query", "q1", "--key", "7", "--grade", "3").out
    )
    for words, code in (
        (("--query", "nobody", "--key", "1", "--grade", "1"), "not-found"),
        (("--query", "nobody", "--key", "1", "--forget"), "not-found"),
        (("--query", "q1", "--key", "1", "--forget"), "not-found"),
        (("--text", "never asked", "--key", "1", "--forget"), "not-found"),
        (("--query", "q1", "--key", "x", "--grade", "1"), "usage"),
        (("--query", "q1", "--key", "1", "--grade", "-1"), "usage"),
        (("--query", "q1", "--key", "1", "--grade", "much"), "usage"),
        (("--query", "q1", "--key", "1"), "usage"),
        (("--query", "q1", "--key", "1", "--grade", "1", "--forget"), "usage"),
        (("--query", "q1", "--text", "x", "--key", "1", "--grade", "1"), "usage"),
        (("--query", "q1", "--grade", "1"), "usage"),
        (("--key", "1", "--grade", "1"), "usage"),
    ):
        ran = judge(*words)
        assert (ran.code, ran.json["error"]["code"]) == (2, code), words
    assert grades() == [["q1", "7", 3], ["q1", "8", 2], [made, "9", 1]]
    assert len(console("golden", "show", f"{mine}@draft", "--format", "json").json["queries"]) == 2
    assert console("golden", "list", "--grade", "0").code == 2
    assert console("golden", "show", mine, "--key", "1").code == 2


def test_evaluations_that_were_kept_are_listed_and_opened(console: Console) -> None:
    made = console("eval", "demo/scenes", "--golden", "demo", "-k", "5", "--format", "json").json
    listed = console(
        "evaluations", "demo/scenes", "--golden", "demo", "--limit", "3", "--format", "json"
    ).json
    head = listed["evaluations"][0]
    assert (head["id"], head["golden"], head["version"], head["k"]) == (made["id"], "demo", 1, 5)
    shown = console("evaluations").out
    assert made["id"] in shown
    assert f"{made['metrics']['ndcg@5']['mean']:.3f}" in shown
    assert console("evaluation", made["id"], "--format", "json").json == made
    assert "Smoke items:" in console("evaluation", made["id"]).out
    assert (
        ElementTree.fromstring(console("evaluation", made["id"], "--format", "junit").out).get("tests") == "6"
    )
    gone = console("evaluation", "e0", "--format", "json")
    assert (gone.code, gone.json["error"]["hint"]) == (2, "`plumbline evaluations` lists them.")


def test_evaluations_are_listed_of_one_version_and_of_a_set_that_is_gone(inside: Inside) -> None:
    golden.put(Settings(home=inside.home), golden.GoldenSet("new", queries=(golden.GoldenQuery("q", "red"),)))
    kept = Evaluations.open(Settings(home=inside.home))
    light = {"address": "prod/a#v", "golden": "gone", "k": 10, "metrics": {}, "smoke_failed": 0}
    made = [
        kept.save({**light, "at": f"2026-11-20T00:0{at}:00+00:00", "version": version})
        for at, version in enumerate((1, 2, "draft"))
    ]

    def ids(*words: str) -> list[str]:
        ran = inside("evaluations", *words, "--format", "json")
        assert ran.code == 0
        return [h["id"] for h in ran.json["evaluations"]]

    assert ids("--golden", "gone") == made[::-1]
    assert ids("--golden", "gone@1") == made[:1]
    assert ids("--golden", "gone@draft") == made[2:]
    assert ids("--golden", "new") == ids("--golden", "new@draft") == []
    assert inside("evaluations", "--golden", "new@draft").out == (
        "There is no evaluation with new@draft yet: `plumbline eval ADDRESS --golden new@draft` makes one.\n"
    )
    for named, code in (
        ("gone@3", "not-found"),
        ("nobody", "not-found"),
        ("new@1", "not-found"),
        ("../x", "usage"),
        ("gone@x", "usage"),
    ):
        ran = inside("evaluations", "--golden", named, "--format", "json")
        assert (ran.code, ran.json["error"]["code"]) == (2, code), named


def test_evaluations_that_are_not_there_are_named_with_how_to_make_one(inside: Inside) -> None:
    environ = {"PLUMBLINE_CONNECTIONS__PROD__KIND": "qdrant", "PLUMBLINE_CONNECTIONS__PROD__PATH": "store"}
    assert "no evaluation yet: `plumbline eval ADDRESS --golden NAME`" in inside("evaluations").out
    told = inside("evaluations", "prod/a", environ=environ).out
    assert told == (
        "There is no evaluation of prod/a yet: `plumbline eval prod/a --golden NAME` makes one.\n"
    )


def test_taking_a_grade_back_of_a_set_that_is_not_there_makes_none(inside: Inside) -> None:
    words = ("golden", "judge", "brandnew", "--text", "x", "--key", "5", "--forget")
    ran = inside(*words, "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "not-found")
    assert ran.json["error"]["message"] == "There is no golden set `brandnew`."
    assert inside("golden", "list", "--format", "json").json == {"sets": []}


def test_an_import_names_the_line_whose_picture_is_none_or_beyond_the_limits(inside: Inside) -> None:
    file = inside.cwd / "set.jsonl"
    file.write_text('{"text": "a"}\n{"text": "b", "image": "set.jsonl"}\n')
    ran = inside("golden", "import", "new", "set.jsonl", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "image-refused")
    assert ran.json["error"]["where"] == "set.jsonl, line 2"
    assert inside("golden", "list", "--format", "json").json == {"sets": []}
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image.new("RGB", (3, 3)).save(inside.cwd / "a.png")
    file.write_text('{"text": "b", "image": "a.png"}\n')
    inside.plain("[images.limits]\npixels = 8\n")
    ran = inside("golden", "import", "new", "set.jsonl", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "image-refused")
    inside.plain("[images.limits]\npixels = 9\n")
    assert inside("golden", "import", "new", "set.jsonl").code == 0


def test_an_evaluation_without_one_figure_is_exit_2_in_every_format(console: Console, mine: str) -> None:
    console("golden", "import", mine, table(console, "text", "a red circle"))
    ran = console("eval", "demo/scenes", "--golden", mine, "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "usage")
    assert ran.json["not_scored"] == [
        {
            "query": ran.json["not_scored"][0]["query"],
            "label": "a red circle",
            "why": "Nothing is judged for it.",
        }
    ]
    shown = console("eval", "demo/scenes", "--golden", mine)
    assert shown.code == 2
    assert "no judgement, no rule and no smoke item" in shown.err
    junit = console("eval", "demo/scenes", "--golden", mine, "--format", "junit")
    assert junit.code == 2
    (suite,) = ElementTree.fromstring(junit.out)
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    (error,) = suite.findall("testcase/error")
    assert error.get("type") == "usage"


def test_junit_carries_warnings_and_queries_without_figures(console: Console, mine: str) -> None:
    console(
        "golden",
        "import",
        mine,
        table(console, "text,key,grade", "a red circle,123456789,1", "a blue star,,"),
    )
    console("golden", "freeze", mine)
    console("golden", "judge", mine, "--text", "a blue star", "--key", "1", "--grade", "0")
    ran = console("eval", "demo/scenes", "--golden", mine, "--format", "junit")
    (suite,) = ElementTree.fromstring(ran.out)
    said = suite.findtext("system-out") or ""
    assert "1 of the judged keys is no longer there" in said
    assert "has changed since version 1" in said
    assert "Not scored: a blue star: Nothing is judged for it." in said
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert (properties["warnings"], properties["not_scored"], properties["missing"]) == ("2", "1", "1")


def test_one_of_something_is_said_as_one(console: Console, mine: str) -> None:
    shown = console(
        "golden", "import", mine, table(console, "text,key,grade", "a red circle,123456789,1")
    ).out
    assert f"The draft of {mine} has 1 query, 1 judgement, 0 rules." in shown
    said = console("eval", "demo/scenes", "--golden", mine).out
    assert "1, of which 1 has something judged relevant" in said
    assert "relevant row here" not in said


def test_a_p_value_is_never_0(console: Console) -> None:
    ran = console("eval", "demo/scenes", "--golden", "demo", "--against", "demo/scenes-broken", "-k", "5")
    assert "< 0.001" in ran.out
    assert " 0.000\n" not in ran.out


def test_what_a_format_can_not_hold_is_said(console: Console) -> None:
    out = console.cwd / "demo.qrels"
    shown = console("golden", "export", "demo", str(out)).out
    assert f"Wrote {out}.topics.tsv" in shown
    assert "327 rules are left out" in shown
    assert "6 smoke items are left out" in shown
    held = console(
        "golden", "export", "demo", str(console.cwd / "beir"), "--as", "beir", "--format", "json"
    ).json
    assert held["not_held"] == ["1 note of the set is not in the files."]


def test_ids_that_are_gone_are_named_and_exit_0(console: Console, mine: str) -> None:
    file = table(console, "text,key,grade", "a red circle,123456789,1")
    console("golden", "import", mine, file)
    ran = console("eval", "demo/scenes", "--golden", mine)
    assert ran.code == 0
    assert "123456789" in ran.out
    assert "draft" in ran.out
    held = console("eval", "demo/scenes", "--golden", mine, "--format", "json")
    assert held.json["missing"][0]["keys"] == ["123456789"]
    assert held.json["version"] == "draft"
    assert "no longer there" in held.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["golden", "show", "nobody"], "not-found"),
        (["golden", "freeze", "nobody"], "not-found"),
        (["golden", "remove", "nobody"], "not-found"),
        (["golden", "show"], "usage"),
        (["golden", "list", "x"], "usage"),
        (["golden", "import", "x"], "usage"),
        (["golden", "import", "../x", "f.csv"], "usage"),
        (["golden", "import", "x", "f.csv"], "not-found"),
        (["golden", "import", "x", "f.dat"], "usage"),
        (["golden", "import", "x", "f.csv", "--add", "--replace"], "usage"),
        (["golden", "show", "demo", "--add"], "usage"),
        (["golden", "show", "demo", "--as", "csv"], "usage"),
        (["golden", "show", "demo@x"], "usage"),
        (["golden", "burn", "demo"], "usage"),
        (["eval", "demo/scenes"], "usage"),
        (["eval", "demo/scenes", "--golden", "nobody"], "not-found"),
        (["eval", "demo/nothing", "--golden", "demo"], "not-found"),
        (["eval", "nowhere/scenes", "--golden", "demo"], "not-found"),
        (["eval", "demo/scenes", "--golden", "demo", "-k", "0"], "usage"),
        (["eval", "demo/scenes", "--golden", "demo", "-k", "9999"], "usage"),
        (["eval", "demo/scenes", "--golden", "demo", "--format", "markdown"], "usage"),
    ],
)
def test_what_can_not_be_done_is_exit_2_with_its_code(console: Console, words: list[str], code: str) -> None:
    ran = console(*words, *(() if "--format" in words else ("--format", "json")))
    assert ran.code == 2
    if "markdown" not in words:
        assert json.loads(ran.out)["error"]["code"] == code
    else:
        assert f"[{code}]" in ran.err


def test_another_encoders_collection_stops_the_evaluation(console: Console) -> None:
    assert console("encoder", "demo/scenes-old", "set", "scenes-v2").code == 0
    try:
        ran = console("eval", "demo/scenes-old", "--golden", "demo", "--format", "json")
    finally:
        console("encoder", "demo/scenes-old", "clear")
    assert (ran.code, ran.json["error"]["code"]) == (2, "encoder-mismatch")


def test_the_set_goes_with_the_demo(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("open_clip", reason="the clip extra is not installed")
    monkeypatch.setattr(seed, "make_demo", functools.partial(seed.make_demo, scenes=12))
    assert inside("demo", "--no-serve").code == 0
    assert len(inside("golden", "list", "--format", "json").json["sets"]) == 2
    assert inside("demo", "--remove").code == 0
    assert inside("golden", "list", "--format", "json").json == {"sets": []}
    from connectors.qdrant import host

    host.stop(inside.home / "demo" / "store")


def test_a_check_with_a_golden_set_needs_the_encoder_and_the_set(console: Console) -> None:
    words = ("check", "demo/scenes", "--sample", "300", "--format", "json")
    refused = console(*words, "--golden", "demo")
    assert (refused.code, refused.json["error"]["code"]) == (2, "usage")
    gone = console(*words, "--golden", "nothing", "--encoder", "scenes-v2")
    assert (gone.code, gone.json["error"]["code"]) == (2, "not-found")
    asked = console(*words, "--golden", "demo", "--encoder", "scenes-v2")
    assert asked.code == 0, asked.err
    assert "cross-modal recall" not in {n["check"] for n in asked.json["not_measured"]}
