"""The vectors of many golden queries on one address: its own encoder, guarded once, asked in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import Description, RowId, Target, VectorField
from connectors.protocol import Connector
from console.progress import Cancelled, Progress, Tell
from console.search.answer import EncoderUsed
from console.search.choosing import choose_field, fits
from console.search.encoding import Encoders, Encoding, Vector
from console.search.fields import MODALITY_GUESS, RowFields, row_fields
from console.search.golden.kept import picture
from console.search.golden.model import GoldenQuery
from console.search.guard import Mixes, mixes_of
from console.search.live import Live
from console.search.request import Part, QueryRequest, RowPart, Upload
from console.search.wording import plural
from console.search.work import Shared, Work
from console.settings import Address

if TYPE_CHECKING:
    from console.workspace import Workspace

TEXTS: Final = 256
PICTURES: Final = 32
ROWS: Final = 256
T = TypeVar("T")

Vectors = dict[tuple[str, Part], Vector]
"""(query, part) -> (d,)."""


@dataclass(slots=True, eq=False)
class Opened:
    """One address, ready to be asked. `dropped`: query -> why it can't be asked here."""

    address: Address
    connector: Connector
    described: Description
    target: Target
    vector: VectorField
    fields: RowFields
    encoder: EncoderUsed | None
    warnings: list[str]
    vectors: Vectors
    dropped: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def modality_field(self) -> str:
        return self.fields.modality or MODALITY_GUESS


def opened(
    ws: Workspace,
    address: Address,
    queries: Sequence[GoldenQuery],
    *,
    pool: Encoders | None,
    mixes: Mixes | None,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Opened:
    """Describes the address, lets the guard judge its encoder, and encodes every query's parts.

    A query whose picture or row can't be had is dropped with the reason. Raises what concerns all of them:
    `encoder-mismatch`, `encoder-unknown`, `dimension-mismatch`, and what the connector raises.
    """
    tell(Progress("Connecting"))
    connector = ws.connector(address.connection)
    described = connector.describe(Target(address.collection, address.tenant))
    target = Target(described.target.collection, address.tenant)
    vector = choose_field(ws, described, address, None)
    fields = row_fields(ws.settings, address, target.collection, vector.name, described.marker)
    work = Work(address, vector=vector)
    work.reading = (mixes if mixes is not None else mixes_of(ws)).read(connector, target, fields.version)
    made = Opened(address, connector, described, target, vector, fields, None, work.warnings, {})
    encoding = _Encoding(ws, made, work, pool, tell, cancelled)
    encoding.texts([(q.id, q.text) for q in queries if q.text is not None])
    encoding.pictures([(q.id, q.image) for q in queries if q.image is not None])
    encoding.rows([(q.id, q.row) for q in queries if q.row is not None])
    made.encoder = work.encoder
    for (query, part), held in made.vectors.items():
        fits(held.shape[0], f"The {part} of the query {query}", vector, str(address))
    return made


class _Encoding:
    def __init__(
        self,
        ws: Workspace,
        made: Opened,
        work: Work,
        pool: Encoders | None,
        tell: Tell,
        cancelled: Callable[[], bool],
    ) -> None:
        self._ws, self._made, self._work = ws, made, work
        self._pool = pool
        self._tell, self._cancelled = tell, cancelled
        self._live: tuple[Any, Any] | None = None

    def texts(self, given: Sequence[tuple[str, str]]) -> None:
        cut = 0
        for done, some in self._parts(given, TEXTS, "Encoding texts"):
            spec, encoder = self._encoder()
            texts = [text for _, text in some]
            self._put("text", [query for query, _ in some], encoder.encode_texts(texts))
            cut += sum(encoder.truncated(texts))
            if cut and done + len(some) == len(given):
                are, ends = ("is", "its end was") if cut == 1 else ("are", "their ends were")
                self._made.warnings.append(
                    f"{cut:,} of {plural(len(given), 'text')} {are} longer than the {encoder.context_length} tokens that"
                    f" `{spec.name}` reads: {ends} cut off."
                )

    def pictures(self, given: Sequence[tuple[str, Upload]]) -> None:
        from console.encoders import images

        for _, some in self._parts(given, PICTURES, "Encoding pictures"):
            decoded: list[Any] = []
            queries: list[str] = []
            for query, image in some:
                try:
                    data = picture(self._ws, image)
                    decoded.append(images.decode(data, self._ws.settings.images.limits, query))
                    queries.append(query)
                except PlumblineError as fault:
                    if fault.code not in ("not-found", "image-refused"):
                        raise
                    self._made.dropped[query] = f"Its picture can't be used: {fault.message}"
            if decoded:
                self._put("image", queries, self._encoder()[1].encode_images(decoded))

    def rows(self, given: Sequence[tuple[str, RowId]]) -> None:
        made = self._made
        name = made.vector.name
        for _, some in self._parts(given, ROWS, "Reading the queries' rows"):
            wanted = list(dict.fromkeys(row for _, row in some))
            batch = made.connector.fetch(made.target, wanted, [name])
            held = batch.vectors[name]
            places = {row: i for i, row in enumerate(batch.ids)}
            for query, row in some:
                place = places.get(row)
                if place is None:
                    made.dropped[query] = f"Its row {row} is not in the collection."
                elif not held.present[place]:
                    made.dropped[query] = f"Its row {row} has no vector."
                elif not np.isfinite(held.matrix[place]).all() or not held.matrix[place].any():
                    made.dropped[query] = f"The vector of its row {row} has no direction."
                else:
                    made.vectors[query, "row"] = held.matrix[place]
        if given and self._live is None:
            self._judge(QueryRequest((made.address,), row=RowPart(given[0][1]))).unencoded()

    def _encoder(self) -> tuple[Any, Any]:
        """The address's own encoder, judged and loaded once for all queries."""
        if self._live is None:
            self._tell(Progress("Loading the encoder"))
            self._live = self._judge(QueryRequest((self._made.address,), text="golden")).ready()
        return self._live

    def _judge(self, request: QueryRequest) -> Live:
        from console.encoders import shared as shared_pool

        shared = Shared(
            ws=self._ws,
            request=request,
            encoding=Encoding(request, self._pool or shared_pool()),
            mixes=mixes_of(self._ws),
            vector=None,
            source=None,
            fuses=False,
        )
        return Live.of(shared, self._work, self._made.described, self._made.vector)

    def _put(self, part: Part, queries: Sequence[str], matrix: Any) -> None:
        self._made.vectors.update({(query, part): matrix[i] for i, query in enumerate(queries)})

    def _parts(self, given: Sequence[T], size: int, phase: str) -> Iterator[tuple[int, Sequence[T]]]:
        for at in range(0, len(given), size):
            if self._cancelled():
                raise Cancelled
            self._tell(Progress(phase, at, len(given)))
            yield at, given[at : at + size]


def leg_parts(query: GoldenQuery) -> tuple[Part, ...]:
    held: Mapping[Part, object] = {"text": query.text, "image": query.image, "row": query.row}
    return tuple(part for part, value in held.items() if value is not None)
