"""What a comparison was asked beside what the form asks now: which stored one answers it, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.errors import PlumblineError
from console.compare.request import CompareRequest
from console.store.comparisons import asked_of
from console.ui import access, compare_actions, compare_sides, words

LOOKED_AT: Final = 8
"""Comparisons of earlier versions that are opened to see what they were asked: each takes about 10 ms."""
NAMED: Final = {
    "k": "neighbours of each",
    "golden": "golden set",
    "match_on": "rows matched by",
    "cohorts": "fields to split by",
    "threshold": "cutoff",
    "population": "what the cutoff decides",
    "filter": "which rows count",
    "query_filter": "which rows are queries",
    "rows": "rows of the pool",
    "seed": "seed",
    "queries": "queries",
}
PLAIN: Final = ("queries", "k", "golden", "match_on", "threshold", "rows", "seed")
"""Those of which both values are said."""

ROWS: Final = "rows"

Asked = Mapping[str, Any]


def of_request(request: CompareRequest) -> Asked:
    """What counts of a request: the number of drawn queries does not where others are given."""
    return _counted(asked_of(request.to_json()))


def of_data(data: Mapping[str, Any]) -> Asked | None:
    """As `of_request`, of a stored comparison; None where it can't be read."""
    try:
        return of_request(CompareRequest.from_json(data.get("request") or {}))
    except PlumblineError:
        return None


def newest(pair: Sequence[Mapping[str, Any]], request: CompareRequest, read: Any) -> Mapping[str, Any] | None:
    """The newest of a pair's headlines that was asked this. `read`: a headline's comparison by its id."""
    wanted, opened = of_request(request), 0
    for head in pair:
        held = head.get("asked")
        if isinstance(held, Mapping):
            asked: Asked | None = _counted(held)
        elif opened < LOOKED_AT:
            opened += 1
            asked = of_data(read(str(head["id"])))
        else:
            continue
        if asked == wanted:
            return head
    return None


def changes(data: Mapping[str, Any], request: CompareRequest) -> list[str]:
    """What the form asks otherwise than a comparison was asked, each in a few words."""
    found: list[str] = []
    for name, label in (("left", "old side"), ("right", "new side")):
        if not compare_sides.same(str(data.get(name)), str(getattr(request, name))):
            found.append(f"another {label}")
    held, now = of_data(data), of_request(request)
    if held is None:
        return [*found, "its options can't be read"]
    if (held["given"], held["texts"], held["images"]) != (now["given"], now["texts"], now["images"]):
        found.append(f"{_given(now)} instead of {_given(held)}")
    for name in NAMED:
        if name == "queries" and (_other(held) or _other(now)):
            continue
        if held.get(name) != now.get(name):
            found.append(_change(name, held.get(name), now.get(name)))
    return found


def source(asked: Any) -> str:
    """What a listed comparison was asked with, in a few words; "" where it is not known."""
    if not isinstance(asked, Mapping):
        return ""
    if asked.get("golden"):
        return f"golden set {words.printable(str(asked['golden']))}"
    return _given(asked) if asked.get("given") else ROWS


def _counted(asked: Asked) -> Asked:
    held = {name: asked.get(name) for name in (*NAMED, "given", "texts", "images")}
    held["cohorts"] = list(held["cohorts"] or ())
    if _other(held):
        held["queries"] = None
    if held["rows"] is None and access.why_read_only() is not None:
        held["rows"] = compare_actions.MOST_ROWS
    return held


def _other(asked: Asked) -> bool:
    """Whether queries are a golden set's or given ones."""
    return bool(asked.get("golden") or asked.get("given"))


def _given(asked: Asked) -> str:
    parts = [
        words.plural(int(asked.get(name) or 0), noun)
        for name, noun in (("texts", "text"), ("images", "picture"))
        if asked.get(name)
    ]
    return " and ".join(parts) or "no words or pictures"


def _change(name: str, held: Any, now: Any) -> str:
    if name not in PLAIN:
        return f"{NAMED[name]} changed"
    return f"{NAMED[name]} {_value(now)} instead of {_value(held)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else words.printable(str(value))
