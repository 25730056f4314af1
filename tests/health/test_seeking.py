"""The nearest rows that a scan finds in passing, against brute force over all rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from connectors.filters import Equals
from connectors.model import Batch, Hit, Target, Vectors
from console.health import reservoir
from console.health.checks.cohorts import cohort_gap
from console.health.checks.search import low_ann_recall
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.options import CheckOptions, FieldNames
from console.health.policy import policy
from console.health.probes.recall import Recall, recall
from console.health.rows import Gathered, Gathering
from console.health.scan import examine
from console.health.seeking import FILTERED, HELD, QUERIES, Question, middle, picked
from tests.faults.memory import Memory
from tests.health.building import codes
from tests.health.served import examined, found, memory, probing

N, D = 700, 12
NAMES = FieldNames(groups=("kind",), columns=("kind",))


def cloud(seed: int, n: int = N) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, D)).astype(np.float32) * rng.uniform(0.5, 2, (n, 1)).astype(np.float32)
    matrix[rng.choice(n, n // 50, replace=False)] = 0
    matrix[rng.choice(n, n // 50, replace=False), 3] = np.nan
    return matrix


def gathered(matrix: np.ndarray, question: Question, cuts: Sequence[int], page: int) -> Gathered:
    gathering = Gathering(["v"], NAMES, questions={"v": question})
    present = np.arange(len(matrix)) % 31 != 5
    for low, high in zip([0, *cuts], [*cuts, len(matrix)], strict=True):
        into = gathering.range()
        for start in range(low, high, page):
            part = slice(start, min(start + page, high))
            kinds = ["abcd"[i % 4] for i in range(part.start, part.stop)]
            into.add(
                Batch(
                    tuple(range(part.start, part.stop)),
                    {"v": Vectors(np.where(present[part, None], matrix[part], 0), present[part])},
                    {"kind": kinds},
                )
            )
    return gathering.finish()["v"]


def nearest(matrix: np.ndarray, rows: np.ndarray, metric: str, among: np.ndarray) -> list[np.ndarray]:
    """Scores of the nearest rows of each of `rows`, themselves left out, in float64."""
    x = matrix.astype(np.float64)
    out = []
    for row in rows:
        if metric == "euclid":
            scores = -((x - x[row]) ** 2).sum(1)
        elif metric == "manhattan":
            scores = -np.abs(x - x[row]).sum(1)
        else:
            scores = x @ x[row]
        if metric == "cosine":
            with np.errstate(all="ignore"):
                scores = scores / np.linalg.norm(x, axis=1) / np.linalg.norm(x[row])
        scores[~among] = -np.inf
        scores[row] = -np.inf
        out.append(np.sort(scores)[::-1])
    return out


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    cuts=st.lists(st.integers(0, N), max_size=3).map(sorted),
    page=st.sampled_from([7, 64, 700]),
    metric=st.sampled_from(["cosine", "dot", "euclid", "manhattan"]),
)
def test_however_a_scan_is_split_the_nearest_rows_are_those_of_brute_force(
    seed: int, cuts: list[int], page: int, metric: str
) -> None:
    matrix = cloud(seed)
    with np.errstate(all="ignore"):
        good = np.isfinite(matrix).all(1) & (matrix != 0).any(1) & (np.arange(N) % 31 != 5)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(good))[:130]
    question = Question(rows.tolist(), matrix[rows], metric, 130, Equals("kind", "b"))
    said = gathered(matrix, question, cuts, page).sought
    assert said is not None
    assert said.rows.tolist() == rows.tolist()
    assert said.nearest.shape == (130, HELD)
    assert said.filtered.shape == (FILTERED, HELD)
    inside = good & (np.arange(N) % 4 == 1)
    for lists, among in ((said.nearest, good), (said.filtered, inside)):
        asked = rows[: len(lists)]
        truth = nearest(matrix, asked, metric, among)
        for own, line, scores in zip(asked, lists, truth, strict=True):
            left = line[(line >= 0) & (line != own)]
            assert len(set(left.tolist())) == len(left) >= HELD - 1
            assert among[left].all()
            mine = nearest(
                matrix[np.append(left, own)], np.array([len(left)]), metric, np.ones(len(left) + 1, bool)
            )
            assert mine[0][: len(left)] == pytest.approx(scores[: len(left)], rel=1e-4, abs=1e-5)


def test_queries_are_drawn_first_and_larger_cohorts_filled_up() -> None:
    order = np.random.default_rng(0).permutation(1_500)
    codes = np.where(np.arange(1_500) % 30 == 0, 2, 1).astype(np.uint16)
    codes[:40] = 3
    chosen, base = picked(order, [codes])
    assert base == QUERIES
    assert chosen[:QUERIES].tolist() == order[:QUERIES].tolist()
    counts = np.bincount(codes[chosen])
    assert counts[2] == 40, "48 rows, of which 40 are asked"
    assert counts[3] == 40
    assert len(set(chosen.tolist())) == len(chosen)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reservoir that can't hold the collection, as of one with millions of rows."""
    monkeypatch.setattr(reservoir, "ROWS", 1_000)


