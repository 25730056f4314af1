"""The profile against two-pass formulas, and its merging against every split and order."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from console.health import groups as grouping
from console.health import sketches
from console.health.options import FieldNames
from console.health.profile import OTHER, Profile
from console.health.table import Codes
from tests.health.building import codes, table

BIG = np.float32(3e38)


def odd(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """(matrix, present) with every kind of bad row among good ones."""
    matrix = rng.standard_normal((n, d)).astype(np.float32) * rng.lognormal(0, 1, (n, 1)).astype(np.float32)
    kind = rng.integers(0, 14, n)
    matrix[kind == 0] = 0
    matrix[kind == 1, rng.integers(d)] = np.nan
    matrix[kind == 2, rng.integers(d)] = np.inf
    matrix[kind == 3] = BIG
    matrix[kind == 4, d // 2 :] = 0
    present = kind != 5
    matrix[~present] = 0
    return matrix, present


def profiled(
    matrix: np.ndarray, present: np.ndarray, groups: Mapping[str, Sequence[Any]] | None = None
) -> Profile:
    made = Profile()
    made.update(matrix, present, {name: codes(values) for name, values in (groups or {}).items()})
    return made


def direct(matrix: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Which rows have a direction, by float64 arithmetic on each."""
    with np.errstate(all="ignore"):
        length = np.sqrt((matrix.astype(np.float64) ** 2).sum(axis=1))
    return present & (length > 0) & (length <= np.finfo(np.float32).max)


def close(one: Profile, other: Profile) -> None:
    """The same counts exactly, the same figures to 1e-6."""

    def counts(p: Any) -> tuple[int, ...]:
        return p.rows, p.missing, p.non_finite, p.zero, p.unit_n, p.norms.n

    def norms(a: Any, b: Any) -> None:
        for name in ("mean", "std", "minimum", "maximum"):
            assert getattr(a, name) == pytest.approx(
                getattr(b, name), rel=1e-6, abs=1e-9 * max(1.0, abs(a.mean))
            )
        at = [0, 0.1, 0.5, 0.9, 1]
        np.testing.assert_allclose(a.quantiles(at), b.quantiles(at), rtol=1e-6)

    assert counts(one) == counts(other)
    norms(one.norms, other.norms)
    np.testing.assert_allclose(one.unit_mean, other.unit_mean, rtol=1e-6, atol=1e-9)
    a, b = one.dims, other.dims
    assert a.n == b.n
    scale = np.maximum(np.abs(a.minimum), np.abs(a.maximum))
    for name in ("mean", "minimum", "maximum", "zeros"):
        assert (np.abs(getattr(a, name) - getattr(b, name)) <= 1e-6 * np.maximum(scale, 1e-30)).all(), name
    assert (np.abs(a.variance - b.variance) <= 1e-6 * a.variance + 1e-13 * scale**2).all()
    assert one.groups.keys() == other.groups.keys()
    for field, held in one.groups.items():
        assert held.keys() == other.groups[field].keys()
        for value, stats_of in held.items():
            match = other.groups[field][value]
            assert counts(stats_of) == counts(match)
            norms(stats_of.norms, match.norms)
            np.testing.assert_allclose(stats_of.unit_mean, match.unit_mean, rtol=1e-6, atol=1e-9)


