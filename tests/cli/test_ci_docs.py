"""The pipelines of docs/ci.md, run as they stand, against the embedded store."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from connectors import registry
from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from tests.faults.bases import unit_dot

TEXT = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()


def block(heading: str) -> dict[str, Any]:
    part = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"```yaml\n(.*?)```", part, re.DOTALL)
    assert found, heading
    return yaml.safe_load(found[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded store with a sound collection and one with a sixth of its rows never normalised."""
    root = tmp_path_factory.mktemp("ci") / "store"
    base = unit_dot(3, 900, 32)
    broken = base.matrix.copy()
    broken[::6] *= np.float32(1.7)
    with_store = registry.connect(ConnectionSpec(name="s", kind="qdrant", path=str(root)))
    try:
        for name, matrix in (("sound", base.matrix), ("broken", broken)):
            with_store.create(name, CollectionPlan((VectorField("", dimension=32, metric="dot"),)))
            rows = [Row(i, {"": v}, p) for i, v, p in zip(base.ids, matrix, base.payloads, strict=True)]
            assert len(with_store.insert(Target(name), rows).done) == 900
    finally:
        with_store.close()
    yield root
    from connectors.qdrant import host

    host.stop(root)


def environment(tmp_path: Path, store: Path, collection: str, given: dict[str, str]) -> dict[str, str]:
    """As the runner would make it; `pip install plumbline` finds it installed."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pip").write_text('#!/bin/sh\n[ "$1 $2" = "install plumbline" ]\n')
    (tools / "pip").chmod(0o755)
    held = {k: v for k, v in given.items() if not k.endswith(("__URL", "__API_KEY"))}
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("PLUMBLINE_")},
        **held,
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PLUMBLINE_HOME": str(tmp_path / "home"),
        "PLUMBLINE_CONNECTIONS__PROD__PATH": str(store),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


def shell(script: str, env: dict[str, str], at: Path, collection: str) -> subprocess.CompletedProcess[str]:
    script = script.replace("prod/products", f"prod/{collection}")
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        env=env,
        cwd=at,
        capture_output=True,
        text=True,
        timeout=200,
    )


def junit(file: Path) -> tuple[int, int]:
    """Testcases and failures."""
    root = ElementTree.parse(file).getroot()
    cases = list(root.iter("testcase"))
    return len(cases), sum(c.find("failure") is not None for c in cases)


@pytest.mark.parametrize(("collection", "code"), [("sound", 0), ("broken", 1)])
def test_the_github_workflow(tmp_path: Path, folder: Path, collection: str, code: int) -> None:
    job = block("GitHub Actions")["jobs"]["check"]
    env = environment(tmp_path, folder, collection, job["env"])
    steps = {s.get("name", s["run"]): s["run"] for s in job["steps"] if "run" in s}
    assert shell(steps["pip install plumbline"], env, tmp_path, collection).returncode == 0
    checked = shell(steps["Check"], env, tmp_path, collection)
    assert checked.returncode == code, checked.stderr
    cases, failures = junit(tmp_path / "health.xml")
    assert cases > 20
    assert bool(failures) == bool(code)
    told = shell(steps["Tell"], env, tmp_path, collection)
    assert told.returncode == 0, told.stderr
    summary = (tmp_path / "summary.md").read_text()
    assert f"prod/{collection}" in summary
    assert ("norm-drift" in summary) == bool(code)
    named = next(s["with"]["path"] for s in job["steps"] if "upload" in s.get("uses", ""))
    assert all((tmp_path / name).is_file() for name in named.split())


@pytest.mark.parametrize(("collection", "code"), [("sound", 0), ("broken", 1)])
def test_the_gitlab_job(tmp_path: Path, folder: Path, collection: str, code: int) -> None:
    job = block("GitLab CI")["retrieval-health"]
    env = environment(tmp_path, folder, collection, job["variables"])
    done = shell("\n".join(job["script"]), env, tmp_path, collection)
    assert done.returncode == code, done.stderr
    assert bool(junit(tmp_path / job["artifacts"]["reports"]["junit"])[1]) == bool(code)
    assert all((tmp_path / name).is_file() for name in job["artifacts"]["paths"])


def test_the_cron_line_writes_the_report_and_mails_on_findings(tmp_path: Path, folder: Path) -> None:
    line = re.search(r"```cron\n(.*?)\n```", TEXT, re.DOTALL)
    assert line
    command = line[1].split(" ", 5)[5].replace("/var/lib/plumbline", str(tmp_path))
    env = environment(tmp_path, folder, "broken", {"PLUMBLINE_CONNECTIONS__PROD__KIND": "qdrant"})
    mail = tmp_path / "tools" / "mail"
    mail.write_text(f"#!/bin/sh\ncat > {tmp_path}/mailed\n")
    mail.chmod(0o755)
    assert (
        shell(command.replace("--quiet", "--quiet --fail-on warning"), env, tmp_path, "sound").returncode == 0
    )
    assert not (tmp_path / "mailed").exists()
    shell(command.replace("--quiet", "--quiet --fail-on warning"), env, tmp_path, "broken")
    assert "norm-drift" in (tmp_path / "mailed").read_text()
    assert (tmp_path / "last.md").read_text() == (tmp_path / "mailed").read_text()


def test_a_pipeline_that_cannot_look_is_not_healthy(tmp_path: Path, folder: Path) -> None:
    job = block("GitLab CI")["retrieval-health"]
    env = environment(tmp_path, folder, "gone", job["variables"])
    assert shell("\n".join(job["script"]), env, tmp_path, "gone").returncode == 2


def test_the_accepted_example_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.settings import load

    found = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert found
    file = tmp_path / "plumbline.toml"
    file.write_text(found[1])
    (accepted,) = load(str(file)).accepted
    assert (accepted.code, str(accepted.address)) == ("norm-drift", "prod/products")


def test_the_alerts_name_metrics_that_are_served() -> None:
    part = TEXT.partition("Two alerts:")[2]
    found = re.search(r"```yaml\n(.*?)```", part, re.DOTALL)
    assert found
    rules = yaml.safe_load(found[1])["groups"][0]["rules"]
    source = "\n".join(p.read_text() for p in (Path(__file__).parents[2] / "console").rglob("*.py"))
    for rule in rules:
        name = re.match(r"plumbline_\w+", rule["expr"])
        assert name
        assert name[0] in source
