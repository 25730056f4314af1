"""A report's JSON as every form of it is drawn: roots with what follows from them, the rest, and how values read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from console.health.wording import moment, percent, plain
from console.settings import readable

Data = Mapping[str, Any]

VERDICTS: Final[Mapping[str, str]] = {
    "healthy": "Healthy",
    "degraded": "Degraded",
    "broken": "Broken",
    "not_known": "Not known",
}
SEVERITIES: Final = ("info", "warning", "critical")
IDS: Final = 5
EVIDENCE: Final = 14
LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class Root:
    """One cause, and the findings that follow from it."""

    finding: Data
    symptoms: Sequence[Data]


@dataclass(frozen=True, slots=True)
class Parts:
    """`others`: findings that neither follow from one nor count as a cause (of severity info, most of them)."""

    roots: Sequence[Root]
    others: Sequence[Data]
    accepted: Sequence[Data]
    not_measured: Sequence[Data]
    limits: Sequence[str]


def parts(data: Data) -> Parts:
    findings = cast("Sequence[Data]", data.get("findings") or ())
    open_ = [f for f in findings if f.get("accepted") is None]
    named = list(cast("Sequence[str]", data.get("root_ids") or ()))
    by_id = {str(f.get("id", f["code"])): f for f in findings}
    if not named:
        codes = set(cast("Sequence[str]", data.get("root_causes") or ()))
        named = [str(f.get("id", f["code"])) for f in open_ if f["code"] in codes and not _causes(f)]
    roots: list[Root] = []
    shown: set[str] = set(named)
    for name in named:
        if name not in by_id:
            continue
        follow = [f for f in open_ if name in _causes(f)]
        shown |= {str(f["id"]) for f in follow}
        roots.append(Root(by_id[name], follow))
    return Parts(
        roots,
        [f for f in open_ if str(f.get("id", f["code"])) not in shown],
        [f for f in findings if f.get("accepted") is not None and str(f.get("id")) not in named],
        cast("Sequence[Data]", data.get("not_measured") or ()),
        [plain(str(line)) for line in cast("Sequence[Any]", data.get("limits") or ())],
    )


def _causes(finding: Data) -> Sequence[str]:
    return cast("Sequence[str]", finding.get("because_of_ids") or ())


def verdict(data: Data) -> str:
    return VERDICTS.get(str(data["verdict"]), "Not known")


def headline(data: Data) -> str:
    """The sentence that leads; for a report without one, the first cause's."""
    told = data.get("headline")
    if isinstance(told, str) and told:
        return plain(told)
    roots = parts(data).roots
    return plain(str(roots[0].finding["summary"])) if roots else ""


def basis(data: Data) -> str:
    """What was looked at, when: `5,000 of 300,000 rows sampled, 19 Nov 2026 22:10 UTC`."""
    rows, scanned = data.get("rows"), data.get("scanned")
    if data.get("exact"):
        few = {0: "there are no rows", 1: "the one row read"}
        looked = few.get(cast("int", scanned), f"all {_whole(scanned)} rows read")
    else:
        looked = f"{_whole(scanned)} of {_whole(rows)} rows sampled"
    seconds = data.get("seconds")
    took = f", in {seconds:,.1f} s" if isinstance(seconds, (int, float)) else ""
    return f"{looked}, {moment(str(data['at']))}{took}"


