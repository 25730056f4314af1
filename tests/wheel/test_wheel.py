"""The wheel as a stranger gets it: one name, beside another package that owns the name `console`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """An environment of its own: the wheel, its dependencies, and somebody else's `console` and `pages`."""
    base = tmp_path_factory.mktemp("elsewhere")
    venv.create(base / "venv", with_pip=False)
    (site,) = (base / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for foreign in ("console", "pages", "connectors"):
        (site / foreign).mkdir()
        (site / foreign / "__init__.py").write_text(
            "raise RuntimeError('this is somebody else\\'s package')\n"
        )
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        entry = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "plumbline = plumbline:main" in archive.read(entry).decode()
    folder = base / "somewhere"
    folder.mkdir()
    (folder / "console").mkdir()
    (folder / "console" / "__init__.py").write_text(
        "raise RuntimeError('the working directory is not ours')\n"
    )
    places = {"python": base / "venv/bin/python", "cwd": folder, "home": base / "home"}
    yield places
    plumbline(places, "store", "stop")


def plumbline(places: dict[str, Path], *args: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(places["python"]), "-m", "plumbline", *args],
        cwd=places["cwd"],
        env=environment(places),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def environment(places: dict[str, Path]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PLUMBLINE", "PYTHON"))}
    return {**kept, "PLUMBLINE_HOME": str(places["home"]), "HF_HUB_OFFLINE": "1"}


def test_the_wheel_ships_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {n.split("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"plumbline"}
    assert "plumbline/pages/query.py" in names
    assert "plumbline/.streamlit/config.toml" in names
    assert sum(n.endswith(".safetensors") for n in names) == 2
    assert not [n for n in names if "__pycache__" in n or "/tests/" in n]


def test_version_answers_from_a_foreign_folder(installed: dict[str, Path]) -> None:
    done = plumbline(installed, "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_demo_query_and_pages_work_from_a_foreign_folder(installed: dict[str, Path]) -> None:
    made = plumbline(installed, "demo", "--no-serve", "--format", "json")
    assert made.returncode == 0, made.stderr
    collections = {c["address"]: c["rows"] for c in json.loads(made.stdout)["collections"]}
    assert collections["demo/scenes"] == collections["demo/scenes-old"] == 6000

    asked = plumbline(installed, "query", "demo/scenes", "--text", "a red circle", "--format", "json")
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert answer["encoder"]["name"] == "scenes-v2"
    assert len(answer["hits"]) == 10

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    console = subprocess.Popen(
        [str(installed["python"]), "-m", "plumbline", "up", "--port", str(port)],
        cwd=installed["cwd"],
        env=environment(installed),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for page in ("healthz", "", "query"):
            assert reached(f"http://127.0.0.1:{port}/{page}", console) == 200
    finally:
        console.terminate()
        console.wait(20)


def reached(url: str, process: subprocess.Popen[str]) -> int:
    """The status of a page, once its server is up."""
    until = time.monotonic() + 60
    while True:
        if process.poll() is not None:
            pytest.fail(f"the console ended: {process.stderr.read() if process.stderr else ''}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
