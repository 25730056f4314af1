"""`plumbline check` against its contract: keys, exit codes, errors, several addresses, formats, progress."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.registry import connect
from console.jobs.rows import place as rows_of
from tests.cli.checkstore import BAD, FAULTY, ODD, SECRET, SOUND, checked, console, program
from tests.cli.conftest import HOUSE, Inside, Shell

__all__ = ["checked", "console", "program"]

KEYS = {
    "id", "at", "address", "vector", "verdict", "server", "rows", "scanned", "exact", "seed", "baseline", "seconds",
    "profile", "findings", "root_causes", "root_ids", "not_measured", "inferred_versions", "policy",
}  # fmt: skip
PROFILE = {
    "dimension", "metric", "norms", "zero", "non_finite", "missing", "duplicates", "versions", "untagged", "groups",
}  # fmt: skip
FINDING = {
    "id", "code", "severity", "summary", "basis", "rows", "rows_estimated", "share", "interval", "group", "effect",
    "since", "sample_ids", "evidence", "because_of", "because_of_ids", "accepted", "remedy",
}  # fmt: skip
ACTIONS = {
    "quarantine", "renormalize", "tag", "dedupe", "rebuild", "reindex", "configure", "reingest", "investigate", "none",
}  # fmt: skip


def test_every_key_of_the_contract_is_there(console: Inside) -> None:
    ran = console("check", "emb/broken", "--full", "--format", "json")
    held = ran.json
    assert ran.code == 1
    assert set(held) >= KEYS
    assert (held["address"], held["vector"], held["verdict"]) == ("emb/broken#clip", "clip", "broken")
    assert held["server"]["kind"] == "qdrant"
    assert held["server"]["version"]
    assert (held["rows"], held["scanned"], held["exact"], held["baseline"]) == (SOUND, SOUND, True, None)
    assert held["seconds"] > 0
    assert set(held["profile"]) >= PROFILE
    assert set(held["profile"]["norms"]) == {"mean", "std", "min", "max", "quantiles"}
    assert (held["profile"]["dimension"], held["profile"]["metric"]) == (32, "dot")
    assert set(held["policy"]) >= {"name", "version"}
    for one in held["findings"]:
        assert set(one) >= FINDING
        assert one["severity"] in ("info", "warning", "critical")
        assert one["basis"] in ("exact", "sample", "probe")
        assert set(one["remedy"]) >= {"action", "text"}
        assert one["remedy"]["action"] in ACTIONS
    for one in held["not_measured"]:
        assert set(one) == {"check", "why"}
        assert one["why"]


def test_the_cause_is_named_with_its_rows_and_group(console: Inside) -> None:
    held = console("check", "emb/broken", "--full", "--format", "json").json
    drift = held["findings"][0]
    assert held["root_causes"] == ["norm-drift"]
    assert held["root_ids"] == [drift["id"]]
    assert (drift["code"], drift["severity"], drift["rows"]) == ("norm-drift", "critical", BAD)
    assert drift["share"] == pytest.approx(BAD / SOUND)
    assert (drift["basis"], drift["interval"], drift["because_of"]) == ("exact", None, None)
    assert {k: drift["group"][k] for k in ("field", "value", "rows", "precision", "recall")} == {
        "field": "source", "value": "bad", "rows": BAD, "precision": 1, "recall": 1,
    }  # fmt: skip
    assert set(drift["sample_ids"]) <= set(FAULTY)
    assert "source=bad" in drift["summary"]
    for one in held["findings"][1:]:
        if one["because_of"] is not None:
            assert (one["because_of"], one["because_of_ids"]) == ("norm-drift", [drift["id"]])


def test_a_sample_has_intervals_and_estimates(console: Inside) -> None:
    held = console("check", "emb/broken", "--sample", "300", "--format", "json").json
    drift = next(f for f in held["findings"] if f["code"] == "norm-drift")
    assert (held["exact"], held["scanned"], held["rows"]) == (False, 300, SOUND)
    assert drift["basis"] == "sample"
    low, high = drift["interval"]
    assert 0 < low < drift["share"] < high < 1
    assert low * SOUND <= BAD <= high * SOUND
    assert drift["rows_estimated"]["low"] <= BAD <= drift["rows_estimated"]["high"]


@pytest.mark.parametrize(
    ("address", "words", "code"),
    [
        ("emb/sound", (), 0),
        ("emb/sound", ("--fail-on", "warning"), 0),
        ("emb/broken", (), 1),
        ("emb/broken", ("--expected-rows", "600"), 1),
        ("emb/sound", ("--expected-rows", "603", "--fail-on", "warning"), 1),
        ("emb/sound", ("--expected-rows", "603"), 0),
        ("emb/sound", ("--expected-rows", "700"), 1),
        ("emb/empty", (), 0),
        ("emb/one", ("--fail-on", "warning"), 0),
        ("emb/nope", (), 2),
        ("dead/x", (), 2),
        ("nowhere/x", (), 2),
    ],
)
def test_exit_codes(console: Inside, address: str, words: tuple[str, ...], code: int) -> None:
    assert console("check", address, *words, "--quiet").code == code


def test_accepted_findings_do_not_count_and_others_do(console: Inside) -> None:
    entry = (
        '[[accepted]]\naddress = "emb/broken"\ncode = "{}"\nreason = "the old scale is wanted"\nuntil = {}\n'
    )
    console.plain(entry.format("norm-drift", "2999-01-01"))
    ran = console("check", "emb/broken", "--full", "--format", "json")
    drift = next(f for f in ran.json["findings"] if f["code"] == "norm-drift")
    assert drift["accepted"]["reason"] == "the old scale is wanted"
    counting = [f for f in ran.json["findings"] if f["accepted"] is None and f["severity"] == "critical"]
    assert ran.code == (1 if counting else 0)
    assert console("check", "emb/broken", "--full").out.count("the old scale is wanted") >= 1
    console.plain(entry.format("norm-drift", "2020-01-01"))
    assert console("check", "emb/broken", "--full", "--quiet").code == 1


def test_a_folded_finding_counts(console: Inside) -> None:
    from console.cli.checking import fails

    root = {"severity": "warning", "accepted": None, "because_of": None}
    folded = {"severity": "critical", "accepted": None, "because_of": "zero-vectors"}
    assert fails({"findings": [root, folded]}, "critical")
    assert not fails({"findings": [root]}, "critical")
    assert fails({"findings": [root]}, "warning")
    assert not fails({"findings": [{**folded, "accepted": {"reason": "x"}}]}, "warning")
    assert not fails({"findings": [{**root, "severity": "info"}]}, "warning")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("emb/sound", "--all"),
        ("emb/sound", "--sample", "0"),
        ("emb/sound", "--sample", "-1"),
        ("emb/sound", "--sample", "x"),
        ("emb/sound", "--sample", "5", "--full"),
        ("emb/sound", "--full", "--sample-of", "x"),
        ("emb/sound", "--rate", "0"),
        ("emb/sound", "--rate", "nan"),
        ("emb/sound", "--budget", "inf"),
        ("emb/sound", "--seed", "-1"),
        ("emb/sound", "--expected-rows", "0"),
        ("emb/sound", "--fail-on", "info"),
        ("emb/sound", "--format", "yaml"),
        ("emb/sound", "--sampel", "5"),
        ("emb/sound", "--rows-out", "no/such/folder/rows.jsonl"),
        ("emb/sound", "--rows-out", ""),
        ("emb/sound", "--rows-out", "."),
        ("emb/sound", "--sample", "99999999999999999999999"),
        ("emb/",),
        ("emb/a/b",),
        ("emb/sound#a#b",),
        ("snapshot:",),
        ("emb/sound", "emb/a/b"),
    ],
)
def test_usage_errors_are_exit_2_as_json(console: Inside, words: tuple[str, ...]) -> None:
    form = () if "--format" in words else ("--format", "json")
    ran = console("check", *words, *form)
    assert ran.code == 2
    if form:
        assert set(ran.json["error"]) == {"code", "message", "where", "hint"}
        assert ran.json["error"]["code"] == "usage"
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("dead/x",), "unreachable"),
        (("dead",), "unreachable"),
        (("nowhere/x",), "not-found"),
        (("emb/nope",), "not-found"),
        (("emb/two#nope",), "not-found"),
        (("snapshot:/nope.snapshot",), "not-found"),
        (("emb/sound", "--golden", "x"), "not-found"),
        (("emb/sound", "--encoder", "nope"), "encoder-unknown"),
        (("emb/sound", "--baseline", "nope"), "not-found"),
        (("emb/sound", "--sample-of", "nope"), "not-found"),
    ],
)
def test_every_error_is_json_with_its_code(console: Inside, words: tuple[str, ...], code: str) -> None:
    ran = console("check", *words, "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)
    assert set(ran.json["error"]) == {"code", "message", "where", "hint"}
    assert SECRET not in ran.out + ran.err


def test_several_vector_fields_are_several_reports(console: Inside) -> None:
    ran = console("check", "emb/two", "--format", "json")
    assert [r["address"] for r in ran.json["reports"]] == ["emb/two#clip", "emb/two#thumb"]
    assert "error" not in ran.json
    assert console("check", "emb/two#thumb", "--format", "json").json["vector"] == "thumb"


def test_the_others_are_printed_where_one_can_not_be_examined(console: Inside) -> None:
    ran = console("check", "emb/nope", "emb/sound", "dead/x", "nowhere", "--format", "json")
    assert ran.code == 2
    assert [r["address"] for r in ran.json["reports"]] == ["emb/sound#clip"]
    told = {e["address"]: e["error"]["code"] for e in ran.json["errors"]}
    assert told == {"emb/nope": "not-found", "dead/x": "unreachable", "nowhere": "not-found"}
    assert set(ran.json["error"]) == {"code", "message", "where", "hint"}
    table = console("check", "emb/nope", "emb/sound")
    assert (table.code, table.out.split()[0]) == (2, "Healthy")
    assert "emb/nope" in table.err
    unit = console("check", "emb/nope", "emb/sound", "--format", "junit")
    assert ElementTree.fromstring(unit.out).get("errors") == "1"


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_what_was_not_examined_stands_beside_the_reports(console: Inside, form: str) -> None:
    ran = console("check", "emb/no<b>pe", "emb/sound", "--format", form)
    assert ran.code == 2
    assert "Not examined" in ran.out
    assert "not-found" in ran.out
    assert "<b>" not in re.sub(r"`[^`]*`", "", ran.out)
    assert "Healthy" in ran.out
    assert "Not examined" not in console("check", "emb/sound", "--format", form).out


def test_all_goes_on_where_one_connection_is_down(console: Inside) -> None:
    ran = console("check", "--all", "--sample", "50", "--format", "json")
    assert ran.code == 2
    assert {r["address"].partition("#")[0] for r in ran.json["reports"]} == {
        "emb/sound", "emb/broken", "emb/hostile", "emb/two", "emb/empty", "emb/one", "emb/odd%20%40%23%25%20näme",
    }  # fmt: skip
    assert [(e["address"], e["error"]["code"]) for e in ran.json["errors"]] == [("dead", "unreachable")]
    assert SECRET not in ran.out + ran.err


@pytest.fixture
def mixed(inside: Inside, tmp_path: Path) -> Inside:
    """A store with a collection of dense vectors, and one of sparse vectors only."""
    folder = tmp_path / "mixed"
    connector = connect(ConnectionSpec("made", "qdrant", path=str(folder)))
    connector.create("dense", CollectionPlan((VectorField("clip", dimension=4, metric="dot"),)))
    connector.insert(Target("dense"), [Row(1, {"clip": np.eye(4, dtype=np.float32)[0]}, {})])
    connector.create("words", CollectionPlan((VectorField("terms", kind="sparse"),)))
    connector.close()
    inside.secret(f'[connections.emb]\nkind = "qdrant"\npath = "{folder}"\n')
    return inside


@pytest.mark.parametrize("words", [("--all",), ("emb",)])
def test_a_collection_without_dense_vectors_is_skipped_and_fails_nothing(
    mixed: Inside, words: tuple[str, ...]
) -> None:
    ran = mixed("check", *words, "--format", "json")
    assert ran.code == 0
    assert [r["address"] for r in ran.json["reports"]] == ["emb/dense#clip"]
    assert ran.json["skipped"] == [{"address": "emb/words", "why": "Not measured: it has no dense vectors."}]
    assert "error" not in ran.json
    assert "Skipped  emb/words  Not measured" in mixed("check", *words).out
    unit = ElementTree.fromstring(mixed("check", *words, "--format", "junit").out)
    assert (unit.get("errors"), unit.get("failures")) == ("0", "0")
    case = next(c for c in unit.iter("testcase") if c.get("classname") == "emb/words")
    assert (case.find("skipped").get("message") or "").endswith("no dense vectors.")  # type: ignore[union-attr]
    for form in ("markdown", "html"):
        assert "Skipped" in mixed("check", *words, "--format", form).out


def test_a_collection_without_dense_vectors_that_was_named_is_an_error(mixed: Inside) -> None:
    ran = mixed("check", "emb/words", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "unsupported")
    both = mixed("check", "emb/words", "emb", "--format", "json")
    assert (both.code, both.json["error"]["code"]) == (2, "unsupported")
    assert len(both.json["reports"]) == 1
    assert "skipped" not in both.json


def test_a_check_of_nothing_is_no_success(inside: Inside, tmp_path: Path) -> None:
    connector = connect(ConnectionSpec("made", "qdrant", path=str(tmp_path / "sparse")))
    connector.create("words", CollectionPlan((VectorField("terms", kind="sparse"),)))
    connector.close()
    inside.secret(f'[connections.emb]\nkind = "qdrant"\npath = "{tmp_path / "sparse"}"\n')
    ran = inside("check", "--all", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "unsupported")
    assert ran.json["error"]["where"] == "emb/words"


def test_a_unit_test_without_a_baseline_is_skipped_not_passed(console: Inside) -> None:
    ran = console("check", "emb/sound", "--format", "junit")
    cases = {c.get("name"): c for c in ElementTree.fromstring(ran.out).iter("testcase")}
    for code in ("distribution-drift", "recall-drop", "latency-spike", "size-change"):
        skipped = cases[code].find("skipped")
        assert skipped is not None
        assert "no baseline" in (skipped.get("message") or "")
    assert "baseline" not in cases
    assert cases["zero-vectors"].find("skipped") is None


def test_the_same_word_twice_is_one_report(console: Inside) -> None:
    assert console("check", "emb/one", "emb/one", "--format", "json").json["address"] == "emb/one#"


@pytest.mark.parametrize("form", ["table", "markdown", "html", "junit"])
def test_the_unnamed_vector_leaves_no_bare_mark_for_people_to_read(console: Inside, form: str) -> None:
    said = console("check", "emb/one", "--format", form)
    assert "emb/one" in said.out
    assert "emb/one#" not in said.out + said.err
    assert console("check", "emb/one#", "--format", "json").json["address"] == "emb/one#"
    wrong = console("check", "emb/one#", "--encoder", "none-such")
    assert wrong.code == 2
    assert "emb/one#" not in wrong.err


@pytest.mark.parametrize("typed", ["emb/odd%20%40%23%25%20n%C3%A4me", "emb/odd %40%23%25 näme"])
def test_names_are_percent_decoded(console: Inside, typed: str) -> None:
    held = console("check", typed, "--format", "json").json
    assert (held["address"], held["collection"], held["scanned"]) == (
        "emb/odd%20%40%23%25%20näme#",
        ODD,
        60,
    )
    assert console("check", held["address"], "--format", "json").json["address"] == held["address"]


def test_nothing_is_healthy_where_nothing_was_scanned(console: Inside) -> None:
    held = console("check", "emb/empty", "--format", "json").json
    assert (held["verdict"], held["rows"], held["scanned"]) == ("not_known", 0, 0)
    assert held["profile"]["norms"]["mean"] is None
    assert held["profile"]["dimension"] == 8
    assert console("check", "emb/one", "--format", "json").json["verdict"] == "healthy"


def test_groups_may_be_nested_and_a_missing_field_is_said(console: Inside) -> None:
    words = ("--group-by", "deep.a.b", "--group-by", "nope", "--format", "json")
    held = console("check", "emb/hostile", *words).json
    assert {v: g["rows"] for v, g in held["profile"]["groups"]["deep.a.b"].items()} == {
        "g0": 40, "g1": 40, "g2": 40,
    }  # fmt: skip
    assert [u["why"] for u in held["not_measured"] if u["check"] == "group-by nope"] == [
        "No row that was read has this field."
    ]
    assert not [u for u in held["not_measured"] if u["check"] == "group-by deep.a.b"]


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in ("src", "href") or (value or "").startswith(("data:", "#")), value


@pytest.mark.parametrize("form", ["table", "json", "junit", "markdown", "html"])
def test_what_rows_hold_stays_text_and_short(console: Inside, form: str) -> None:
    ran = console("check", "emb/hostile", "--full", "--format", form, "--verbose")
    assert ran.code in (0, 1)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", ran.out)
    assert len(ran.out) < 200_000
    if form == "json":
        assert "alert(1)" in json.dumps(ran.json["profile"]["versions"])
    elif form == "junit":
        assert ElementTree.fromstring(ran.out).tag == "testsuites"
    elif form == "html":
        page = Page()
        page.feed(ran.out)
        assert not page.tags & {"script", "img", "a", "iframe", "link", "form", "object"}
    elif form == "markdown":
        outside = re.sub(r"`[^`\n]*`", "", ran.out)
        assert "<script" not in outside.replace("\\<", "")
        assert not re.search(r"(?<!\\)!\[", outside)
    else:
        assert all(len(line) <= 80 for line in ran.out.splitlines())
        assert "alert(1)" in ran.out


def test_the_table_is_short_and_verbose_says_more(console: Inside) -> None:
    short, full = (console("check", "emb/broken", "--full", *w).out for w in ((), ("--verbose",)))
    assert short.splitlines()[0] == "Broken  emb/broken#clip"
    assert f"{BAD} of {SOUND} rows, all from source=bad" in " ".join(short.splitlines()[1:4])
    assert "  > renormalize: " in short
    assert "quantiles" not in short
    assert "quantiles" in full
    assert len(short.splitlines()) < len(full.splitlines())
    assert all(len(line) <= 80 for line in (short + full).splitlines())


def test_only_json_is_on_standard_output_and_a_pipe_shows_no_progress(program: Shell) -> None:
    ran = program("check", "emb/sound", "--format", "json")
    assert (ran.code, ran.json["verdict"], ran.err) == (0, "healthy", "")
    ran = program("check", "emb/sound", "--format", "json", "--verbose")
    assert ran.json["verdict"] == "healthy"
    assert "emb/sound: Reading" in ran.err or "emb/sound: " in ran.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("emb/broken",), 1),
        (("emb/broken", "--format", "json"), 1),
        (("emb/broken", "--format", "junit"), 1),
        (("emb/sound", "--format", "html"), 0),
        (("dead/x", "--format", "json"), 2),
    ],
)
def test_a_reader_that_closes_the_pipe_does_not_change_what_a_check_found(
    program: Shell, words: tuple[str, ...], code: int
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "plumbline", "check", *words],
            cwd=program.cwd,
            env=program.environ(),
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert ran.returncode == code
    assert b"Traceback" not in ran.stderr
    assert b"BrokenPipe" not in ran.stderr


def test_with_standard_error_closed_the_document_stays_alone(program: Shell) -> None:
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "plumbline", "check", "dead/x", "--format", "json"],
        cwd=program.cwd,
        env=program.environ(),
        stdout=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert json.loads(ran.stdout)["error"]["code"] == "unreachable"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8", "UTF8"])
def test_documents_are_well_formed_in_every_encoding_of_standard_output(
    program: Shell, encoding: str
) -> None:
    name = "emb/odd%20%40%23%25%20n%C3%A4me"
    documents = [
        subprocess.run(
            [sys.executable, "-m", "plumbline", "check", name, "--format", form],
            cwd=program.cwd,
            env=program.environ({"PYTHONIOENCODING": encoding}),
            stdout=subprocess.PIPE,
            check=False,
        ).stdout
        for form in ("junit", "html")
    ]
    suites = ElementTree.fromstring(documents[0])
    assert "näme" in "".join(str(e.attrib) for e in suites.iter())
    page = documents[1].decode("utf-8")
    assert ("näme" in page) if encoding.lower().startswith("utf") else ("n&#228;me" in page)


def test_a_full_disk_behind_standard_output_is_exit_2(program: Shell) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "plumbline", "check", "emb/sound", "--format", "html"],
            cwd=program.cwd,
            env=program.environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ran.returncode == 2
    assert b"standard output can't be written" in ran.stderr
    assert b"[internal]" not in ran.stderr


def test_a_terminal_shows_progress_and_ends_clean(program: Shell) -> None:
    master, slave = pty.openpty()
    ran = subprocess.Popen(
        [sys.executable, "-m", "plumbline", "check", "emb/sound"],
        cwd=program.cwd,
        env={**program.environ(), "TERM": "xterm"},
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    told = b""
    while select.select([master], [], [], 60)[0]:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        told += part
    os.close(master)
    out, _ = ran.communicate(timeout=60)
    assert ran.returncode == 0
    assert out.startswith(b"Healthy  emb/sound#clip")
    assert b"\r\x1b[Kemb/sound: " in told
    assert told.endswith(b"\r\x1b[K")


@pytest.mark.parametrize("phase", [b"Connecting", b"Reading rows"])
def test_an_interrupt_ends_a_check_within_two_seconds(program: Shell, tmp_path: Path, phase: bytes) -> None:
    rows = tmp_path / "rows.jsonl"
    ran = program.start(
        "check", "emb/broken", "--full", "--rate", "50", "--rows-out", str(rows), "--format", "json",
        "--verbose", bufsize=0,
    )  # fmt: skip
    assert ran.stderr is not None
    while phase not in (line := ran.stderr.readline()):
        assert line, phase
    began = time.monotonic()
    ran.send_signal(signal.SIGINT)
    out, err = ran.communicate(timeout=30)
    assert (ran.returncode, out) == (130, b"")
    assert err.endswith(b"Interrupted.\n")
    assert b"Traceback" not in err
    assert time.monotonic() - began < 15
    assert not rows.exists()
    assert not list(tmp_path.glob(".rows*"))


def test_the_affected_rows_are_written(console: Inside, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    ran = console("check", "emb/broken", "--full", "--rows-out", str(file), "--format", "json")
    head, *rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert (head["report"], head["scanned"]) == (ran.json["id"], SOUND)
    assert "every affected row" in head["rows"]
    drifted = [r for r in rows if "norm-drift" in r["codes"]]
    assert all(set(r) == {"id", "codes", "findings", "norm", "version", "group"} for r in rows)
    assert [r["id"] for r in drifted] == list(FAULTY)
    assert all(r["norm"] == pytest.approx(1.7, abs=1e-3) for r in drifted)
    console("check", "emb/broken", "--sample", "100", "--rows-out", str(file))
    head, *rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert "of the sample" in head["rows"]
    assert head["affected"] == len(rows)


def test_the_affected_rows_are_kept_for_the_page(console: Inside) -> None:
    """A check by hand or by the clock is exported whole from there, as one that the page started."""
    held = console("check", "emb/broken", "--full", "--format", "json").json
    place = rows_of(console.home, held["id"])
    assert place is not None
    drifted = held["findings"][0]
    lines = [json.loads(line) for line in place.read_text().splitlines()[1:]]
    assert [r["id"] for r in lines if drifted["id"] in r["findings"]] == list(FAULTY)


def test_the_affected_rows_of_several_reports_and_of_none(console: Inside, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    assert console("check", "emb/sound", "emb/nope", "--rows-out", str(file), "--quiet").code == 2
    (head,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (head["address"], head["affected"]) == ("emb/sound#clip", 0)
    file.unlink()
    assert console("check", "emb/nope", "--rows-out", str(file), "--quiet").code == 2
    assert not file.exists()


def test_the_affected_rows_go_into_a_pipe_and_through_a_link_without_replacing_them(
    console: Inside, tmp_path: Path
) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "rows.jsonl"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    assert console("check", "emb/broken", "--full", "--rows-out", str(pipe), "--quiet").code == 1
    told, _ = reader.communicate(timeout=30)
    assert pipe.is_fifo()
    file.write_text("")
    link.symlink_to(file)
    assert console("check", "emb/broken", "--full", "--rows-out", str(link), "--quiet").code == 1
    assert link.is_symlink()
    assert len(told.splitlines()) == len(file.read_text().splitlines()) > BAD
    folder = console("check", "emb/one", "--rows-out", str(tmp_path), "--format", "json")
    assert (folder.code, folder.json["error"]["code"]) == (2, "usage")


def test_a_budget_that_is_spent_is_not_measured(console: Inside) -> None:
    held = console("check", "emb/sound", "--budget", "1e-9", "--format", "json").json
    spent = [u["check"] for u in held["not_measured"] if "used up" in u["why"]]
    assert spent
    assert all(f["basis"] != "probe" for f in held["findings"])


def test_a_rate_beyond_all_bounds_is_none(console: Inside) -> None:
    assert (
        console("check", "emb/sound", "--full", "--rate", "1e308", "--format", "json").json["scanned"]
        == SOUND
    )


def test_a_rate_is_kept(console: Inside) -> None:
    began = time.monotonic()
    held = console("check", "emb/sound", "--sample", "200", "--rate", "100", "--format", "json").json
    assert held["scanned"] == 200
    assert time.monotonic() - began > 1.0


def test_a_sample_larger_than_the_collection_reads_all_of_it(console: Inside) -> None:
    held = console("check", "emb/sound", "--sample", "999999", "--format", "json").json
    assert (held["scanned"], held["exact"]) == (SOUND, True)
    one = console("check", "emb/sound", "--sample", "1", "--format", "json").json
    assert (one["scanned"], one["exact"]) == (1, False)
    assert not [f for f in one["findings"] if f["severity"] != "info"]


def test_a_check_loads_no_model_page_or_other_database(program: Shell) -> None:
    code = (
        "import sys\nfrom console.cli import main\nmain(['check', 'emb/sound', '--quiet'])\n"
        "print('\\n@' + ' '.join({m.partition('.')[0] for m in sys.modules}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=program.cwd,
        env={**program.environ(), "PYTHONPATH": str(HOUSE)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ran.stdout.rpartition("@")[2].split())
    assert {"numpy", "grpc", "sqlalchemy"} <= loaded
    assert not loaded & {
        "torch",
        "streamlit",
        "pandas",
        "plotly",
        "weaviate",
        "PIL",
        "open_clip",
        "scipy",
    }


def test_a_full_check_is_the_same_again_apart_from_times(console: Inside) -> None:
    def judged(*words: str) -> Any:
        held = console("check", "emb/broken", "--full", "--format", "json", *words).json
        for name in ("id", "at", "seconds", "started", "charts"):
            held.pop(name)
        for one in held["findings"]:
            for name in ("since", "since_basis", "summary", "effect"):
                one.pop(name)
        return {k: v for k, v in held.items() if k != "headline"}

    assert judged() == judged()
