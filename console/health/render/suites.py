"""JUnit XML in the form that Jenkins, GitLab and GitHub actions read: suites, cases, and what XML can't hold."""

from __future__ import annotations

import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LONGEST: Final = 8_000
COUNTS: Final[tuple[str, ...]] = ("tests", "failures", "errors", "skipped")


def begun() -> tuple[ET.Element, dict[str, int]]:
    """An empty document, and its totals so far."""
    return ET.Element("testsuites", {"name": "plumbline"}), dict.fromkeys(COUNTS, 0)


def written(root: ET.Element, totals: Mapping[str, int], seconds: float) -> str:
    for name, count in totals.items():
        root.set(name, str(count))
    root.set("time", f"{seconds:.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def suite_of(root: ET.Element, number: int, name: str, stamp: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        root,
        "testsuite",
        {
            "id": str(number),
            "package": "plumbline",
            "name": clean(name),
            "timestamp": stamp,
            "hostname": clean(socket.gethostname() or "localhost"),
            "time": f"{seconds:.3f}",
        },
    )


def case_of(address: str, code: str) -> dict[str, str]:
    return {"classname": clean(address), "name": clean(code), "time": "0.000"}


def close(suite: ET.Element, counts: Mapping[str, int], totals: dict[str, int], said: str) -> None:
    for name, count in counts.items():
        suite.set(name, str(count))
        totals[name] += count
    if suite.find("properties") is None:
        suite.insert(0, ET.Element("properties"))
    ET.SubElement(suite, "system-out").text = clean(said)
    ET.SubElement(suite, "system-err").text = ""


def clean(held: str) -> str:
    """Without what no XML 1.0 document may hold."""
    return _NOT_XML.sub("", held)[:LONGEST]


def stamp(at: str | None) -> str:
    """As the schemas want it: without a zone; in UTC."""
    try:
        time = datetime.fromisoformat(at) if at else datetime.now(UTC)
    except ValueError:
        time = datetime.now(UTC)
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
