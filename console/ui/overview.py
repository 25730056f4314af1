"""The overview: a table for each connection, filled in as it answers, and one collection in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.catalogue import EncoderKnown, Listed
from console.settings import Address
from console.ui import board, details, health_store, health_words, panels, session, words

if TYPE_CHECKING:
    from console.store import Headline

NOT_COUNTED: Final = "not known yet"
NO_REPORT: Final = "none yet"
NO_STORE: Final = "not readable"


def draw() -> None:
    """The page. Nothing here waits for a server longer than a glance."""
    names = list(session.workspace().settings.connections)
    if not names:
        st.header("No connection is configured")
        nothing_configured()
        return
    held = [board.collections(n) for n in names]
    known = [board.encoders(n) for n in names]
    ready = board.glance(*held, *known, health_store.latest_each())
    board_of(names, polling=not ready)
    address = details.chosen()
    if address is not None:
        details.draw(address)


def nothing_configured() -> None:
    panels.empty(
        "Nothing to look at yet",
        "Make the demo, a store with 18,000 rows of drawn scenes, or add your own Qdrant or Weaviate: "
        "the page Connections shows how.",
        "plumbline demo",
    )


def board_of(names: Sequence[str], polling: bool) -> None:
    st.fragment(_tables, run_every=board.POLL if polling else None)(tuple(names), polling)


def _tables(names: Sequence[str], polling: bool) -> None:
    with panels.guarded("The overview"):
        _board(names, polling)


def _board(names: Sequence[str], polling: bool) -> None:
    held = {n: board.collections(n) for n in names}
    known = {n: board.encoders(n) for n in names}
    reports = health_store.latest_each()
    waiting = any(h.waiting for h in (*held.values(), *known.values(), reports))
    _verdict(held, reports)
    for name in names:
        _connection(name, held[name], known[name], reports)
    if polling and not waiting:
        st.rerun()


def _verdict(held: dict[str, board.Held[tuple[Listed, ...]]], reports: board.Held[list[Headline]]) -> None:
    lines = [line for h in held.values() for line in h.value or ()]
    there = [line.summary for line in lines if line.summary is not None]
    rows = sum(s.rows or 0 for s in there)
    failed = sum(1 for h in held.values() if not h.waiting and _fault(h) is not None)
    waiting = sum(1 for h in held.values() if h.waiting)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header(f"{words.plural(len(there), 'collection')}, {words.plural(rows, 'row')}", width="content")
        st.space("stretch")
        if st.button("Ask again", key="overview.again"):
            board.board().forget()
            st.rerun()
    parts = [f"{words.plural(len(held), 'connection')} configured."]
    if waiting:
        parts.append(f"{waiting} not answered yet.")
    if failed:
        parts.append(f"{failed} did not answer: the reason stands in its place below.")
    parts.append(_health(reports, tuple(held)))
    st.caption(" ".join(p for p in parts if p))
    if reports.error is not None:
        panels.error(reports.error, title="The store of reports can't be read")


def _health(reports: board.Held[list[Headline]], names: Sequence[str]) -> str:
    """How many vector fields were last found broken, degraded, healthy."""
    if reports.value is None:
        return ""
    found = [h for n in names for h in health_store.of_connection(reports.value, n).values()]
    if not found:
        return "None was checked yet: the page Health does so."
    counts = [(v, sum(1 for h in found if h.verdict == v)) for v in health_words.VERDICTS]
    said = ", ".join(f"{n:,} {health_words.verdict(v)[0].lower()}" for v, n in reversed(counts) if n)
    return f"Last checks of vector fields: {said}."


def _fault(held: board.Held[tuple[Listed, ...]]) -> PlumblineError | None:
    """Why a connection's list could not be had, or None."""
    if held.error is not None:
        return held.error
    for line in held.value or ():
        if line.summary is None and line.error is not None:
            return panels.restored(line.error)
    return None


