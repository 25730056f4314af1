"""Values that flood other queries' results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.health.checks.masking import filter_masking
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.options import FieldNames
from console.health.policy import policy
from console.health.probes.neighbours import Neighbours, nearest_rows
from tests.health.building import evidence
from tests.health.served import found, unmeasured

RULES = policy()


def with_lists(matrix: np.ndarray, payloads: list[dict[str, object]], **more: object) -> Evidence:
    names = FieldNames(groups=tuple(sorted({k for p in payloads for k in p})))
    held = evidence(matrix, payloads, names=names, **more)  # type: ignore[arg-type]
    return replace(held, results={Neighbours: nearest_rows(held, np.random.default_rng(0))})


def flooded(
    n: int = 2_000, d: int = 32, share: float = 0.04, seed: int = 0
) -> tuple[np.ndarray, list[dict[str, object]]]:
    """Rows of one value lie near the centre, where they are everybody's neighbours under the Euclidean metric."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, d)).astype(np.float32)
    at = rng.choice(n, int(n * share), replace=False)
    matrix[at] *= 0.2
    payloads: list[dict[str, object]] = [{"source": f"s{i % 5}"} for i in range(n)]
    for i in at:
        payloads[int(i)]["source"] = "flood"
    return matrix, payloads


def test_a_value_that_floods_is_named_and_its_lift_is_right() -> None:
    matrix, payloads = flooded()
    held = with_lists(matrix, payloads, metric="euclid")
    fired = [f for f in filter_masking(held, RULES) if isinstance(f, Finding) and f.severity]
    assert [f.key for f in fired] == ["source=flood"]
    (said,) = fired
    assert said.severity == "warning"
    assert said.group is not None
    assert (said.group.field, said.group.value, said.group.rows) == ("source", "flood", 80)
    # By hand: each probe row that is not of the value, its ten nearest rows.
    x = matrix.astype(np.float64)
    flood = np.array([p["source"] == "flood" for p in payloads])
    probes = held.results[Neighbours].by_metric.probes
    shares = []
    for i in probes[~flood[probes]]:
        apart = np.square(x - x[i]).sum(1)
        apart[i] = np.inf
        shares.append(flood[np.argsort(apart)[:10]].mean())
    assert said.evidence["share"] == pytest.approx(np.mean(shares), abs=1e-9)
    assert said.effect is not None
    assert said.effect.value == pytest.approx(np.mean(shares) / flood.mean(), abs=1e-9)
    assert flood[[int(i) for i in said.sample_ids]].all()
    # Without those rows nothing is left of it, and as many random rows change nothing.
    assert not [f for f in filter_masking(held.without(flood), RULES) if getattr(f, "severity", None)]
    others = np.zeros(2_000, np.bool_)
    others[np.random.default_rng(4).choice(2_000, 80, replace=False)] = True
    again = found(filter_masking(held.without(others), RULES), "source=flood")
    assert again.effect is not None
    assert again.effect.value > 0.7 * said.effect.value


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["noise", "clusters", "few"])
def test_healthy_collections_are_silent(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    n = 60 if kind == "few" else 1_500
    label = rng.integers(0, 8, n)
    matrix = rng.normal(size=(n, 24)).astype(np.float32)
    if kind == "clusters":
        matrix += 3 * rng.normal(size=(8, 24))[label].astype(np.float32)
    payloads: list[dict[str, object]] = [{"section": f"s{v}", "flag": bool(v % 2)} for v in label]
    outcomes = filter_masking(with_lists(matrix, payloads), RULES)
    assert not [f for f in outcomes if isinstance(f, Finding) and f.severity]


def test_two_fields_that_say_the_same_are_one_finding() -> None:
    matrix, payloads = flooded()
    for p in payloads:
        p["version"] = "v1" if p["source"] == "flood" else "v2"
    outcomes = filter_masking(with_lists(matrix, payloads, metric="euclid"), RULES)
    assert len([f for f in outcomes if isinstance(f, Finding) and f.severity]) == 1


@pytest.mark.parametrize("n", [0, 1, 2, 10])
@pytest.mark.parametrize("d", [2, 8])
def test_few_rows_and_no_payload_are_not_measured(n: int, d: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    for payloads in ([{} for _ in range(n)], [{"kind": "a' OR 1=1" * 400} for _ in range(n)]):
        outcomes = filter_masking(with_lists(matrix, payloads), RULES)
        assert unmeasured(outcomes).keys() == {"filter-masking"}
        assert all(isinstance(o, NotMeasured) for o in outcomes)


def test_bad_rows_and_long_values_do_no_harm() -> None:
    matrix, payloads = flooded()
    matrix[:30] = np.nan
    matrix[30:60] = 0
    for p in payloads:
        if p["source"] == "flood":
            p["source"] = "x" * 5_000
    fired = [
        f
        for f in filter_masking(with_lists(matrix, payloads, metric="euclid"), RULES)
        if getattr(f, "severity", None)
    ]
    (said,) = fired
    assert isinstance(said, Finding)
    assert len(said.id) < 120
    assert "xx" not in said.summary