def _whole(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def address(data: Data) -> str:
    return plain(readable(str(data["address"])), 300)


def summary(finding: Data) -> str:
    """With what was accepted and is no more, for a finding that takes one line, too."""
    told = plain(str(finding.get("summary") or finding["code"]))
    over = expired(finding)
    return f"{told}{'' if told.endswith(('.', '?', '!', '…')) else '.'} {over}" if over else told


def share(finding: Data) -> str:
    """`1,012 rows, 34% (32% to 36%)`; "" without rows."""
    rows, value = finding.get("rows"), finding.get("share")
    told = f"{rows:,} row{'s' if rows != 1 else ''}" if isinstance(rows, int) else ""
    if isinstance(value, (int, float)) and math.isfinite(value):
        low_high = cast("Sequence[float] | None", finding.get("interval"))
        between = f" ({percent(low_high[0])} to {percent(low_high[1])})" if low_high else ""
        told = f"{told}, {percent(value)}{between}".removeprefix(", ")
    return told


def remedy(finding: Data) -> tuple[str, str]:
    """Action and text."""
    held = cast("Data", finding.get("remedy") or {})
    return plain(str(held.get("action") or "none"), 40), plain(str(held.get("text") or ""))


def ids(finding: Data, most: int = IDS) -> tuple[list[str], int]:
    """Some of the affected rows' ids, and how many more the report names."""
    held = cast("Sequence[Any]", finding.get("sample_ids") or ())
    return [plain(str(i), 60) for i in held[:most]], max(0, len(held) - most)


def evidence(finding: Data, most: int = EVIDENCE) -> list[tuple[str, str]]:
    """Names and values, the effect first."""
    out: list[tuple[str, str]] = []
    effect = cast("Data | None", finding.get("effect"))
    if effect is not None and effect.get("value") is not None:
        name = plain(str(effect.get("name") or "figure"), 80)
        low, high = effect.get("low"), effect.get("high")
        between = f" ({value(low)} to {value(high)})" if low is not None and high is not None else ""
        out.append((name, f"{value(effect['value'])}{between}, line {value(effect.get('threshold'))}"))
    for key, held in cast("Data", finding.get("evidence") or {}).items():
        out.append((plain(str(key).replace("_", " "), 60), value(held)))
    return out[:most]


def value(held: Any) -> str:
    """A number, text or more as one short line."""
    if held is None:
        return "not measured"
    if isinstance(held, bool):
        return "yes" if held else "no"
    if isinstance(held, int):
        return f"{held:,}"
    if isinstance(held, float):
        if not math.isfinite(held):
            return "not measured"
        if held.is_integer() and abs(held) < 1e15:
            return f"{held:,.0f}"
        return f"{held:,.1f}" if abs(held) >= 1000 else f"{held:.4g}"
    if isinstance(held, str):
        return plain(held, LONGEST)
    return plain(json.dumps(_short(held), ensure_ascii=False, default=str), LONGEST)


def _short(held: Any) -> Any:
    if isinstance(held, float):
        return float(f"{held:.4g}") if math.isfinite(held) else None
    if isinstance(held, Mapping):
        return {str(k): _short(v) for k, v in list(cast("Mapping[Any, Any]", held).items())[:20]}
    if isinstance(held, (list, tuple)):
        return [_short(v) for v in cast("Sequence[Any]", held)[:20]]
    return held


def acceptance(finding: Data) -> str:
    """Why it is known, and until when; "" for one that nobody accepted."""
    if finding.get("accepted") is None:
        return ""
    held = cast("Data", finding.get("accepted") or {})
    until = f", until {plain(str(held['until']), 40)}" if held.get("until") else ""
    return f"{plain(str(held.get('reason') or 'no reason given'), 300)}{until}"


def expired(finding: Data) -> str:
    """That it was accepted until a day that is over, and why; "" for any other."""
    held = cast("Data | None", finding.get("accepted_expired"))
    if finding.get("accepted") is not None or not isinstance(held, Mapping):
        return ""
    reason = plain(str(held.get("reason") or "no reason given"), 300)
    return (
        f"Accepted until {_day(str(held.get('until') or 'an unknown day'))} ({reason}); counts again since."
    )


def _day(text: str) -> str:
    """`31 Jan 2027`, for a date in ISO 8601; the text itself where it is none."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return plain(text, 40)
    return f"{found.day} {found:%b %Y}"


def rank(finding: Data) -> int:
    severity = str(finding.get("severity"))
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def grouped(unmeasured: Sequence[Data]) -> list[tuple[str, list[str]]]:
    """Reasons and the checks that each stands against, in order."""
    by: dict[str, list[str]] = {}
    for one in unmeasured:
        by.setdefault(plain(str(one["why"])), []).append(plain(str(one["check"]), 80))
    return list(by.items())
