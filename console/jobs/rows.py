"""The affected rows of a check that was made here, kept as a file beside the reports for who wants to export them."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.errors import PlumblineError

if TYPE_CHECKING:
    from console.health.report import Report

MOST: Final = 200_000
"""Rows of one report; with more, `plumbline check --rows-out FILE` writes them where they are wanted."""
KEPT: Final = 40
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


def place(home: Path, report: str) -> Path | None:
    """Where the rows of a report lie; None for what is no report's id."""
    return home / "rows" / f"{report}.jsonl" if _ID.fullmatch(report) else None


def keep(home: Path, report: Report) -> bool:
    """Writes the rows; False where there are none, too many, or no room: the report stands without them."""
    path = place(home, report.id)
    if path is None or not 0 < _count(report) <= MOST:
        return False
    from console.health.rowsout import write_rows

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_rows(path, report)
    except (OSError, PlumblineError):
        return False
    _tidy(path.parent)
    return True


def _count(report: Report) -> int:
    masks = [f.affected for f in report.findings if f.affected is not None]
    if not masks:
        return 0
    return int(np.logical_or.reduce(masks).sum())


def _tidy(folder: Path) -> None:
    """Two checks may end at once: what one has removed the other no longer finds."""
    aged: list[tuple[float, Path]] = []
    for file in folder.glob("*.jsonl"):
        with contextlib.suppress(OSError):
            aged.append((file.stat().st_mtime, file))
    for _, old in sorted(aged)[: max(0, len(aged) - KEPT)]:
        with contextlib.suppress(OSError):
            old.unlink()
