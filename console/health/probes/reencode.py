"""Embeds a sample of rows again and holds the result to what is stored."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.model import RowId
from console.health import alterations, inference, matching
from console.health.findings import Mask, NotMeasured
from console.health.inference import OWN, UNTAGGED
from console.health.origins import (
    Origin,
    cosines,
    counted,
    encode,
    fitted,
    origin_of,
    patience,
    pictures,
)
from console.health.registry import probe
from console.health.table import F32, I64

if TYPE_CHECKING:
    from console.encoders import Encoder, EncoderSpec
    from console.health.evidence import Evidence
    from console.health.probing import Probing

ROWS: Final = 400
"""Rows that are judged. With none of them wrong, at most .92% of all rows are (97.5%)."""
UNTAGGED_ROWS: Final = 200
"""Untagged rows whose encoder is inferred, beside those that are judged anyway."""
FOREIGN_ROWS: Final = 50
"""Rows of each other encoder's tag, measured apart."""
PILOT: Final = 64
SHARE: Final = 0.4
"""Of the budget that is left: for the rows; what follows takes shares of the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Reencoded:
    """The rows that were embedded again: m of them, at random among those with a direction and a source.

    `rows`: (m,) table rows. `by`: encoder -> (m,) cosines between what it makes of the row's source and the
    row's vector, NaN where not tried; the first is the encoder that was asked for. `owner`: (m,) whom the row's
    tag claims (`console.health.inference`). `judged`: (m,) a simple random sample of the rows that no other known
    encoder's tag claims. `every`: that sample is all of them.
    """

    encoder: str
    fingerprint: str
    dimension: int
    rows: I64
    by: Mapping[str, F32]
    owner: I64
    others: tuple[str, ...]
    tags: Mapping[str, str]
    judged: Mask
    every: bool
    whole: bool
    """Most rows are tagged as another encoder's: they are judged too."""
    picture: Mask
    untagged: Mask
    """Bitmap over the table: rows without a tag."""
    altered: Mapping[str, F32] = field(default_factory=dict[str, F32])
    """Transform -> (m,) cosines once it is applied; NaN where not tried."""
    match: tuple[RowId | None, ...] = ()
    """Of each row: the other row whose stored vector its source belongs to."""
    match_row: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    """The same as a table row, -1 where it was not scanned."""
    match_cosine: F32 = field(default_factory=lambda: np.zeros(0, np.float32))
    match_own: F32 = field(default_factory=lambda: np.zeros(0, np.float32))
    """Cosine of that other row's vector to its own source; NaN where it could not be read."""
    searched: str = ""
    """Where other rows were looked for, in words."""
    refused: Mapping[str, int] = field(default_factory=dict[str, int])
    sourceless: int = 0
    """Rows that were drawn and have no source."""
    tried: int = 0
    """Rows that were to be judged and whose turn came; sources that can't be read are among them."""
    eligible: int = 0
    """Rows of the reservoir out of which they were drawn."""
    not_loaded: tuple[str, ...] = ()
    scale: float = float("nan")
    """Median of stored length / the encoder's length."""

    @property
    def cosine(self) -> F32:
        return self.by[self.encoder]

    def owner_is(self, code: int) -> Mask:
        return self.owner == code


def load_by_spec(spec: EncoderSpec) -> Encoder:
    """Another encoder than the one that was asked for, from the pool of the process."""
    from console.encoders import shared

    return shared().get(spec)


