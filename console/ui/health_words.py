"""Verdicts, figures and times in the words of the Health page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from console.search.proportions import clopper_pearson
from console.ui import words

VERDICTS: Final = {
    "healthy": ("Healthy", ":material/check_circle:", "green"),
    "degraded": ("Degraded", ":material/warning:", "orange"),
    "broken": ("Broken", ":material/error:", "red"),
    "not_known": ("Not known", ":material/help:", "gray"),
}
SEVERITIES: Final = {
    "critical": ("Critical", ":material/error:", "red"),
    "warning": ("Warning", ":material/warning:", "orange"),
    "info": ("For information", ":material/info:", "gray"),
}
ACTIONS: Final = {
    "quarantine": "Quarantine",
    "renormalize": "Normalise again",
    "tag": "Tag",
    "dedupe": "Remove duplicates",
    "rebuild": "Embed again",
    "reindex": "Rebuild the index",
    "configure": "Change the configuration",
    "reingest": "Ingest again",
    "investigate": "Look into it",
    "none": "Nothing to do",
}
_OURS: Final = re.compile(r"[A-Za-z0-9 ,.;'()/%-]{1,160}", re.ASCII)
_CODE: Final = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


def verdict(name: Any) -> tuple[str, str, Any]:
    """Word, icon and colour."""
    return VERDICTS.get(str(name), VERDICTS["not_known"])


def severity(name: Any) -> tuple[str, str, Any]:
    return SEVERITIES.get(str(name), SEVERITIES["info"])


def code(finding: Mapping[str, Any]) -> str:
    """The code where it has the form of one: it stands in marked-up text."""
    held = str(finding.get("code", ""))
    return held if _CODE.fullmatch(held) else "unknown"


def fault(finding: Mapping[str, Any]) -> str:
    """The fault in a few words, as a name; the code where there are none that may stand in marked-up text."""
    held = str(finding.get("fault") or "")
    if not _OURS.fullmatch(held):
        return code(finding)
    return held[:1].upper() + held[1:]


def percent(share: float) -> str:
    """`33.7%`, `0.074%`: two significant digits below 1%, and never 0% or 100% for what is not."""
    if share in (0, 1):
        return f"{share:.0%}"
    value = share * 100
    if value < 0.001:
        return "below 0.001%"
    if value < 1:
        return f"{value:.2g}%"
    if value > 99.95:
        return "above 99.9%"
    return f"{value:.1f}%"


def within(low: float, high: float) -> str:
    return f"{percent(low)} to {percent(high)}" if low > 0 else f"at most {percent(high)}"


def counted(rows: int | None, scanned: int, exact: bool) -> tuple[str, str]:
    """A count and what stands beside it: "0" and "at most 0.074%", "612" and "11.3% to 13.2%"."""
    if rows is None or scanned <= 0:
        return "not measured", "no row was read"
    if exact:
        return f"{rows:,}", percent(rows / scanned) if rows else "of all rows"
    return f"{rows:,}", within(*clopper_pearson(min(rows, scanned), scanned))


def basis(report: Mapping[str, Any]) -> str:
    rows, scanned = report.get("rows"), int(report.get("scanned") or 0)
    if report.get("exact"):
        return f"all {scanned:,} rows read"
    return f"{scanned:,} of {words.count(rows)} rows read"


def when(text: Any) -> datetime | None:
    """A report's time; None where it can't be read."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def at(text: Any) -> str:
    """`21 Nov 2026, 04:12 UTC`."""
    found = when(text)
    return f"{found.astimezone(UTC):%d %b %Y, %H:%M} UTC".lstrip("0") if found else "at an unknown time"


def ago(text: Any, now: datetime | None = None) -> str:
    """`3 minutes ago`."""
    found = when(text)
    return (
        "at an unknown time" if found is None else since(((now or datetime.now(UTC)) - found).total_seconds())
    )


def since(seconds: float) -> str:
    if seconds < 45:
        return "just now"
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size * 0.75:
            return f"{words.plural(max(1, round(seconds / size)), name)} ago"
    return "just now"


def number(value: Any) -> str:
    """A figure as a page shows it: four significant places, thousands with separators."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "not measured" if value is None else str(value)
    if isinstance(value, int) or (abs(value) >= 1000 and value == int(value)):
        return f"{int(value):,}"
    return f"{value:,.4g}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.3g}"
