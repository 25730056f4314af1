"""One TOML file: its data and the line of each key. No message quotes what the file holds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

from connectors.errors import PlumblineError

LARGEST: Final = 1024 * 1024
Keys = tuple[str, ...]

_PLACE: Final = re.compile(r"\(at (line \d+, column \d+|end of document)\)\Z")
_STATEMENT_LINES: Final = 500


@dataclass(frozen=True, repr=False)
class Document:
    """A file that was read. `shown` is its name in messages. Without a repr: it may hold secrets."""

    path: Path
    shown: str
    text: str
    data: dict[str, Any]

    @property
    def folder(self) -> Path:
        return self.path.parent

    @cached_property
    def lines(self) -> dict[Keys, int]:
        """Line numbers, from 1, by the path of keys; an element of an array of tables is its index."""
        found: dict[Keys, int] = {}
        for keys, line in _statements(self.text):
            found.setdefault(keys, line)
        return found

    def at(self, keys: Keys) -> str:
        """`FILE:LINE` of a key, or of the nearest key above it."""
        for length in range(len(keys), 0, -1):
            line = self.lines.get(keys[:length])
            if line is not None:
                return f"{self.shown}:{line}"
        return self.shown


def read(path: Path, shown: str) -> Document:
    """Read a TOML file. Raises `settings`, never with a piece of its content."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise PlumblineError("settings", "There is no such file.", where=shown) from None
    except IsADirectoryError:
        raise PlumblineError("settings", "It is a folder, not a file.", where=shown) from None
    except PermissionError:
        raise PlumblineError(
            "settings", "It may not be read.", where=shown, hint="Check the file's owner and mode."
        ) from None
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else "not a usable name"
        raise PlumblineError("settings", f"It can't be read ({why}).", where=shown) from None
    if len(raw) > LARGEST:
        raise PlumblineError("settings", "It is larger than 1 MiB: that is not a settings file.", where=shown)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        raise PlumblineError(
            "settings", f"It is not UTF-8 text (line {line}).", where=shown, hint="Save the file as UTF-8."
        ) from None
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        place = _PLACE.search(str(fault))
        spot = place[1] if place else "an unknown place"
        raise PlumblineError(
            "settings",
            f"It is not valid TOML at {spot}.",
            where=shown,
            hint="Text stands in double quotes, a section in brackets, and each key once.",
        ) from None
    except (RecursionError, ValueError):
        raise PlumblineError("settings", "It is not valid TOML.", where=shown) from None
    return Document(path, shown, text, data)


def _statements(text: str) -> Iterator[tuple[Keys, int]]:
    lines = text.split("\n")
    prefix: Keys = ()
    counts: dict[Keys, int] = {}
    at = 0
    while at < len(lines):
        start = at
        parsed, at = _statement(lines, at)
        if parsed is None:
            continue
        if lines[start].lstrip().startswith("["):
            prefix = _header(parsed, counts)
            for length in range(1, len(prefix) + 1):
                yield prefix[:length], start + 1
        else:
            for keys in _paths(parsed):
                yield prefix + keys, start + 1


def _statement(lines: list[str], at: int) -> tuple[dict[str, Any] | None, int]:
    """The statement that begins on a line, and the line after it. The whole text is valid TOML."""
    statement = ""
    for line in lines[at : at + _STATEMENT_LINES]:
        statement += line + "\n"
        at += 1
        try:
            return tomllib.loads(statement), at
        except tomllib.TOMLDecodeError:
            continue
    return None, at


def _header(parsed: dict[str, Any], counts: dict[Keys, int]) -> Keys:
    keys: Keys = ()
    node: Any = parsed
    while isinstance(node, dict) and node:
        (name, node), *_ = cast("dict[str, Any]", node).items()
        keys = (*keys, name)
        if isinstance(node, list):
            counts[keys] = counts.get(keys, -1) + 1
            node = cast("list[Any]", node)[0]
        if keys in counts:
            keys = (*keys, str(counts[keys]))
    return keys


def _paths(tree: dict[str, Any]) -> Iterator[Keys]:
    for name, node in tree.items():
        yield (name,)
        if isinstance(node, dict):
            for keys in _paths(cast("dict[str, Any]", node)):
                yield (name, *keys)
