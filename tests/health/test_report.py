"""The report: its JSON, its verdict, its order, its sentences, what is accepted, and since when."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from connectors.errors import PlumblineError
from console.health.estimating import estimated
from console.health.findings import Effect, Finding, Group, NotMeasured, Remedy
from console.health.jsonable import jsonable
from console.health.leading import limits
from console.health.options import FieldNames
from console.health.policy import Policy
from console.health.probes.poison import Poison
from console.health.report import Report, build, ranked, report_id, verdict_of
from console.health.rowsout import write_rows
from console.health.since import beginning, first_seen
from console.health.wording import moment, percent, plain, value_text, with_group
from console.settings import Accepted, parse_address
from tests.health.building import evidence as built

RULES = Policy("plumbline", "1", {}, {})
AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
CLEAN = {Poison: Poison(needed=False)}
KEYS = {
    "id", "at", "address", "vector", "verdict", "server", "rows", "scanned", "exact", "seed", "baseline", "seconds",
    "profile", "findings", "root_causes", "root_ids", "not_measured", "inferred_versions", "policy",
}  # fmt: skip
FINDING_KEYS = {
    "id", "code", "severity", "summary", "basis", "rows", "rows_estimated", "share", "interval", "group", "effect",
    "since", "sample_ids", "evidence", "because_of", "because_of_ids", "accepted", "remedy",
}  # fmt: skip
PROFILE_KEYS = {
    "dimension", "metric", "norms", "zero", "non_finite", "missing", "duplicates", "versions", "untagged", "groups",
}  # fmt: skip


def world(n: int = 200, **more):
    rng = np.random.default_rng(0)
    payloads = more.pop("payloads", None) or [
        {"source": "camera-3" if i < n // 4 else f"camera-{4 + i % 3}"} for i in range(n)
    ]
    more.setdefault("results", CLEAN)
    return built(rng.normal(size=(n, 8)), payloads, **more)


def finding(code: str = "norm-drift", rows: int = 50, n: int = 200, **more) -> Finding:
    affected = np.zeros(n, np.bool_)
    affected[:rows] = True
    held = {
        "severity": "warning", "basis": "exact", "rows": rows, "share": rows / n, "affected": affected,
        "summary": f"{rows:,} of {n:,} rows have norms of 0.4 to 1.3; the rest are 1.000",
        "remedy": Remedy("renormalize", "Bring these rows to length 1 again. Then check once more."),
        "sample_ids": tuple(range(min(rows, 20))),
    } | more  # fmt: skip
    return Finding(code, **held)


def report(e, *findings: Finding, unmeasured=(), accepted=(), at: datetime = AT) -> Report:
    return build(e, RULES, findings, unmeasured, accepted=accepted, at=at, seconds=1.25)


CAMERA = Group("source", "camera-3", 50, 1.0, 1.0)


class TestContract:
    def test_every_key_is_there_and_the_whole_is_json(self) -> None:
        e = world()
        data = report(
            e,
            finding(
                group=CAMERA, evidence={"worst": np.float32(2.5), "all": np.arange(3), "nan": float("nan")}
            ),
            unmeasured=[
                NotMeasured("low-ann-recall", "Strict mode."),
                NotMeasured("low-ann-recall", "Strict mode."),
            ],
        ).data
        assert set(data) >= KEYS
        assert set(data["findings"][0]) >= FINDING_KEYS
        assert set(data["profile"]) >= PROFILE_KEYS
        assert json.loads(json.dumps(data, allow_nan=False)) == data
        assert data["server"] == {"kind": "weaviate", "version": "1.39.0"}
        assert data["policy"] == {"name": "plumbline", "version": "1"}
        assert data["not_measured"] == [{"check": "low-ann-recall", "why": "Strict mode."}]
        assert data["findings"][0]["evidence"] == {"worst": 2.5, "all": [0, 1, 2], "nan": None}
        assert data["root_causes"] == ["norm-drift"]
        assert data["root_ids"] == ["norm-drift"]
        assert data["findings"][0]["group"] == CAMERA.to_json()
        assert data["findings"][0]["remedy"]["action"] == "renormalize"

    def test_the_time_has_a_zone(self) -> None:
        assert datetime.fromisoformat(report(world()).data["at"]).utcoffset() == timedelta(0)

    def test_ids_sort_by_time_and_differ_between_fields(self) -> None:
        e = world()
        first = report(e).id
        later = report(e, at=AT + timedelta(seconds=1)).id
        other = report(replace(e, address="test/rows#image")).id
        assert first < later
        assert first != other

    def test_a_stored_report_is_drawn_from_its_data(self) -> None:
        made = report(world(), finding())
        again = Report.from_json(json.loads(json.dumps(made.data)))
        assert again.data == made.data
        assert (again.verdict, again.id) == (made.verdict, made.id)
        assert again.findings == ()

    def test_figures_that_are_not_finite_are_null(self) -> None:
        odd = finding(effect=Effect(float("inf"), 1.0, low=float("nan")), interval=(float("nan"), 1.0))
        held = report(world(), odd).data["findings"][0]
        assert held["effect"]["value"] is None
        assert held["effect"]["low"] is None
        assert held["interval"] == [None, 1.0]

    def test_what_json_does_not_know(self) -> None:
        deep: dict = {}
        for _ in range(100):
            deep = {"in": deep}
        out = jsonable({1: {"b"}, "d": date(2026, 1, 2), "deep": deep, "lone": "\ud800", "bytes": b"x"})
        assert out["1"] == ["b"]
        assert out["d"] == "2026-01-02"
        json.dumps(out).encode()


class TestVerdict:
    @pytest.mark.parametrize(
        ("severities", "verdict"),
        [((), "healthy"), (("info",), "healthy"), (("warning", "info"), "degraded"),
         (("critical", "warning"), "broken")],
    )  # fmt: skip
    def test_the_worst_finding_decides(self, severities: tuple, verdict: str) -> None:
        out = report(world(), *(finding(code, severity=s) for code, s in zip("ab", severities, strict=False)))
        assert out.verdict == verdict

    def test_a_file_of_one_node_is_not_called_the_collection(self) -> None:
        note = "The snapshot is of one node of a cluster: shard 1 of 3 is not in it, nor their rows."
        e = world()
        held = replace(e, description=replace(e.description, settings={"snapshot": note}))
        data = report(held).data
        assert note in data["headline"]
        assert "all 200 rows" not in data["headline"]

    def test_nothing_scanned_is_not_known(self) -> None:
        assert report(world(0)).verdict == "not_known"
        assert "no rows" in report(world(0)).data["headline"]

    def test_a_search_that_was_not_possible_is_not_known(self) -> None:
        e = world(
            rows=10_000, exact=False, results={Poison: NotMeasured("non-finite", "JSON cannot carry NaN.")}
        )
        out = report(e)
        assert out.verdict == "not_known"
        assert "JSON cannot carry NaN." in out.data["headline"]
        assert report(e, finding()).verdict == "degraded"

    def test_folded_findings_count(self) -> None:
        root = finding("version-mix", severity="info")
        symptom = finding("collapsed-neighbors", severity="critical", because_of=("version-mix",))
        out = report(world(), root, symptom)
        assert out.verdict == "broken"
        assert out.data["root_causes"] == ["version-mix"]
        assert [f["because_of"] for f in out.data["findings"]] == [None, "version-mix"]
        assert out.data["findings"][0]["symptom_ids"] == ["collapsed-neighbors"]

    def test_information_is_no_root_cause(self) -> None:
        assert report(world(), finding(severity="info")).data["root_causes"] == []

    def test_verdicts_alone(self) -> None:
        assert verdict_of([], 0, "") == "not_known"
        assert verdict_of([finding(severity="critical")], 0, "blind") == "broken"


class TestOrder:
    def test_roots_by_severity_then_share_then_symptoms_then_accepted(self) -> None:
        listed = [
            finding("a", rows=10),
            finding("b", rows=90),
            finding("c", severity="critical", because_of=("b",)),
            finding("d", rows=5, severity="critical"),
            finding("e", severity="critical", accepted={"reason": "known"}),
        ]
        assert [f.code for f in ranked(listed)] == ["d", "b", "a", "c", "e"]
        assert [f.code for f in ranked(listed[::-1])] == ["d", "b", "a", "c", "e"]


def accepted(address: str = "test/rows", code: str = "norm-drift", **more) -> Accepted:
    return Accepted(parse_address(address), code, "the old camera", **more)


class TestAccepted:
    @pytest.mark.parametrize("address", ["test/rows", "test/rows#"])
    def test_an_accepted_finding_is_told_apart(self, address: str) -> None:
        out = report(world(), finding(severity="critical"), accepted=[accepted(address)])
        assert out.verdict == "healthy"
        assert out.data["root_causes"] == []
        assert out.data["findings"][0]["accepted"]["reason"] == "the old camera"
        assert "1 accepted finding" in out.data["headline"]

    @pytest.mark.parametrize(
        ("address", "code"),
        [("test/other", "norm-drift"), ("demo/rows", "norm-drift"), ("test/rows#image", "norm-drift"),
         ("test/rows@tenant", "norm-drift"), ("test/rows", "zero-vectors")],
    )  # fmt: skip
    def test_another_place_or_code_does_not_count(self, address: str, code: str) -> None:
        assert report(world(), finding(), accepted=[accepted(address, code)]).verdict == "degraded"

    def test_the_address_without_tenant_means_all(self) -> None:
        e = replace(world(), address="test/rows@acme#")
        assert report(e, finding(), accepted=[accepted()]).verdict == "healthy"

    def test_an_alias_and_the_real_name_mean_the_same(self) -> None:
        e = world()
        e = replace(
            e,
            address="test/now#",
            description=replace(e.description, aliases=("now", "other"), via_alias="now"),
        )
        for name in ("rows", "now", "other"):
            assert report(e, finding(), accepted=[accepted(f"test/{name}")]).verdict == "healthy"

    @pytest.mark.parametrize(
        ("until", "verdict"),
        [(date(2026, 11, 20), "degraded"), (date(2026, 11, 21), "healthy"), (date(2026, 11, 22), "healthy")],
    )
    def test_the_last_day_counts(self, until: date, verdict: str) -> None:
        out = report(world(), finding(), accepted=[accepted(until=until)])
        assert out.verdict == verdict
        expired = out.data["findings"][0]["accepted_expired"]
        assert (expired is not None) is (verdict == "degraded")

    @pytest.mark.parametrize(
        ("group", "verdict"),
        [("source=camera-3", "healthy"), ("camera-3", "healthy"), ({"field": "source", "value": "camera-3"}, "healthy"),
         ("camera-4", "degraded"), ({"field": "source", "value": "camera-4"}, "degraded"),
         ({"field": "site", "value": "camera-3"}, "degraded")],
    )  # fmt: skip
    def test_one_group_alone(self, group, verdict: str) -> None:
        assert report(world(), finding(group=CAMERA), accepted=[accepted(group=group)]).verdict == verdict

    def test_a_group_that_was_not_named_is_not_accepted(self) -> None:
        assert report(world(), finding(), accepted=[accepted(group="camera-3")]).verdict == "degraded"

    def test_a_symptom_of_an_accepted_cause_counts_and_names_it(self) -> None:
        symptom = finding("collapsed-neighbors", because_of=("norm-drift",))
        out = report(world(), finding(), symptom, accepted=[accepted()])
        assert out.verdict == "degraded"
        assert out.data["root_causes"] == ["norm-drift"]
        assert (
            "This cause is accepted; what follows from it is not, and counts: collapsed-neighbors."
            in out.data["headline"]
        )

    def test_only_an_accepted_cause_is_called_one(self) -> None:
        out = report(world(), finding(), finding("collapsed-neighbors", because_of=("norm-drift",)))
        assert "accepted" not in out.data["headline"]


class TestSentences:
    def test_the_sentence_for_three_in_the_morning(self) -> None:
        n, hour = 3_000, datetime(2026, 11, 19, 22, 10, tzinfo=UTC)
        payloads = [
            {
                "source": "camera-3" if i % 3 == 0 and i > 900 else f"camera-{4 + i % 2}",
                "ingested_at": (hour + timedelta(minutes=i - 903)).isoformat(),
            }
            for i in range(n)
        ]
        names = FieldNames(time="ingested_at", groups=("source",))
        e = built(np.ones((n, 4)), payloads, names=names, results=CLEAN)
        rows = np.array([p["source"] == "camera-3" for p in payloads])
        drift = finding(n=n, rows=50).but(
            summary=f"{rows.sum()} of 3,000 rows have norms of 0.4 to 1.3; the rest are 1.000",
            affected=rows, rows=int(rows.sum()), group=Group("source", "camera-3", int(rows.sum()), 1.0, 1.0),
        )  # fmt: skip
        assert report(e, drift).data["headline"] == (
            "699 of 3,000 rows, all from source=camera-3, have norms of 0.4 to 1.3; the rest are 1.000. "
            "Since 19 Nov 2026 22:10 UTC. Bring these rows to length 1 again."
        )

    def test_where_nothing_tells_since_when_it_says_so(self) -> None:
        assert "Since when is not known." in report(world(), finding()).data["headline"]

    def test_other_roots_are_counted(self) -> None:
        out = report(world(), finding("a"), finding("b"), finding("c", severity="info"))
        assert "1 more root cause below." in out.data["headline"]

    @pytest.mark.parametrize(
        ("group", "told"),
        [
            (
                Group("source", "camera-3", 50, 1.0, 0.97),
                "50 of 200 rows, 97% of them from source=camera-3, have",
            ),
            (Group("embedding_version", "v1", 50, 1.0, 1.0), "50 of 200 rows, all tagged v1, have"),
            (Group("modality", "text", 50, 1.0, 1.0), "50 of 200 rows, all of modality text, have"),
            (Group("live", True, 50, 1.0, 1.0), "50 of 200 rows, all from live=true, have"),
            (Group("day", 3, 50, 1.0, 1.0), "50 of 200 rows, all from day=3, have"),
        ],
    )
    def test_groups_in_words(self, group: Group, told: str) -> None:
        assert with_group(finding(group=group), "embedding_version", "modality").startswith(told)

    def test_rows_of_a_kind_are_rows(self) -> None:
        held = finding(group=CAMERA, summary="50 of 180 tagged rows are foreign")
        assert with_group(held, None, None) == "50 of 180 tagged rows, all from source=camera-3, are foreign"

    def test_a_sentence_without_a_count_gets_the_group_behind_it(self) -> None:
        held = finding(group=CAMERA, summary="Lengths differ.")
        assert with_group(held, None, None) == "Lengths differ. The rows: all from source=camera-3."

    def test_a_group_that_the_check_named_is_not_said_twice(self) -> None:
        held = finding(group=CAMERA, summary="50 of 200 rows, those from camera-3, are long")
        assert with_group(held, None, None) == held.summary

    def test_two_fields_together(self) -> None:
        pair = ({"field": "embedding_version", "value": "v1"}, {"field": "modality", "value": "lidar"})
        told = with_group(finding(evidence={"group_pair": pair}), "embedding_version", "modality")
        assert told.startswith("50 of 200 rows, nearly all tagged v1 and of modality lidar, have")

    def test_where_all_of_them_lie(self) -> None:
        around = {"field": "loader", "value": "b", "rows": 250, "precision": 0.2, "recall": 1.0}
        told = with_group(finding(evidence={"within": around}), "embedding_version", "modality")
        assert told.startswith("50 of 200 rows, all from loader=b (20% of those), have")

    @pytest.mark.parametrize(
        "value",
        [
            "x\n\x1b[31mred\x07",
            "a" * 10_000,
            "\u202eevil\u2066",
            "`rm -rf`|<b>",
            "\x00",
            "\u2028line",
            "\ud800",
        ],
    )
    def test_hostile_values_stay_short_and_plain(self, value: str) -> None:
        payloads = [{"source": value if i < 50 else "fine"} for i in range(200)]
        e = world(payloads=payloads, names=FieldNames(groups=("source",)))
        group = Group("source", value, 50, 1.0, 1.0)
        data = report(e, finding(group=group), unmeasured=[NotMeasured("x", value)]).data
        for sentence in (data["headline"], data["findings"][0]["summary"], data["not_measured"][0]["why"]):
            assert len(sentence) < 800
            assert not re.search(
                "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", sentence
            )
        json.dumps(data, ensure_ascii=False).encode()

    def test_the_groups_value_itself_is_exact(self) -> None:
        group = Group("source", "a" * 500, 50, 1.0, 1.0)
        assert report(world(), finding(group=group)).data["findings"][0]["group"]["value"] == "a" * 500

    @pytest.mark.parametrize(
        ("share", "text"),
        [(0.0, "0%"), (1.0, "100%"), (0.337, "34%"), (0.0123, "1.2%"), (0.00074, "0.07%"), (1e-7, "under 0.01%"),
         (0.9999, "99.99%"), (0.9999999, "over 99.99%"), (0.996, "99.6%"), (0.9951, "99.5%"), (0.99, "99%")],
    )  # fmt: skip
    def test_shares(self, share: float, text: str) -> None:
        assert percent(share) == text

    def test_values_and_times(self) -> None:
        assert value_text("camera-3") == "camera-3"
        assert value_text("two words") == "“two words”"
        assert value_text(True) == "true"
        assert plain("a\tb\n c") == "a b c"
        assert moment("2026-11-19T22:10:00+00:00") == "19 Nov 2026 22:10 UTC"
        assert moment("2026-11-19T22:10:00+02:00") == "19 Nov 2026 22:10 UTC+02:00"
        assert moment("yesterday") == "yesterday"


class TestSamples:
    def test_estimates_for_the_whole_collection(self) -> None:
        e = world(rows=10_000, exact=False)
        held = report(e, finding(basis="sample", interval=(0.19, 0.32))).data["findings"][0]
        assert held["rows"] == 50
        assert held["rows_estimated"] == {"value": 2_500, "low": 1_916, "high": 3_160}
        assert "about 2,500 (1,916 to 3,160)" in held["summary"]

    def test_never_fewer_than_were_seen(self) -> None:
        e = world(rows=210, exact=False)
        assert estimated(finding(basis="sample", interval=(0.19, 0.32)), e) == (52.0, 50.0, 66.0)

    def test_a_full_scan_estimates_nothing(self) -> None:
        assert report(world(), finding()).data["findings"][0]["rows_estimated"] is None

    def test_rows_that_vanish_during_a_full_scan_are_not_estimated(self) -> None:
        e = world(rows=210, exact=True)
        assert e.scan.scanned < e.scan.rows
        assert estimated(finding(), e) is None
        looked = np.ones(e.scan.scanned, np.bool_)
        assert estimated(finding(n=e.scan.scanned, examined=looked), e) is None

    def test_of_rows_that_were_examined_in_part(self) -> None:
        """The reservoir is a random part of a full scan; some other rows are not."""
        e = world(400, reservoir=100)
        examined = np.zeros(400, np.bool_)
        examined[e.reservoir.rows] = True
        held = finding(examined=examined, rows=10, n=400, affected=examined)
        assert estimated(held, e) == (40.0, 20.0, 70.0)
        examined[np.flatnonzero(examined)[0]] = False
        assert estimated(held, e) is None

    def test_rows_that_are_at_fault_in_pairs_are_not_estimated(self) -> None:
        """Of 1,000 rows that are there twice a sample of a tenth holds both of about ten."""
        e = world(rows=10_000, exact=False)
        assert estimated(finding("duplicate-vectors", key="same-source", basis="sample"), e) is None
        assert estimated(finding("duplicate-vectors", basis="sample"), e) is not None

    def test_coverage_of_the_interval(self) -> None:
        """Of 400 samples at least 93% hold the truth in their estimate."""
        rng = np.random.default_rng(5)
        rows, n, true = 20_000, 200, 1_000
        e = world(rows=rows, exact=False)
        inside = tried = 0
        for _ in range(400):
            count = int(rng.hypergeometric(true, rows - true, n))
            if not count:
                continue
            held = estimated(finding(rows=count, share=count / n, basis="sample"), e)
            assert held is not None
            tried += 1
            inside += held[1] <= true <= held[2]
        assert inside / tried >= 0.93

    def test_what_a_sample_cannot_see(self) -> None:
        e = world(rows=40_000, exact=False)
        told = limits(
            replace(e, scan=replace(e.scan, bias="Gaps in the ids weigh more", changed="12 rows came"))
        )
        assert "200 of 40,000" in told[0]
        assert "0.50%" in told[0]
        assert told[-2:] == ["Gaps in the ids weigh more.", "12 rows came."]
        assert limits(world()) == []
        assert "100 random rows of the 400 read" in limits(world(400, reservoir=100))[0]


class TestSince:
    def rows(self, n: int, start: int, share: float = 1.0, seed: int = 0):
        rng = np.random.default_rng(seed)
        affected = np.zeros(n, np.bool_)
        affected[start:] = rng.random(n - start) < share
        return np.arange(n, dtype=np.float64) * 60, affected

    @pytest.mark.parametrize("share", [1.0, 0.5, 0.2])
    def test_the_first_row_after_the_jump(self, share: float) -> None:
        time, affected = self.rows(1_000, 600, share)
        assert beginning(time, affected) == time[np.flatnonzero(affected)[0]]

    def test_a_clock_that_runs_behind_does_not_matter(self) -> None:
        time, affected = self.rows(1_000, 600)
        affected[50] = True
        assert beginning(time, affected) == 600 * 60

    def test_what_was_always_there_has_no_beginning(self) -> None:
        for seed in range(50):
            time, affected = self.rows(1_000, 0, 0.2, seed)
            assert beginning(time, affected) is None

    def test_what_was_there_before_and_grew_has_none(self) -> None:
        time, affected = self.rows(1_000, 600)
        affected[:600:10] = True
        assert beginning(time, affected) is None

    def test_what_ended_began_no_more(self) -> None:
        time, affected = self.rows(1_000, 600)
        assert beginning(time, ~affected) is None

    def test_an_episode_began(self) -> None:
        time, affected = self.rows(1_000, 400)
        affected[500:] = False
        assert beginning(time, affected) == 400 * 60

    def test_few_rows_say_nothing(self) -> None:
        time, affected = self.rows(1_000, 991)
        assert beginning(time, affected) is None

    @pytest.mark.parametrize("n", [0, 1, 2, 10])
    def test_few_rows_altogether(self, n: int) -> None:
        assert beginning(np.arange(n, dtype=np.float64), np.ones(n, np.bool_)) is None

    def test_one_time_for_all_says_nothing(self) -> None:
        _, affected = self.rows(1_000, 600)
        assert beginning(np.zeros(1_000), affected) is None

    def test_rows_of_one_batch_begin_together(self) -> None:
        time, affected = self.rows(1_000, 610)
        assert beginning(np.floor(time / 6_000) * 6_000, affected) == 6 * 6_000

    HISTORY = (
        {"at": "2026-11-20T03:00:00+00:00", "scanned": 9, "findings": [{"id": "norm-drift"}]},
        {"at": "2026-11-19T03:00:00+00:00", "scanned": 0, "findings": []},
        {
            "at": "2026-11-18T03:00:00+00:00",
            "scanned": 9,
            "findings": [],
            "not_measured": [{"check": "norm-drift"}],
        },
        {"at": "2026-11-17T03:00:00+00:00", "scanned": 9, "findings": [{"id": "norm-drift"}]},
        {"at": "2026-11-16T03:00:00+00:00", "scanned": 9, "findings": [{"id": "norm-drift:other"}]},
        {"at": "2026-11-15T03:00:00+00:00", "scanned": 9, "findings": [{"id": "norm-drift"}]},
    )

    def test_the_unbroken_run_of_reports(self) -> None:
        assert first_seen("norm-drift", "norm-drift", self.HISTORY) == "2026-11-17T03:00:00+00:00"
        assert first_seen("zero-vectors", "zero-vectors", self.HISTORY) is None
        assert first_seen("norm-drift", "norm-drift", ()) is None

    def test_reports_tell_where_rows_have_no_time(self) -> None:
        held = report(replace(world(), history=self.HISTORY), finding()).data["findings"][0]
        assert held["since"] == "2026-11-17T03:00:00+00:00"
        assert held["since_basis"] == "reports"
        assert "Seen in every report since 17 Nov 2026 03:00 UTC." in held["summary"]

    def test_not_known(self) -> None:
        held = report(world(), finding()).data["findings"][0]
        assert (held["since"], held["since_basis"]) == (None, None)

    def test_times_that_no_calendar_has(self) -> None:
        e = world()
        e = replace(e, table=replace(e.table, time=np.where(np.arange(200) < 150, 1.0, 1e18)))
        affected = np.arange(200) >= 150
        assert report(e, finding().but(affected=affected)).data["findings"][0]["since"] is None


class TestRowsOut:
    def read(self, path) -> list[dict]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    def test_every_affected_row_of_a_full_scan(self, tmp_path) -> None:
        payloads = [{"source": "camera-3", "embedding_version": "v1" if i % 2 else "v2"} for i in range(200)]
        e = world(payloads=payloads)
        group = Group("source", "camera-3", 200, 1.0, 1.0)
        made = report(e, finding(group=group, rows=50), finding("zero-vectors", rows=2))
        file = tmp_path / "rows.jsonl"
        assert write_rows(file, made) == 50
        header, *rows = self.read(file)
        assert header["header"] is True
        assert header["every"] is True
        assert header["rows"] == "every affected row"
        assert len(rows) == header["affected"] == 50
        assert rows[0] == {
            "id": 0, "codes": ["norm-drift", "zero-vectors"], "findings": ["norm-drift", "zero-vectors"], "norm": pytest.approx(float(e.table.norm[0])),
            "version": "v2", "group": {"field": "source", "value": "camera-3"},
        }  # fmt: skip
        assert rows[3]["codes"] == ["norm-drift"]
        assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]

    def test_two_findings_of_one_code_are_told_apart(self, tmp_path) -> None:
        first, second = np.arange(200) < 3, np.arange(200) == 5
        made = report(
            world(),
            finding("duplicate-vectors", key="placeholder", affected=first, rows=3),
            finding("duplicate-vectors", key="source", affected=second, rows=1),
        )
        write_rows(tmp_path / "rows.jsonl", made)
        header, *rows = self.read(tmp_path / "rows.jsonl")
        ids = {f["key"]: f["id"] for f in made.data["findings"]}
        assert set(header["findings"]) == set(ids.values())
        assert [(r["id"], r["codes"], r["findings"]) for r in rows] == [
            *((i, ["duplicate-vectors"], [ids["placeholder"]]) for i in range(3)),
            (5, ["duplicate-vectors"], [ids["source"]]),
        ]

    def test_a_sample_says_so(self, tmp_path) -> None:
        file = tmp_path / "rows.jsonl"
        write_rows(file, report(world(rows=5_000, exact=False), finding(basis="sample")))
        header = self.read(file)[0]
        assert header["every"] is False
        assert header["rows"] == "the affected rows of the sample"

    def test_what_was_examined_in_part_is_named(self, tmp_path) -> None:
        file = tmp_path / "rows.jsonl"
        examined = np.arange(200) < 100
        write_rows(file, report(world(), finding("encoder-mismatch", examined=examined)))
        header = self.read(file)[0]
        assert header["every"] is False
        assert header["examined_in_part"] == ["encoder-mismatch"]

    def test_a_length_that_is_not_finite_is_null_and_uuids_are_text(self, tmp_path) -> None:
        file = tmp_path / "rows.jsonl"
        matrix = np.full((2, 4), np.nan)
        e = built(
            matrix, ids=["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"]
        )
        write_rows(file, report(e, finding("non-finite", n=2, rows=2)))
        rows = self.read(file)[1:]
        assert [r["norm"] for r in rows] == [None, None]
        assert rows[0]["id"] == "00000000-0000-0000-0000-000000000001"

    def test_nothing_affected_is_a_header_alone(self, tmp_path) -> None:
        file = tmp_path / "rows.jsonl"
        assert write_rows(file, report(world())) == 0
        assert len(self.read(file)) == 1

    def test_an_old_file_is_replaced_whole(self, tmp_path) -> None:
        file = tmp_path / "rows.jsonl"
        file.write_text("old")
        write_rows(file, report(world()))
        assert self.read(file)[0]["header"] is True

    def test_a_folder_that_is_not_there(self, tmp_path) -> None:
        with pytest.raises(PlumblineError) as fault:
            write_rows(tmp_path / "no" / "rows.jsonl", report(world()))
        assert fault.value.code == "usage"
        assert list(tmp_path.iterdir()) == []

    def test_a_stored_report_has_no_rows(self, tmp_path) -> None:
        stored = Report.from_json(report(world(), finding()).data)
        with pytest.raises(PlumblineError) as fault:
            write_rows(tmp_path / "rows.jsonl", stored)
        assert fault.value.code == "unsupported"


def test_an_address_that_is_a_file_is_kept_as_it_is() -> None:
    e = replace(world(), address="snapshot:some.snapshot#clip")
    assert report(e, finding(), accepted=[accepted()]).data["address"] == "snapshot:some.snapshot#clip"


def test_an_id_is_one_word_and_sorts_by_time_after_those_of_earlier_versions() -> None:
    """A word as browsers and terminals select it: letters and digits alone."""
    made = report_id("demo/scenes#clip", AT, 4.2)
    assert re.fullmatch(r"20261121T030000Z[0-9a-f]{8}", made)
    assert made != report_id("demo/scenes#other", AT, 4.2)
    later = report_id("demo/scenes#clip", AT + timedelta(seconds=1), 4.2)
    assert sorted([later, made, "20261121-030000-9f3c21ab"]) == ["20261121-030000-9f3c21ab", made, later]
