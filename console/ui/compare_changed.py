"""The queries most changed first; one opens to its old and new neighbours with their pictures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.compare.words import NAMED
from console.search import Upload
from console.search.fields import RowFields
from console.search.request import K
from console.settings import Address
from console.ui import (
    board,
    compare_columns,
    compare_rows,
    compare_sides,
    compare_state,
    compare_words,
    golden_store,
    pages,
    panels,
    pictures,
    session,
    words,
)
from console.ui.compare_columns import Asked, Column, Mark, Neighbour
from console.ui.compare_words import SIDES

PAGE: Final = 10
KINDS: Final = {"row": "Row", "text": "Words", "image": "Picture", "golden": "Golden"}
_PICKED: Final = "compare.row"

Query = Mapping[str, Any]


def draw(data: Mapping[str, Any]) -> None:
    """The list. A click in it draws this part of the page alone."""
    st.fragment(_guarded)(data)


def _guarded(data: Mapping[str, Any]) -> None:
    with panels.guarded("The queries"):
        _draw(data)
        compare_state.look_kept()


def _draw(data: Mapping[str, Any]) -> None:
    changed: Sequence[Query] = data.get("changed") or ()
    same = compare_words.unchanged(data)
    st.subheader("The queries" if same else "The queries most changed", anchor=False)
    if not changed:
        st.text("No query could be asked of both sides.")
        return
    if same:
        st.text("None of them changed: both sides have the same neighbours, in any order of equals.")
    state = st.session_state
    last = (len(changed) + PAGE - 1) // PAGE
    page = min(max(1, int(state.get("compare.p") or 1)), last)
    first = (page - 1) * PAGE
    shown = list(range(first, min(first + PAGE, len(changed))))
    opened = state.get("compare.open")
    opened = opened if opened in shown else None
    asked, stamp = [], f"{data.get('id')} {page}"
    for index in shown:
        one = _asked(data, changed[index], index)
        if index == opened:
            one, turn = _opened(data, changed[index], one)
            stamp += f" {index} {turn}"
        asked.append(one)
    compare_columns.columns(
        asked,
        label=f"Queries {first + 1:,} to {shown[-1] + 1:,} of {len(changed):,}"
        + ("" if same else ", most changed first"),
        stamp=stamp,
        sides=[NAMED[s] for s in SIDES],
        on_told=_told,
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if last > 1:
            key = f"c.page.{data.get('id')}.{state.get('compare.turns', 0)}"
            st.pagination(last, default=page, key=key, on_change=_turned, args=(key,))
        st.text(
            f"{first + 1:,} to {shown[-1] + 1:,} of {words.plural(len(changed), 'query', 'queries')}",
            width="content",
        )
        st.space("stretch")
        if opened is not None:
            _lead(data, changed[opened])
    _drawer(data, changed)


def _told() -> None:
    """A click in the list, before the page is drawn again."""
    found, state = compare_columns.told(), st.session_state
    if found is None:
        return
    if found["act"] == "open":
        state["compare.open"] = None if state.get("compare.open") == found["index"] else found["index"]
    else:
        state[_PICKED] = found


def _turned(key: str) -> None:
    state = st.session_state
    state["compare.p"], state["compare.open"] = int(state[key]), None


def _asked(data: Mapping[str, Any], query: Query, index: int) -> Asked:
    k, overlap = int(data.get("k") or 0), query.get("overlap")
    share = float(overlap) if isinstance(overlap, (int, float)) else 0.0
    lost, gained = len(query.get("lost") or ()), len(query.get("gained") or ())
    stay = share * k
    said = f"{stay:.0f} of {k} stay" if abs(stay - round(stay)) < 0.05 else f"{stay:.1f} of {k} stay"
    if lost or gained:
        said += f", {lost:,} lost" if lost == gained else f", {lost:,} lost, {gained:,} gained"
    kind = KINDS.get(str(query.get("kind")), "Query")
    return Asked(index, words.printable(str(query.get("query") or "")), kind, said, min(1.0, max(0.0, share)))


def _opened(data: Mapping[str, Any], query: Query, asked: Asked) -> tuple[Asked, str]:
    """The query with its two columns, and what tells this state of them from another."""
    places = {side: compare_sides.rows_of(data, side) for side in SIDES}
    own = compare_rows.name(query) if query.get("id") is not None else None
    held: dict[str, board.Held[compare_rows.Rows]] = {}
    for side, place in places.items():
        if place is not None:
            names = [compare_rows.name(h) for h in query.get(side) or ()]
            # A query's id is the left side's own.
            held[side] = compare_rows.of(
                place, [*names, own] if own is not None and side == "left" else names
            )
    board.glance(*held.values(), seconds=compare_rows.SECONDS)
    columns = tuple(_column(data, query, side, places[side], held.get(side)) for side in SIDES)
    picture, text = _question(query, own, held)
    turn = time.time_ns() if any(h.waiting or h.error for h in held.values()) else "whole"
    if text is not None and words.printable(text).strip() == asked.label.strip():
        text = None
    made = Asked(asked.index, asked.label, asked.kind, asked.said, asked.share, picture, text, columns)
    return made, f"{turn} {sum(c.picture is not None for column in columns for c in column.cards)}"


def _question(
    query: Query, own: compare_rows.Name | None, held: Mapping[str, board.Held[compare_rows.Rows]]
) -> tuple[str | None, str | None]:
    """What was asked: its picture and its words."""
    upload = Upload.parse(str(query.get("image") or ""))
    if upload is not None:
        drawn = golden_store.picture(upload)
        return (pictures.as_uri(drawn) if drawn is not None else None), _words(query)
    rows = held["left"].value if "left" in held else None
    payload = rows.payloads.get(own) if rows is not None and own is not None else None
    if rows is None or payload is None:
        return None, _words(query)
    image = pictures.thumbnails([rows.fields.image_of(payload)])[0]
    return (image.uri if image is not None else None), rows.fields.caption_of(payload)


def _words(query: Query) -> str | None:
    text = query.get("text")
    return str(text) if text else None


def _column(
    data: Mapping[str, Any],
    query: Query,
    side: str,
    place: Address | None,
    held: board.Held[compare_rows.Rows] | None,
) -> Column:
    hits: Sequence[Mapping[str, Any]] = query.get(side) or ()
    rows = held.value if held is not None else None
    fault = None
    if held is None:
        fault = "There is no collection to fetch these rows from."
    elif held.waiting:
        fault = "The rows have not come yet: the server is slow. Open the query again in a moment."
    elif held.error is not None:
        fault = _calm(f"The rows can't be shown. {held.error.message} {held.error.hint}")
    payloads = [rows.payloads.get(compare_rows.name(h)) if rows is not None else None for h in hits]
    fields = rows.fields if rows is not None else RowFields()
    images = pictures.thumbnails([fields.image_of(p) if p is not None else None for p in payloads])
    other = "right" if side == "left" else "left"
    away = {str(i) for i in query.get("lost" if side == "left" else "gained") or ()}
    judged = query.get("grades") is not None
    depth = ((data.get("displacement") or {}).get("lost_rank") or {}).get("depth")
    cards = [
        Neighbour(
            rank=n + 1,
            score=compare_words.score(hit.get("score")),
            mark=(mark := _mark(side, str(hit["id"]) in away)),
            other=_elsewhere(hit.get(f"rank_{other}"), mark, NAMED[other], depth),
            id=str(hit["id"]),
            picture=image.uri if image is not None else None,
            text=fields.caption_of(payload) if payload is not None else None,
            note=_note(image, payload, hit, rows is not None),
            tags=_tags(fields, payload, compare_sides.encoder_of(str(data.get(side)))),
            grade=_grade(hit.get("grade")) if judged else None,
        )
        for n, (hit, payload, image) in enumerate(zip(hits, payloads, images, strict=True))
    ]
    title = NAMED[side].capitalize()
    return Column(title, compare_sides.label(data.get(side)), tuple(cards), fault)


def _mark(side: str, away: bool) -> Mark:
    if not away:
        return "kept"
    return "lost" if side == "left" else "gained"


def _elsewhere(rank: Any, mark: Mark, other: str, depth: Any) -> str:
    """`lost, now 34`, `gained, was > 100`, `stays, now 2`."""
    verb = {"lost": "lost", "gained": "gained", "kept": "stays"}[mark]
    where = "now" if other == "new" else "was"
    if isinstance(rank, int):
        return f"{verb}, {where} {rank:,}"
    return f"{verb}, {where} > {depth:,}" if isinstance(depth, int) else f"{verb}, {where} further off"


def _note(image: pictures.Thumbnail | None, payload: Any, hit: Mapping[str, Any], came: bool) -> str:
    if image is not None and image.note:
        return image.note
    return f"row {hit['id']}" if payload is not None or not came else f"row {hit['id']} is no longer there"


def _tags(fields: RowFields, payload: Any, encoder: str | None) -> tuple[str, ...]:
    """Modality and version; of a side that an encoder made for the comparison, the encoder: the tag is of what is stored."""
    if payload is None:
        return () if encoder is None else (encoder,)
    version = fields.version_of(payload) if encoder is None else encoder
    return tuple(t for t in (fields.modality_of(payload), version) if t)


def _calm(text: str) -> str:
    """What a server said, without marks that shout and those of the command line."""
    return panels.plain(text).replace("!", ".").replace("`", "").strip()


def _grade(grade: Any) -> str:
    if not isinstance(grade, (int, float)):
        return "not judged"
    return f"relevant, grade {grade:g}" if grade > 0 else "not relevant"


def _lead(data: Mapping[str, Any], query: Query) -> None:
    """From an open query to both sides on the page Query."""
    sides = [s for s in (str(data.get(n)) for n in SIDES) if compare_sides.encoder_of(s) is None]
    asked: dict[str, Any] = {}
    if query.get("id") is not None and sides:
        asked = {"id": f"{sides[0]}:{query['id']}"}
    elif query.get("image"):
        asked = {"image": str(query["image"])}
    elif query.get("text"):
        asked = {"text": str(query["text"])}
    if not asked or not sides:
        return
    if st.button("Ask this on the page Query", key="compare.query", icon=":material/search:"):
        # As the page Query writes it itself: another spelling would be a second step for the browser's Back.
        k = {} if data.get("k") == K else {"k": str(data.get("k"))}
        st.switch_page(pages.QUERY, query_params={"a": sides, **asked, **k})


@st.dialog("Row", width=520, position="right")
def _no_row(fault: PlumblineError) -> None:
    """Where the row would be: who clicks a card looks there."""
    panels.error(fault, title="The row can't be shown")


def _drawer(data: Mapping[str, Any], changed: Sequence[Query]) -> None:
    """The row that was clicked, in full."""
    found = st.session_state.pop(_PICKED, None)
    if found is None or found["index"] >= len(changed) or found["side"] >= len(SIDES):
        return
    side = SIDES[found["side"]]
    hits = changed[found["index"]].get(side) or ()
    place = compare_sides.rows_of(data, side)
    if place is None or found["place"] >= len(hits):
        return
    from console.ui import health_rows

    name = compare_rows.name(hits[found["place"]])
    place = compare_rows.within(place, name)
    try:
        payload = compare_rows.whole(place, name)
    except Exception as fault:
        _no_row(session.explain(fault))
        return
    if payload is None:
        _no_row(PlumblineError("not-found", "This row is no longer there.", where=str(place)))
        return
    fields = compare_rows.of(place, [name])
    board.glance(fields, seconds=compare_rows.SECONDS)
    reader = fields.value.fields if fields.value is not None else RowFields()
    image = pictures.thumbnails([reader.image_of(payload)])[0]
    health_rows.show_row(place, hits[found["place"]]["id"], payload, image)