def test_counts_and_figures_are_those_of_two_passes():
    rng = np.random.default_rng(0)
    matrix, present = odd(rng, 3_000, 33)
    held = profiled(matrix, present)
    good = direct(matrix, present)
    rows = matrix[good].astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    assert held.rows == 3_000
    assert held.missing == (~present).sum()
    assert held.zero == (present & ~matrix.any(axis=1)).sum()
    assert held.non_finite == 3_000 - good.sum() - held.missing - held.zero
    assert held.norms.n == held.unit_n == held.dims.n == good.sum()
    described = stats.describe(lengths, ddof=0)
    assert held.norms.mean == pytest.approx(described.mean, rel=1e-12)
    assert held.norms.std == pytest.approx(math.sqrt(described.variance), rel=1e-12)
    assert (held.norms.minimum, held.norms.maximum) == pytest.approx(described.minmax, rel=1e-12)
    at = [0, 0.01, 0.25, 0.5, 0.99, 1]
    np.testing.assert_allclose(held.norms.quantiles(at), np.quantile(lengths, at), rtol=1e-6)
    np.testing.assert_allclose(held.dims.mean, rows.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(held.dims.variance, rows.var(axis=0), rtol=1e-9)
    np.testing.assert_array_equal(held.dims.minimum, rows.min(axis=0))
    np.testing.assert_array_equal(held.dims.maximum, rows.max(axis=0))
    np.testing.assert_array_equal(held.dims.zeros, (rows == 0).sum(axis=0))
    np.testing.assert_allclose(held.unit_mean, (rows / lengths[:, None]).mean(axis=0), rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 120),
    d=st.integers(1, 9),
    cuts=st.lists(st.integers(0, 120), max_size=6),
    order=st.randoms(use_true_random=False),
    offset=st.sampled_from([0.0, 1e3, -1e6]),
)
def test_any_split_and_order_of_merging_gives_the_same(
    seed: int, n: int, d: int, cuts: list[int], order: Any, offset: float
):
    rng = np.random.default_rng(seed)
    matrix, present = odd(rng, n, d)
    with np.errstate(over="ignore"):
        matrix = (matrix + np.float32(offset) * (matrix != 0)).astype(np.float32)
    values: dict[str, list[Any]] = {
        "tag": [["v1", "v2", None, "", True, 1][i] for i in rng.integers(0, 6, n)],
        "many": [f"value {i}" for i in rng.integers(0, 300, n)],
    }
    whole = profiled(matrix, present, values)
    edges = sorted({0, n, *(c for c in cuts if c < n)})
    parts = [
        profiled(matrix[a:b], present[a:b], {f: v[a:b] for f, v in values.items()})
        for a, b in itertools.pairwise(edges)
    ]
    parts.append(Profile())
    order.shuffle(parts)
    while len(parts) > 1:
        i = order.randrange(len(parts) - 1)
        parts[i : i + 2] = [parts[i].merge(parts[i + 1])]
    if not n:
        assert parts[0].rows == 0
        return
    close(parts[0], whole)


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 5)),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True),
    )
)
def test_no_bit_pattern_poisons_a_figure(matrix: np.ndarray):
    present = np.ones(len(matrix), np.bool_)
    held = profiled(matrix, present)
    good = direct(matrix, present)
    assert held.norms.n == good.sum()
    figures = [held.norms.mean, held.norms.std, *held.unit_mean, *held.dims.mean, *held.dims.variance]
    assert np.isfinite(figures).all()
    if good.any():
        rows = matrix[good].astype(np.float64)
        unit = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(held.unit_mean, unit.mean(axis=0), rtol=1e-6, atol=1e-7)


def test_bad_rows_change_nothing_but_their_counts():
    rng = np.random.default_rng(1)
    clean = rng.standard_normal((400, 16)).astype(np.float32)
    bad = np.zeros((5, 16), np.float32)
    bad[1, 3], bad[2, 0], bad[3] = np.nan, -np.inf, BIG
    mixed = np.concatenate([clean[:100], bad, clean[100:]])
    present = np.ones(405, np.bool_)
    present[104] = False
    one, other = profiled(clean, np.ones(400, np.bool_)), profiled(mixed, present)
    assert (other.zero, other.non_finite, other.missing) == (1, 3, 1)
    assert other.norms.mean == pytest.approx(one.norms.mean, rel=1e-12)
    np.testing.assert_allclose(other.unit_mean, one.unit_mean, atol=1e-15)
    np.testing.assert_allclose(other.dims.variance, one.dims.variance, rtol=1e-12)


def test_variance_survives_a_large_offset():
    rng = np.random.default_rng(2)
    matrix = (rng.standard_normal((5_000, 4)) * 0.01 + 1_000).astype(np.float32)
    matrix[:, 1] = 7.25
    held = profiled(matrix, np.ones(5_000, np.bool_))
    np.testing.assert_allclose(
        held.dims.variance, matrix.astype(np.float64).var(axis=0), rtol=1e-6, atol=1e-18
    )
    assert held.dims.variance[1] == 0


@pytest.mark.parametrize("n", [0, 1, 2, 10])
@pytest.mark.parametrize("d", [0, 1, 2])
def test_small_is_ordinary(n: int, d: int):
    matrix = np.ones((n, d), np.float32)
    held = profiled(matrix, np.full(n, d > 0), {"tag": ["a"] * n})
    assert held.rows == n
    assert held.missing == (0 if d else n)
    assert held.norms.n == (n if d else 0)
    assert held.unit_mean.shape == held.dims.mean.shape == (d,)
    json.dumps(held.to_json(), allow_nan=False)


