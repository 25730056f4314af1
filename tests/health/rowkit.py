"""Collections for the checks of rows: clean ones of many kinds, and a short way to their findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from console.health import registry
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.policy import policy
from tests.health.building import evidence

RULES = policy()
CODES = (
    "non-finite",
    "zero-vectors",
    "missing-vectors",
    "truncated-dimensions",
    "value-corruption",
    "norm-drift",
    "metric-mismatch",
    "duplicate-vectors",
    "count-mismatch",
)


def run(code: str, held: Evidence) -> tuple[list[Finding], list[NotMeasured]]:
    """The findings that fire, and what was not measured."""
    out = registry.checks()[code].run(held, RULES)
    found = [o for o in out if isinstance(o, Finding) and o.severity is not None]
    return found, [o for o in out if isinstance(o, NotMeasured)]


def only(code: str, held: Evidence) -> Finding:
    found, unmeasured = run(code, held)
    assert not unmeasured, unmeasured
    assert len(found) == 1, [(f.id, f.severity, f.summary) for f in found]
    return found[0]


def alarms(held: Evidence, codes: Sequence[str] = CODES) -> list[str]:
    """Findings of warning and above."""
    return [f"{f.id} {f.summary}" for code in codes for f in run(code, held)[0] if f.rank >= 2]


def anisotropic(n: int, d: int, seed: int) -> np.ndarray:
    """(n, d) float32 unit vectors with a decaying spectrum and a common direction."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((n, d)) * (1 + np.arange(d)) ** -0.4 + 0.3 * rng.standard_normal(d)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def captions(n: int, **more: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"caption": f"row {i}", **{k: v[i] for k, v in more.items()}} for i in range(n)]


@dataclass(frozen=True)
class Clean:
    """A healthy collection, made anew for each seed."""

    name: str
    make: Callable[[int], Evidence]


def _lengths(
    factor: Callable[[np.random.Generator, int], np.ndarray], **more: Any
) -> Callable[[int], Evidence]:
    def make(seed: int) -> Evidence:
        n, d = 2000, 48
        rng = np.random.default_rng([seed, 7])
        matrix = anisotropic(n, d, seed) * factor(rng, n)[:, None].astype(np.float32)
        cameras = [f"camera-{i % 5}" for i in range(n)]
        return evidence(matrix, captions(n, source=cameras), seed=seed, **more)

    return make


def _unit(**more: Any) -> Callable[[int], Evidence]:
    return _lengths(lambda rng, n: np.ones(n), **more)


def _topics(seed: int) -> Evidence:
    """Two topics whose lengths differ by 1.26 at an AUC of .82."""
    n = 3000
    rng = np.random.default_rng(seed)
    topic = rng.random(n) < 0.4
    lengths = np.exp(rng.normal(np.where(topic, np.log(1.26), 0), 0.231 / 1.294))
    matrix = anisotropic(n, 48, seed) * lengths[:, None].astype(np.float32)
    return evidence(matrix, captions(n, topic=["a" if t else "b" for t in topic]), metric="dot", seed=seed)


