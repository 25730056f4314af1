"""A gate as JUnit XML: one test case for each condition."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from console.compare.gate.render import reading
from console.compare.gate.render.reading import Data
from console.health.render.suites import COUNTS, begun, case_of, clean, close, stamp, suite_of, written


def to_junit(data: Data) -> str:
    """What could not be measured is a failure, since readers take a skipped case for no harm; what was waived, and
    what the gate was not asked for, is skipped."""
    root, totals = begun()
    held = data.get("seconds")
    seconds = float(held) if isinstance(held, (int, float)) else 0.0
    name = " -> ".join(reading.sides(data))
    suite = suite_of(root, 0, name, stamp(str(data["at"])), seconds)
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("verdict", str(data["verdict"])),
        ("summary", reading.summary(data)),
        ("golden", reading.golden(data)),
        ("evidence", reading.evidence(data)),
        *(("note", line) for line in reading.notes(data)),
    ):
        ET.SubElement(properties, "property", {"name": key, "value": clean(value)})
    counts = dict.fromkeys(COUNTS, 0)
    said: list[str] = []
    for one in reading.conditions(data):
        counts["tests"] += 1
        state, why = reading.state(one), reading.why(one)
        case = ET.SubElement(suite, "testcase", case_of(name, str(one["name"])))
        told = "\n".join(p for p in (why, reading.figures(one), reading.waiver(one)) if p)
        if state in ("fail", "not_measurable"):
            counts["failures"] += 1
            ET.SubElement(case, "failure", {"type": state, "message": clean(why)}).text = clean(told)
        elif state == "waived":
            counts["skipped"] += 1
            ET.SubElement(case, "skipped", {"message": clean(f"{reading.waiver(one)} ({why})")})
        else:
            said.append(f"{one['name']}: {told}")
    for line in reading.left_out(data):
        counts["tests"] += 1
        counts["skipped"] += 1
        case = ET.SubElement(suite, "testcase", case_of(name, line.partition(":")[0]))
        ET.SubElement(case, "skipped", {"message": clean(f"Not asked for. {line.partition(': ')[2]}")})
    close(suite, counts, totals, "\n".join(said))
    return written(root, totals, seconds)
