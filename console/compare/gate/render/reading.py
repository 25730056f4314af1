"""A gate's JSON in words: what every form of it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from console.health.wording import moment, plain
from console.settings import readable

Data = Mapping[str, Any]

VERDICTS: Final[Mapping[str, str]] = {"pass": "Pass", "fail": "Fail", "not_measurable": "Not measurable"}
STATES: Final = ("fail", "not_measurable", "waived", "pass")
"""What a condition may come to, the worst first."""
NAMES: Final[Mapping[str, str]] = {
    "pass": "pass",
    "fail": "fail",
    "not_measurable": "not measurable",
    "waived": "waived",
}
ONE: Final[Mapping[str, str]] = {"findings": "finding", "rows": "row"}
"""Units that are counted, of one."""


def conditions(data: Data) -> Sequence[Data]:
    """The worst first, else in the order of the settings."""
    return sorted(cast("Sequence[Data]", data.get("conditions") or ()), key=lambda c: STATES.index(state(c)))


def state(condition: Data) -> str:
    """`pass`, `fail`, `not_measurable`, or `waived` for one that is and was waived."""
    return "waived" if condition.get("waived") else str(condition["verdict"])


def verdict(data: Data) -> str:
    held = conditions(data)
    if data["verdict"] == "pass" and held and all(state(one) == "waived" for one in held):
        return "Pass, with everything waived"
    return VERDICTS[str(data["verdict"])]


def notes(data: Data) -> Sequence[str]:
    """What could not be stored."""
    return [plain(str(one), 500) for one in cast("Sequence[object]", data.get("notes") or ())]


def summary(data: Data) -> str:
    return plain(str(data.get("summary") or ""))


def sides(data: Data) -> tuple[str, str]:
    return plain(readable(str(data["left"]))), plain(readable(str(data["right"])))


def golden(data: Data) -> str:
    held: Any = data.get("golden")
    if not isinstance(held, Mapping):
        return "no golden set"
    told = cast("Data", held)
    version = told.get("version")
    return f"golden set {plain(str(told.get('name')))}" + (f" version {version}" if version else "")


def why(condition: Data) -> str:
    return plain(str(condition.get("why") or ""), 1_000)


def figures(condition: Data) -> str:
    """`-0.012 ndcg@10, limit -0.03, interval -0.028 to 0.004`; empty where nothing was counted."""
    parts = [told] if (told := figure(condition)) else []
    if (limit := condition.get("limit")) is not None:
        parts.append(f"limit {number(limit)}")
    interval: Any = condition.get("interval")
    if isinstance(interval, Sequence) and len(cast("Sequence[Any]", interval)) == 2:
        low, high = cast("Sequence[Any]", interval)
        parts.append(f"bounds {number(low)} and {number(high)}")
    return ", ".join(parts)


def figure(condition: Data) -> str:
    """`-0.012 ndcg@10`, `1 finding`; empty where nothing was counted."""
    held = condition.get("figure")
    return "" if held is None else f"{number(held)} {unit(condition)}".strip()


def unit(condition: Data) -> str:
    """Of the figure, which may be one of what is counted."""
    held = plain(str(condition.get("unit") or ""))
    return ONE.get(held, held) if condition.get("figure") == 1 else held


def number(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, (int, float)) else "-"


def waiver(condition: Data) -> str:
    """What became of a waiver, with its reason; empty where nobody asked for one."""
    held: Any = condition.get("waiver")
    if not isinstance(held, Mapping):
        return ""
    told = cast("Data", held)
    reason = plain(str(told.get("reason")), 500)
    effects = {
        "waived": f"Waived: {reason}",
        "refused": f"The waiver does not count, a condition that fails can't be waived: {reason}",
        "not needed": f"The waiver was not needed: {reason}",
    }
    return effects.get(str(told.get("effect")), "")


def left_out(data: Data) -> Sequence[str]:
    """A line for each condition that the gate was not asked for."""
    held = cast("Sequence[Data]", data.get("left_out") or ())
    return [f"{plain(str(one.get('name')))}: {plain(str(one.get('why')))}" for one in held]


def evidence(data: Data) -> str:
    """Where the evidence is to be found again."""
    named = (("gate", "id"), ("report", "report"), ("comparison", "comparison"))
    found = [f"{what} {plain(str(data[key]))}" for what, key in named if data.get(key)]
    return ", ".join(found)


def when(data: Data) -> str:
    return moment(str(data["at"]))
