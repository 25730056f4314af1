"""How a vector field fared: earlier reports, two of them compared, the baseline, and the report as a file."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.search.answer import finite
from console.settings import Address
from console.ui import access, actions, health_state, health_store, health_words, panels, words
from console.ui.health_sparks import Spark, sparks

if TYPE_CHECKING:
    from console.store import Headline

LISTED: Final = 60
FIGURES: Final = (
    ("rows", "Rows"),
    ("zero", "Zero vectors"),
    ("non_finite", "Not finite"),
    ("missing", "Without the vector"),
    ("duplicates", "Duplicates"),
    ("untagged", "Untagged"),
    ("norm", "Mean length"),
    ("recall", "Recall"),
)
MOST: Final = 5
FORMATS: Final = (
    ("json", "JSON", "application/json"),
    ("md", "Markdown", "text/markdown"),
    ("html", "HTML", "text/html"),
    ("xml", "JUnit", "application/xml"),
)


def draw(address: Address, report: Mapping[str, Any]) -> None:
    st.divider()
    _take_away(address, report)
    with panels.guarded("The history"):
        held = health_store.history(address.with_vector(str(report.get("vector") or "")), LISTED)
        _history(held, report)
        _compare(held, report)


def _take_away(address: Address, report: Mapping[str, Any]) -> None:
    """The report as a file, and as the baseline of later ones."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader("This report", width="content", anchor=False)
        st.code(str(report.get("id")), language=None, width="content")
        st.space("stretch")
        for ending, name, mime in FORMATS:
            st.download_button(
                name,
                _exporter(report, ending),
                file_name=f"{report.get('id')}.{ending}",
                mime=mime,
                key=f"health.file.{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
    _baseline(address, report)


def _exporter(report: Mapping[str, Any], ending: str) -> Callable[[], bytes]:
    def made() -> bytes:
        if ending == "json":
            held = {k: v for k, v in report.items() if k != "charts"}
            return json.dumps(finite(held), ensure_ascii=False, indent=1, allow_nan=False).encode(
                "utf-8", "replace"
            )
        render = importlib.import_module("console.health.render")
        if ending == "md":
            return str(render.to_markdown(report)).encode("utf-8", "replace")
        if ending == "html":
            return str(render.to_html([report])).encode("utf-8", "replace")
        return str(render.to_junit([report], "critical", [])).encode("utf-8", "replace")

    return made


def _baseline(address: Address, report: Mapping[str, Any]) -> None:
    """Which report later ones are held against. Changing it is the operator's."""
    field = address.with_vector(str(report.get("vector") or ""))
    pinned = health_store.baseline(field)
    read_only = access.why_read_only() is not None
    own = pinned == report.get("id")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if own:
            st.text("This report is the baseline that later checks are held against.", width="content")
        elif pinned is not None:
            st.text("Later checks are held against the baseline", width="content")
            st.code(pinned, language=None, width="content")
        else:
            st.text("No baseline is set: nothing is said of drift.", width="content")
        if not own:
            st.button(
                "Make this the baseline",
                key="health.pin",
                disabled=read_only,
                on_click=_pin,
                args=(field, str(report.get("id"))),
            )
        if pinned is not None:
            st.button(
                "Forget the baseline", key="health.unpin", disabled=read_only, on_click=_unpin, args=(field,)
            )
    fault = st.session_state.pop("health.baseline", None)
    if fault is not None:
        panels.error(fault, title="The baseline stays as it was")


def _pin(address: Address, report: str) -> None:
    try:
        actions.set_baseline(address, report)
    except PlumblineError as fault:
        st.session_state["health.baseline"] = fault


def _unpin(address: Address) -> None:
    try:
        actions.clear_baseline(address)
    except PlumblineError as fault:
        st.session_state["health.baseline"] = fault


def _history(held: Sequence[Headline], report: Mapping[str, Any]) -> None:
    st.subheader("History", anchor=False)
    if len(held) < 2:
        st.text("This is the first report. With the second, figures over time stand here.")
        return
    names = [(key, name) for key, name in FIGURES if sum(key in h.figures for h in held) > 1]
    moving = sorted(names, key=lambda n: len({h.figures.get(n[0]) for h in held}) < 2)
    lines = [(name, [h.figures[key] for h in held if key in h.figures]) for key, name in moving[:MOST]]
    sparks(
        [
            Spark(name, health_words.number(line[-1]), words.plural(len(line), "report"), tuple(line))
            for name, line in lines
        ],
        key="health.sparks",
    )
    shown = list(held)[::-1]
    event = st.dataframe(
        {
            "At": [health_words.at(h.at) for h in shown],
            "Verdict": [health_words.verdict(h.verdict)[0] for h in shown],
            "Root causes": [", ".join(h.root_causes) or "none" for h in shown],
            "Rows": [h.rows for h in shown],
            "Report": [h.id for h in shown],
            "Shown": ["this one" if h.id == report.get("id") else "" for h in shown],
        },
        hide_index=True,
        key="health.history",
        selection_mode="single-row",
        on_select="rerun",
        height=min(36 * (len(shown) + 1) + 2, 300),
        column_config={"Rows": st.column_config.NumberColumn(format="localized")},
    )
    picked = tuple(event.selection.rows)
    if picked != st.session_state.get("health.picked", ()):
        st.session_state["health.picked"] = picked
        if picked and picked[0] < len(shown):
            newest = picked[0] == 0
            health_state.show(None if newest else shown[picked[0]].id)
            st.rerun()


def _compare(held: Sequence[Headline], report: Mapping[str, Any]) -> None:
    others = [h for h in list(held)[::-1] if h.id != report.get("id")]
    if not others:
        return
    said = {h.id: f"{health_words.at(h.at)}, {health_words.verdict(h.verdict)[0].lower()}" for h in others}
    state = st.session_state
    if state.get("h.against") not in (None, *said):
        state["h.against"] = None
    st.selectbox(
        "Compare with an earlier or later report",
        list(said),
        index=None,
        key="h.against",
        format_func=lambda i: said.get(i, i),
        placeholder="choose one",
        width=420,
    )
    if state.get("h.against"):
        _difference(health_store.report(state["h.against"]), report)


def _difference(other: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """What is new, gone and worse, the earlier one first whichever was chosen."""
    earlier, later = sorted((other, report), key=lambda r: str(r.get("at")))
    compare = importlib.import_module("console.health.compare_reports")
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            for name, one in (("Earlier", earlier), ("Later", later)):
                word, icon, colour = health_words.verdict(one.get("verdict"))
                st.text(f"{name}: {health_words.at(one.get('at'))}", width="content")
                st.badge(word, icon=icon, color=colour)
        made: Mapping[str, Any] = compare.compare(earlier, later)
        for text in made["notes"]:
            st.text(words.printable(str(text)))
        _findings_side_by_side(made["findings"])
        _figures_side_by_side(made["figures"])


def _findings_side_by_side(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """New, gone and in both, as plain cells."""
    states = (("new", "New"), ("gone", "Gone"), ("same", "In both"))
    rows = [(name, f) for key, name in states for f in found[key]]
    if not rows:
        st.text("Neither report has a finding.")
        return

    def then(state: str, finding: Mapping[str, Any], name: str) -> Any:
        if state == "New":
            return None
        return finding.get(name if state == "Gone" else f"{name}_then")

    def now(state: str, finding: Mapping[str, Any], name: str) -> Any:
        return None if state == "Gone" else finding.get(name)

    def severity(value: Any) -> str:
        return health_words.severity(value)[0] if value else ""

    def count(value: Any) -> str:
        return f"{value:,}" if isinstance(value, int) else ""

    st.dataframe(
        {
            "Finding": [words.printable(str(f["id"])) for _, f in rows],
            "State": [s if f.get("measured", True) else "Not measured later" for s, f in rows],
            "Earlier": [severity(then(s, f, "severity")) for s, f in rows],
            "Later": [severity(now(s, f, "severity")) for s, f in rows],
            "Rows earlier": [count(then(s, f, "rows")) for s, f in rows],
            "Rows later": [count(now(s, f, "rows")) for s, f in rows],
        },
        hide_index=True,
        key="health.compared.findings",
    )


def _figures_side_by_side(figures: Sequence[Mapping[str, Any]]) -> None:
    st.dataframe(
        {
            "Figure": [words.printable(str(f["name"])) for f in figures],
            "Earlier": [health_words.number(f["then"]) for f in figures],
            "Later": [health_words.number(f["now"]) for f in figures],
            "Change": [
                "not known" if f["change"] is None else "none" if not f["change"] else f"{f['change']:+,.4g}"
                for f in figures
            ],
        },
        hide_index=True,
        key="health.compared.figures",
    )
