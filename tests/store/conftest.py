"""Each test of the store runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from console.settings import Retention, Settings
from console.store import Store, new_id
from tests.store.postgres_server import PostgresServer, start_postgres


@dataclass
class Desk:
    """What `Store.open` needs of a workspace."""

    settings: Settings

    def keeping(self, **changes: int) -> Desk:
        return Desk(replace(self.settings, retention=Retention(**changes)))


@dataclass
class Held:
    data: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def a_report(
    address: str = "prod/rows", vector: str = "", at: str = "2026-11-19T22:10:00+00:00", **more: Any
) -> Held:
    arrays = more.pop("arrays", {})
    data: dict[str, Any] = {
        "id": new_id(),
        "at": at,
        "address": f"{address}#{vector}",
        "vector": vector,
        "verdict": "healthy",
        "rows": 100,
        "scanned": 100,
        "exact": True,
        "profile": {"zero": 0, "non_finite": 0, "missing": 0, "duplicates": 0, "norms": {"mean": 1.0}},
        "findings": [],
        "root_causes": [],
        "root_ids": [],
        "not_measured": [],
        **more,
    }
    return Held(data, arrays)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A new, empty database."""
    import psycopg

    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_server.url(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return Desk(Settings(home=tmp_path / "home", store_url=url))


@pytest.fixture
def lite(tmp_path: Path) -> Desk:
    return Desk(Settings(home=tmp_path / "home"))


@pytest.fixture
def store(desk: Desk) -> Iterator[Store]:
    held = Store.open(desk)
    yield held
    held.close()
