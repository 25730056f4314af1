"""Asking for what there is. Nothing here scans a collection or loads an encoder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from connectors.errors import PlumblineError, redact
from console.catalogue.parallel import at_once
from console.catalogue.payload import seen_fields
from console.catalogue.shapes import ConnectionState, Described, EncoderKnown, Fault, Listed
from console.settings import VERSION_FIELD, Address

if TYPE_CHECKING:
    from connectors.model import CollectionSummary, Description, VectorField
    from console.workspace import Workspace


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
    for name, found in at_once(_limits(ws, chosen, timeout), lambda n: connection(ws, n, timeout)):
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

    for name, found in at_once(_limits(ws, chosen, timeout), ask):
        if isinstance(found, tuple):
            yield tuple(Listed(name, summary) for summary in found)
        else:
            yield (Listed(name, error=fault_json(ws, found, name)),)


def describe(
    ws: Workspace, address: Address, timeout: float | None = None, *, tags: bool = True
) -> Described:
    """One collection, with the encoder of each dense field. Raises `PlumblineError`.

    `tags`: whether version tags and tenants may be counted by a facet and a few rows be read for the fields
    that no schema tells of; a page does not ask that of a server on loading.
    """
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
    if tags:
        seen = seen_fields(connector, target, description, timeout)
        tenants = description.tenants
        if tenants is None and capabilities.tenants:
            try:
                tenants = connector.tenants(target, timeout=timeout)
            except PlumblineError as fault:
                notes.append(f"The tenants can't be counted: {fault.message}")
        description = replace(description, payload=(*description.payload, *seen), tenants=tenants)
    version_field = version_field_of(ws, address, description)

    @functools.cache
    def shares(field: str) -> Mapping[str, float]:
        return version_shares(ws, address, field, timeout) if tags else {}

    encoders: dict[str, EncoderKnown] = {}
    for field in description.dense:
        try:
            known = encoder_of(ws, address, description, field, tags=shares)
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
        version_field,
        tuple(notes),
    )


def encoder_of(
    ws: Workspace,
    address: Address,
    description: Description,
    field: VectorField,
    explicit: str | None = None,
    timeout: float | None = None,
    *,
    tags: Callable[[str], Mapping[str, float]] | None = None,
) -> EncoderKnown | None:
    """The encoder of a vector field without a scan: version tags count only where a facet gives them.

    `tags`: version field -> share of each tag, where somebody knows it already.
    """
    real = description.target.collection
    spec, by = ws.known_encoder(address, field, description.marker, None, explicit, real)
    if spec is None:
        version_field = version_field_of(ws, address, description, field)
        shares = tags(version_field) if tags else version_shares(ws, address, version_field, timeout)
        if shares:
            spec, by = ws.known_encoder(address, field, description.marker, shares, explicit, real)
    if spec is None or by is None:
        return None
    return EncoderKnown(spec.name, spec.fingerprint, by)


def version_field_of(
    ws: Workspace, address: Address, description: Description, field: VectorField | None = None
) -> str:
    """The payload field of the version tags: by the settings, the collection's marker, or the default."""
    name = field.name if field is not None else None
    configured = ws.configured(address, name, description.target.collection).version_field
    hints = (description.marker or {}).get("fields")
    marked = cast("Mapping[str, Any]", hints).get("version") if isinstance(hints, Mapping) else None
    return configured or (marked if isinstance(marked, str) and marked else VERSION_FIELD)


def version_shares(
    ws: Workspace, address: Address, version_field: str, timeout: float | None = None
) -> dict[str, float]:
    """Version tag -> share of the tagged rows, where the server can tell without a scan; else empty."""
    from connectors.model import Target

    connector = ws.connector(address.connection)
    try:
        facet = connector.facet(Target(address.collection, address.tenant), version_field, timeout=timeout)
    except PlumblineError:
        return {}
    tagged = sum(facet.values.values())
    return {value: rows / tagged for value, rows in facet.values.items()} if tagged else {}


def _limits(ws: Workspace, names: Sequence[str], timeout: float | None) -> dict[str, float]:
    return {name: timeout if timeout is not None else ws.spec(name).timeout for name in names}


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
