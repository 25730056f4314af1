"""What the settings say, as plain types. Nothing here holds a secret in its repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Final

from connectors.spec import ConnectionSpec
from console.settings.address import Address
from console.settings.gate import GateSettings

DEMO: Final = "demo"
VERSION_FIELD: Final = "embedding_version"


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """`[encoders.NAME]`. What is None is chosen by the encoder itself."""

    name: str
    model: str | None = None
    pretrained: str | None = None
    precision: str | None = None
    device: str | None = None
    normalize: bool | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """`[collections."CONNECTION/COLLECTION"]`, refined by `…#VECTOR`. None: not configured."""

    encoder: str | None = None
    version_field: str | None = None
    modality_field: str | None = None
    image_field: str | None = None
    text_field: str | None = None
    time_field: str | None = None
    cohort_fields: tuple[str, ...] | None = None
    expected_rows: int | None = None
    optional_vectors: tuple[str, ...] | None = None

    @property
    def version_tag(self) -> str:
        """The payload field that says which encoder made a row's vector."""
        return self.version_field or VERSION_FIELD

    def refined(self, other: CollectionSettings) -> CollectionSettings:
        """These settings with what `other` sets put over them."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        over = {f.name: getattr(other, f.name) for f in fields(other)}
        return CollectionSettings(**{**mine, **{k: v for k, v in over.items() if v is not None}})


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """`[images.limits]`: what one picture may cost."""

    bytes: int = 32 * 1024 * 1024
    pixels: int = 64_000_000
    frames: int = 500
    redirects: int = 3
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """`[images]`: from where pictures may be read."""

    roots: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    limits: ImageLimits = ImageLimits()


@dataclass(frozen=True, slots=True)
class Retention:
    """`[store]`: how long reports are kept. A pinned baseline and the newest report are never let go."""

    keep_days: int = 365
    keep_reports: int = 1000
    keep_panels: int = 20


@dataclass(frozen=True, slots=True)
class Accepted:
    """`[[accepted]]`: a finding that is known and does not count."""

    address: Address
    code: str
    reason: str
    group: str | Mapping[str, Any] | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `plumbline settings`. `value` is masked already."""

    key: str
    value: Any
    source: str
    used: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value, "source": self.source, "used": self.used}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured, read once from files and environment."""

    home: Path
    connections: Mapping[str, ConnectionSpec] = field(default_factory=dict[str, ConnectionSpec])
    encoders: Mapping[str, EncoderSettings] = field(default_factory=dict[str, EncoderSettings])
    collections: Mapping[Address, CollectionSettings] = field(
        default_factory=dict[Address, CollectionSettings]
    )
    images: ImageSettings = ImageSettings()
    policy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    accepted: tuple[Accepted, ...] = ()
    gate: GateSettings = field(default_factory=GateSettings)
    store_url: str | None = field(default=None, repr=False)
    retention: Retention = Retention()
    database_url: str | None = field(default=None, repr=False)
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences for the operator: skipped entries, files that others can read."""
    files: tuple[Path, ...] = ()
    """The files that were read."""
    config: str | None = None
    """As `--config` and `--secrets` named them, to read the settings again."""
    secrets_file: str | None = None

    def of_collection(
        self, connection: str, collection: str, vector: str | None = None
    ) -> CollectionSettings:
        """The settings of a collection, refined by those of the vector field where one is named."""
        found = self.collections.get(Address(connection, collection), CollectionSettings())
        if vector is not None:
            over = self.collections.get(Address(connection, collection, vector=vector))
            found = found.refined(over) if over is not None else found
        return found

    def secrets(self) -> tuple[str, ...]:
        """What must never appear in a message."""
        held = [s for spec in self.connections.values() for s in spec.secrets()]
        return (*held, *(url for url in (self.store_url, self.database_url) if url))


def demo_store(home: Path) -> Path:
    """The folder of the demo's embedded store."""
    return home / "demo" / "store"


def demo_mark(home: Path) -> Path:
    """The file that the demo writes last: while it is there, the connection `demo` is."""
    return home / "demo" / "made.json"


def demo_spec(home: Path) -> ConnectionSpec:
    """The connection `demo`, also while it is being made."""
    return ConnectionSpec(name=DEMO, kind="qdrant", path=str(demo_store(home)))
