"""An answer for people: where the time went, a payload cut to a bearable size, hits as a file.

Payloads are data. Nothing here interprets markup, follows a reference or runs a formula.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from connectors.errors import PlumblineError, clean
from console.search.answer import HitRow, QueryAnswer, Timings, finite

PREVIEW: Final = 2_000
"""Characters of a payload that a page shows at once."""
LONGEST_CELL: Final = 32_000
"""Characters of a CSV cell; spreadsheets stop at 32,767."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


@dataclass(frozen=True, slots=True)
class Preview:
    """A payload made small; `cut` says whether something was left out."""

    value: Any
    cut: bool


def preview(payload: Mapping[str, Any], limit: int = PREVIEW) -> Preview:
    """The payload with long texts, lists and objects cut so that about `limit` characters remain.

    What is left out is counted in its place. The whole payload is in the answer's JSON.
    """
    budget = _Budget(limit)
    value = budget.take(payload, 0)
    return Preview(value, budget.cut)


def explain(answer: QueryAnswer) -> list[dict[str, Any]]:
    """Where the time went: one line for each address, milliseconds and the share of its total."""
    lines: list[dict[str, Any]] = []
    for side in answer.sides:
        total = side.timings.total
        parts = {name: getattr(side.timings, name) for name in Timings.__slots__}
        lines.append(
            {
                "address": str(side.address),
                "total_ms": round(total, 3),
                "parts": [
                    {"name": name, "ms": round(ms, 3), "share": ms / total if total else 0.0}
                    for name, ms in parts.items()
                ],
            }
        )
    return lines


def export_hits(answer: QueryAnswer, form: Literal["jsonl", "csv"] = "jsonl") -> str:
    """The hits as JSON Lines (whole, as in the answer's JSON) or as CSV (one column for each payload field)."""
    if form == "jsonl":
        return "".join(
            json.dumps(finite(h.to_json()), ensure_ascii=False, allow_nan=False) + "\n" for h in answer.hits
        )
    if form != "csv":
        raise PlumblineError("usage", f"There is no export form {form!r}.", where="export")
    return _csv(answer.hits)


def _csv(hits: Sequence[HitRow]) -> str:
    fields = list(dict.fromkeys(name for hit in hits for name in hit.payload))
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    lead = ("rank", "id", "address", "score", "score_kind", "version")
    table.writerow([*lead, *(cell(f"payload.{name}") for name in fields)])
    for hit in hits:
        score = hit.score if math.isfinite(hit.score) else None
        row: list[Any] = [hit.rank, hit.id, str(hit.address), score, hit.score_kind, hit.version]
        table.writerow([cell(v) for v in (*row, *(hit.payload.get(name) for name in fields))])
    return out.getvalue()


def cell(value: Any) -> str | int | float | None:
    """A CSV cell that no spreadsheet takes for a formula: such a text gets an apostrophe in front.

    OWASP, "CSV Injection". Numbers stay numbers; objects and lists become JSON; control characters go.
    """
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value if not isinstance(value, float) or math.isfinite(value) else None
    text = value if isinstance(value, str) else json.dumps(finite(value), ensure_ascii=False)
    text = text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
    guarded = text.lstrip(" \u00a0\ufeff")
    text = "".join(c for c in text if c >= " " or c in "\t\n\r")
    return f"'{text}" if guarded.startswith(_FORMULA) or text.startswith(_FORMULA) else text


class _Budget:
    def __init__(self, limit: int) -> None:
        self.left = limit
        self.cut = False

    def take(self, value: Any, deep: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, (bool, int, float)):
            self.left -= 8
            return finite(value)
        if deep >= 6:
            self.cut = True
            return "…"
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[Any, Any]", value), deep)
        if isinstance(value, (list, tuple)):
            return self._list(cast("Sequence[Any]", value), deep)
        return self._text(str(value))

    def _text(self, text: str) -> str:
        room = max(16, self.left)
        self.left -= min(len(text), room)
        if len(text) <= room:
            return text
        self.cut = True
        return f"{text[:room]}… ({len(text):,} characters)"

    def _mapping(self, held: Mapping[Any, Any], deep: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for index, (key, value) in enumerate(held.items()):
            if self.left <= 0:
                self.cut = True
                out["…"] = f"{len(held) - index} more fields"
                break
            name = clean(str(key), 120)
            self.left -= len(name)
            out[name] = self.take(value, deep + 1)
        return out

    def _list(self, held: Sequence[Any], deep: int) -> list[Any]:
        out: list[Any] = []
        for index, value in enumerate(held):
            if self.left <= 0:
                self.cut = True
                out.append(f"… {len(held) - index} more")
                break
            out.append(self.take(value, deep + 1))
        return out
