"""Exit codes, errors as JSON, and what is imported: the parts of the contract that need no database."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.errors import CODES, PlumblineError
from console.cli import main
from console.cli.parser import COMMANDS, LATER
from tests.cli.conftest import HOUSE, Shell

SECRET = "s3cr3t-Value_91x"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("PLUMBLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "json", "querry"],
        ["querry", "--format", "json"],
        ["querry", "--format=json"],
        ["query", "--bogus", "a/b", "--format", "json"],
        ["query", "--format", "json"],
        ["query", "a/b", "--text", "--format", "json"],
        ["query", "a/b", "--fuse", "bad", "--format", "json"],
        ["query", "a/b", "-k", "x", "--format", "json"],
        ["query", "a/b", "--weight", "x", "--format", "json"],
        ["--bogus", "--format", "json"],
        ["--format", "json"],
        ["describe", "--format", "json"],
        ["describe", "a", "--format", "json"],
        ["describe", "a/b", "c/d", "--format", "json"],
        ["up", "--port", "99999", "--format", "json"],
        ["up", "--port", "x", "--format", "json"],
        ["demo", "--reset", "--remove", "--format", "json"],
        ["connections", "tset", "x", "--format", "json"],
        ["connections", "test", "--format", "json"],
        ["encoder", "a/b", "put", "x", "--format", "json"],
        ["encoder", "a/b", "set", "--format", "json"],
        ["store", "jump", "--format", "json"],
        ["settings", "x", "--format", "json"],
        ["query", "a/b", "--format", "json"],
        ["query", "a/b", "--text", "x", "-k", "0", "--format", "json"],
        ["query", "a/b", "--text", "x", "--filter", "{", "--format", "json"],
        ["query", "a/b", "--text", "x", "--cutoff", "nan", "--format", "json"],
        ["query", "a/b", "--text", "x", "--timeout", "0", "--format", "json"],
        ["query", "a/b", "--id", "-1", "--format", "json"],
    ],
)
def test_a_usage_error_is_exit_2_and_json_where_json_was_asked_for(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, out, err = run(capsys, *words)
    assert code == 2
    error = json.loads(out)["error"]
    assert set(error) == {"code", "message", "where", "hint"}
    assert error["code"] == "usage"
    assert error["message"]
    assert err.startswith("plumbline: ")
    assert err.count("\n") == 1


def test_a_usage_error_without_json_leaves_standard_output_empty(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "querry")
    assert (code, out) == (2, "")
    assert err == "plumbline: There is no command `querry`. Did you mean `query`? [usage]\n"


@pytest.mark.parametrize(
    ("words", "close"),
    [
        (["query", "a/b", "--txt", "x"], "`--text`"),
        (["query", "a/b", "--cut-off=3"], "`--cutoff`"),
        (["demo", "--noserve"], "`--no-serve`"),
        (["settings", "--confg", "x"], "`--config`"),
    ],
)
def test_an_option_that_is_not_there_names_the_nearest_one(
    capsys: pytest.CaptureFixture[str], words: list[str], close: str
) -> None:
    code, out, _ = run(capsys, *words, "--format", "json")
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (2, "usage")
    assert f"Did you mean {close}?" in error["hint"]


@pytest.mark.parametrize("command", LATER)
def test_a_command_of_a_later_version_is_unsupported(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, _ = run(capsys, "--format", "json", command, "a/b", "--whatever", "3")
    assert code == 2
    error = json.loads(out)["error"]
    assert error["code"] == "unsupported"
    assert "comes with a later version" in error["message"]


@pytest.mark.parametrize("address", ["encoder:scenes-v2", "encoder:clip"])
def test_an_address_of_a_later_version_is_unsupported(
    capsys: pytest.CaptureFixture[str], address: str
) -> None:
    code, out, _ = run(capsys, "describe", address, "--format", "json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "unsupported")


def test_a_connection_that_is_not_configured_is_not_found_and_the_nearest_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__PROD__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__PROD__URL", "http://127.0.0.1:1")
    for words in (
        ["describe", "prd/x"],
        ["collections", "prd"],
        ["connections", "test", "prd"],
        ["encoder", "prd/x"],
    ):
        code, out, _ = run(capsys, *words, "--format", "json")
        error = json.loads(out)["error"]
        assert (code, error["code"], error["hint"]) == (2, "not-found", "Did you mean `prod`?")


def test_the_demo_that_was_not_made_says_how_to_make_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "describe", "demo/scenes", "--format", "json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "not-found")
    assert "plumbline demo" in json.loads(out)["error"]["hint"]


def test_a_settings_error_is_exit_2_with_file_line_and_key_and_without_the_value(
    capsys: pytest.CaptureFixture[str], alone: Path
) -> None:
    (alone / "s.toml").write_text(f'[connections.a]\nkind = "qdrant"\nurl = "http://u:{SECRET}@h"\n')
    for verbose in ([], ["--verbose"]):
        code, out, err = run(capsys, "connections", "--secrets", "s.toml", "--format", "json", *verbose)
        error = json.loads(out)["error"]
        assert (code, error["code"], error["where"]) == (2, "settings", "s.toml:3")
        assert "`connections.a.url`" in error["message"]
        assert SECRET not in out + err


def test_no_connections_are_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "connections", "--format", "json")[:2] == (0, '{\n  "connections": []\n}\n')
    assert run(capsys, "collections", "--format", "json")[:2] == (0, '{\n  "collections": []\n}\n')
    assert "plumbline demo" in run(capsys, "connections")[1]


def test_settings_are_listed_with_their_source_and_masked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, alone: Path
) -> None:
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__URL", "http://h:1")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__API_KEY", SECRET)
    (alone / "plumbline.toml").write_text(
        "[gate.quality]\nmargin = 0.02\n[jobs]\ndatabase_url = 'postgresql://h/jobs'\n"
    )
    code, out, err = run(capsys, "settings", "--format", "json")
    held = {s["key"]: s for s in json.loads(out)["settings"]}
    assert code == 0
    assert held["connections.a.api_key"] == {
        "key": "connections.a.api_key",
        "value": "***",
        "source": "PLUMBLINE_CONNECTIONS__A__API_KEY",
        "used": True,
    }
    assert held["gate.quality.margin"] == {
        "key": "gate.quality.margin",
        "value": 0.02,
        "source": "plumbline.toml:2",
        "used": True,
    }
    assert held["gate.latency.ratio"]["source"] == "default"
    assert held["jobs.database_url"]["used"] is False
    table = run(capsys, "settings")[1]
    assert "no effect yet" in table
    assert "***" in table
    assert SECRET not in out + err + table


@pytest.mark.parametrize("place", ["before", "after"])
def test_options_of_every_command_stand_before_or_after_it(
    capsys: pytest.CaptureFixture[str], alone: Path, place: str
) -> None:
    (alone / "c.toml").write_text("[store]\nkeep_days = 1\n")
    options = ["--format", "json", "--config", "c.toml", "--quiet"]
    words = [*options, "settings"] if place == "before" else ["settings", *options]
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert [s["source"] for s in json.loads(out)["settings"] if s["key"] == "store.keep_days"] == ["c.toml:2"]


def test_help_and_version_are_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)
    for command in COMMANDS:
        code, out, _ = run(capsys, command, "--help")
        assert (code, out.startswith(f"usage: plumbline {command}")) == (0, True)
    code, out, _ = run(capsys, "--version")
    assert (code, out.split()[0]) == (0, "plumbline")
    code, out, _ = run(capsys, "--version", "--format", "json")
    assert (code, set(json.loads(out))) == (0, {"version"})


def test_an_unforeseen_exception_is_internal_and_exit_2_and_holds_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__URL", "http://h:1")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__A__API_KEY", SECRET)

    def broken(*_: object) -> object:
        raise RuntimeError(f"with the key {SECRET}")

    monkeypatch.setattr("console.catalogue.connections", broken)
    for verbose in ([], ["--verbose"]):
        code, out, err = run(capsys, "connections", "--format", "json", *verbose)
        error = json.loads(out)["error"]
        assert (code, error["code"]) == (2, "internal")
        assert "RuntimeError: with the key ***" in error["message"]
        assert SECRET not in out + err
        assert ("Traceback" in err) is bool(verbose)


@pytest.mark.parametrize(
    "fault", [SystemExit(0), SystemExit("x"), GeneratorExit(), MemoryError(), RecursionError()]
)
def test_nothing_that_is_raised_becomes_exit_0_or_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def broken(*_: object) -> object:
        raise fault

    monkeypatch.setattr("console.catalogue.connections", broken)
    code, out, _ = run(capsys, "connections", "--format", "json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "internal")


def test_an_interrupt_is_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("console.catalogue.connections", broken)
    code, out, err = run(capsys, "connections", "--format", "json")
    assert (code, out, err) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize(
    ("module", "extra"), [("streamlit", "console"), ("torch", "clip"), ("open_clip.x", "clip")]
)
def test_a_module_that_is_not_installed_names_its_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    def broken(*_: object) -> object:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("console.catalogue.connections", broken)
    code, out, _ = run(capsys, "connections", "--format", "json")
    error = json.loads(out)["error"]
    assert (code, error["code"], error["hint"]) == (2, "extra-missing", f"pip install 'plumbline[{extra}]'")


def test_every_code_of_an_error_survives_to_the_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in CODES:

        def broken(*_: object, code: str = given) -> object:
            raise PlumblineError(code, "m", where="w", hint="h")  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr("console.catalogue.connections", broken)
        code, out, _ = run(capsys, "connections", "--format", "json")
        assert (code, json.loads(out)) == (
            2,
            {"error": {"code": given, "message": "m", "where": "w", "hint": "h"}},
        )


def test_a_reader_that_leaves_is_no_fault(shell: Shell) -> None:
    command = f"{sys.executable} -m plumbline settings --format json | head -c 1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", command],
        cwd=shell.cwd,
        env=shell.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "{0\n"
    assert ran.stderr == ""


def test_an_output_that_is_closed_or_full_does_not_crash(shell: Shell) -> None:
    for redirect, code in ((">&-", 0), ("2>&- --bogus", 2), (">/dev/full", 2)):
        ran = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m plumbline settings {redirect}"],
            cwd=shell.cwd,
            env=shell.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, (redirect, ran.stderr)
        assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
def test_an_output_that_is_not_utf8_does_not_crash(shell: Shell, encoding: str) -> None:
    shell.plain("[encoders.'Zügel ✓']\nmodel = 'x'\n")
    for form in ("table", "json"):
        process = shell.start("settings", "--format", form, environ={"PYTHONIOENCODING": encoding})
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err.decode(encoding)) == (0, "")
        assert "encoders" in out.decode(encoding)


def test_an_interrupt_from_outside_is_130(shell: Shell) -> None:
    process = shell.start("store", "--path", str(shell.home / "s"))
    assert process.stderr is not None
    process.stderr.readline()
    deadline = time.monotonic() + 60
    while not list(shell.home.glob("s/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, 130)


HEAVY = (
    "numpy",
    "pydantic",
    "streamlit",
    "torch",
    "open_clip",
    "qdrant_client",
    "qdrant_edge",
    "weaviate",
    "grpc",
    "httpx",
    "PIL",
    "plotly",
    "asyncio",
)


def imported(words: list[str], shell: Shell) -> set[str]:
    told = (
        "import sys, runpy\n"
        f"sys.argv = ['plumbline', *{words!r}]\n"
        "try:\n    runpy.run_module('plumbline', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "print('\\n@' + ' '.join({m.partition('.')[0] for m in sys.modules}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", told],
        cwd=shell.cwd,
        env=shell.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.rpartition("@")[2].split())


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["query", "--help"],
        ["settings"],
        ["querry"],
        ["query", "--bogus"],
        ["check"],
    ],
)
def test_what_is_quick_imports_nothing_heavy(shell: Shell, words: list[str]) -> None:
    assert not imported(words, shell) & set(HEAVY)


def test_one_kind_of_database_imports_one_client(shell: Shell) -> None:
    for kind, mine, other in (
        ("qdrant", "qdrant_client", "weaviate"),
        ("weaviate", "weaviate", "qdrant_client"),
    ):
        shell.secret(f'[connections.a]\nkind = "{kind}"\nurl = "http://127.0.0.1:1"\ntimeout = 1\n')
        held = imported(["connections"], shell)
        assert mine in held or kind == "qdrant"
        assert not held & {other, "torch", "open_clip", "streamlit", "plotly", "PIL"}


def test_the_house_is_found_from_a_foreign_folder(shell: Shell) -> None:
    (shell.cwd / "console").mkdir()
    (shell.cwd / "console" / "__init__.py").write_text("raise RuntimeError('not ours')")
    ran = shell("settings", "--format", "json")
    assert ran.code == 0, ran.err
    assert HOUSE.is_dir()


@pytest.mark.parametrize("kind", ["qdrant", "weaviate"])
@pytest.mark.parametrize("words", [["connections"], ["query", "m/x", "m/y", "--id", "1"]])
def test_an_interrupt_does_not_wait_for_a_server_that_is_silent(
    shell: Shell, kind: str, words: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        shell.secret(
            f'[connections.m]\nkind = "{kind}"\nurl = "http://127.0.0.1:{port}"\ngrpc_port = {port}\ntimeout = 60\n'
        )
        process = shell.start(*words)
        silent.settimeout(60)
        held, _ = silent.accept()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        held.close()
    assert process.returncode == 130
    assert err == b"Interrupted.\n"
    assert time.monotonic() - began < 20
