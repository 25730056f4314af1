"""What rounding does to neighbours, against other implementations of the same roundings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from console.compare.anchors import Anchors, anchors, to_bf16, to_fp16, to_int8
from console.health.findings import NotMeasured


def texts(n: int = 2_000, d: int = 256, topics: int = 40) -> np.ndarray:
    """A space like that of texts: topics in a few dimensions, a little of everything in the others."""
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(topics, d)) / np.sqrt(topics)
    inside = rng.normal(size=(topics, topics))[rng.integers(0, topics, n)] + 0.8 * rng.normal(
        size=(n, topics)
    )
    return (inside @ plane + 0.05 * rng.normal(size=(n, d))).astype(np.float32)


def test_a_healthy_space_keeps_its_neighbours() -> None:
    found = anchors(texts(), "cosine")
    assert isinstance(found, Anchors)
    assert found.fp16.value == pytest.approx(0.998, abs=0.003)
    assert found.bf16.value == pytest.approx(0.994, abs=0.006)
    assert found.int8.value == pytest.approx(0.98, abs=0.01)
    assert found.fp16.n == 100
    assert found.int8.low < found.int8.value < found.int8.high


def test_a_collapsed_cone_does_not() -> None:
    rng = np.random.default_rng(1)
    cone = (300 * rng.normal(size=256) + rng.normal(size=(2_000, 256))).astype(np.float32)
    found = anchors(cone, "cosine")
    assert isinstance(found, Anchors)
    assert found.int8.value < 0.1
    assert found.int8.value < found.bf16.value < found.fp16.value < 0.99


@pytest.mark.parametrize("metric", ["dot", "euclid", None])
def test_other_metrics_have_anchors(metric: str | None) -> None:
    found = anchors(texts(500), metric)
    assert isinstance(found, Anchors)
    assert 0.9 < found.int8.value < found.fp16.value <= 1.0


@given(some.floats(-(2.0**100), 2.0**100, width=32))
def test_bf16_is_the_nearest_of_its_numbers(value: float) -> None:
    held = np.array([value], np.float32)
    found = to_bf16(held)
    bits = int(held.view(np.uint32)[0])
    below = np.array([bits & 0xFFFF0000, (bits & 0xFFFF0000) + 0x10000], np.uint32).view(np.float32)
    apart = np.abs(below.astype(np.float64) - float(held[0]))
    assert float(found[0]) in below
    assert abs(float(found[0]) - float(held[0])) == apart.min()


def test_roundings_have_as_many_values_as_their_bits_allow() -> None:
    rows = texts(300)
    assert len(np.unique(to_int8(rows))) <= 128
    inside = (
        np.abs(to_int8(rows) - rows) <= (np.quantile(rows, 0.995) - np.quantile(rows, 0.005)) / 254 * 1.001
    )
    assert inside.mean() == pytest.approx(0.99, abs=0.001)
    assert to_fp16(np.array([1 + 2**-12, 1e6], np.float32)).tolist() == [1.0, np.inf]
    assert to_int8(np.ones((3, 2), np.float32)).tolist() == [[1, 1]] * 3


@pytest.mark.parametrize("n", [0, 1, 10, 99])
def test_few_rows_have_no_anchors(n: int) -> None:
    rows = texts(200)
    rows[n:] = 0
    assert isinstance(anchors(rows, "cosine"), NotMeasured)
