"""The two sides: a stored vector field that is read and searched, or an encoder whose rows are encoded on the fly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import Metric, ScoreKind
from console.compare.own_scores import Scale
from console.compare.request import encoder_of
from console.health.columns import TENANT
from console.health.findings import Mask
from console.health.origins import Encodings, Origin, encode, origin_of, pictures
from console.health.table import F32, I64
from console.progress import Cancelled, Progress, Tell
from console.search.answer import EncoderUsed
from console.search.fields import CAPTION_GUESSES, IMAGE_GUESSES, RowFields
from console.search.golden.asking import Opened, Vectors, opened
from console.search.golden.kept import picture
from console.search.golden.model import GoldenQuery
from console.search.ownership import likely_encoder
from console.settings import nearest

if TYPE_CHECKING:
    from connectors.model import Batch
    from console.compare.pool import Pool
    from console.compare.rows import Rows
    from console.encoders import Encoder
    from console.workspace import Workspace

Name = Literal["left", "right"]
AT_ONCE: Final = 256
SAY_WHICH: Final = (
    "Say which encoder made its vectors (`plumbline encoder ADDRESS set NAME`, or `encoder` in plumbline.toml), or compare"
    " by stored rows, which need none."
)


@dataclass(slots=True, eq=False)
class Stored:
    """A vector field of a collection."""

    name: Name
    opened: Opened
    rows: int
    notes: list[str] = field(default_factory=list[str])

    @property
    def address(self) -> str:
        return str(self.opened.address.with_vector(self.opened.vector.name))

    @property
    def metric(self) -> Metric:
        assert self.opened.vector.metric is not None
        return self.opened.vector.metric

    @property
    def score_kind(self) -> ScoreKind:
        return "distance" if self.kind == "weaviate" else self.opened.vector.score_kind

    @property
    def kind(self) -> str:
        return self.opened.connector.spec.kind

    @property
    def scale(self) -> Scale:
        return Scale.of(self.kind, self.metric)

    @property
    def fields(self) -> RowFields:
        return self.opened.fields

    @property
    def tenants(self) -> bool:
        """Rows of several tenants, whose ids need not differ."""
        return self.opened.described.tenants is not None and self.opened.target.tenant is None

    def fetch(self, rows: Rows, columns: Sequence[str] = ()) -> tuple[F32, dict[str, list[Any]]]:
        """(n, d) vectors of rows, NaN where there is none, and columns with None where the row has no value."""
        name = self.opened.vector.name
        matrix = np.full((len(rows), self.opened.vector.dimension or 0), np.nan, np.float32)
        held: dict[str, list[Any]] = {c: [None] * len(rows) for c in columns}
        for batch, places in self._batches(rows, (name,), columns):
            vectors = batch.vectors[name]
            if not matrix.shape[1]:
                matrix = np.full((len(rows), vectors.matrix.shape[1]), np.nan, np.float32)
            for i, place in enumerate(places):
                if vectors.present[i]:
                    matrix[place] = vectors.matrix[i]
            _put(held, batch, places)
        _name_tenants(held, rows)
        return matrix, held

    def columns(self, rows: Rows, columns: Sequence[str]) -> dict[str, list[Any]]:
        """Payload columns of rows, None where a row has no value; no vector is read for them.

        `tenant` is a row's tenant where its payload has no field of that name.
        """
        held: dict[str, list[Any]] = {c: [None] * len(rows) for c in columns}
        for batch, places in self._batches(rows, (), columns) if columns else ():
            _put(held, batch, places)
        _name_tenants(held, rows)
        return held

    def _batches(
        self, rows: Rows, fields: Sequence[str], columns: Sequence[str]
    ) -> Iterator[tuple[Batch, list[int]]]:
        """The rows that are still there, some at once, with their numbers in `rows`; a tenant's after another's."""
        for tenant, numbers in rows.by_tenant():
            target = self.opened.target if tenant is None else replace(self.opened.target, tenant=tenant)
            for at in range(0, len(numbers), AT_ONCE):
                place = {rows.at(n): n for n in numbers[at : at + AT_ONCE]}
                batch = self.opened.connector.fetch(target, list(place), fields, tuple(columns))
                yield batch, [place[row] for row in batch.ids]

    def to_json(self) -> dict[str, Any]:
        vector, server = self.opened.vector, self.opened.connector.server()
        return {
            "address": self.address,
            "kind": self.kind,
            "vector": vector.name,
            "dimension": vector.dimension,
            "metric": vector.metric,
            "score_kind": self.score_kind,
            "rows": self.rows,
            "basis": "stored",
            "encoder": self.opened.encoder.to_json() if self.opened.encoder else None,
            "server": {"kind": server.kind, "version": server.version},
            "notes": list(dict.fromkeys([*self.opened.warnings, *self.notes])),
        }


@dataclass(slots=True, eq=False)
class Encoded:
    """An encoder that made no collection: the other side's rows are encoded by it. `matrix`: (n, d) of the pool."""

    name: Name
    encoder: Encoder
    vectors: Vectors
    dropped: dict[str, str]
    matrix: F32
    notes: list[str] = field(default_factory=list[str])

    metric: Metric = "cosine"
    score_kind: ScoreKind = "similarity"
    kind: str = "encoder"

    @property
    def address(self) -> str:
        return f"encoder:{self.encoder.name}"

    @property
    def scale(self) -> Scale:
        return Scale.of("qdrant", "cosine")

    def to_json(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "kind": "encoder",
            "vector": None,
            "dimension": self.encoder.dimension,
            "metric": "cosine",
            "score_kind": "similarity",
            "rows": len(self.matrix),
            "basis": "encoded",
            "encoder": {
                "name": self.encoder.name,
                "fingerprint": self.encoder.fingerprint,
                "dimension": self.encoder.dimension,
                "known_by": "explicit",
            },
            "server": None,
            "notes": list(dict.fromkeys(self.notes)),
        }


