"""The live encoder of one address: which one it is, whether the guard lets it pass, what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors.model import Description, VectorField
from console.search.answer import EncoderUsed
from console.search.choosing import fits, unknown
from console.search.encoding import Vector
from console.search.guard import Reading, judge, shares_text
from console.search.ownership import known_encoder, likely_encoder, marked_otherwise, owner_of, same_encoder
from console.search.request import Part
from console.search.work import Shared, Work

if TYPE_CHECKING:
    from console.encoders import Encoder, EncoderSpec


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """A vector field and the encoder that is known to have made its vectors."""

    shared: Shared
    work: Work
    described: Description
    vector: VectorField
    known: EncoderSpec | None
    known_by: str | None

    @classmethod
    def of(cls, shared: Shared, work: Work, described: Description, vector: VectorField) -> Live:
        shares = work.reading.mix.shares if work.reading.mix else None
        needed = {"text", "image"} & set(shared.request.parts()) and shared.request.encoder is None
        known_of = known_encoder if needed else likely_encoder
        known, known_by = known_of(shared.ws, work.address, vector, described, shares)
        return cls(shared, work, described, vector, known, known_by)

    def encoded(self) -> Mapping[Part, Vector]:
        """Text and image by the live encoder, if the guard lets them pass."""
        live, encoder = self.ready()
        encoded = self.shared.encoding.encode(live, encoder)
        self.work.spend("encode", encoded.milliseconds)
        self.work.warnings += encoded.warnings
        return encoded.vectors

    def ready(self) -> tuple[EncoderSpec, Encoder]:
        """The live encoder, loaded, if the guard lets it pass.

        What is known before loading is judged before; a fingerprint that only loading tells, after.
        """
        live, live_by = self._asked()
        if live is None:
            raise unknown(str(self.work.address), self.work.reading, self.vector)
        self._uses(live, live_by)
        if live.dimension is not None:
            self._fits(live.dimension, live)
        self._guard(live, only_known=live.fingerprint is None)
        encoder, load = self.shared.encoding.load(live)
        self.work.spend("load", load)
        loaded = replace(live, fingerprint=encoder.fingerprint, dimension=encoder.dimension)
        self._uses(loaded, live_by)
        self._fits(encoder.dimension, live)
        if live.fingerprint != encoder.fingerprint:
            self._guard(loaded)
        return live, encoder

    def claimed(self) -> None:
        """A bare vector that `--encoder` says the origin of: guarded, though nothing is loaded."""
        live, live_by = self._asked()
        if live is not None:
            self._uses(live, live_by)
            self._guard(live)

    def unencoded(self) -> None:
        """Rows and vectors need no encoder; the field's own is named where it is known."""
        if self.known is not None:
            self._uses(replace(self.known, dimension=self.vector.dimension), self.known_by)
        mix = self.work.reading.mix
        if mix is not None and len(mix.shares) > 1:
            self.work.warnings.append(
                f"{self.work.address}: the collection mixes versions: {shares_text(mix)}. Vectors of different"
                " encoders can't be compared."
            )

    def _asked(self) -> tuple[EncoderSpec | None, str | None]:
        explicit = self.shared.request.encoder
        if explicit is None:
            return self.known, self.known_by
        return known_encoder(self.shared.ws, self.work.address, self.vector, self.described, None, explicit)

    def _uses(self, spec: EncoderSpec, known_by: str | None) -> None:
        self.work.encoder = EncoderUsed(spec.name, spec.fingerprint or "", spec.dimension, known_by)

    def _fits(self, dimension: int, live: EncoderSpec) -> None:
        fits(dimension, f"The encoder `{live.name}`", self.vector, str(self.work.address))

    def _guard(self, live: EncoderSpec, *, only_known: bool = False) -> None:
        """Stop, or warn. A marker's fingerprint outweighs a tag's name, not what an operator set."""
        where = str(self.work.address)
        known = self.known
        other = known.name if known is not None and not same_encoder(live, known) else None
        marked = marked_otherwise(self.described.marker, self.vector.name, live) if other is None else None
        told = self.known_by in ("settings", "choice")
        verdict = judge(
            where,
            live.name,
            other,
            Reading(None) if only_known else self.work.reading,
            owner_of(live, self.shared.ws.encoder_specs()),
            marked=None if told else marked,
            allow=self.shared.request.allow_mismatch,
        )
        fresh = list(verdict.warnings)
        if verdict.stop is None and told and marked is not None:
            fresh.append(f"{where}: the collection's marker names the encoder {marked}, not `{live.name}`.")
        self.work.warnings += [w for w in fresh if w not in self.work.warnings]
        if verdict.stop is not None:
            raise verdict.stop
