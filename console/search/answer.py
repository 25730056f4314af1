"""What came back: sides, hits, how they were ranked, where the time went, and what to beware of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from connectors.errors import PlumblineError
from connectors.model import Metric, Payload, RowId, ScoreKind
from console.search.request import Fusion, Part, QueryRequest
from console.settings.address import Address


@dataclass(frozen=True, slots=True)
class EncoderUsed:
    """The encoder that turned the query into a vector."""

    name: str
    fingerprint: str
    dimension: int | None
    known_by: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
            "known_by": self.known_by,
        }


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds. `load`: bringing the encoder into memory; `encode`: text and image to vectors;
    `search`: the database's searches, payloads included; `fetch`: description and stored row;
    `guard`: the version mix (0 where it was cached)."""

    load: float = 0.0
    encode: float = 0.0
    search: float = 0.0
    fetch: float = 0.0
    guard: float = 0.0

    @property
    def total(self) -> float:
        return self.load + self.encode + self.search + self.fetch + self.guard

    def to_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 3) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class VersionMix:
    """Which encoders' tags a collection's rows carry.

    `shares`: tag -> share of the tagged rows; `untagged`: share of all rows that carry no tag.
    `intervals`: 95% Clopper-Pearson bounds of each share where it comes from a sample.
    """

    tag_field: str
    shares: Mapping[str, float]
    untagged: float
    rows: int
    """Rows that were counted: all of them, or the sample's."""
    tagged: int
    exact: bool
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    untagged_interval: tuple[float, float] | None = None

    def basis_json(self) -> dict[str, Any]:
        return {
            "field": self.tag_field,
            "rows": self.rows,
            "basis": "exact" if self.exact else "sample",
            "intervals": {tag: list(bounds) for tag, bounds in self.intervals.items()} or None,
            "untagged_interval": list(self.untagged_interval) if self.untagged_interval else None,
        }


@dataclass(frozen=True, slots=True)
class Side:
    """One address's part of the answer. With an `error` it has no hits; the others still do."""

    address: Address
    encoder: EncoderUsed | None = None
    versions: VersionMix | None = None
    exact: bool = False
    timings: Timings = Timings()
    error: PlumblineError | None = None
    vector: str | None = None
    """The vector field that was searched; None where the keyword leg alone was asked for."""
    metric: Metric | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "address": str(self.address),
            "encoder": self.encoder.to_json() if self.encoder else None,
            "collection_versions": dict(self.versions.shares) if self.versions else None,
            "untagged": self.versions.untagged if self.versions else None,
            "versions_basis": self.versions.basis_json() if self.versions else None,
            "vector": self.vector,
            "metric": self.metric,
            "exact": self.exact,
            "timings_ms": self.timings.to_json(),
            "error": self.error.to_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class FusedFrom:
    """What one leg said of a fused hit: its rank there (from 1) and the database's own score."""

    leg: Part
    address: Address
    rank: int
    score: float
    weight: float = 1.0

    def to_json(self) -> dict[str, Any]:
        return {
            "leg": self.leg,
            "address": str(self.address),
            "rank": self.rank,
            "score": self.score,
            "weight": self.weight,
        }


@dataclass(frozen=True, slots=True)
class HitRow:
    """One result. `image` is a reference (path, URL, data URI or base64) for console.encoders.images."""

    rank: int
    id: RowId
    address: Address
    score: float
    score_kind: ScoreKind
    payload: Payload
    fused_from: tuple[FusedFrom, ...] | None = None
    version: str | None = None
    modality: str | None = None
    image: str | None = None
    caption: str | None = None
    part: str | None = None
    """The tenant that the row belongs to, where the collection has tenants."""

    def to_json(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "id": self.id,
            "address": str(self.address),
            "score": self.score,
            "score_kind": self.score_kind,
            "fused_from": [f.to_json() for f in self.fused_from] if self.fused_from is not None else None,
            "version": self.version,
            "modality": self.modality,
            "tenant": self.part,
            "payload": self.payload,
        }


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """Without a fusion over addresses, `hits` holds each address's own ranking, one after the other."""

    request: QueryRequest
    sides: tuple[Side, ...]
    hits: tuple[HitRow, ...] = ()
    fusion: Fusion | None = None
    fusion_depth: int | None = None
    """How many rows of each leg took part in the fusion."""
    warnings: tuple[str, ...] = ()
    elapsed_ms: float = 0.0

    @property
    def error(self) -> PlumblineError | None:
        """The first side's error, or None where every side answered."""
        return next((s.error for s in self.sides if s.error is not None), None)

    def hits_of(self, address: Address) -> tuple[HitRow, ...]:
        return tuple(h for h in self.hits if h.address == address)

    def to_json(self) -> dict[str, Any]:
        """The object of `query` in the contract. Numbers that are not finite are null.

        `error` is at the top too where any side failed: whoever reads an exit code 2 finds it there.
        """
        sides = [s.to_json() for s in self.sides]
        first = dict(sides[0]) if len(sides) == 1 else {}
        if self.error is not None:
            first["error"] = self.error.to_json()
        return cast(
            "dict[str, Any]",
            finite(
                {
                    **first,
                    "sides": sides,
                    "fusion": self.fusion,
                    "fusion_depth": self.fusion_depth,
                    "hits": [h.to_json() for h in self.hits],
                    "warnings": list(self.warnings),
                    "elapsed_ms": round(self.elapsed_ms, 3),
                }
            ),
        )


def finite(data: Any) -> Any:
    """The same JSON data with every number that is not finite as None, and only JSON's own types."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if data is None or isinstance(data, (str, bool, int)):
        return data
    if isinstance(data, Mapping):
        return {str(k): finite(v) for k, v in cast("Mapping[Any, Any]", data).items()}
    if isinstance(data, (list, tuple)):
        return [finite(v) for v in cast("list[Any]", data)]
    return str(data)