def _put(held: dict[str, list[Any]], batch: Batch, places: Sequence[int]) -> None:
    for column, values in held.items():
        for place, value in zip(places, batch.columns[column], strict=True):
            values[place] = value


def _name_tenants(held: dict[str, list[Any]], rows: Rows) -> None:
    if TENANT in held and rows.codes is not None:
        held[TENANT] = [rows.tenant(n) if v is None else v for n, v in enumerate(held[TENANT])]


Side = Stored | Encoded


def open_side(
    ws: Workspace,
    name: Name,
    address: str,
    queries: Sequence[GoldenQuery],
    *,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Side:
    """Describes a side and encodes the queries' texts and pictures with its own encoder.

    Raises `usage`, `not-found`, `vector-ambiguous`, `encoder-unknown`, `encoder-mismatch`, and what connecting raises.
    """
    encoder = encoder_of(address)
    if encoder is not None:
        return _encoded(ws, name, encoder, queries, tell, cancelled)
    try:
        found = opened(
            ws, ws.address(address), queries, pool=None, mixes=None, tell=tell, cancelled=cancelled
        )
    except PlumblineError as fault:
        # What helps a query, another encoder or a row, is no option of a comparison.
        if fault.code not in ("encoder-unknown", "encoder-mismatch"):
            raise
        raise PlumblineError(fault.code, fault.message, where=fault.where, hint=SAY_WHICH) from None
    if found.vector.metric is None:
        raise PlumblineError(
            "unsupported", "The field's metric is not one that can be computed here.", where=address
        )
    if found.encoder is None:
        spec, known_by = likely_encoder(ws, found.address, found.vector, found.described, None)
        if spec is not None:
            found.encoder = EncoderUsed(spec.name, spec.fingerprint or "", found.vector.dimension, known_by)
    return Stored(name, found, found.connector.count(found.target).rows)


def _encoded(
    ws: Workspace,
    name: Name,
    encoder: str,
    queries: Sequence[GoldenQuery],
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Encoded:
    specs = ws.encoder_specs()
    spec = specs.get(encoder)
    if spec is None:
        raise PlumblineError(
            "encoder-unknown",
            f"There is no encoder `{encoder}`.",
            where=f"encoder:{encoder}",
            hint=nearest(encoder, specs),
        )
    from console.encoders import images, shared

    tell(Progress("Loading the encoder"))
    model = shared().get(spec)
    vectors: Vectors = {}
    dropped: dict[str, str] = {}
    texts = [(q.id, q.text) for q in queries if q.text is not None]
    for at in range(0, len(texts), AT_ONCE):
        if cancelled():
            raise Cancelled
        some = texts[at : at + AT_ONCE]
        made = model.encode_texts([text for _, text in some])
        vectors.update({(query, "text"): made[i] for i, (query, _) in enumerate(some)})
    for query in queries:
        if query.image is None:
            continue
        try:
            shown = images.decode(picture(ws, query.image), ws.settings.images.limits, query.id)
            vectors[query.id, "image"] = model.encode_images([shown])[0]
        except PlumblineError as fault:
            if fault.code not in ("not-found", "image-refused"):
                raise
            dropped[query.id] = f"Its picture can't be used: {fault.message}"
    return Encoded(name, model, vectors, dropped, np.zeros((0, model.dimension), np.float32))


def encode_pool(
    ws: Workspace, side: Encoded, source: Stored, pool: Pool, tell: Tell, cancelled: Callable[[], bool]
) -> Pool:
    """Encodes the pool's rows from what they were made of; returns the pool of those that could be.

    Raises `usage` where no row says what it was made of, what reading and encoding raise, and `Cancelled`.
    """
    rows = pool.rows(source.name)
    fields = source.fields
    named = [n for n in (fields.image, fields.text) if n]
    guessed = () if len(named) == 2 else tuple(IMAGE_GUESSES) + CAPTION_GUESSES
    store = pictures(ws.settings)
    parts: list[Encodings] = []
    columns = tuple(dict.fromkeys((*named, *guessed)))
    for at in range(0, len(rows), AT_ONCE):
        if cancelled():
            raise Cancelled
        tell(Progress("Encoding rows", at, len(rows)))
        some = rows.chosen(np.arange(at, min(at + AT_ONCE, len(rows))))
        held = source.columns(some, columns)
        origins = [
            _origin({c: held[c][i] for c in columns}, fields, side.encoder.modalities)
            for i in range(len(some))
        ]
        parts.append(encode(side.encoder, origins, store, enough=cancelled))
    if cancelled():
        raise Cancelled
    matrix: F32 = (
        np.concatenate([p.matrix for p in parts])
        if parts
        else np.zeros((0, side.encoder.dimension), np.float32)
    )
    fine: Mask = np.asarray(np.isfinite(matrix).all(axis=1) & matrix.any(axis=1))
    if not fine.any():
        raise PlumblineError(
            "usage",
            "No row says what it was made of: there is nothing to encode.",
            where=source.address,
            hint="Set `image_field` and `text_field` of the collection in plumbline.toml.",
        )
    lost = int((~fine).sum())
    if lost:
        reasons = _refused(parts)
        side.notes.append(f"{lost:,} of {len(fine):,} rows could not be encoded and are left out{reasons}.")
    side.matrix = np.ascontiguousarray(matrix[fine])
    return pool.only(fine)


def _origin(payload: dict[str, Any], fields: RowFields, modalities: Sequence[str]) -> Origin | None:
    from console.health.options import FieldNames

    there = {name: value for name, value in payload.items() if value is not None}
    image = fields.image or next((n for n in IMAGE_GUESSES if isinstance(there.get(n), str)), None)
    text = fields.text or next((n for n in CAPTION_GUESSES if isinstance(there.get(n), str)), None)
    return origin_of(there, FieldNames(image=image, text=text), modalities)


def _refused(parts: Sequence[Encodings]) -> str:
    from collections import Counter

    from console.health.origins import counted

    total = sum((p.refused for p in parts), Counter[str]())
    said = counted(total)
    return f" ({said})" if said else ""


def directed(matrix: F32, side: Side) -> Mask:
    """(n,) rows with a vector that has neighbours under the side's metric: finite and, under cosine, not zero."""
    fine = np.isfinite(matrix).all(axis=1)
    return np.asarray(fine & matrix.any(axis=1)) if side.metric == "cosine" else np.asarray(fine)


def numbered(
    side: Side, pool: Pool, numbers: I64, columns: Sequence[str] = ()
) -> tuple[F32, dict[str, list[Any]]]:
    """(m, d) vectors of pool rows on one side, NaN where there is none, and their columns (a stored side's)."""
    if isinstance(side, Encoded):
        return side.matrix[numbers], {c: [None] * len(numbers) for c in columns}
    return side.fetch(pool.rows(side.name).chosen(numbers), columns)