RNG = np.random.default_rng(7)
CLOUD = RNG.normal(size=(3_000, 24)).astype(np.float32)
KINDS = [{"kind": "abcd"[i % 4], "language": "fi" if i % 15 == 0 else "de"} for i in range(3_000)]
LANGUAGES = FieldNames(cohorts=("language",), groups=("language", "kind"), columns=("language", "kind"))


def whole(reader: Memory, names: FieldNames = LANGUAGES) -> Evidence:
    """As a full check reads it."""
    target = Target("rows")
    description = reader.describe(target)
    read = examine(
        reader, target, description, description.dense, names, CheckOptions(sample=None),
        tell=lambda _: None, cancelled=lambda: False, seek=True,
    )[""]  # fmt: skip
    held = replace(
        examined(reader, names=names),
        scan=read.facts,
        profile=read.profile,
        table=read.table,
        reservoir=read.reservoir,
        sought=read.sought,
    )
    assert held.sought is not None
    assert len(held.reservoir.rows) == 1_000
    return replace(held, results={Recall: recall(probing(reader, held))})


class Unasked(Memory):
    """Counts exact searches."""

    exact = 0

    def search(self, *args: Any, **kwargs: Any) -> list[list[Hit]]:
        options = args[5] if len(args) > 5 else kwargs.get("options")
        type(self).exact += bool(options and options.exact)
        return super().search(*args, **kwargs)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["qdrant", "weaviate"])
@pytest.mark.parametrize("metric", ["cosine", "dot", "euclid"])
def test_recall_of_a_full_scan_is_exact_and_asks_no_server_for_the_truth(kind: str, metric: str) -> None:
    hidden = RNG.choice(3_000, 600, replace=False)
    made = memory(CLOUD, KINDS, kind=kind, metric=metric, hidden=hidden)
    reader = Unasked(made.spec, made.held)
    Unasked.exact = 0
    held = whole(reader)
    assert Unasked.exact == 0
    asked = held.results[Recall].plain
    assert asked.truth == "client"
    assert len(asked) == QUERIES
    stored = made.held["rows"].matrix
    x = stored.astype(np.float64)
    if metric == "cosine":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    lost = []
    for row in held.table.ids.low[asked.queries].astype(int):
        scores = x @ x[row] if metric != "euclid" else -((x - x[row]) ** 2).sum(1)
        scores[row] = -np.inf
        lost.append(np.isin(np.argsort(-scores)[:10], hidden).mean())
    said = found(low_ann_recall(held, policy()), "")
    assert said.effect is not None
    assert said.effect.value == pytest.approx(1 - np.mean(lost), abs=1e-9)
    under = held.results[Recall].filtered
    if kind == "qdrant":
        assert held.results[Recall].filter[0] == "kind"
        assert under.truth == "client"
        assert len(under) == FILTERED
    else:
        assert isinstance(under, NotMeasured)


@pytest.mark.usefixtures("small")
def test_the_cohort_that_is_lost_is_told_on_weaviate_too() -> None:
    matrix = CLOUD.copy()
    matrix[::15] += 4
    held = whole(memory(matrix, KINDS, kind="weaviate", hidden=np.arange(0, 3_000, 30)))
    fired = [f for f in cohort_gap(held, policy()) if isinstance(f, Finding) and f.severity]
    assert [f.key for f in fired] == ["language=fi"]
    assert fired[0].evidence["figure"] == "recall@10"
    assert fired[0].evidence["mean"] == pytest.approx(0.5, abs=0.1)


