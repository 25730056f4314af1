"""Plain types that every connector speaks. No database client is imported here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from connectors.spec import ConnectionSpec as ConnectionSpec
from connectors.spec import Kind as Kind

Metric = Literal["cosine", "dot", "euclid", "manhattan", "hamming"]
Storage = Literal["float32", "float16", "uint8"]
VectorKind = Literal["dense", "sparse", "multi"]
ScoreKind = Literal["similarity", "distance", "fused"]
Guard = Literal["atomic", "window", "none"]
InsertMode = Literal["new", "replace"]

RowId: TypeAlias = int | str
"""An unsigned integer, or a UUID in its canonical lower-case form with hyphens."""

Payload: TypeAlias = dict[str, Any]
Matrix: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]

ALL: Final = "*"
"""As `payload`: whole payloads. A sequence of field paths selects columns; an empty one, none."""

PAGE_BYTES: Final = 4 * 1024 * 1024


def id_key(row: RowId) -> tuple[int, int]:
    """Sort key of the order in which both databases scan: integers first, then UUIDs by their bits."""
    return (0, row) if isinstance(row, int) else (1, uuid.UUID(row).int)


def parse_id(text: str | int) -> RowId:
    """An id as somebody types it. Raises ValueError where it is neither an unsigned integer nor a UUID."""
    if isinstance(text, bool):
        raise ValueError("a truth value is no id")
    if isinstance(text, int):
        if text < 0 or text >= 2**64:
            raise ValueError("an integer id lies between 0 and 2**64 - 1")
        return text
    if text.isascii() and text.isdigit():
        return parse_id(int(text))
    return str(uuid.UUID(text))


@dataclass(frozen=True, slots=True)
class Target:
    """A collection, or one tenant of it. Without a tenant: all active ones."""

    collection: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Rows with start <= id < stop in id order, within one part (a Weaviate tenant) of a collection."""

    part: str | None = None
    start: RowId | None = None
    stop: RowId | None = None

    def to_json(self) -> dict[str, Any]:
        return {"part": self.part, "start": self.start, "stop": self.stop}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Range:
        return cls(data.get("part"), data.get("start"), data.get("stop"))

    def holds(self, row: RowId) -> bool:
        key = id_key(row)
        return (self.start is None or id_key(self.start) <= key) and (
            self.stop is None or key < id_key(self.stop)
        )


@dataclass(frozen=True, slots=True)
class VectorField:
    """One vector of a collection. The unnamed vector has the name ""."""

    name: str
    kind: VectorKind = "dense"
    dimension: int | None = None
    """None for sparse vectors, and on Weaviate while the field holds no vector."""
    metric: Metric | None = "cosine"
    storage: Storage | None = "float32"
    normalised_on_write: bool = False
    index: Mapping[str, Any] = field(default_factory=dict[str, Any])
    quantization: Mapping[str, Any] | None = None

    @property
    def score_kind(self) -> ScoreKind:
        """What the database's own score of this field is: see the adapter for its exceptions."""
        return "similarity" if self.metric in ("cosine", "dot") else "distance"


@dataclass(frozen=True, slots=True)
class PayloadField:
    """A payload field known to the server's schema. `type` is a neutral name."""

    name: str
    type: str
    """keyword, text, integer, float, bool, datetime, uuid, geo, object, or with `[]` for an array."""
    indexed: bool = False
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Alias:
    name: str
    collection: str


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    state: Literal["active", "inactive", "offloaded", "other"] = "active"
    rows: int | None = None
    """None where the tenant is not active: counting would wake it."""


@dataclass(frozen=True, slots=True)
class Capability:
    """`supported` is None where it cannot be known; `why` says what stands against it or how it is known."""

    supported: bool | None
    why: str = ""

    def __bool__(self) -> bool:
        return self.supported is True


