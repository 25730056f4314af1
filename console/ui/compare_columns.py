"""The list of queries, one of them open with its neighbours: old left, new right. One inline component.

Everything in it comes from payloads and is hostile: it reaches the page by `textContent` only, and a
picture only as a data URI of a JPEG that was encoded here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import streamlit as st

from console.ui import words
from console.ui.grid import LONGEST_LABEL, LONGEST_TEXT, shorten

Mark = Literal["lost", "gained", "kept"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One hit of one side. `other`: where it stands on the other side, in words."""

    rank: int
    score: str
    mark: Mark
    other: str
    id: str
    picture: str | None = None
    text: str | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()
    grade: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One side of an open query. `fault`: why there are no pictures."""

    title: str
    place: str
    cards: tuple[Neighbour, ...]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of the list. `index` counts from 0 among all; `share` from 0 to 1 of the neighbours that stay."""

    index: int
    label: str
    kind: str
    said: str
    share: float
    picture: str | None = None
    text: str | None = None
    columns: tuple[Column, ...] = ()
    """Of the open query alone."""


_CSS: Final = """
:host { display: block; }
ol, ul { list-style: none; margin: 0; padding: 0; }
.queries { border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); overflow: hidden;
  background: var(--st-background-color); color: var(--st-text-color); font-family: var(--st-font);
  font-size: 14px; line-height: 1.4; }
.queries > li + li { border-top: 1px solid var(--st-border-color); }
button { font: inherit; color: inherit; background: none; border: 0; margin: 0; padding: 0; cursor: pointer;
  text-align: left; }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
.query { display: grid; grid-template-columns: 16px minmax(0, 1fr) 84px minmax(150px, auto); gap: 4px 12px;
  align-items: center; width: 100%; padding: 9px 12px; }
.query:hover { background: var(--st-secondary-background-color); }
.turn { width: 0; height: 0; border-left: 6px solid currentColor; border-top: 4px solid transparent;
  border-bottom: 4px solid transparent; opacity: 0.7; }
.query[aria-expanded=true] .turn { transform: rotate(90deg); }
.label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.kind { font-size: 12px; opacity: 0.82; margin-right: 6px; }
.bar { height: 8px; border-radius: 4px; background: color-mix(in srgb, var(--st-text-color) 14%, transparent);
  overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--st-primary-color); }
.said { font-size: 13px; text-align: right; font-variant-numeric: tabular-nums; }
.body { padding: 4px 12px 14px; background: var(--st-secondary-background-color); }
.asked { display: flex; gap: 12px; align-items: center; padding: 8px 0; }
.asked img { width: 88px; height: 88px; object-fit: contain; border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius); background: var(--st-background-color); }
.asked p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.sides { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.side { margin: 0 0 6px; font-weight: 600; }
.side span { font-weight: 400; font-size: 12px; opacity: 0.85; margin-left: 8px; overflow-wrap: anywhere; }
.cards { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(min(148px, 100%), 1fr)); }
.card { display: flex; flex-direction: column; min-width: 0; border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius); background: var(--st-background-color); overflow: hidden; font-size: 12.5px; }
.lost { border: 2px dashed var(--st-orange-color); }
.gained { border: 2px solid var(--st-green-color); }
.face { display: block; width: 100%; aspect-ratio: 1 / 1; overflow: hidden; background: var(--st-background-color); }
.face img { display: block; width: 100%; height: 100%; object-fit: contain; }
.words { padding: 8px; box-sizing: border-box; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.4; }
.words span { display: -webkit-box; -webkit-line-clamp: 6; line-clamp: 6; -webkit-box-orient: vertical; overflow: hidden; }
.facts { display: grid; grid-template-columns: auto 1fr; gap: 1px 8px; padding: 5px 8px 7px; align-items: baseline;
  border-top: 1px solid var(--st-border-color); }
.rank { font-weight: 600; font-variant-numeric: tabular-nums; }
.score { text-align: right; font-variant-numeric: tabular-nums; }
.meta { grid-column: 1 / -1; opacity: 0.82; overflow-wrap: anywhere; }
.caption { display: -webkit-box; -webkit-line-clamp: 2; line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; }
.mark, .grade { grid-column: 1 / -1; }
.lost .mark { color: var(--st-orange-text-color); font-weight: 600; }
.gained .mark { color: var(--st-green-text-color); font-weight: 600; }
.fault { margin: 0; font-size: 13px; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  .query { grid-template-columns: 16px minmax(0, 1fr) 64px; }
  .said { grid-column: 2 / -1; text-align: left; }
  .label { white-space: normal; }
  .sides { gap: 10px; }
  .body { padding: 4px 8px 12px; }
}
"""