class Slow(Memory):
    """Exact answers take their time, and after some of them no time is left."""

    pause = 0.0
    fail_after = 10**9
    asked = 0

    def search(self, *args: Any, **kwargs: Any) -> list[list[Hit]]:
        options = args[5] if len(args) > 5 else kwargs.get("options")
        if options and options.exact:
            self.asked += 1
            if self.asked > self.fail_after:
                raise PlumblineError("timeout", "No answer in time.")
            time.sleep(self.pause)
        return super().search(*args, **kwargs)


def test_where_exact_search_is_slow_fewer_rows_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.health.judging.EXACT_SECONDS", 0.6)
    made = memory(CLOUD, kind="qdrant")
    reader = Slow(made.spec, made.held)
    reader.pause = 0.1
    held = examined(reader, sample=1_500)
    asked = recall(probing(reader, held)).plain  # type: ignore[union-attr]
    assert asked.truth == "server"  # type: ignore[union-attr]
    assert 30 <= len(asked) <= 60  # type: ignore[arg-type]


@pytest.mark.parametrize("fail_after", [0, 2, 5])
def test_where_exact_search_runs_out_of_time_what_is_there_counts(fail_after: int) -> None:
    made = memory(CLOUD, kind="qdrant")
    reader = Slow(made.spec, made.held)
    reader.fail_after = fail_after
    held = examined(reader, sample=1_500)
    asked = recall(probing(reader, held)).plain  # type: ignore[union-attr]
    # Ten at once: three answers are what a figure needs.
    assert asked.truth == ("server" if fail_after >= 3 else "sample")  # type: ignore[union-attr]
    assert len(asked) == (50 if fail_after >= 3 else QUERIES)  # type: ignore[arg-type]


class Unwilling(Memory):
    """Rows can be read, and none drawn."""

    def sample(self, *args: Any, **kwargs: Any) -> Batch:
        raise PlumblineError("timeout", "No answer in time.")


@pytest.mark.usefixtures("small")
def test_a_draw_that_fails_does_not_end_the_scan() -> None:
    made = memory(CLOUD, KINDS)
    reader = Unwilling(made.spec, made.held)
    description = reader.describe(Target("rows"))
    read = examine(
        reader, Target("rows"), description, description.dense, LANGUAGES, CheckOptions(sample=None),
        tell=lambda _: None, cancelled=lambda: False, seek=True,
    )[""]  # fmt: skip
    assert read.facts.scanned == 3_000
    assert read.sought is None


def test_the_filter_does_not_hang_on_the_draw() -> None:
    """Two fields with much the same shares: whichever draw, one filter is chosen."""
    names = FieldNames(groups=("b", "a"), columns=("a", "b"))
    said = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        payloads = [{"a": f"x{rng.integers(4)}", "b": f"y{rng.integers(4)}"} for _ in range(1_500)]
        groups = {n: codes([p[n] for p in payloads]) for n in ("a", "b")}
        description = memory(CLOUD[:2], [{"a": "x0", "b": "y0"}] * 2).describe(Target("rows"))
        where = middle(groups, np.arange(1_500), names, description, payloads)
        assert where is not None
        said.add((where.field, where.value))
    assert said == {("a", "x0")}


def test_recall_is_true_of_tight_clusters_far_from_the_origin(small: None) -> None:
    """In float32 products their distances drown: an index that lost 70% of the rows was told as .97."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(20, 64)) * 100
    at = rng.integers(20, size=3_000)
    matrix = (centres[at] + rng.normal(size=(3_000, 64)) * 0.1).astype(np.float32)
    hidden = rng.choice(3_000, 2_100, replace=False)
    held = whole(memory(matrix, KINDS, kind="weaviate", metric="euclid", hidden=hidden))
    asked = held.results[Recall].plain
    x = matrix.astype(np.float64)
    kept = []
    for row in held.table.ids.low[asked.queries].astype(int):
        apart = ((x - x[row]) ** 2).sum(1)
        apart[row] = np.inf
        kept.append(1 - np.isin(np.argsort(apart)[:10], hidden).mean())
    said = found(low_ann_recall(held, policy()), "")
    assert said.effect is not None
    assert said.effect.value == pytest.approx(np.mean(kept), abs=0.02)
