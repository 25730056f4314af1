"""The base package is enough for `check`: no extra is there, none is asked for, and none is ever imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from connectors import registry
from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.qdrant import host
from tests.faults.bases import unit_dot
from tests.wheel.conftest import Installed

EXTRAS = ("torch", "torchvision", "open_clip", "streamlit", "plotly", "PIL", "psycopg", "sklearn")
UNUSED = ("scipy",)
"""Comes with ir-measures, whose compiled part asks for it; `check` never imports it."""
FOUND = f"import importlib.util as u; print([m for m in {EXTRAS} if u.find_spec(m)])"
IMPORTED = """
import json, runpy, sys
sys.argv = ["plumbline", *sys.argv[1:]]
try:
    runpy.run_module("plumbline", run_name="__main__")
except SystemExit as left:
    code = left.code
print("\\n@" + json.dumps([code, sorted({m.partition(".")[0] for m in sys.modules})]))
"""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A connection to an embedded store: 900 rows of captions, a sixth of them never normalised."""
    store = tmp_path_factory.mktemp("base") / "store"
    base = unit_dot(3, 900, 32)
    matrix = base.matrix.copy()
    matrix[::6] *= np.float32(1.7)
    connector = registry.connect(ConnectionSpec(name="s", kind="qdrant", path=str(store)))
    try:
        connector.create("things", CollectionPlan((VectorField("", dimension=32, metric="dot"),)))
        rows = [
            Row(i, {"": v}, {**p, "caption": f"a picture of thing {i}"})
            for i, v, p in zip(base.ids, matrix, base.payloads, strict=True)
        ]
        assert len(connector.insert(Target("things"), rows).done) == 900
    finally:
        connector.close()
        host.stop(store)
    yield {"PLUMBLINE_CONNECTIONS__PROD__KIND": "qdrant", "PLUMBLINE_CONNECTIONS__PROD__PATH": str(store)}
    host.stop(store)


def test_check_works_where_no_extra_can_be_imported(based: Installed, environ: dict[str, str]) -> None:
    assert based.python_says(FOUND).strip() == "[]"
    made = based.json("check", "prod/things", "--full", code=1, **environ)
    assert (made["verdict"], made["scanned"], made["exact"]) == ("broken", 900, True)
    (drift,) = [f for f in made["findings"] if f["code"] == "norm-drift"]
    assert drift["rows"] == 150
    assert "norm-drift" in made["root_causes"]
    assert not [n for n in made["not_measured"] if "import" in n["why"].lower() or "installed" in n["why"]]
    kept = based.json("reports", "prod/things", **environ)["reports"]
    assert [r["id"] for r in kept] == [made["id"]]


def test_an_encoder_without_its_extra_says_so(based: Installed, environ: dict[str, str]) -> None:
    error: dict[str, Any] = based.json("check", "prod/things", "--encoder", "scenes-v2", code=2, **environ)
    assert error["error"]["code"] == "extra-missing"
    assert "plumbline[clip]" in error["error"]["hint"]
    assert based("up", "--port", "0").returncode == 2


def test_check_imports_no_extra_where_they_are_installed(
    installed: Installed, environ: dict[str, str]
) -> None:
    assert "torch" in installed.python_says(FOUND)
    told = installed.python_says(IMPORTED, "check", "prod/things", "--quiet", **environ)
    code, held = json.loads(told.rpartition("@")[2])
    assert code == 1
    assert {"numpy", "sqlalchemy", "console"} <= set(held)
    assert not set(held) & {*EXTRAS, *UNUSED}
