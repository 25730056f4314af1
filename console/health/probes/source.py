"""Tokens of the texts that were embedded, and the baseline's panel read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from connectors.model import RowId
from console.health.findings import Mask, NotMeasured
from console.health.origins import cosines, origin_of, patience, picture_of, plain, value_at
from console.health.registry import probe
from console.health.table import F32, I64, U64, Ids
from console.health.values import canonical, empty, hash64

if TYPE_CHECKING:
    from console.encoders import Encoder
    from console.health.options import FieldNames
    from console.health.probing import Probing

TEXTS: Final = 2_000
"""Texts whose tokens are counted: with none of them cut, at most .19% of all are (97.5%)."""
CHUNK: Final = 64
PAGE: Final = 250
"""Rows of the panel in one request."""
SHARE: Final = 0.3
EQUAL: Final = 1e-6
"""1 - cosine up to which two vectors are one: float32 rounding of a server that normalises."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Of m texts, at random: `rows` (m,) table rows, `counts` (m,) tokens with start and end, before any cut.

    `every`: all texts of the collection.
    """

    encoder: str
    context: int
    rows: I64
    counts: npt.NDArray[np.int32]
    every: bool


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """The rows of the baseline's panel that are still there, as they are now.

    `changed`: (m,) their source is another one. `equal`: (m,) their vector is the same. `picture`: (m,) the
    source is a reference to a picture. `rows`: (m,) table rows, -1 where not scanned.
    """

    baseline: str
    kept: int
    """Rows of the panel, also those that are gone."""
    ids: tuple[RowId, ...]
    rows: I64
    changed: Mask
    equal: Mask
    picture: Mask


@probe(Tokens, order=32, name="Counting tokens", needs_encoder=True)
def tokens(probing: Probing) -> Tokens | NotMeasured:
    name, evidence = "Counting tokens", probing.evidence
    if probing.load_encoder is None:
        return NotMeasured(name, "No encoder was asked for (--encoder NAME).")
    if evidence.names.text is None:
        return NotMeasured(name, "No field with a text is known: set `text_field` of the collection.")
    encoder: Encoder = probing.load_encoder()
    rng = probing.rng("tokens")
    texts: list[str] = []
    rows: list[int] = []
    seen = 0
    # Rows without a vector count too: whoever embeds them next cuts them.
    for place in rng.permutation(len(evidence.reservoir.rows)):
        origin = origin_of(evidence.reservoir.payloads[int(place)], evidence.names, encoder.modalities)
        if origin is None or origin.modality != "text":
            continue
        seen += 1
        if len(texts) < TEXTS:
            texts.append(plain(origin.value))
            rows.append(int(evidence.reservoir.rows[place]))
    if not texts:
        return NotMeasured(name, f"None of the sampled rows has a text in `{evidence.names.text}`.")
    enough = patience(probing.budget, SHARE)
    counts: list[int] = []
    for at in range(0, len(texts), CHUNK):
        if enough():
            break
        counts += encoder.token_counts(texts[at : at + CHUNK])
        probing.progress(len(counts), len(texts))
    if not counts:
        return NotMeasured(name, "The time was too short.")
    return Tokens(
        encoder.name,
        encoder.context_length,
        np.array(rows[: len(counts)], np.int64),
        np.array(counts, np.int32),
        every=evidence.scan.exact
        and len(evidence.reservoir.rows) == len(evidence.table)
        and len(counts) == seen,
    )


@probe(Panel, order=50, name="Reading the baseline's rows again")
def panel(probing: Probing) -> Panel | NotMeasured:
    """One fetch of the panel's rows, in pages."""
    name, evidence = "Reading the baseline's rows again", probing.evidence
    baseline = evidence.baseline
    if baseline is None:
        return NotMeasured(name, "There is no baseline to compare with (plumbline baseline set ADDRESS).")
    arrays: dict[str, Any] = {
        k.removeprefix("panel."): v for k, v in baseline.arrays.items() if k.startswith("panel.")
    }
    needed = {"id_high", "id_low", "integer", "vectors", "source"}
    if not needed <= set(arrays) or not len(arrays["id_low"]):
        return NotMeasured(name, "The baseline kept no panel of rows.")
    if arrays["vectors"].shape[1:] != (evidence.field.dimension,):
        return NotMeasured(name, "The vectors of the baseline's panel have another dimension.")
    then = Ids(arrays["id_high"], arrays["id_low"], arrays["integer"].astype(np.bool_))
    wanted = then.take(range(len(then)))
    place = {row: i for i, row in enumerate(wanted)}
    paths = tuple(p for p in (evidence.names.image, evidence.names.text) if p is not None)
    if not paths:
        return NotMeasured(
            name, "What the rows were embedded from is not known: set `text_field` or `image_field`."
        )
    ids: list[RowId] = []
    changed: list[bool] = []
    equal: list[bool] = []
    picture: list[bool] = []
    for at in range(0, len(wanted), PAGE):
        probing.budget.check()
        batch = probing.reader.fetch(
            probing.target, wanted[at : at + PAGE], [evidence.field.name], paths, timeout=probing.timeout
        )
        held = batch.vectors[evidence.field.name]
        mine = [place[row] for row in batch.ids]
        before: F32 = arrays["vectors"][mine].astype(np.float32)
        near = cosines(held.matrix, before)
        for i, row in enumerate(batch.ids):
            payload = {path: batch.columns[path][i] for path in paths}
            source = source_hash(payload, evidence.names)
            known = int(arrays["source"][mine[i]])
            if not held.present[i] or not known:
                continue
            ids.append(row)
            changed.append(source != known)
            equal.append(bool(near[i] >= 1 - EQUAL) or bool((held.matrix[i] == before[i]).all()))
            picture.append(picture_of(payload, evidence.names) is not None)
        probing.progress(min(at + PAGE, len(wanted)), len(wanted))
    return Panel(
        baseline.id,
        len(then),
        tuple(ids),
        table_rows(evidence.table.ids, ids),
        np.array(changed, np.bool_),
        np.array(equal, np.bool_),
        np.array(picture, np.bool_),
    )


def source_hash(payload: Any, names: FieldNames) -> int:
    """`RowTable.source` of one payload."""
    for path in (names.image, names.text):
        value = value_at(payload, path)
        if not empty(value):
            return hash64(value if isinstance(value, str) else canonical(value))
    return 0


def table_rows(held: Ids, ids: Sequence[RowId]) -> I64:
    """(m,) where rows stand in a table, -1 for those that it lacks."""
    wanted = Ids.of(ids)
    maybe = np.flatnonzero(np.isin(held.low, wanted.low))
    there: dict[tuple[U64, U64, bool], int] = {
        (held.high[i], held.low[i], bool(held.integer[i])): int(i) for i in maybe
    }
    keys = zip(wanted.high, wanted.low, wanted.integer, strict=True)
    return np.array([there.get((h, low, bool(i)), -1) for h, low, i in keys], np.int64)
