"""All of a gate's evidence, in an order in which nothing disturbs what is measured after it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from connectors.errors import PlumblineError
from console.compare.gate.bounds import slower
from console.compare.gate.evidence import (
    Canary,
    GateEvidence,
    Health,
    IdSets,
    Latency,
    Quality,
    Versions,
)
from console.compare.gate.gather.answering import canary
from console.compare.gate.gather.answers import answers
from console.compare.gate.gather.compared import compared
from console.compare.gate.gather.ids import Tags, id_sets
from console.compare.gate.gather.partners import both
from console.compare.gate.gather.sound import examined
from console.compare.gate.gather.timing import timed
from console.compare.gate.gather.versions import shares, versions
from console.compare.gate.registry import conditions
from console.compare.request import CompareRequest
from console.health.findings import NotMeasured
from console.store import Comparisons, Evaluations

if TYPE_CHECKING:
    from console.compare.gate.gather.compared import Compared
    from console.compare.gate.gather.sides import Side
    from console.compare.gate.limits import Asked
    from console.compare.gate.request import GateRequest
    from console.encoders import EncoderSpec
    from console.health.options import FieldNames
    from console.progress import Tell
    from console.search.golden import GoldenSet
    from console.workspace import Workspace

T = TypeVar("T")

NOT_MEASURABLE: Final = frozenset(
    {
        "unsupported",
        "filter-unsupported",
        "strict-mode",
        "encoder-unknown",
        "encoder-unavailable",
        "encoder-mismatch",
        "extra-missing",
        "dimension-mismatch",
        "image-refused",
        "timeout",
        "quota",
        "damaged",
    }
)
"""Errors that stand against one part; any other stands against looking at all, and ends the gate."""
NOT_ASKED: Final = "No condition asks for it."
SAME: Final = "have the same neighbours of every row that was compared"


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """`stored`: what is kept of the evidence, by what it is: `report`, `comparison`, `evaluations`. `notes`: sentences
    about what could not be kept."""

    evidence: GateEvidence
    stored: Mapping[str, object] = field(default_factory=dict[str, object])
    notes: Sequence[str] = ()


class Gathering:
    """One gate's way through both sides. Raises `Cancelled`, and what ends the gate."""

    def __init__(
        self,
        ws: Workspace,
        request: GateRequest,
        asked: Asked,
        sides: tuple[Side, Side],
        golden: GoldenSet | None,
        tell: Tell,
        cancelled: Callable[[], bool],
    ) -> None:
        self._ws, self._request, self._asked, self._golden = ws, request, asked, golden
        self._left, self._right = sides
        self._tell, self._cancelled = tell, cancelled
        self._parts = {conditions()[name].part for name in asked.conditions}
        self._stored: dict[str, object] = {}
        self._one_encoder = False
        self._notes: list[str] = []

    def gather(self) -> Gathered:
        """What was kept of the evidence goes again where the gate comes to no end; the check's report stays, which says of
        its collection what it says.
        """
        try:
            return self._gathered()
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        evaluations: Any = self._stored.get("evaluations") or ()
        held = [(Comparisons, self._stored.get("comparison")), *((Evaluations, one) for one in evaluations)]
        for room, one in held:
            if isinstance(one, str):
                with contextlib.suppress(PlumblineError):
                    room.open(self._ws).remove(one)

    def _gathered(self) -> Gathered:
        names = self._right.names(self._ws)
        sets, tags = self._rows(names)
        spec = self._measured("encoder", lambda: self._encoder(tags))
        # A check keeps the encoder's first answers, whatever its rows say: what was kept before is looked at first.
        answering = self._wanted("canary", lambda: self._canary(spec, names))
        health = self._wanted("health", lambda: self._health(spec))
        # A set whose rules would have to read too many rows is not wrong usage of a gate.
        quality = self._wanted("quality", self._answers, "usage")
        found = self._compared()
        if not isinstance(quality, NotMeasured) and not isinstance(found, NotMeasured):
            quality = quality if quality.same or not found.same else self._one_model(quality)
        evidence = GateEvidence(
            id_sets=sets,
            health=health,
            versions=self._wanted("versions", lambda: self._versions(names, tags, spec)),
            recall=found if isinstance(found, NotMeasured) else found.recall,
            quality=quality,
            latency=self._wanted("latency", self._latency),
            canary=answering,
            thresholds=found if isinstance(found, NotMeasured) else found.thresholds,
        )
        return Gathered(evidence, self._stored, self._notes)

    def _rows(self, names: FieldNames) -> tuple[IdSets | NotMeasured, Tags | NotMeasured]:
        if not self._parts & {"id_sets", "versions"}:
            return NotMeasured("id_sets", NOT_ASKED), NotMeasured("versions", NOT_ASKED)

        def both() -> tuple[IdSets, Tags]:
            return id_sets(
                self._left,
                self._right,
                match_on=self._request.match_on,
                settle=float(self._asked.limits["id-set"]["settle"]),
                names=names,
                left_time=self._left.names(self._ws).time,
                tell=self._tell,
                cancelled=self._cancelled,
            )

        found = self._measured("id_sets", both)
        return (found, found) if isinstance(found, NotMeasured) else found

    def _encoder(self, tags: Tags | NotMeasured) -> EncoderSpec | NotMeasured:
        spec = self._right.encoder(self._ws, None if isinstance(tags, NotMeasured) else shares(tags))
        if spec is None:
            why = "The new side's encoder is not known: `plumbline encoder ADDRESS set NAME` chooses it."
            return NotMeasured("encoder", why)
        return spec

    def _canary(self, spec: EncoderSpec | NotMeasured, names: FieldNames) -> Canary | NotMeasured:
        if isinstance(spec, NotMeasured):
            return spec
        limit, seed = float(self._asked.limits["canary"]["limit"]), self._request.seed
        return canary(self._ws, self._right, spec, names, limit, seed, self._tell, self._cancelled)

    def _health(self, spec: EncoderSpec | NotMeasured) -> Health:
        limits = self._asked.limits["critical-findings"]
        found = examined(
            self._ws,
            self._right,
            None if isinstance(spec, NotMeasured) else spec.name,
            full=bool(limits["full"]),
            seed=self._request.seed,
            notes=self._notes,
            tell=self._tell,
            cancelled=self._cancelled,
        )
        self._stored["report"] = found.report
        return found

    def _answers(self) -> Quality | NotMeasured:
        if self._golden is None:
            return NotMeasured("quality", "No golden set was named (--golden).")
        k, by = self._request.k, self._request.match_on
        asked = both(self._golden, self._left, self._right, by, self._tell, self._cancelled)
        if isinstance(asked, NotMeasured):
            return asked
        found = answers(
            self._ws,
            self._golden,
            self._left,
            self._right,
            k,
            self._notes,
            self._tell,
            self._cancelled,
            asked,
        )
        self._stored["evaluations"] = list(found.evaluations)
        self._one_encoder = found.one_encoder
        return found.quality

    def _one_model(self, quality: Quality) -> Quality:
        return replace(quality, same=SAME) if self._one_encoder else quality

    def _compared(self) -> Compared | NotMeasured:
        if not self._parts & {"recall", "thresholds"}:
            return NotMeasured("comparison", NOT_ASKED)
        asked = CompareRequest(
            self._left.where,
            self._right.where,
            k=self._request.k,
            match_on=self._request.match_on,
            threshold=self._asked.limits["threshold"]["cutoff"],
            seed=self._request.seed,
        )
        limit = float(self._asked.limits["recall"]["limit"])
        # Sides that have no rows in common are not wrong usage of a gate.
        found = self._measured(
            "comparison",
            lambda: compared(self._ws, asked, limit, self._notes, self._tell, self._cancelled),
            "usage",
        )
        if not isinstance(found, NotMeasured):
            self._stored["comparison"] = found.comparison
        return found

    def _versions(
        self, names: FieldNames, tags: Tags | NotMeasured, spec: EncoderSpec | NotMeasured
    ) -> Versions | NotMeasured:
        if isinstance(tags, NotMeasured):
            return tags
        encoder = None if isinstance(spec, NotMeasured) else spec.name
        return versions(self._ws, self._right, names.version, tags, encoder)

    def _latency(self) -> Latency | NotMeasured:
        limits = self._asked.limits["latency"]
        ratio, milliseconds = float(limits["ratio"]), float(limits["milliseconds"])
        return timed(
            self._left,
            self._right,
            int(limits["queries"]),
            self._request.k,
            self._request.seed,
            lambda left, right: slower(left, right).decides(ratio, milliseconds) is None,
            self._tell,
            self._cancelled,
        )

    def _wanted(self, part: str, measure: Callable[[], T | NotMeasured], *more: str) -> T | NotMeasured:
        if part not in self._parts:
            return NotMeasured(part, NOT_ASKED)
        return self._measured(part, measure, *more)

    def _measured(self, part: str, measure: Callable[[], T | NotMeasured], *more: str) -> T | NotMeasured:
        """What was measured, or why it could not be. `more`: further codes that stand against this part alone."""
        try:
            return measure()
        except PlumblineError as fault:
            if fault.code not in (*NOT_MEASURABLE, *more):
                raise
            told = " ".join(p for p in (fault.message, fault.hint) if p)
            return NotMeasured(part, f"{told} ({fault.code})")
