"""One address of a query: described, guarded, encoded, searched; its faults stay its own."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from connectors.errors import PlumblineError, redact
from connectors.model import ALL, Description, Hit, SearchOptions, Target, VectorField
from connectors.protocol import Connector
from console.search.answer import EncoderUsed, Side, Timings
from console.search.choosing import choose_field, fits, unknown
from console.search.encoding import Encoding, Vector, early
from console.search.fields import RowFields, row_fields
from console.search.fusion import depth
from console.search.guard import Mixes, Reading, judge, shares_text
from console.search.likeness import Source, likeness
from console.search.merge import Leg, settle
from console.search.ownership import known_encoder, marked_otherwise, owner_of, same_encoder
from console.search.request import MOST_HITS, Part, QueryRequest
from console.settings import Address

if TYPE_CHECKING:
    from console.encoders import EncoderSpec
    from console.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What the sides of one query have in common."""

    ws: Workspace
    request: QueryRequest
    encoding: Encoding
    mixes: Mixes
    vector: Vector | None
    source: Source | None
    """Where the query's row lives."""
    fuses: bool
    """Whether rankings will be fused, so that more than k rows of each leg are needed."""


@dataclass(frozen=True, slots=True, eq=False)
class SideResult:
    side: Side
    legs: tuple[Leg, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class _Work:
    """What is known so far of an address; what a fault leaves behind is still reported."""

    address: Address
    spent: dict[str, float] = field(default_factory=dict[str, float])
    warnings: list[str] = field(default_factory=list[str])
    encoder: EncoderUsed | None = None
    reading: Reading = field(default_factory=lambda: Reading(None))
    vector: VectorField | None = None

    @contextmanager
    def timed(self, name: str) -> Generator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spend(name, (time.perf_counter() - start) * 1e3)

    def spend(self, name: str, milliseconds: float) -> None:
        self.spent[name] = self.spent.get(name, 0.0) + milliseconds

    def side(self, exact: bool, error: PlumblineError | None = None) -> Side:
        return Side(
            address=self.address,
            encoder=self.encoder,
            versions=self.reading.mix,
            exact=exact,
            timings=Timings(**self.spent),
            error=error,
            vector=self.vector.name if self.vector else None,
            metric=self.vector.metric if self.vector else None,
        )


def search_side(shared: Shared, address: Address) -> SideResult:
    """The legs of one address. Never raises: whatever goes wrong becomes the side's error."""
    work = _Work(address)
    exact = shared.request.exact and shared.request.parts() != ("keyword",)
    try:
        legs = _Searcher(shared, work).legs()
    except PlumblineError as fault:
        return SideResult(work.side(exact, fault.at(str(address))), (), tuple(work.warnings))
    except Exception as fault:
        text = redact(f"{type(fault).__name__}: {fault}", shared.ws.secrets())
        error = PlumblineError("internal", f"The search failed unexpectedly ({text}).", where=str(address))
        return SideResult(work.side(exact, error), (), tuple(work.warnings))
    return SideResult(work.side(exact), tuple(legs), tuple(work.warnings))


class _Searcher:
    def __init__(self, shared: Shared, work: _Work) -> None:
        self.shared = shared
        self.request = shared.request
        self.work = work
        self.where = str(work.address)

    def legs(self) -> list[Leg]:
        address, parts = self.work.address, self.request.parts()
        with self.work.timed("fetch"):
            connector = self.shared.ws.connector(address.connection)
            described = connector.describe(
                Target(address.collection, address.tenant), timeout=self.request.timeout
            )
        target = Target(described.target.collection, address.tenant)
        if parts == ("keyword",):
            found = self._fields(described, None)
            return [self._keyword(connector, target, described, found)]
        vector = self.work.vector = choose_field(self.shared.ws, described, address, self.request.encoder)
        found = self._fields(described, vector)
        with self.work.timed("guard"):
            self.work.reading = self.shared.mixes.read(connector, target, found.version, self.request.timeout)
        queries, own_row = self._queries(connector, target, described, vector, found)
        legs = self._near(connector, target, described, vector, found, queries, own_row)
        if "keyword" in parts:
            legs.append(self._keyword(connector, target, described, found))
        if described.rows == 0:
            self.work.warnings.append(f"{self.where}: the collection is empty.")
        return legs

    def _fields(self, described: Description, vector: VectorField | None) -> RowFields:
        return row_fields(
            self.shared.ws.settings,
            self.work.address,
            described.target.collection,
            vector.name if vector else self.work.address.vector,
            described.marker,
        )

    def _queries(
        self,
        connector: Connector,
        target: Target,
        described: Description,
        vector: VectorField,
        found: RowFields,
    ) -> tuple[dict[Part, Vector], bool]:
        """The query's vectors in the order of its parts, and whether its row is one of this collection."""
        ws, address, parts = self.shared.ws, self.work.address, self.request.parts()
        shares = self.work.reading.mix.shares if self.work.reading.mix else None
        known, known_by = known_encoder(ws, address, vector, described, shares)
        queries: dict[Part, Vector] = {}
        own_row = False
        if "text" in parts or "image" in parts:
            queries.update(self._encoded(vector, described, known, known_by))
        elif self.request.encoder is not None and "vector" in parts:
            self._claimed(vector, described, known)
        else:
            self._unencoded(known, known_by, vector)
        if "row" in parts and self.shared.source is not None:
            with self.work.timed("fetch"):
                row = likeness(
                    self.shared.source,
                    address,
                    connector,
                    target,
                    vector,
                    found,
                    known,
                    self.request.timeout,
                )
            queries["row"] = row.vector
            own_row = row.own
            if (warning := row.foreign(self.where, self.work.reading.mix)) is not None:
                self.work.warnings.append(warning)
        if "vector" in parts and self.shared.vector is not None:
            queries["vector"] = self.shared.vector
        for part, query in queries.items():
            fits(query.shape[0], f"The query's {part}", vector, self.where)
        return queries, own_row

    def _encoded(
        self,
        vector: VectorField,
        described: Description,
        known: EncoderSpec | None,
        known_by: str | None,
    ) -> Mapping[Part, Vector]:
        """Text and image by the live encoder, if the guard lets them pass."""
        live = known
        if self.request.encoder is not None:
            live, known_by = known_encoder(
                self.shared.ws, self.work.address, vector, described, None, self.request.encoder
            )
        if live is None:
            raise unknown(self.where, self.work.reading, vector)
        self.work.encoder = EncoderUsed(live.name, live.fingerprint or "", live.dimension, known_by)
        if live.dimension is not None:
            fits(live.dimension, f"The encoder `{live.name}`", vector, self.where)
        if live.fingerprint is not None or not same_encoder(live, known):
            self._guard(live, known, vector, described, only_known=live.fingerprint is None)
        encoder, load = self.shared.encoding.load(live)
        self.work.spend("load", load)
        loaded = self.shared.ws.encoder_specs().get(live.name, live)
        self.work.encoder = EncoderUsed(live.name, encoder.fingerprint, encoder.dimension, known_by)
        fits(encoder.dimension, f"The encoder `{live.name}`", vector, self.where)
        if live.fingerprint is None:
            self._guard(loaded, known, vector, described)
        encoded = self.shared.encoding.encode(live, encoder)
        self.work.spend("encode", encoded.milliseconds)
        self.work.warnings += encoded.warnings
        return encoded.vectors

    def _claimed(self, vector: VectorField, described: Description, known: EncoderSpec | None) -> None:
        """A bare vector that `--encoder` says the origin of: guarded, though nothing is loaded."""
        live, known_by = known_encoder(
            self.shared.ws, self.work.address, vector, described, None, self.request.encoder
        )
        if live is not None:
            self.work.encoder = EncoderUsed(live.name, live.fingerprint or "", live.dimension, known_by)
            self._guard(live, known, vector, described)

    def _unencoded(self, known: EncoderSpec | None, known_by: str | None, vector: VectorField) -> None:
        """Rows and vectors need no encoder; the field's own is named where it is known."""
        if known is not None:
            self.work.encoder = EncoderUsed(known.name, known.fingerprint or "", vector.dimension, known_by)
        mix = self.work.reading.mix
        if mix is not None and len(mix.shares) > 1:
            self.work.warnings.append(
                f"{self.where}: the collection mixes versions: {shares_text(mix)}. Vectors of different"
                " encoders can't be compared."
            )

    def _guard(
        self,
        live: EncoderSpec,
        known: EncoderSpec | None,
        vector: VectorField,
        described: Description,
        *,
        only_known: bool = False,
    ) -> None:
        allow = self.request.allow_mismatch
        other = known.name if known is not None and not same_encoder(live, known) else None
        marked = marked_otherwise(described.marker, vector.name, live)
        if other is None and known is None:
            other, marked = marked, None
        verdict = judge(
            self.where,
            live.name,
            other,
            Reading(None) if only_known else self.work.reading,
            owner_of(live, self.shared.ws.encoder_specs()),
            allow=allow,
        )
        fresh = [w for w in verdict.warnings if w not in self.work.warnings]
        self.work.warnings += fresh
        if marked is not None and not only_known:
            self.work.warnings.append(
                f"{self.where}: the collection's marker names the encoder {marked}, not `{live.name}`."
            )
        if verdict.stop is not None:
            raise verdict.stop

    def _near(
        self,
        connector: Connector,
        target: Target,
        described: Description,
        vector: VectorField,
        found: RowFields,
        queries: Mapping[Part, Vector],
        own_row: bool,
    ) -> list[Leg]:
        """All vector legs in one call; a query's own row is left out of every one of them."""
        row = self.request.row
        spare = 0
        if own_row:
            spare = 1 if target.tenant or not described.tenants else len(described.tenants)
        k = self._k()
        with self.work.timed("search"):
            answers = connector.search(
                target,
                vector.name,
                np.stack([queries[part] for part in queries]),
                min(k + spare, MOST_HITS + spare),
                self.request.filter,
                SearchOptions(exact=self.request.exact),
                ALL,
                timeout=self.request.timeout,
            )
        legs: list[Leg] = []
        for part, hits in zip(queries, answers, strict=True):
            kept = [h for h in hits if not (own_row and row is not None and h.id == row.id)][:k]
            legs.append(self._leg(part, described, found, kept))
        return legs

    def _keyword(self, connector: Connector, target: Target, described: Description, found: RowFields) -> Leg:
        with self.work.timed("search"):
            hits = connector.search_text(
                target,
                self.request.text or "",
                self._k(),
                self.request.filter,
                (found.text,) if found.text else (),
                ALL,
                timeout=self.request.timeout,
            )
        return self._leg("keyword", described, found, hits)

    def _leg(self, part: Part, described: Description, found: RowFields, hits: list[Hit]) -> Leg:
        if any(not np.isfinite(h.score) for h in hits):
            self.work.warnings.append(
                f"{self.where}: some scores are not numbers: the collection holds vectors with NaN or"
                " infinity, and they outrank good rows."
            )
        return Leg(part, self.work.address, described.target.collection, found, settle(hits))

    def _k(self) -> int:
        return min(depth(self.request.k), MOST_HITS) if self.shared.fuses else self.request.k


def legs_fused_per_address(request: QueryRequest) -> bool:
    """Whether one address alone gives several rankings, so that they are fused even without `fuse`."""
    return len(request.parts()) > 1 and not early(request)
