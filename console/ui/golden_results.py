"""One evaluation: metrics with their intervals, for whom it is worse, what missed, and the queries that fare worst."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.search.answer import finite
from console.search.golden import GoldenSet
from console.search.wording import chance
from console.ui import compare_sides, compare_words, golden_missed, health_words, panels, words
from console.ui.note import note

SHOWN: Final = ("ndcg", "precision", "mrr", "recall")


def figure(held: Any) -> str:
    return compare_words.mean(held)


def draw(data: Mapping[str, Any], held: GoldenSet) -> None:
    against: Mapping[str, Any] | None = data.get("against")
    _verdict(data, against)
    if data.get("error"):
        panels.error(_fault(data["error"]), title="Nothing could be measured")
    _figures(data, against)
    note(_capped(data), key="golden.capped")
    panels.warnings([words.printable(str(line)) for line in data.get("warnings") or ()])
    _smoke(data)
    _metrics(data, against)
    _cohorts(data)
    golden_missed.draw(data, held)
    st.download_button(
        "This evaluation as JSON",
        lambda: json.dumps(finite(data), ensure_ascii=False, indent=1, allow_nan=False).encode(
            "utf-8", "replace"
        ),
        file_name=f"{data.get('id')}.json",
        mime="application/json",
        key="golden.evaluation.file",
        on_click="ignore",
        icon=":material/download:",
    )


def _fault(held: Mapping[str, Any]) -> PlumblineError:
    return PlumblineError(
        held["code"], str(held["message"]), where=str(held["where"]), hint=str(held["hint"])
    )


def _main(data: Mapping[str, Any]) -> str:
    return f"ndcg@{data.get('k')}"


def _difference(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return (((data.get("against") or {}).get("difference")) or {}).get(name) or {}


def _verdict(data: Mapping[str, Any], against: Mapping[str, Any] | None) -> None:
    main = _main(data)
    value = figure((data.get("metrics") or {}).get(main))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="golden_verdict"):
        if against is not None:
            difference = _difference(data, main)
            low, high = difference.get("low"), difference.get("high")
            known = low is not None and high is not None
            word, icon, colour = (
                compare_words.UNJUDGED if not known
                else compare_words.BETTER if low > 0
                else compare_words.WORSE if high < 0
                else compare_words.EVEN
            )  # fmt: skip
            st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]
        st.header(f"nDCG@{data.get('k')} {value}", width="content", anchor=False)
    version = data.get("version")
    named = f"version {version}" if isinstance(version, int) else "the draft"
    said = f"{compare_sides.label(data.get('address'))}, with {named} of the set, {health_words.ago(data.get('at'))}"
    if against is not None:
        difference = _difference(data, main)
        said += f"; held against {compare_sides.label(against.get('address'))}"
        if difference.get("mean") is not None:
            within = compare_words.interval(difference, sign=True)
            said += f": {compare_words.signed(difference['mean'])} ({within}) on {words.plural(int(difference['queries']), 'query', 'queries')}"
            if difference.get("p_value") is not None:
                said += f", p {chance(float(difference['p_value']))}"
    st.text(words.printable(f"{said}."))


def _figures(data: Mapping[str, Any], against: Mapping[str, Any] | None) -> None:
    metrics: Mapping[str, Any] = data.get("metrics") or {}
    k, unjudged = data.get("k"), data.get("unjudged") or {}
    with st.grid(5, min_column_width=170):
        for base in SHOWN:
            name = base if base in metrics else f"{base}@{k}"
            beside = compare_words.interval(metrics.get(name))
            st.metric(compare_words.metric(name), figure(metrics.get(name)), beside, delta_color="off",
                      delta_arrow="off", border=True, height="stretch")  # fmt: skip
        hits, of = unjudged.get("hits"), unjudged.get("of")
        st.metric("Not judged", words.count(hits), f"of {words.count(of)} results", delta_color="off",
                  delta_arrow="off", border=True, height="stretch")  # fmt: skip


def _capped(data: Mapping[str, Any]) -> list[str]:
    """How large recall can be at all, where queries have more relevant rows than there are hits."""
    k = int(data.get("k") or 0)
    rows: Sequence[Mapping[str, Any]] = data.get("per_query") or ()
    relevant = [int(r["relevant"]) for r in rows if isinstance(r.get("relevant"), int) and r["relevant"] > 0]
    many = [r for r in relevant if r > k]
    if not many or not k:
        return []
    most = sum(min(k, r) / r for r in relevant) / len(relevant)
    return [
        f"Recall@{k} can't be above {compare_words.number(most)} here: {words.count(len(many))} of "
        f"{words.plural(len(relevant), 'query', 'queries')} have more than {k} relevant rows, up to {max(many):,}."
    ]


def _smoke(data: Mapping[str, Any]) -> None:
    items: Sequence[Mapping[str, Any]] = data.get("smoke") or ()
    if not items:
        return
    failed = [i for i in items if not i.get("passed")]
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if failed:
                st.badge("Failed", icon=":material/error:", color="red")
            else:
                st.badge("Passed", icon=":material/check:", color="green")
            st.markdown(
                f"**Smoke items: {len(items) - len(failed):,} of {len(items):,} pass**", width="content"
            )
        if failed:
            kinds = {"must": "must appear", "must_not": "must not appear"}
            st.dataframe(
                {
                    "Query": [words.printable(str(i.get("label"))) for i in failed],
                    "Key": [words.printable(str(i.get("key"))) for i in failed],
                    "It": [kinds.get(str(i.get("kind")), "") for i in failed],
                    "Rank": [words.count(i["rank"]) if i.get("rank") else "not found" for i in failed],
                    "Why": [words.printable(str(i.get("why") or "")) for i in failed],
                },
                hide_index=True,
                key="golden.smoke.table",
            )


def _metrics(data: Mapping[str, Any], against: Mapping[str, Any] | None) -> None:
    metrics: Mapping[str, Any] = data.get("metrics") or {}
    table: dict[str, list[Any]] = {
        "Measure": [compare_words.metric(n) for n in metrics],
        "Value": [figure(m) for m in metrics.values()],
        "95% interval": [compare_words.interval(m) for m in metrics.values()],
    }
    if against is not None:
        theirs: Mapping[str, Any] = against.get("metrics") or {}
        table["Held against"] = [figure(theirs.get(n)) for n in metrics]
        table["Difference"] = [_said(_difference(data, n)) for n in metrics]
    st.subheader("Measures", anchor=False)
    st.dataframe(table, hide_index=True, key="golden.metrics")
    scored, queries = data.get("scored"), data.get("queries")
    note(
        [f"Counted: {words.count(scored)} of {words.plural(int(queries or 0), 'query', 'queries')}, those with something judged relevant. What is not judged "
         "counts as not relevant everywhere but in bpref, which leaves it out; judged@k says how much is judged."],
        key="golden.metrics.note",
    )  # fmt: skip


def _said(difference: Mapping[str, Any]) -> str:
    if difference.get("mean") is None:
        return compare_words.NOT
    within = compare_words.interval(difference, sign=True) or "too few queries for an interval"
    return f"{compare_words.signed(difference['mean'])} ({within})"


def _cohorts(data: Mapping[str, Any]) -> None:
    held: Mapping[str, Sequence[Mapping[str, Any]]] = data.get("cohorts") or {}
    if not held:
        return
    st.subheader("For whom", anchor=False)
    main = _main(data)
    names = list(held)
    field = (
        st.selectbox("By", names, key="golden.by", width=260, format_func=words.printable)
        if len(names) > 1
        else names[0]
    )
    rows = held[str(field)]
    table: dict[str, list[Any]] = {
        words.printable(str(field)) or "Value": [words.printable(str(r.get("value"))) for r in rows],
        "Queries": [r.get("queries") for r in rows],
        compare_words.metric(main): [figure((r.get("metrics") or {}).get(main)) for r in rows],
        "95% interval": [compare_words.interval((r.get("metrics") or {}).get(main)) for r in rows],
        "Less than the others by": [_gap(r) for r in rows],
    }
    if data.get("against") is not None:
        table["Difference"] = [_said((r.get("difference") or {}).get(main) or {}) for r in rows]
    st.dataframe(table, hide_index=True, key="golden.cohorts")


def _gap(row: Mapping[str, Any]) -> str:
    gap = row.get("gap") or {}
    if gap.get("value") is None:
        return "not measured: fewer than 30 queries, or no others"
    return f"{compare_words.signed(gap['value'])} ({compare_words.interval(gap, sign=True)})"
