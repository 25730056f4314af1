"""What a condition says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Verdict = Literal["pass", "fail", "not_measurable"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`figure` is held to `limit`, both in `unit`; `interval`: what the figure may be. `why`: one or two sentences.

    None where there is no such number. `details`: more figures, as JSON.
    """

    verdict: Verdict
    why: str
    figure: float | None = None
    limit: float | None = None
    interval: tuple[float, float] | None = None
    unit: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def but(self, verdict: Verdict, why: str, **details: Any) -> Outcome:
        """The same figures with another verdict and reason, and further details."""
        return replace(self, verdict=verdict, why=why, details={**self.details, **details})
