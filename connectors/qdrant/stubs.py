"""Qdrant's messages out of qdrant-client, without the rest of that package.

`import qdrant_client` takes a second or two (pydantic models of every REST call, the local mode, fastembed
hooks), its generated gRPC messages a tenth of one. So the folder `qdrant_client/grpc` is loaded under a name
of its own. The message classes are the same objects that `qdrant_client.grpc` gives: protobuf keeps one class
per message type and process.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any


def _read_deep_payloads() -> None:
    """Lets protobuf's C parser read messages nested deeper than 100.

    A JSON payload may be nested 128 deep (qdrant 1.18.3), which is three messages a level: one such row made
    every answer that held it unreadable. The switch is protobuf's own, for the process.
    """
    try:
        from google._upb import _message  # pyright: ignore
    except ImportError:
        return
    switch = getattr(_message, "SetAllowOversizeProtos", None)
    if switch is not None:
        switch(True)


def _load() -> Any:
    _read_deep_payloads()
    if (loaded := sys.modules.get("qdrant_client.grpc")) is not None:
        return loaded
    name = "connectors.qdrant._messages"
    if name in sys.modules:
        return sys.modules[name]
    package = PathFinder.find_spec("qdrant_client")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'qdrant_client'", name="qdrant_client")
    folder = Path(package.submodule_search_locations[0]) / "grpc"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


pb: Any = _load()
"""The messages. Their generated types are incomplete, hence Any: tests hold the calls."""

__all__ = ["message", "pb"]


def message(name: str) -> Any:
    """A message class by its name, for tables of names."""
    return getattr(pb, name)
