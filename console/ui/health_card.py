"""One finding as a card: what, how much, since when, what follows from it, what to do, and which rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors import filters
from console.health.render import reading
from console.search.answer import finite
from console.settings import Address
from console.ui import health_rows, health_words, words
from console.ui.note import note

OF_A_VALUE: Final = frozenset({"filter-masking", "cohort-gap"})
"""Findings on searches within the rows of a value: the rows are sound, and none of them is "affected"."""
IDS: Final = 8
WIDE: Final = 120
"""Ids that stand on the card, and how many characters they may take; the export has all."""
LONGEST: Final = 300


def draw(
    address: Address,
    report: Mapping[str, Any],
    finding: Mapping[str, Any],
    follows: Sequence[Mapping[str, Any]],
    place: int,
) -> None:
    key = f"health.card.{place}"
    with st.container(border=True, gap="small", key=f"health_card_{place}"):
        _head(finding)
        st.text(words.printable(str(finding.get("summary") or "")))
        if told := reading.acceptance(finding):
            st.text(words.sentence(f"Accepted: {told}"))
        if told := reading.expired(finding):
            st.text(words.printable(told))
        _follows(follows, key)
        remedy: Mapping[str, Any] = finding.get("remedy") or {}
        if remedy.get("text"):
            action = health_words.ACTIONS.get(str(remedy.get("action")), "What to do")
            with st.container(gap="xxsmall"):
                st.markdown(f"**{action}**")
                st.text(words.printable(str(remedy["text"])))
        _selection(finding)
        _buttons(address, report, finding, key)


def _head(finding: Mapping[str, Any]) -> None:
    """An accepted cause stands here where what follows from it counts; its own severity is put aside."""
    word, icon, colour = health_words.severity(finding.get("severity"))
    if finding.get("accepted") is not None:
        word, icon, colour = "Accepted", ":material/check:", "gray"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(word, icon=icon, color=colour)
        st.markdown(f"**{health_words.fault(finding)}**", width="content")
        st.space("stretch")
        if (text := how_much(finding)) is not None:
            st.text(text, width="content")


def how_much(finding: Mapping[str, Any]) -> str | None:
    """The share of rows with its interval."""
    share, interval = finding.get("share"), finding.get("interval")
    if not isinstance(share, (int, float)):
        return None
    text = health_words.percent(float(share))
    if isinstance(interval, Sequence) and len(interval) == 2 and None not in interval:
        return f"{text} ({health_words.within(float(interval[0]), float(interval[1]))})"
    return text


def _follows(follows: Sequence[Mapping[str, Any]], key: str) -> None:
    if not follows:
        return
    lines = ["From this follows:"]
    lines += [f"· {health_words.code(f)}: {reading.summary(f)}" for f in follows]
    note(lines, key=f"{key}.follows")


def selector(finding: Mapping[str, Any]) -> str | None:
    """The filter that selects the finding's group, as the command line and the Query page take it."""
    group = finding.get("group")
    if not isinstance(group, Mapping) or not isinstance(group.get("field"), str):
        return None
    try:
        made = filters.to_json(
            filters.from_json({"equals": {"field": group["field"], "value": group.get("value")}})
        )
    except Exception:
        return None
    text = json.dumps(made, ensure_ascii=False)
    return text if len(text) <= LONGEST else None


def _selection(finding: Mapping[str, Any]) -> None:
    text = selector(finding)
    ids = list(finding.get("sample_ids") or ())
    if text is not None:
        note([_meant(finding)], key=f"health.filter.{finding.get('id')}")
        st.code(words.printable(text), language=None, wrap_lines=True)
    elif ids:
        some = few(ids)
        rows = finding.get("rows")
        named = f"No one field names the {words.count(rows)} rows." if rows != 1 else "The row:"
        named += " Among them:" if rows != len(some) and rows != 1 else ""
        note([named], key=f"health.ids.{finding.get('id')}")
        st.code(", ".join(some), language=None, wrap_lines=True)


def few(ids: Sequence[Any]) -> list[str]:
    """The first ids, as many as stand on two lines."""
    some: list[str] = []
    for row in ids[:IDS]:
        if some and sum(len(s) + 2 for s in some) + len(str(row)) > WIDE:
            break
        some.append(str(row))
    return some


