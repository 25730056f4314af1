"""An embedded store with sound, broken, odd and hostile collections, for the tests of `check` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import CollectionPlan, ConnectionSpec, Metric, Row, Target, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from tests.cli.conftest import Inside, Shell
from tests.faults.bases import unit_dot

HOSTILE = "a \x1b[31mred\x1b[0m\n<script>alert(1)</script> ]]> \u202e ![x](http://evil.example) | `x` & \"'"
ODD = "odd @#% näme"
SECRET = "s3cr3t-Value_91x"
SOUND, BAD = 600, 100
FAULTY = range(1, SOUND + 1, SOUND // BAD)
"""Rows of `sound` and `broken`; rows of `broken` that are 1.7 times as long as the rest (all of them source=bad), and their ids."""


def made(folder: Path) -> None:
    connector = connect(ConnectionSpec("made", "qdrant", path=str(folder)))
    rng = np.random.default_rng(0)

    def put(name: str, rows: list[Row], metric: Metric = "dot", **fields: int) -> None:
        plan = CollectionPlan(
            tuple(
                VectorField(f if f != "only" else "", dimension=d, metric=metric) for f, d in fields.items()
            )
        )
        connector.create(name, plan)
        assert len(connector.insert(Target(name), rows).done) == len(rows)

    def some(n: int, payload: Callable[[int], dict[str, Any]], **fields: int) -> list[Row]:
        return [
            Row(
                i,
                {
                    f if f != "only" else "": rng.standard_normal(d).astype(np.float32)
                    for f, d in fields.items()
                },
                payload(i),
            )
            for i in range(n)
        ]

    def hostile(i: int) -> dict[str, Any]:
        return {
            HOSTILE: HOSTILE,
            "embedding_version": HOSTILE if i % 2 else "v1",
            "caption": "x" * 200_000 if i == 3 else HOSTILE,
            "deep": {"a": {"b": f"g{i % 3}"}},
            "modality": HOSTILE if i % 3 else "text",
        }

    base = unit_dot(3, SOUND, 32)
    broken = base.matrix.copy()
    bad = np.arange(SOUND) % (SOUND // BAD) == 0
    broken[bad] *= np.float32(1.7)
    for name, matrix in (("sound", base.matrix), ("broken", broken)):
        rows = [
            Row(i, {"clip": v}, {**p, "source": "bad" if name == "broken" and b else p.get("source", "good")})
            for i, v, p, b in zip(base.ids, matrix, base.payloads, bad, strict=True)
        ]
        put(name, rows, clip=32)
    put("hostile", some(120, hostile, only=16), "cosine", only=16)
    put("two", some(60, lambda i: {"t": f"row {i}"}, clip=8, thumb=4), clip=8, thumb=4)
    put(ODD, some(60, lambda i: {"t": f"row {i}"}, only=8), "cosine", only=8)
    put("empty", [], only=8)
    put("one", some(1, lambda _: {}, only=8), only=8)
    connector.close()


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("checked") / "store"
    made(folder)
    yield folder
    host.stop(folder)


def configure(where: Shell | Inside, store: Path, more: str = "") -> None:
    where.secret(
        f'[connections.emb]\nkind = "qdrant"\npath = "{store}"\n'
        f'[connections.dead]\nkind = "qdrant"\nurl = "http://127.0.0.1:1"\napi_key = "{SECRET}"\ntimeout = 1\n{more}'
    )


@pytest.fixture
def console(inside: Inside, checked: Path) -> Inside:
    configure(inside, checked)
    return inside


@pytest.fixture
def program(shell: Shell, checked: Path) -> Shell:
    configure(shell, checked)
    return shell
