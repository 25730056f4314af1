"""What names a connection. Imports nothing heavy, so that reading the settings stays quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["qdrant", "weaviate"]


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """One configured connection. Its repr holds no secret."""

    name: str
    kind: Kind
    url: str | None = None
    grpc_host: str | None = None
    grpc_port: int | None = None
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    path: str | None = None
    """Folder of an embedded store (kind qdrant)."""
    snapshot: str | None = None
    ca_file: str | None = None
    timeout: float = 10.0
    read_only: bool = False

    def secrets(self) -> tuple[str, ...]:
        """What must never appear in a message."""
        return tuple(s for s in (self.api_key, *self.headers.values()) if s)