def test_quantiles_of_many_are_right_in_rank_and_merge():
    rng = np.random.default_rng(3)
    lengths = rng.lognormal(0, 1, 200_000)
    norms = [sketches.Norms() for _ in range(4)]
    for i, some in enumerate(np.array_split(lengths, 40)):
        norms[i % 4].update(some)
    held = norms[0].merge(norms[1]).merge(norms[2].merge(norms[3]))
    assert not held.exact
    assert held.n == len(lengths)
    assert held.std == pytest.approx(lengths.std(), rel=1e-9)
    ordered = np.sort(lengths)
    for q, value in zip(grouping.QUANTILES, held.quantiles(grouping.QUANTILES), strict=True):
        assert abs(np.searchsorted(ordered, value) / len(ordered) - q) < 0.006, q
    edges = np.geomspace(0.01, 100, 30)
    counted = np.histogram(lengths, edges)[0]
    assert np.abs(held.histogram(edges) - counted).max() < 0.012 * len(lengths)
    assert held.histogram(edges).sum() == pytest.approx(counted.sum(), rel=0.01)


def test_a_histogram_of_few_is_exact():
    lengths = np.random.default_rng(4).uniform(0.5, 2, 500)
    held = sketches.Norms()
    held.update(lengths)
    edges = np.linspace(0.4, 2.1, 18)
    np.testing.assert_array_equal(held.histogram(edges), np.histogram(lengths.astype(np.float32), edges)[0])
    assert math.isnan(sketches.Norms().quantiles([0.5])[0])


def test_groups_are_profiled_as_if_alone():
    rng = np.random.default_rng(5)
    matrix, present = odd(rng, 2_000, 24)
    values = {
        "tag": [f"v{i}" for i in rng.integers(0, 3, 2_000)],
        "wide": [int(i) for i in rng.integers(0, 40, 2_000)],
    }
    held = profiled(matrix, present, values)
    assert len(held.groups["wide"]) == 40
    for field, column in values.items():
        for value, stats_of in held.groups[field].items():
            mine = np.array([v == value for v in column])
            alone = profiled(matrix[mine], present[mine])
            assert (stats_of.rows, stats_of.missing) == (alone.rows, alone.missing)
            assert (stats_of.non_finite, stats_of.zero) == (alone.non_finite, alone.zero)
            assert stats_of.norms.mean == pytest.approx(alone.norms.mean, rel=1e-12)
            assert stats_of.norms.std == pytest.approx(alone.norms.std, rel=1e-9)
            np.testing.assert_allclose(stats_of.unit_mean, alone.unit_mean, rtol=1e-9, atol=1e-12)


def test_values_past_the_bound_are_together_and_nothing_is_lost():
    n = 5_000
    matrix = np.ones((n, 3), np.float32)
    column = [f"user {i % 1_000}" for i in range(n)]
    held = profiled(matrix, np.ones(n, np.bool_), {"user": column}).groups["user"]
    assert len(held) == grouping.VALUES + 1
    assert held[OTHER].rows == n - 5 * grouping.VALUES
    assert sum(g.rows for g in held.values()) == n
    assert all(g.rows == 5 for value, g in held.items() if value is not OTHER)


def test_one_true_and_one_point_nought_are_three_groups():
    column = [1, True, 1, 1.0]
    held = profiled(np.ones((4, 2), np.float32), np.ones(4, np.bool_), {"x": column}).groups["x"]
    assert {str(k): g.rows for k, g in held.items()} == {"1": 2, "1.0": 1, "true": 1}


def test_json_is_what_the_command_line_prints():
    rng = np.random.default_rng(6)
    matrix = rng.standard_normal((60, 8)).astype(np.float32)
    matrix[1] = matrix[0]
    payloads = [{"embedding_version": "v1"} if i % 3 else {} for i in range(60)]
    names = FieldNames(groups=("embedding_version",), columns=("embedding_version",))
    rows = table(matrix, np.ones(60, np.bool_), payloads, list(range(60)), names)
    held = Profile.of(matrix, np.ones(60, np.bool_), rows).to_json()
    assert json.loads(json.dumps(held, allow_nan=False)) == held
    assert held["dimension"] == 8
    assert held["versions"] == {"v1": 40}
    assert held["untagged"] == 20
    assert held["duplicates"] == 1
    assert {"mean", "std", "min", "max", "quantiles"} <= held["norms"].keys()
    assert held["groups"]["embedding_version"]["v1"]["rows"] == 40
    assert held["groups"]["embedding_version"]["(none)"]["rows"] == 20


def test_updates_in_blocks_are_one_profile():
    rng = np.random.default_rng(7)
    matrix, present = odd(rng, 3_000, 300)
    codes_of = Codes(rng.integers(0, 4, 3_000).astype(np.uint16), ("a", "b", "c"))
    whole, blocks = Profile(), Profile()
    whole.update(matrix, present, {"f": codes_of})
    for start in range(0, 3_000, 700):
        part = slice(start, start + 700)
        blocks.update(matrix[part], present[part], {"f": Codes(codes_of.codes[part], codes_of.values)})
    close(blocks, whole)
