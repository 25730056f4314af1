"""The wheel, built and installed once, and environments it stands in: none holds the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

HOUSE = Path(__file__).resolve().parents[2]
FOREIGN = ("console", "pages", "connectors")


@dataclass(frozen=True)
class Installed:
    """`plumbline` in an environment of its own, called from a folder that holds another `console`."""

    python: Path
    site: Path
    cwd: Path
    home: Path

    def environ(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PLUMBLINE", "PYTHON"))}
        return {**kept, "PLUMBLINE_HOME": str(self.home), "HF_HUB_OFFLINE": "1", "COLUMNS": "80", **more}

    def python_says(self, program: str, *words: str, **more: str) -> str:
        """Standard output of a program in this environment, which must end with 0."""
        done = self._run("-c", program, *words, more=more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __call__(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self._run("-m", "plumbline", *words, more=more)

    def json(self, *words: str, code: int = 0, **more: str) -> Any:
        done = self(*words, "--format", "json", **more)
        assert done.returncode == code, (done.stdout, done.stderr)
        return json.loads(done.stdout)

    def _run(self, *words: str, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *words],
            cwd=self.cwd,
            env=self.environ(**more),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(HOUSE)],
        check=True,
        capture_output=True,
        timeout=200,
    )
    (built,) = out.glob("plumbline-*.whl")
    return built


def _place(base: Path, wheel: Path) -> Installed:
    """A virtual environment with the wheel and with nothing else yet, and a folder to call it from."""
    venv.create(base / "venv", with_pip=False)
    (site,) = (base / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        entry = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "plumbline = plumbline:main" in archive.read(entry).decode()
    cwd = base / "somewhere"
    (cwd / "console").mkdir(parents=True)
    (cwd / "console" / "__init__.py").write_text("raise RuntimeError('the working directory is not ours')\n")
    return Installed(base / "venv/bin/python", site, cwd, base / "home")


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """With every extra, and somebody else's `console`, `pages` and `connectors` beside it."""
    place = _place(tmp_path_factory.mktemp("elsewhere"), wheel)
    (place.site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for foreign in FOREIGN:
        (place.site / foreign).mkdir()
        (place.site / foreign / "__init__.py").write_text(
            "raise RuntimeError('this is somebody else\\'s package')\n"
        )
    yield place
    place("store", "stop")


@pytest.fixture(scope="session")
def based(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """What `pip install plumbline` brings: the wheel and the distributions that it requires without an extra."""
    place = _place(tmp_path_factory.mktemp("based"), wheel)
    (metadata,) = place.site.glob("plumbline-*.dist-info/METADATA")
    wanted = [
        one.partition(":")[2].strip()
        for one in metadata.read_text().splitlines()
        if one.startswith("Requires-Dist:")
    ]
    held: set[tuple[str, str]] = set()
    asked = [one for text in wanted if _applies(one := Requirement(text), "")]
    while asked:
        one = asked.pop()
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        for extra in {"", *one.extras} - {e for n, e in held if n == name}:
            held.add((name, extra))
            inner = map(Requirement, distribution(name).requires or ())
            asked += [each for each in inner if _applies(each, extra)]
    for name in sorted({name for name, _ in held}):
        _link(name, place.site)
    return place


def _applies(one: Requirement, extra: str) -> bool:
    return one.marker is None or one.marker.evaluate({"extra": extra})


def _link(name: str, site: Path) -> None:
    """Everything that the distribution put at the top of its own site-packages."""
    found = distribution(name)
    source = Path(str(found.locate_file("")))
    for top in {Path(str(file)).parts[0] for file in found.files or ()}:
        if top not in ("..", "__pycache__", "/") and not (site / top).exists():
            (site / top).symlink_to(source / top)


@dataclass(frozen=True)
class Answer:
    status: int
    text: str


def get(url: str, timeout: float = 60) -> Answer:
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return Answer(answer.status, answer.read().decode())


@pytest.fixture(scope="session")
def demo(installed: Installed) -> dict[str, int]:
    """Rows of the demo's collections, made by the wheel from a foreign folder."""
    made = installed.json("demo", "--no-serve")
    return {c["address"]: c["rows"] for c in made["collections"]}


@pytest.fixture(scope="session")
def console(installed: Installed, demo: dict[str, int]) -> Iterator[str]:
    """The URL of the wheel's console."""
    process = subprocess.Popen(
        [str(installed.python), "-m", "plumbline", "up", "--port", "0"],
        cwd=installed.cwd,
        env=installed.environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = ""
    assert process.stderr is not None
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", told)):
        line = process.stderr.readline()
        assert line, f"the console ended: {told}"
        told += line
    yield found[0]
    process.terminate()
    process.communicate(timeout=60)
