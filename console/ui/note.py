"""Quiet lines of text: captions whose words may come from a database, so they are set by `textContent`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from console.ui import words

_CSS: Final = """
:host { display: block; }
.note { margin: 0; font-family: var(--st-font); font-size: 13px; line-height: 1.5;
  color: color-mix(in srgb, var(--st-text-color) 80%, var(--st-background-color)); overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
.note + .note { margin-top: 2px; }
"""

_JS: Final = """
export default function (component) {
  const { data, parentElement } = component
  const box = parentElement.querySelector(".lines")
  if (!box) return
  const lines = data.lines.map((line) => {
    const element = document.createElement("p")
    element.className = "note"
    element.textContent = line
    return element
  })
  box.replaceChildren(...lines)
}
"""

_NOTE = st.components.v2.component("plumbline_note", html="<div class='lines'></div>", css=_CSS, js=_JS)


def note(lines: Sequence[str], *, key: str) -> None:
    """Draw the lines small and quiet."""
    _NOTE(key=key, data={"lines": [words.printable(line) for line in lines]})
