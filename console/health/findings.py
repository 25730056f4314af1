"""What a check says: a finding, that nothing could be measured, or (for an aggregate) a figure under its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from connectors.model import RowId

Severity = Literal["info", "warning", "critical"]
Basis = Literal["exact", "sample", "probe"]
Action = Literal[
    "quarantine",
    "renormalize",
    "tag",
    "dedupe",
    "rebuild",
    "reindex",
    "configure",
    "reingest",
    "investigate",
    "none",
]
Mask: TypeAlias = npt.NDArray[np.bool_]

RANK: Final[Mapping[str | None, int]] = {None: 0, "info": 1, "warning": 2, "critical": 3}
"""How severities compare; None stands for a figure under its line."""

SAMPLE_IDS: Final = 20
"""How many ids a finding carries."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one value of one field, and how well they coincide with a finding's rows.

    `rows`: rows of that value among those looked at. `precision`: share of the value's rows that are the
    finding's. `recall`: share of the finding's rows that carry the value.
    """

    field: str
    value: Any
    rows: int
    precision: float
    recall: float

    def to_json(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "value": self.value,
            "rows": self.rows,
            "precision": self.precision,
            "recall": self.recall,
        }


@dataclass(frozen=True, slots=True)
class Effect:
    """The figure that a rule fires on, the line it is held to, and its 95% interval."""

    value: float
    threshold: float
    low: float | None = None
    high: float | None = None
    name: str = ""
    """What the figure is, in a few words: "excess of overlap@20"."""
    worse: Literal["higher", "lower"] = "higher"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "threshold": self.threshold,
            "low": self.low,
            "high": self.high,
            "worse": self.worse,
        }


@dataclass(frozen=True, slots=True)
class Remedy:
    """`text`: one or two plain sentences, no command that this version lacks."""

    action: Action
    text: str

    def to_json(self) -> dict[str, Any]:
        return {"action": self.action, "text": self.text}


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One named fault.

    `severity` None: an aggregate that was measured and is under its line; it is kept out of the report and
    used to tell causes from symptoms. `affected`: bitmap over the table's rows (None: no rows of its own).
    `examined`: the rows that the check could look at (None: all that were scanned). `key` tells findings of
    one code apart (a group's "field=value", a vector field) and stays the same from report to report.
    """

    code: str
    severity: Severity | None
    summary: str
    basis: Basis
    remedy: Remedy
    rows: int | None = None
    share: float | None = None
    interval: tuple[float, float] | None = None
    effect: Effect | None = None
    group: Group | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sample_ids: tuple[RowId, ...] = ()
    affected: Mask | None = None
    examined: Mask | None = None
    key: str = ""
    rows_estimated: tuple[float, float, float] | None = None
    """(estimate, low, high) for the whole collection, where sampled."""
    since: str | None = None
    because_of: tuple[str, ...] = ()
    """Ids of the findings that explain this one; empty for a root."""
    accepted: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        return f"{self.code}:{self.key}" if self.key else self.code

    @property
    def rank(self) -> int:
        return RANK[self.severity]

    def but(self, **changes: Any) -> Finding:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """`check`: a finding's code, or the name of a figure. `why`: the reason and, where there is one, the way out."""

    check: str
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"check": self.check, "why": self.why}


Outcome: TypeAlias = Finding | NotMeasured
Outcomes: TypeAlias = Sequence[Outcome]