_JS: Final = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const list = parentElement.querySelector("ol")
  if (!list) return
  const stamp = JSON.stringify(data.stamp)
  if (list.dataset.stamp === stamp) return
  list.dataset.stamp = stamp
  list.className = "queries"
  list.setAttribute("aria-label", data.label)
  const root = list.getRootNode()
  const held = root.activeElement && root.activeElement.dataset ? root.activeElement.dataset.at : null
  const made = (name, className, text) => {
    const element = document.createElement(name)
    if (className) element.className = className
    if (text !== undefined && text !== null) element.textContent = text
    return element
  }
  const pictured = (uri) => {
    if (typeof uri !== "string" || !uri.startsWith("data:image/jpeg;base64,")) return null
    const picture = made("img")
    picture.alt = ""
    picture.src = uri
    return picture
  }
  const found = (at) => [...list.querySelectorAll("[data-at]")].find((e) => e.dataset.at === at)
  const comeBack = (at) => {
    // The drawer takes the focus; once it is closed, it belongs to the row that was opened.
    const page = list.ownerDocument
    let seen = false
    const until = Date.now() + 30000
    const look = () => {
      const open = page.querySelector("[role=dialog]") !== null
      if (open) seen = true
      else if (seen) {
        const back = found(at)
        const lost = page.activeElement === page.body || page.activeElement === null
        if (back && lost) back.focus({ preventScroll: true })
        return
      }
      if (seen || Date.now() < until) setTimeout(look, 120)
    }
    setTimeout(look, 120)
  }
  const card = (one, index, side, place) => {
    const item = made("li", `card ${one.mark}`)
    const face = made("button", "face")
    face.type = "button"
    face.dataset.at = `${index}.${side}.${place}`
    const picture = pictured(one.picture)
    if (picture) face.append(picture)
    else {
      face.classList.add("words")
      face.append(made("span", "", one.text || one.note || `row ${one.id}`))
    }
    const seen = picture ? one.text : one.text || one.note || `row ${one.id}`
    const named = `Details of ${data.sides[side]} rank ${one.rank}, ${one.other}`
    face.setAttribute("aria-label", seen ? `${named}: ${seen}` : named)
    face.title = one.text || "Details"
    face.onclick = () => {
      setTriggerValue("told", { act: "row", index, side, place })
      comeBack(face.dataset.at)
    }
    const facts = made("div", "facts")
    facts.append(made("span", "rank", String(one.rank)), made("span", "score", one.score))
    facts.append(made("span", "mark", one.other))
    if (one.grade) facts.append(made("span", "grade", one.grade))
    if (one.text && picture) facts.append(made("span", "meta caption", one.text))
    for (const tag of one.tags) facts.append(made("span", "meta", tag))
    item.append(face, facts)
    return item
  }
  const column = (one, index, side) => {
    const box = made("section")
    box.setAttribute("aria-label", one.title)
    const title = made("p", "side", one.title)
    title.append(made("span", "", one.place))
    box.append(title)
    if (one.fault) box.append(made("p", "fault", one.fault))
    const cards = made("ul", "cards")
    cards.append(...one.cards.map((c, place) => card(c, index, side, place)))
    if (one.cards.length) box.append(cards)
    return box
  }
  const rows = data.queries.map((one) => {
    const item = made("li")
    const open = one.columns.length > 0
    const button = made("button", "query")
    button.type = "button"
    button.dataset.at = String(one.index)
    button.setAttribute("aria-expanded", String(open))
    const label = made("span", "label")
    label.append(made("span", "kind", one.kind), made("span", "", one.label))
    label.title = one.label
    const bar = made("span", "bar")
    const share = made("i")
    share.style.width = `${Math.round(100 * one.share)}%`
    bar.append(share)
    button.append(made("span", "turn"), label, bar, made("span", "said", one.said))
    button.onclick = () => setTriggerValue("told", { act: "open", index: one.index })
    item.append(button)
    if (open) {
      const body = made("div", "body")
      const asked = made("div", "asked")
      const picture = pictured(one.picture)
      if (picture) asked.append(picture)
      if (one.text) asked.append(made("p", "", one.text))
      if (asked.childElementCount) body.append(asked)
      const sides = made("div", "sides")
      sides.append(...one.columns.map((c, side) => column(c, one.index, side)))
      body.append(sides)
      item.append(body)
    }
    return item
  })
  list.replaceChildren(...rows)
  if (held) {
    const again = found(held)
    if (again) again.focus({ preventScroll: true })
  }
}
"""

_COLUMNS = st.components.v2.component("plumbline_changes", html="<ol class='queries'></ol>", css=_CSS, js=_JS)

KEY: Final = "compare.changes"


def columns(
    queries: Sequence[Asked], *, label: str, stamp: str, sides: Sequence[str], on_told: Callable[[], None]
) -> None:
    """Draw the list. `stamp` names what is drawn: the same is not drawn again. `on_told`: see `told`."""
    _COLUMNS(
        key=KEY,
        data={
            "queries": [_query(q) for q in queries],
            "label": label,
            "stamp": stamp,
            "sides": list(sides),
        },
        on_told_change=on_told,
    )


def told() -> Any:
    """What was clicked, inside `on_told`: `{"act": "open", "index"}` or `{"act": "row", "index", "side", "place"}`.

    None where what the browser sent makes no sense: it could send anything.
    """
    held = st.session_state.get(KEY)
    found = held.get("told") if hasattr(held, "get") else None
    if not isinstance(found, dict) or found.get("act") not in ("open", "row"):
        return None
    numbers = ("index",) if found["act"] == "open" else ("index", "side", "place")
    if any(type(found.get(n)) is not int or found[n] < 0 for n in numbers):
        return None
    return found


def _query(query: Asked) -> dict[str, Any]:
    return {
        "index": query.index,
        "label": shorten(query.label, LONGEST_TEXT),
        "kind": query.kind,
        "said": query.said,
        "share": query.share,
        "picture": query.picture,
        "text": shorten(query.text, LONGEST_TEXT) if query.text else None,
        "columns": [_column(c) for c in query.columns],
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "title": column.title,
        "place": shorten(column.place, LONGEST_LABEL),
        "fault": column.fault and words.printable(column.fault),
        "cards": [
            {
                "rank": n.rank, "score": n.score, "mark": n.mark, "other": n.other, "id": shorten(n.id, LONGEST_LABEL),
                "picture": n.picture, "text": shorten(n.text, LONGEST_TEXT) if n.text else None,
                "note": shorten(n.note, LONGEST_LABEL) if n.note else None,
                "tags": [shorten(t, LONGEST_LABEL) for t in n.tags], "grade": n.grade,
            }
            for n in column.cards
        ],
    }  # fmt: skip
