"""The page Health without a browser: what it says in each state, and what it never does."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from connectors.errors import PlumblineError
from console.health import registry
from console.health.options import CheckOptions
from console.jobs.model import Run
from console.settings import Address
from console.store import Store
from console.ui import actions, board, health_baseline, health_card, health_history, serving, session
from console.ui.health_sparks import Spark, said
from tests.ui.pretend import Held, Pretend
from tests.ui.reports import EVIL, Made, finding, healthy, report

App = Callable[..., AppTest]
Open = Callable[..., dict[str, Pretend]]
A = "alive/things#clip"


@dataclass
class Pretended:
    """Readings without processes."""

    held: dict[str, Run] = field(default_factory=dict)
    options: list[CheckOptions] = field(default_factory=list)

    def submit(self, address: Address, options: CheckOptions) -> str:
        self.options.append(options)
        name = f"20261121T00000{len(self.held)}-00000000"
        now = time.time()
        self.held[name] = Run(name, str(address), options.to_json(), "running", now, heartbeat=now)
        return name

    def progress(self, run: str) -> Run:
        return self.held[run]

    def cancel(self, run: str) -> None:
        self.held[run] = replace(self.held[run], state="cancelled", ended=time.time())

    def active(self) -> Sequence[Run]:
        return [r for r in self.held.values() if r.active]

    def latest(self, address: Address) -> Run | None:
        return next((r for r in reversed(self.held.values()) if r.address == str(address)), None)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    made = Pretended()
    monkeypatch.setattr(actions, "runs", lambda: made)
    yield made
    Store.open(session.workspace()).close()


@pytest.fixture
def things(pretend: Open, readings: Pretended) -> Pretend:
    made = pretend("alive")["alive"]
    made.held["things"] = Held(
        [(i, [1.0, 0.0, 0.0, 0.0], {"caption": f"row {i}", "source": "camera-3"}) for i in range(6)]
    )
    return made


def save(*made: Made) -> None:
    for one in made:
        Store.open(session.workspace()).save(one)


def texts(test: AppTest) -> str:
    kinds = (test.text, test.markdown, test.caption, test.code, test.header, test.subheader)
    return "\n".join(str(e.value) for kind in kinds for e in kind)


def settled(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception
    assert "could not be drawn" not in texts(test)
    return test


def test_without_a_report_it_says_what_would_be_here_and_scans_nothing(app: App, things: Pretend) -> None:
    test = settled(app("health", a=A))
    assert "Not checked yet" in texts(test)
    assert f"plumbline check {A}" in texts(test)
    assert not {"scan", "sample", "search", "fetch", "facet", "count", "describe"} & set(things.calls)
    assert not test.button(key="health.check").disabled


def test_the_last_report_is_shown_and_nothing_is_asked_of_the_database(app: App, things: Pretend) -> None:
    save(report(A))
    test = settled(app("health", a=A))
    said = texts(test)
    assert "1 root cause, 1 symptom" in said
    assert ":red-badge[:material/error: Broken]" in said
    assert "1,012 of 5,000 rows, all from source = camera-3" in said
    assert '{"equals": {"field": "source", "value": "camera-3"}}' in said
    assert "Bring these rows to length 1" in said
    assert "Boilerplate, known since March." in said
    assert "There is no baseline." in said
    shown = {m.label: (m.value, m.delta) for m in test.metric}
    assert shown["Zero vectors"] == ("0", "at most 0.074%")
    assert shown["Duplicates"] == ("12", "in the sample")
    assert shown["Not finite"][0] == "3"
    assert shown["Rows"] == ("18,000", "5,000 read")
    assert not {"scan", "sample", "search", "fetch", "facet", "count", "describe"} & set(things.calls)
    assert test.query_params["a"] == A


def test_an_accepted_cause_of_what_counts_leads_with_its_reason(app: App, things: Pretend) -> None:
    """The badge says broken, so the page shows by what: the symptom below the cause that somebody accepted."""
    made = report(A).data["findings"]
    known = {**made[0], "accepted": {"reason": "The old camera", "until": "2027-01-31"}}
    save(report(A, findings=[{**made[1], "severity": "critical"}, made[2], known, made[3]]))
    said = texts(settled(app("health", a=A)))
    assert "1 accepted root cause, 1 symptom" in said
    assert "No fault found" not in said
    assert "Accepted: The old camera, until 2027-01-31." in said
    assert said.count(":gray-badge[:material/check: Accepted]") == 2
    assert "critical" not in said.lower().replace("critical-", "")
    assert said.count("The old camera") == 1


def test_an_acceptance_that_is_over_is_said_on_the_card(app: App, things: Pretend) -> None:
    made = report(A).data["findings"]
    once = {"reason": "The old camera", "group": None, "until": "2027-01-31", "address": A}
    save(report(A, findings=[{**made[0], "accepted_expired": once}, *made[1:]]))
    said = texts(settled(app("health", a=A)))
    assert "Accepted until 31 Jan 2027 (The old camera); counts again since." in said
    assert ":red-badge[:material/error: Critical]" in said


def test_a_symptom_of_nothing_that_leads_is_still_on_the_page(app: App, things: Pretend) -> None:
    made = report(A).data["findings"]
    save(report(A, root_ids=[], root_causes=[], findings=[{**made[1], "because_of_ids": ["gone"]}]))
    assert made[1]["summary"] in texts(settled(app("health", a=A)))


def test_a_healthy_report_says_what_it_does_not_see(app: App, things: Pretend) -> None:
    save(healthy(A))
    said = texts(settled(app("health", a=A)))
    assert ":green-badge[:material/check_circle: Healthy]" in said
    assert "No fault found in a sample of 5,000" in said
    assert "lengths are 1" in said


@pytest.mark.parametrize(
    "changes",
    [
        {"charts": {}},
        {"charts": None, "profile": {}, "limits": None, "fields": None, "headline": ""},
        {"rows": 0, "scanned": 0, "exact": True, "verdict": "not_known", "findings": [], "root_ids": []},
        {"rows": None},
        {"verdict": "of a later version"},
        {"root_ids": ["gone"]},
        {"not_measured": [], "server": None},
    ],
    ids=range(7),
)
def test_a_report_that_lacks_parts_is_drawn_all_the_same(
    changes: dict[str, Any], app: App, things: Pretend
) -> None:
    save(report(A, **changes))
    settled(app("health", a=A))


def test_hostile_words_reach_the_page_as_text_only(app: App, things: Pretend) -> None:
    hostile = finding(
        EVIL, id=EVIL, fault=EVIL, summary=EVIL, group={"field": EVIL, "value": EVIL, "rows": 1, "precision": 1.0, "recall": 1.0},
        evidence={EVIL: [EVIL, {EVIL: EVIL}]}, remedy={"action": EVIL, "text": EVIL}, since=EVIL,
    )  # fmt: skip
    folded = finding("norm-drift", id="x", summary=EVIL, because_of_ids=[EVIL])
    known = finding("norm-drift", id="y", accepted={"reason": EVIL, "until": EVIL}, fault=EVIL)
    charts = report(A).data["charts"]
    series = [{"value": EVIL, "kind": "value", "rows": 5, "counts": [1] * 48},
              {"value": EVIL + "2", "kind": "value", "rows": 5, "counts": [2] * 48}]  # fmt: skip
    charts = {
        **charts,
        "norms": {**charts["norms"], "groups": {EVIL: series}},
        "figures": [{**charts["figures"][0], "name": EVIL, "code": EVIL}],
        "index": {"status": EVIL, "why": EVIL, "storage": EVIL},
    }
    save(
        report(
            A,
            findings=[hostile, folded, known],
            root_ids=[EVIL],
            root_causes=[EVIL],
            headline=EVIL,
            charts=charts,
            not_measured=[{"check": EVIL, "why": EVIL}],
            server={"kind": EVIL, "version": EVIL},
            limits=[EVIL],
        )
    )
    test = settled(app("health", a=A))
    kinds = (
        test.markdown,
        test.caption,
        test.header,
        test.subheader,
        test.metric,
        test.expander,
        test.button,
    )
    marked = [
        str(e.value if hasattr(e, "value") else "") + str(getattr(e, "label", "")) for k in kinds for e in k
    ]
    assert not any("evil.example" in text for text in marked)
    for chart in test.get("plotly_chart"):
        assert "<script>" not in chart.proto.spec or "&lt;script&gt;" in chart.proto.spec
        assert "![x](http://evil.example/a.png) <script>" not in chart.proto.spec
    assert "alert(1)" in texts(test)


def test_check_now_starts_one_run_and_shows_how_far_it_is(
    app: App, things: Pretend, readings: Pretended
) -> None:
    test = settled(app("health", a=A))
    test.button(key="health.check").click()
    settled(test)
    assert len(readings.held) == 1
    (name,) = readings.held
    assert readings.held[name].address == A
    assert readings.options[0] == CheckOptions()
    readings.held[name] = replace(
        readings.held[name],
        phase="Reading rows",
        done=12_000,
        total=1_000_000,
        rate=45_000.0,
        eta_seconds=22.0,
    )
    settled(test)
    said = texts(test)
    assert "Reading rows" in said
    assert "12,000 of 1,000,000, 45,000 rows a second, 22 s left" in said
    assert test.button(key="health.check").disabled
    other = settled(app("health", a=A))
    assert "Reading rows" in texts(other)
    other.button(key="health.cancel").click()
    settled(other)
    assert "was cancelled" in texts(other)
    assert not other.button(key="health.check").disabled


def test_the_form_asks_for_what_it_says(app: App, things: Pretend, readings: Pretended) -> None:
    save(report(A))
    test = settled(app("health", a=A))
    test.number_input(key="h.sample").set_value(700)
    test.multiselect(key="h.groups").set_value(["source"])
    settled(test)
    test.button(key="health.check").click()
    settled(test)
    assert readings.options[-1] == CheckOptions(sample=700, group_by=("source",))
    (name,) = readings.held
    readings.cancel(name)
    test.toggle(key="h.full").set_value(True)
    settled(test)
    test.button(key="health.check").click()
    settled(test)
    assert readings.options[-1].full


def test_rate_and_expected_rows_stand_under_more(app: App, things: Pretend, readings: Pretended) -> None:
    save(report(A))
    test = settled(app("health", a=A))
    assert "More" in [e.label for e in test.expander]
    test.number_input(key="h.rate").set_value(2_000)
    test.number_input(key="h.expected").set_value(18_500)
    settled(test)
    assert "More (2 set)" in [e.label for e in test.expander]
    test.button(key="health.check").click()
    settled(test)
    assert readings.options == [CheckOptions(rate=2_000.0, expected_rows=18_500)]
    assert "A sample of 5,000 rows, at most 2,000 a second: begun" in texts(settled(test))


def test_baseline_fields_rows_and_seed_stand_under_more(
    app: App, things: Pretend, readings: Pretended
) -> None:
    earlier = healthy(A, 1, at="2026-11-01T00:00:00+00:00")
    save(earlier, report(A, 2))
    test = settled(app("health", a=A))
    assert test.selectbox(key="h.baseline").options == [
        "The latest report", "No baseline", test.selectbox(key="h.baseline").options[2], "1 Nov 2026, 00:00 UTC, healthy"
    ]  # fmt: skip
    test.selectbox(key="h.baseline").set_value(earlier.id)
    test.selectbox(key="h.version").set_value("embedding_version")
    test.selectbox(key="h.modality").set_value("source")
    test.number_input(key="h.seed").set_value(7)
    settled(test)
    assert "More (4 set)" in [e.label for e in test.expander]
    test.button(key="health.check").click()
    settled(test)
    assert readings.options[-1] == CheckOptions(
        baseline=earlier.id, version_field="embedding_version", modality_field="source", seed=7
    )
    readings.cancel(next(iter(readings.held)))
    test.toggle(key="h.same").set_value(True)
    test.selectbox(key="h.baseline").set_value(None)
    settled(test)
    assert test.number_input(key="h.sample").disabled
    assert test.toggle(key="h.full").disabled
    test.button(key="health.check").click()
    settled(test)
    made = readings.options[-1]
    assert (made.sample, made.sample_of, made.baseline, made.full) == (None, report(A, 2).id, None, False)
    assert "The rows of an earlier report: begun" in texts(settled(test))


def test_a_report_of_every_row_has_no_sample_to_read_again(
    app: App, things: Pretend, readings: Pretended
) -> None:
    save(report(A, exact=True, scanned=18_000))
    test = settled(app("health", a=A))
    assert test.toggle(key="h.same").disabled
    assert settled(app("health", a="alive/others")).toggle(key="h.same").disabled


def test_a_baseline_of_another_collection_is_not_carried_over(
    app: App, things: Pretend, readings: Pretended
) -> None:
    things.held["others"] = Held()
    save(report(A, 1), healthy("alive/others#clip", 2))
    test = settled(app("health", a=A))
    test.selectbox(key="h.baseline").set_value(report(A, 1).id)
    settled(test)
    test.selectbox(key="h.collection").set_value("alive/others")
    settled(test)
    assert test.selectbox(key="h.baseline").value is None
    test.button(key="health.check").click()
    settled(test)
    assert readings.options[-1].baseline is None


def test_what_was_asked_of_one_collection_is_not_asked_of_the_next(
    app: App, things: Pretend, readings: Pretended
) -> None:
    things.held["others"] = Held([(0, [1.0, 0.0, 0.0, 0.0], {"caption": "x"})])
    save(report(A))
    test = settled(app("health", a=A))
    for key, value in (("h.rate", 2_000), ("h.expected", 18_500), ("h.seed", 7)):
        test.number_input(key=key).set_value(value)
    test.selectbox(key="h.version").set_value("embedding_version")
    test.selectbox(key="h.modality").set_value("source")
    test.multiselect(key="h.groups").set_value(["source"])
    test.toggle(key="h.same").set_value(True)
    settled(test)
    test.selectbox(key="h.collection").set_value("alive/others")
    settled(test)
    test.button(key="health.check").click()
    settled(test)
    assert readings.options == [CheckOptions()]
    assert next(iter(readings.held.values())).address.startswith("alive/others")


def test_a_failed_check_shows_its_error_above_the_last_report(
    app: App, things: Pretend, readings: Pretended
) -> None:
    save(report(A))
    run = readings.submit(Address("alive", "things", vector="clip"), CheckOptions())
    error = {"code": "unreachable", "message": "No answer.", "where": "alive", "hint": "Start the server."}
    readings.held[run] = replace(readings.held[run], state="failed", error=error, ended=time.time())
    test = settled(app("health", a=A))
    said = texts(test)
    assert "No answer." in said
    assert "Start the server." in said
    assert "1 root cause" in said
    test.button(key="health.put_away").click()
    settled(test)
    assert "No answer." not in texts(test)
    save(report(A, 2, ago=timedelta(seconds=-5)))
    assert "No answer." not in texts(settled(app("health", a=A)))


@pytest.mark.parametrize("name", ["20261121-040001-00000001", "20261121T040001Z00000001"])
def test_a_link_to_a_report_shows_that_one(name: str, app: App, things: Pretend) -> None:
    """Of an earlier version's form of id, too."""
    first, second = report(A, 1, ago=timedelta(days=2), id=name), healthy(A, 2)
    save(first, second)
    assert "Healthy" in texts(settled(app("health", a=A)))
    test = settled(app("health", report=first.id))
    assert "An earlier report" in texts(test)
    assert "Broken" in texts(test)
    assert test.query_params["a"] == A
    test.button(key="health.newest").click()
    settled(test)
    assert "An earlier report" not in texts(test)
    assert "report" not in test.query_params


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"a": "no address"}, "usage"),
        ({"report": "../x"}, "usage"),
        ({"a": A, "report": "gone"}, "not-found"),
    ],
)
def test_a_link_that_leads_nowhere_says_so(
    params: dict[str, str], code: str, app: App, things: Pretend
) -> None:
    test = settled(app("health", **params))
    assert any(str(c.value).startswith(code) for c in test.code)


