"""One registry of conditions: a new one is a function, a line of `[gate]`, a test and a paragraph in docs/gate.md."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from console.compare.gate.evidence import GateEvidence
from console.compare.gate.outcome import Outcome
from console.health.findings import NotMeasured
from console.settings.gate import CONDITIONS

Limits = Mapping[str, Any]
"""By name, with nothing left open."""
PACKAGE: Final = "console.compare.gate.conditions"
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Condition:
    """`asks`: what must hold, in plain words. `part`: the attribute of the evidence that it judges."""

    name: str
    asks: str
    part: str
    judge: Callable[[Any, Limits], Outcome]

    def run(self, evidence: GateEvidence, limits: Limits) -> Outcome:
        held: Any = getattr(evidence, self.part)
        if isinstance(held, NotMeasured):
            return Outcome("not_measurable", held.why)
        return self.judge(held, limits)


_conditions: dict[str, Condition] = {}


def condition(
    name: str, *, asks: str, part: str
) -> Callable[[Callable[[P, Limits], Outcome]], Callable[[P, Limits], Outcome]]:
    """Registers a pure function of one part of the evidence and the condition's limits."""
    if name not in CONDITIONS:
        raise ValueError(f"{name} is not declared in console.settings.gate")

    def register(judge: Callable[[P, Limits], Outcome]) -> Callable[[P, Limits], Outcome]:
        if name in _conditions:
            raise ValueError(f"{name} is registered twice")
        _conditions[name] = Condition(name, asks, part, judge)
        return judge

    return register


def conditions() -> Mapping[str, Condition]:
    """Every condition by name, in the order of the settings."""
    _load()
    return {name: _conditions[name] for name in CONDITIONS}


@functools.cache
def _load() -> None:
    found = importlib.import_module(PACKAGE)
    for module in pkgutil.iter_modules(found.__path__):
        importlib.import_module(f"{PACKAGE}.{module.name}")