def _connection(
    name: str,
    held: board.Held[tuple[Listed, ...]],
    known: board.Held[dict[Address, EncoderKnown]],
    reports: board.Held[list[Headline]],
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(name, width="content", anchor=False)
        if held.waiting:
            st.badge("Asking", icon=":material/hourglass_empty:", color="gray")
        elif _fault(held) is not None:
            st.badge("Down", icon=":material/block:", color="red")
        else:
            st.badge("Up", icon=":material/check:", color="green")
            st.caption(f"listed in {words.milliseconds(held.ms)}, at {words.moment(held.wall)}")
    if held.waiting:
        st.skeleton(height=140)
        return
    fault = _fault(held)
    if fault is not None:
        panels.error(fault)
        return
    lines = [line for line in held.value or () if line.summary is not None]
    if not lines:
        panels.empty(
            "No collection yet",
            "The server answers and holds no collection. Make one with its own tools, or seed the demo there.",
            f"plumbline demo --into {name} --no-serve",
        )
        return
    table(name, lines, known, reports)


def table(
    name: str,
    lines: Sequence[Listed],
    known: board.Held[dict[Address, EncoderKnown]],
    reports: board.Held[list[Headline]],
) -> None:
    """One row for each vector field; a click shows the collection in full."""
    addresses, columns = rows_of(name, lines, known, reports)
    event = st.dataframe(
        columns,
        key=f"overview.table.{name}",
        hide_index=True,
        selection_mode="single-row",
        on_select="rerun",
        column_config={
            "Rows": st.column_config.NumberColumn(format="localized"),
            "Dimension": st.column_config.NumberColumn(format="plain"),
        },
    )
    picked = tuple(event.selection.rows)
    if picked != st.session_state.get(f"overview.picked.{name}", ()):
        st.session_state[f"overview.picked.{name}"] = picked
        details.choose(addresses[picked[0]] if picked and picked[0] < len(addresses) else None)
        st.rerun()


def rows_of(
    name: str,
    lines: Sequence[Listed],
    known: board.Held[dict[Address, EncoderKnown]],
    reports: board.Held[list[Headline]],
) -> tuple[list[Address], dict[str, list[Any]]]:
    """The table's addresses and its columns. Cells are plain values: names may hold anything."""
    addresses: list[Address] = []
    checked = health_store.of_connection(reports.value or (), name)
    unchecked = "asking" if reports.waiting else NO_STORE if reports.error is not None else NO_REPORT
    columns: dict[str, list[Any]] = {
        c: []
        for c in (
            "Collection", "Vector", "Rows", "Last report", "Dimension", "Metric", "Index", "Quantization",
            "Aliases", "Encoder", "Known by",
        )
    }  # fmt: skip
    for line in lines:
        summary = line.summary
        assert summary is not None
        vectors = summary.vectors or (None,)
        for vector in vectors:
            address = Address(name, summary.name, vector=vector.name if vector is not None else None)
            addresses.append(address)
            encoder = (known.value or {}).get(address)
            missing = "asking" if known.waiting else NOT_COUNTED
            if vector is not None and vector.kind != "dense":
                missing = "none"
            error = summary.error
            values = (
                summary.name,
                words.field_name(vector.name)
                if vector is not None
                else f"error: {error['code']}"
                if error
                else "none",
                summary.rows,
                _last(checked.get(address), unchecked),
                vector.dimension if vector is not None else None,
                (vector.metric or vector.kind) if vector is not None else "",
                words.index(vector) if vector is not None and vector.kind == "dense" else "",
                words.quantization(vector) if vector is not None else "",
                ", ".join(summary.aliases),
                encoder.name if encoder is not None else missing,
                words.known_by(encoder.known_by) if encoder is not None else "",
            )
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    return addresses, columns


def _last(report: Headline | None, otherwise: str) -> str:
    """`Broken, 3 hours ago`."""
    if report is None:
        return otherwise
    return f"{health_words.verdict(report.verdict)[0]}, {health_words.ago(report.at)}"
