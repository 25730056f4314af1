"""One vector on many rows: exact and near, of one source or of several, ingested twice; in a whole scan and a sample."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from console.health.checks.duplicates import near_counts
from console.health.evidence import Evidence
from console.health.findings import Finding
from tests.health.building import evidence
from tests.health.rowkit import anisotropic, captions, only, run


def rows_of(found: Finding) -> list[int]:
    assert found.affected is not None
    return np.flatnonzero(found.affected).tolist()


def copied(n: int, rows: np.ndarray, noise: float = 0.0, d: int = 64, **more: Any) -> Evidence:
    matrix = anisotropic(n, d, 1)
    matrix[rows] = matrix[rows[0]]
    if noise:
        matrix[rows] += noise * np.random.default_rng(2).standard_normal((len(rows), d)).astype(np.float32)
    more.setdefault("payloads", captions(n))
    return evidence(matrix, more.pop("payloads"), **more)


@pytest.mark.parametrize(
    ("n", "k", "severity"),
    [(1000, 19, "info"), (1000, 20, "warning"), (10_000, 49, "info"), (10_000, 50, "warning"),
     (1000, 99, "warning"), (1000, 100, "critical"), (1000, 500, "critical")],
)  # fmt: skip
def test_one_vector_on_rows_of_different_sources(n: int, k: int, severity: str) -> None:
    rows = np.sort(np.random.default_rng(k).choice(n, k, replace=False))
    found = only("duplicate-vectors", copied(n, rows))
    assert (rows_of(found), found.severity) == (rows.tolist(), severity)
    assert found.evidence["largest"] == k


def test_rows_of_one_source_are_information() -> None:
    payloads = captions(1000)
    for i in range(300):
        payloads[i]["caption"] = "the same advert"
        payloads[i]["sku"] = str(i)
    found = only("duplicate-vectors", copied(1000, np.arange(300), payloads=payloads))
    assert (found.severity, found.rows, found.remedy.action) == ("info", 300, "none")
    assert found.evidence["common_text"] == "the same advert"


@pytest.mark.parametrize(
    ("others", "severity"), [(0, "info"), (6, "info"), (8, "info"), (9, "warning"), (39, "warning")]
)
def test_a_few_rows_of_another_source_leave_repeated_texts_repeated(others: int, severity: str) -> None:
    """Texts were shuffled: some rows of a repeated text carry another row's by now."""
    payloads = [{"caption": "one"} if others <= i < 40 else {"caption": f"row {i}"} for i in range(1000)]
    found = only("duplicate-vectors", copied(1000, np.arange(40), payloads=payloads))
    assert (found.severity, found.rows) == (severity, 40)
    if severity == "info":
        assert (found.key, found.remedy.action) == ("same-source", "none")
        assert (f"({others} of them have another source or none)" in found.summary) == (others > 0)


def test_as_many_rows_of_other_sources_as_make_a_class_warn_whatever_else_has_the_vector() -> None:
    """A fallback that is the vector of a text which many rows have."""
    payloads = [{"caption": "one"} if 20 <= i < 300 else {"caption": f"row {i}"} for i in range(1000)]
    assert only("duplicate-vectors", copied(1000, np.arange(300), payloads=payloads)).severity == "critical"
    payloads[0]["caption"] = "one"
    assert only("duplicate-vectors", copied(1000, np.arange(300), payloads=payloads)).severity == "info"


def test_unknown_sources_beside_one_are_not_that_one() -> None:
    payloads: list[dict[str, Any]] = [{"caption": f"row {i}"} for i in range(1000)]
    payloads[:40] = [{"caption": "one"} if i % 2 else {} for i in range(40)]
    assert only("duplicate-vectors", copied(1000, np.arange(40), payloads=payloads)).severity == "warning"


def test_rows_whose_source_is_not_known_warn() -> None:
    assert (
        only("duplicate-vectors", copied(1000, np.arange(30), payloads=[{} for _ in range(1000)])).severity
        == "warning"
    )


@pytest.mark.parametrize(
    ("k", "severity"), [(21, "warning"), (100, "critical"), (300, "critical"), (500, "critical")]
)
def test_noise_of_a_millionth_hides_nothing(k: int, severity: str) -> None:
    rows = np.sort(np.random.default_rng(k).choice(1000, k, replace=False))
    found = only("duplicate-vectors", copied(1000, rows, 1e-6))
    assert (rows_of(found), found.key, found.severity, found.basis) == (
        rows.tolist(),
        "near",
        severity,
        "exact",
    )


