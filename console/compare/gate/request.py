"""What a gate is asked."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from console.compare.gate.verdict import checked
from console.compare.request import MOST_K, K, usage
from console.search.params import option


@dataclass(frozen=True, slots=True)
class GateRequest:
    """LEFT is what serves now, RIGHT what is to take over. `golden`: `NAME`, `NAME@VERSION`, `NAME@draft`.

    `waive`: condition -> reason. `match_on`: a payload field by whose value rows are matched. `threshold`: a cutoff
    in LEFT's own score that is to be translated; None: the settings'.
    """

    left: str
    right: str
    golden: str | None = None
    waive: Mapping[str, str] = field(default_factory=dict[str, str])
    match_on: str | None = None
    threshold: float | None = None
    k: int = K
    seed: int = 0

    @property
    def key(self) -> str:
        """One text for each pair of sides."""
        return f"{self.left} {self.right}"

    def check(self) -> GateRequest:
        """Raises `usage`; returns self."""
        checked(self.waive)
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise usage("The threshold is not a finite number.", "--threshold")
        if self.match_on is not None and not self.match_on.strip():
            raise usage("The field to match on has no name.", "--match-on")
        if not 1 <= self.k <= MOST_K:
            raise usage(f"{self.k:,} is not a number of hits.", "-k", f"Take 1 to {MOST_K:,}.")
        if not 0 <= self.seed < 2**63:
            raise usage("The seed is a whole number from 0 on.", "--seed")
        return self

    def to_command(self, program: str = "plumbline") -> str:
        """The same as a shell command, every word quoted for a POSIX shell; what is the default is left out."""
        words = [program, "gate", self.left, self.right]
        for name, value in (
            ("--golden", self.golden),
            ("--match-on", self.match_on),
            ("--threshold", self.threshold),
            ("-k", self.k if self.k != K else None),
            ("--seed", self.seed or None),
        ):
            if value is not None:
                words += option(name, str(value))
        for condition, reason in self.waive.items():
            words += ["--waive", f"{condition}={reason}"]
        return shlex.join(words)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "waive": dict(self.waive)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GateRequest:
        """Raises `usage` where the data is no request."""
        known = {f.name for f in fields(cls)}
        try:
            return cls(**{name: value for name, value in data.items() if name in known}).check()
        except (TypeError, AttributeError) as fault:
            raise usage(f"That is no gate's request ({type(fault).__name__}).", "gate") from None