def test_a_link_to_a_report_that_is_gone_shows_the_newest_with_the_error(app: App, things: Pretend) -> None:
    save(report(A))
    test = settled(app("health", a=A, report="gone"))
    assert any(str(c.value).startswith("not-found") for c in test.code)
    assert "Broken" in texts(test)
    assert "1 root cause" in texts(test)
    settled(test)
    assert "report" not in test.query_params


def test_rows_are_fetched_when_asked_for_and_not_before(app: App, things: Pretend) -> None:
    save(report(A))
    test = settled(app("health", a=A))
    assert "fetch" not in things.calls
    test.button(key="health.card.0.show").click()
    settled(test)
    assert "fetch" in things.calls


def test_the_export_holds_what_the_check_wrote_down_else_the_sampled_ids(app: App, things: Pretend) -> None:
    import json

    from console.jobs import rows
    from console.ui import health_rows

    made = report(A)
    first = made.data["findings"][0]
    assert health_card.exported(made.data, first) == "Export 3 of 1,012 ids"
    assert health_card.exported(made.data, {**first, "rows": None}) == "Export 3 ids"
    assert health_card.exported(made.data, {**first, "rows": 3}) == "Export the affected rows"
    lines = [
        json.loads(line) for line in health_rows.exporter(made.data, made.data["findings"][0])().splitlines()
    ]
    assert [line["id"] for line in lines[1:]] == [0, 2, 4]
    assert lines[0]["every"] is False
    place = rows.place(session.workspace().home, made.id)
    assert place is not None
    place.parent.mkdir(parents=True)
    held = [{"header": True, "every": True, "rows": "every affected row"},
            {"id": 9, "codes": ["norm-drift"]}, {"id": 8, "codes": ["version-mix"]}]  # fmt: skip
    place.write_text("".join(json.dumps(h) + "\n" for h in held))
    lines = [
        json.loads(line) for line in health_rows.exporter(made.data, made.data["findings"][0])().splitlines()
    ]
    assert [line.get("id") for line in lines] == [None, 9]
    assert lines[0]["affected"] == 1
    assert health_card.exported(made.data, first) == "Export the affected rows"
    held[0]["findings"] = ["version-mix"]
    place.write_text("".join(json.dumps(h) + "\n" for h in held))
    others = health_rows.lines(made.data, made.data["findings"][0])
    assert [line.get("id") for line in others] == [None, 0, 2, 4], "it has no rows in the file"
    assert rows.place(session.workspace().home, "../../x") is None


