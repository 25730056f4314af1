"""Reports as table, Markdown, HTML and JUnit: complete, in order, and deaf to hostile payloads."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from console.health import registry
from console.health.compare_reports import compare, lines
from console.health.render import to_html, to_json, to_junit, to_markdown, to_table
from console.health.render.markdown import code, text

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> [a](javascript:alert(1)) ![p](https://evil.example/p.png)"
    " https://evil.example www.evil.example @everyone #1 evil@evil.example <https://evil.example> `x` | **b** ]]>"
    " \x00\x1b[31m\u202etxt\u2028 &lt; $x$ -->\ud800 {{7*7}} \"'"
)


def finding(code: str = "norm-drift", **more: Any) -> dict[str, Any]:
    return {
        "id": code,
        "code": code,
        "key": "",
        "severity": "critical",
        "summary": f"1,012 of 3,000 rows, all from source=camera-3, have norms of 0.4 to 1.3 ({code})",
        "basis": "exact",
        "rows": 1012,
        "share": 1012 / 3000,
        "interval": [0.32, 0.36],
        "group": None,
        "effect": {"name": "median", "value": 0.52, "threshold": 0.01, "low": 0.5, "high": 0.54},
        "since": None,
        "sample_ids": list(range(20)),
        "evidence": {"median_norm": 0.8123456, "shares": {"a": 0.25}, "none": None},
        "because_of": None,
        "because_of_ids": [],
        "accepted": None,
        "remedy": {"action": "renormalize", "text": "Bring the rows to length 1."},
        **more,
    }


def report(**more: Any) -> dict[str, Any]:
    findings = [
        finding(),
        finding("low-ann-recall", severity="warning", because_of="norm-drift", because_of_ids=["norm-drift"]),
        finding("untagged-rows", severity="info"),
        finding(
            "duplicate-vectors", severity="warning", accepted={"reason": "products", "until": "2027-01-01"}
        ),
    ]
    return {
        "id": "r6g3k9x2aq7t",
        "at": "2026-11-19T22:10:00+00:00",
        "address": "prod/rows#clip",
        "vector": "clip",
        "verdict": "broken",
        "headline": "1,012 of 3,000 rows were never normalised.",
        "server": {"kind": "qdrant", "version": "1.18.3"},
        "rows": 3000,
        "scanned": 3000,
        "exact": True,
        "seed": None,
        "baseline": None,
        "seconds": 4.25,
        "profile": {"norms": {"mean": 0.9, "std": 0.1}, "zero": 0, "versions": {"v1": 10, "v2": 2}},
        "findings": findings,
        "root_causes": ["norm-drift"],
        "root_ids": ["norm-drift"],
        "not_measured": [{"check": "encoder-mismatch", "why": "No encoder was asked for."}],
        "limits": ["Shares are exact."],
        "policy": {"name": "plumbline", "version": "1"},
        **more,
    }


def hostile() -> dict[str, Any]:
    spoiled = finding(
        summary=HOSTILE,
        evidence={HOSTILE: HOSTILE, "list": [HOSTILE], "deep": {"a": {"b": HOSTILE}}},
        sample_ids=[HOSTILE],
        remedy={"action": "renormalize", "text": HOSTILE},
        group={"field": HOSTILE, "value": HOSTILE},
        effect={"name": HOSTILE, "value": float("nan"), "threshold": 1.0, "low": None, "high": None},
        accepted=None,
    )
    known = finding("zero-vectors", accepted={"reason": HOSTILE, "until": HOSTILE}, summary=HOSTILE)
    return report(
        address=f"prod/{HOSTILE}#x",
        headline=HOSTILE,
        findings=[spoiled, known],
        limits=[HOSTILE],
        not_measured=[{"check": HOSTILE, "why": HOSTILE}],
        profile={"versions": {HOSTILE: 3}, "untagged": 2},
        server={"kind": HOSTILE, "version": HOSTILE},
        policy={"name": HOSTILE, "version": HOSTILE},
        id=HOSTILE,
    )


class Page(HTMLParser):
    """What a browser would make of it: tags, attributes, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, k, v) for k, v in attrs]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def plain_characters(text: str) -> bool:
    return not any(unicodedata.category(c) in ("Cc", "Cs") and c != "\n" for c in text)