YES: Final = Capability(True)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this server, at this version and with this configuration, can do for one collection."""

    exact_search: Capability = Capability(None)
    facet: Capability = Capability(None)
    random_sample: Capability = Capability(None)
    slices: Capability = Capability(None)
    sees_non_finite: Capability = Capability(None)
    keyword_search: Capability = Capability(None)
    insert_only: Capability = Capability(None)
    conditional_write: Capability = Capability(None)
    write_guard: Guard = "none"
    field_add: Capability = Capability(None)
    field_drop: Capability = Capability(None)
    aliases: Capability = Capability(None)
    marker: Capability = Capability(None)
    snapshots: Capability = Capability(None)
    tenants: Capability = Capability(None)
    quantization_control: Capability = Capability(None)
    update_queue: Capability = Capability(None)
    payload_index: Capability = Capability(None)

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, Capability):
                out[name] = {"supported": value.supported, "why": value.why or None}
            else:
                out[name] = value
        return out


@dataclass(frozen=True, slots=True)
class ServerInfo:
    kind: Kind
    version: str | None
    transport: Literal["grpc", "rest"]
    latency_ms: float
    embedded: bool = False
    notes: tuple[str, ...] = ()
    """Sentences for the operator: why gRPC is not used, an untested version, and the like."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """`status`: ready, building, stalled, failed, or unknown with the reason in `why`."""

    status: Literal["ready", "building", "stalled", "failed", "unknown"]
    why: str = ""
    rows: int | None = None
    indexed: int | None = None
    queue: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Rows that were deleted or overwritten and are still stored, beside the living ones of the same shards.

    `shards`: how many shards the figures are of, and how many the collection has; the server's node may hold some.
    """

    deleted: int
    living: int
    shards: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class ShardCopy:
    """One copy of a shard on one node, as the server tells it.

    `state`: in use, being copied, or out of use; None where its node does not answer, and for a word of the server
    that is not `known` here.
    """

    shard: int
    node: str
    state: Literal["active", "copying", "dead"] | None
    said: str = ""
    """The server's own word for the state."""
    rows: int | None = None
    """None where that is not told, or where it is not settled while the server is at work on the copy."""
    known: bool = True
    """Whether the server's word is one of those that are known here."""


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """What a list of collections shows. `error` stands where one collection could not be described."""

    name: str
    rows: int | None
    vectors: tuple[VectorField, ...] = ()
    aliases: tuple[str, ...] = ()
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Description:
    target: Target
    """The real collection, with an alias resolved."""
    rows: int | None
    vectors: tuple[VectorField, ...]
    payload: tuple[PayloadField, ...] = ()
    aliases: tuple[str, ...] = ()
    tenants: tuple[Tenant, ...] | None = None
    """None where the collection has no tenants."""
    references: tuple[str, ...] = ()
    marker: Mapping[str, Any] | None = None
    """What `set_marker` wrote: the identity of the encoder, of the demo, of a job."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The server's own configuration, for people: shards, replicas, strict mode, shard keys."""
    via_alias: str | None = None

    def field(self, name: str) -> VectorField | None:
        return next((f for f in self.vectors if f.name == name), None)

    @property
    def dense(self) -> tuple[VectorField, ...]:
        return tuple(f for f in self.vectors if f.kind == "dense")


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """One dense vector field of a batch: matrix (n, d) float32; rows where `present` is False hold zeros."""

    matrix: Matrix
    present: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows read together, for profiles and probes."""

    ids: tuple[RowId, ...]
    vectors: Mapping[str, Vectors]
    columns: Mapping[str, Sequence[Any]]
    """Field path -> n values, None where a row lacks it. Empty where whole payloads were asked for."""
    payloads: tuple[Payload, ...] | None = None
    part: str | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    indices: npt.NDArray[np.uint32]
    values: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Everything that a client can set, bit for bit.

    `vectors` holds a float32 array of shape (d,) for dense and (m, d) for multi-vectors, or a `Sparse`.
    `unread` names the parts that the adapter cannot read: such a row is never deleted.
    """

    id: RowId
    vectors: Mapping[str, npt.NDArray[np.float32] | Sparse]
    payload: Payload
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    part: str | None = None
    """The tenant (Weaviate) or shard key (Qdrant) that the row belongs to."""
    server: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the server sets, for the record: timestamps, version."""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    id: RowId
    score: float
    score_kind: ScoreKind
    payload: Payload
    part: str | None = None


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """`unquantized`: by the vectors as they are stored, not by their quantized copies."""

    exact: bool = False
    ef: int | None = None
    rescore: bool | None = None
    oversampling: float | None = None
    unquantized: bool = False


PLAIN: Final = SearchOptions()


@dataclass(frozen=True, slots=True)
class Count:
    rows: int
    exact: bool = True
    scanned: bool = False
    """True where the filter could not be counted by the server and rows were read instead."""


@dataclass(frozen=True, slots=True)
class Facet:
    """Counts of the values of a payload field. `rest` counts the rows with none of `values`."""

    values: Mapping[str, int]
    rest: int | None
    exact: bool
    rows: int
    """Rows that the counts are about."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of each id."""

    done: tuple[RowId, ...] = ()
    skipped: Mapping[RowId, str] = field(default_factory=dict[RowId, str])
    missing: tuple[RowId, ...] = ()
    failed: Mapping[RowId, str] = field(default_factory=dict[RowId, str])

    def __add__(self, other: WriteResult) -> WriteResult:
        return WriteResult(
            self.done + other.done,
            {**self.skipped, **other.skipped},
            self.missing + other.missing,
            {**self.failed, **other.failed},
        )


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """A collection to be made, in neutral words."""

    vectors: tuple[VectorField, ...]
    payload: tuple[PayloadField, ...] = ()
    tenants: bool = False
    marker: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Settings of one kind of server only; unknown ones are refused by the adapter."""
