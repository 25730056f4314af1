"""Rows to judge: cards with a picture and a grade for each. One inline component.

Everything in it comes from payloads and is hostile: it reaches the page by `textContent` only, and a
picture only as a data URI of a JPEG that was encoded here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from console.ui.grid import LONGEST_LABEL, LONGEST_TEXT, shorten

GRADES: Final = (0, 1, 2, 3)
SAID: Final = {0: "not relevant", 1: "relevant", 2: "very relevant", 3: "exactly it"}


@dataclass(frozen=True, slots=True)
class Judged:
    """One row as it is judged. `head`: its rank or what it is; `fixed`: why it can't be judged here."""

    key: str
    head: str
    grade: int | None = None
    picture: str | None = None
    text: str | None = None
    note: str | None = None
    tags: str = ""
    fixed: str | None = None


_CSS: Final = """
:host { display: block; }
.judge { display: grid; gap: 12px; margin: 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(148px, calc(50% - 6px)), 1fr)); }
.narrow { grid-template-columns: repeat(auto-fill, minmax(min(132px, 100%), 1fr)); }
.card { display: flex; flex-direction: column; min-width: 0; overflow: hidden;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
  background: var(--st-background-color); color: var(--st-text-color);
  font-family: var(--st-font); font-size: 13px; line-height: 1.4; }
.good { border: 2px solid var(--st-green-color); }
.bad { border: 2px dashed var(--st-orange-color); }
.face { display: block; width: 100%; aspect-ratio: 1 / 1; overflow: hidden; }
.face img { display: block; width: 100%; height: 100%; object-fit: contain; }
.words { padding: 10px; box-sizing: border-box; font-size: 14px; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--st-secondary-background-color); }
.words span { display: -webkit-box; -webkit-line-clamp: 6; line-clamp: 6; -webkit-box-orient: vertical; overflow: hidden; }
.facts { padding: 6px 10px 4px; display: grid; gap: 1px; border-top: 1px solid var(--st-border-color); }
.head { font-weight: 600; font-variant-numeric: tabular-nums; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.meta { opacity: 0.82; font-size: 12px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.grades { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; margin-top: auto;
  border-top: 1px solid var(--st-border-color); }
button { font: inherit; color: inherit; background: none; border: 0; margin: 0; padding: 7px 0; cursor: pointer;
  font-variant-numeric: tabular-nums; min-height: 32px; }
button + button { border-left: 1px solid var(--st-border-color); }
button:hover { background: var(--st-secondary-background-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
button[aria-pressed=true] { background: var(--st-primary-color); color: #fff; font-weight: 600; }
.fixed { margin: 0; padding: 7px 10px; font-size: 12px; border-top: 1px solid var(--st-border-color); margin-top: auto; }
"""

_JS: Final = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const list = parentElement.querySelector("ul")
  if (!list) return
  const stamp = JSON.stringify(data.stamp)
  if (list.dataset.stamp === stamp) return
  list.dataset.stamp = stamp
  list.className = data.narrow ? "judge narrow" : "judge"
  list.setAttribute("aria-label", data.label)
  const root = list.getRootNode()
  const held = root.activeElement && root.activeElement.dataset ? root.activeElement.dataset.at : null
  const made = (name, className, text) => {
    const element = document.createElement(name)
    if (className) element.className = className
    if (text !== undefined && text !== null) element.textContent = text
    return element
  }
  const cards = data.cards.map((card, index) => {
    const item = made("li", "card")
    if (card.grade > 0) item.classList.add("good")
    if (card.grade === 0) item.classList.add("bad")
    const face = made("div", "face")
    if (typeof card.picture === "string" && card.picture.startsWith("data:image/jpeg;base64,")) {
      const picture = made("img")
      picture.alt = ""
      picture.src = card.picture
      face.append(picture)
    } else {
      face.classList.add("words")
      face.append(made("span", "", card.text || card.note || "no picture"))
    }
    const facts = made("div", "facts")
    const head = made("span", "head", card.head)
    head.title = card.head
    facts.append(head)
    if (card.picture && card.text) {
      const text = made("span", "meta", card.text)
      text.title = card.text
      facts.append(text)
    }
    if (card.note && (card.picture || card.text)) facts.append(made("span", "meta", card.note))
    if (card.tags) facts.append(made("span", "meta", card.tags))
    item.append(face, facts)
    if (card.fixed) {
      item.append(made("p", "fixed", card.fixed))
      return item
    }
    const grades = made("div", "grades")
    grades.setAttribute("role", "group")
    grades.setAttribute("aria-label", `Grade of ${card.head}`)
    const offered = data.grades.map((g) => g.grade)
    const all = card.grade !== null && !offered.includes(card.grade)
      ? [...data.grades, { grade: card.grade, said: `grade ${card.grade}` }] : data.grades
    for (const { grade, said } of all) {
      const button = made("button", "", String(grade))
      button.type = "button"
      button.title = said
      button.dataset.at = `${index}.${grade}`
      button.setAttribute("aria-label", `${grade}, ${said}: ${card.head}`)
      button.setAttribute("aria-pressed", String(card.grade === grade))
      button.onclick = () => setTriggerValue("told", { key: card.key, grade: card.grade === grade ? null : grade })
      grades.append(button)
    }
    item.append(grades)
    return item
  })
  list.replaceChildren(...cards)
  if (held) {
    const again = [...list.querySelectorAll("[data-at]")].find((e) => e.dataset.at === held)
    if (again) again.focus({ preventScroll: true })
  }
}
"""

_CARDS = st.components.v2.component("plumbline_judge", html="<ul class='judge'></ul>", css=_CSS, js=_JS)


def cards(
    held: Sequence[Judged],
    *,
    key: str,
    label: str,
    stamp: str,
    on_told: Callable[[], None],
    narrow: bool = False,
) -> None:
    """Draw the rows. `stamp` names what is drawn but for the grades. `on_told`: see `told`."""
    _CARDS(
        key=key,
        data={
            "cards": [_data(c) for c in held],
            "label": label,
            "stamp": [
                stamp,
                [c.grade for c in held],
                [c.key for c in held],
                sum(c.picture is not None for c in held),
            ],
            "grades": [{"grade": g, "said": SAID[g]} for g in GRADES],
            "narrow": narrow,
        },
        on_told_change=on_told,
    )


def told(key: str, keys: Collection[str]) -> tuple[str, int | None] | None:
    """Which of the drawn rows got which grade, inside `on_told`; None where what the browser sent makes no sense."""
    held: Any = st.session_state.get(key)
    found = held.get("told") if hasattr(held, "get") else None
    if not isinstance(found, dict):
        return None
    row, grade = found.get("key"), found.get("grade")
    if row not in keys or not (grade is None or type(grade) is int):
        return None
    return str(row), grade


def _data(card: Judged) -> dict[str, Any]:
    return {
        "key": card.key,
        "head": shorten(card.head, LONGEST_LABEL),
        "grade": card.grade,
        "picture": card.picture,
        "text": shorten(card.text, LONGEST_TEXT) if card.text else None,
        "note": shorten(card.note, LONGEST_LABEL) if card.note else None,
        "tags": shorten(card.tags, LONGEST_LABEL),
        "fixed": card.fixed,
    }