def _meant(finding: Mapping[str, Any]) -> str:
    """What the filter selects, and how well that is the finding's rows."""
    group: Mapping[str, Any] = finding["group"]
    rows = words.count(group.get("rows"))
    if finding.get("code") in OF_A_VALUE:
        return f"This filter selects the rows of that value, {rows} of those read."
    precision, recall = float(group.get("precision") or 0), float(group.get("recall") or 0)
    if precision == recall == 1:
        return f"This filter selects exactly the affected rows, {rows} of those read."
    return (
        f"This filter selects {rows} of the rows read: {health_words.percent(precision)} of them are affected, "
        f"and they are {health_words.percent(recall)} of the affected ones."
    )


def _buttons(address: Address, report: Mapping[str, Any], finding: Mapping[str, Any], key: str) -> None:
    ids = list(finding.get("sample_ids") or ())
    shown = f"{key}.rows.{report.get('id')}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if ids:
            label = "Hide the rows" if st.session_state.get(shown) else "Show some rows"
            st.button(label, key=f"{key}.show", on_click=_turn, args=(shown,))
            st.download_button(
                exported(report, finding),
                health_rows.exporter(report, finding),
                file_name=f"{health_words.code(finding)}-rows.jsonl",
                mime="application/jsonl",
                key=f"{key}.export",
                on_click="ignore",
            )
        with st.popover("Evidence"):
            _evidence(finding)
        st.space("stretch")
        st.caption(health_words.code(finding), width="content")
    if ids and st.session_state.get(shown):
        health_rows.draw(address, report, ids, f"{key}.grid")


def exported(report: Mapping[str, Any], finding: Mapping[str, Any]) -> str:
    """The export in words: a report whose rows were not written down on this machine has some ids alone."""
    ids, rows = list(finding.get("sample_ids") or ()), finding.get("rows")
    if rows == len(ids) or health_rows.written(report, finding) is not None:
        return "Export the affected rows"
    if isinstance(rows, int):
        return f"Export {len(ids):,} of {words.plural(rows, 'id')}"
    return f"Export {words.plural(len(ids), 'id')}"


def _turn(name: str) -> None:
    st.session_state[name] = not st.session_state.get(name)


def _evidence(finding: Mapping[str, Any]) -> None:
    """Figures as plain cells: names and values may come from payloads."""
    rows: list[tuple[str, str]] = []
    effect = finding.get("effect")
    if isinstance(effect, Mapping):
        rows.append((str(effect.get("name") or "figure"), health_words.number(effect.get("value"))))
        if effect.get("low") is not None and effect.get("high") is not None:
            low, high = health_words.number(effect["low"]), health_words.number(effect["high"])
            rows.append(("95% interval", f"{low} to {high}"))
        rows.append(("line of the policy", health_words.number(effect.get("threshold"))))
    rows.append(("basis", {"exact": "every row", "sample": "a sample", "probe": "searches and other probes"}.get(
        str(finding.get("basis")), "not known")))  # fmt: skip
    if finding.get("since"):
        rows.append(("since", health_words.at(finding["since"])))
    flat(finding.get("evidence") or {}, "", rows)
    st.dataframe(
        {"Figure": [words.printable(k) for k, _ in rows], "Value": [words.printable(v) for _, v in rows]},
        hide_index=True,
        width=520,
    )


def flat(value: Any, name: str, rows: list[tuple[str, str]], most: int = 60) -> None:
    """Nested evidence as lines of `name` and value."""
    if len(rows) >= most:
        return
    if isinstance(value, Mapping):
        for inner, held in value.items():
            flat(held, f"{name} {str(inner).replace('_', ' ')}".strip()[:120], rows, most)
    elif isinstance(value, (list, tuple)):
        text = ", ".join(
            health_words.number(v)
            if not isinstance(v, (Mapping, list))
            else json.dumps(finite(v), default=str)
            for v in value[:12]
        )
        rows.append((name, (text + (", …" if len(value) > 12 else ""))[:400]))
    else:
        rows.append((name, health_words.number(value)[:400]))