@probe(Reencoded, order=30, name="Embedding rows again", needs_encoder=True)
def reencode(probing: Probing) -> Reencoded | NotMeasured:
    """Raises `encoder-unavailable` where the encoder that was asked for can't be loaded."""
    evidence, name = probing.evidence, "Embedding rows again"
    spec = evidence.encoder
    if probing.load_encoder is None or spec is None:
        return NotMeasured(name, "No encoder was asked for (--encoder NAME).")
    why = _impossible(evidence)
    if why:
        return NotMeasured(name, why)
    encoder: Encoder = probing.load_encoder()
    specs = probing.workspace.encoder_specs()
    owned = inference.owners(evidence, specs.get(spec.name, spec), specs)
    drawn = _draw(evidence, owned, probing.rng("reencode"), encoder.modalities)
    if not len(drawn.places):
        return NotMeasured(
            name,
            f"None of {drawn.sourceless:,} sampled rows has a source: a text in `{evidence.names.text}`"
            f" or a picture in `{evidence.names.image}`.",
        )
    run = _Run(probing, encoder, drawn)
    run.embed()
    if not len(run.places):
        told = counted(run.refused)
        return NotMeasured(name, f"No source could be read: {told}." if told else "The time was too short.")
    if encoder.dimension != evidence.field.dimension and float(np.nanmedian(run.cosine)) < inference.SAME:
        return NotMeasured(name, _sizes(encoder, evidence))
    return run.finish(specs, owned)


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """`places`: positions in the reservoir, in the order in which they are embedded."""

    places: I64
    judged: Mask
    population: int
    sourceless: int
    whole: bool


class _Run:
    """One encoder against one sample, step by step."""

    def __init__(self, probing: Probing, encoder: Encoder, drawn: _Drawn) -> None:
        self.probing = probing
        self.evidence = probing.evidence
        self.encoder = encoder
        self.drawn = drawn
        self.store = pictures(probing.workspace.settings)
        self.refused: Counter[str] = Counter()
        self.places = drawn.places
        self.began = time.monotonic()

    def embed(self) -> None:
        """The sources of the rows that were drawn; those that can't be read are left out."""
        origins = [self._origin(int(p)) for p in self.places]
        total = len(origins)
        found = encode(
            self.encoder,
            origins,
            self.store,
            enough=patience(self.probing.budget, SHARE),
            step=lambda done: self.probing.progress(done, total),
        )
        self.refused = found.refused
        held = found.held
        self.complete = found.done == total
        self.tried = int(self.drawn.judged[: found.done].sum())
        self.places = self.places[held]
        self.judged = self.drawn.judged[held]
        self.origins: list[Origin] = [o for o, ok in zip(origins, held, strict=True) if ok and o is not None]
        self.raw = found.matrix[held]
        self.vectors = fitted(self.raw, self.evidence.reservoir.matrix.shape[1])
        self.stored = self.evidence.reservoir.matrix[self.places]
        self.rows = self.evidence.reservoir.rows[self.places]
        self.cosine = cosines(self.vectors, self.stored)

    def finish(self, specs: Mapping[str, EncoderSpec], owned: inference.Owners) -> Reencoded:
        evidence, probing = self.evidence, self.probing
        owner = owned.codes[self.rows]
        same = probing.policy.get("encoder-mismatch", "same")
        low = ~(self.cosine >= same)
        by: dict[str, F32] = {self.encoder.name: self.cosine}
        failed = self._others(specs, owned, owner, low, by)
        foreign = np.any(
            [c >= same for n, c in by.items() if n != self.encoder.name] or [low & False], axis=0
        )
        altered = alterations.tried(
            self.encoder,
            self.origins,
            [evidence.reservoir.payloads[int(p)] for p in self.places],
            self.vectors,
            self.stored,
            evidence.table.tail[self.rows],
            low & ~foreign & self.judged,
            evidence.names,
            self.store,
            patience(probing.budget, SHARE),
            same,
        )
        explained = np.any([c >= same for c in altered.values()] or [low & False], axis=0)
        found = matching.match(
            probing,
            self.encoder,
            self.store,
            self.rows,
            self.vectors,
            low & ~foreign & ~explained & self.judged,
            same,
        )
        with np.errstate(all="ignore"):
            scale = np.linalg.norm(self.stored, axis=1) / np.linalg.norm(self.raw, axis=1)
        return Reencoded(
            encoder=self.encoder.name,
            fingerprint=self.encoder.fingerprint,
            dimension=self.encoder.dimension,
            rows=self.rows,
            by=by,
            owner=owner,
            others=owned.others,
            tags=owned.tags,
            judged=self.judged,
            every=self._every(),
            whole=self.drawn.whole,
            picture=np.array([o.modality == "image" for o in self.origins], np.bool_),
            untagged=owned.codes == UNTAGGED,
            altered=altered,
            match=found.ids,
            match_row=found.rows,
            match_cosine=found.cosine,
            match_own=found.own,
            searched=found.searched,
            refused=dict(self.refused),
            sourceless=self.drawn.sourceless,
            tried=self.tried,
            eligible=self.drawn.population,
            not_loaded=failed,
            scale=float(np.nanmedian(scale)),
        )

    def _others(
        self,
        specs: Mapping[str, EncoderSpec],
        owned: inference.Owners,
        owner: I64,
        low: Mask,
        by: dict[str, F32],
    ) -> tuple[str, ...]:
        """Fills `by` with the other encoders, for rows that are untagged, another's, or not this one's."""
        dimension = self.evidence.field.dimension
        wanted = (owner == UNTAGGED) | (owner > OWN) | low
        if dimension is None or not wanted.any():
            return ()
        live = specs.get(self.encoder.name, self.evidence.encoder)
        chosen = inference.candidates(specs, live, dimension, owned.others)
        encoders, failed = inference.load_others(chosen, load_by_spec, dimension)
        origins = [o if w else None for o, w in zip(self.origins, wanted, strict=True)]
        enough: Callable[[], bool] = patience(self.probing.budget, SHARE)
        for other in encoders:
            if other.fingerprint == self.encoder.fingerprint:
                continue
            found = encode(other, origins, self.store, enough=enough)
            by[other.name] = cosines(found.matrix, self.stored)
        return failed

    def _every(self) -> bool:
        """Whether all rows of the collection that can be judged were."""
        evidence = self.evidence
        whole = evidence.scan.exact and len(evidence.places) == int(evidence.good.sum())
        return whole and self.complete and int(self.judged.sum()) == self.drawn.population

    def _origin(self, place: int) -> Origin | None:
        payload = self.evidence.reservoir.payloads[place]
        return origin_of(payload, self.evidence.names, self.encoder.modalities)


