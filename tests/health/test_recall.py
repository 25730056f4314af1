"""Recall: the figures against brute force, the estimate against known truth, intervals by counting."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from connectors.errors import PlumblineError
from connectors.model import PLAIN, Capability, SearchOptions
from console.health import registry
from console.health.asking import Asked
from console.health.checks.search import low_ann_recall, stale_quantization
from console.health.evidence import Evidence
from console.health.findings import NotMeasured
from console.health.means import gaps, mean, poisson
from console.health.policy import policy
from console.health.probes.recall import Recall, recall
from console.search.golden import GoldenQuery, edit
from console.settings import Settings
from console.workspace import Workspace
from tests.faults.memory import Memory
from tests.health.served import examined, found, memory, probing, unmeasured

RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(3_000, 24)).astype(np.float32)
RULES = policy()


def measured(reader: Memory, sample: int | None = None, **more: object) -> Evidence:
    held = examined(reader, sample=sample, **more)  # type: ignore[arg-type]
    return replace(held, results={Recall: recall(probing(reader, held))})


def truth(matrix: np.ndarray, hidden: np.ndarray, metric: str, k: int = 10) -> float:
    """Recall@10 of an index that never returns `hidden`, over every row as a query, self left out."""
    x = matrix.astype(np.float64)
    if metric == "cosine":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    if metric == "euclid":
        apart = -((x**2).sum(1)[:, None] + (x**2).sum(1)[None] - 2 * x @ x.T)
    else:
        apart = x @ x.T
    np.fill_diagonal(apart, -np.inf)
    near = np.argpartition(-apart, k, axis=1)[:, :k]
    return 1 - float(np.isin(near, hidden).mean())


@pytest.mark.parametrize("kind", ["qdrant", "weaviate"])
@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid"])
@pytest.mark.parametrize("sample", [None, 1_500])
def test_an_index_that_loses_rows_is_told_by_its_share(kind: str, metric: str, sample: int | None) -> None:
    hidden = RNG.choice(3_000, 600, replace=False)
    wanted = truth(CLOUD, hidden, metric)
    said = found(
        low_ann_recall(measured(memory(CLOUD, kind=kind, metric=metric, hidden=hidden), sample), RULES)
    )
    assert said.severity == "critical"
    assert said.effect is not None
    assert said.effect.low is not None
    assert said.effect.high is not None
    assert said.effect.value == pytest.approx(wanted, abs=0.05)
    # 95%, and a little for the twelve cells together.
    assert said.effect.low - 0.015 < wanted < said.effect.high + 0.015
    client = sample is None
    assert said.evidence["truth"] == ("client" if client else "server" if kind == "qdrant" else "sample")


@pytest.mark.parametrize("kind", ["qdrant", "weaviate"])
@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid", "manhattan"])
def test_a_perfect_index_is_silent(kind: str, metric: str) -> None:
    for sample in (None, 2_000):
        outcomes = low_ann_recall(measured(memory(CLOUD[:2_500], kind=kind, metric=metric), sample), RULES)
        said = found(outcomes, "")
        assert said.severity is None
        assert said.effect is not None
        assert said.effect.value == 1.0
        assert found(outcomes, "itself").severity is None


def test_tied_rows_count_as_one() -> None:
    matrix = CLOUD[:1_000].copy()
    matrix[300:600] = matrix[7]
    # Of 300 rows with one vector any ten are right.
    hidden = np.arange(320, 600)
    said = found(low_ann_recall(measured(memory(matrix, kind="weaviate", hidden=hidden)), RULES), "")
    assert said.effect is not None
    assert said.effect.value == pytest.approx(1.0, abs=0.002)
    assert said.severity is None


def test_rows_that_are_not_numbers_spoil_neither_truth_nor_queries() -> None:
    matrix = CLOUD[:1_000].copy()
    bad = RNG.choice(1_000, 4, replace=False)
    matrix[bad] = np.nan
    reader = memory(matrix, kind="qdrant")
    for sample in (None, 500):
        held = measured(reader, sample)
        asked = held.results[Recall].plain
        assert isinstance(asked, Asked)
        assert asked.truth == ("client" if sample is None else "sample"), "exact answers hold NaN rows"
        assert np.isfinite(held.table.norm[asked.queries]).all()
    # All four come first in every answer, so that 6 of 11 places are left, and self is one of them.
    held = measured(reader)
    said = found(low_ann_recall(held, RULES), "")
    assert said.severity == "critical"
    assert said.effect is not None
    assert said.effect.value == pytest.approx(0.6, abs=0.01)
    # Without those rows nothing is lost: what was in the way is not the index's fault.
    left = held.without(np.isin(np.arange(1_000), bad))
    again = found(low_ann_recall(left, RULES), "")
    assert again.effect is not None
    assert again.effect.value == 1.0
    # And as many random rows explain nothing.
    others = np.isin(np.arange(1_000), RNG.choice(1_000, 4, replace=False))
    control = found(low_ann_recall(held.without(others), RULES), "")
    assert control.effect is not None
    assert control.effect.value < 0.65


def test_the_estimate_from_proven_misses_against_known_truth() -> None:
    values = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        matrix = rng.normal(size=(2_500, 16)).astype(np.float32)
        hidden = rng.choice(2_500, 500, replace=False)
        held = measured(memory(matrix, kind="weaviate", hidden=hidden), 750)
        said = found(low_ann_recall(held, RULES))
        assert said.effect is not None
        values.append(said.effect.value - truth(matrix, hidden, "cosine"))
    assert abs(np.mean(values)) < 0.012
    assert np.std(values) < 0.04


def test_a_few_queries_that_are_far_off_do_not_outweigh_the_others() -> None:
    # 198 perfect queries and two that miss 2,000 rows each: recall is .99, and the pooled figure would be .33.
    q, k = 200, 10
    missed = np.zeros(q, np.int64)
    missed[:2] = 100
    asked = Asked(
        np.arange(q), np.zeros((q, k), np.int64), np.ones((q, k), np.bool_), np.full((q, k), -1),
        np.full(q, k), np.ones(q, np.bool_), "sample", missed, np.where(missed > 0, 0, k), 20.0,
    )  # fmt: skip
    said = asked.recall(np.ones(q, np.bool_))
    assert said is not None
    assert said.value == pytest.approx(0.99)
    assert said.high > 0.98


def test_a_sample_too_small_to_say_is_not_measured() -> None:
    reader = memory(CLOUD, kind="weaviate")
    held = measured(reader, 60)
    why = unmeasured(low_ann_recall(held, RULES))["low-ann-recall"]
    assert "too small" in why
    assert "between" in why


def test_the_interval_of_the_estimate_holds_the_truth() -> None:
    hits, n = 0, 300
    rng = np.random.default_rng(3)
    for _ in range(n):
        recall_, f, q, k = 0.9, 0.1, 200, 10
        # Rows are lost by a coin: those missed before the tenth hit are negative binomial, a tenth is sampled.
        missed = rng.binomial(rng.negative_binomial(k, recall_, q), f)
        asked = Asked(
            np.arange(q), np.zeros((q, k), np.int64), np.ones((q, k), np.bool_), np.full((q, k), -1),
            np.full(q, k), np.ones(q, np.bool_), "sample", missed, np.full(q, k), 1 / f,
        )  # fmt: skip
        said = asked.recall(np.ones(q, np.bool_))
        assert said is not None
        hits += said.low <= recall_ <= said.high
    low = scipy.stats.binomtest(hits, n).proportion_ci(0.999).high
    assert low >= 0.95, f"{hits} of {n}"


@pytest.mark.parametrize(
    ("true", "q"), [(0.99, 20), (0.99, 200), (0.95, 200), (0.8, 50), (0.999, 200), (0.5, 30)]
)
@pytest.mark.parametrize("lost", ["row by row", "query by query"])
def test_intervals_of_means_hold_the_truth(true: float, q: int, lost: str) -> None:
    rng, n = np.random.default_rng(int(true * 1_000) + q), 600
    held = 0
    for _ in range(n):
        values = rng.binomial(10, true, q) / 10 if lost == "row by row" else (rng.random(q) < true) * 1.0
        said = mean(values)
        assert said.low <= said.value <= said.high
        held += said.low <= true <= said.high
    # 95% within the noise of 600 rounds; a bootstrap of few queries is known to fall short by up to 3 points.
    assert held / n >= 0.915, held / n


def test_perfect_queries_are_not_a_point() -> None:
    said = mean(np.ones(50))
    low = scipy.stats.binomtest(50, 50).proportion_ci(0.95, "exact").low
    assert (said.low, said.high) == (pytest.approx(low), 1.0)
    for count in (0, 1, 7, 40):
        low, high = poisson(count)
        assert low == pytest.approx(scipy.stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0, abs=1e-6)
        assert high == pytest.approx(scipy.stats.chi2.ppf(0.975, 2 * count + 2) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("cohorts", "q", "true"), [(5, 30, 0.97), (12, 40, 0.9), (12, 30, 0.99), (3, 40, 0.5)]
)
def test_equal_cohorts_rarely_differ(cohorts: int, q: int, true: float) -> None:
    rng, n, wrong = np.random.default_rng(cohorts), 200, 0
    for at in range(n):
        lost = rng.random((cohorts, q)) < true if at % 2 else rng.binomial(10, true, (cohorts, q)) / 10
        wrong += any(g.low > 0 for g in gaps([[(str(i), lost[i] * 1.0) for i in range(cohorts)]], at))
    assert wrong / n <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / n)


def test_a_worse_cohort_is_found_with_power() -> None:
    rng, n, right = np.random.default_rng(9), 100, 0
    for at in range(n):
        family = [(str(i), rng.binomial(10, 0.98, 40) / 10) for i in range(7)]
        family.append(("worse", rng.binomial(10, 0.75, 40) / 10))
        said = gaps([family], at)
        right += [g.name for g in said if g.low > 0.05] == ["worse"]
    assert right >= 98


@pytest.mark.parametrize("n", [0, 1, 2, 10, 20])
@pytest.mark.parametrize("d", [2, 24])
def test_few_rows_are_not_measured(n: int, d: int) -> None:
    reader = memory(CLOUD[:n, :d], kind="weaviate")
    if n:
        held = measured(reader)
    else:
        from tests.health.building import evidence

        held = evidence(np.zeros((0, d)))
        held = replace(held, results={Recall: recall(probing(reader, held))})
    outcomes = low_ann_recall(held, RULES)
    assert "low-ann-recall" in unmeasured(outcomes)
    assert all(isinstance(o, NotMeasured) for o in outcomes)


def test_missing_zero_and_hostile_rows_are_no_queries() -> None:
    matrix, present = CLOUD[:200].copy(), np.ones(200, np.bool_)
    present[:20] = False
    matrix[20:40] = 0
    payloads = [{"kind": "'; DROP TABLE" if i % 2 else "[1]"} for i in range(200)]
    held = measured(memory(matrix, payloads, kind="weaviate", present=present))
    asked = held.results[Recall].plain
    assert isinstance(asked, Asked)
    assert asked.queries.min() >= 40
    assert found(low_ann_recall(held, RULES), "").severity is None


def test_under_a_filter() -> None:
    payloads = [{"kind": "a" if i % 4 == 0 else f"b{i % 7}"} for i in range(3_000)]
    hidden = np.arange(0, 3_000, 16)
    held = measured(memory(CLOUD, payloads, kind="qdrant", hidden=hidden))
    said = found(low_ann_recall(held, RULES), "filtered")
    assert said.evidence["filter"] == {"field": "kind", "value": "a"}
    # A quarter of the rows that pass are hidden, and a sixteenth of all.
    assert said.effect is not None
    assert said.effect.value == pytest.approx(0.75, abs=0.05)
    assert said.severity == "critical"
    why = unmeasured(low_ann_recall(measured(memory(CLOUD, payloads, kind="weaviate")), RULES))
    assert "40,000" in why["filtered recall"]


def test_texts_as_queries_need_an_encoder_that_was_asked_for() -> None:
    class Toy:
        name, dimension, modalities = "toy", 24, ("text", "image")

        def encode_texts(self, texts: list[str]) -> np.ndarray:
            return np.stack([CLOUD[int(t.split()[1])] * 3 for t in texts])

    payloads = [{"caption": f"picture {i}", "image": f"{i}.jpg"} for i in range(400)]
    from console.health.options import FieldNames

    names = FieldNames(image="image", text="caption", columns=("caption", "image"))
    reader = memory(CLOUD[:400], payloads, kind="weaviate", hidden=np.arange(0, 400, 5))
    held = examined(reader, names=names)
    plain = recall(probing(reader, held))
    assert isinstance(plain, Recall)
    assert isinstance(plain.texts, NotMeasured)
    assert "--encoder" in plain.texts.why
    asked = recall(probing(reader, held, load_encoder=Toy))
    held = replace(held, results={Recall: asked})
    said = found(low_ann_recall(held, RULES), "texts")
    assert said.effect is not None
    assert said.effect.value == pytest.approx(0.8, abs=0.05)
    assert said.severity == "critical"


def test_a_golden_sets_texts_are_asked_in_place_of_captions(tmp_path: Path) -> None:
    asked: list[str] = []

    class Toy:
        name, dimension, modalities = "toy", 24, ("text", "image")

        def encode_texts(self, texts: list[str]) -> np.ndarray:
            asked.extend(texts)
            return np.stack([CLOUD[int(t.split()[1])] * 3 for t in texts])

    queries = tuple(GoldenQuery(f"q{i}", text=f"question {i}") for i in range(40))
    edit(Settings(home=tmp_path), "mine", lambda draft: draft.but(queries=queries))
    reader = memory(CLOUD[:400], kind="weaviate", hidden=np.arange(0, 400, 5))
    held = examined(reader)
    held = replace(held, options=replace(held.options, golden="mine"))
    with Workspace(Settings(home=tmp_path)) as ws:
        made = recall(replace(probing(reader, held, load_encoder=Toy), workspace=ws))
    assert isinstance(made, Recall)
    assert sorted(asked) == sorted(q.text for q in queries if q.text)
    assert found(low_ann_recall(replace(held, results={Recall: made}), RULES), "texts").effect is not None


def test_a_refused_search_takes_nothing_else_with_it() -> None:
    class Strict(Memory):
        def capabilities(self, *args: object, **more: object):  # type: ignore[no-untyped-def]
            why = Capability(False, "strict mode forbids it (search_allow_exact)")
            return replace(super().capabilities(), exact_search=why)

        def search(self, t, field, queries, k, where=None, options=PLAIN, payload="*", *, timeout=None):  # type: ignore[no-untyped-def]
            if where is not None:
                raise PlumblineError("strict-mode", "Strict mode forbids the filter.")
            assert not options.exact
            return super().search(t, field, queries, k, where, options, payload)

    payloads = [{"kind": "ab"[i % 3 == 0]} for i in range(3_000)]
    made = memory(CLOUD, payloads, kind="qdrant")
    reader = Strict(made.spec, made.held)
    outcomes = low_ann_recall(measured(reader, 1_500), RULES)
    assert found(outcomes, "").evidence["truth"] == "sample"
    assert unmeasured(outcomes)["filtered recall"] == "Strict mode forbids the filter. (strict-mode)"


def test_quantization_that_loses_rows() -> None:
    quantization = {"scalar": {"type": "Int8"}}
    held = measured(memory(CLOUD, kind="qdrant", quantization=quantization, noise=0.15))
    said = found(stale_quantization(held, RULES))
    assert said.severity == "critical"
    assert said.evidence["with_rescoring"]["value"] == 1.0
    assert said.evidence["without_quantization"]["value"] == 1.0
    assert "anew" in said.remedy.text
    assert said.effect is not None
    assert said.effect.value == pytest.approx(1.0 - said.evidence["as_served"]["value"])
    fits = found(stale_quantization(measured(memory(CLOUD, kind="qdrant", quantization=quantization)), RULES))
    assert fits.severity is None
    assert stale_quantization(measured(memory(CLOUD)), RULES) == []

    class Coarse(Memory):
        """Rescoring wins nothing back."""

        def search(self, t, field, queries, k, where=None, options=PLAIN, payload="*", *, timeout=None):  # type: ignore[no-untyped-def]
            if not options.exact:
                options = SearchOptions(unquantized=options.unquantized)
            return super().search(t, field, queries, k, where, options, payload)

    noisy = memory(CLOUD, kind="qdrant", quantization=quantization, noise=0.15)
    coarse = found(stale_quantization(measured(Coarse(noisy.spec, noisy.held)), RULES))
    assert coarse.severity == "critical"
    assert coarse.evidence["with_rescoring"]["value"] < 0.9
    assert "finer" in coarse.remedy.text
    reader = memory(CLOUD, kind="weaviate", quantization={"type": "pq"})
    assert "stale-quantization" in unmeasured(stale_quantization(measured(reader), RULES))


def test_every_code_is_registered_once_with_its_remedies() -> None:
    codes = {
        "unindexed-vectors", "index-config", "low-ann-recall", "stale-quantization", "filter-masking",
        "cohort-gap", "shard-gap", "replica-divergence", "tombstone-load",
    }  # fmt: skip
    there = registry.checks()
    assert codes <= set(there)
    assert all(there[c].stage == "recall" and there[c].actions for c in codes)
    assert all(t.why for c in codes for t in there[c].thresholds)
