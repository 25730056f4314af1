"""Rows without a usable vector, and counts: which rows, how bad, and what is not said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from connectors.model import Capabilities, Capability, ServerInfo
from console.health import marking
from console.health.findings import NotMeasured
from console.health.options import FieldNames
from console.health.probes import poison
from console.health.probes.poison import Poison
from tests.health.building import evidence
from tests.health.rowkit import anisotropic, captions, only, run


def test_rows_that_are_not_finite_are_critical_from_the_first_and_named_exactly() -> None:
    matrix = anisotropic(500, 32, 1)
    matrix[7, 3], matrix[90, :], matrix[200] = np.nan, np.inf, 2e38
    found = only("non-finite", evidence(matrix))
    assert found.severity == "critical"
    assert found.affected is not None
    assert np.flatnonzero(found.affected).tolist() == [7, 90, 200]
    assert found.sample_ids == (7, 90, 200)
    assert (found.rows, found.share, found.interval, found.basis) == (3, 3 / 500, None, "exact")
    assert found.evidence["length_overflows"] == 1
    assert found.remedy.action == "quarantine"
    assert found.summary.startswith("3 of 500 rows have vectors with NaN or infinity, 1 of them by overflow")


def test_lengths_that_overflow_alone_are_called_so() -> None:
    matrix = anisotropic(50, 32, 1)
    matrix[5] = 2e38
    assert "overflows float32" in only("non-finite", evidence(matrix)).summary


def test_a_sample_of_finite_rows_says_nothing_unless_the_probe_looked() -> None:
    held = evidence(anisotropic(200, 32, 2), exact=False, rows=10_000)
    found, unmeasured = run("non-finite", held)
    assert not found
    assert [n.check for n in unmeasured] == ["non-finite"]
    assert poison.blind(held)
    looked = replace(held, results={Poison: Poison(True, searches=20, hits=10_000)})
    assert run("non-finite", looked) == ([], [])
    assert poison.blind(looked) == ""


def test_what_only_the_probe_met_is_a_finding_of_the_probe() -> None:
    held = evidence(
        anisotropic(200, 32, 2), exact=False, rows=10_000, results={Poison: Poison(True, (77_000, 5), 1, 20)}
    )
    found = only("non-finite", held)
    assert (found.severity, found.basis, found.rows) == ("critical", "probe", 2)
    assert found.sample_ids == (77_000, 5)
    assert found.affected is None
    assert found.share is None


def test_a_whole_scan_over_json_proves_nothing() -> None:
    matrix = anisotropic(100, 32, 3)
    held = replace(
        evidence(matrix, results={Poison: NotMeasured("non-finite", "no gRPC")}),
        capabilities=Capabilities(sees_non_finite=Capability(False, "JSON")),
    )
    assert run("non-finite", held) == ([], [NotMeasured("non-finite", "no gRPC")])
    matrix[3, 3] = np.nan
    seen = replace(held, table=evidence(matrix).table)
    assert run("non-finite", seen)[0][0].severity == "critical"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"transport": "rest"}, "JSON"),
        ({"embedded": True}, "embedded"),
        ({"version": "1.19.1"}, "1.19"),
        ({"version": "1.18.3"}, ""),
        ({"version": None}, ""),
    ],
)
def test_where_a_search_cannot_show_a_row_with_nan(changes: dict[str, object], word: str) -> None:
    server = replace(ServerInfo("qdrant", "1.18.3", "grpc", 1.0), **changes)  # type: ignore[arg-type]
    held = replace(evidence(anisotropic(20, 8, 1), kind="qdrant"), server=server)
    why = poison.impossible(held)
    assert (word in why) if word else not why


def test_zero_and_nearly_zero_rows_are_told_apart() -> None:
    matrix = anisotropic(1000, 32, 4) * np.float32(12)
    matrix[[3, 4]] = 0
    matrix[9] *= np.float32(1e-7)
    found = only("zero-vectors", evidence(matrix, metric="dot"))
    assert found.severity == "warning"
    assert found.affected is not None
    assert np.flatnonzero(found.affected).tolist() == [3, 4, 9]
    assert (found.evidence["zeros"], found.evidence["near_zeros"]) == (2, 1)
    assert "2 are all zeros, 1 nearly so" in found.summary


@pytest.mark.parametrize(
    ("rows", "severity"), [(1, "warning"), (9, "warning"), (10, "critical"), (500, "critical")]
)
def test_zero_rows_are_critical_from_one_in_a_hundred(rows: int, severity: str) -> None:
    matrix = anisotropic(1000, 32, 5)
    matrix[:rows] = 0
    found = only("zero-vectors", evidence(matrix))
    assert (found.severity, found.rows) == (severity, rows)


def test_in_a_sample_the_lower_bound_decides_and_the_interval_is_exact() -> None:
    matrix = anisotropic(1000, 32, 5)
    matrix[:14] = 0
    found = only("zero-vectors", evidence(matrix, exact=False, rows=10**6))
    low, high = binomtest(14, 1000).proportion_ci(0.95, "exact")
    assert found.interval == pytest.approx((low, high), rel=1e-9)
    assert low < 0.01
    assert (found.severity, found.basis) == ("warning", "sample")
    matrix[:25] = 0
    assert only("zero-vectors", evidence(matrix, exact=False, rows=10**6)).severity == "critical"


def test_on_a_normalising_server_half_a_length_is_as_good_as_none() -> None:
    matrix = anisotropic(300, 32, 6)
    matrix[2] *= np.float32(3e-4)
    matrix[5] = 0
    held = evidence(matrix, kind="qdrant", normalised_on_write=True)
    found = only("zero-vectors", held)
    assert found.affected is not None
    assert np.flatnonzero(found.affected).tolist() == [2, 5]
    assert "3e19" in found.remedy.text
    # Where lengths are kept, a row of 3e-4 is short, not zero.
    assert only("zero-vectors", evidence(matrix)).rows == 1


def test_zero_rows_without_a_source_are_counted() -> None:
    matrix = anisotropic(100, 16, 7)
    matrix[:4] = 0
    payloads = captions(100)
    payloads[0]["caption"] = payloads[1]["caption"] = ""
    held = evidence(matrix, payloads, names=FieldNames(text="caption"))
    assert only("zero-vectors", held).evidence["without_source"] == 2
    assert only("zero-vectors", evidence(matrix)).evidence["without_source"] is None


def test_peeled_rows_count_no_more() -> None:
    matrix = anisotropic(100, 16, 7)
    matrix[:4] = 0
    matrix[50] = np.nan
    held = evidence(matrix)
    rest = held.without(np.arange(100) < 3)
    found = only("zero-vectors", rest)
    assert (found.rows, found.share) == (1, 1 / 97)
    assert only("non-finite", rest).rows == 1


def test_missing_vectors_warn_unless_they_are_optional() -> None:
    n = 600
    present = np.ones(n, np.bool_)
    present[[5, 500]] = False
    held = evidence(
        anisotropic(n, 16, 8), captions(n, modality=["image", "text"] * (n // 2)), present=present
    )
    found = only("missing-vectors", held)
    assert found.affected is not None
    assert (found.severity, np.flatnonzero(found.affected).tolist()) == ("warning", [5, 500])
    assert run("missing-vectors", replace(held, optional=True)) == ([], [])


@pytest.mark.parametrize("field", ["modality", "type", "meta.type"])
def test_a_value_that_never_has_the_vector_is_by_design(field: str) -> None:
    n = 60
    kinds = ["image", "text", "text"] * 20
    present = np.array([k == "image" for k in kinds])
    top, _, leaf = field.rpartition(".")
    payloads = [{top: {leaf: k}} if top else {leaf: k} for k in kinds]
    names = FieldNames(modality="modality" if field == "modality" else None, groups=(field,))
    found = only("missing-vectors", evidence(anisotropic(n, 16, 8), payloads, present=present, names=names))
    assert (found.severity, found.rows, found.remedy.action) == ("info", 40, "configure")
    present[1] = True
    found = only("missing-vectors", evidence(anisotropic(n, 16, 8), payloads, present=present, names=names))
    assert found.severity == "warning"


def test_a_pattern_that_chance_makes_is_no_design() -> None:
    payloads = [{"modality": "image"}, {"modality": "text"}]
    held = evidence(anisotropic(2, 16, 8), payloads, present=np.array([True, False]),
                    names=FieldNames(modality="modality", groups=("modality",)))  # fmt: skip
    assert only("missing-vectors", held).severity == "warning"


def test_a_field_that_no_row_has_is_no_design() -> None:
    n = 40
    held = evidence(
        anisotropic(n, 16, 8), captions(n, modality=["a", "b"] * 20), present=np.zeros(n, np.bool_)
    )
    found = only("missing-vectors", held)
    assert (found.severity, found.share) == ("warning", 1.0)
    assert found.summary.startswith("No row has this vector")


@pytest.mark.parametrize(
    ("expected", "severity", "share"),
    [
        (1000, None, 0),
        (1001, "warning", 1 / 1001),
        (1009, "warning", 9 / 1009),
        (1011, "critical", 11 / 1011),
    ],
)
def test_fewer_rows_than_expected(expected: int, severity: str | None, share: float) -> None:
    held = evidence(anisotropic(100, 16, 9), exact=False, rows=1000, expected_rows=expected)
    found, unmeasured = run("count-mismatch", held)
    assert not unmeasured
    assert [f.severity for f in found] == ([severity] if severity else [])
    if found:
        assert found[0].share == pytest.approx(share)
        assert (found[0].rows, found[0].basis) == (expected - 1000, "exact")


def test_more_rows_than_expected_is_information_and_an_empty_collection_is_critical() -> None:
    assert only("count-mismatch", evidence(anisotropic(30, 16, 9), expected_rows=20)).severity == "info"
    assert only("count-mismatch", evidence(np.zeros((0, 16)), expected_rows=20)).severity == "critical"
    assert run("count-mismatch", evidence(np.zeros((0, 16)), expected_rows=0)) == ([], [])
    found, unmeasured = run("count-mismatch", evidence(np.zeros((0, 16))))
    assert not found
    assert "--expected-rows" in unmeasured[0].why


def test_numbers_in_sentences() -> None:
    given = (0, 0.4123, 1.0000001, 1.3, 22.504, 1012.4, 36450.9, 3e-5, 1e20, -2.5)
    assert [marking.number(x) for x in given] == [
        "0", "0.41", "1.000", "1.30", "22.5", "1,012", "36,451", "3e-05", "1e+20", "-2.50",
    ]  # fmt: skip
    assert marking.span(np.array([1.0, 1.0])) == "1.000"