def test_near_copies_of_one_source_are_information() -> None:
    payloads = [{"caption": "one"} if i < 40 else {"caption": f"row {i}"} for i in range(1000)]
    found = only("duplicate-vectors", copied(1000, np.arange(40), 1e-6, payloads=payloads))
    assert (found.severity, found.key) == ("info", "near-same-source")


def test_near_copies_in_a_large_table_are_counted_among_the_rows_looked_at() -> None:
    held = copied(8000, np.arange(0, 8000, 40), 1e-6)
    found = only("duplicate-vectors", held)
    assert found.basis == "sample"
    assert found.interval is not None
    assert found.interval[0] < 200 / 8000 < found.interval[1]
    assert set(rows_of(found)) <= set(range(0, 8000, 40))
    assert found.examined is not None
    assert int(found.examined.sum()) == 5000


def test_counts_of_near_rows_are_sklearns() -> None:
    unit = anisotropic(1300, 12, 3)
    unit[:50] = unit[0] + 3e-3 * np.random.default_rng(1).standard_normal((50, 12)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    source = np.arange(1300).astype(np.uint64) // 2 + 1
    inner, outer, same = near_counts(unit, source, 0.9999)
    cosine = cosine_similarity(unit.astype(np.float64))
    np.fill_diagonal(cosine, -1)
    near = cosine > 0.9999
    assert near.sum() > 100
    assert inner.tolist() == near.sum(axis=1).tolist()
    assert outer.tolist() == ((cosine > 0.999) & ~near).sum(axis=1).tolist()
    assert same.tolist() == [bool((source[near[i]] == source[i]).all()) for i in range(1300)]


def test_rows_that_fill_a_surface_are_no_copies() -> None:
    rng = np.random.default_rng(4)
    plane = rng.standard_normal((5000, 2)) @ np.linalg.qr(rng.standard_normal((32, 2)))[0].T
    found, _ = run("duplicate-vectors", evidence(plane))
    assert [f.id for f in found if f.rank >= 2] == []


@pytest.mark.parametrize(("pairs", "seen"), [(1000, True), (501, True), (499, False)])
def test_a_collection_ingested_twice(pairs: int, seen: bool) -> None:
    """The second half has the vectors and payloads of the first, under ids that are 10,000 higher."""
    once = anisotropic(2000 - pairs, 32, 5)
    payloads = captions(2000 - pairs)
    ids = [*range(2000 - pairs), *range(10_000, 10_000 + pairs)]
    held = evidence(
        np.concatenate([once, once[:pairs]]), [*payloads, *(dict(p) for p in payloads[:pairs])], ids=ids
    )
    found = only("duplicate-vectors", held)
    assert (found.key, found.severity) == (("twice", "warning") if seen else ("same-source", "info"))
    assert found.evidence["id_lag"] == 10_000
    assert found.rows == 2 * pairs
    assert found.remedy.action == ("dedupe" if seen else "none")


def test_twins_are_seen_in_a_sample_by_how_often_pairs_meet() -> None:
    n, m = 40_000, 5000
    rng = np.random.default_rng(6)
    chosen = np.sort(rng.choice(n, m, replace=False))
    once = anisotropic(n // 2, 32, 5)
    held = evidence(
        once[chosen % (n // 2)],
        [{"caption": f"row {i % (n // 2)}"} for i in chosen],
        exact=False,
        rows=n,
        ids=[int(i) for i in chosen],
    )
    found = only("duplicate-vectors", held)
    assert (found.key, found.severity) == ("twice", "warning")
    assert 0.5 < found.evidence["share_at_least"] < found.evidence["share_estimated"] <= 1
    assert found.evidence["share_estimated"] > 0.8
    # A tenth in pairs is no such thing.
    at = np.where(chosen >= n - n // 20, chosen - (n - n // 20), chosen)
    whole = anisotropic(n, 32, 5)
    held = evidence(whole[at], [{"caption": f"row {i}"} for i in at], exact=False, rows=n)
    assert [f.severity for f in run("duplicate-vectors", held)[0]] == ["info"]


def test_pairs_of_a_sample_have_no_interval_for_it_would_not_hold_the_truth() -> None:
    """Of 6,000 rows that all have a twin, a sample of 300 holds both of a few: 5% of it, and 100% of all."""
    n, m = 6_000, 300
    once = anisotropic(n // 2, 32, 5)
    seen = 0
    for seed in range(5):
        chosen = np.sort(np.random.default_rng(seed).choice(n, m, replace=False))
        of = chosen % (n // 2)
        for payloads in ([{"caption": f"row {i}"} for i in of], [{"caption": f"row {i}"} for i in chosen]):
            for found in run("duplicate-vectors", evidence(once[of], payloads, exact=False, rows=n))[0]:
                assert found.key in ("twice", "same-source", "small")
                assert (found.basis, found.interval) == ("sample", None)
                assert " in the sample have " in found.summary
                seen += 1
    assert seen >= 5
    whole = evidence(once[np.arange(n) % (n // 2)], [{"caption": f"row {i}"} for i in range(n)])
    (found,) = run("duplicate-vectors", whole)[0]
    assert (found.share, found.interval, "sample" in found.summary) == (1.0, None, False)


def test_a_class_in_a_sample_is_held_to_its_lower_bound() -> None:
    def sampled(k: int) -> Evidence:
        held = copied(5000, np.arange(k))
        return replace(held, scan=replace(held.scan, exact=False, rows=10**6))

    assert only("duplicate-vectors", sampled(26)).severity == "info"
    found = only("duplicate-vectors", sampled(60))
    assert found.severity == "warning"
    assert found.interval is not None


def test_zero_and_peeled_rows_are_no_copies_of_each_other() -> None:
    matrix = anisotropic(500, 32, 7)
    matrix[:100] = 0
    matrix[100:200] = matrix[100]
    held = evidence(matrix, captions(500))
    assert rows_of(only("duplicate-vectors", held)) == list(range(100, 200))
    peeled = held.without((np.arange(500) >= 100) & (np.arange(500) < 199))
    assert run("duplicate-vectors", peeled) == ([], [])


def test_hostile_texts_and_uuids() -> None:
    text = "\u202eevil\x00" + "x" * 10_000
    payloads = [{"caption": text} if i < 30 else {"caption": f"row {i}"} for i in range(500)]
    ids = [str(uuid.UUID(int=i + 1)) for i in range(500)]
    found = only("duplicate-vectors", copied(500, np.arange(30), payloads=payloads, ids=ids))
    assert len(found.evidence["common_text"]) <= 80
    assert "\u202e" not in found.evidence["common_text"]
    assert text[:8] not in found.summary


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_few_rows(n: int) -> None:
    assert run("duplicate-vectors", evidence(anisotropic(n, 16, 1))) == ([], [])
    found, _ = run("duplicate-vectors", evidence(np.ones((n, 16)), captions(n)))
    assert [f.severity for f in found] == (["info"] if n >= 2 else [])


def test_low_dimensions_are_measured_exactly_only() -> None:
    matrix = np.random.default_rng(1).standard_normal((3000, 2)).astype(np.float32)
    found, unmeasured = run("duplicate-vectors", evidence(matrix, captions(3000)))
    assert not found
    assert "2 dimensions" in unmeasured[0].why
    matrix[:100] = matrix[0]
    assert [f.severity for f in run("duplicate-vectors", evidence(matrix, captions(3000)))[0]] == ["warning"]


def test_a_million_rows_are_classed_in_seconds() -> None:
    import time

    held = copied(2000, np.arange(30))
    n = 1_000_000
    rng = np.random.default_rng(1)
    digest = rng.integers(1, 2**63, n).astype(np.uint64)
    digest[:6000] = 7
    short = held.table
    wide = {
        f: np.resize(getattr(short, f), n) for f in ("flags", "norm", "tail", "peak", "text_length", "time")
    }
    source = rng.integers(1, 2**63, n).astype(np.uint64)
    ids = replace(
        short.ids,
        high=np.zeros(n, np.uint64),
        low=np.arange(n, dtype=np.uint64),
        integer=np.ones(n, np.bool_),
    )
    table = replace(short, ids=ids, digest=digest, source=source, content=source, groups={}, **wide)
    large = replace(held, table=table, scan=replace(held.scan, rows=n, scanned=n))
    start = time.process_time()
    found, _ = run("duplicate-vectors", large)
    assert time.process_time() - start < 25
    assert 6000 in [f.rows for f in found]
