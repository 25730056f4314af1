"""What the conditions judge: each part was measured, or is `NotMeasured` with the reason. No part knows how it was got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.model import RowId
from console.health.findings import NotMeasured
from console.health.table import F64

Key = RowId | str
"""A row's id, or its value of the field that rows are matched by."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Ids of one side that the other lacks. `rows`: how many; `examples`: some of them.

    `written`, `deleted`: those that the first look found to differ and that came to the other side, or left this one,
    while the gate looked. `late`: those that were made between the watermark and the second look by their own time.
    """

    rows: int
    examples: Sequence[Key] = ()
    written: int = 0
    deleted: int = 0
    late: int = 0

    @property
    def moved(self) -> int:
        return self.written + self.deleted + self.late


@dataclass(frozen=True, slots=True)
class IdSets:
    """Which ids both sides hold. `left`, `right`: rows with a key at the first look; `keyless`: rows without one;
    `resting`: tenants that are not active, whose rows could not be read."""

    left: int
    right: int
    on_left_only: Missing
    on_right_only: Missing
    watermark: str
    """ISO 8601: when the first look began."""
    by: str = "id"
    keyless: int = 0
    resting: int = 0

    @property
    def both(self) -> int:
        """Rows that the first look found on both sides, where none is missing."""
        return self.left - self.on_left_only.rows - self.on_left_only.moved


@dataclass(frozen=True, slots=True)
class Health:
    """A check of the right side. `critical`: (code, sentence) of findings that nobody accepted.

    `report`: the id of what was stored, None where it was not. `unmeasured`: (what, why) of what it could not look at.
    """

    report: str | None
    at: str
    verdict: str
    critical: Sequence[tuple[str, str]]
    rows: int | None
    scanned: int
    exact: bool
    accepted: int = 0
    unmeasured: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Versions:
    """`rows[modality][tag]`: rows of each version tag; modality "" where there is none. `untagged`: rows without.

    `main[modality]`: the tag that the modality's rows should have, by the rule of the finding `version-mix`.
    """

    field: str
    rows: Mapping[str, Mapping[str, int]]
    untagged: int
    main: Mapping[str, str]
    accepted: str = ""
    """Why a mix is known and accepted, else ""."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall@k of the right side's index over `queries`, a hit by score counting, with its two-sided 95% interval.

    `census`: every row of the side was asked, so that the mean is no estimate.
    """

    mean: float
    low: float
    high: float
    queries: int
    k: int
    census: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """A metric of each golden query on both sides, (n,) in 0 to 1, in the same order.

    `cohorts[field]`: the value of each query, None where it has none. `same`: why both sides are known to be one
    model, as what they did ("gave the same answers to every query"); else "". `lost`: queries that only the old side
    could answer; they are 0 on the right. `judged`: share of each side's hits that is judged at all. `unanswered`:
    queries with judgements that each side could not answer. `keys`: judgements of single rows as relevant; `gone`: those
    whose row each side does not have. `untold`: rows that the set names and that can't be matched by the field `by`.
    """

    metric: str
    golden: str
    version: int | None
    left: F64
    right: F64
    same: str = ""
    cohorts: Mapping[str, Sequence[str | None]] = field(default_factory=dict[str, Sequence[str | None]])
    lost: int = 0
    judged: tuple[float, float] | None = None
    unanswered: tuple[int, int] = (0, 0)
    keys: int = 0
    gone: tuple[int, int] = (0, 0)
    untold: int = 0
    by: str = "id"


@dataclass(frozen=True, slots=True, eq=False)
class Latency:
    """Milliseconds of searches made in turn, left and right, (n,) each in their order. `rows`: with how many different
    rows of each side was searched."""

    left: F64
    right: F64
    rows: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answers:
    """Cosines of `n` things between what an encoder gives now and what it gave. `of`: what was compared, in words."""

    smallest: float
    mean: float
    n: int
    of: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class Canary:
    """`rows`: rows of the right side embedded again, or why none could be. `questions`: the fixed questions against the
    answers that were kept earlier; None where none were. `kept`: they were kept now."""

    encoder: str
    rows: Answers | str
    questions: Answers | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The translations of a comparison, as its JSON has them. `comparison`: its id."""

    translations: Sequence[Mapping[str, Any]]
    comparison: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class GateEvidence:
    """Everything that the conditions are functions of."""

    id_sets: IdSets | NotMeasured
    health: Health | NotMeasured
    versions: Versions | NotMeasured
    recall: Recall | NotMeasured
    quality: Quality | NotMeasured
    latency: Latency | NotMeasured
    canary: Canary | NotMeasured
    thresholds: Thresholds | NotMeasured