def test_the_table_leads_with_the_verdict_and_ends_with_what_was_not_measured() -> None:
    told = to_table(report(), 80)
    assert told[0] == "Broken  prod/rows#clip"
    assert told[1] == "1,012 of 3,000 rows were never normalised."
    joined = "\n".join(told)
    order = [
        joined.index(w)
        for w in (
            "CRITICAL  norm-drift",
            "> renormalize: Bring the rows",
            "Follows from it (1):",
            "low-ann-recall",
            "Also seen",
            "info untagged-rows",
            "Accepted",
            "products, until 2027-01-01",
            "Shares are exact.",
            "Not measured",
            "encoder-mismatch: No encoder",
        )
    ]
    assert order == sorted(order)
    assert "1,012 rows, 34% (32% to 36%)" in joined
    assert "all 3,000 rows read, 19 Nov 2026 22:10 UTC, in 4.2 s" in joined


@pytest.mark.parametrize("width", [1, 40, 80, 200])
def test_the_table_keeps_its_width_and_holds_no_control_character(width: int) -> None:
    for data in (report(), hostile()):
        told = to_table(data, width)
        assert all(len(line) <= max(40, width) for line in told[1:])
        assert all(plain_characters(line) and "\n" not in line for line in told)
        assert "\u202e" not in "".join(told)


def test_colours_are_the_only_escapes_of_a_coloured_table() -> None:
    told = "\n".join(to_table(hostile(), 80, color=True))
    assert "\x1b[31;1mBroken\x1b[0m" in told
    assert plain_characters(re.sub(r"\x1b\[(\d+;?)+m", "", told))
    assert set(re.findall(r"\x1b\[[\d;]*m", told)) <= {
        "\x1b[31;1m",
        "\x1b[31m",
        "\x1b[0m",
        "\x1b[2m",
        "\x1b[33m",
    }


def test_markdown_says_everything() -> None:
    told = to_markdown(report())
    assert told.startswith("## Broken: `prod/rows#clip`")
    for part in (
        "### critical: `norm-drift`",
        "Follows from it:",
        "### Also seen",
        "### Accepted",
        "### Not measured",
    ):
        assert part in told
    assert "1,012 of 3,000 rows, all from source=camera-3, have norms" in told


def test_hostile_text_stays_text_in_markdown() -> None:
    markdown_it = pytest.importorskip("markdown_it")
    told = to_markdown(hostile())
    assert plain_characters(told)
    for preset in ("commonmark", "gfm-like"):
        options = {"linkify": False} if preset == "gfm-like" else {}
        rendered = Page(markdown_it.MarkdownIt(preset, {**options, "html": True}).render(told))
        assert not {"a", "img", "script", "table"} & {*rendered.tags}
        assert {*rendered.tags} <= {"h2", "h3", "p", "strong", "em", "ul", "li", "code"}
        assert rendered.attributes == []
        assert "<script>alert(1)</script>" in rendered.text


def test_outside_code_spans_nothing_is_left_that_a_site_would_link() -> None:
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", to_markdown(hostile()), flags=re.DOTALL)
    assert not re.search(r"://\w|www\.\w|@\w|#\d|javascript:a", outside)


