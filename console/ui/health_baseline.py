"""What the report says against its baseline: each figure with its line, and what to do where one is over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from console.health.charts import drawn
from console.ui import health_words, words

COMPARED: Final = {
    "recall-drop": "Recall of the index",
    "distribution-drift": "Where the vectors lie",
    "latency-spike": "Time of a search",
    "size-change": "Number of rows",
}
"""Checks that hold a report against a baseline, as a person says what they look at."""
PANEL: Final = "Vectors of the rows that the baseline kept"


def draw(report: Mapping[str, Any]) -> None:
    st.subheader("Against the baseline", anchor=False)
    if not report.get("baseline"):
        st.text(
            "Not measured: no baseline was set when this was checked. A report that you trust can be made one "
            "under “This report”; later checks then say what moved since."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text("Held against the report", width="content")
        st.code(str(report["baseline"]), language=None, width="content")
    findings = [f for f in report.get("findings") or () if f.get("code") in COMPARED]
    rows = [*_figures(report, findings), *_without_figure(report, findings), *_unmeasured(report)]
    if rows:
        names = ("Compared", "Figure", "Value", "95% interval", "Line", "State")
        st.dataframe(
            {name: [row[i] for row in rows] for i, name in enumerate(names)},
            hide_index=True,
            key="health.baseline.table",
        )
    leading = set(report.get("root_ids") or ())
    for finding in findings:
        _over(report, finding, str(finding.get("id")) in leading)


def _figures(report: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    held = [f for f in drawn(report, "figures") or () if f.get("code") in COMPARED]
    by = {(f.get("code"), str(f.get("key") or "")): f for f in findings}
    rows: list[tuple[str, ...]] = []
    for one in held:
        low, high = one.get("low"), one.get("high")
        between = f"{health_words.number(low)} to {health_words.number(high)}"
        rows.append((
            PANEL if one.get("key") == "panel" else COMPARED[one["code"]],
            words.printable(str(one.get("name") or "")),
            health_words.number(one.get("value")),
            between if low is not None and high is not None else "",
            f"{'above' if one.get('worse') == 'higher' else 'below'} {health_words.number(one.get('threshold'))}",
            _state(by.get((one["code"], str(one.get("key") or "")))),
        ))  # fmt: skip
    return rows


def _without_figure(
    report: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]
) -> list[tuple[str, ...]]:
    """Findings that were drawn without one."""
    there = {(f.get("code"), str(f.get("key") or "")) for f in drawn(report, "figures") or ()}
    return [
        (COMPARED[f["code"]], "", "", "", "", _state(f))
        for f in findings
        if (f["code"], str(f.get("key") or "")) not in there
    ]


def _unmeasured(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in report.get("not_measured") or ():
        code, _, part = str(one.get("check") or "").partition(":")
        if code in COMPARED:
            name = PANEL if part else COMPARED[code]
            rows.append((name, words.printable(str(one.get("why") or "")), "", "", "", "Not measured"))
    return rows


def _state(finding: Mapping[str, Any] | None) -> str:
    """`Within`, or the severity; of an accepted one, that it is."""
    if finding is None:
        return "Within the line"
    if finding.get("accepted") is not None:
        return "Accepted"
    return health_words.severity(finding.get("severity"))[0]


def _over(report: Mapping[str, Any], finding: Mapping[str, Any], leading: bool) -> None:
    """What moved and what to do; a root cause has its own card above, and one for information under it."""
    if finding.get("accepted") is not None or finding.get("severity") not in ("warning", "critical"):
        return
    word, icon, colour = health_words.severity(finding.get("severity"))
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(word, icon=icon, color=colour)
            st.markdown(f"**{health_words.fault(finding)}**", width="content")
        st.text(words.printable(str(finding.get("summary") or "")))
        causes = set(finding.get("because_of_ids") or ())
        if causes:
            named = dict.fromkeys(
                health_words.code(f) for f in report.get("findings") or () if f.get("id") in causes
            )
            which = ", ".join(named) or "another finding"
            st.text(f"It follows from {which}: mend that first, then check again.")
        remedy: Mapping[str, Any] = finding.get("remedy") or {}
        if leading:
            st.text("It leads this report: what to do stands on its card above.")
        elif remedy.get("text"):
            action = health_words.ACTIONS.get(str(remedy.get("action")), "What to do")
            st.text(words.printable(f"{'If it stays: ' if causes else ''}{action}. {remedy['text']}"))
