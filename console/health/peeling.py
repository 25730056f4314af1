"""Aggregate symptoms: a check is evaluated again without the rows of a possible cause, and without random rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import Effect, Finding, Mask, NotMeasured
from console.health.method import CONSTANT

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.policy import Policy
    from console.health.registry import Check

GONE: Final = float("inf")
"""The drop of a figure that is no longer there at all."""
_TILE: Final = 1 << 20
"""Random rows are drawn for so many rows and repeated, at another offset each time."""


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """A possible cause and the rows that are left out for it."""

    id: str
    rows: Mask
    spread: float = 0.0
    """By how much the share of rows may be less than it seems, where it was told from some (lower bound)."""


@dataclass(frozen=True, slots=True)
class Peel:
    """What leaving rows out did. `left`: the figure then, None where it is gone. `control`: the random drops' 95th
    percentile."""

    causes: tuple[str, ...]
    before: float
    left: float | None
    threshold: float
    control: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "causes": list(self.causes),
            "before": self.before,
            "without": self.left,
            "threshold": self.threshold,
            "random_drop_95": self.control,
        }


class Peeling:
    """Peels one aggregate. `run` again costs what the check costs; results are kept per removal."""

    def __init__(
        self,
        finding: Finding,
        check: Check,
        evidence: Evidence,
        rules: Policy,
        rng: np.random.Generator,
    ) -> None:
        self._id, self._check, self._evidence, self._rules, self._rng = (
            finding.id,
            check,
            evidence,
            rules,
            rng,
        )
        self._base = self._again(evidence)
        self._usable = evidence.kept
        self._rests_on_rows = finding.affected is not None

    def causes(self, suspects: Sequence[Suspect]) -> Peel | None:
        """The suspects that explain the figure, in the order of stages; None: it stands without all of them."""
        base = self._base
        if not isinstance(base, Finding) or base.effect is None or base.severity is None:
            return None
        usable = [s for s in suspects if self._small([s])]
        alone = [(s, self._drop(s.rows)) for s in usable]
        enough = [(s, d) for s, d in alone if d is not None and d.under]
        if enough:
            most = max(d.drop for _, d in enough)
            near = [(s, d) for s, d in enough if d.drop >= CONSTANT["same_drop"] * most]
            for suspect, drop in (*near, *(pair for pair in enough if pair not in near)):
                control = self._control(suspect.rows)
                if drop.drop > control:
                    return self._peel(base.effect, (suspect.id,), drop, control)
            return None
        return self._together([s for s, d in alone if d is not None and d.drop > 0], base.effect)

    def _together(self, suspects: Sequence[Suspect], effect: Effect) -> Peel | None:
        """No single removal suffices: as many, in order, as do, without those that are not needed."""
        chosen: list[Suspect] = []
        last: _Drop | None = None
        for suspect in suspects:
            if not self._small([*chosen, suspect]):
                continue
            chosen.append(suspect)
            last = self._drop(_union(chosen))
            if last is not None and last.under:
                break
        if last is None or not last.under:
            return None
        for suspect in list(chosen):
            rest = [s for s in chosen if s is not suspect]
            without = self._drop(_union(rest)) if rest else None
            if without is not None and without.under:
                chosen, last = rest, without
        for suspect in chosen:
            rest = [s for s in chosen if s is not suspect]
            partial = self._drop(_union(rest)) if rest else None
            added = last.drop - (partial.drop if partial is not None else 0.0)
            if added <= self._control(suspect.rows):
                return None
        return self._peel(effect, tuple(s.id for s in chosen), last, self._control(_union(chosen)))

    def _small(self, suspects: Sequence[Suspect]) -> bool:
        """Whether the rows are some, and no more than half, of those that carry the figure."""
        held = int(np.count_nonzero(self._usable))
        out = int(np.count_nonzero(_union(suspects) & self._usable))
        return 0 < out <= (CONSTANT["left_out"] + sum(s.spread for s in suspects)) * held

    def _drop(self, rows: Mask) -> _Drop | None:
        """None: too little is left to say."""
        base = self._base
        assert isinstance(base, Finding)
        assert base.effect is not None
        found = self._again(self._evidence.without(rows))
        if isinstance(found, NotMeasured):
            # What names the rows at which it shows is gone with them; what is a mean over all rows is not known.
            return _Drop(GONE, None, True) if self._rests_on_rows else None
        if found is None:
            return _Drop(GONE, None, True)
        if found.effect is None:
            return _Drop(GONE, None, True) if found.severity is None else _Drop(0.0, None, False)
        sign = 1.0 if base.effect.worse == "higher" else -1.0
        left = 1 - np.count_nonzero(rows & self._usable) / max(1, np.count_nonzero(self._usable))
        under = _under(base, found, float(left))
        return _Drop(sign * (base.effect.value - found.effect.value), found.effect.value, under)

    def _control(self, rows: Mask) -> float:
        """The 95th percentile of the drop when as many random rows are left out."""
        size = int(np.count_nonzero(rows & self._usable))
        drops: list[float] = []
        for _ in range(int(CONSTANT["controls"])):
            drop = self._drop(draw(self._usable, size, self._rng))
            drops.append(GONE if drop is None else drop.drop)
        # The value itself, not one between two: infinite drops must not become "not a number".
        return sorted(drops)[int(np.ceil((1 - CONSTANT["chance"]) * len(drops))) - 1]

    def _again(self, evidence: Evidence) -> Finding | NotMeasured | None:
        try:
            outcomes = self._check.run(evidence, self._rules)
        except (ArithmeticError, LookupError, ValueError, TypeError) as fault:
            return NotMeasured(self._check.code, f"The check failed ({type(fault).__name__}).")
        unmeasured: NotMeasured | None = None
        for outcome in outcomes:
            if isinstance(outcome, NotMeasured):
                unmeasured = unmeasured or outcome
            elif outcome.id == self._id:
                return outcome
        return unmeasured

    def _peel(self, effect: Effect, causes: tuple[str, ...], drop: _Drop, control: float) -> Peel:
        limit = None if control == GONE else control
        return Peel(causes, effect.value, drop.left, effect.threshold, limit)


@dataclass(frozen=True, slots=True)
class _Drop:
    drop: float
    left: float | None
    under: bool


def _under(base: Finding, found: Finding, left: float) -> bool:
    """Whether what fired is below its line, with the interval that as many rows as before would give: it widens with
    every row left out. Where the rule has none, by the figure itself. `left`: the share of rows that is there still.
    """
    if found.severity is not None:
        return found.rank == 1 and base.rank > 1
    effect = found.effect
    assert effect is not None
    higher = effect.worse == "higher"
    bound = effect.low if higher else effect.high
    value = (
        effect.value if bound is None else effect.value + (bound - effect.value) * math.sqrt(max(0.0, left))
    )
    return value <= effect.threshold if higher else value >= effect.threshold


def _union(suspects: Sequence[Suspect]) -> Mask:
    rows = suspects[0].rows.copy()
    for other in suspects[1:]:
        rows |= other.rows
    return rows


def draw(usable: Mask, size: int, rng: np.random.Generator) -> Mask:
    """A bitmap of `size` random rows out of `usable`; of about that many where there are millions."""
    n = len(usable)
    held = np.flatnonzero(usable) if n <= _TILE else None
    out = np.zeros(n, np.bool_)
    if held is not None:
        out[rng.choice(held, min(size, len(held)), replace=False)] = True
        return out
    tile = rng.random(_TILE, dtype=np.float32) < size / max(1, int(np.count_nonzero(usable)))
    for start in range(0, n, _TILE):
        part = min(_TILE, n - start)
        out[start : start + part] = np.roll(tile, int(rng.integers(_TILE)))[:part]
    return out & usable
