"""The cutoff with the old one's precision or recall, where enough rows near it were judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from console.compare.acceptance import Acceptance
from console.compare.intervals import between, times
from console.compare.isotonic import isotonic
from console.health.findings import Mask
from console.health.table import F64, I64

NEEDED: Final = 50
"""Judgements near the cutoff."""
NEAR: Final = 0.2
"""A judged row lies near a cutoff that accepts a share s where its score would accept between s - .2 and s + .2."""
DRAWS: Final = 200
_EVEN: Final = 1e-9

Figure = Literal["precision", "recall"]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Judged rows of one side, j of them: the query's place, the row's nearness, and whether it is relevant."""

    queries: I64
    scores: F64
    relevant: Mask


@dataclass(frozen=True, slots=True)
class Equal:
    """`new`: the cutoff, with its 95% interval over queries (NaN where queries don't give one); or `why` there is none."""

    new: float | None
    low: float = math.nan
    high: float = math.nan
    why: str | None = None


def equal(figure: Figure, left: F64, right: F64, judged: tuple[Judged, Judged], old: float) -> Equal:
    """From the scores held against cutoffs, (q, w) a side, and what was judged of them.

    How likely a score means a relevant row is fitted on each side as a curve that does not fall (isotonic
    regression), and summed over all scores, judged or not: precision is the mean over those accepted, recall their
    sum over that of all. Where several cutoffs have the figure, the one nearest to equal acceptance is taken.
    """
    acceptance = Acceptance(left, right)
    sides = [_Side(scores, held) for scores, held in zip((left, right), judged, strict=True)]
    start = acceptance.new(old)
    if start is None:
        return Equal(None, why="One side has no scores.")
    if (few := sides[0].near(old)) < NEEDED:
        return Equal(None, why=f"{few:,} judgements lie near the old cutoff; {NEEDED} are needed.")
    for side, name in zip(sides, ("old", "new"), strict=True):
        if (kind := side.only()) is not None:
            return Equal(
                None,
                why=f"Every judged row of the {name} side's hits is {kind}: nothing tells where {figure} falls.",
            )
    ones = np.ones(len(left))
    found = _translated(figure, sides[0], sides[1], ones, old)
    if found is None:
        return Equal(None, why=f"No cutoff of the new side has the old one's {figure}.")
    if (few := sides[1].near(found)) < NEEDED:
        return Equal(None, why=f"{few:,} judgements lie near the new cutoff; {NEEDED} are needed.")
    if sides[1].accepted(found) == sides[1].accepted(start):
        found = start
    again = [_translated(figure, sides[0], sides[1], weight, old) for weight in times(len(left))[:DRAWS]]
    low, high = between(np.array([math.nan if x is None else x for x in again]), found)
    return Equal(found, low, high)


class _Side:
    """Scores in falling order, with their queries; and judged rows."""

    def __init__(self, scores: F64, judged: Judged) -> None:
        query, place = np.nonzero(np.isfinite(scores))
        order = np.argsort(-scores[query, place], kind="stable")
        self.scores, self._of = scores[query, place][order], query[order]
        self._judged = judged

    def accepted(self, cut: float) -> int:
        return int(np.searchsorted(-self.scores, -cut, side="right"))

    def only(self) -> str | None:
        """What all judged rows are; None where some are relevant and others not."""
        held = self._judged.relevant
        return None if held.any() and not held.all() else "relevant" if held.any() else "not relevant"

    def near(self, cut: float) -> int:
        """Judged rows near a cutoff."""
        share = np.searchsorted(-self.scores, -self._judged.scores, side="right") / max(1, len(self.scores))
        own = self.accepted(cut) / max(1, len(self.scores))
        return int(np.count_nonzero(np.abs(share - own) <= NEAR))

    def sums(self, weight: F64) -> tuple[F64, F64] | None:
        """(n,) how many are accepted down to each score, and how many of them are relevant, queries weighted (q,)."""
        held = self._judged
        if not weight[held.queries].any():
            return None
        curve = isotonic(held.scores, held.relevant.astype(np.float64), weight[held.queries])
        each = weight[self._of]
        return np.cumsum(each), np.cumsum(each * curve.at(self.scores))

    def cut(self, place: int) -> float:
        """A cutoff that accepts down to a place, halfway to the next score."""
        if place + 1 == len(self.scores):
            return float(self.scores[place])
        return float(self.scores[place] + self.scores[place + 1]) / 2


def _translated(figure: Figure, left: _Side, right: _Side, weight: F64, old: float) -> float | None:
    before, after = left.sums(weight), right.sums(weight)
    count = left.accepted(old)
    if before is None or after is None or not count:
        return None
    (accepted, relevant), (reached, found) = before, after
    if not (relevant[count - 1] > 0 and found[-1] > 0):
        return None
    wanted = float(accepted[count - 1]) / float(accepted[-1]) * float(reached[-1])
    same = int(np.searchsorted(reached, wanted - _EVEN))
    if figure == "recall":
        goal, held = relevant[count - 1] / relevant[-1], found / found[-1]
        first = int(np.argmax(held >= goal - _EVEN))
        last = int(np.count_nonzero(held <= goal + _EVEN)) - 1
        return right.cut(min(max(same, first), max(first, last)))
    goal = relevant[count - 1] / accepted[count - 1]
    # Queries that were not drawn come first with nothing: they are as precise as one likes.
    held = np.where(reached > 0, found / np.maximum(reached, _EVEN), math.inf)
    last = int(np.count_nonzero(held >= goal - _EVEN)) - 1
    if last < 0 or not reached[last] > 0:
        return None
    first = int(np.count_nonzero(held > goal + _EVEN))
    return right.cut(min(max(same, min(first, last)), last))
