"""Sentences for people: a finding with its group and its beginning, and the one that leads a report."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from console.health.findings import Finding, Group

LONGEST_VALUE: Final = 40
LONGEST_SENTENCE: Final = 600
_WHOLE: Final = 0.9995
"""A share that is written as "all"."""
_NEVER: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COUNTED: Final = re.compile(r"^([\d,]+(?: of [\d,]+)?(?: [a-z-]+){0,2} rows)\b(?=,? )")


def plain(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """One line without control, format or bidirectional characters, cut at `longest` characters."""
    kept = "".join(
        " " if c in "\t\r\n" else c for c in text[: 4 * longest] if c in "\t\r\n" or not _hidden(c)
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else f"{kept[: longest - 1].rstrip()}…"


def _hidden(c: str) -> bool:
    return not (c.isascii() and c.isprintable()) and unicodedata.category(c) in _NEVER


def value_text(value: Any) -> str:
    """A payload value inside a sentence: short, and quoted where it is not one plain word."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = plain(value if isinstance(value, str) else json.dumps(value, default=str), LONGEST_VALUE)
    return text if re.fullmatch(r"[\w.:/+-]+", text) else f"“{text}”"


def field_text(name: str) -> str:
    """A payload field's name inside a sentence."""
    return plain(name, LONGEST_VALUE)


def whose(group: Group, version: str | None, modality: str | None) -> str:
    """`all from source=camera-3`, `all tagged v1`, `97% of them of modality image`."""
    how = "all" if group.recall >= _WHOLE else f"{percent(group.recall)} of them"
    return f"{how} {carrying(group.field, group.value, version, modality)}"


def carrying(field: str, value: Any, version: str | None, modality: str | None) -> str:
    if field == version:
        return f"tagged {value_text(value)}"
    if field == modality:
        return f"of modality {value_text(value)}"
    return f"from {field_text(field)}={value_text(value)}"


def with_group(finding: Finding, version: str | None, modality: str | None) -> str:
    """The summary with the group that the rows are named by; as it stands where it has one already."""
    summary = plain(finding.summary)
    told = _group_text(finding, version, modality)
    if told is None or _said(finding, summary):
        return summary
    counted = _COUNTED.match(summary)
    if counted is not None:
        rest = summary[counted.end() :]
        return plain(f"{counted.group(1)}, {told}{'' if rest.startswith(',') else ','}{rest}")
    end = "" if summary.endswith((".", "?", "!", "…")) else "."
    return plain(f"{summary}{end} The rows: {told}.")


def _said(finding: Finding, summary: str) -> bool:
    """Whether the check itself named the group, as rules that are about a group do."""
    group = finding.group
    if group is None:
        return False
    value = value_text(group.value)
    told = value if isinstance(group.value, str) else f"{field_text(group.field)}={value}"
    return re.search(rf"(?<![\w.]){re.escape(told)}(?![\w.])", summary) is not None


def _group_text(finding: Finding, version: str | None, modality: str | None) -> str | None:
    if finding.group is not None:
        return whose(finding.group, version, modality)
    pair = finding.evidence.get("group_pair")
    if not isinstance(pair, Sequence):
        around = finding.evidence.get("within")
        if not isinstance(around, Mapping):
            return None
        place = cast("Mapping[str, Any]", around)
        how = "all" if place["recall"] >= _WHOLE else "nearly all"
        whole = carrying(place["field"], place["value"], version, modality)
        return f"{how} {whole} ({percent(place['precision'])} of those)"
    held = cast("Sequence[Mapping[str, Any]]", pair)
    return "nearly all " + " and ".join(carrying(p["field"], p["value"], version, modality) for p in held)


def percent(share: float) -> str:
    """`12%`, `1.2%`, `0.03%`; never 0% or 100% for what is neither."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    held = 100 * share
    digits = 0 if 10 <= held < 99.5 else 1 if 1 <= held < 99.95 else 2
    text = f"{held:.{digits}f}%"
    if text == "0.00%":
        return "under 0.01%"
    return "over 99.99%" if text == "100.00%" else text


def moment(at: str) -> str:
    """`19 Nov 2026 22:10 UTC`, for a time in ISO 8601; the text itself where it is none."""
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        return plain(at, LONGEST_VALUE)
    zone = time.strftime("%Z") or ""
    return f"{time.day} {time.strftime('%b %Y %H:%M')} {zone}".strip()


def since_text(since: str | None, basis: str | None) -> str:
    if since is None:
        return "Since when is not known."
    if basis == "reports":
        return f"Seen in every report since {moment(since)}."
    return f"Since {moment(since)}."


def sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    found = re.match(r"(.+?[.?!])(?=\s+[A-Z0-9“(]|$)", text)
    return found.group(1) if found else sentence(text)


def whole_collection(estimate: tuple[float, float, float], rows: int) -> str:
    """An estimate for all rows, as a sentence."""
    value, low, high = estimate
    return f"In all {rows:,} rows that is about {value:,.0f} ({low:,.0f} to {high:,.0f})."
