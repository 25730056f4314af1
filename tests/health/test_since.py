"""The beginning of a fault against an exhaustive search, and columns in a file that leave memory and come back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.health import since
from console.health.method import CONSTANT
from console.health.spill import Spill, release


def exhaustive(time: np.ndarray, affected: np.ndarray) -> float | None:
    """Every place between rows of different times, by the binomial likelihood of two shares."""
    n, total = len(time), int(affected.sum())
    if total < CONSTANT["since_rows"] or total == n:
        return None

    def likelihood(hits: int, rows: int) -> float:
        if hits in (0, rows):
            return 0.0
        return hits * math.log(hits / rows) + (rows - hits) * math.log(1 - hits / rows)

    best, place = -math.inf, 0
    for i in range(1, n):
        before = int(affected[:i].sum())
        if time[i] == time[i - 1] or before / i >= (total - before) / (n - i):
            continue
        gain = likelihood(before, i) + likelihood(total - before, n - i) - likelihood(total, n)
        if gain > best + 1e-9:
            best, place = gain, i
    if not place or affected[:place].sum() > CONSTANT["since_before"] * total:
        return None
    if 2 * best <= CONSTANT["since_penalty"] * math.log(n):
        return None
    return float(time[place + int(np.argmax(affected[place:]))])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000), n=st.integers(12, 160), start=st.floats(0, 1),
    share=st.sampled_from([0.3, 0.8, 1.0]), ties=st.sampled_from([1, 5, 40]),
)  # fmt: skip
def test_a_beginning_is_that_of_every_place_tried(
    seed: int, n: int, start: float, share: float, ties: int
) -> None:
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, max(2, n // ties), n)).astype(np.float64)
    affected = (np.arange(n) >= start * n) & (rng.random(n) < share)
    wanted = exhaustive(time, affected)
    assert since.beginning(time, affected) == wanted


@pytest.mark.parametrize("seed", range(5))
def test_of_very_many_affected_rows_some_places_are_enough(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    n, begin = 20_000, int(rng.integers(2_000, 15_000))
    time = np.arange(n, dtype=np.float64)
    affected = np.where(np.arange(n) >= begin, rng.random(n) < 0.7, rng.random(n) < 0.001)
    whole = since.beginning(time, affected)
    monkeypatch.setattr(since, "MOST", 200)
    assert since.beginning(time, affected) == whole
    assert whole is not None
    assert abs(whole - begin) < 20


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="resident memory is read from /proc")
def test_columns_in_a_file_leave_memory_and_are_read_again() -> None:
    spill = Spill(bound=0)
    block = np.arange(4_000_000, dtype=np.float64)
    held = spill.join([(spill.keep(block), None)], np.float64)
    spill.close()

    def resident() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("RssFile"))) // 1024

    assert held.sum() == block.sum()
    full = resident()
    release([held, np.zeros(3), held[::2]])
    assert full - resident() > 25, "32 MB were in memory"
    assert np.array_equal(held, block)
