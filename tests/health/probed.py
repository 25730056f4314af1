"""Evidence with the probes that need no server, and collections of known geometry."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.policy import policy
from console.health.probes.copies import Copies, copies_within
from console.health.probes.neighbours import Directions, Neighbours, nearest_rows, spread
from console.health.probes.partners import Partners, linked_rows
from console.health.probes.twins import Twins, lexical_twins
from console.health.registry import checks

RULES = policy()


def probed(evidence: Evidence) -> Evidence:
    def rng() -> np.random.Generator:
        return np.random.default_rng([evidence.options.seed, 7])

    results = {
        Neighbours: nearest_rows(evidence, rng()),
        Directions: spread(evidence, rng()),
        Partners: linked_rows(evidence, rng()),
        Twins: lexical_twins(evidence),
        Copies: copies_within(evidence, rng()),
    }
    return dataclasses.replace(evidence, results={**evidence.results, **results})


def judged(code: str, evidence: Evidence) -> list[Finding | NotMeasured]:
    return list(checks()[code].run(evidence, RULES))


def finding(code: str, evidence: Evidence, key: str = "") -> Finding:
    """The one finding of that key."""
    (found,) = [f for f in judged(code, evidence) if isinstance(f, Finding) and f.key == key]
    return found


def why_not(code: str, evidence: Evidence) -> str:
    (found,) = judged(code, evidence)
    assert isinstance(found, NotMeasured)
    assert found.check == code
    return found.why


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def themed(
    seed: int, n: int = 2_000, d: int = 64, topics: int = 300, noise: float = 0.35
) -> tuple[np.ndarray, np.ndarray]:
    """Rows about topics, spectrum decaying, a mean that is not zero; the topic of each row."""
    rng = np.random.default_rng([seed, 77])
    spectrum = np.exp(-np.arange(d) / d * 1.5)
    of = rng.integers(0, topics, n)
    raw = rng.normal(size=(topics, d))[of] + noise * rng.normal(size=(n, d)) + 0.4 * rng.normal(size=d)
    return unit(raw * spectrum), of


def captions(seed: int, of: np.ndarray) -> list[dict[str, Any]]:
    """A text of the topic's own words and two others."""
    rng = np.random.default_rng([seed, 78])
    own = [[f"w{x}" for x in rng.integers(0, 900, 6)] for _ in range(int(of.max()) + 1)]
    return [
        {"caption": " ".join([*rng.permutation(own[t])[:4], *(f"w{x}" for x in rng.integers(0, 900, 2))])}
        for t in of
    ]


def with_field(rows: Sequence[Mapping[str, Any]], name: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """None leaves a row without the field."""
    return [{**row, **({} if v is None else {name: v})} for row, v in zip(rows, values, strict=True)]
