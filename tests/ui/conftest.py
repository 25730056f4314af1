"""The app run without a browser, against a pretended or a real workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from connectors.spec import ConnectionSpec
from console import settings
from console.ui import serving, session
from console.workspace import Workspace
from tests.ui.pretend import Pretend

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The user of this machine, an empty home, and no cache from another test."""
    monkeypatch.setattr(serving.SERVING, "host", "127.0.0.1")
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    session.close()
    st.cache_resource.clear()
    yield
    session.close()


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Pretend]]:
    """Open a workspace over pretended connections; returns them by name."""

    def open_workspace(*names: str) -> dict[str, Pretend]:
        made = {n: Pretend(ConnectionSpec(name=n, kind="qdrant", url="http://127.0.0.1:1")) for n in names}
        for name in names:
            monkeypatch.setenv(f"PLUMBLINE_CONNECTIONS__{name.upper()}__KIND", "qdrant")
            monkeypatch.setenv(f"PLUMBLINE_CONNECTIONS__{name.upper()}__URL", "http://127.0.0.1:1")
        workspace = Workspace(settings.load(), connect=lambda spec: made[spec.name])  # type: ignore[arg-type,return-value]
        session.adopt(workspace)
        return made

    return open_workspace


@pytest.fixture
def app() -> Callable[..., AppTest]:
    """The app at a page, not yet run."""

    def at(page: str = "overview", **params: str | list[str]) -> AppTest:
        test = AppTest.from_file(str(ROOT / "console" / "app.py"), default_timeout=30)
        test.switch_page(f"../pages/{page}.py")
        for name, value in params.items():
            test.query_params[name] = value
        return test

    return at
