"""What the commands share: the output, the settings and the workspace, each made when it is needed."""

from __future__ import annotations

import os
import threading
from argparse import Namespace
from typing import TYPE_CHECKING, Final

from console import egress
from console.cli.output import Out

if TYPE_CHECKING:
    from console.settings import Settings
    from console.workspace import Workspace


PATIENCE: Final = 2.0
"""Seconds that closing may take."""


class Context:
    """One run of the command line."""

    def __init__(self, out: Out) -> None:
        self.out = out
        self.config: str | None = None
        self.secrets_file: str | None = None
        self._settings: Settings | None = None
        self._workspace: Workspace | None = None

    def take(self, args: Namespace) -> None:
        """The options that every command has."""
        self.out.form = getattr(args, "format", "table")
        self.out.quiet = getattr(args, "quiet", False)
        self.out.verbose = getattr(args, "verbose", False)
        self.config = getattr(args, "config", None)
        self.secrets_file = getattr(args, "secrets", None)

    @property
    def settings(self) -> Settings:
        """Raises `settings`."""
        if self._settings is None:
            from console.settings import load

            self._settings = load(self.config, self.secrets_file)
            egress.configured(self._settings)
            for note in self._settings.notes:
                self.out.detail(note)
        return self._settings

    @property
    def workspace(self) -> Workspace:
        if self._workspace is None:
            from console.workspace import Workspace

            self._workspace = Workspace(self.settings)
        return self._workspace

    def secrets(self) -> tuple[str, ...]:
        """What no message may hold: what was read, and what stands in the environment unread."""
        mine = tuple(
            value
            for name, value in os.environ.items()
            if name.startswith("PLUMBLINE_") and name.endswith(("__API_KEY", "__HEADERS", "_URL"))
            if not name.startswith("PLUMBLINE_CONNECTIONS__") or not name.endswith("__URL")
        )
        held = self._workspace.secrets() if self._workspace is not None else ()
        read = self._settings.secrets() if self._settings is not None else ()
        return (*mine, *held, *read)

    def close(self) -> None:
        """Close what is open, waiting a moment only: a client that hangs does not hold the command."""
        if self._workspace is None:
            return
        closing = threading.Thread(target=self._close, args=(self._workspace,), name="close", daemon=True)
        self._workspace = None
        closing.start()
        closing.join(PATIENCE)

    def _close(self, workspace: Workspace) -> None:
        try:
            workspace.close()
        except Exception as fault:
            self.out.detail(f"On closing: {type(fault).__name__}")
