"""Figures over time as small lines, each with its words for who can't see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import streamlit as st

from console.ui import words


@dataclass(frozen=True, slots=True)
class Spark:
    """`line`: oldest first; `value`: the newest, as a page shows it."""

    name: str
    value: str
    beside: str
    line: tuple[float, ...]


_CSS: Final = """
:host { display: block; }
ul { display: grid; gap: 14px; margin: 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(170px, 100%), 1fr)); }
li { border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); padding: 12px 14px 10px;
  color: var(--st-text-color); font-family: var(--st-font); min-width: 0; }
.name { font-size: 13px; }
.value { font-size: 21px; line-height: 1.4; font-variant-numeric: tabular-nums; }
.beside { font-size: 12px; color: color-mix(in srgb, var(--st-text-color) 80%, var(--st-background-color)); }
svg { display: block; width: 100%; height: 40px; margin-top: 6px; overflow: visible; }
polyline { fill: none; stroke: var(--st-link-color); stroke-width: 1.75; vector-effect: non-scaling-stroke; }
"""

_JS: Final = """
export default function (component) {
  const { data, parentElement } = component
  const list = parentElement.querySelector("ul")
  if (!list) return
  const made = (name, text) => {
    const element = document.createElement("div")
    element.className = name
    element.textContent = text
    return element
  }
  const space = "http:" + "/" + "/www.w3.org/2000/svg"
  const items = data.sparks.map((spark) => {
    const item = document.createElement("li")
    const low = Math.min(...spark.line)
    const high = Math.max(...spark.line)
    const last = Math.max(1, spark.line.length - 1)
    const points = spark.line.map((value, i) => {
      const y = high > low ? 38 - 36 * (value - low) / (high - low) : 20
      return `${(100 * i / last).toFixed(2)},${y.toFixed(2)}`
    })
    const picture = document.createElementNS(space, "svg")
    picture.setAttribute("viewBox", "0 0 100 40")
    picture.setAttribute("preserveAspectRatio", "none")
    picture.setAttribute("role", "img")
    picture.setAttribute("aria-label", spark.said)
    const line = document.createElementNS(space, "polyline")
    line.setAttribute("points", points.join(" "))
    picture.append(line)
    item.append(made("name", spark.name), made("value", spark.value), made("beside", spark.beside), picture)
    return item
  })
  list.replaceChildren(...items)
}
"""

_SPARKS = st.components.v2.component("plumbline_sparks", html="<ul></ul>", css=_CSS, js=_JS)


def sparks(drawn: Sequence[Spark], *, key: str) -> None:
    _SPARKS(key=key, data={"sparks": [{**asdict(s), "line": list(s.line), "said": said(s)} for s in drawn]})


def said(spark: Spark) -> str:
    """The line in words."""
    first, last = spark.line[0], spark.line[-1]
    low, high = min(spark.line), max(spark.line)
    if low == high:
        return words.printable(f"{spark.name}, {spark.beside}: {spark.value} throughout.")
    return words.printable(
        f"{spark.name}, {spark.beside}: from {first:,.4g} to {last:,.4g}, least {low:,.4g}, most {high:,.4g}."
    )
