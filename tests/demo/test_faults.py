"""What the manifest of the broken collection says is what its rows show, judged from the rows alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from console.demo.faults import RATES, UNNORMALISED_SOURCE, Broken, break_rows
from console.demo.rows import SOURCES, DemoRows, payload, row_id
from console.demo.scenes import unseen_scenes

COUNT = 500


@pytest.fixture(scope="module")
def rows() -> DemoRows:
    rng = np.random.default_rng(1)
    raw = rng.normal(size=(2 * COUNT, 16)).astype(np.float32) * 30
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    old = rng.normal(size=raw.shape).astype(np.float32)
    old /= np.linalg.norm(old, axis=1, keepdims=True)
    scenes = unseen_scenes(COUNT, seed=2)
    both = [(i, s, m) for i, s in enumerate(scenes) for m in ("image", "text")]
    return DemoRows(
        ids=tuple(row_id(i, m) for i, _, m in both),
        payloads=tuple(payload(s, i, f"caption {i}", m) for i, s, m in both),
        raw=raw,
        current=unit,
        old=old,
        placeholder=unit[0] * -1,
    )


@pytest.fixture(scope="module")
def broken(rows: DemoRows) -> Broken:
    return break_rows(rows)


@pytest.fixture(scope="module")
def manifest(rows: DemoRows, broken: Broken) -> dict[str, Any]:
    return broken.manifest(rows, "scenes-broken")


def at(rows: DemoRows, manifest: dict[str, Any], fault: str) -> list[int]:
    index = {row: i for i, row in enumerate(rows.ids)}
    return [index[row] for row in manifest["faults"][fault]["ids"]]


def test_faults_have_their_rates_and_no_row_has_two(rows: DemoRows, manifest: dict[str, Any]) -> None:
    for name, rate in RATES.items():
        assert manifest["faults"][name]["share"] == pytest.approx(rate, abs=1e-9)
    every = [row for fault in manifest["faults"].values() for row in fault["ids"]]
    assert len(every) == len(set(every))
    assert manifest["faults"]["unnormalised"]["share"] == pytest.approx(1 / len(SOURCES), abs=0.03)


def test_faults_are_the_same_each_time(rows: DemoRows, manifest: dict[str, Any]) -> None:
    assert break_rows(rows).manifest(rows, "scenes-broken") == manifest


def test_exactly_the_listed_rows_are_zero_or_not_of_unit_length(
    rows: DemoRows, broken: Broken, manifest: dict[str, Any]
) -> None:
    norms = np.linalg.norm(broken.matrix, axis=1)
    assert np.flatnonzero(norms == 0).tolist() == at(rows, manifest, "zero")
    odd = np.flatnonzero((np.abs(norms - 1) > 1e-3) & (norms > 0))
    assert odd.tolist() == at(rows, manifest, "unnormalised")
    assert {rows.payloads[i]["source"] for i in odd} == {UNNORMALISED_SOURCE}
    assert all(p["source"] != UNNORMALISED_SOURCE for i, p in enumerate(rows.payloads) if i not in set(odd))


def test_tags_are_missing_or_old_on_exactly_the_listed_rows(
    rows: DemoRows, broken: Broken, manifest: dict[str, Any]
) -> None:
    untagged = {i for i, p in enumerate(broken.payloads) if "embedding_version" not in p}
    listed = set(at(rows, manifest, "untagged")) | set(at(rows, manifest, "old_encoder_untagged"))
    assert untagged == listed
    old = [i for i, p in enumerate(broken.payloads) if p.get("embedding_version") == "scenes-v1"]
    assert old == at(rows, manifest, "old_encoder")


def test_the_old_encoders_vectors_are_on_exactly_the_listed_rows(
    rows: DemoRows, broken: Broken, manifest: dict[str, Any]
) -> None:
    own = np.flatnonzero((broken.matrix == rows.old).all(axis=1)).tolist()
    assert own == sorted(at(rows, manifest, "old_encoder") + at(rows, manifest, "old_encoder_untagged"))


def test_placeholders_share_one_vector_and_keep_their_own_payloads(
    rows: DemoRows, broken: Broken, manifest: dict[str, Any]
) -> None:
    listed = at(rows, manifest, "placeholder")
    assert len(np.unique(broken.matrix[listed], axis=0)) == 1
    assert len({broken.payloads[i]["pair"] for i in listed}) == len(listed)


def test_a_row_that_was_ingested_twice_is_its_original_under_another_id(
    rows: DemoRows, broken: Broken, manifest: dict[str, Any]
) -> None:
    index = {row: i for i, row in enumerate(rows.ids)}
    listed = manifest["faults"]["ingested_twice"]["ids"]
    assert set(manifest["copied_from"]) == set(listed)
    for copy, original in manifest["copied_from"].items():
        assert copy != original
        assert np.array_equal(broken.matrix[index[copy]], broken.matrix[index[original]])
        assert broken.payloads[index[copy]] == broken.payloads[index[original]]


def test_misaligned_rows_carry_each_others_payloads(
    rows: DemoRows, broken: Broken, manifest: dict[str, Any]
) -> None:
    listed = at(rows, manifest, "misaligned")
    for i in listed:
        assert broken.payloads[i]["pair"] != rows.payloads[i]["pair"]
        assert np.array_equal(broken.matrix[i], rows.current[i])
    carried = sorted(broken.payloads[i]["pair"] for i in listed)
    assert carried == sorted(rows.payloads[i]["pair"] for i in listed)


def test_every_other_row_is_as_it_should_be(rows: DemoRows, broken: Broken, manifest: dict[str, Any]) -> None:
    faulty = {row for fault in manifest["faults"].values() for row in fault["ids"]}
    good = [i for i, row in enumerate(rows.ids) if row not in faulty]
    assert len(good) > 0.5 * len(rows.ids)
    for i in good:
        assert broken.payloads[i] == {**rows.payloads[i], "embedding_version": "scenes-v2"}
    assert np.array_equal(broken.matrix[good], rows.current[good])
