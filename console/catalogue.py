"""What there is: connections, their collections, and one collection described.

One dead server never blocks the others: each connection is asked in a thread of its own, and what it
raises stands in its place. Nothing here scans a collection or loads an encoder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from connectors.errors import PlumblineError, redact
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
    from console.workspace import Workspace

T = TypeVar("T")

PATIENCE: Final = 2.0
"""A connection may take this many times its own timeout (gRPC, then REST), and `SPARE` seconds."""
SPARE: Final = 5.0

Fault = Mapping[str, str]


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


def connection(ws: Workspace, name: str, timeout: float | None = None) -> ConnectionState:
    """One connection, asked now. What it raises stands in `error`; an unknown name raises `not-found`."""
    spec = ws.spec(name)
    try:
        connector = ws.connector(name)
        server = connector.server(timeout=timeout)
        return ConnectionState(name, spec.kind, server, connector.capabilities(timeout=timeout))
    except Exception as fault:
        return ConnectionState(name, spec.kind, error=fault_json(ws, fault, name))


def connections(
    ws: Workspace, names: Sequence[str] | None = None, timeout: float | None = None
) -> tuple[ConnectionState, ...]:
    """Every configured connection (or those named), asked at the same time, in the order of names."""
    return tuple(sorted(connections_as_they_come(ws, names, timeout), key=lambda c: c.name))


def connections_as_they_come(
    ws: Workspace, names: Sequence[str] | None = None, timeout: float | None = None
) -> Iterator[ConnectionState]:
    """Each connection as soon as it has answered."""
    chosen = list(ws.settings.connections if names is None else names)
    for name, found in _at_once(ws, chosen, lambda n: connection(ws, n, timeout), timeout):
        if isinstance(found, ConnectionState):
            yield found
        else:
            yield ConnectionState(name, ws.spec(name).kind, error=fault_json(ws, found, name))


def collections(
    ws: Workspace, connection: str | None = None, timeout: float | None = None
) -> tuple[Listed, ...]:
    """The collections of one connection, or of all, in the order of names."""
    found = [listed for group in collections_as_they_come(ws, connection, timeout) for listed in group]
    return tuple(sorted(found, key=lambda c: (c.connection, c.summary.name if c.summary else "")))


def collections_as_they_come(
    ws: Workspace, connection: str | None = None, timeout: float | None = None
) -> Iterator[tuple[Listed, ...]]:
    """The collections of each connection as soon as it has answered; an empty one gives nothing."""
    if connection is not None:
        ws.spec(connection)
    chosen = [connection] if connection is not None else list(ws.settings.connections)

    def ask(name: str) -> tuple[CollectionSummary, ...]:
        return ws.connector(name).collections(timeout=timeout)

    for name, found in _at_once(ws, chosen, ask, timeout):
        if isinstance(found, tuple):
            yield tuple(Listed(name, summary) for summary in found)
        else:
            yield (Listed(name, error=fault_json(ws, found, name)),)


def describe(ws: Workspace, address: Address, timeout: float | None = None) -> Described:
    """One collection, with the encoder of each dense field. Raises `PlumblineError`."""
    from connectors.model import IndexState, Target

    connector = ws.connector(address.connection)
    target = Target(address.collection, address.tenant)
    description: Description = connector.describe(target, timeout=timeout)
    if address.vector is not None and description.field(address.vector) is None:
        ws.field(description, address)
    notes: list[str] = []
    try:
        state = connector.index_state(target, timeout=timeout)
    except PlumblineError as fault:
        state = IndexState("unknown", fault.message)
    capabilities = connector.capabilities(target, timeout=timeout)
    settings = ws.settings.of_collection(address.connection, address.collection)
    encoders: dict[str, EncoderKnown] = {}
    for field in description.dense:
        try:
            known = encoder_of(ws, address, description, field, timeout=timeout)
        except PlumblineError as fault:
            notes.append(f"{field.name or 'vector'}: {fault.message}")
            continue
        if known is not None:
            encoders[field.name] = known
    return Described(
        address,
        connector.spec.kind,
        description,
        encoders,
        state,
        capabilities,
        settings.version_tag,
        tuple(notes),
    )


def encoder_of(
    ws: Workspace,
    address: Address,
    description: Description,
    field: VectorField,
    explicit: str | None = None,
    timeout: float | None = None,
) -> EncoderKnown | None:
    """The encoder of a vector field without a scan: version tags count only where a facet gives them."""
    real = description.target.collection
    spec, by = ws.known_encoder(address, field, description.marker, None, explicit, real)
    if spec is None:
        shares = version_shares(ws, address, field, timeout)
        if shares:
            spec, by = ws.known_encoder(address, field, description.marker, shares, explicit, real)
    if spec is None or by is None:
        return None
    return EncoderKnown(spec.name, spec.fingerprint, by)


def version_shares(
    ws: Workspace, address: Address, field: VectorField, timeout: float | None = None
) -> dict[str, float]:
    """Version tag -> share of the tagged rows, where the server can tell without a scan; else empty."""
    from connectors.model import Target

    tag = ws.settings.of_collection(address.connection, address.collection, field.name).version_tag
    connector = ws.connector(address.connection)
    try:
        facet = connector.facet(Target(address.collection, address.tenant), tag, timeout=timeout)
    except PlumblineError:
        return {}
    tagged = sum(facet.values.values())
    return {value: rows / tagged for value, rows in facet.values.items()} if tagged else {}


def fault_json(ws: Workspace, fault: BaseException, where: str) -> Fault:
    """An error as it stands in the place of what could not be had, without a secret in it."""
    known = (
        fault
        if isinstance(fault, PlumblineError)
        else PlumblineError(
            "internal", f"{type(fault).__name__}: {fault}", hint="This is a fault in Plumbline."
        )
    )
    held = ws.secrets()
    return {key: redact(value, held) for key, value in known.at(where).to_json().items()}


def _at_once(
    ws: Workspace, names: Sequence[str], ask: Callable[[str], T], timeout: float | None
) -> Iterator[tuple[str, T | BaseException]]:
    """Ask each name in a thread of its own; (name, answer or error) as they come.

    The threads are daemons and a deadline stands over each, so that a call that never ends (a client
    library that ignores its timeout) costs its own line and not the whole list.
    """
    answers: SimpleQueue[tuple[str, T | BaseException]] = SimpleQueue()

    def run(name: str) -> None:
        try:
            answers.put((name, ask(name)))
        except BaseException as fault:
            answers.put((name, fault))

    began = monotonic()
    deadlines: dict[str, float] = {}
    for name in names:
        limit = timeout if timeout is not None else ws.spec(name).timeout
        deadlines[name] = began + PATIENCE * limit + SPARE
        threading.Thread(target=run, args=(name,), name=f"ask-{name}", daemon=True).start()
    while deadlines:
        wait = min(deadlines.values()) - monotonic()
        try:
            name, answer = answers.get(timeout=max(wait, 0.0))
        except Empty:
            late = min(deadlines, key=lambda n: deadlines[n])
            del deadlines[late]
            yield late, PlumblineError("timeout", "It did not answer in time.", where=late)
            continue
        if deadlines.pop(name, None) is not None:
            yield name, answer
