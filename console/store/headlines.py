"""What lists and histories show of a report, without opening the whole of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from console.store.blobs import Arrays

FIGURE: Final = "figure."
"""Arrays of this prefix hold one number each, which becomes part of the history."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One report in a list. `figures`: numbers over time (rows, zero, recall, latency and the like)."""

    id: str
    address: str
    """With the vector field."""
    at: str
    verdict: str
    rows: int | None
    root_causes: Sequence[str]
    figures: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "address": self.address,
            "at": self.at,
            "verdict": self.verdict,
            "root_causes": list(self.root_causes),
        }


def headline(light: Mapping[str, Any]) -> Headline:
    return Headline(
        light["id"],
        light["address"],
        light["at"],
        light["verdict"],
        light["rows"],
        tuple(light["root_causes"]),
        light["figures"],
    )


def light_of(data: Mapping[str, Any], arrays: Arrays) -> dict[str, Any]:
    """A report's JSON without evidence, sample ids, sentences and profile: what "since when" needs."""
    findings = cast("Sequence[Mapping[str, Any]]", data.get("findings") or ())
    unmeasured = cast("Sequence[Mapping[str, Any]]", data.get("not_measured") or ())
    return {
        "id": data["id"],
        "at": data["at"],
        "address": data["address"],
        "vector": data.get("vector"),
        "verdict": data["verdict"],
        "rows": data.get("rows"),
        "scanned": data.get("scanned"),
        "exact": bool(data.get("exact")),
        "baseline": data.get("baseline"),
        "root_causes": list(data.get("root_causes") or ()),
        "root_ids": list(data.get("root_ids") or ()),
        "findings": [
            {
                "id": f.get("id", f.get("code")),
                "code": f.get("code"),
                "severity": f.get("severity"),
                "share": f.get("share"),
                "since": f.get("since"),
                "because_of": f.get("because_of"),
                "accepted": f.get("accepted") is not None,
            }
            for f in findings
        ],
        "not_measured": [{"check": u.get("check")} for u in unmeasured],
        "figures": _figures(data, arrays),
    }


def _figures(data: Mapping[str, Any], arrays: Arrays) -> dict[str, float]:
    profile = cast("Mapping[str, Any]", data.get("profile") or {})
    norms = cast("Mapping[str, Any]", profile.get("norms") or {})
    found: dict[str, Any] = {"rows": data.get("rows"), "norm": norms.get("mean")}
    for name in ("zero", "non_finite", "missing", "duplicates", "untagged"):
        found[name] = profile.get(name)
    for name, array in arrays.items():
        if name.startswith(FIGURE) and array.ndim == 0:
            found[name.removeprefix(FIGURE)] = float(array)
    return {
        k: v
        for k, v in found.items()
        if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)
    }


def as_text(data: Mapping[str, Any]) -> str:
    """JSON in ASCII (PostgreSQL takes no NUL in text), numbers that are not finite as null."""
    try:
        return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in cast("Sequence[Any]", value)]
    return value


def in_utc(at: str) -> str:
    """An ISO 8601 time in UTC to the millisecond, which sorts as text; the text itself where it is none."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return at[:40]
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.isoformat(timespec="milliseconds")
