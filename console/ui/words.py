"""Numbers and names as a page says them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from connectors.model import VectorField
from console.search.wording import plural as plural

_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs"})
ROW: Final = 33
"""Pixels of a table's row, at the theme's 15 px."""
_KNOWN_BY: Final = {
    "explicit": "this query",
    "settings": "settings",
    "choice": "chosen here",
    "marker": "the collection's marker",
    "versions": "version tags",
    "version": "version tags",
}


def known_by(how: str) -> str:
    """How an encoder is known, in words."""
    return _KNOWN_BY.get(how, how)


def count(number: int | None) -> str:
    """`1,012`; "not known" where there is none."""
    return "not known" if number is None else f"{number:,}"


def tall(rows: int, most: int) -> int | Literal["content"]:
    """The height of a table of so many rows: as tall as they are, or `most` pixels."""
    return "content" if ROW * (rows + 1) + 2 <= most else most


def milliseconds(value: float) -> str:
    if value < 10:
        return f"{value:.1f} ms"
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


def score(value: float) -> str:
    """Four significant places, aligned enough to compare; never in powers of ten below a million."""
    if not math.isfinite(value):
        return "not a number"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def moment(seconds: float) -> str:
    """A time with its zone."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")


def sentence(text: str) -> str:
    """A server's or adapter's remark as a sentence."""
    text = printable(text.strip())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".") if text else ""


def printable(text: str) -> str:
    """The text without what a page can't carry or must not obey: control characters, lone surrogates and
    marks that turn the direction of writing. Line breaks stay."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in _UNPRINTABLE else "\ufffd" for c in text
    )


def printable_json(data: Any) -> Any:
    """The same JSON data with every text in it printable."""
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, Mapping):
        return {printable(str(k)): printable_json(v) for k, v in data.items()}
    if isinstance(data, list):
        return [printable_json(v) for v in data]
    return data


def field_name(name: str) -> str:
    return name or "(unnamed)"


def index(vector: VectorField) -> str:
    """The index in a few words: `hnsw, m 16`."""
    held = vector.index
    if not held:
        return "not known"
    kind = str(held.get("type") or held.get("kind") or held.get("index") or "hnsw")
    nested = held.get(kind)
    inner: Mapping[str, Any] = nested if isinstance(nested, Mapping) else held
    m = inner.get("m", inner.get("maxConnections", inner.get("max_connections")))
    ef = inner.get("ef_construct", inner.get("efConstruction", inner.get("ef_construction")))
    parts = [kind, *([f"m {m}"] if m is not None else []), *([f"ef {ef}"] if ef is not None else [])]
    return ", ".join(parts)


def quantization(vector: VectorField) -> str:
    held = vector.quantization
    if not held:
        return "none"
    kind = held.get("type") or held.get("kind")
    return str(kind) if kind else ", ".join(sorted(str(k) for k in held))[:60]
