"""The command line as a program, in a folder of its own."""

from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.cli import main
from console.demo import seed

HOUSE = Path(__file__).parents[2]
SCENES = 400


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs `plumbline` as a process of its own, with a PLUMBLINE_HOME of its own."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder / "work"
        self.home = folder / "home"
        self.cwd.mkdir()
        self.home.mkdir()
        self.egress = folder / "egress.txt"

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        held = {k: v for k, v in os.environ.items() if not k.startswith("PLUMBLINE_")}
        return {
            **held,
            "PYTHONPATH": str(HOUSE / "deploy"),
            "PLUMBLINE_HOME": str(self.home),
            "PLUMBLINETEST_EGRESS": str(self.egress),
            "COLUMNS": "80",
            **(more or {}),
        }

    def start(
        self, *words: str, environ: Mapping[str, str] | None = None, **more: Any
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "plumbline", *words],
            cwd=self.cwd,
            env=self.environ(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )

    def __call__(self, *words: str, environ: Mapping[str, str] | None = None, text: str = "") -> Ran:
        ran = subprocess.run(
            [sys.executable, "-m", "plumbline", *words],
            cwd=self.cwd,
            env=self.environ(environ),
            input=text.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    def secret(self, text: str) -> Path:
        file = self.cwd / ".streamlit" / "secrets.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
        return file

    def plain(self, text: str) -> Path:
        file = self.cwd / "plumbline.toml"
        file.write_text(text)
        return file


class Inside:
    """Runs `plumbline` in this process: the same words, the same answer, no start to wait for."""

    def __init__(self, shell: Shell, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.cwd = shell.home, shell.cwd
        self.secret, self.plain = shell.secret, shell.plain
        self._patch, self._capsys = patch, capsys

    def __call__(self, *words: str, environ: Mapping[str, str] | None = None, text: str = "") -> Ran:
        with self._patch.context() as patch:
            for name in [n for n in os.environ if n.startswith("PLUMBLINE_")]:
                patch.delenv(name)
            for name, value in {"PLUMBLINE_HOME": str(self.home), "COLUMNS": "80", **(environ or {})}.items():
                patch.setenv(name, value)
            patch.chdir(self.cwd)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
            self._capsys.readouterr()
            code = main(words)
        told = self._capsys.readouterr()
        return Ran(code, told.out, told.err)


@pytest.fixture
def inside(shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(shell, monkeypatch, capsys)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    held = Shell(tmp_path)
    yield held
    assert not held.egress.exists(), held.egress.read_text()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PLUMBLINE_HOME with a small demo and its two real encoders."""
    pytest.importorskip("open_clip", reason="the clip extra is not installed")
    home = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed, "make_demo", functools.partial(seed.make_demo, scenes=SCENES))
        patch.setenv("PLUMBLINE_HOME", str(home))
        patch.chdir(home)
        assert main(["demo", "--no-serve", "--quiet"]) == 0
    yield home
    from connectors.qdrant import host

    host.stop(home / "demo" / "store")
