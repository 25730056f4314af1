"""What `check` keeps, what it is held against, and that looking goes on where keeping can't."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.checkstore import SECRET, checked, configure, console, program
from tests.cli.conftest import Inside, Ran, Shell

__all__ = ["checked", "console", "program"]

PASSWORD = "st0re-P4ssword"
SNAPSHOT = (
    Path(__file__).parents[1] / "data/snapshots/things-8177368586269876-2026-11-21-04-12-58.snapshot.gz"
)


def kept(ran: Ran) -> list[str]:
    return [r["id"] for r in ran.json["reports"]]


def test_a_check_is_kept_and_listed_newest_first(console: Inside) -> None:
    first = console("check", "emb/two", "--format", "json").json["reports"]
    second = console("check", "emb/two#clip", "--format", "json").json
    ran = console("reports", "emb/two", "--format", "json")
    assert ran.code == 0
    assert all(set(r) == {"id", "address", "at", "verdict", "root_causes"} for r in ran.json["reports"])
    assert kept(ran)[0] == second["id"]
    assert set(kept(ran)) == {second["id"], *(r["id"] for r in first)}
    assert set(kept(console("reports", "emb/two#thumb", "--format", "json"))) == {first[1]["id"]}
    assert len(kept(console("reports", "emb/two", "--limit", "1", "--format", "json"))) == 1
    again = console("report", second["id"], "--format", "json")
    assert (again.code, again.json) == (0, second)


def test_a_sample_is_read_again(console: Inside) -> None:
    first = console("check", "emb/broken", "--sample", "150", "--format", "json").json
    second = console("check", "emb/broken", "--sample-of", first["id"], "--format", "json").json
    third = console("check", "emb/broken", "--sample-of", second["id"], "--format", "json").json
    for held in (second, third):
        assert (held["scanned"], held["exact"]) == (150, False)
        assert held["profile"] == first["profile"]
        assert [(f["id"], f["rows"], f["sample_ids"]) for f in held["findings"]] == [
            (f["id"], f["rows"], f["sample_ids"]) for f in first["findings"]
        ]
    full = console("check", "emb/broken", "--full", "--format", "json").json
    ran = console("check", "emb/broken", "--sample-of", full["id"], "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "not-found")


def test_a_baseline_is_pinned_used_shown_and_cleared(console: Inside) -> None:
    none = console("baseline", "show", "emb/sound", "--format", "json")
    assert (none.code, none.json) == (0, {"address": "emb/sound", "report": None})
    ran = console("baseline", "set", "emb/sound", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "not-found")

    first = console("check", "emb/sound", "--format", "json").json
    second = console("check", "emb/sound", "--format", "json").json
    assert (first["baseline"], second["baseline"]) == (None, None)
    pinned = console("baseline", "set", "emb/sound", "--report", first["id"], "--format", "json")
    assert (pinned.code, pinned.json["report"]) == (0, first["id"])
    assert console("baseline", "show", "emb/sound#clip", "--format", "json").json["report"] == first["id"]
    assert console("check", "emb/sound", "--format", "json").json["baseline"] == first["id"]
    latest = console("check", "emb/sound", "--baseline", "latest", "--format", "json").json
    assert latest["baseline"] not in (None, first["id"], latest["id"])
    by_id = console("check", "emb/sound", "--baseline", second["id"], "--format", "json").json
    assert by_id["baseline"] == second["id"]

    other = console("baseline", "set", "emb/broken", "--report", first["id"], "--format", "json")
    assert (other.code, other.json["error"]["code"]) == (2, "not-found")
    gone = console("baseline", "clear", "emb/sound", "--format", "json")
    assert (gone.code, gone.json["report"]) == (0, None)
    assert console("check", "emb/sound", "--format", "json").json["baseline"] is None
    misused = console("baseline", "show", "emb/sound", "--report", "x", "--format", "json")
    assert (misused.code, misused.json["error"]["code"]) == (2, "usage")


def test_the_latest_baseline_of_a_first_check_is_none(console: Inside) -> None:
    held = console("check", "emb/sound", "--baseline", "latest", "--format", "json")
    assert (held.code, held.json["baseline"]) == (0, None)


def broken(home: Path) -> None:
    (home / "store.sqlite3").write_bytes(b"this is no database, not at all" * 200)


def foreign(home: Path) -> None:
    with contextlib.closing(sqlite3.connect(home / "store.sqlite3")) as held:
        held.execute("CREATE TABLE plumbline_reports (x INTEGER)")
        held.commit()


def folder(home: Path) -> None:
    (home / "store.sqlite3").mkdir()


@pytest.mark.parametrize("spoil", [broken, foreign, folder])
def test_looking_goes_on_where_the_store_is_broken(console: Inside, spoil: object) -> None:
    assert callable(spoil)
    spoil(console.home)
    ran = console("check", "emb/sound", "--format", "json")
    assert (ran.code, ran.json["verdict"]) == (0, "healthy")
    assert ran.err.count("The report was not kept") == 1
    assert [u for u in ran.json["not_measured"] if u["check"] == "history"]
    assert console("check", "emb/broken", "--format", "json").code == 1
    for words in (("reports", "emb/sound"), ("report", "x"), ("baseline", "show", "emb/sound"),
                  ("check", "emb/sound", "--baseline", "latest"), ("check", "emb/sound", "--sample-of", "x")):  # fmt: skip
        asked = console(*words, "--format", "json")
        assert asked.code == 2
        assert asked.json["error"]["code"] in ("damaged", "settings", "not-found"), asked.json


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        yield
        held.execute("ROLLBACK")


def test_looking_goes_on_where_another_process_holds_the_store(
    console: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert console("check", "emb/one", "--quiet").code == 0
    monkeypatch.setattr("console.store.engine.BUSY_SECONDS", 1)
    monkeypatch.setattr("console.store.engine.SAVE_SECONDS", 1)
    with locked(console.home / "store.sqlite3"):
        ran = console("check", "emb/sound", "--format", "json")
    assert (ran.code, ran.json["verdict"]) == (0, "healthy")
    assert "The report was not kept" in ran.err
    assert "[busy]" in ran.err


@pytest.mark.parametrize("where", ["/proc/none/store.sqlite3", "/dev/null/store.sqlite3"])
def test_looking_goes_on_where_the_store_can_not_be_written(console: Inside, where: str) -> None:
    ran = console(
        "check", "emb/sound", "--format", "json", environ={"PLUMBLINE_STORE__URL": f"sqlite:///{where}"}
    )
    assert (ran.code, ran.json["verdict"]) == (0, "healthy")
    assert "The report was not kept" in ran.err


def test_looking_goes_on_where_the_store_is_not_reached_and_its_password_is_never_shown(
    program: Shell, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    url = f"postgresql://plumb:{PASSWORD}@127.0.0.1:1/kept"
    for form in ("table", "json", "junit", "markdown", "html"):
        ran = program(
            "check", "emb/broken", "--format", form, "--verbose", "--rows-out", str(rows),
            environ={"PLUMBLINE_STORE__URL": url},
        )  # fmt: skip
        assert ran.code == 1
        assert "The report was not kept" in ran.err
        for told in (ran.out, ran.err, rows.read_text()):
            assert PASSWORD not in told
            assert SECRET not in told
    asked = program(
        "reports", "emb/broken", "--format", "json", "--verbose", environ={"PLUMBLINE_STORE__URL": url}
    )
    assert asked.code == 2
    assert PASSWORD not in asked.out + asked.err


def test_no_secret_is_kept(console: Inside) -> None:
    console("check", "emb/sound", "dead/x", "--quiet")
    console("check", "emb/broken", "--quiet")
    held = b"".join(f.read_bytes() for f in console.home.rglob("*") if f.is_file() and "store" in f.name)
    assert b"plumbline_reports" in held
    assert SECRET.encode() not in held


def test_nothing_but_configured_addresses_is_reached(shell: Shell, checked: Path, tmp_path: Path) -> None:
    """The fixture holds the record of what was refused to nothing, after each of these."""
    file = tmp_path / "things.snapshot"
    file.write_bytes(gzip.decompress(SNAPSHOT.read_bytes()))
    configure(shell, checked, f'[connections.snap]\nkind = "qdrant"\nsnapshot = "{file}"\n')
    store = f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"
    for words in (("emb/broken", "--baseline", "latest"), (f"snapshot:{file}",), ("snap",)):
        ran = shell("check", *words, "--format", "json", environ={"PLUMBLINE_STORE__URL": store})
        assert ran.code in (0, 1)
        assert json.loads(ran.out)["verdict"] in ("broken", "degraded")
        assert "refused" not in ran.err
    assert shell("reports", "snap/things", environ={"PLUMBLINE_STORE__URL": store}).code == 0
