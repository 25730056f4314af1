"""A folder to work in, with files as an operator writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from console.settings import Settings, load


class Desk:
    """A working directory and a PLUMBLINE_HOME of its own."""

    def __init__(self, folder: Path) -> None:
        self.cwd = folder / "work"
        self.home = folder / "home"
        self.cwd.mkdir()
        self.home.mkdir()

    def plain(self, text: str) -> Path:
        file = self.cwd / "plumbline.toml"
        file.write_text(text, "utf-8")
        return file

    def secret(self, text: str) -> Path:
        file = self.cwd / ".streamlit" / "secrets.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(0o600)
        return file

    def load(
        self, environ: Mapping[str, str] | None = None, config: str | None = None, secrets: str | None = None
    ) -> Settings:
        held = {"PLUMBLINE_HOME": str(self.home), **(environ or {})}
        return load(config, secrets, held, self.cwd)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
