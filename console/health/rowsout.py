"""The affected rows of a report as JSON Lines, for scripts that repair or re-ingest."""

from __future__ import annotations

import itertools
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import numpy as np

from connectors.errors import PlumblineError
from console.health.jsonable import jsonable

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding, Mask
    from console.health.report import Report

CHUNK: Final = 65_536


def write_rows(file: str | Path, *reports: Report) -> int:
    """Writes a header line, then `{"id", "codes", "findings", "norm", "version", "group"}` per affected row; returns
    the rows.

    Two findings may be of one code: `findings` has the ids of the row's own, the header those that are in the file.
    The header says whether these are all affected rows or those of the sample; several reports stand one after
    the other, each behind its header. The file appears whole
    or not at all. Raises `usage` where it can't be written, `disk-full`, and `unsupported` for a stored report.
    """
    for report in reports:
        if report.evidence is None:
            raise PlumblineError(
                "unsupported",
                "A stored report does not hold its rows.",
                where=report.id,
                hint="Check again with --rows-out FILE.",
            )
    path = Path(file)
    if path.exists() and not path.is_file():
        return _into(path, reports)
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8") as out:
            count = _write(out, reports)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except OSError as fault:
        raise _refused(fault, path) from fault
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return count - len(reports)


def _into(path: Path, reports: Sequence[Report]) -> int:
    """A pipe or a device is written to: replacing it would put a file in its place."""
    try:
        with path.open("w", encoding="utf-8") as out:
            return _write(out, reports) - len(reports)
    except OSError as fault:
        raise _refused(fault, path) from fault


def _write(out: TextIO, reports: Sequence[Report]) -> int:
    count = 0
    for line in itertools.chain.from_iterable(map(lines, reports)):
        out.write(json.dumps(jsonable(line), ensure_ascii=False, allow_nan=False))
        out.write("\n")
        count += 1
    return count


def lines(report: Report) -> Iterator[dict[str, Any]]:
    """The header, then the rows in the order of the scan."""
    evidence = report.evidence
    assert evidence is not None
    marked = [(f, f.affected) for f in report.findings if f.affected is not None and f.affected.any()]
    union = np.zeros(len(evidence.table), np.bool_)
    for _, rows in marked:
        union |= rows
    found = np.flatnonzero(union)
    yield _header(report, evidence, [f for f, _ in marked], len(found))
    sharing = {
        f.id: evidence.table.groups[f.group.field].mask(f.group.value)
        for f, _ in marked
        if f.group is not None and f.group.field in evidence.table.groups
    }
    for start in range(0, len(found), CHUNK):
        for row in found[start : start + CHUNK].tolist():
            yield _row(row, evidence, marked, sharing)


def _header(report: Report, evidence: Evidence, findings: list[Finding], count: int) -> dict[str, Any]:
    exact = evidence.scan.exact
    partly = sorted({f.code for f in findings if exact and f.examined is not None and not f.examined.all()})
    told = "every affected row" if exact else "the affected rows of the sample"
    if partly:
        told += ", of some codes only those that were examined"
    return {
        "header": True,
        "report": report.id,
        "address": evidence.address,
        "at": report.data["at"],
        "rows": told,
        "every": exact and not partly,
        "affected": count,
        "scanned": evidence.scan.scanned,
        "collection_rows": evidence.scan.rows,
        "examined_in_part": partly,
        "findings": [f.id for f in findings],
    }


def _row(
    row: int, evidence: Evidence, marked: list[tuple[Finding, Mask]], sharing: dict[str, Mask]
) -> dict[str, Any]:
    table = evidence.table
    own = [f for f, rows in marked if rows[row]]
    tags = table.groups.get(evidence.names.version)
    group = next(
        (f.group for f in own if f.group is not None and f.id in sharing and sharing[f.id][row]), None
    )
    return {
        "id": table.ids.at(row),
        "codes": list(dict.fromkeys(f.code for f in own)),
        "findings": [f.id for f in own],
        "norm": float(table.norm[row]),
        "version": None if tags is None else tags.value(row),
        "group": None if group is None else {"field": group.field, "value": group.value},
    }


def _refused(fault: OSError, path: Path) -> PlumblineError:
    import errno

    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return PlumblineError("disk-full", "There is no room for the affected rows.", where=str(path))
    return PlumblineError(
        "usage", f"The affected rows could not be written: {fault.strerror}.", where=str(path)
    )