def _products(seed: int) -> Evidence:
    """A third of the rows are one product sold in several variants: equal caption, equal vector."""
    n = 3000
    rng = np.random.default_rng(seed)
    at = np.arange(n)
    at[: n // 3] = rng.integers(0, n // 9, n // 3)
    matrix = anisotropic(n, 48, seed)[at]
    return evidence(matrix, [{"caption": f"product {i}", "sku": str(j)} for j, i in enumerate(at)], seed=seed)


def _cut(seed: int) -> Evidence:
    whole = anisotropic(2000, 512, seed)[:, :256]
    return evidence(whole / np.linalg.norm(whole, axis=1, keepdims=True), captions(2000), seed=seed)


def _half(seed: int) -> Evidence:
    matrix = anisotropic(2000, 64, seed).astype(np.float16).astype(np.float32)
    return evidence(matrix, captions(2000), storage="float16", metric="dot", seed=seed)


def _bytes(seed: int) -> Evidence:
    matrix = anisotropic(2000, 64, seed)
    scaled = np.clip(np.round(128 + matrix * 400), 0, 255).astype(np.float32)
    return evidence(scaled, captions(2000), storage="uint8", metric="dot", seed=seed)


def _relu(seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    return evidence(np.maximum(rng.standard_normal((2000, 64)), 0), captions(2000), metric="dot", seed=seed)


def _sparse(seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    matrix = np.where(rng.random((2000, 256)) < 0.03, rng.exponential(1, (2000, 256)), 0)
    matrix[:, 0] += 0.01
    return evidence(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), captions(2000), seed=seed)


def _short_and_long(seed: int) -> Evidence:
    """Sparse rows among dense ones: short texts have few of the features."""
    rng = np.random.default_rng(seed)
    share = np.where(rng.random(2000) < 0.1, 0.03, 0.9)[:, None]
    matrix = np.where(rng.random((2000, 128)) < share, rng.exponential(1, (2000, 128)), 0)
    matrix[:, 0] += 0.01
    return evidence(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), captions(2000), seed=seed)


def _image_only(seed: int) -> Evidence:
    n = 400
    images = np.arange(n) % 2 == 0
    kinds = ["image" if i else "text" for i in images]
    return evidence(
        anisotropic(n, 32, seed) * images[:, None], captions(n, modality=kinds), present=images, seed=seed
    )


def _small(n: int, d: int, metric: str) -> Callable[[int], Evidence]:
    def make(seed: int) -> Evidence:
        drawn = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
        return evidence(drawn, captions(n), metric=metric, seed=seed)

    return make


CLEAN = [
    Clean("unit", _unit()),
    Clean("unit dot", _unit(metric="dot")),
    Clean("unit dot sampled", _unit(metric="dot", exact=False, rows=200_000)),
    Clean("qdrant cosine", _unit(kind="qdrant", normalised_on_write=True)),
    Clean("16.3 +- .5", _lengths(lambda rng, n: rng.normal(16.3, 0.5, n), metric="dot")),
    Clean("16.3 +- .5 cosine", _lengths(lambda rng, n: rng.normal(16.3, 0.5, n))),
    Clean("lognormal", _lengths(lambda rng, n: rng.lognormal(0, 0.5, n), metric="dot")),
    Clean("lognormal narrow", _lengths(lambda rng, n: rng.lognormal(1, 0.045, n), metric="dot")),
    Clean("lognormal wide", _lengths(lambda rng, n: rng.lognormal(0, 2, n), metric="dot")),
    Clean("pareto 3", _lengths(lambda rng, n: 1 + rng.pareto(3, n), metric="dot")),
    Clean("pareto 1", _lengths(lambda rng, n: 1 + rng.pareto(1, n), metric="dot")),
    Clean("pareto 20", _lengths(lambda rng, n: 1 + rng.pareto(20, n), metric="dot")),
    Clean("pareto 20 sampled", _lengths(lambda rng, n: 1 + rng.pareto(20, n), metric="dot", exact=False, rows=10**6)),
    Clean("pareto 3 euclid", _lengths(lambda rng, n: 1 + rng.pareto(3, n), metric="euclid")),
    Clean("topics", _topics),
    Clean("products", _products),
    Clean("cut", _cut),
    Clean("float16", _half),
    Clean("uint8", _bytes),
    Clean("relu", _relu),
    Clean("sparse", _sparse),
    Clean("short and long", _short_and_long),
    Clean("image only", _image_only),
    *(Clean(f"n={n} d={d} {m}", _small(n, d, m)) for n in (0, 1, 2, 10) for d in (2, 64) for m in ("cosine", "dot")),
    *(Clean(f"n={n} d=2 {m}", _small(n, 2, m)) for n in (200, 2000) for m in ("cosine", "dot")),
    *(Clean(f"n=50 d={d} dot", _small(50, d, "dot")) for d in (32, 384)),
]  # fmt: skip
