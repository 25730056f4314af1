"""The grid of results: one inline component, so that a whole answer is drawn in one go.

Everything in it comes from payloads and is hostile: it reaches the page by `textContent` only, and a
picture only as a data URI of a JPEG that was encoded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import streamlit as st

Act = Literal["open", "like", "up", "down"]
THUMBS: Final[dict[Act, int]] = {"up": 1, "down": 0}
"""What a thumb means as a grade."""

LONGEST_TEXT: Final = 400
LONGEST_LABEL: Final = 80


@dataclass(frozen=True, slots=True)
class Card:
    """One result as the grid draws it. `picture` is a `data:image/jpeg` URI; `note` says why there is none."""

    rank: int
    score: str
    kind: str
    """What the score is, in a word: similarity, distance, fused."""
    id: str
    picture: str | None = None
    text: str | None = None
    note: str | None = None
    version: str | None = None
    modality: str | None = None
    place: str | None = None
    """The collection, where several are ranked together."""
    foreign: bool = False
    """The version is not the live encoder's."""
    can_like: bool = True
    can_judge: bool = False
    grade: int | None = None
    """How the row is judged for this query in the golden set that thumbs go to."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was clicked: the index of a card and what is wanted of it."""

    act: Act
    index: int


_CSS: Final = """
:host { display: block; }
.grid { display: grid; gap: 12px; margin: 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(168px, calc(50% - 6px)), 1fr)); }
.narrow { grid-template-columns: repeat(auto-fill, minmax(min(128px, calc(50% - 6px)), 1fr)); }
.card { display: flex; flex-direction: column; min-width: 0; overflow: hidden;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
  background: var(--st-background-color); color: var(--st-text-color);
  font-family: var(--st-font); font-size: 13px; line-height: 1.4; }
.card:hover { border-color: var(--st-primary-color); }
button { font: inherit; color: inherit; background: none; border: 0; margin: 0; padding: 0; cursor: pointer;
  text-align: left; }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
.face { display: block; width: 100%; aspect-ratio: 1 / 1; background: var(--st-secondary-background-color);
  border-bottom: 1px solid var(--st-border-color); overflow: hidden; }
.face img { display: block; width: 100%; height: 100%; object-fit: contain; }
.small img { image-rendering: auto; }
.words { padding: 12px; box-sizing: border-box; font-size: 14px; line-height: 1.45; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.words span { display: -webkit-box; -webkit-line-clamp: 6; line-clamp: 6; -webkit-box-orient: vertical;
  overflow: hidden; }
.none span { opacity: 0.8; font-size: 13px; }
.facts { display: grid; grid-template-columns: auto 1fr; gap: 2px 10px; padding: 8px 10px 4px;
  align-items: baseline; }
.rank { font-weight: 600; font-variant-numeric: tabular-nums; }
.score { text-align: right; font-variant-numeric: tabular-nums; }
.meta { grid-column: 1 / -1; opacity: 0.82; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  font-size: 12px; }
.foreign { color: var(--st-orange-text-color); opacity: 1; font-weight: 600; }
.more { margin-top: auto; padding: 6px 10px 8px; font-size: 12.5px; color: var(--st-link-color);
  align-self: flex-start; border-radius: var(--st-base-radius); }
.more:hover { text-decoration: underline; }
.foot { display: flex; align-items: center; justify-content: space-between; margin-top: auto; }
.thumbs { display: flex; gap: 2px; padding: 0 6px 4px; margin-left: auto; }
.thumb { width: 30px; height: 28px; border-radius: var(--st-base-radius); text-align: center; }
.thumb svg { width: 16px; height: 16px; vertical-align: middle; fill: none; stroke: currentColor; stroke-width: 1.6; }
.thumb:hover { background: var(--st-secondary-background-color); }
.thumb[aria-pressed=true] { background: var(--st-primary-color); color: #fff; }
"""

