"""What the catalogue tells, as dataclasses with the JSON of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.settings import Address

if TYPE_CHECKING:
    from connectors.model import (
        Capabilities,
        CollectionSummary,
        Description,
        IndexState,
        ServerInfo,
        VectorField,
    )

Fault = Mapping[str, str]
"""An error as JSON: code, message, where, hint."""


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One connection as it answered, or why it did not. `state`: up or down."""

    name: str
    kind: str
    server: ServerInfo | None = None
    capabilities: Capabilities | None = None
    error: Fault | None = None

    @property
    def state(self) -> str:
        return "up" if self.server is not None else "down"

    def to_json(self) -> dict[str, Any]:
        server = self.server
        return {
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "server": {
                "version": server.version,
                "transport": server.transport,
                "embedded": server.embedded,
                "notes": list(server.notes),
            }
            if server is not None
            else {"version": None},
            "latency_ms": round(server.latency_ms, 3) if server is not None else None,
            "capabilities": self.capabilities.to_json() if self.capabilities is not None else None,
            "error": dict(self.error) if self.error is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a list of collections; where `summary` is None the whole connection failed."""

    connection: str
    summary: CollectionSummary | None = None
    error: Fault | None = None

    def to_json(self) -> dict[str, Any]:
        s = self.summary
        error = self.error if s is None else s.error
        return {
            "connection": self.connection,
            "name": s.name if s is not None else None,
            "rows": s.rows if s is not None else None,
            "vectors": [
                {"name": f.name, "dimension": f.dimension, "metric": f.metric, "kind": f.kind}
                for f in (s.vectors if s is not None else ())
            ],
            "aliases": list(s.aliases) if s is not None else [],
            "error": dict(error) if error is not None else None,
        }


@dataclass(frozen=True, slots=True)
class EncoderKnown:
    """Which encoder made a field's vectors, and how that is known."""

    name: str
    fingerprint: str | None
    known_by: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "fingerprint": self.fingerprint, "known_by": self.known_by}


@dataclass(frozen=True, slots=True)
class Described:
    """One collection in full."""

    address: Address
    kind: str
    description: Description
    encoders: Mapping[str, EncoderKnown]
    """By vector field; a field that is missing here has no known encoder."""
    index_state: IndexState
    capabilities: Capabilities
    version_field: str
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        d = self.description
        tenants = None
        if d.tenants is not None:
            tenants = [{"name": t.name, "state": t.state, "rows": t.rows} for t in d.tenants]
        state = self.index_state
        return {
            "address": str(self.address),
            "kind": self.kind,
            "collection": d.target.collection,
            "alias": d.via_alias,
            "rows": d.rows,
            "vectors": [self._vector(f) for f in d.vectors],
            "payload": [
                {"field": p.name, "type": p.type, "indexed": p.indexed, "details": dict(p.details)}
                for p in d.payload
            ],
            "aliases": list(d.aliases),
            "tenants": tenants,
            "references": list(d.references),
            "index_state": {
                "status": state.status,
                "why": state.why or None,
                "rows": state.rows,
                "indexed": state.indexed,
                "queue": state.queue,
                "details": dict(state.details),
            },
            "capabilities": self.capabilities.to_json(),
            "version_field": self.version_field,
            "marker": dict(d.marker) if d.marker is not None else None,
            "settings": dict(d.settings),
            "notes": list(self.notes),
        }

    def _vector(self, field: VectorField) -> dict[str, Any]:
        known = self.encoders.get(field.name)
        return {
            "name": field.name,
            "kind": field.kind,
            "dimension": field.dimension,
            "metric": field.metric,
            "storage": field.storage,
            "index": dict(field.index),
            "quantization": dict(field.quantization) if field.quantization is not None else None,
            "normalised_on_write": field.normalised_on_write,
            "encoder": known.to_json() if known is not None else None,
        }