def _draw(
    evidence: Evidence, owned: inference.Owners, rng: np.random.Generator, modalities: tuple[str, ...]
) -> _Drawn:
    """Judged rows first, then more untagged ones, then those of other encoders' tags."""
    payloads, names = evidence.reservoir.payloads, evidence.names
    order = rng.permutation(evidence.places)
    have = np.array([origin_of(payloads[int(p)], names, modalities) is not None for p in order], np.bool_)
    order = order[have]
    owner = owned.codes[evidence.reservoir.rows[order]]
    among = owner <= OWN
    # The encoder that was asked for is not most rows' own by their tags: then that is what is to be judged.
    whole = int(among.sum()) * 2 < len(order)
    among |= whole
    chosen = [order[among][:ROWS]]
    mine = order[owner == UNTAGGED]
    chosen.append(
        mine[~np.isin(mine, chosen[0])][: max(0, UNTAGGED_ROWS - int(np.isin(mine, chosen[0]).sum()))]
    )
    if not whole:
        others = range(min(len(owned.others), inference.OTHERS))
        chosen += [order[owner == 1 + i][:FOREIGN_ROWS] for i in others]
    places = np.concatenate(chosen)
    judged = np.arange(len(places)) < len(chosen[0])
    return _Drawn(places, judged, int(among.sum()), int((~have).sum()), whole)


def _impossible(evidence: Evidence) -> str:
    names, field_ = evidence.names, evidence.field
    if names.text is None and names.image is None:
        return "What the rows were embedded from is not known: set `text_field` or `image_field` of the collection."
    if field_.storage == "uint8":
        return "The vectors are stored as bytes, which are not the encoder's own values any more."
    if not len(evidence.places):
        return "No row has a vector with a direction."
    return ""


def _sizes(encoder: Any, evidence: Evidence) -> str:
    return (
        f"`{encoder.name}` makes vectors of {encoder.dimension:,} dimensions, this field holds"
        f" {evidence.field.dimension:,}, and they are neither its first ones nor filled up with zeros"
        " (dimension-mismatch): give the encoder that made them (--encoder NAME)."
    )