_JS: Final = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const list = parentElement.querySelector("ul")
  if (!list) return
  const stamp = JSON.stringify([data.stamp, data.cards.length, data.label, data.cards.map((c) => [c.can_judge, c.grade])])
  if (list.dataset.stamp === stamp) return
  list.dataset.stamp = stamp
  list.className = data.narrow ? "grid narrow" : "grid"
  list.setAttribute("aria-label", data.label)
  const made = (name, className, text) => {
    const element = document.createElement(name)
    if (className) element.className = className
    if (text !== undefined && text !== null) element.textContent = text
    return element
  }
  const tell = (act, index) => setTriggerValue("chosen", { act, index })
  const root = list.getRootNode()
  const held = root.activeElement && root.activeElement.dataset ? root.activeElement.dataset.at : null
  const hand = "M7 11v9H4v-9zM7 11l4-8c1.6 0 2.4 1 2.2 2.4L12.6 9H19c1.2 0 2 1 1.7 2.2l-1.6 7c-.2 1-1 1.8-2.1 1.8H7"
  const thumb = (act, said, pressed, named, index) => {
    const button = made("button", "thumb")
    button.type = "button"
    button.title = said
    button.dataset.at = `${act}.${index}`
    button.setAttribute("aria-label", `${said}: ${named}`)
    button.setAttribute("aria-pressed", String(pressed))
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg")
    drawn.setAttribute("viewBox", "0 0 24 24")
    drawn.setAttribute("aria-hidden", "true")
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path")
    path.setAttribute("d", hand)
    if (act === "down") path.setAttribute("transform", "rotate(180 12 12)")
    drawn.append(path)
    button.append(drawn)
    button.onclick = () => tell(act, index)
    return button
  }
  const cards = data.cards.map((card, index) => {
    const item = made("li", "card")
    const named = `Rank ${card.rank}, ${card.kind} ${card.score}`
    const face = made("button", "face")
    face.type = "button"
    if (typeof card.picture === "string" && card.picture.startsWith("data:image/jpeg;base64,")) {
      const picture = made("img")
      picture.alt = ""
      picture.src = card.picture
      face.append(picture)
    } else {
      face.classList.add("words")
      if (!card.text) face.classList.add("none")
      face.append(made("span", "", card.text || card.note || "no picture"))
    }
    face.setAttribute("aria-label", `Details of ${named}${card.text ? ": " + card.text : ""}`)
    face.title = "Details"
    face.onclick = () => tell("open", index)
    const facts = made("div", "facts")
    facts.append(made("span", "rank", String(card.rank)))
    facts.append(made("span", "score", card.score))
    if (card.picture && card.text) facts.append(made("span", "meta", card.text))
    const version = made("span", card.foreign ? "meta foreign" : "meta", card.tags)
    version.title = card.tags
    facts.append(version)
    if (card.note && card.text && !card.picture) {
      const note = made("span", "meta", card.note)
      note.title = card.note
      facts.append(note)
    }
    if (card.place) facts.append(made("span", "meta", card.place))
    item.append(face, facts)
    const foot = made("div", "foot")
    if (card.can_like) {
      const more = made("button", "more", "More like this")
      more.type = "button"
      more.setAttribute("aria-label", `More like this: ${named}`)
      more.onclick = () => tell("like", index)
      foot.append(more)
    }
    if (card.can_judge) {
      const thumbs = made("div", "thumbs")
      thumbs.append(
        thumb("up", "Relevant", card.grade > 0, named, index),
        thumb("down", "Not relevant", card.grade === 0, named, index),
      )
      foot.append(thumbs)
    }
    if (foot.childElementCount) item.append(foot)
    return item
  })
  list.replaceChildren(...cards)
  const again = held && [...list.querySelectorAll("[data-at]")].find((e) => e.dataset.at === held)
  if (again) again.focus({ preventScroll: true })
}
"""

_GRID = st.components.v2.component("plumbline_hits", html="<ul class='grid'></ul>", css=_CSS, js=_JS)


def grid(cards: Sequence[Card], *, key: str, label: str, stamp: str, narrow: bool = False) -> Chosen | None:
    """Draw the cards; what was clicked since the last run, or None.

    `stamp` names the answer: the same one is not drawn again.
    """
    result = _GRID(
        key=key,
        data={"cards": [_data(c) for c in cards], "label": label, "stamp": stamp, "narrow": narrow},
        on_chosen_change=lambda: None,
    )
    return _chosen(result.chosen, len(cards))


def _chosen(told: Any, cards: int) -> Chosen | None:
    """What the browser sent, where it makes sense: it could send anything."""
    if not isinstance(told, dict):
        return None
    act, index = told.get("act"), told.get("index")
    if act not in get_args(Act) or not isinstance(index, int) or not 0 <= index < cards:
        return None
    return Chosen(act, index)


def _data(card: Card) -> dict[str, Any]:
    tags = " · ".join(shorten(t, LONGEST_LABEL) for t in (card.modality, card.version or "untagged") if t)
    return {
        "rank": card.rank,
        "score": card.score,
        "kind": card.kind,
        "picture": card.picture,
        "text": shorten(card.text, LONGEST_TEXT) if card.text else None,
        "note": card.note,
        "tags": tags,
        "place": card.place,
        "foreign": card.foreign,
        "can_like": card.can_like,
        "can_judge": card.can_judge,
        "grade": card.grade,
    }


def shorten(text: str, longest: int) -> str:
    """At most `longest` characters, printable ones only; an ellipsis where it was cut."""
    line = "".join(c if c.isprintable() or c == "\n" else " " for c in text[: longest + 1])
    return line if len(line) <= longest else line[: longest - 1] + "…"
