"""What the page draws: every row is counted once, whatever the rows are, and a report stays small."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from console.health.charts import BINS, BOUND, COLUMNS, STEPS, bounded, charts, figures, shown
from console.health.findings import Effect, Finding, Remedy
from console.health.options import FieldNames
from tests.health.building import evidence

HOSTILE = "\x00\u202e<script>" + "x" * 10_000


def payloads(n: int, **columns: Any) -> list[dict[str, Any]]:
    return [{k: v[i] for k, v in columns.items() if v[i] is not None} for i in range(n)]


def names(*groups: str, **more: Any) -> FieldNames:
    return FieldNames(groups=groups, columns=groups, **more)


def test_every_length_is_in_the_bin_that_numpy_puts_it_in_and_in_one_group() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(0, 1, (600, 8)) * rng.uniform(0.5, 2, (600, 1))
    matrix[:5], matrix[5, 0] = 0, np.nan
    tags = [f"t{i % 3}" if i % 7 else None for i in range(600)]
    held = evidence(matrix, payloads(600, tag=tags), names=names("tag"))
    made = charts(held)["norms"]
    lengths = np.linalg.norm(matrix[6:].astype(np.float32).astype(np.float64), axis=1)
    assert (made["rows"], made["left_out"], made["log"], made["flat"]) == (594, 6, False, False)
    edges = np.linspace(lengths.min(), lengths.max(), BINS + 1)
    assert np.abs(np.asarray(made["all"]) - np.histogram(lengths, edges)[0]).sum() <= 4
    assert np.allclose(made["edges"], edges, rtol=1e-4)
    series = made["groups"]["tag"]
    assert np.array_equal(np.sum([s["counts"] for s in series], axis=0), made["all"])
    for one in series:
        wanted = one["value"] if one["kind"] == "value" else None
        assert one["rows"] == sum(1 for t in tags[6:] if t == wanted)


def test_lengths_over_several_decades_get_a_log_axis_and_equal_ones_no_picture() -> None:
    rng = np.random.default_rng(2)
    unit = rng.normal(0, 1, (300, 16))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    assert charts(evidence(unit))["norms"]["flat"] is True
    made = charts(evidence(unit * np.geomspace(0.1, 300, 300)[:, None]))["norms"]
    assert made["log"] is True
    ratios = np.asarray(made["edges"][1:]) / np.asarray(made["edges"][:-1])
    assert np.allclose(ratios, ratios[0], rtol=1e-3)
    assert sum(made["all"]) == 300


def test_many_values_share_a_series_and_nothing_is_lost() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(0, 1, (400, 6))
    tags = [f"v{i % 40}" for i in range(400)]
    made = charts(evidence(matrix, payloads(400, tag=tags), names=names("tag")))["norms"]
    series = made["groups"]["tag"]
    assert [s["kind"] for s in series] == ["value"] * 6 + ["other"]
    assert sum(s["rows"] for s in series) == 400
    assert (series[-1]["values"], series[-1]["about"]) == (34, False)
    assert series[-1]["common"] == ["v6 on 10", "v7 on 10", "v8 on 10"]


def test_the_version_mix_over_time_counts_every_row_that_has_one() -> None:
    n = 500
    times = [f"2026-10-{1 + i * 28 // n:02}T00:00:00+00:00" if i % 10 else None for i in range(n)]
    tags = ["old" if i < 250 else "new" for i in range(n)]
    rows = payloads(n, embedding_version=tags, at=times)
    held = evidence(
        np.random.default_rng(4).normal(0, 1, (n, 4)), rows, names=names("embedding_version", time="at")
    )
    made = charts(held)["versions"]
    assert (made["by"], made["placed"], made["rows"]) == ("time", 450, 500)
    assert len(made["edges"]) == STEPS + 1
    by = {s["value"]: s["counts"] for s in made["series"]}
    assert sum(map(sum, by.values())) == 450
    assert sum(by["old"][:15]) > 0
    assert sum(by["old"][25:]) == 0
    assert sum(by["new"][:15]) == 0


def test_without_time_whole_number_ids_are_the_axis_and_uuids_none() -> None:
    rows = payloads(60, embedding_version=["a"] * 30 + ["b"] * 30)
    matrix = np.random.default_rng(5).normal(0, 1, (60, 4))
    made = charts(evidence(matrix, rows, names=names("embedding_version")))["versions"]
    assert made["by"] == "id"
    assert made["edges"][0] < 1
    assert made["edges"][-1] > 58
    ids = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(60)]
    made = charts(evidence(matrix, rows, ids=ids, names=names("embedding_version")))["versions"]
    assert (made["by"], made["edges"]) == (None, [])
    assert [s["counts"] for s in made["series"]] == [[30], [30]]
    untagged = evidence(matrix, payloads(60, embedding_version=[None] * 60), names=names("embedding_version"))
    assert charts(untagged)["versions"] is None


def test_dimensions_hold_numpy_s_moments_and_name_the_dead_ones() -> None:
    rng = np.random.default_rng(6)
    matrix = rng.normal(0.2, 1, (500, 24)).astype(np.float32)
    matrix[:, 5], matrix[:, 19] = 0, 0.25
    made = charts(evidence(matrix))["dimensions"]
    assert made["per"] == 1
    assert np.allclose(made["mean"], matrix.astype(np.float64).mean(0), rtol=1e-3, atol=1e-4)
    spread = matrix.astype(np.float64).var(0)
    assert np.allclose(made["variance"], spread, rtol=5e-3, atol=1e-9)
    assert (made["dead"], made["dead_count"]) == ([5, 19], 2)


def test_many_dimensions_share_columns() -> None:
    rng = np.random.default_rng(7)
    d = 3 * COLUMNS + 5
    matrix = rng.normal(0, 1, (40, d)).astype(np.float32)
    made = charts(evidence(matrix))["dimensions"]
    assert made["per"] == 4
    assert len(made["mean"]) == len(made["variance"]) == len(made["least"]) == -(-d // 4)
    assert np.isclose(made["mean"][0], matrix[:, :4].mean(), atol=1e-4)
    assert all(a <= b for a, b in zip(made["least"], made["variance"], strict=True))


@pytest.mark.parametrize("n", [0, 1, 2, 10])
@pytest.mark.parametrize("d", [1, 2, 64])
@pytest.mark.parametrize("kind", ["ordinary", "nan", "zero", "missing", "no payload"])
def test_small_and_bad_input_is_ordinary(n: int, d: int, kind: str) -> None:
    matrix = np.random.default_rng(8).normal(0, 1, (n, d))
    if kind == "nan":
        matrix[:] = np.nan
    elif kind == "zero":
        matrix[:] = 0
    present = np.zeros(n, np.bool_) if kind == "missing" else None
    rows = None if kind == "no payload" else payloads(n, tag=["a"] * n)
    made = charts(evidence(matrix, rows, present=present))
    json.dumps(made, allow_nan=False)
    if n == 0 or kind in ("nan", "zero", "missing"):
        assert made["norms"] is None
    else:
        assert made["norms"]["rows"] == n


def test_hostile_and_huge_values_are_bounded_labels_and_the_whole_is_small() -> None:
    rng = np.random.default_rng(9)
    fields = {f"{i}{HOSTILE}": [f"{HOSTILE}{i % 9}" for i in range(300)] for i in range(9)}
    held = evidence(rng.normal(0, 1, (300, 4_000)), payloads(300, **fields), names=names(*fields))
    made = charts(held)
    text = json.dumps(made, allow_nan=False)
    assert len(text) < BOUND
    assert "\\u202e" not in text
    assert "\\u0000" not in text
    for series in made["norms"]["groups"].values():
        assert all(len(s["value"]) <= 80 for s in series)


def test_what_is_too_large_loses_groups_first() -> None:
    held = {
        "norms": {"all": [1], "groups": {"a": ["x" * 300], "b": ["y" * 300]}},
        "index": {"why": "z" * 2_000},
    }
    small = bounded(held, 400)
    assert small["norms"]["groups"] == {}
    assert small["norms"]["all"] == [1]
    assert small["index"] is None


def test_figures_are_those_over_and_under_their_line() -> None:
    remedy = Remedy("none", "")
    over = Finding(
        "low-ann-recall",
        "warning",
        "",
        "probe",
        remedy,
        effect=Effect(0.8, 0.95, 0.7, 0.9, "recall@10", "lower"),
    )
    under = Finding(
        "no-structure", None, "", "sample", remedy, effect=Effect(0.2, 1.0, name="likeness"), key=HOSTILE
    )
    odd = Finding("cohort-gap", None, "", "probe", remedy, effect=Effect(float("nan"), 1.0))
    made = figures([over, under, odd, Finding("zero-vectors", "warning", "", "exact", remedy)])
    assert [(f["code"], f["fires"], f["value"], f["low"]) for f in made] == [
        ("low-ann-recall", True, 0.8, 0.7),
        ("no-structure", False, 0.2, None),
    ]
    assert len(made[1]["key"]) <= 80


@pytest.mark.parametrize("value", ["a", "", 7, True, None, "x" * 500, "a\u202eb", [1, "b"]])
def test_a_label_is_one_printable_line(value: Any) -> None:
    text = shown(value)
    assert len(text) <= 80
    assert text.isprintable()
