"""One address of a query: described, guarded, encoded, searched; its faults stay its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from connectors.errors import PlumblineError, redact
from connectors.filters import And, Filter, Ids, Not
from connectors.model import ALL, Description, Hit, SearchOptions, Target, VectorField
from connectors.protocol import Connector
from console.search.choosing import choose_field, fits
from console.search.encoding import Vector, early
from console.search.fields import RowFields, row_fields
from console.search.fusion import depth
from console.search.likeness import likeness
from console.search.live import Live
from console.search.merge import Leg, settle
from console.search.request import MOST_HITS, Part, QueryRequest
from console.search.work import Shared, SideResult, Work
from console.settings import Address


def search_side(shared: Shared, address: Address) -> SideResult:
    """The legs of one address. Never raises: whatever goes wrong becomes the side's error."""
    work = Work(address)
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
    def __init__(self, shared: Shared, work: Work) -> None:
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
        address, parts = self.work.address, self.request.parts()
        live = Live.of(self.shared, self.work, described, vector)
        queries: dict[Part, Vector] = {}
        own_row = False
        if "text" in parts or "image" in parts:
            queries.update(live.encoded())
        elif self.request.encoder is not None and "vector" in parts:
            live.claimed()
        else:
            live.unencoded()
        if "row" in parts and self.shared.source is not None:
            with self.work.timed("fetch"):
                row = likeness(
                    self.shared.source,
                    address,
                    connector,
                    target,
                    vector,
                    found,
                    live.known,
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

        def ask(limit: int, passing: Filter | None) -> list[list[Hit]]:
            return connector.search(
                target,
                vector.name,
                np.stack([queries[part] for part in queries]),
                limit,
                passing,
                SearchOptions(exact=self.request.exact),
                ALL,
                timeout=self.request.timeout,
            )

        with self.work.timed("search"):
            try:
                answers = ask(k + spare, self.request.filter)
            except PlumblineError as fault:
                # A strict mode may allow k hits and not one more: then the server leaves the row out.
                if fault.code != "strict-mode" or not spare or row is None:
                    raise
                others = Not(Ids((row.id,)))
                wanted = self.request.filter
                answers = ask(k, others if wanted is None else And((wanted, others)))
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
