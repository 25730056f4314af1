"""Files that somebody else wrote: read line by line, within bounds, and every fault with its file and line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from connectors.errors import Code, PlumblineError

LARGEST: Final = 512 * 1024 * 1024
LONGEST_LINE: Final = 48 * 1024 * 1024
"""Bytes: a line holds an upload's picture in base64, or a rule of a million values. An export writes none that is longer."""
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = b"\xef\xbb\xbf"


class Source:
    """One file. `line` is the number of the line that was read last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0

    def fault(
        self, message: str, hint: str = "", *, line: int | None = None, code: Code = "usage"
    ) -> NoReturn:
        """Raises `usage` (a value that can't be) or `damaged` (a file that can't be read) at the line."""
        number = self.line if line is None else line
        where = f"{self.path}, line {number}" if number else str(self.path)
        raise PlumblineError(code, message, where=where[-200:], hint=hint)

    def lines(self) -> Iterator[str]:
        """Each line with its end. Raises `not-found`, `usage`, and `damaged` for what is no UTF-8."""
        try:
            if not self.path.is_file():
                there = self.path.exists()
                raise PlumblineError(
                    "usage" if there else "not-found",
                    "It is no file." if there else "There is no such file.",
                    where=str(self.path)[-200:],
                )
            if self.path.stat().st_size > LARGEST:
                self.fault(f"The file has more than {LARGEST:,} bytes.")
            with self.path.open("rb") as file:
                while raw := file.readline(LONGEST_LINE + 1):
                    self.line += 1
                    yield self._text(raw)
        except OSError as fault:
            self.fault(f"The file can't be read ({fault.strerror}).")

    def _text(self, raw: bytes) -> str:
        if self.line == 1:
            if raw.startswith(_UTF16):
                self.fault("The file is UTF-16.", "Save it as UTF-8.", code="damaged")
            raw = raw.removeprefix(_BOM)
        if len(raw) > LONGEST_LINE:
            self.fault(f"The line has more than {LONGEST_LINE:,} bytes.")
        if b"\0" in raw:
            self.fault("The line holds a NUL: it is no text.", code="damaged")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as fault:
            self.fault(
                f"Byte {fault.start + 1} of the line is no UTF-8.", "Save it as UTF-8.", code="damaged"
            )

    def objects(self) -> Iterator[Mapping[str, Any]]:
        """The JSON object of each line that is not blank.

        Raises `damaged` for what is none, NaN included, and `usage` for a number beyond every float.
        """
        for text in self.lines():
            if not text.strip():
                continue
            try:
                held: Any = json.loads(text, parse_constant=self._no_number, parse_float=self._finite)
            except (ValueError, RecursionError):
                self.fault("The line is not JSON.", code="damaged")
            if not isinstance(held, Mapping):
                self.fault("The line is no JSON object.", code="damaged")
            yield cast("Mapping[str, Any]", held)

    def _no_number(self, name: str) -> NoReturn:
        self.fault(f"{name} is no number.", code="damaged")

    def _finite(self, text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            self.fault(f"The number {text[:40]} is too large.")
        return value


def held(line: bytes, query: str) -> bytes:
    """A line of an export. Raises `usage` where an import would not take it."""
    if len(line) > LONGEST_LINE:
        raise PlumblineError(
            "usage",
            f"A line of the export would have {len(line):,} bytes; an import takes {LONGEST_LINE:,}.",
            where=f"the query {query[:80]}",
            hint="Give it fewer or shorter rules.",
        )
    return line


def inside(folder: Path, name: str, source: Source, hint: str = "") -> Path:
    """The file `name` names within `folder`; links and `..` lead nowhere else. Raises `usage`, with the hint."""
    base = folder.resolve()
    try:
        path = (base / name).resolve()
        within = path.is_relative_to(base) and path != base and path.is_file()
    except (OSError, ValueError):
        within, path = False, base
    if not within:
        source.fault(f"{name[:120]!r} is no file below {base.name or base}.", hint)
    return path
