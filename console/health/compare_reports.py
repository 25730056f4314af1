"""Two stored reports side by side: which findings went, came and stayed, and how the figures moved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from console.health.render import reading
from console.health.wording import moment, plain
from console.settings import readable

Data = Mapping[str, Any]

_HEAD = ("id", "at", "address", "verdict", "rows", "scanned", "exact", "baseline")


def compare(earlier: Data, later: Data) -> dict[str, Any]:
    """`findings`: `gone`, `new` and `same` by their ids; `figures`: name, then, now, change; `notes`: what makes
    the two less comparable than they look.
    """
    then, now = _findings(earlier), _findings(later)
    blind = {str(u["check"]) for u in cast("Sequence[Data]", later.get("not_measured") or ())}
    return {
        "earlier": {k: earlier.get(k) for k in _HEAD},
        "later": {k: later.get(k) for k in _HEAD},
        "findings": {
            "new": [_one(f) for i, f in now.items() if i not in then],
            "gone": [
                {**_one(f), "measured": f["code"] not in blind} for i, f in then.items() if i not in now
            ],
            "same": [
                {
                    **_one(f),
                    "severity_then": then[i].get("severity"),
                    "share_then": then[i].get("share"),
                    "rows_then": then[i].get("rows"),
                    "figure_then": _figure(then[i]),
                }
                for i, f in now.items()
                if i in then
            ],
        },
        "figures": _side_by_side(earlier, later),
        "notes": _notes(earlier, later),
    }


def lines(difference: Data) -> list[str]:
    """The same for a terminal."""
    earlier, later = cast("Data", difference["earlier"]), cast("Data", difference["later"])
    found = cast("Mapping[str, Sequence[Data]]", difference["findings"])
    out = [
        f"{name}  {plain(str(r['id']), 60)}  {moment(str(r['at']))}  {plain(readable(str(r['address'])), 200)}  "
        f"{reading.VERDICTS.get(str(r['verdict']), 'Not known')}"
        for name, r in (("Earlier", earlier), ("Later  ", later))
    ]
    for title, key in (("New", "new"), ("Gone", "gone"), ("In both", "same")):
        if found[key]:
            out += ["", title]
            out += [f"  {_line(f, key)}" for f in found[key]]
    if not any(found.values()):
        out += ["", "Neither report has a finding."]
    figures = cast("Sequence[Data]", difference["figures"])
    if figures:
        out += ["", "Figures"]
        wide = max(len(str(f["name"])) for f in figures)
        out += [
            f"  {f['name']:<{wide}}  {reading.value(f['then'])} -> {reading.value(f['now'])}" for f in figures
        ]
    notes = cast("Sequence[str]", difference["notes"])
    return [*out, "", *notes] if notes else out


def _line(finding: Data, key: str) -> str:
    told = f"{finding['severity']} {plain(str(finding['id']), 120)}: {finding['summary']}"
    if key == "gone" and not finding["measured"]:
        return f"{told} (not measured in the later report)"
    if key != "same":
        return told
    moved: list[str] = []
    if finding["severity_then"] != finding["severity"]:
        moved.append(f"was {finding['severity_then']}")
    if finding["rows_then"] is not None and finding["rows_then"] != finding["rows"]:
        moved.append(f"was {reading.value(finding['rows_then'])} rows")
    return f"{told} ({', '.join(moved)})" if moved else told


def _findings(data: Data) -> dict[str, Data]:
    held = cast("Sequence[Data]", data.get("findings") or ())
    return {str(f.get("id") or f["code"]): f for f in held}


def _one(finding: Data) -> dict[str, Any]:
    return {
        "id": finding.get("id") or finding["code"],
        "code": finding["code"],
        "severity": finding.get("severity"),
        "summary": reading.summary(finding),
        "share": finding.get("share"),
        "rows": finding.get("rows"),
        "figure": _figure(finding),
        "because_of": finding.get("because_of"),
        "accepted": finding.get("accepted") is not None,
    }


def _figure(finding: Data) -> Any:
    return cast("Data", finding.get("effect") or {}).get("value")


def _side_by_side(earlier: Data, later: Data) -> list[dict[str, Any]]:
    then, now = _flat(earlier), _flat(later)
    out: list[dict[str, Any]] = []
    for name in [*then, *(n for n in now if n not in then)]:
        a, b = then.get(name), now.get(name)
        change = b - a if a is not None and b is not None else None
        out.append({"name": name, "then": a, "now": b, "change": change})
    return out


def _flat(data: Data) -> dict[str, float]:
    profile = cast("Data", data.get("profile") or {})
    norms = cast("Data", profile.get("norms") or {})
    found: dict[str, Any] = {
        "rows": data.get("rows"),
        "scanned": data.get("scanned"),
        "dimension": profile.get("dimension"),
        **{f"length {k}": norms.get(k) for k in ("mean", "std", "min", "max")},
        "zero": profile.get("zero"),
        "not finite": profile.get("non_finite"),
        "without the vector": profile.get("missing"),
        "duplicates": profile.get("duplicates"),
        "untagged": profile.get("untagged"),
    }
    versions = cast("Mapping[str, Any]", profile.get("versions") or {})
    found |= {f"tagged {plain(str(tag), 60)}": rows for tag, rows in list(versions.items())[:20]}
    return {
        k: v
        for k, v in found.items()
        if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)
    }


def _notes(earlier: Data, later: Data) -> list[str]:
    notes: list[str] = []
    if earlier.get("address") != later.get("address"):
        notes.append("The two reports are of different vector fields.")
    if earlier.get("policy") != later.get("policy"):
        notes.append(
            "They were judged by different policies: a finding may have come or gone with a threshold."
        )
    if earlier.get("exact") != later.get("exact"):
        notes.append("One read every row, the other a sample.")
    elif not later.get("exact") and earlier.get("seed") != later.get("seed"):
        notes.append("Both are samples, of different rows: shares differ by chance within their intervals.")
    if str(earlier.get("at")) > str(later.get("at")):
        notes.append("The first is the newer one.")
    return notes
