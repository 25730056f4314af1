"""Reports as JUnit XML: one test case per finding code, in the form that Jenkins, GitLab and GitHub actions read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from console.health.render import reading
from console.health.render.reading import SEVERITIES, Data
from console.health.render.suites import begun, case_of, clean, close, stamp, suite_of, written


def to_junit(
    reports: Sequence[Data],
    fail_on: str = "critical",
    errors: Sequence[tuple[str, Mapping[str, str]]] = (),
    skipped: Sequence[tuple[str, str]] = (),
) -> str:
    """`errors`: (address, error as of an exit code 2) of what could not be examined; `skipped`: (address, why).

    A code fails where one of its findings that nobody accepted weighs `fail_on` or more; it is skipped where it
    was not measured; findings below that are told in the suite's output.
    """
    root, totals = begun()
    seconds = 0.0
    for number, data in enumerate(reports):
        suite = suite_of(root, number, reading.address(data), stamp(str(data["at"])), _seconds(data))
        _report(suite, data, SEVERITIES.index(fail_on), totals)
        seconds += _seconds(data)
    for number, (address, error) in enumerate(errors, len(reports)):
        suite = suite_of(root, number, clean(address), stamp(None), 0.0)
        case = ET.SubElement(suite, "testcase", case_of(address, "check"))
        told = ET.SubElement(
            case,
            "error",
            {"type": clean(error.get("code", "")), "message": clean(error.get("message", ""))},
        )
        told.text = clean(" ".join(error.get(k, "") for k in ("message", "hint")).strip())
        close(suite, {"tests": 1, "failures": 0, "errors": 1, "skipped": 0}, totals, "")
    for number, (address, why) in enumerate(skipped, len(reports) + len(errors)):
        suite = suite_of(root, number, clean(address), stamp(None), 0.0)
        case = ET.SubElement(suite, "testcase", case_of(address, "check"))
        ET.SubElement(case, "skipped", {"message": clean(why)})
        close(suite, {"tests": 1, "failures": 0, "errors": 0, "skipped": 1}, totals, "")
    return written(root, totals, seconds)


def _report(suite: ET.Element, data: Data, line: int, totals: dict[str, int]) -> None:
    from console.health import registry

    properties = ET.SubElement(suite, "properties")
    for name in ("id", "verdict", "headline", "rows", "scanned", "exact", "baseline"):
        if data.get(name) is not None:
            held = reading.headline(data) if name == "headline" else reading.value(data[name])
            ET.SubElement(properties, "property", {"name": name, "value": clean(held)})
    by: dict[str, list[Data]] = {}
    for finding in data.get("findings") or ():
        by.setdefault(str(finding["code"]), []).append(finding)
    unmeasured: dict[str, list[str]] = {}
    for one in data.get("not_measured") or ():
        unmeasured.setdefault(str(one["check"]), []).append(str(one["why"]))
    if (why := unmeasured.pop("baseline", None)) is not None:
        for code, one in registry.checks().items():
            if one.stage == "baseline":
                unmeasured.setdefault(code, why)
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    said: list[str] = []
    for code in dict.fromkeys((*registry.checks(), *by, *unmeasured)):
        case = ET.SubElement(suite, "testcase", case_of(reading.address(data), code))
        counts["tests"] += 1
        open_ = [f for f in by.get(code, ()) if f.get("accepted") is None]
        failing = [f for f in open_ if reading.rank(f) >= line]
        if failing:
            counts["failures"] += 1
            worst = max(failing, key=reading.rank)
            told = ET.SubElement(
                case,
                "failure",
                {"type": clean(str(worst["severity"])), "message": clean(reading.summary(worst))},
            )
            told.text = clean("\n\n".join(_told(f) for f in failing))
        elif code in unmeasured and code not in by:
            counts["skipped"] += 1
            ET.SubElement(case, "skipped", {"message": clean(" ".join(unmeasured[code]))})
        said += [f"{f['severity']} {code}: {reading.summary(f)}" for f in open_ if f not in failing]
        said += [
            f"accepted {code}: {reading.summary(f)} ({reading.acceptance(f)})"
            for f in by.get(code, ())
            if f.get("accepted") is not None
        ]
    close(suite, counts, totals, "\n".join(said))


def _told(finding: Data) -> str:
    lines = [reading.summary(finding)]
    if share := reading.share(finding):
        lines.append(share)
    lines += [f"{name}: {shown}" for name, shown in reading.evidence(finding)]
    ids, more = reading.ids(finding, 20)
    if ids:
        lines.append(f"rows: {', '.join(ids)}{f' and {more:,} more' if more else ''}")
    action, advice = reading.remedy(finding)
    if advice:
        lines.append(f"{action}: {advice}")
    if finding.get("because_of"):
        lines.append(f"follows from {finding['because_of']}")
    return "\n".join(lines)


def _seconds(data: Data) -> float:
    held = data.get("seconds")
    return float(held) if isinstance(held, (int, float)) else 0.0
