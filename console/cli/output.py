"""What a command prints: JSON alone on standard output, or a table; everything else on standard error.

What a database or a file holds is hostile: nothing printed here can move a cursor, change a colour or
turn the direction of writing.
"""

from __future__ import annotations

import codecs
import contextlib
import math
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, TextIO, cast

from console.settings import readable

Format = Literal["table", "json", "junit", "markdown", "html"]
Cell = str | int | float | bool | None

_UNPRINTABLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_NARROWEST: Final = 6
COPIED: Final = 36
"""Characters of a UUID: what is to be copied is shown up to here, wherever it leads to."""
_GAP: Final = "  "


@dataclass(slots=True)
class Out:
    """Where a command writes to, and how much."""

    form: Format = "table"
    quiet: bool = False
    verbose: bool = False

    @property
    def json(self) -> bool:
        return self.form == "json"

    def show(self, data: Mapping[str, Any], table: Callable[[], Iterable[str]]) -> None:
        """The answer of a command, in the format that was asked for."""
        if self.json:
            write_json(data)
        else:
            for line in table():
                write_line(line)

    def note(self, text: str) -> None:
        """A remark on standard error."""
        if not self.quiet:
            write_error(printable(text))

    def progress(self, text: str) -> None:
        """How far long work is: on a terminal, none in a pipe."""
        if not self.quiet and (self.verbose or _terminal(sys.stderr)):
            write_error(printable(text))

    def status(self, text: str) -> None:
        """One line on a terminal that the next call writes over; "" takes it away. Nothing in a pipe."""
        if self.quiet or not _terminal(sys.stderr):
            return
        columns = shutil.get_terminal_size((80, 24)).columns
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write("\r\x1b[K" + cut(printable(text), columns - 1))
            sys.stderr.flush()

    def detail(self, text: str) -> None:
        if self.verbose:
            write_error(printable(text))


def _terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


class Unwritable(OSError):
    """Standard output takes no more: the disk behind it is full, say."""


def write_line(text: str) -> None:
    """A line on standard output. Where its reader has closed it the line is dropped, and the command goes on: what it
    found out is said by its exit code, too. Raises `Unwritable`.
    """
    try:
        _write(text, sys.stdout)
    except OSError as fault:
        raise Unwritable(fault.errno, fault.strerror) from None


def write_error(text: str) -> None:
    """A line on standard error, and nowhere else where that is closed. Raises OSError."""
    _write(text, sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:
        return
    try:
        try:
            stream.write(text + "\n")
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    except (BrokenPipeError, ValueError):
        mute(stream)


def write_markup(text: str) -> None:
    """XML or HTML that says it is UTF-8: where standard output is not, in characters that are the same in both."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    if codecs.lookup(encoding).name != "utf-8":
        text = text.encode("ascii", "xmlcharrefreplace").decode("ascii")
    write_line(text)


def write_json(data: Mapping[str, Any]) -> None:
    import json

    write_line(json.dumps(plain(data), ensure_ascii=True, allow_nan=False, indent=2))


def flush() -> None:
    """Raises `Unwritable`."""
    stream = cast("TextIO | None", sys.stdout)
    if stream is None:
        return
    try:
        stream.flush()
    except (BrokenPipeError, ValueError):
        mute(stream)
    except OSError as fault:
        raise Unwritable(fault.errno, fault.strerror) from None


def mute(stream: TextIO | None) -> None:
    """What is written from now on goes nowhere: to a pipe that is closed it would fail, at the interpreter's end too."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, cast("TextIO", stream).fileno())
        os.close(nowhere)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: what is not finite becomes null, a lone surrogate U+FFFD."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if _lone(value) else value
    if isinstance(value, Mapping):
        return {plain(str(k)): plain(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in cast("Iterable[Any]", value)]
    if isinstance(value, (date, Path)):
        return str(value)
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return plain(str(value))


def _lone(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def printable(text: str) -> str:
    """One line in which every control, format and bidirectional character is written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if unicodedata.category(c) not in _UNPRINTABLE else _written_out(c) for c in text)


def _written_out(c: str) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c)
    if known:
        return known
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def sentence(error: Mapping[str, str], at: str = "") -> str:
    """An error as one line: where, what happened, what to do, and its code."""
    where, at = readable(error["where"]), readable(at)
    place = where if at in ("", where) or not where else f"{at} ({where})"
    told = error["message"] if error["message"].endswith((".", "?", "!", "…")) else f"{error['message']}."
    parts = (f"{place or at}:" if place or at else "", told, error["hint"], f"[{error['code']}]")
    return printable(" ".join(p for p in parts if p))


def width_of(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text: str, width: int) -> str:
    """At most `width` columns, the last one an ellipsis where something is missing."""
    if width_of(text) <= width:
        return text
    out, used = "", 0
    for c in text:
        w = width_of(c)
        if used + w > width - 1:
            break
        out += c
        used += w
    return out + "…"


def shown(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "-"
    if isinstance(value, str):
        return printable(value)
    import json

    return printable(json.dumps(plain(value), ensure_ascii=False))


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    width: int | None = None,
    whole: Sequence[int] = (),
) -> list[str]:
    """Lines of a table that fits the terminal (80 columns in a pipe); numbers stand right.

    The columns of `whole` are cut last, and never below `COPIED`: what is in them is to be copied.
    """
    held = [list(row) for row in rows]
    cells = [[shown(v) for v in row] for row in held]
    right = [
        any(_number(row[i]) for row in held) and all(row[i] is None or _number(row[i]) for row in held)
        for i in range(len(head))
    ]
    columns = width or shutil.get_terminal_size((80, 24)).columns
    room = max(columns - len(_GAP) * (len(head) - 1), _NARROWEST * len(head))
    widths = [
        min(room, max([width_of(title), *(width_of(row[i]) for row in cells)]))
        for i, title in enumerate(head)
    ]
    for cuttable in ([i for i in range(len(head)) if i not in whole], range(len(head))):
        while sum(widths) > room and (wide := max(cuttable, key=lambda i: widths[i], default=-1)) >= 0:
            if widths[wide] <= (COPIED if wide in whole else _NARROWEST):
                break
            widths[wide] -= 1
    return [
        _GAP.join(_set(cell, widths[i], right[i]) for i, cell in enumerate(row)).rstrip()
        for row in [list(head), *cells]
    ]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _set(text: str, width: int, right: bool) -> str:
    text = cut(text, width)
    blank = " " * (width - width_of(text))
    return blank + text if right else text + blank


def columns() -> int:
    """Of the terminal; 80 in a pipe."""
    return shutil.get_terminal_size((80, 24)).columns


def colors() -> bool:
    """Whether standard output is a terminal that shows colours (https://no-color.org)."""
    return _terminal(sys.stdout) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def pairs(rows: Iterable[tuple[str, Any]]) -> list[str]:
    """Lines of names and values."""
    held = [(name, shown(value)) for name, value in rows]
    widest = max((width_of(name) for name, _ in held), default=0)
    return [f"{name}{' ' * (widest - width_of(name))}{_GAP}{value}" for name, value in held]
