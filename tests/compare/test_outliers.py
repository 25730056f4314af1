"""Rows that don't follow, planted in spaces that are the same, turned, rounded, noisy, or truly others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ortho_group

from console.compare.outliers import FARTHER, LEAST, Outliers, outliers
from console.compare.structure import structure
from console.health.findings import NotMeasured
from console.health.table import F32

N, D = 4_000, 48


def texts(seed: int = 0, n: int = N, d: int = D) -> F32:
    """Unit rows about 40 topics, most of their spread in few directions, away from the origin."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(40, d))[rng.integers(0, 40, n)]
    rows = rows + rng.normal(size=(n, d)) * np.linspace(2, 0.2, d) + 1.5 * rng.normal(size=d)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def exchanged(rows: F32, share: float, seed: int = 1) -> tuple[F32, set[int]]:
    moved = np.random.default_rng(seed).choice(len(rows), round(share * len(rows)), replace=False)
    copy = rows.copy()
    copy[moved] = rows[np.roll(moved, 1)]
    return copy, set(moved.tolist())


def found(left: F32, right: Any, metric: str = "cosine") -> Outliers | NotMeasured:
    other = np.asarray(right, np.float32)
    some = max(4_000, 10 * max(left.shape[1], other.shape[1]))
    turn = structure(left[:some], other[:some], metric, metric).turn
    return outliers(left, other, metric, metric, turn, some)


def rounded(rows: F32) -> F32:
    """As int8, a scale for each row."""
    scale = np.abs(rows).max(axis=1, keepdims=True) / 127
    return (np.round(rows / scale) * scale).astype(np.float32)


TURN = ortho_group.rvs(D, random_state=1)
CHANGES = {
    "as it is": lambda rows: rows,
    "fp16": lambda rows: rows.astype(np.float16),
    "int8": rounded,
    "turned": lambda rows: rows @ TURN,
    "turned int8": lambda rows: rounded((rows @ TURN).astype(np.float32)),
    "noisy": lambda rows: rows + 0.1 / np.sqrt(D) * np.random.default_rng(5).normal(size=rows.shape),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("share", [0.0, 1 / N, 0.02, 0.1, 0.3, 0.45])
def test_exactly_the_exchanged_rows_are_found(change: str, share: float) -> None:
    base = texts()
    copy, moved = exchanged(base, share) if share != 1 / N else (base.copy(), {7})
    if share == 1 / N:
        copy[7] = base[1_234]
    held = found(base, CHANGES[change](copy))
    assert isinstance(held, Outliers)
    assert held.reading == ("rotated" if "turned" in change else "same")
    assert set(held.rows.tolist()) == moved
    assert held.line == max(LEAST, FARTHER * held.typical)
    assert (held.residuals > held.line).all()
    assert (np.diff(held.residuals) <= 0).all()
    assert held.looked == N


def test_residuals_are_those_of_a_plain_script() -> None:
    base = texts()
    copy, moved = exchanged(base, 0.1)
    held = found(base, copy)
    assert isinstance(held, Outliers)
    stay = np.array([i not in moved for i in range(N)])
    spread = np.square(copy[stay] - copy[stay].mean(axis=0)).sum(axis=1).mean()
    expected = np.square(base - copy).sum(axis=1) / spread
    assert held.residuals == pytest.approx(expected[held.rows], rel=1e-4)


def test_rows_of_another_model_are_found() -> None:
    """A part of the rows is another space's."""
    base, other = texts(), texts(9)
    part = np.arange(N) % 4 == 0
    held = found(base, np.where(part[:, None], other, base))
    assert isinstance(held, Outliers)
    assert set(held.rows.tolist()) == set(np.flatnonzero(part).tolist())


def test_lengths_count_where_they_count() -> None:
    base = (texts() * np.random.default_rng(2).uniform(1, 3, size=(N, 1))).astype(np.float32)
    copy = (2 * base).astype(np.float32)
    copy[:100] *= 3
    as_dot, as_cosine = found(base, copy, "dot"), found(base, copy)
    assert isinstance(as_dot, Outliers)
    assert isinstance(as_cosine, Outliers)
    assert set(as_dot.rows.tolist()) == set(range(100))
    assert len(as_cosine.rows) == 0


@pytest.mark.parametrize("change", ["another", "much noise", "cut", "few for a rotation", "few", "alike"])
def test_where_the_others_have_no_map_nothing_is_said(change: str) -> None:
    base = texts()
    rng = np.random.default_rng(3)
    right: Any = {
        "another": texts(9),
        "much noise": base + 0.6 / np.sqrt(D) * rng.normal(size=base.shape),
        "cut": base[:, : D // 4],
        "few for a rotation": base @ TURN,
        "few": base,
        "alike": np.ones_like(base),
    }[change]
    some = {"few for a rotation": 5 * D, "few": 29}.get(change, N)
    held = found(base[:some], right[:some])
    assert isinstance(held, NotMeasured)
    assert held.why.endswith(".")


def test_a_space_of_other_width_is_turned_too() -> None:
    base, wide = texts(), np.zeros((N, 2 * D), np.float32)
    copy, moved = exchanged(base, 0.05)
    wide[:, ::2] = copy
    held = found(base, wide)
    assert isinstance(held, Outliers)
    assert held.reading == "rotated"
    assert set(held.rows.tolist()) == moved


def test_unequal_numbers_of_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows on the left, 2 on the right"):
        outliers(texts()[:3], texts()[:2], None, None, NotMeasured("procrustes", ""), 10)