def test_of_two_findings_of_one_code_each_exports_its_own_rows(app: App, things: Pretend) -> None:
    """Who removes duplicates by such a file must not lose sound rows."""
    import json

    from console.jobs import rows
    from console.ui import health_rows

    some = [
        finding("duplicate-vectors", id=f"duplicate-vectors:{k}", key=k) for k in ("placeholder", "source")
    ]
    made = report(A, findings=some)
    place = rows.place(session.workspace().home, made.id)
    assert place is not None
    place.parent.mkdir(parents=True)
    ids = [str(f["id"]) for f in some]
    held = [{"header": True, "every": True, "affected": 3, "findings": ids},
            {"id": 1, "codes": ["duplicate-vectors"], "findings": ids[:1]},
            {"id": 2, "codes": ["duplicate-vectors"], "findings": ids[1:]},
            {"id": 3, "codes": ["duplicate-vectors"], "findings": ids}]  # fmt: skip
    place.write_text("".join(json.dumps(h) + "\n" for h in held))
    for one, own in zip(some, ([1, 3], [2, 3]), strict=True):
        head, *lines = health_rows.lines(made.data, one)
        assert (head["affected"], head["findings"]) == (2, [one["id"]])
        assert [line["id"] for line in lines] == own


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("norm-drift", "This filter selects exactly the affected rows, 1,012 of those read."),
        ("filter-masking", "This filter selects the rows of that value, 1,012 of those read."),
        ("cohort-gap", "This filter selects the rows of that value, 1,012 of those read."),
    ],
)
def test_the_filter_below_a_finding_is_told_for_what_it_selects(
    code: str, told: str, app: App, things: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where searches fail within the rows of a value, those rows are not at fault."""
    notes: list[str] = []
    monkeypatch.setattr(health_card, "note", lambda lines, key: notes.extend(lines))
    made = report(A).data["findings"]
    save(report(A, findings=[{**made[0], "code": code}]))
    settled(app("health", a=A))
    assert [n for n in notes if n.startswith("This filter")] == [told]


def test_a_visitor_may_check_a_sample_and_change_nothing(
    app: App, things: Pretend, readings: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(report(A))
    monkeypatch.setattr(serving.SERVING, "host", "0.0.0.0")
    test = settled(app("health", a=A))
    assert test.toggle(key="h.full").disabled
    assert test.number_input(key="h.rate").disabled
    assert test.number_input(key="h.expected").disabled
    assert test.number_input(key="h.seed").disabled
    assert test.toggle(key="h.same").disabled
    for name in ("baseline", "version", "modality"):
        assert test.selectbox(key=f"h.{name}").disabled
    assert test.button(key="health.pin").disabled
    assert not test.button(key="health.check").disabled
    address = Address("alive", "things", vector="clip")
    for act in (
        lambda: actions.check_now(address, CheckOptions(sample=None)),
        lambda: actions.check_now(address, CheckOptions(sample=10**9)),
        lambda: actions.check_now(address, CheckOptions(rate=1.0)),
        lambda: actions.check_now(address, CheckOptions(expected_rows=10**9)),
        lambda: actions.check_now(address, CheckOptions(baseline="latest")),
        lambda: actions.check_now(address, CheckOptions(version_field="source")),
        lambda: actions.check_now(address, CheckOptions(modality_field="source")),
        lambda: actions.check_now(address, CheckOptions(sample=None, sample_of=report(A).id)),
        lambda: actions.check_now(address, CheckOptions(seed=7)),
        lambda: actions.set_baseline(address, report(A).id),
        lambda: actions.clear_baseline(address),
    ):
        with pytest.raises(PlumblineError) as fault:
            act()
        assert fault.value.code == "read-only"
    assert readings.options == []
    actions.check_now(address, CheckOptions())
    assert len(readings.options) == 1


def test_the_baseline_is_set_and_forgotten(app: App, things: Pretend) -> None:
    save(report(A))
    test = settled(app("health", a=A))
    assert "No baseline is set" in texts(test)
    test.button(key="health.pin").click()
    settled(test)
    assert "This report is the baseline" in texts(test), texts(test)
    test.button(key="health.unpin").click()
    settled(test)
    assert "No baseline is set" in texts(test)


def test_what_moved_since_the_baseline_is_seen_with_its_number_and_the_next_step(
    app: App, things: Pretend
) -> None:
    """Unfolded, also where it follows from another finding."""
    drop = finding(
        "recall-drop", severity="warning", fault="the index finds less than in the baseline",
        summary="Recall of the index fell from 0.990 in the baseline of 12 Nov 2026 to 0.410.", rows=None, share=None,
        interval=None, sample_ids=[], because_of="norm-drift", because_of_ids=["norm-drift"],
        remedy={"action": "reindex", "text": "Look at what changed in the index since, and build it again."},
    )  # fmt: skip
    made = report(A).data
    figures = [
        {"code": "recall-drop", "key": "", "basis": "probe", "fires": True, "name": "drop of recall@10", "value": 0.58,
         "threshold": 0.05, "low": 0.51, "high": 0.64, "worse": "higher"},
        {"code": "distribution-drift", "key": "panel", "basis": "probe", "fires": False, "name": "rows of the panel",
         "value": 0.0, "threshold": 0.005, "low": 0.0, "high": 0.003, "worse": "higher"},
    ]  # fmt: skip
    save(
        report(
            A,
            baseline="20261112T040000Z00000000",
            findings=[*made["findings"], drop],
            charts={**made["charts"], "figures": figures},
            not_measured=[{"check": "latency-spike", "why": "12 searches were timed; 20 are needed."}],
        )
    )
    test = settled(app("health", a=A))
    said_there = texts(test)
    assert "20261112T040000Z00000000" in said_there
    assert "Recall of the index fell from 0.990 in the baseline of 12 Nov 2026 to 0.410." in said_there
    assert "It follows from norm-drift: mend that first, then check again." in said_there
    assert "If it stays: Rebuild the index. Look at what changed in the index since" in said_there
    table = next(d.value for d in test.dataframe if "Compared" in d.value).set_index("Compared")
    assert list(table.loc["Recall of the index"])[1:] == ["0.58", "0.51 to 0.64", "above 0.05", "Warning"]
    assert table.loc["Vectors of the rows that the baseline kept", "State"] == "Within the line"
    assert table.loc["Time of a search", "State"] == "Not measured"


def test_every_check_against_a_baseline_is_in_its_table() -> None:
    held = {code for code, check in registry.checks().items() if check.stage == "baseline"}
    assert held == set(health_baseline.COMPARED)


def test_history_and_figures_over_time(app: App, things: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 6):
        save(report(A, number, ago=timedelta(days=6 - number), rows=1000 * number))
    drawn: list[Spark] = []
    monkeypatch.setattr(health_history, "sparks", lambda given, key: drawn.extend(given))
    test = settled(app("health", a=A))
    rows = next(s for s in drawn if s.name == "Rows")
    assert (rows.value, rows.beside, rows.line) == ("5,000", "5 reports", (1000, 2000, 3000, 4000, 5000))
    assert said(rows) == "Rows, 5 reports: from 1,000 to 5,000, least 1,000, most 5,000."
    table = next(d.value for d in test.dataframe if "Root causes" in d.value)
    assert list(table["Rows"]) == [5000, 4000, 3000, 2000, 1000]
    assert set(table["Root causes"]) == {"norm-drift"}


def test_a_report_outlives_its_connection_and_a_dead_server(
    app: App, pretend: Open, readings: Pretended
) -> None:
    pretend("alive")["alive"].fault = PlumblineError("unreachable", "No answer.", where="alive")
    save(report(A))
    test = settled(app("health"))
    assert test.query_params["a"] == A
    assert "1 root cause" in texts(test)


def test_a_locked_store_holds_no_page_up_and_is_said(app: App, things: Pretend) -> None:
    """A store without a write-ahead log, as on a network's disk: there a writer keeps readers out."""
    save(report(A))
    settled(app("health", a=A))
    file = session.workspace().home / "store.sqlite3"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("PRAGMA journal_mode = DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        board.board().forget()
        for page in ("health", "overview"):
            began = time.monotonic()
            said_there = texts(settled(app(page, **({"a": A} if page == "health" else {}))))
            assert time.monotonic() - began < 8
            assert "The store is locked by another process." in said_there
            assert "Not checked yet" not in said_there
            assert "None was checked yet" not in said_there
        test = settled(app("health", a=A))
        assert "The history can't be read now" in texts(test)
        holder.execute("ROLLBACK")
    test.button(key="health.again").click()
    assert "1 root cause" in texts(settled(test))


def test_the_worst_is_shown_first(app: App, things: Pretend) -> None:
    things.held["others"] = Held()
    save(healthy("alive/others#clip", 1), report(A, 2))
    assert settled(app("health")).query_params["a"] == A


def test_the_overview_tells_verdict_and_age_from_the_store(app: App, things: Pretend) -> None:
    things.held["others"] = Held()
    save(report(A))
    test = settled(app("overview"))
    table = test.dataframe[0].value
    assert dict(zip(table["Collection"], table["Last report"], strict=True)) == {
        "others": "none yet",
        "things": "Broken, 3 hours ago",
    }
    assert "1 broken" in texts(test)
    assert not {"scan", "sample", "search", "fetch", "count"} & set(things.calls)


def test_two_reports_are_compared_the_earlier_first(app: App, things: Pretend) -> None:
    first, second = healthy(A, 1, at="2026-11-01T00:00:00+00:00"), report(A, 2)
    save(first, second)
    test = settled(app("health", a=A, against=first.id))
    said_there = texts(test)
    assert "Earlier: 1 Nov 2026, 00:00 UTC" in said_there
    assert said_there.index("Earlier: ") < said_there.index("Later: ")
    found = next(d.value for d in test.dataframe if "State" in d.value)
    assert dict(zip(found["Finding"], found["State"], strict=True))["norm-drift"] == "New"
    moved = next(d.value for d in test.dataframe if "Change" in d.value)
    assert dict(zip(moved["Figure"], moved["Change"], strict=True))["not finite"] == "+3"
    other = texts(settled(app("health", a=A, report=first.id, against=second.id)))
    assert "Earlier: 1 Nov 2026, 00:00 UTC" in other


@pytest.mark.parametrize(
    ("ending", "holds"),
    [("json", '"root_causes"'), ("md", "norm-drift"), ("html", "<html"), ("xml", "<testsuite")],
)
def test_a_report_is_had_as_a_file(ending: str, holds: str, things: Pretend) -> None:
    written = health_history._exporter(report(A).data, ending)().decode()
    assert holds in written
    assert "norm-drift" in written