@pytest.mark.parametrize("held", ["`", "``", "a`b", "` `", "", "x" * 500, "```js"])
def test_code_spans_hold_any_text(held: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    page = Page(markdown_it.MarkdownIt().render(f"- {code(held)}: after"))
    assert page.text.strip().endswith(": after")
    assert "after" in page.text
    if held.strip() and "` " not in held:
        assert page.tags == ["ul", "li", "code"]


@pytest.mark.parametrize(
    "held", ["- a", "1. a", "+ a", "# a", "> a", "=== ", "    a", "1) a", "***", "~~~", "| a | b |"]
)
def test_no_line_becomes_a_block(held: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    page = Page(markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(text(held)))
    assert page.tags in (["p"], [])
    assert page.text.strip() == " ".join(held.split())


def test_html_is_one_file_without_anything_from_elsewhere() -> None:
    page = Page(to_html([report(), hostile()]))
    assert page.open == []
    assert not {"a", "img", "script", "link", "iframe", "object", "form", "base", "svg"} & {*page.tags}
    assert {k for _, k, _ in page.attributes} <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert page.tags.count("article") == 2
    assert "<script>alert(1)</script>" in page.text
    told = {v for _, k, v in page.attributes if k == "content"}
    (policy,) = [v for v in told if v and "default-src 'none'" in v]
    assert "unsafe" not in policy
    assert "sha256-" in policy
    assert "prefers-color-scheme: dark" in to_html(report())
    assert plain_characters(to_html(hostile()))
    assert "url(" not in to_html(report())


def test_the_style_is_the_one_that_the_policy_names() -> None:
    import base64
    import hashlib

    page = to_html(report())
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    named = re.search(r"sha256-([^']+)'", page)
    assert style is not None
    assert named is not None
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() == named[1]


def test_html_says_everything() -> None:
    page = Page(to_html(report())).text
    for part in ("Broken", "norm-drift", "Bring the rows to length 1.", "Follows from it (1)", "Accepted: products",
                 "encoder-mismatch", "Shares are exact.", "0.8123", "r6g3k9x2aq7t"):  # fmt: skip
        assert part in page


SUITE = {"id", "package", "name", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}


def held_to_schema(told: str) -> ET.Element:
    """What the schemas of Ant (windyroad's JUnit.xsd) and Jenkins (junit-10.xsd) have in common."""
    root = ET.fromstring(told)
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert set(suite.attrib) == SUITE
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        tags = [child.tag for child in suite]
        cases = [t for t in tags if t == "testcase"]
        assert tags == ["properties", *cases, "system-out", "system-err"]
        found = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        for case in suite.findall("testcase"):
            assert set(case.attrib) == {"classname", "name", "time"}
            assert len(case) <= 1
            found["tests"] += 1
            for one in case:
                kind = {"failure": "failures", "error": "errors", "skipped": "skipped"}[one.tag]
                found[kind] += 1
                assert set(one.attrib) <= {"type", "message"}
                assert one.tag == "skipped" or "type" in one.attrib
        assert {k: int(suite.attrib[k]) for k in found} == found
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(root.attrib[name]) == sum(int(s.attrib[name]) for s in root)
    return root


def cases(suite: ET.Element) -> dict[str, str]:
    return {c.attrib["name"]: c[0].tag if len(c) else "passed" for c in suite.findall("testcase")}


def test_junit_has_a_case_for_each_code_and_fails_from_the_line_on() -> None:
    (suite,) = held_to_schema(to_junit([report()], "critical"))
    told = cases(suite)
    assert set(registry.checks()) <= set(told)
    assert told["norm-drift"] == "failure"
    assert told["low-ann-recall"] == "passed"
    assert told["encoder-mismatch"] == "skipped"
    assert told["duplicate-vectors"] == "passed"
    assert told["zero-vectors"] == "passed"
    assert "accepted duplicate-vectors" in (suite.findtext("system-out") or "")
    (lower,) = held_to_schema(to_junit([report()], "warning"))
    assert cases(lower)["low-ann-recall"] == "failure"
    assert cases(lower)["untagged-rows"] == "passed"
    assert cases(lower)["duplicate-vectors"] == "passed"


def test_junit_tells_what_could_not_be_examined() -> None:
    error = {"code": "unreachable", "message": HOSTILE, "where": "x", "hint": "Start it."}
    root = held_to_schema(to_junit([report()], "critical", [("prod/other", error)]))
    (case,) = root[1].findall("testcase")
    assert case[0].tag == "error"
    assert case[0].attrib["type"] == "unreachable"


def test_junit_holds_hostile_text_as_text() -> None:
    told = to_junit([hostile()], "critical")
    (suite,) = held_to_schema(told)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", told)
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "<script>alert(1)</script>" in failure.attrib["message"]
    told.encode("utf-8")


def test_a_report_without_findings_and_one_that_scanned_nothing() -> None:
    empty = report(findings=[], root_ids=[], root_causes=[], rows=0, scanned=0, verdict="not_known", profile={},
                   not_measured=[], limits=[], headline="Nothing was scanned.", seconds=None)  # fmt: skip
    assert to_table(empty)[:2] == ["Not known  prod/rows#clip", "Nothing was scanned."]
    assert "Nothing was scanned" in to_markdown(empty)
    assert "Nothing was scanned" in Page(to_html(empty)).text
    held_to_schema(to_junit([empty], "info"))
    held_to_schema(to_junit([], "info"))
    assert Page(to_html([])).open == []


def test_json_is_the_report() -> None:
    assert json.loads(to_json([report()])) == report()
    assert json.loads(to_json([report(), report()])) == {"reports": [report(), report()]}


def test_two_reports_side_by_side() -> None:
    earlier = report(verdict="degraded", profile={"norms": {"mean": 1.0}, "zero": 0, "versions": {"v1": 12}})
    later = report(
        id="r2",
        at="2026-11-20T22:10:00+00:00",
        findings=[
            finding(rows=2000, severity="warning"),
            finding("zero-vectors", summary="4 rows are zero."),
        ],
        profile={"norms": {"mean": 0.5}, "zero": 4, "versions": {"v2": 12}},
        not_measured=[{"check": "low-ann-recall", "why": "strict mode"}],
        policy={"name": "plumbline", "version": "2"},
    )
    found = compare(earlier, later)
    assert [f["id"] for f in found["findings"]["new"]] == ["zero-vectors"]
    gone = {f["id"]: f["measured"] for f in found["findings"]["gone"]}
    assert gone == {"low-ann-recall": False, "untagged-rows": True, "duplicate-vectors": True}
    (same,) = found["findings"]["same"]
    assert (same["severity_then"], same["severity"], same["rows_then"], same["rows"]) == (
        "critical",
        "warning",
        1012,
        2000,
    )
    figures = {f["name"]: (f["then"], f["now"], f["change"]) for f in found["figures"]}
    assert figures["length mean"] == (1.0, 0.5, -0.5)
    assert figures["zero"] == (0, 4, 4)
    assert figures["tagged v1"] == (12, None, None)
    assert figures["tagged v2"] == (None, 12, None)
    assert any("policies" in note for note in found["notes"])
    told = "\n".join(lines(found))
    assert "critical zero-vectors: 4 rows are zero." in told
    assert "not measured in the later report" in told
    assert "was critical, was 1,012 rows" in told
    assert json.dumps(found, allow_nan=False)


def test_comparing_hostile_reports_prints_plain_lines() -> None:
    told = lines(compare(hostile(), report()))
    assert all(plain_characters(line) and "\n" not in line for line in told)
    assert lines(compare(report(findings=[]), report(findings=[])))[3] == "Neither report has a finding."


def test_an_acceptance_that_is_over_is_said_with_its_reason_wherever_the_finding_stands() -> None:
    once = {"reason": "The old *camera*", "group": None, "until": "2027-01-31", "address": "prod/rows"}
    held = report()
    held["findings"] = [{**f, "accepted": None, "accepted_expired": once} for f in held["findings"]]
    lead = "Accepted until 31 Jan 2027"
    table = " ".join(" ".join(to_table(held, 80, verbose=True)).split())
    assert table.count(f"{lead} (The old *camera*); counts again since.") == 4
    markdown = to_markdown(held)
    assert markdown.count(lead) == 4
    assert "*camera*" not in markdown.replace("\\*", "")
    shown = to_html(held)
    assert shown.count(lead) == 4
    sound = report()
    assert "counts again" not in to_html(sound) + to_markdown(sound) + "".join(to_table(sound, verbose=True))


@pytest.mark.parametrize("until", [None, "not a day", HOSTILE])
def test_an_acceptance_with_an_odd_end_is_said_all_the_same(until: Any) -> None:
    held = report()
    held["findings"][0]["accepted_expired"] = {"reason": HOSTILE, "until": until}
    assert "counts again since." in " ".join(to_table(held, 200, verbose=True))
    assert "<script" not in to_html(held)
