"""One report: the verdict, its figures, the causes with what follows from them, and what could not be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from console.health.charts import drawn
from console.health.render import reading
from console.health.render.reading import Root
from console.settings import Address, readable
from console.ui import (
    health_baseline,
    health_card,
    health_pictures,
    health_state,
    health_words,
    panels,
    words,
)
from console.ui.note import note

COLUMNS: Final = (3, 2)


def nothing(address: Address) -> None:
    """What would be here, and how to get it."""
    panels.empty(
        "Not checked yet",
        "Here stands whether this collection is healthy: what is wrong with it, which rows, since when, and what "
        "to do. Check now reads a sample of 5,000 rows, searches with some of them, and changes nothing.",
        f"plumbline check {readable(address)}",
    )


def draw(address: Address, report: Mapping[str, Any]) -> None:
    _earlier(report)
    held = reading.parts(report)
    roots = held.roots
    _verdict(report, roots)
    _figures(report)
    palette = health_pictures.Palette()
    if roots:
        left, right = st.columns(COLUMNS, gap="medium")
        with left:
            for place, root in enumerate(roots):
                health_card.draw(address, report, root.finding, root.symptoms, place)
            _below(address, report, held)
        with right:
            _lengths(report, palette, (roots[0].finding.get("group") or {}).get("field"))
            _versions(report, palette)
    else:
        left, right = st.columns(2, gap="medium")
        with left:
            _lengths(report, palette, None)
        with right:
            _versions(report, palette)
        _below(address, report, held)
    with panels.guarded("The comparison with the baseline"):
        health_baseline.draw(report)
    with panels.guarded("The picture of the figures"):
        health_pictures.figures(drawn(report, "figures"), palette)
    with panels.guarded("The picture of the dimensions"):
        health_pictures.dimensions(drawn(report, "dimensions"), palette)
    _index(report)


def _lengths(report: Mapping[str, Any], palette: health_pictures.Palette, field: str | None) -> None:
    with panels.guarded("The picture of the lengths"):
        health_pictures.norms(drawn(report, "norms"), palette, field)


def _versions(report: Mapping[str, Any], palette: health_pictures.Palette) -> None:
    with panels.guarded("The picture of the versions"):
        health_pictures.versions(drawn(report, "versions"), palette)


def _below(address: Address, report: Mapping[str, Any], held: reading.Parts) -> None:
    """What does not lead: notes, accepted findings, and what could not be measured."""
    _noticed(address, report, held.others, len(held.roots))
    _accepted(held.accepted)
    _unmeasured(report)


def _earlier(report: Mapping[str, Any]) -> None:
    if not st.session_state.get("health.report"):
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("An earlier report", icon=":material/history:", color="gray")
        st.text(f"Of {health_words.at(report.get('at'))}.", width="stretch")
        st.button("Show the newest", key="health.newest", on_click=health_state.show, args=(None,))


def _verdict(report: Mapping[str, Any], roots: Sequence[Root]) -> None:
    word, icon, colour = health_words.verdict(report.get("verdict"))
    if roots:
        title = _counted(roots)
    elif report.get("verdict") == "not_known":
        title = (
            "No fault found, and not all could be told" if report.get("scanned") else "It could not be told"
        )
    else:
        title = "No fault found"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="health_verdict"):
        st.badge(word, icon=icon, color=colour)
        st.header(title, width="content", anchor=False)
    said = report.get("headline") or (roots[0].finding.get("summary") if roots else "")
    if said:
        st.text(words.printable(str(said)))
    note([words.printable(str(line)) for line in report.get("limits") or ()], key="health.limits")


def _counted(roots: Sequence[Root]) -> str:
    """`2 root causes, 1 of them accepted, 3 symptoms`."""
    known = sum(r.finding.get("accepted") is not None for r in roots)
    symptoms = len({str(f.get("id")) for r in roots for f in r.symptoms})
    whole = known == len(roots)
    parts = [words.plural(known, "accepted root cause") if whole else words.plural(len(roots), "root cause")]
    parts += [f"{known} of them accepted"] if known and not whole else []
    parts += [words.plural(symptoms, "symptom")] if symptoms else []
    return ", ".join(parts)


def _figures(report: Mapping[str, Any]) -> None:
    profile: Mapping[str, Any] = report.get("profile") or {}
    scanned, exact = int(report.get("scanned") or 0), bool(report.get("exact"))
    with st.grid(5, min_column_width=170):
        rows = report.get("rows")
        st.metric(
            "Rows",
            words.count(rows),
            "all read" if exact else f"{scanned:,} read",
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )
        for name, key in (
            ("Zero vectors", "zero"),
            ("Not finite", "non_finite"),
            ("Without the vector", "missing"),
            ("Duplicates", "duplicates"),
        ):
            held = profile.get(key)
            value, beside = health_words.counted(held if isinstance(held, int) else None, scanned, exact)
            if key == "duplicates" and not exact and scanned:
                beside = "in the sample"
            st.metric(
                name, value, beside, delta_color="off", delta_arrow="off", border=True, height="stretch"
            )


def _noticed(
    address: Address, report: Mapping[str, Any], others: Sequence[Mapping[str, Any]], first: int
) -> None:
    """Findings that weigh nothing in the verdict and explain nothing."""
    if not others:
        return
    with st.expander(f"Also noticed ({len(others)})"):
        for place, finding in enumerate(others):
            health_card.draw(address, report, finding, (), first + place)


def _accepted(findings: Sequence[Mapping[str, Any]]) -> None:
    if not findings:
        return
    with st.expander(f"Accepted, not counted ({len(findings)})"):
        for finding in findings:
            held: Mapping[str, Any] = finding.get("accepted") or {}
            with st.container(border=True, gap="small"):
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    st.badge("Accepted", icon=":material/check:", color="gray")
                    st.markdown(f"**{health_words.fault(finding)}**", width="content")
                st.text(words.printable(str(finding.get("summary") or "")))
                until = f" Until {held['until']}." if held.get("until") else " Without an end."
                st.text(
                    words.printable(
                        f"Reason: {words.sentence(str(held.get('reason') or 'none given'))}{until}"
                    )
                )


def _unmeasured(report: Mapping[str, Any]) -> None:
    """Reasons first: several checks often share one."""
    held: Sequence[Mapping[str, Any]] = report.get("not_measured") or ()
    if not held:
        return
    by_reason: dict[str, list[str]] = {}
    for one in held:
        by_reason.setdefault(str(one.get("why") or ""), []).append(str(one.get("check") or ""))
    with st.expander(f"Not measured ({len(held)})"):
        for why, checks in by_reason.items():
            with st.container(gap="xxsmall"):
                st.text(words.printable(why))
                st.code(", ".join(checks), language=None, wrap_lines=True)


def _index(report: Mapping[str, Any]) -> None:
    held: Mapping[str, Any] = drawn(report, "index") or report.get("index") or {}
    st.subheader("Index", anchor=False)
    if not held:
        st.text("Not measured.")
        return
    parts = [f"Status {held.get('status') or 'not known'}"]
    if held.get("indexed") is not None and held.get("rows"):
        parts.append(f"{held['indexed']:,} of {held['rows']:,} vectors are in it")
    if held.get("queue") is not None:
        parts.append(f"{held['queue']:,} changes wait")
    parts.append(f"stored as {held.get('storage') or 'not known'}")
    parts.append("quantized" if held.get("quantization") else "not quantized")
    server: Mapping[str, Any] = report.get("server") or {}
    where = f"{server.get('kind') or ''} {server.get('version') or ''}".strip()
    st.text(words.printable(f"{', '.join(parts)}. Server: {where or 'not known'}."))
    if held.get("why"):
        st.text(words.sentence(str(held["why"])))
