"""How each part of the evidence is got: what is asked of whom, in which order, and what happens where it can't be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import ConnectionSpec, Target
from console.compare.gate.evidence import Answers, Canary, Latency, Recall
from console.compare.gate.gather import answering, answers, sound, timing
from console.compare.gate.gather import compared as comparing
from console.compare.gate.gather.compared import read
from console.compare.gate.gather.evidence import SAME, Gathering
from console.compare.gate.gather.ids import Tags
from console.compare.gate.gather.sides import Side, opened
from console.compare.gate.gather.versions import shares, versions
from console.compare.gate.limits import asked
from console.compare.gate.request import GateRequest
from console.compare.gate.run import kept, run_gate
from console.compare.request import CompareRequest
from console.health import canaries
from console.health.findings import NotMeasured
from console.health.origins import Origin
from console.health.policy import policy
from console.health.probes.canary import asked as questions
from console.progress import Cancelled
from console.search.evaluate import Evaluation
from console.search.golden import GoldenQuery, GoldenSet, Judgement
from console.settings import Accepted, Address, GateSettings, Settings
from console.settings.gate import CONDITIONS
from console.store import Comparisons, Evaluations, Gates, Store
from console.workspace import Workspace
from tests.compare.gate.parts import sound as evidence
from tests.compare.gate.parts import told
from tests.faults.memory import Memory, Rows
from tests.search.conftest import SPECS, TURNS
from tests.search.toys import Toy

SETS = ("critical-findings", "recall", "quality", "cohorts", "latency", "canary", "threshold")
"""All conditions but those that the id sets are read for."""
QUIET: dict[str, Any] = {"tell": lambda _: None, "cancelled": lambda: False}


def rows(n: int = 60, **more: Any) -> Rows:
    matrix = np.random.default_rng(3).normal(size=(n, 8)).astype(np.float32)
    payloads = [{"caption": f"red circle {i}", "embedding_version": "v2"} for i in range(n)]
    return Rows(list(range(n)), matrix, np.ones(n, np.bool_), payloads, **more)


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    held = {"old": rows(), "new": rows(), "small": rows(5), "empty": rows(0), "bytes": rows(storage="uint8")}
    spec = ConnectionSpec("mem", "qdrant", url="http://127.0.0.1:1")
    reader = Memory(spec, held)
    settings = Settings(home=tmp_path, connections={"mem": spec})
    with Workspace(settings, lambda _: reader) as made:  # type: ignore[arg-type, return-value]
        yield made


def side(ws: Workspace, name: str) -> Side:
    return opened(ws, f"mem/{name}")


def decided(left: Any, right: Any) -> bool:
    return False


class Watched:
    """A reader that notes every search."""

    def __init__(self, reader: Any, name: str, log: list[tuple[str, int]]) -> None:
        self._reader, self._name, self._log = reader, name, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def search(self, t: Target, field: str, queries: np.ndarray, k: int, **more: Any) -> Any:
        assert queries.shape == (1, 8)
        assert more["payload"] == ()
        self._log.append((self._name, k))
        return self._reader.search(t, field, queries, k, **more)


def test_searches_are_made_on_both_sides_in_turn_after_a_warm_up(ws: Workspace) -> None:
    log: list[tuple[str, int]] = []
    left, right = (
        replace(side(ws, name), reader=Watched(side(ws, name).reader, name, log)) for name in ("old", "new")
    )
    found = timing.timed(left, right, 100, 7, 0, decided, **QUIET)
    assert isinstance(found, Latency)
    assert (found.left.shape, found.right.shape) == ((100,), (100,))
    assert (found.left > 0).all()
    assert log == [("old", 7), ("new", 7), ("new", 7), ("old", 7)] * ((timing.WARM + 100) // 2)
    assert found.rows == (60, 60)


def test_as_many_different_rows_are_searched_with_as_there_are_searches(ws: Workspace) -> None:
    found = timing.timed(side(ws, "old"), side(ws, "new"), 40, 10, 0, decided, **QUIET)
    assert isinstance(found, Latency)
    assert found.rows == (40, 40)
    few = timing.timed(side(ws, "old"), side(ws, "small"), 100, 10, 0, decided, **QUIET)
    assert isinstance(few, Latency)
    assert few.rows == (60, 5)


def test_times_that_decide_nothing_are_taken_of_more_searches(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def open_still(left: Any, right: Any) -> bool:
        seen.append(len(left))
        return len(left) < 60

    found = timing.timed(side(ws, "old"), side(ws, "new"), 20, 10, 0, open_still, **QUIET)
    assert isinstance(found, Latency)
    assert (seen, len(found.left)) == ([20, 40, 60], 60)
    found = timing.timed(side(ws, "old"), side(ws, "new"), 20, 10, 0, lambda left, right: True, **QUIET)
    assert isinstance(found, Latency)
    assert len(found.right) == 20 * timing.ROUNDS
    assert (found.left > 0).all()
    assert (found.right > 0).all()


def test_no_row_to_search_with_and_too_little_time_are_not_measured(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = timing.timed(side(ws, "old"), side(ws, "empty"), 100, 10, 0, decided, **QUIET)
    assert isinstance(found, NotMeasured)
    assert found.why == "mem/empty# has no row that could be searched with."
    monkeypatch.setattr(timing, "SECONDS", -1.0)
    found = timing.timed(side(ws, "old"), side(ws, "new"), 100, 10, 0, decided, **QUIET)
    assert isinstance(found, NotMeasured)


def test_a_snapshot_file_tells_nothing_of_its_servers_speed(ws: Workspace) -> None:
    held = side(ws, "old")
    frozen = replace(held, reader=Memory(replace(held.reader.spec, snapshot="x"), {}))
    assert isinstance(timing.timed(held, frozen, 100, 10, 0, decided, **QUIET), NotMeasured)


def health(ws: Workspace, **more: Any) -> Any:
    return sound.examined(
        ws, side(ws, "new"), None, **{"full": False, "seed": 0, "notes": [], **QUIET, **more}
    )


def test_a_stored_report_does_not_count_however_fresh_it_is(ws: Workspace) -> None:
    """The rows may have been written over since it was made."""
    first = health(ws)
    broken = side(ws, "new").reader.held["new"]  # type: ignore[attr-defined]
    broken.matrix[:30] = 0
    second = health(ws)
    assert second.report != first.report
    assert [code for code, _ in second.critical] == ["zero-vectors"]
    assert first.critical == ()
    assert Store.open(ws).report(second.report)["id"] == second.report


def test_what_the_check_could_not_look_at_comes_with_it(ws: Workspace) -> None:
    found = health(ws)
    held = Store.open(ws).report(found.report)
    assert found.unmeasured == tuple((one["check"], one["why"]) for one in held["not_measured"])
    assert found.unmeasured


def test_findings_that_were_accepted_are_counted_apart() -> None:
    critical = {"code": "zero-vectors", "severity": "critical", "summary": "5 rows.", "accepted": None}
    waved = {**critical, "code": "norm-drift", "accepted": {"reason": "known"}}
    held = {
        "id": "r1", "at": "2026-11-21T04:12:03+00:00", "verdict": "broken", "rows": 60, "scanned": 60, "exact": True,
        "findings": [critical, waved, {**critical, "severity": "warning"}], "not_measured": [],
    }  # fmt: skip
    found = sound._health(held, stored=True)
    assert (found.critical, found.accepted) == ((("zero-vectors", "5 rows."),), 1)
    assert (found.report, sound._health(held, stored=False).report) == ("r1", None)


def test_an_encoder_that_can_not_be_loaded_does_not_keep_the_check_from_being_made(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str | None] = []
    real = sound.check

    def check(ws: Workspace, address: Address, options: Any, **more: Any) -> Any:
        tried.append(options.encoder)
        if options.encoder is not None:
            raise PlumblineError("encoder-unavailable", "no weights")
        return real(ws, address, options, **more)

    monkeypatch.setattr(sound, "check", check)
    assert sound.examined(ws, side(ws, "new"), "clip", full=False, seed=0, notes=[], **QUIET).report
    assert tried[-1] is None


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    made = Toy(SPECS["toy-a"], *TURNS["toy-a"])

    class Pool:
        def get(self, spec: Any) -> Toy:
            return made

    monkeypatch.setattr("console.encoders.shared", Pool)
    return made


def with_vectors(ws: Workspace, name: str, matrix: np.ndarray, captions: list[str]) -> Side:
    held = side(ws, name)
    made = Rows(
        list(range(len(matrix))), matrix, np.ones(len(matrix), np.bool_), [{"caption": c} for c in captions]
    )
    return replace(held, reader=Memory(held.reader.spec, {name: made}))


def canary(ws: Workspace, held: Side) -> Canary:
    found = answering.canary(ws, held, SPECS["toy-a"], held.names(ws), 0.999, 0, **QUIET)
    assert isinstance(found, Canary)
    return found


def rows_of(found: Canary) -> Answers:
    assert isinstance(found.rows, Answers)
    return found.rows


CAPTIONS = [
    f"{a} {b}" for a in ("red", "green", "blue", "big") for b in ("circle", "square", "star", "small")
]


def test_rows_are_embedded_again_each_time_and_later_the_fixed_questions_are_asked_besides(
    ws: Workspace, toy: Toy
) -> None:
    held = with_vectors(ws, "new", toy.encode_texts(CAPTIONS), CAPTIONS)
    first = canary(ws, held)
    assert (rows_of(first).of, rows_of(first).n) == ("rows embedded again (median)", 16)
    assert rows_of(first).smallest == pytest.approx(1.0, abs=1e-6)
    assert (first.questions, first.kept) == (None, True)
    second = canary(ws, held)
    assert second.questions is not None
    assert (second.questions.of, second.questions.n) == (
        "fixed questions",
        len(canaries.TEXTS) + canaries.PICTURES,
    )
    assert second.questions.since
    assert not second.kept
    assert rows_of(second) == rows_of(first)


def test_rows_of_another_encoder_fail_the_second_time_too(ws: Workspace, toy: Toy) -> None:
    """What an encoder answered to a gate that failed is no standard for the next."""
    other = Toy(SPECS["toy-b"], *TURNS["toy-b"])
    held = with_vectors(ws, "new", other.encode_texts(CAPTIONS), CAPTIONS)
    for _ in range(2):
        found = canary(ws, held)
        assert rows_of(found).smallest < 0.5
        assert (found.questions, found.kept) == (None, False)
        assert told("canary", replace(evidence(), canary=found)).verdict == "fail"


def test_answers_that_an_earlier_check_kept_make_no_pass_of_rows_that_do_not_agree(
    ws: Workspace, toy: Toy
) -> None:
    canaries.keep(ws.home, questions(toy))  # type: ignore[arg-type]
    other = Toy(SPECS["toy-b"], *TURNS["toy-b"])
    found = canary(ws, with_vectors(ws, "new", other.encode_texts(CAPTIONS), CAPTIONS))
    assert found.questions is not None
    assert found.questions.smallest == pytest.approx(1.0, abs=1e-6)
    assert told("canary", replace(evidence(), canary=found)).verdict == "fail"
    few = canary(ws, with_vectors(ws, "new", other.encode_texts(CAPTIONS)[:0], CAPTIONS[:0]))
    assert told("canary", replace(evidence(), canary=few)).verdict == "not_measurable"


def test_an_encoder_that_answers_otherwise_has_a_small_cosine(ws: Workspace, toy: Toy) -> None:
    kept = questions(toy)  # type: ignore[arg-type]
    changed = kept.texts.copy()
    changed[0] = np.roll(changed[0], 1)
    canaries.keep(ws.home, replace(kept, texts=changed))
    found = canary(ws, with_vectors(ws, "new", toy.encode_texts(CAPTIONS), CAPTIONS))
    assert found.questions is not None
    assert found.questions.smallest < 0.9 < found.questions.mean
    assert told("canary", replace(evidence(), canary=found)).verdict == "fail"


def test_without_sources_nothing_can_be_told_and_the_answers_are_kept(ws: Workspace, toy: Toy) -> None:
    captions = [*CAPTIONS[:5], *[""] * 11]
    found = canary(ws, with_vectors(ws, "new", toy.encode_texts(CAPTIONS), captions))
    assert found.rows == "5 rows could be embedded again, 8 are needed."
    assert found.kept
    again = canary(ws, side(ws, "bytes"))
    assert (again.rows, again.kept) == ("they are stored as bytes.", False)
    assert again.questions is not None


def test_of_a_collection_of_few_rows_all_are_enough(ws: Workspace, toy: Toy) -> None:
    found = canary(ws, with_vectors(ws, "new", toy.encode_texts(CAPTIONS[:3]), CAPTIONS[:3]))
    assert (rows_of(found).n, rows_of(found).smallest) == (3, pytest.approx(1.0, abs=1e-6))


def test_rows_are_embedded_again_from_both_modalities_wherever_they_stand() -> None:
    rows = [(i, Origin("text", "x")) for i in range(150)] + [
        (i, Origin("image", "y")) for i in range(150, 200)
    ]
    chosen = answering._spread(rows, 0)
    assert len(chosen) == answering.ROWS
    assert sum(origin.modality == "image" for _, origin in chosen) == answering.ROWS // 2
    assert max(i for i, origin in chosen if origin.modality == "text") > answering.ROWS
    assert len(answering._spread(rows[:150], 0)) == answering.ROWS
    assert len(answering._spread(rows[140:155], 0)) == 15


def test_kept_answers_that_were_damaged_are_said(ws: Workspace, toy: Toy) -> None:
    place = canaries.path_of(ws.home, toy.name, toy.fingerprint)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    with pytest.raises(PlumblineError) as caught:
        canary(ws, side(ws, "new"))
    assert caught.value.code == "damaged"


GOLDEN = GoldenSet(
    "shop", 3, queries=tuple(GoldenQuery(q, text=q, cohort={"language": c}) for q, c in zip("abc", ("de", "en", "de"), strict=True)),
    judgements=tuple(Judgement(q, key, grade) for q in "abc" for key, grade in (("1", 2), ("2", 1), ("3", 0))),
)  # fmt: skip


def evaluation(
    scores: Mapping[str, float],
    hits: Mapping[str, list[str]],
    fingerprint: str | None,
    judged: float,
    **more: Any,
) -> Any:
    lines = [{"query": q, "hits": [{"key": key, "grade": 1} for key in hits.get(q, [])]} for q in scores]
    data = {
        "at": "2026-11-21T04:12:03+00:00", "address": "mem/new#", "golden": "shop", "per_query": lines,
        "encoder": None if fingerprint is None else {"fingerprint": fingerprint}, "judged@10": judged,
        **more,
    }  # fmt: skip
    return Evaluation(data, {"ndcg@10": dict(scores)})


def answered(ws: Workspace, monkeypatch: pytest.MonkeyPatch, old: Any, new: Any) -> answers.Answers:
    held = {"old": old, "new": new}
    monkeypatch.setattr(answers, "evaluate", lambda ws, golden, address, **more: held[address.collection])
    return answers.answers(ws, GOLDEN, side(ws, "old"), side(ws, "new"), 10, [], **QUIET)


def test_a_query_that_the_new_side_can_not_answer_is_lost_and_one_that_the_old_side_could_not_is_left_out(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = evaluation({"a": 0.5, "b": 0.8}, {}, "x", 0.9)
    new = evaluation({"b": 0.7, "c": 1.0}, {}, "y", 0.4)
    found = answered(ws, monkeypatch, old, new).quality
    assert found.left.tolist() == [0.5, 0.8]
    assert found.right.tolist() == [0.0, 0.7]
    assert (found.lost, found.judged, found.same) == (1, (0.9, 0.4), "")
    assert found.cohorts == {"language": ["de", "en"]}
    assert (found.golden, found.version, found.metric) == ("shop", 3, "ndcg@10")


def test_judged_keys_that_are_gone_and_queries_without_an_answer_are_counted_on_each_side(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = evaluation({"a": 0.5, "b": 0.8}, {}, "x", 0.9, not_scored=[{"query": "c"}, {"query": "smoke"}])
    missing = [{"query": "a", "keys": ["1", "3"]}, {"query": "b", "keys": ["2", "1"]}]
    new = evaluation({"b": 0.7}, {}, "y", 0.4, missing=missing, not_scored=[{"query": "a"}, {"query": "c"}])
    found = answered(ws, monkeypatch, old, new).quality
    assert (found.keys, found.gone) == (6, (0, 3))
    assert (found.unanswered, found.lost) == ((1, 2), 1)


def test_one_encoder_with_the_same_hits_is_one_model_whatever_their_order(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"a": 0.5, "b": 0.8}
    one = evaluation(scores, {"a": ["1", "2"], "b": ["3"]}, "x", 1.0)
    other = evaluation(scores, {"a": ["2", "1"], "b": ["3"]}, "x", 1.0)
    found = answered(ws, monkeypatch, one, other)
    assert found.quality.same
    assert [Evaluations.open(ws).get(i)["golden"] for i in found.evaluations] == ["shop", "shop"]
    for changed in (
        evaluation(scores, {"a": ["2", "4"], "b": ["3"]}, "x", 1.0),
        evaluation(scores, {"a": ["2", "1"], "b": ["3"]}, "y", 1.0),
        evaluation(scores, {"a": ["2", "1"], "b": ["3"]}, None, 1.0),
    ):
        assert not answered(ws, monkeypatch, one, changed).quality.same


def comparison(**more: Any) -> dict[str, Any]:
    return {
        "k": 10,
        "sides": {"right": {"rows": 5_000}},
        "query_source": {"kind": "rows"},
        "overlap_at_k": {"mean": 1.0, "low": 0.98, "high": 1.0, "queries": 200},
        "noise": {"right_index": {"mean": 0.99, "low": 0.97, "high": 1.0, "queries": 200}},
        "thresholds": {"translations": [{"verdict": "translated"}]},
        **more,
    }


def test_a_comparison_gives_recall_translations_and_whether_all_neighbours_are_the_same() -> None:
    found = read(comparison(), "c1")
    assert found.recall == Recall(0.99, 0.97, 1.0, 200, 10)
    assert (found.thresholds.translations, found.thresholds.comparison) == (
        ({"verdict": "translated"},),
        "c1",
    )
    assert found.same
    few = read(comparison(overlap_at_k={"mean": 1.0, "queries": 20}, thresholds=None), "c1")
    assert (few.same, few.thresholds.translations) == (False, ())
    assert not read(comparison(overlap_at_k={"mean": 0.999, "queries": 200}), "c1").same
    blind = read(comparison(noise={"right_index": {"not_measured": "Strict mode."}}), "c1").recall
    assert blind == NotMeasured("recall", "Strict mode.")


def test_of_a_collection_whose_every_row_was_asked_nothing_is_an_estimate() -> None:
    every = {
        "sides": {"right": {"rows": 8}},
        "overlap_at_k": {"mean": 1.0, "queries": 8},
        "noise": {"right_index": {"mean": 1.0, "low": 0.63, "high": 1.0, "queries": 8}},
    }
    found = read(comparison(**every), "c1")
    assert found.recall == Recall(1.0, 0.63, 1.0, 8, 10, census=True)
    assert found.same
    other = read(comparison(**{**every, "query_source": {"kind": "golden"}}), "c1")
    assert isinstance(other.recall, Recall)
    assert (other.recall.census, other.same) == (False, False)
    fewer = read(comparison(**{**every, "sides": {"right": {"rows": 9}}}), "c1")
    assert isinstance(fewer.recall, Recall)
    assert (fewer.recall.census, fewer.same) == (False, False)
    short = {**every, "overlap_at_k": {"not_measured": "All are among the 10 nearest."}}
    assert read(comparison(**short, rank_biased_overlap={"mean": 1.0, "queries": 8}), "c1").same
    assert not read(comparison(**short, rank_biased_overlap={"mean": 0.9, "queries": 8}), "c1").same
    assert not read(comparison(overlap_at_k=None), "c1").same


def test_the_main_tag_is_the_findings_one_also_for_rows_without_a_modality(ws: Workspace) -> None:
    held = side(ws, "new")
    tags = Tags({("image", "v2"): 50, ("text", "t1"): 50, ("", "t1"): 4})
    found = versions(ws, held, "embedding_version", tags, None)
    assert found.main == {"": "t1", "image": "v2", "text": "t1"}
    assert told("version-mix", replace(evidence(), versions=found)).verdict == "pass"
    tags = Tags({("image", "v2"): 90, ("", "v1"): 10})
    found = versions(ws, held, "embedding_version", tags, None)
    assert told("version-mix", replace(evidence(), versions=found)).figure == 10
    tags = Tags({("image", "v2"): 90, ("text", "v2"): 3, ("text", "t1"): 60})
    found = versions(ws, held, "embedding_version", tags, None)
    assert (found.main["text"], told("version-mix", replace(evidence(), versions=found)).figure) == ("v2", 60)
    even = Tags({("", "v1"): 5, ("", "other"): 5})
    assert versions(ws, held, "embedding_version", even, "other").main[""] == "other"
    assert versions(ws, held, "embedding_version", Tags({("", None): 5}), None).main == {}


def test_versions_are_told_by_modality_with_an_entry_that_accepts_a_mix(ws: Workspace) -> None:
    tags = Tags({("image", "v2"): 5, ("image", "v1"): 2, ("text", None): 3, ("", "v2"): 1})
    found = versions(ws, side(ws, "new"), "embedding_version", tags, None)
    assert found.rows == {"image": {"v1": 2, "v2": 5}, "": {"v2": 1}}
    assert (found.untagged, found.accepted) == (3, "")
    assert shares(tags) == {"v1": 2.0, "v2": 6.0}
    today = datetime.now(UTC).date()
    entry = Accepted(Address("mem", "new"), "version-mix", "until the rebuild", until=today)
    for changes, reason in (
        ({}, "until the rebuild"),
        ({"until": None}, "until the rebuild"),
        ({"until": today - timedelta(days=2)}, ""),
        ({"address": Address("mem", "old")}, ""),
        ({"code": "norm-drift"}, ""),
        ({"group": "v1"}, ""),
    ):
        settings = replace(ws.settings, accepted=(replace(entry, **changes),))
        held = Workspace(settings)
        assert versions(held, side(ws, "new"), "embedding_version", tags, None).accepted == reason


def test_only_what_a_condition_asks_for_is_measured(ws: Workspace) -> None:
    wanted = asked(GateSettings(left_out=SETS), policy(), None)
    assert list(wanted.conditions) == ["id-set", "version-mix"]
    sides = side(ws, "old"), side(ws, "new")
    found = Gathering(ws, GateRequest("mem/old", "mem/new"), wanted, sides, None, **QUIET).gather()
    assert not isinstance(found.evidence.id_sets, NotMeasured)
    assert not isinstance(found.evidence.versions, NotMeasured)
    for part in ("health", "recall", "quality", "latency", "canary", "thresholds"):
        assert isinstance(getattr(found.evidence, part), NotMeasured)
    assert found.stored == {}


def test_a_cutoff_brings_the_threshold_in_and_the_policy_gives_limits_that_nobody_set() -> None:
    rules = policy({"low-ann-recall": {"warning": 0.9}})
    found = asked(GateSettings(), rules, None)
    assert "threshold" not in found.conditions
    assert found.left_out == [
        ("threshold", "No cutoff was named (--threshold, or `cutoff` in [gate.threshold]).")
    ]
    assert (found.limits["recall"]["limit"], found.limits["canary"]["limit"]) == (0.9, 0.999)
    assert "threshold" in asked(GateSettings(), rules, 0.8).conditions
    assert asked(GateSettings(), rules, 0.8).limits["threshold"]["cutoff"] == 0.8
    assert "threshold" in asked(GateSettings(declared=("threshold",)), rules, None).conditions
    assert "threshold" in asked(GateSettings({"threshold": {"cutoff": 0.7}}), rules, None).conditions
    given = asked(GateSettings({"recall": {"limit": 0.8}}, left_out=("latency",)), rules, None)
    assert given.limits["recall"]["limit"] == 0.8
    assert ("latency", "The settings leave it out ([gate]).") in given.left_out


@pytest.mark.parametrize("code", ["strict-mode", "encoder-mismatch", "unsupported"])
def test_what_stands_against_one_part_leaves_the_others(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch, code: Any
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise PlumblineError(code, "It is forbidden.", hint="Ask.")

    monkeypatch.setattr("console.compare.gate.gather.evidence.timed", refused)
    wanted = asked(GateSettings(left_out=tuple(n for n in SETS if n != "latency")), policy(), None)
    sides = side(ws, "old"), side(ws, "new")
    found = Gathering(ws, GateRequest("mem/old", "mem/new"), wanted, sides, None, **QUIET).gather()
    assert found.evidence.latency == NotMeasured("latency", f"It is forbidden. Ask. ({code})")
    assert not isinstance(found.evidence.id_sets, NotMeasured)


def test_a_server_that_goes_away_ends_the_gate(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise PlumblineError("unreachable", "Nobody answers.")

    monkeypatch.setattr("console.compare.gate.gather.evidence.timed", gone)
    wanted = asked(GateSettings(left_out=tuple(n for n in SETS if n != "latency")), policy(), None)
    with pytest.raises(PlumblineError) as caught:
        Gathering(
            ws, GateRequest("mem/old", "mem/new"), wanted, (side(ws, "old"), side(ws, "new")), None, **QUIET
        ).gather()
    assert caught.value.code == "unreachable"


def test_one_model_is_concluded_from_a_comparison_only_with_one_encoder(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = dict.fromkeys("abc", 0.5)
    made = evaluation(scores, {"a": ["1"]}, "x", 1.0)
    for one_encoder in (True, False):
        other = evaluation(scores, {"a": ["2"]}, "x" if one_encoder else "y", 1.0)
        monkeypatch.setattr(
            answers, "evaluate", lambda *a, _o=other, **m: made if a[2].collection == "old" else _o
        )
        monkeypatch.setattr(
            "console.compare.gate.gather.evidence.compared", lambda *a, **m: read(comparison(), "c1")
        )
        wanted = asked(GateSettings(left_out=("critical-findings", "latency", "canary")), policy(), None)
        sides = side(ws, "old"), side(ws, "new")
        found = Gathering(
            ws, GateRequest("mem/old", "mem/new", "shop"), wanted, sides, GOLDEN, **QUIET
        ).gather()
        quality = found.evidence.quality
        assert not isinstance(quality, NotMeasured)
        assert quality.same == (SAME if one_encoder else "")
        assert found.stored["comparison"] == "c1"


def test_what_can_not_be_stored_is_said_and_the_gate_goes_on(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise PlumblineError("disk-full", "There is no room to write.")

    monkeypatch.setattr(Evaluations, "save", full)
    monkeypatch.setattr(Store, "save", full)
    made = evaluation({"a": 0.5}, {}, "x", 1.0)
    monkeypatch.setattr(answers, "evaluate", lambda *a, **m: made)
    wanted = asked(GateSettings(left_out=("recall", "latency", "canary")), policy(), None)
    sides = side(ws, "old"), side(ws, "new")
    found = Gathering(ws, GateRequest("mem/old", "mem/new", "shop"), wanted, sides, GOLDEN, **QUIET).gather()
    assert not isinstance(found.evidence.health, NotMeasured)
    assert found.stored["evaluations"] == [None, None]
    assert found.stored["report"] is None
    assert len(found.notes) == 3
    assert all("no room to write" in note for note in found.notes)


def test_a_golden_set_that_would_have_to_read_too_many_rows_is_not_measurable(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise PlumblineError("usage", "3,000,000 rows would have to be read; at most 2,000,000 are.")

    monkeypatch.setattr(answers, "evaluate", refused)
    wanted = asked(
        GateSettings(left_out=tuple(n for n in SETS if n not in ("quality", "cohorts"))), policy(), None
    )
    sides = side(ws, "old"), side(ws, "new")
    found = Gathering(ws, GateRequest("mem/old", "mem/new", "shop"), wanted, sides, GOLDEN, **QUIET).gather()
    assert isinstance(found.evidence.quality, NotMeasured)
    assert "3,000,000 rows would have to be read" in found.evidence.quality.why


def test_a_gate_that_the_store_does_not_take_names_no_id(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise PlumblineError("disk-full", "There is no room to write.")

    settings = GateSettings(left_out=tuple(n for n in CONDITIONS if n != "id-set"))
    made = run_gate(ws, "mem/old", "mem/new", None, settings=settings)
    stored = kept(ws, made)
    assert Gates.open(ws).get(stored.id) == stored.data
    monkeypatch.setattr(Gates, "save", full)
    found = kept(ws, made)
    assert (found.data["id"], found.verdict) == (None, "pass")
    assert found.data["notes"] == ["The gate was not kept: There is no room to write. [disk-full]"]


def test_a_waiver_of_a_condition_that_the_settings_leave_out_is_wrong_usage(ws: Workspace) -> None:
    settings = GateSettings(left_out=("canary",))
    with pytest.raises(PlumblineError) as caught:
        run_gate(ws, "mem/old", "mem/new", None, waive={"canary": "no GPU here"}, settings=settings)
    assert (caught.value.code, caught.value.where) == ("usage", "--waive")
    assert "The settings leave it out" in str(caught.value.hint)
    with pytest.raises(PlumblineError) as caught:
        run_gate(ws, "mem/old", "mem/new", None, waive={"threshold": "none"}, settings=GateSettings())
    assert "No cutoff was named" in str(caught.value.hint)


@pytest.mark.parametrize("k", [0, 51, 1_000])
def test_a_number_of_hits_that_is_none_is_refused_with_the_range(k: int) -> None:
    with pytest.raises(PlumblineError) as caught:
        GateRequest("mem/old", "mem/new", k=k).check()
    assert caught.value.message == f"{k:,} is not a number of hits."
    assert (caught.value.where, caught.value.hint) == ("-k", "Take 1 to 50.")


def test_a_cutoff_that_no_score_can_be_or_that_nothing_asks_for_is_wrong_usage(ws: Workspace) -> None:
    with pytest.raises(PlumblineError, match="The cutoff 3 is no cosine score") as caught:
        run_gate(ws, "mem/old", "mem/new", None, threshold=3.0, settings=GateSettings())
    assert (caught.value.code, caught.value.where) == ("usage", "--threshold")
    settings = GateSettings(left_out=("threshold",))
    with pytest.raises(PlumblineError, match="does not ask for the condition threshold") as caught:
        run_gate(ws, "mem/old", "mem/new", None, threshold=0.5, settings=settings)
    assert "The settings leave it out" in str(caught.value.hint)


def _says(asked: int, *, passing: int = 0, low: float = 0.9, high: float = 1.0) -> Any:
    """A comparison's JSON of some queries."""
    verdict = "translated" if passing >= 100 else "not measured"
    return {
        "request": {"queries": asked},
        "queries": asked,
        "k": 10,
        "overlap_at_k": {"mean": 0.5, "low": 0.4, "high": 0.6, "queries": asked},
        "noise": {"right_index": {"mean": 0.95, "low": low, "high": high, "queries": asked}},
        "thresholds": {"translations": [{"by": "acceptance", "verdict": verdict, "queries": passing}]},
        "sides": {"right": {"rows": 10_000}},
        "query_source": {"kind": "rows"},
    }


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (lambda n: _says(n, passing=n // 5, low=0.97), [200, 1_000]),
        (lambda n: _says(n, passing=200, low=0.95 if n == 5_000 else 0.94), [200, 1_000, 5_000]),
        (lambda n: _says(n, passing=200, low=0.97), [200]),
        (lambda n: _says(n, passing=0, low=0.97), [200]),
        (lambda n: {**_says(n, passing=20, low=0.97), "queries": 60}, [200]),
    ],
)
def test_more_queries_are_asked_where_fewer_decide_nothing(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch, held: Any, wanted: list[int]
) -> None:
    seen: list[int] = []

    def made(_: Any, request: Any, **__: Any) -> Any:
        seen.append(request.queries)
        return SimpleNamespace(data=held(request.queries))

    monkeypatch.setattr(comparing, "compare", made)
    monkeypatch.setattr(comparing, "kept", lambda *_: "c1")
    comparing.compared(ws, CompareRequest("mem/old", "mem/new"), 0.95, [], **QUIET)
    assert seen == wanted


def test_a_gate_that_comes_to_no_end_keeps_no_comparison(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    monkeypatch.setattr(Comparisons, "remove", lambda self, one: removed.append(one))
    monkeypatch.setattr(Evaluations, "remove", lambda self, one: removed.append(one))
    wanted = asked(GateSettings(left_out=()), policy(), None)
    gathering = Gathering(
        ws, GateRequest("mem/old", "mem/new"), wanted, (side(ws, "old"), side(ws, "new")), None, **QUIET
    )

    def ended() -> Any:
        gathering._stored.update(comparison="c1", evaluations=["e1", None, "e2"])
        raise Cancelled

    monkeypatch.setattr(gathering, "_gathered", ended)
    with pytest.raises(Cancelled):
        gathering.gather()
    assert removed == ["c1", "e1", "e2"]


def test_an_encoder_as_a_side_is_refused(ws: Workspace) -> None:
    with pytest.raises(PlumblineError) as caught:
        opened(ws, "encoder:scenes-v2")
    assert caught.value.code == "unsupported"


def test_a_vector_field_that_is_not_there_is_said(ws: Workspace) -> None:
    with pytest.raises(PlumblineError) as caught:
        opened(ws, "mem/new#thumb")
    assert caught.value.code == "not-found"
