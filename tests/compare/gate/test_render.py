"""A gate as table, JUnit and Markdown, from its JSON alone; what it holds is untrusted."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from console.compare.gate.evidence import Missing
from console.compare.gate.render import to_junit, to_markdown, to_table
from console.compare.gate.verdict import judge, overall
from console.health.findings import NotMeasured
from console.settings.gate import CONDITIONS
from tests.compare.gate.parts import LIMITS, sound

HOSTILE = "a \x1b[31mred\x1b[0m\n<script>alert(1)</script> ]]> \u202e ![x](http://evil.example) | `x` & \"'"


def gate(hostile: str = "") -> dict[str, Any]:
    held = sound()
    assert not isinstance(held.id_sets, NotMeasured)
    mixed = replace(
        held,
        id_sets=replace(held.id_sets, on_left_only=Missing(1, (hostile or "7",))),
        recall=NotMeasured("recall", hostile or "Strict mode forbids exact search."),
        latency=NotMeasured("latency", "A snapshot file does not tell how fast its server answers."),
        canary=held.canary,
    )
    waive = {"latency": hostile or "measured by hand | see 12", "id-set": "we know", "canary": "not used"}
    asked = [name for name in CONDITIONS if name != "threshold"]
    judged = judge(mixed, asked, LIMITS, waive)
    return json.loads(
        json.dumps(
            {
                "id": "g0123",
                "at": "2026-11-21T04:12:03+00:00",
                "seconds": 12.5,
                "left": f"demo/{hostile or 'scenes-old'}#clip",
                "right": "demo/scenes#clip",
                "golden": {"name": hostile or "demo", "version": 3},
                "verdict": overall(judged),
                "summary": hostile or "The new side may not take over.",
                "conditions": [one.to_json() for one in judged],
                "left_out": [{"name": "threshold", "why": hostile or "No cutoff was named."}],
                "report": "r0123",
                "comparison": "c0123",
            }
        )
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_leads_with_the_verdict_and_the_worst_and_fits(width: int) -> None:
    lines = to_table(gate(), width, verbose=True)
    assert lines[0] == "Fail"
    assert max(map(len, lines)) <= max(width, 80)
    heads = [line.split("  ")[0] for line in lines if "  " in line and not line.startswith(" ")]
    assert heads == ["fail", "not measurable", "waived", *["pass"] * 5]
    text = " ".join(" ".join(lines).split())
    assert "1 id of the old side is not on the new one (7)" in text
    assert "Waived: measured by hand | see 12" in text
    assert "The waiver does not count, a condition that fails can't be waived: we know" in text
    assert "threshold: No cutoff was named." in text
    assert "gate g0123, report r0123, comparison c0123" in text
    assert "golden set demo version 3" in text


def test_colours_only_where_they_are_asked_for() -> None:
    assert "\x1b" not in "\n".join(to_table(gate()))
    assert to_table(gate(), color=True)[0] == "\x1b[31;1mFail\x1b[0m"


def test_junit_counts_what_could_not_be_measured_as_a_failure_and_what_was_waived_as_skipped() -> None:
    root = ElementTree.fromstring(to_junit(gate()))
    (suite,) = root
    assert root.attrib["tests"] == suite.attrib["tests"] == str(len(CONDITIONS))
    assert (suite.attrib["failures"], suite.attrib["skipped"], suite.attrib["errors"]) == ("2", "2", "0")
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert set(cases) == set(CONDITIONS)
    kinds = {name: [(e.tag, e.attrib.get("type")) for e in case] for name, case in cases.items()}
    assert kinds["id-set"] == [("failure", "fail")]
    assert kinds["recall"] == [("failure", "not_measurable")]
    assert kinds["latency"] == kinds["threshold"] == [("skipped", None)]
    assert kinds["quality"] == []
    assert cases["latency"][0].attrib["message"].startswith("Waived: measured by hand")
    told = {p.attrib["name"]: p.attrib["value"] for p in suite.iter("property")}
    assert told["verdict"] == "fail"
    assert (suite.attrib["name"], suite.attrib["timestamp"]) == ("demo/scenes-old#clip -> demo/scenes#clip", "2026-11-21T04:12:03")  # fmt: skip


def test_markdown_has_a_row_for_each_condition_and_its_reason() -> None:
    text = to_markdown(gate())
    assert text.startswith("## Fail: `demo/scenes-old#clip` to `demo/scenes#clip`")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) == len(CONDITIONS)
    assert all(row.replace("\\|", "").count("|") == 6 for row in rows)
    assert "| latency | waived |" in text
    assert "measured by hand \\| see 12" in text


@pytest.mark.parametrize(("n", "said"), [(0, "0 findings"), (1, "1 finding"), (2, "2 findings")])
def test_one_finding_is_not_one_findings(n: int, said: str) -> None:
    held = replace(sound(), health=replace(sound().health, critical=(("zero-vectors", "A row is."),) * n))
    judged = judge(held, ["critical-findings"], LIMITS, {})
    data = {**gate(), "conditions": [one.to_json() for one in judged], "left_out": []}
    for text in (to_markdown(data), to_junit(data), "\n".join(to_table(data, verbose=True))):
        assert re.search(rf"\b{said}\b", text)


def test_hostile_text_stays_text_in_every_form() -> None:
    held = gate(HOSTILE)
    table = "\n".join(to_table(held, 80))
    assert "\x1b" not in table
    assert "\u202e" not in table
    root = ElementTree.fromstring(to_junit(held))
    assert not list(root.iter("script"))
    markdown = to_markdown(held)
    assert "\x1b" not in markdown
    assert "<script" not in _outside_code(markdown)
    assert "![x](" not in _outside_code(markdown)


def _outside_code(text: str) -> str:
    return re.sub(r"(`+).+?\1", "", text).replace("\\<", "").replace("\\[", "").replace("\\!", "")


def test_a_gate_without_figures_can_be_drawn() -> None:
    data = {**gate(), "conditions": [], "left_out": [], "golden": None, "report": None, "comparison": None, "verdict": "not_measurable"}  # fmt: skip
    assert to_table(data)[0] == "Not measurable"
    assert "no golden set" in to_markdown(data)
    assert ElementTree.fromstring(to_junit(data)).attrib["tests"] == "0"


def test_what_could_not_be_stored_is_said_and_no_id_is_named() -> None:
    note = "The gate was not kept: There is no room to write. [disk-full]"
    data = {**gate(), "id": None, "report": None, "notes": [note]}
    assert note.replace("[", "\\[").split(" [")[0][:40] in to_markdown(data)
    (suite,) = ElementTree.fromstring(to_junit(data))
    told = {p.attrib["name"]: p.attrib["value"] for p in suite.iter("property")}
    assert (told["note"], told["evidence"]) == (note, "comparison c0123")
    assert "g0123" not in "\n".join([*to_table(data), to_markdown(data)])


def test_a_gate_with_everything_waived_says_so_first() -> None:
    judged = judge(
        replace(sound(), latency=NotMeasured("latency", "Nobody looked.")),
        ["latency"],
        LIMITS,
        {"latency": "measured by hand"},
    )
    data = {**gate(), "conditions": [one.to_json() for one in judged], "verdict": overall(judged)}
    assert to_table(data)[0] == "Pass, with everything waived"
    assert to_markdown(data).startswith("## Pass, with everything waived: ")
