"""The configured connections, opened once, and what the operator chose for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import PlumblineError
from connectors.spec import ConnectionSpec
from console import egress
from console.settings import DEMO, Address, CollectionSettings, Settings, encode, nearest, parse_address
from console.settings.address import SNAPSHOT
from console.settings.choices import Choices
from console.settings.load import fingerprint, load

if TYPE_CHECKING:
    from connectors.model import Description, VectorField
    from connectors.protocol import Connector
    from console.encoders import EncoderSpec

__all__ = ["Address", "Workspace", "encode", "parse_address"]

GRACE: Final = 15.0
"""Seconds that a replaced connector stays open for the calls that are still under way."""


@dataclass(slots=True)
class _Open:
    spec: ConnectionSpec
    lock: threading.Lock
    connector: Connector | None = None


class Workspace:
    """Settings, open connectors and the operator's choices; shared by every thread of a process."""

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[ConnectionSpec], Connector] | None = None,
        *,
        grace: float = GRACE,
    ) -> None:
        self._settings = settings
        egress.configured(settings)
        self._connect = connect
        self._grace = grace
        self._lock = threading.RLock()
        self._open: dict[str, _Open] = {}
        self._retired: list[Connector] = []
        self._seen = fingerprint(settings.config, settings.secrets_file)
        self._closed = False
        self.choices = Choices(settings.home)

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def home(self) -> Path:
        return self._settings.home

    def spec(self, name: str) -> ConnectionSpec:
        """Raises `not-found` with the nearest names."""
        spec = self._settings.connections.get(name)
        if spec is not None:
            return spec
        if name.startswith(SNAPSHOT):
            file = str(Path(name.removeprefix(SNAPSHOT)).expanduser())
            return ConnectionSpec(name=name, kind="qdrant", snapshot=file, read_only=True)
        known = self._settings.connections
        if name == DEMO:
            hint = "`plumbline demo` makes it."
        elif known:
            hint = nearest(name, known)
        else:
            hint = "None is configured: see `plumbline settings`, or make the demo by `plumbline demo`."
        raise PlumblineError("not-found", f"There is no connection `{name}`.", where=name, hint=hint)

    def connector(self, name: str) -> Connector:
        """The connector of a connection, opened on first use. Raises `not-found` and what opening raises."""
        with self._lock:
            if self._closed:
                raise PlumblineError("internal", "The workspace is closed.", where=name)
            spec = self.spec(name)
            held = self._open.get(name)
            if held is None or held.spec != spec:
                if held is not None:
                    self._retire(held)
                held = self._open[name] = _Open(spec, threading.Lock())
        with held.lock:
            if held.connector is None:
                held.connector = self._opened(spec)
            return held.connector

    def address(self, text: str) -> Address:
        """The address that somebody typed, of a connection that is configured."""
        address = parse_address(text)
        self.spec(address.connection)
        return address

    def reload(self) -> bool:
        """Read the settings again where a file or variable changed; True where they differ.

        Closes only connectors whose connection changed. On a fault the old settings stay: raises `settings`.
        """
        seen = fingerprint(self._settings.config, self._settings.secrets_file)
        with self._lock:
            if seen == self._seen:
                return False
            fresh = load(self._settings.config, self._settings.secrets_file)
            self._seen = seen
            if fresh == self._settings:
                return False
            self._settings = fresh
            egress.configured(fresh)
            self.choices = Choices(fresh.home)
            for name, held in list(self._open.items()):
                if fresh.connections.get(name) != held.spec:
                    del self._open[name]
                    self._retire(held)
            return True

    def close(self) -> None:
        with self._lock:
            self._closed = True
            held = [o.connector for o in self._open.values() if o.connector is not None]
            held += self._retired
            self._open.clear()
            self._retired.clear()
        for connector in held:
            connector.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def field(self, description: Description, address: Address) -> VectorField:
        """The dense vector field that an address means: the named one, or the only one.

        Raises `not-found`, `unsupported` for sparse and multi-vectors, and `vector-ambiguous`.
        """
        where = str(address)
        dense = description.dense
        names = ", ".join(f"#{encode(f.name)}" if f.name else "# (the unnamed one)" for f in dense)
        if address.vector is not None:
            found = description.field(address.vector)
            if found is None:
                raise PlumblineError(
                    "not-found",
                    f"The collection has no vector field `{address.vector}`.",
                    where=where,
                    hint=f"It has {names}." if dense else "It has no dense vector field.",
                )
            if found.kind != "dense":
                raise PlumblineError(
                    "unsupported", f"`{found.name}` is a {found.kind} vector field.", where=where
                )
            return found
        if not dense:
            raise PlumblineError("unsupported", "The collection has no dense vector field.", where=where)
        only, *others = dense
        if others:
            raise PlumblineError(
                "vector-ambiguous",
                f"The collection has {len(dense)} vector fields.",
                where=where,
                hint=f"Add one of {names} to the address.",
            )
        return only

    def configured(
        self, address: Address, vector: str | None = None, collection: str | None = None
    ) -> CollectionSettings:
        """The settings of a collection or vector field; those for an alias go before those for the real name.

        `collection` is the real name where the address goes through an alias.
        """
        found = self._settings.of_collection(address.connection, collection or address.collection, vector)
        if collection in (None, address.collection):
            return found
        return found.refined(self._settings.of_collection(address.connection, address.collection, vector))

    def choice(self, address: Address) -> str | None:
        """The encoder that the operator chose for a vector field, else for its whole collection."""
        return self.choices.get(address)

    def set_choice(self, address: Address, name: str | None) -> None:
        """Keep (None: forget) the operator's choice. Raises `encoder-unknown` for a name that is not configured."""
        if name is not None:
            known = self.encoder_specs()
            if name not in known:
                raise PlumblineError(
                    "encoder-unknown",
                    f"There is no encoder `{name}`.",
                    where=str(address),
                    hint=nearest(name, known),
                )
        self.choices.put(address, name)

    def encoder_specs(self) -> Mapping[str, EncoderSpec]:
        """Every encoder by name: the configured ones and the demo's."""
        from console.encoders import specs

        return specs(self._settings)

    def known_encoder(
        self,
        address: Address,
        field: VectorField,
        marker: Mapping[str, Any] | None,
        version_shares: Mapping[str, float] | None = None,
        explicit: str | None = None,
        collection: str | None = None,
    ) -> tuple[EncoderSpec | None, str | None]:
        """The encoder of a vector field and how it is known; (None, None) where it is not.

        `collection` is the real name where the address goes through an alias. Raises `encoder-unknown`
        for an explicit name that is not configured.
        """
        from console.encoders import belongs

        exact = address.with_vector(field.name)
        real = Address(address.connection, collection or address.collection, vector=field.name)
        return belongs(
            self.encoder_specs(),
            field=field.name,
            explicit=explicit,
            settings=self.configured(address, field.name, collection).encoder,
            choice=self.choice(exact) or self.choice(real),
            marker=marker,
            versions=version_shares,
            where=str(exact),
        )

    def secrets(self) -> Sequence[str]:
        return self._settings.secrets()

    def _opened(self, spec: ConnectionSpec) -> Connector:
        if self._connect is not None:
            return self._connect(spec)
        from connectors.registry import connect

        return connect(spec)

    def _retire(self, held: _Open) -> None:
        if held.connector is None:
            return
        connector = held.connector
        if self._grace <= 0:
            connector.close()
            return
        self._retired.append(connector)
        timer = threading.Timer(self._grace, self._end, (connector,))
        timer.daemon = True
        timer.start()

    def _end(self, connector: Connector) -> None:
        with self._lock:
            if connector not in self._retired:
                return
            self._retired.remove(connector)
        connector.close()
