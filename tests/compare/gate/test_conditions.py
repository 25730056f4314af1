"""What each condition says of evidence, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from console.compare.gate.evidence import Answers, Latency, Missing, Recall, Thresholds, Versions
from console.compare.gate.registry import condition, conditions
from console.health.findings import NotMeasured
from console.settings.gate import CONDITIONS
from tests.compare.gate.parts import SAME, cohort, judged, sound, told, translation


def test_every_declared_condition_is_there_and_no_other() -> None:
    assert list(conditions()) == list(CONDITIONS)


def test_a_condition_that_is_not_declared_or_registered_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="not declared"):
        condition("overlap", asks="", part="quality")
    with pytest.raises(ValueError, match="twice"):
        condition("quality", asks="", part="quality")(lambda found, limits: None)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_model_passes_against_itself(name: str) -> None:
    found = told(name, sound())
    assert found.verdict == "pass", found.why
    assert found.why.endswith(".")


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_was_not_measured_is_never_a_pass(name: str) -> None:
    held = sound()
    part = conditions()[name].part
    found = told(name, replace(held, **{part: NotMeasured(name, "It was too dark.")}))
    assert (found.verdict, found.why, found.figure) == ("not_measurable", "It was too dark.", None)


def test_equal_counts_of_other_ids_fail() -> None:
    held = sound().id_sets
    assert not isinstance(held, NotMeasured)
    sets = replace(
        held, on_left_only=Missing(2, (7, "0b"), written=4), on_right_only=Missing(2, (8, 9), deleted=1)
    )
    found = told("id-set", replace(sound(), id_sets=sets))
    assert (found.verdict, found.figure, found.limit, found.unit) == ("fail", 4, 0, "rows")
    assert found.why == (
        "2 ids of the old side are not on the new one (7, 0b); 2 ids of the new side are not on the old one (8, 9)."
        " 5 more were written or deleted while the gate looked; they do not count."
    )
    assert found.details["left_only"]["written"] == 4


def test_rows_that_were_under_way_are_not_among_those_that_both_sides_hold() -> None:
    held = sound().id_sets
    assert not isinstance(held, NotMeasured)
    sets = replace(held, left=100, right=93, on_left_only=Missing(0, late=7))
    why = told("id-set", replace(sound(), id_sets=sets)).why
    assert why.startswith("Both sides hold the same 93 ids. 7 more were written or deleted")
    all_late = replace(held, left=7, right=0, on_left_only=Missing(0, late=7))
    found = told("id-set", replace(sound(), id_sets=all_late))
    assert (found.verdict, found.why.startswith("No row was on both sides.")) == ("not_measurable", True)


def test_a_field_that_no_row_has_is_not_called_an_empty_side() -> None:
    held = sound().id_sets
    assert not isinstance(held, NotMeasured)
    found = told("id-set", replace(sound(), id_sets=replace(held, left=0, right=0, by="nosuch", keyless=24)))
    assert found.verdict == "not_measurable"
    assert found.why == (
        "24 rows have no value of nosuch: whether the other side holds them can't be told. No row has one."
    )


def test_rows_that_moved_while_the_gate_looked_fail_nothing_and_are_said() -> None:
    held = sound().id_sets
    assert not isinstance(held, NotMeasured)
    sets = replace(held, on_left_only=Missing(0, written=3, late=2), on_right_only=Missing(0, deleted=1))
    found = told("id-set", replace(sound(), id_sets=sets))
    assert found.verdict == "pass"
    assert "6 more were written or deleted while the gate looked" in found.why


def test_ids_of_two_kinds_are_to_be_matched_by_a_field() -> None:
    held = sound().id_sets
    assert not isinstance(held, NotMeasured)
    sets = replace(held, on_left_only=Missing(12_000), on_right_only=Missing(12_000))
    assert "--match-on" in told("id-set", replace(sound(), id_sets=sets)).why


@pytest.mark.parametrize("change", [{"left": 0, "right": 0}, {"by": "sku", "keyless": 3}, {"resting": 1}])
def test_empty_sides_rows_without_a_key_and_sleeping_tenants_prove_nothing(change: dict[str, Any]) -> None:
    held = sound().id_sets
    assert not isinstance(held, NotMeasured)
    assert told("id-set", replace(sound(), id_sets=replace(held, **change))).verdict == "not_measurable"


def test_a_critical_finding_fails_and_is_named_with_the_report_that_has_it() -> None:
    held = sound().health
    assert not isinstance(held, NotMeasured)
    broken = replace(held, critical=(("zero-vectors", "40 rows are zero"),), verdict="broken")
    found = told("critical-findings", replace(sound(), health=broken))
    assert (found.verdict, found.figure) == ("fail", 1)
    assert found.why == (
        "zero-vectors: 40 rows are zero. The check (report r0123) looked at 5,000 of 12,000 rows."
    )
    unkept = told("critical-findings", replace(sound(), health=replace(broken, report=None)))
    assert unkept.why.endswith("The check looked at 5,000 of 12,000 rows.")
    assert unkept.details["report"] is None


def test_what_the_check_could_not_look_at_is_said() -> None:
    held = sound().health
    assert not isinstance(held, NotMeasured)
    unseen = tuple((f"probe {i}", "There was no time.") for i in range(5))
    found = told("critical-findings", replace(sound(), health=replace(held, unmeasured=unseen)))
    assert found.verdict == "pass"
    assert found.why.endswith("It could not look at 5 things: probe 0, probe 1, probe 2 and 2 more.")
    assert found.details["not_measured"][4] == {"check": "probe 4", "why": "There was no time."}
    one = told("critical-findings", replace(sound(), health=replace(held, unmeasured=unseen[:1])))
    assert one.why.endswith("It could not look at one thing: probe 0.")


def test_a_report_that_could_not_look_is_not_measurable() -> None:
    held = sound().health
    assert not isinstance(held, NotMeasured)
    blind = replace(held, verdict="not_known")
    assert told("critical-findings", replace(sound(), health=blind)).verdict == "not_measurable"


@pytest.mark.parametrize(
    ("rows", "untagged", "main", "accepted", "verdict", "figure"),
    [
        ({"": {"v2": 100}}, 0, {"": "v2"}, "", "pass", 0),
        ({"image": {"v2": 50}, "text": {"t1": 50}}, 0, {"image": "v2", "text": "t1"}, "", "pass", 0),
        ({"image": {"v2": 50}, "": {"v1": 5}}, 0, {"image": "v2", "": "v2"}, "", "fail", 5),
        ({"": {"v2": 99, "v1": 1}}, 0, {"": "v2"}, "", "fail", 1),
        ({"": {"v2": 99, "v1": 1}}, 0, {"": "v2"}, "until May", "pass", 1),
        ({"": {"v2": 99, "v1": 1}}, 7, {"": "v2"}, "until May", "not_measurable", 1),
        ({"": {"v2": 99}}, 1, {"": "v2"}, "", "not_measurable", 0),
        ({"": {"v2": 98, "v1": 1}}, 1, {"": "v2"}, "", "fail", 1),
        ({}, 100, {}, "", "not_measurable", 0),
        ({}, 0, {}, "", "not_measurable", 0),
    ],
)
def test_version_mixes(
    rows: dict[str, dict[str, int]],
    untagged: int,
    main: dict[str, str],
    accepted: str,
    verdict: str,
    figure: float,
) -> None:
    versions = Versions("embedding_version", rows, untagged, main, accepted)
    found = told("version-mix", replace(sound(), versions=versions))
    assert (found.verdict, found.figure) == (verdict, figure)


def test_an_accepted_mix_hides_no_rows_without_a_tag() -> None:
    versions = Versions("embedding_version", {"": {"v2": 90, "v1": 10}}, 25, {"": "v2"}, "until May")
    found = told("version-mix", replace(sound(), versions=versions))
    assert found.verdict == "not_measurable"
    assert "Accepted: Until May" in found.why or "Accepted: until May" in found.why
    assert "25 rows do not say which encoder made their vectors (20%, embedding_version)" in found.why


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.96, 0.99, "pass"), (0.95, 0.99, "pass"), (0.94, 0.96, "not_measurable"), (0.90, 0.949, "fail")],
)
def test_recall_goes_by_the_bounds_of_its_interval(low: float, high: float, verdict: str) -> None:
    found = told("recall", replace(sound(), recall=Recall((low + high) / 2, low, high, 200, 10)))
    assert (found.verdict, found.limit, found.interval) == (verdict, 0.95, (low, high))


def test_where_every_row_was_asked_recall_is_what_it_is() -> None:
    """Of eight perfect queries the interval begins at .63: they are all that there are."""
    found = told("recall", replace(sound(), recall=Recall(1.0, 0.63, 1.0, 8, 10, census=True)))
    assert (found.verdict, found.interval) == ("pass", (1.0, 1.0))
    assert "every row was asked" in found.why
    assert told("recall", replace(sound(), recall=Recall(1.0, 0.63, 1.0, 8, 10))).verdict == "not_measurable"
    low = told("recall", replace(sound(), recall=Recall(0.9, 0.6, 1.0, 8, 10, census=True)))
    assert low.verdict == "fail"


@pytest.mark.parametrize(("smallest", "verdict"), [(0.9995, "pass"), (0.9989, "fail"), (-1.0, "fail")])
def test_one_question_that_the_encoder_answers_otherwise_fails(smallest: float, verdict: str) -> None:
    held = sound().canary
    assert not isinstance(held, NotMeasured)
    assert held.questions is not None
    changed = replace(held, questions=replace(held.questions, smallest=smallest))
    found = told("canary", replace(sound(), canary=changed))
    assert (found.verdict, found.figure, found.limit) == (verdict, smallest, 0.999)
    changed = replace(held, rows=Answers(smallest, smallest, 48, "rows embedded again (median)"))
    assert told("canary", replace(sound(), canary=changed)).verdict == verdict


def test_rows_that_do_not_agree_fail_whatever_the_fixed_questions_say() -> None:
    held = sound().canary
    assert not isinstance(held, NotMeasured)
    found = told("canary", replace(sound(), canary=replace(held, rows=Answers(0.1, 0.2, 48, "rows"))))
    assert (found.verdict, found.figure) == ("fail", 0.1)


def test_the_fixed_questions_alone_are_no_pass() -> None:
    held = sound().canary
    assert not isinstance(held, NotMeasured)
    blind = replace(held, rows="they are stored as bytes.")
    found = told("canary", replace(sound(), canary=blind))
    assert found.verdict == "not_measurable"
    assert found.why.startswith(
        "Whether `scenes-v2` made the rows' vectors can't be told: they are stored as bytes. The smallest cosine of 48"
        " fixed questions since "
    )
    first = told("canary", replace(sound(), canary=replace(blind, questions=None, kept=True)))
    assert (first.verdict, first.figure) == ("not_measurable", None)
    assert first.why.endswith(
        "The answers to the fixed questions were kept: later gates compare with them, too."
    )


def test_a_cutoff_that_nothing_reproduces_fails_although_another_way_translates_it() -> None:
    lost = translation(
        "no cutoff reproduces it", by="precision", agreement={"jaccard": 0.6}, best_jaccard=0.65
    )
    found = told("threshold", replace(sound(), thresholds=Thresholds([translation(), lost])))
    assert (found.verdict, found.figure, found.limit) == ("fail", 0.65, 0.8)
    assert found.why == (
        "The cutoff 0.8 becomes 0.71 by equal precision; of what either accepts, 60% are the same, 65% with the cutoff that"
        " agrees best: no cutoff reproduces it."
    )


def test_the_cutoff_that_agrees_best_decides() -> None:
    found = told(
        "threshold", replace(sound(), thresholds=Thresholds([translation(agreement={"jaccard": 0.75})]))
    )
    assert (found.verdict, found.figure) == ("pass", 0.94)


def test_one_cutoff_that_does_not_fit_a_cohort_is_no_counterpart() -> None:
    languages = [{"value": "de", "fits": False}, {"value": "en", "fits": True}, {"value": "fr", "fits": None}]
    one = translation(fits_all=False, cohorts={"language": languages})
    found = told("threshold", replace(sound(), thresholds=Thresholds([one])))
    assert (found.verdict, found.figure) == ("fail", 0.94)
    assert "that one cutoff does not fit language=de: each needs its own" in found.why
    assert found.details["misfits"] == ["language=de"]


@pytest.mark.parametrize(
    ("translations", "why"),
    [
        ([], "No cutoff was named"),
        (
            [translation("not measured", why="40 queries are accepted; 100 are needed.")],
            "40 queries are accepted",
        ),
    ],
)
def test_a_cutoff_that_was_not_asked_for_or_not_measured_is_not_measurable(
    translations: list, why: str
) -> None:
    found = told("threshold", replace(sound(), thresholds=Thresholds(translations)))
    assert found.verdict == "not_measurable"
    assert found.why.startswith(why)


def test_a_way_that_was_not_measured_does_not_undo_one_that_was() -> None:
    found = told(
        "threshold", replace(sound(), thresholds=Thresholds([translation("not measured"), translation()]))
    )
    assert found.verdict == "pass"


def test_a_translation_without_a_new_cutoff_is_told_without_one() -> None:
    one = translation("no cutoff reproduces it", new=None, agreement=None, best_jaccard=None)
    found = told("threshold", replace(sound(), thresholds=Thresholds([one])))
    assert found.why == "The cutoff 0.8 has no counterpart by equal acceptance: no cutoff reproduces it."
    assert (found.figure, found.interval) == (None, None)


def test_equal_answers_of_one_encoder_pass_with_a_small_golden_set_and_equal_scores_alone_do_not() -> None:
    scores = np.linspace(0, 1, 20)
    assert told("quality", judged(scores, scores, same=SAME)).verdict == "pass"
    assert told("cohorts", judged(scores, scores, same=SAME)).verdict == "pass"
    found = told("quality", judged(scores, scores))
    assert found.verdict == "not_measurable"
    assert "About 99 queries would settle it." in found.why
    assert told("cohorts", judged(scores, scores)).verdict == "not_measurable"


def test_a_hundred_queries_with_equal_scores_pass() -> None:
    scores = np.linspace(0, 1, 105)
    found = told("quality", judged(scores, scores))
    assert found.verdict == "pass"
    assert found.interval is not None
    assert found.interval[0] >= -0.03


def test_an_empty_golden_set_is_not_measurable() -> None:
    assert told("quality", judged([], [])).verdict == "not_measurable"
    assert told("cohorts", judged([], [])).verdict == "not_measurable"


def test_the_margin_is_the_settings_one() -> None:
    rng = np.random.default_rng(0)
    left = rng.random(400)
    right = left - 0.05 + rng.normal(0, 0.1, 400)
    assert told("quality", judged(left, right)).verdict == "fail"
    found = told("quality", judged(left, right), margin=0.1)
    assert (found.verdict, found.limit) == ("pass", -0.1)


def test_fewer_judged_hits_on_the_new_side_and_queries_without_an_answer_are_said() -> None:
    left, right = np.full(400, 0.8), np.full(400, 0.6)
    right[::2] = 0.7
    found = told("quality", judged(left, right, judged=(0.9, 0.6), lost=4, unanswered=(1, 6)))
    assert "1 query could not be answered by the old side, and is left out." in found.why
    assert (
        "6 queries could not be answered by the new side (4 of them the old side could: 0 here)." in found.why
    )
    assert (found.details["lost"], found.details["unanswered"]) == (4, [1, 6])
    assert found.verdict == "fail"
    assert "60% of the new side's hits are judged, 90% of the old side's" in found.why
    assert "judged" not in told("quality", judged(left, right, judged=(0.9, 0.88))).why


def test_a_loss_at_the_margin_says_that_more_queries_will_not_help() -> None:
    rng = np.random.default_rng(1)
    left, noise = np.full(2000, 0.7), rng.normal(0, 0.1, 2000)
    right = left - 0.029 + noise - noise.mean()
    found = told("quality", judged(left, right))
    assert found.verdict == "not_measurable"
    assert "the loss lies near the margin" in found.why


def test_a_language_that_is_worse_is_found_while_the_mean_improves() -> None:
    rng = np.random.default_rng(2)
    language = np.array(["de", "en", "fr"])[np.arange(450) % 3]
    left = np.clip(rng.normal(0.6, 0.15, 450), 0, 1)
    right = np.clip(left + rng.normal(0.08, 0.15, 450) - 0.2 * (language == "fr"), 0, 1)
    held = judged(left, right, cohorts=cohort(language.tolist()))
    assert right.mean() > left.mean()
    assert told("quality", held).verdict == "pass"
    found = told("cohorts", held)
    assert found.verdict == "fail"
    assert found.why.startswith("language=fr: -0.1")
    assert found.details["cohorts"][0]["value"] == "fr"
    assert found.figure == pytest.approx((right - left)[language == "fr"].mean())
    assert found.interval is not None
    assert found.interval[1] < 0


def test_a_cohort_below_its_fewest_queries_is_named_and_not_judged() -> None:
    language = ["de"] * 60 + ["fr"] * 29 + ["it"] * 5
    right = np.r_[np.full(60, 0.7), np.full(29, 0.68), np.full(5, 0.9)]
    held = judged(np.full(94, 0.7), right, cohorts=cohort(language))
    found = told("cohorts", held)
    assert found.verdict == "pass"
    assert [c["value"] for c in found.details["cohorts"]] == ["de"]
    assert found.why.endswith("Fewer than 30 queries, not judged: language=fr (29) and language=it (5).")
    assert [(c["value"], c["queries"]) for c in found.details["small"]] == [("fr", 29), ("it", 5)]
    assert found.details["small"][0]["difference"] == pytest.approx(-0.02)


def test_a_small_cohort_that_loses_more_than_the_margin_in_its_mean_is_no_pass() -> None:
    language = ["de"] * 60 + ["fr"] * 29
    right = np.r_[np.full(60, 0.7), np.full(29, 0.0)]
    held = judged(np.full(89, 0.7), right, cohorts=cohort(language))
    found = told("cohorts", held)
    assert found.verdict == "not_measurable"
    assert found.why.startswith("language=fr loses 0.700 in the mean, more than 0.05, with too few queries")
    assert told("cohorts", held, queries=29).verdict == "fail"


def test_a_big_loss_in_the_mean_of_a_cohort_is_no_pass_however_wide_its_interval() -> None:
    rng = np.random.default_rng(9)
    groups = [f"g{i % 3}" for i in range(90)]
    values = rng.normal(0, 0.37, 90).clip(-0.5, 0.5)
    for name, mean in (("g0", 0.05), ("g1", -0.112), ("g2", 0.02)):
        mine = np.array(groups) == name
        values[mine] += mean - values[mine].mean()
    found = told("cohorts", judged(np.full(90, 0.5), 0.5 + values, cohorts=cohort(groups)))
    assert found.interval is not None
    assert found.figure == pytest.approx(-0.112)
    assert found.interval[0] < -0.24 < 0.02 < found.interval[1]
    assert found.verdict == "not_measurable"
    assert found.details["queries_needed"] > 200


def test_of_twelve_equal_cohorts_one_may_lose_more_than_the_margin_by_chance_and_that_is_said() -> None:
    rng = np.random.default_rng(18)
    groups = [f"g{i % 12}" for i in range(360)]
    values = rng.normal(0, 0.2, 360)
    for i in range(12):
        mine = np.array(groups) == f"g{i}"
        values[mine] += (-0.07 if i == 5 else 0.01) - values[mine].mean()
    found = told("cohorts", judged(np.full(360, 0.5), 0.5 + values, cohorts=cohort(groups)))
    assert found.verdict == "pass"
    assert "by no more than chance makes the worst of 12 lose" in found.why


def test_a_value_of_every_query_is_no_cohort_and_is_not_called_a_lack_of_queries() -> None:
    every = {"language": ["de"] * 80}
    found = told("cohorts", judged(np.full(80, 0.7), np.full(80, 0.5), cohorts=every))
    assert found.verdict == "not_measurable"
    assert found.why == (
        "Every query is of language=de: no part of the golden set is told from the rest of it."
    )
    some = {**every, "tag": ["hard"] * 9 + [None] * 71}
    found = told("cohorts", judged(np.full(80, 0.7), np.full(80, 0.7), cohorts=some))
    assert found.why == (
        "No cohort of the golden set has 30 queries, but for language=de, which every query is of."
        " Fewer than 30 queries, not judged: tag=hard (9)."
    )
    found = told("cohorts", judged(np.full(80, 0.7), np.full(80, 0.7), cohorts={"tag": [None] * 80}))
    assert found.why == "No cohort of the golden set has 30 queries."


def test_a_value_that_only_a_part_of_the_queries_carry_is_a_cohort_although_its_field_has_no_other() -> None:
    """Of 1,000 queries 40 are tagged, and 15 of these are lost: the mean loses less than the margin."""
    tags = {"tag": ["hard"] * 40 + [None] * 960, "language": ["de", "en"] * 500}
    right = np.full(1_000, 1.0)
    right[:15] = 0.0
    held = judged(np.full(1_000, 1.0), right, cohorts=tags)
    assert told("quality", held).verdict == "pass"
    found = told("cohorts", held)
    assert found.verdict == "fail"
    assert found.why.startswith("tag=hard: -0.375 (95% interval")
    assert "for all 3 cohorts together, 40 queries" in found.why
    few = judged(np.full(1_000, 1.0), right, cohorts={"tag": ["hard"] * 20 + [None] * 980})
    found = told("cohorts", few)
    assert found.verdict == "not_measurable"
    assert found.why.endswith("Fewer than 30 queries, not judged: tag=hard (20).")


def test_equal_models_fail_no_gate_by_values_that_only_a_part_of_the_queries_carry() -> None:
    rng = np.random.default_rng(4)
    verdicts: list[str] = []
    for _ in range(60):
        tags = {f"t{i}": np.where(rng.permutation(360) < 40, "yes", "") for i in range(8)}
        fields = {name: [v or None for v in values.tolist()] for name, values in tags.items()}
        fields["language"] = [f"g{i % 4}" for i in range(360)]
        right = 0.5 + rng.normal(0, 0.2, 360)
        found = told("cohorts", judged(np.full(360, 0.5), right, cohorts=fields))
        assert len(found.details["cohorts"]) == 12
        verdicts.append(found.verdict)
    assert verdicts.count("fail") <= 1
    assert verdicts.count("pass") >= 52


def test_a_cohort_that_may_be_worse_by_chance_is_neither_pass_nor_fail() -> None:
    rng = np.random.default_rng(8)
    groups = [f"g{i % 8}" for i in range(320)]
    values = rng.normal(0, 0.2, 320)
    mine = np.array(groups) == "g3"
    values[mine] += -0.082 - values[mine].mean()
    found = told("cohorts", judged(np.full(320, 0.5), 0.5 + values, cohorts=cohort(groups)))
    assert found.verdict == "not_measurable"
    assert "it may be chance" in found.why
    assert found.details["queries_needed"] > 40


def test_a_golden_set_of_another_collection_is_not_measurable() -> None:
    """Both sides score 0 on every query, and would be equal."""
    held = judged(
        np.zeros(120), np.zeros(120), same=SAME, keys=120, gone=(120, 120), cohorts=cohort(["de", "en"] * 60)
    )
    for name in ("quality", "cohorts"):
        found = told(name, held)
        assert found.verdict == "not_measurable"
        assert found.why.startswith(
            "120 of the 120 keys that the golden set judges relevant are not on the old side"
        )
        assert (found.details["missing_keys"], found.details["judged_keys"]) == ([120, 120], 120)


def test_judged_keys_that_the_new_side_lacks_are_named_and_many_are_not_measurable() -> None:
    scores = np.linspace(0.2, 1.0, 150)
    found = told("quality", judged(scores, scores, keys=400, gone=(0, 20)))
    assert found.verdict == "pass"
    assert found.why.endswith("20 of 400 keys judged relevant are not on the new side.")
    found = told("quality", judged(scores, scores, keys=400, gone=(0, 21)))
    assert found.verdict == "not_measurable"
    assert "21 of the 400 keys that the golden set judges relevant are not on the new side" in found.why


def test_an_old_side_that_finds_nothing_can_not_be_lost_against() -> None:
    found = told("quality", judged(np.zeros(120), np.full(120, 0.5), keys=240))
    assert found.verdict == "not_measurable"
    assert found.why.startswith(
        "The old side finds nothing that is judged relevant: ndcg@10 is 0 on every one of 120 queries"
    )


def test_where_nothing_was_lost_no_loss_is_said_to_lie_near_the_margin() -> None:
    """At a number of queries that settles it four times in five, one sample in five leaves it open."""
    values = np.r_[np.full(60, -1.0), np.full(61, 1.0), np.zeros(579)]
    found = told("quality", judged(np.full(700, 0.5), 0.5 + values / 2, cohorts={}), margin=0.01)
    assert found.verdict == "not_measurable"
    assert found.figure is not None
    assert found.figure > 0
    assert "near the margin" not in found.why


def test_so_many_queries_as_were_said_to_settle_it_pass_where_nothing_is_lost() -> None:
    scores = np.linspace(0, 1, 20)
    needed = told("quality", judged(scores, scores)).details["queries_needed"]
    for n in range(needed, needed + 40):
        assert told("quality", judged(np.linspace(0, 1, n), np.linspace(0, 1, n))).verdict == "pass"


def test_fewer_searches_than_asked_for_are_not_measurable() -> None:
    times = Latency(np.full(999, 5.0), np.full(999, 50.0), (999, 999))
    assert told("latency", replace(sound(), latency=times)).verdict == "not_measurable"
    assert told("latency", replace(sound(), latency=times), queries=999).verdict == "fail"


@pytest.mark.parametrize(("scale", "verdict"), [(1.0, "pass"), (1.15, "pass"), (2.0, "fail"), (0.4, "pass")])
def test_a_slower_side_fails_by_ratio(scale: float, verdict: str) -> None:
    rng = np.random.default_rng(9)
    times = Latency(rng.gamma(9, 1, 1000), scale * rng.gamma(9, 1, 1000), (1000, 1000))
    found = told("latency", replace(sound(), latency=times))
    assert found.verdict == verdict
    assert found.details["p95_right_ms"] == pytest.approx(np.percentile(times.right, 95))


def test_three_times_slower_within_five_milliseconds_passes() -> None:
    rng = np.random.default_rng(9)
    times = Latency(rng.gamma(9, 0.1, 1000), rng.gamma(9, 0.3, 1000), (1000, 1000))
    found = told("latency", replace(sound(), latency=times))
    assert found.verdict == "pass"
    assert found.figure is not None
    assert found.figure > 2.5


def test_a_side_that_may_be_slower_is_no_pass_although_its_ratio_lies_below_the_line() -> None:
    rng = np.random.default_rng(3)
    left, right = 20 * rng.gamma(2, 1, 150), 20 * rng.gamma(2, 1, 150)
    times = Latency(left, right * 1.18 * np.quantile(left, 0.95) / np.quantile(right, 0.95), (150, 150))
    found = told("latency", replace(sound(), latency=times), queries=100)
    assert found.figure == pytest.approx(1.18)
    assert found.interval is not None
    assert found.interval[1] > 1.2
    assert found.details["most_ms"] > 5
    assert found.verdict == "not_measurable"


def test_rows_that_were_searched_with_again_and_again_are_said() -> None:
    held = sound().latency
    assert not isinstance(held, NotMeasured)
    found = told("latency", replace(sound(), latency=replace(held, rows=(8, 60))))
    assert "with 8 different rows that came again and again" in found.why
    assert found.details["different_rows"] == [8, 60]
    assert "again" not in told("latency", sound()).why
