"""A comparison in one sentence, and what stands beside its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

NAMED: Final = {"left": "old", "right": "new"}


def summary(data: Mapping[str, Any], low: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """What changed, for whom it is better, on how many rows and queries; and which index (`low_indexes`) hides it."""
    held = data["overlap_at_k"]
    if held is None:
        return "No query has a neighbour on either side: nothing can be compared."
    k, n = data["k"], data["queries"]
    asked = f"{n:,} {'query' if n == 1 else 'queries'}"
    parts: list[str] = []
    matched = data["matched"]
    if matched["share"] < 1:
        parts.append(f"{share(matched['share'])} of all rows are on both sides, and only these count")
    if held.get("not_measured"):
        top = data["top1"]
        parts.append(
            f"so few rows are compared that all are among the {k} nearest on both sides; the very nearest stays "
            f"the same for {share(top['mean'])} of {asked}"
        )
    elif held["mean"] == 1:
        parts.append(f"the {k} nearest rows of {asked} are the same on both sides")
    else:
        parts.append(
            f"{share(held['mean'])} of the {k} nearest rows stay the same ({asked}; 95% interval "
            f"{share(held['low'])} to {share(held['high'])})"
        )
    if low:
        parts.append(_found(low))
    structure: Any = data.get("structure") or {}
    strays: Any = structure.get("outliers") or {}
    if strays.get("count"):
        parts.append(f"{share(strays['share'])} of the rows don't follow the others, which are as they were")
    quality = _quality(data)
    if quality:
        parts.append(quality)
    worst = _worst(data)
    if worst:
        parts.append(worst)
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}."


def low_indexes(noise: Mapping[str, Any], line: float) -> dict[str, Mapping[str, Any]]:
    """Sides (`left`, `right`) whose index surely finds less than `line` of its own nearest rows, with what it finds."""
    held = {name: noise[f"{name}_index"] for name in ("left", "right")}
    return {
        name: found for name, found in held.items() if "not_measured" not in found and found["high"] < line
    }


def low_index(name: str, found: Mapping[str, Any], line: float) -> str:
    """The warning of one of `low_indexes`."""
    return (
        f"The {NAMED[name]} side's index finds {share(found['mean'])} of its own nearest rows (95% interval "
        f"{share(found['low'])} to {share(found['high'])}; the line is {share(line)}). Who searches there gets other rows "
        "than the figures tell, which are of exact searches. `plumbline check` of that side looks for the cause."
    )


def _found(low: Mapping[str, Mapping[str, Any]]) -> str:
    if len(low) > 1:
        return (
            f"the indexes find {share(low['left']['mean'])} of the nearest rows on the old side and "
            f"{share(low['right']['mean'])} on the new one"
        )
    ((name, found),) = low.items()
    return f"the {NAMED[name]} side's index finds only {share(found['mean'])} of its own nearest rows"


NOTHING_LEFT: Final = 0.001
"""Of the spread: rounding to int8 leaves less, and a cutoff moves by less than the third decimal."""


def left_over(structure: Mapping[str, Any]) -> float | None:
    """The share of the spread in which the new space differs from the old one, as it is or turned, by `reading`; None
    where there is next to nothing, where it is another space, or where the rows that do not follow make it."""
    outliers: Any = structure.get("outliers") or {}
    if outliers.get("count"):
        return None
    turned: Any = structure.get("procrustes") or {}
    held = {"same": structure.get("plain_residual"), "rotated": turned.get("residual")}.get(
        str(structure.get("reading"))
    )
    return float(held) if isinstance(held, int | float) and held > NOTHING_LEFT else None


def outliers(held: Mapping[str, Any]) -> str:
    """The rows that don't follow the others; "" where there is none, or where it was not measured."""
    count = held.get("count")
    if not count:
        return ""
    every = held["low"] == held["high"]
    within = "" if every else f"; {share(held['low'])} to {share(held['high'])} of all"
    turned = ", once it is turned" if held["reading"] == "rotated" else ""
    verb, whose = (
        ("does", "its vector is another one") if count == 1 else ("do", "their vectors are other ones")
    )
    text = (
        f"{count:,} of {held['looked']:,} {'rows' if every else 'sampled rows'} ({share(held['share'])}{within}) {verb}"
        f" not follow the others: the new space is the old one{turned}, but {whose}, as after an exchange of rows,"
        " another source, or another model for a part of them."
    )
    mostly = held.get("mostly")
    if mostly:
        text += (
            f" Nearly all have {mostly['field']} = {mostly['value']}: {mostly['outliers']:,} of {mostly['of']:,} that"
            f" are pictured, and {mostly['outliers']:,} of the {mostly['rows']:,} rows with it."
        )
    return text


def share(value: float) -> str:
    """`57%`; near 0 and 100% with what tells it from them."""
    if 0 < value < 0.001:
        return "under 0.1%"
    if 0.999 < value < 1:
        return "over 99.9%"
    return f"{value:.1%}" if 0 < value < 0.01 or 0.99 < value < 1 else f"{value:.0%}"


def _quality(data: Mapping[str, Any]) -> str:
    judged: Any = data.get("quality")
    held: Mapping[str, Any] = judged["metrics"] if judged else {}
    name = next((m for m in held if m.startswith("ndcg")), None)
    if name is None:
        return ""
    apart = held[name]["difference"]
    if apart["low"] <= 0 <= apart["high"]:
        return (
            f"better or worse is not told by {apart['queries']:,} judged queries (nDCG {apart['mean']:+.3f})"
        )
    word = "better" if apart["mean"] > 0 else "worse"
    return f"the new side is {word} by {abs(apart['mean']):.3f} nDCG on {apart['queries']:,} judged queries"


def _worst(data: Mapping[str, Any]) -> str:
    """The cohort that is told to be worse off than the others, by judgements where there are some."""
    found: list[tuple[float, str]] = []
    for field, rows in data["cohorts"].items():
        for row in rows:
            judged: Any = row.get("quality")
            apart: Any = judged["difference"] if judged else None
            if apart is not None and apart["high"] < 0:
                found.append(
                    (apart["mean"], f"it is worse for {field} = {row['value']} ({apart['mean']:+.3f} nDCG)")
                )
    if found:
        return min(found)[1]
    gaps: list[tuple[float, str]] = []
    for field, rows in data["cohorts"].items():
        for row in rows:
            gap = row.get("gap")
            if gap is not None and gap["low"] > 0:
                gaps.append(
                    (
                        -gap["value"],
                        f"most changes for {field} = {row['value']}: {share(row['overlap_at_k']['mean'])} stay",
                    )
                )
    return min(gaps)[1] if gaps else ""
