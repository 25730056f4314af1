"""One registry of checks and one of probes: a new check is one function, one test, one paragraph."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Outcomes, Severity
    from console.health.policy import Policy
    from console.health.probing import Probing

Kind = Literal["rows", "aggregate", "state", "drift"]
"""`rows`: names its rows. `aggregate`: a figure over many rows, evaluated again without a cause's rows (peeling).
`state`: what the server says of itself. `drift`: against the baseline."""

STAGES: Final = (
    "non-finite",
    "zero",
    "missing",
    "truncation",
    "identity",
    "norms",
    "duplicates",
    "axis",
    "collapse",
    "recall",
    "baseline",
)
"""The fixed order of admissible edges: a finding may be explained only by one of an earlier stage.
`identity`: version-mix, untagged, encoder and payload mismatches."""

Run = Callable[["Evidence", "Policy"], "Outcomes"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number of the policy. `why`: where it comes from (a source, a measurement, a derivation)."""

    name: str
    default: float
    why: str


@dataclass(frozen=True, slots=True)
class Check:
    """One code: what it is, when it fires, and the pure function that decides."""

    code: str
    fault: str
    """The fault in a few plain words."""
    kind: Kind
    stage: str
    severities: tuple[Severity, ...]
    actions: tuple[str, ...]
    """The remedies that its findings may name."""
    thresholds: tuple[Threshold, ...]
    run: Run
    family: str
    """The module's name."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Input and output with a budget; its result is kept in the evidence under its type."""

    result: type
    run: Callable[[Probing], Any]
    order: int
    name: str
    needs_encoder: bool = False


_checks: dict[str, Check] = {}
_probes: dict[type, Probe] = {}
R = TypeVar("R", bound=Run)
P = TypeVar("P", bound=Callable[..., Any])


def check(
    code: str,
    *,
    fault: str,
    kind: Kind,
    stage: str,
    severities: tuple[Severity, ...],
    actions: tuple[str, ...],
    thresholds: tuple[Threshold, ...] = (),
) -> Callable[[R], R]:
    """Registers `(Evidence, Policy) -> Finding and NotMeasured, in a list`; an empty list: looked, nothing found."""
    if stage not in STAGES:
        raise ValueError(f"{stage} is not a stage")

    def register(run: R) -> R:
        if code in _checks:
            raise ValueError(f"{code} is registered twice")
        family = run.__module__.rpartition(".")[2]
        _checks[code] = Check(code, fault, kind, stage, severities, actions, thresholds, run, family)
        return run

    return register


def probe(result: type, *, order: int, name: str, needs_encoder: bool = False) -> Callable[[P], P]:
    """Registers `(Probing) -> result | NotMeasured`. Lower `order` runs first."""

    def register(run: P) -> P:
        if result in _probes:
            raise ValueError(f"{result.__name__} is registered twice")
        _probes[result] = Probe(result, run, order, name, needs_encoder)
        return run

    return register


def checks() -> Mapping[str, Check]:
    """Every check by code, in the order of stages."""
    _load()
    return dict(sorted(_checks.items(), key=lambda item: (STAGES.index(item[1].stage), item[0])))


def probes() -> tuple[Probe, ...]:
    """Every probe in the order in which they run."""
    _load()
    return tuple(sorted(_probes.values(), key=lambda p: (p.order, p.name)))


@functools.cache
def _load() -> None:
    for package in ("console.health.checks", "console.health.probes"):
        found = importlib.import_module(package)
        for module in pkgutil.iter_modules(found.__path__):
            importlib.import_module(f"{package}.{module.name}")
