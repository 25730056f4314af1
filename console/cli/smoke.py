"""An evaluation's smoke items as JUnit XML, in the form that Jenkins, GitLab and GitHub actions read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any, Final

_LISTED: Final = 100
"""Queries without figures that are named."""
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(data: Mapping[str, Any]) -> str:
    """One test case for each key that has to be among the hits, or must not be; the metrics are the suite's properties.

    Where there is not one figure, a case of its own is in error. Warnings, and why queries have no figures, are what
    the suite said (`system-out`).
    """
    items, error = data["smoke"], data.get("error")
    failed = sum(not item["passed"] for item in items)
    counts = {
        "tests": str(len(items) + bool(error)),
        "failures": str(failed),
        "errors": str(int(bool(error))),
        "skipped": "0",
    }
    seconds = f"{data['seconds']:.3f}"
    root = ET.Element("testsuites", {"name": "plumbline", **counts, "time": seconds})
    name = _clean(f"{data['golden']} on {data['address']}")
    suite = ET.SubElement(
        root, "testsuite", {"name": name, "timestamp": data["at"][:19], "time": seconds, **counts}
    )
    properties = ET.SubElement(suite, "properties")
    said: dict[str, Any] = {name: data[name] for name in ("id", "golden", "version", "hash", "k", "scored")}
    said |= {metric: held["mean"] for metric, held in data["metrics"].items()}
    said |= {name: len(data.get(name, ())) for name in ("warnings", "not_scored", "missing")}
    for key, value in said.items():
        ET.SubElement(properties, "property", {"name": key, "value": _clean(str(value))})
    for item in items:
        wanted = "must be found" if item["kind"] == "must" else "must not be found"
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": _clean(data["golden"]),
                "name": _clean(f"{item['label']}: {item['key']} {wanted}"),
                "time": "0.000",
            },
        )
        if not item["passed"]:
            place = f"is at rank {item['rank']}" if item["rank"] else f"is not among the first {data['k']}"
            told = _clean(f"{item['key']} {place}. {item['why'] or ''}".strip())
            ET.SubElement(case, "failure", {"type": item["kind"], "message": told})
    if error:
        case = ET.SubElement(
            suite, "testcase", {"classname": _clean(data["golden"]), "name": "measured", "time": "0.000"}
        )
        told = _clean(f"{error['where']}: {error['message']} {error['hint']}".strip())
        ET.SubElement(case, "error", {"type": error["code"], "message": told})
    lines = [f"Warning: {warning}" for warning in data["warnings"]]
    lines += [f"Not scored: {held['label']}: {held['why']}" for held in data["not_scored"][:_LISTED]]
    if (more := len(data["not_scored"]) - _LISTED) > 0:
        lines.append(f"Not scored: {more:,} more; --format json names all.")
    if lines:
        ET.SubElement(suite, "system-out").text = "\n".join(_clean(line) for line in lines)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)[:2_000]
