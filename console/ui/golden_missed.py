"""What an evaluation missed: by part of the query and modality of the result, and query by query, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from console.search.golden import GoldenSet
from console.ui import compare_words, golden_state, health_words, words

PARTS: Final = {"text": "Words", "image": "Pictures", "row": "Rows"}
FAILED: Final = {
    "fusion": "the fusion",
    "every part": "every part",
    "text": "words",
    "image": "picture",
    "row": "row",
}


def draw(data: Mapping[str, Any], held: GoldenSet) -> None:
    _failed(data)
    _queries(data, held)
    _rest(data)


def _failed(data: Mapping[str, Any]) -> None:
    """Which part of the queries missed, and which results are of which modality."""
    held: Mapping[str, Any] = data.get("failed_modality") or {}
    parts = _parts(held)
    modalities: Sequence[Mapping[str, Any]] = data.get("by_modality") or ()
    if not parts and not modalities:
        return
    st.subheader("What missed", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        if parts:
            st.dataframe(
                {
                    "Asked by": [name for name, _, _ in parts],
                    "Queries": [queries for _, queries, _ in parts],
                    "Without a relevant result": [missed for _, _, missed in parts],
                },
                hide_index=True,
                key="golden.failed",
            )
            fusion = held.get("fusion") or {}
            if fusion.get("missed"):
                had = words.plural(int(fusion["missed"]), "query", "queries")
                st.text(f"In {had} a part alone had a relevant result, and the fusion of the parts lost it.")
    with right:
        if modalities:
            st.dataframe(
                {
                    "Results of": [words.printable(str(m.get("modality"))) for m in modalities],
                    "Share of the results": [_share(m.get("share_of_hits")) for m in modalities],
                    "Precision": [compare_words.number(m.get("precision")) for m in modalities],
                    "Recall": [compare_words.number(m.get("recall")) for m in modalities],
                },
                hide_index=True,
                key="golden.modalities",
            )


def _parts(held: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """What asks, how many queries it asks, and how many of them have no relevant result by it."""
    out: list[tuple[str, int, int]] = []
    for name, said in PARTS.items():
        one = held.get(name) or {}
        if one.get("queries"):
            out.append((said, int(one["queries"]), int(one["missed"])))
    fusion = held.get("fusion") or {}
    if fusion.get("queries"):
        missed = int(fusion.get("missed") or 0) + int(fusion.get("missed_by_every_part") or 0)
        out.append(("Several parts", int(fusion["queries"]), missed))
    for name, said in PARTS.items():
        leg = (held.get(name) or {}).get("in_fusions") or {}
        if leg.get("queries"):
            out.append((f"{said} alone, of several parts", int(leg["queries"]), int(leg["missed"])))
    return out


def _share(value: Any) -> str:
    return health_words.percent(float(value)) if isinstance(value, (int, float)) else compare_words.NOT


def _queries(data: Mapping[str, Any], held: GoldenSet) -> None:
    """The worst first; a click opens the query with its judgements."""
    rows: Sequence[Mapping[str, Any]] = data.get("per_query") or ()
    if not rows:
        return
    st.subheader("Queries, the worst first", anchor=False)
    main = f"ndcg@{data.get('k')}"
    compared = any(r.get("difference") is not None for r in rows)
    table: dict[str, list[Any]] = {
        "Query": [words.printable(str(r.get("label"))) for r in rows],
        compare_words.metric(main): [compare_words.number((r.get("metrics") or {}).get(main)) for r in rows],
    }
    if compared:
        table["Difference"] = [compare_words.signed(r.get("difference")) for r in rows]
    table |= {
        "Relevant found": [
            f"{words.count(r.get('found'))} of {words.count(r.get('relevant'))}" for r in rows
        ],
        "Not judged": [r.get("unjudged") for r in rows],
        "Missed by": [FAILED.get(str(r.get("failed")), "") for r in rows],
    }
    event = st.dataframe(
        table,
        hide_index=True,
        key=f"golden.per_query.{data.get('id')}",
        selection_mode="single-row",
        on_select="rerun",
        height=words.tall(len(rows), 380),
    )
    picked = tuple(event.selection.rows)
    if picked and picked[0] < len(rows) and held.query(str(rows[picked[0]]["query"])) is not None:
        query = str(rows[picked[0]]["query"])
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Open this query",
                key="golden.open",
                on_click=golden_state.look,
                kwargs={"part": "queries", "q": query},
            )
            st.button(
                "Judge it blind",
                key="golden.blind",
                on_click=golden_state.look,
                kwargs={"part": "blind", "q": query},
            )


def _rest(data: Mapping[str, Any]) -> None:
    """Judged rows that are gone, and queries without figures."""
    missing: Sequence[Mapping[str, Any]] = data.get("missing") or ()
    not_scored: Sequence[Mapping[str, Any]] = data.get("not_scored") or ()
    _gone(missing, "Judged rows that are no longer there", "golden.missing")
    _gone(
        data.get("missing_smoke") or (), "Smoke items whose rows are no longer there", "golden.missing_smoke"
    )
    if not_scored:
        with st.expander(f"Queries without figures ({len(not_scored):,})"):
            st.dataframe(
                {
                    "Query": [words.printable(str(n.get("label"))) for n in not_scored],
                    "Why": [words.printable(str(n.get("why"))) for n in not_scored],
                },
                hide_index=True,
                key="golden.not_scored",
            )


def _gone(held: Sequence[Mapping[str, Any]], title: str, key: str) -> None:
    if not held:
        return
    many = sum(len(m.get("keys") or ()) for m in held)
    with st.expander(f"{title} ({many:,})"):
        st.dataframe(
            {
                "Query": [words.printable(str(m.get("label"))) for m in held],
                "Keys": [
                    words.printable(", ".join(str(k) for k in (m.get("keys") or ())[:20])) for m in held
                ],
            },
            hide_index=True,
            key=key,
        )
