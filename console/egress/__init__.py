"""Nothing leaves this machine but to configured addresses: what libraries send is switched off, and a
hook of the interpreter finds whatever tries all the same.

With PLUMBLINETEST_EGRESS naming a file, each attempt to reach another address is refused and written
there, and the command fails. The interpreter's hook sees Python's sockets; gRPC's core has its own, so
each channel is asked for its address when it is made.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from console.egress.recorder import Recorder
    from console.settings import Settings

VARIABLE: Final = "PLUMBLINETEST_EGRESS"

_QUIET: Final = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}

_installed: list[Recorder] = []


def still() -> None:
    """Switch off what libraries would report about this machine, for this process and its children."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def watched() -> Recorder | None:
    """The hook's recorder, where it is installed."""
    return _installed[0] if _installed else None


def begin() -> Recorder | None:
    """What every process of the console and the command line does first."""
    still()
    file = os.environ.get(VARIABLE)
    if file and not _installed:
        from console.egress.recorder import watch

        _installed.append(watch(Path(file)))
    return watched()


def hosts_of(settings: Settings) -> list[str]:
    """Every host that the settings name."""
    from urllib.parse import urlsplit

    found: list[str] = list(settings.images.hosts)
    for spec in settings.connections.values():
        if spec.url:
            found.append(urlsplit(spec.url).hostname or "")
        if spec.grpc_host:
            found.append(spec.grpc_host)
    databases = (settings.store_url, settings.database_url)
    found.extend(urlsplit(url).hostname or "" for url in databases if url)
    return [h for h in found if h]


def configured(settings: Settings) -> None:
    """Allow what the settings name, where the hook is installed."""
    recorder = watched()
    if recorder is not None:
        recorder.allow(hosts_of(settings))
