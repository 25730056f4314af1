"""Cut, padded, constant and rounded dimensions; wild, clipped, denormal values. Rows exactly, clean ones silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from console.health.findings import Finding
from console.health.options import FieldNames
from tests.health.building import evidence
from tests.health.rowkit import anisotropic, captions, only, run


def rows_of(found: Finding) -> list[int]:
    assert found.affected is not None
    return np.flatnonzero(found.affected).tolist()


def padded(n: int, d: int, rows: np.ndarray, tail: int, **more: Any) -> Any:
    matrix = anisotropic(n, d, n)
    matrix[rows, d - tail :] = 0
    matrix[rows] /= np.linalg.norm(matrix[rows], axis=1, keepdims=True)
    return evidence(matrix, **more)


@pytest.mark.parametrize("n", [1, 10, 1000])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.95, 0.999, 1.0])
def test_padded_rows_are_found_exactly_at_every_share(n: int, share: float) -> None:
    k = max(1, round(share * n))
    rows = np.sort(np.random.default_rng(k).choice(n, k, replace=False))
    found = only("truncated-dimensions", padded(n, 128, rows, 64))
    assert rows_of(found) == rows.tolist()
    assert (found.severity, found.evidence["commonest_tail"]) == ("warning", 64)
    assert found.summary == f"{k:,} of {n:,} rows end in 64 zeros: 64 of 128 dimensions are used."


@pytest.mark.parametrize(("tail", "seen"), [(4, True), (3, False), (1, False)])
def test_the_smallest_cut_that_is_told(tail: int, seen: bool) -> None:
    found, _ = run("truncated-dimensions", padded(1000, 64, np.arange(10), tail))
    assert [rows_of(f) for f in found] == ([list(range(10))] if seen else [])


def test_an_intended_cut_with_its_own_dimension_is_silent() -> None:
    whole = anisotropic(2000, 512, 1)[:, :256]
    assert run("truncated-dimensions", evidence(whole)) == ([], [])


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_rows_that_are_sparse_throughout_are_not_cut(share: float) -> None:
    rng = np.random.default_rng(1)
    matrix = np.where(rng.random((3000, 128)) < share, 0, rng.standard_normal((3000, 128)))
    found, _ = run("truncated-dimensions", evidence(matrix))
    assert [f.id for f in found if f.rank >= 2] == []


def test_one_hot_rows_are_not_cut() -> None:
    found, _ = run("truncated-dimensions", evidence(np.eye(200, 256)))
    assert [f.id for f in found if f.rank >= 2] == []


def test_zero_and_missing_rows_are_others_business() -> None:
    matrix = anisotropic(300, 64, 2)
    matrix[:20] = 0
    present = np.ones(300, np.bool_)
    present[20:40] = False
    assert run("truncated-dimensions", evidence(matrix, present=present)) == ([], [])


@pytest.mark.parametrize("d", [2, 7])
def test_few_dimensions_are_not_measured(d: int) -> None:
    found, unmeasured = run("truncated-dimensions", evidence(anisotropic(300, d, 1)))
    assert not found
    assert f"{d} dimensions" in unmeasured[0].why


@pytest.mark.parametrize(("count", "severity"), [(1, "info"), (3, "info"), (4, "warning"), (40, "warning")])
def test_constant_dimensions(count: int, severity: str) -> None:
    matrix = anisotropic(500, 64, 3)
    matrix[:, 7 : 7 + count] = 0.125
    found = only("truncated-dimensions", evidence(matrix, metric="dot"))
    assert (found.severity, found.evidence["constant"], found.key) == (severity, count, "constant")
    assert found.evidence["dimensions"] == list(range(7, 7 + min(count, 20)))


@pytest.mark.parametrize("rows", [1, 50, 250])
def test_wild_values_make_no_other_dimension_constant(rows: int) -> None:
    """Single values of 1e6 times the usual size widen the variance of the dimensions that hold them, not the line."""
    rng = np.random.default_rng(rows)
    matrix = anisotropic(500, 64, 3)
    matrix[rng.choice(500, rows, replace=False), rng.integers(0, 40, rows)] = 1e5
    assert run("truncated-dimensions", evidence(matrix, metric="dot"))[0] == []
    matrix[:, 50:60] = 0.125
    found = only("truncated-dimensions", evidence(matrix, metric="dot"))
    assert found.evidence["dimensions"] == list(range(50, 60))


def test_constant_dimensions_need_rows_and_floats() -> None:
    matrix = anisotropic(99, 64, 3)
    matrix[:, 7:30] = 0.125
    assert run("truncated-dimensions", evidence(matrix, metric="dot"))[0] == []
    matrix = np.round(128 + 300 * anisotropic(500, 64, 3))
    matrix[:, 7:30] = 128
    assert run("truncated-dimensions", evidence(matrix, metric="dot", storage="uint8"))[0] == []


def test_few_distinct_values_are_information() -> None:
    matrix = anisotropic(500, 256, 4)
    step = np.abs(matrix).max(axis=1, keepdims=True) / 127
    found = only("truncated-dimensions", evidence(np.round(matrix / step) * step))
    assert (found.severity, found.key) == ("info", "coarse")
    for kind in (np.float16, np.float32):
        assert run("truncated-dimensions", evidence(matrix.astype(kind)))[0] == []
    # Signs alone: some are the same in all rows, which is no surprise then.
    found, _ = run("truncated-dimensions", evidence(np.sign(matrix) / 16))
    assert {f.key: f.severity for f in found} == {"constant": "info", "coarse": "info"}
    assert found[1].evidence["values"] == 2


@pytest.mark.parametrize("k", [1, 10, 500])
def test_wild_values_are_found_exactly(k: int) -> None:
    rng = np.random.default_rng(k)
    matrix = anisotropic(1000, 64, 5)
    rows = np.sort(rng.choice(1000, k, replace=False))
    matrix[rows, rng.integers(0, 64, k)] = 1e5
    found = only("value-corruption", evidence(matrix, metric="dot"))
    assert (rows_of(found), found.severity) == (rows.tolist(), "warning")


def test_a_row_scaled_as_a_whole_has_no_wild_value() -> None:
    matrix = anisotropic(1000, 64, 5)
    matrix[:5] *= np.float32(1e6)
    assert run("value-corruption", evidence(matrix, metric="dot")) == ([], [])


def test_behind_a_normalising_server_a_wild_value_is_the_whole_row() -> None:
    matrix = anisotropic(1000, 64, 5)
    matrix[3, 9], matrix[800, 0] = 1e5, -1e7
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    found = only("value-corruption", evidence(matrix, kind="qdrant", normalised_on_write=True))
    assert rows_of(found) == [3, 800]


def test_the_end_of_float16() -> None:
    matrix = anisotropic(300, 64, 6)
    matrix[[4, 9], 3] = 65504
    found = only("value-corruption", evidence(matrix, metric="dot"))
    assert (rows_of(found), found.key, found.severity) == ([4, 9], "float16", "warning")


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_clipped_rows(share: float) -> None:
    matrix = np.random.default_rng(7).standard_normal((2000, 256)).astype(np.float32)
    k = round(share * 2000)
    matrix[:k] = np.clip(matrix[:k], -2, 2)
    found = only("value-corruption", evidence(matrix, metric="dot"))
    assert (rows_of(found), found.key, found.severity) == (list(range(k)), "clipped", "warning")
    assert found.evidence["end"] == 2
    # At length 1 each row has an end of its own.
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    found = only("value-corruption", evidence(unit))
    assert set(rows_of(found)) <= set(range(k))
    assert len(rows_of(found)) > 0.95 * k


def gradients(n: int = 2000, clipped: np.ndarray | None = None, d: int = 64) -> np.ndarray:
    """Histograms of gradients: no negative values, shares of a length over .2 set to .2, and length 1 again."""
    rng = np.random.default_rng(7)
    held = rng.gamma(0.4, 1, (n, d))
    held /= np.linalg.norm(held, axis=1, keepdims=True)
    at = np.ones(n, np.bool_) if clipped is None else clipped
    held[at] = np.minimum(held[at], 0.2)
    return (held / np.linalg.norm(held, axis=1, keepdims=True)).astype(np.float32)


def test_an_encoder_that_limits_shares_of_a_length_is_asked_about_only() -> None:
    found = only("value-corruption", evidence(gradients(), captions(2000, source=["a", "b"] * 1000)))
    assert (found.key, found.severity, found.remedy.action) == ("clipped", "info", "investigate")
    assert found.rows is not None
    assert found.rows > 1000


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.9])
def test_clipped_rows_of_one_group_stay_a_warning(share: float) -> None:
    at = np.arange(2000) < share * 2000
    payloads = captions(2000, source=["new" if a else "old" for a in at])
    names = FieldNames(text="caption", groups=("source",))
    found = only("value-corruption", evidence(gradients(clipped=at), payloads, names=names))
    assert (found.key, found.severity, found.remedy.action) == ("clipped", "warning", "reingest")
    assert set(rows_of(found)) <= set(np.flatnonzero(at))


def test_rows_clipped_since_a_time_stay_a_warning() -> None:
    at = np.arange(2000) >= 600
    payloads = captions(2000, at=[f"2026-01-01T{i // 100:02}:{i % 60:02}:00+00:00" for i in range(2000)])
    names = FieldNames(text="caption", time="at")
    assert (
        only("value-corruption", evidence(gradients(clipped=at), payloads, names=names)).severity == "warning"
    )


def test_clipping_at_one_end_stays_a_warning_without_negative_values() -> None:
    matrix = np.abs(np.random.default_rng(7).standard_normal((2000, 256))).astype(np.float32).clip(0, 2)
    assert only("value-corruption", evidence(matrix, metric="dot")).severity == "warning"


@pytest.mark.parametrize("bits", [0x0000, 0x1FFF, 0xFFFF])
def test_rounded_sources_are_not_clipped(bits: int) -> None:
    """float32, and sources with 10 and 7 bits of mantissa (float16's, bfloat16's)."""
    matrix = anisotropic(3000, 256, 8)
    held = (matrix.view(np.uint32) & np.uint32(~bits & 0xFFFFFFFF)).view(np.float32)
    found, _ = run("value-corruption", evidence(held))
    assert [f.id for f in found if f.rank >= 2] == []


def test_rows_with_their_largest_value_set_to_one_are_not_clipped() -> None:
    matrix = anisotropic(1000, 64, 8)
    assert run(
        "value-corruption", evidence(matrix / np.abs(matrix).max(axis=1, keepdims=True), metric="dot")
    ) == ([], [])


def test_denormals_of_misread_bytes_and_of_an_exponential() -> None:
    matrix = anisotropic(400, 64, 9)
    matrix[:5, 20:30] = 1e-40
    found = only("value-corruption", evidence(matrix))
    assert (rows_of(found), found.severity, found.key) == (list(range(5)), "warning", "denormal")
    logits = np.random.default_rng(1).normal(0, 40, (400, 64))
    fading = np.exp(logits - logits.max(axis=1, keepdims=True))
    found, _ = run("value-corruption", evidence(fading))
    assert {f.severity for f in found if f.key == "denormal"} <= {"info"}


def test_bytes_and_few_values_are_not_measured() -> None:
    matrix = np.round(128 + 300 * anisotropic(500, 64, 3)).clip(0, 255)
    assert "uint8" in run("value-corruption", evidence(matrix, storage="uint8"))[1][0].why
    assert "20 values" in run("value-corruption", evidence(anisotropic(10, 2, 1)))[1][0].why
