"""An answer as it is drawn: warnings, the grid, where the time went, and what can be taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import streamlit as st

from connectors.errors import PlumblineError
from console import search
from console.search import HitRow, QueryAnswer, QueryRequest, Side, show
from console.search.guard import without_options
from console.settings import Address, readable
from console.ui import (
    golden_thumbs,
    hit_details,
    models,
    pages,
    panels,
    pictures,
    query_form,
    query_state,
    session,
    words,
)
from console.ui.grid import THUMBS, Card, grid
from console.ui.note import note

Form = Literal["jsonl", "csv"]
FORMS: Final[tuple[tuple[Form, str], ...]] = (("jsonl", "application/x-ndjson"), ("csv", "text/csv"))
MOST_DRAWN: Final = 200
COLUMNS: Final = 3
"""Addresses beside each other; more come below."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """An answer with its cards, kept for the session so that a click asks nothing again."""

    request: QueryRequest
    turn: tuple[int, int]
    answer: QueryAnswer
    pictures: tuple[pictures.Thumbnail | None, ...]
    stamp: str
    seconds: float


def ask(request: QueryRequest) -> Drawn:
    """The answer: the last one where nothing changed, else asked now. Raises what the search raises."""
    # A place that is always there: what follows keeps its position, and the grid is not made anew.
    place = st.empty()
    turn = (session.generation(), int(st.session_state.get("query.asked", 0)))
    held = st.session_state.get("query.drawn")
    if isinstance(held, Drawn) and held.request == request and held.turn == turn:
        return held
    began = time.perf_counter()
    with place, st.spinner(_doing(request), show_time=True):
        answer = search.run(session.workspace(), request)
        shown = {id(h) for group in _rankings(answer) for h in group[:MOST_DRAWN]}
        made = tuple(pictures.thumbnails([h.image if id(h) in shown else None for h in answer.hits]))
    seconds = time.perf_counter() - began
    drawn = Drawn(request, turn, answer, made, f"{time.time_ns()}", seconds)
    st.session_state["query.drawn"] = drawn
    return drawn


def _rankings(answer: QueryAnswer) -> list[Sequence[HitRow]]:
    if answer.request.fuse is not None or len(answer.sides) == 1:
        return [answer.hits]
    return [answer.hits_of(side.address) for side in answer.sides]


def _doing(request: QueryRequest) -> str:
    """What takes the time: loading an encoder, the first time, else the search."""
    if request.text is not None or request.image is not None:
        loading = models.to_load(query_form.known_encoders(request), request.encoder)
        if loading:
            return f"Loading {words.plural(len(loading), 'encoder')} into memory, then searching"
    return "Searching " + words.plural(len(request.addresses), "collection")


def draw(drawn: Drawn) -> None:
    answer = drawn.answer
    with st.container():
        panels.warnings(answer.warnings)
        golden_thumbs.refused()
    if answer.request.fuse is not None or len(answer.sides) == 1:
        for side in answer.sides:
            if side.error is not None:
                stopped(drawn.request, side.error, side.address)
        if any(side.error is None for side in answer.sides):
            _ranking(drawn, answer.hits, None)
    else:
        _side_by_side(drawn)
    if any(side.error is None for side in answer.sides):
        _take_away(drawn)


def stopped(request: QueryRequest, fault: PlumblineError, address: Address | None = None) -> None:
    """Why a query, or one side of it, has no answer; with the way on where there is one."""
    other = None
    if fault.code == "encoder-mismatch":
        fault, other = without_options(fault)
    panels.error(fault if not address else fault.at(str(address)))
    if fault.code == "encoder-mismatch" and not request.allow_mismatch:
        with st.container(horizontal=True, gap="small"):
            if other is not None and st.button(f"Search with {other}", key=f"query.instead.{address}"):
                query_state.send(replace(request, encoder=other))
            if st.button("Search all the same, for this query", key=f"query.override.{address}"):
                query_state.send(replace(request, allow_mismatch=True))
    elif fault.code == "encoder-unknown":
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button("Choose an encoder for this collection", key=f"query.choose.{address}"):
                place = address or request.addresses[0]
                st.switch_page(pages.OVERVIEW, query_params={"collection": str(place)})
            st.text("Rows and vectors can be searched without one.", width="content")


def _side_by_side(drawn: Drawn) -> None:
    sides = drawn.answer.sides
    for start in range(0, len(sides), COLUMNS):
        group = sides[start : start + COLUMNS]
        for column, side in zip(st.columns(len(group)), group, strict=True):
            with column:
                st.code(readable(side.address), language=None, wrap_lines=True, width="content")
                if side.error is not None:
                    stopped(drawn.request, side.error, side.address)
                else:
                    _ranking(drawn, drawn.answer.hits_of(side.address), side)


def _ranking(drawn: Drawn, hits: Sequence[HitRow], side: Side | None) -> None:
    """One ranking: its caption, and its grid or what an empty one means."""
    answer = drawn.answer
    for one in (side,) if side is not None else answer.sides:
        if one.error is None:
            caption(one, len(hits) if side is not None or len(answer.sides) == 1 else None, drawn)
    if not hits:
        _nothing(drawn.request, side)
        return
    if len(hits) > MOST_DRAWN:
        said = f"The first {MOST_DRAWN:,} of {len(hits):,} are drawn; the files below hold all of them."
        note([said], key=f"query.many.{side.address if side is not None else 'all'}")
    hits = hits[:MOST_DRAWN]
    index_of = {id(h): i for i, h in enumerate(answer.hits)}
    positions = [index_of[id(h)] for h in hits]
    name = str(side.address) if side is not None else "all"
    several = side is None and len(answer.sides) > 1
    thumbs = golden_thumbs.of(drawn.request)
    picked = grid(
        [_card(answer, h, drawn.pictures[p], several, thumbs) for h, p in zip(hits, positions, strict=True)],
        key=f"query.grid.{name}",
        label=f"{words.plural(len(hits), 'result')}, best first",
        stamp=drawn.stamp,
        narrow=side is not None,
    )
    if picked is None:
        return
    hit = hits[picked.index]
    if picked.act == "like":
        query_state.send(drawn.request.more_like(hit.id, hit.address))
    if picked.act in THUMBS:
        if thumbs is not None:
            golden_thumbs.judge(thumbs, hit, picked.act)
        st.rerun()
    hit_details.show_hit(drawn.request, hit, drawn.pictures[positions[picked.index]], thumbs)


def _card(
    answer: QueryAnswer,
    hit: HitRow,
    picture: pictures.Thumbnail | None,
    several: bool,
    thumbs: golden_thumbs.Thumbs | None,
) -> Card:
    side = next((s for s in answer.sides if s.address == hit.address), None)
    return Card(
        rank=hit.rank,
        score=words.score(hit.score),
        kind=hit.score_kind,
        id=str(hit.id),
        picture=picture.uri if picture is not None else None,
        text=hit.caption,
        note=picture.note if picture is not None else None if hit.caption else f"row {hit.id}",
        version=hit.version,
        modality=hit.modality,
        place=readable(hit.address) if several else None,
        foreign=side is not None and _foreign(side, hit.version),
        can_like=side is not None and side.vector is not None,
        can_judge=thumbs is not None and thumbs.can_judge(hit),
        grade=thumbs.grade(hit) if thumbs is not None else None,
    )


def _foreign(side: Side, version: str | None) -> bool:
    """Whether a row's tag is another encoder's than the one that was used."""
    if version is None or side.encoder is None:
        return False
    spec = session.workspace().encoder_specs().get(side.encoder.name)
    own = spec is not None and spec.claims(version)
    return not own and version not in (side.encoder.name, side.encoder.fingerprint)


def caption(side: Side, hits: int | None, drawn: Drawn) -> None:
    """Always there: the encoder and its fingerprint, how it was ranked, and where the time went."""
    t = side.timings
    encoder = "no encoder (a row, a vector or keywords)"
    if side.encoder is not None:
        encoder = f"encoder {side.encoder.name}, {models.fingerprint(side.encoder.fingerprint)}"
    found = f"{words.plural(hits, 'result')}" if hits is not None else readable(side.address)
    ranked = f"{_scored(drawn, side)} {'exactly' if side.exact else 'by the index'}"
    spent = ", ".join(
        f"{name} {words.milliseconds(value)}"
        for name, value in (
            ("load", t.load), ("encode", t.encode), ("search", t.search), ("fetch", t.fetch), ("guard", t.guard),
        )
    )  # fmt: skip
    lines = [
        f"{found}, {ranked}; {encoder}.",
        f"Time: {spent}; in all {words.milliseconds(drawn.answer.elapsed_ms)}.",
    ]
    note([*lines, *_versions(side)], key=f"query.caption.{side.address}")


def _scored(drawn: Drawn, side: Side) -> str:
    """The metric, and which way its scores go: two databases beside each other may count in opposite ways."""
    if side.metric is None:
        return "keyword"
    kinds = {h.score_kind for h in drawn.answer.hits_of(side.address)} - {"fused"}
    return f"{side.metric} {kinds.pop()}" if len(kinds) == 1 and drawn.request.fuse is None else side.metric


def _versions(side: Side) -> list[str]:
    mix = side.versions
    if mix is None or (len(mix.shares) <= 1 and not mix.untagged):
        return []
    parts = [f"{tag[:60]} {share:.1%}" for tag, share in sorted(mix.shares.items(), key=lambda p: -p[1])]
    if mix.untagged:
        parts.append(f"untagged {mix.untagged:.1%}")
    basis = f"all {mix.rows:,} rows" if mix.exact else f"a sample of {mix.rows:,} rows"
    return [f"Versions in the collection ({mix.tag_field}, {basis}): {', '.join(parts)}."]


def _nothing(request: QueryRequest, side: Side | None) -> None:
    why = ["The collection may be empty."]
    if request.filter is not None:
        why = ["No row passes the filter, or none that has this vector."]
    if request.cutoff is not None:
        why.append(f"The cutoff of {request.cutoff:g} may have removed every row: try without it.")
    panels.empty("Nothing was found", " ".join(why))


def _take_away(drawn: Drawn) -> None:
    """The same query as a command, and the hits as a file."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        golden_thumbs.chooser()
        with st.popover("As a command", icon=":material/terminal:"):
            st.caption("The same query on the command line")
            st.code(drawn.request.to_command(), language=None, wrap_lines=True)
        for form, mime in FORMS:
            st.download_button(
                f"Hits as {form.upper()}",
                _exporter(drawn.answer, form),
                file_name=f"hits.{form}",
                mime=mime,
                key=f"query.export.{form}",
                on_click="ignore",
            )


def _exporter(answer: QueryAnswer, form: Form) -> Callable[[], bytes]:
    return lambda: show.export_hits(answer, form).encode("utf-8", "replace")
