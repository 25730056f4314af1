"""Checks of single values. Each returns the value in its final type or raises `Wrong`, never quoting it."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

Check = Callable[[Any, Path], Any]
"""(value, the folder that relative paths stand against) -> checked value."""

LONGEST_TIMEOUT: Final = 3600.0
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_HOST: Final = re.compile(r"(\*\.)?[0-9A-Za-z_.\-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)


class Wrong(Exception):
    """Why a value can't be used, as the end of a sentence: "must be a number"."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def text(value: Any, _folder: Path) -> str:
    if not isinstance(value, str):
        raise Wrong("must be text")
    if not value.strip():
        raise Wrong("must not be empty")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise Wrong("holds a control character")
    return value


def secret(value: Any, folder: Path) -> str:
    value = text(value, folder)
    if any(not "!" <= c <= "~" for c in value):
        raise Wrong("holds a blank or a character that is not ASCII", "Was it copied whole, and alone?")
    return value


def integer(low: int, high: int) -> Check:
    def check(value: Any, _folder: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong("must be a whole number")
        if not low <= value <= high:
            raise Wrong(f"must lie between {low} and {high}")
        return value

    return check


def number(low: float, high: float) -> Check:
    def check(value: Any, _folder: Path) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Wrong("must be a number")
        if not low <= value <= high:
            raise Wrong(f"must lie between {low:g} and {high:g}")
        return float(value)

    return check


def seconds(value: Any, _folder: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Wrong("must be a number of seconds")
    if not 0 < value <= LONGEST_TIMEOUT:
        raise Wrong(f"must be more than 0 and at most {LONGEST_TIMEOUT:.0f} seconds")
    return float(value)


def flag(value: Any, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise Wrong("must be true or false")
    return value


def one_of(*names: str) -> Check:
    def check(value: Any, _folder: Path) -> str:
        if value not in names:
            raise Wrong(f"must be one of {', '.join(names)}")
        return cast("str", value)

    return check


def texts(value: Any, folder: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Wrong('must be a list, such as ["a", "b"]')
    try:
        return tuple(text(v, folder) for v in cast("list[Any]", value))
    except Wrong as fault:
        raise Wrong(f"has an element that {fault.why}") from None


def path(value: Any, folder: Path) -> str:
    """A file or folder, made absolute against where it is written; `~` is the user's home."""
    try:
        return str((folder / Path(text(value, folder)).expanduser()).absolute())
    except RuntimeError:
        raise Wrong("names a home folder that can't be found") from None


def existing_file(value: Any, folder: Path) -> str:
    found = path(value, folder)
    if not Path(found).is_file():
        raise Wrong("names a file that is not there", f"It was looked for at {found}.")
    return found


def paths(value: Any, folder: Path) -> tuple[Path, ...]:
    return tuple(Path(path(v, folder)) for v in texts(value, folder))


def hosts(value: Any, folder: Path) -> tuple[str, ...]:
    found = texts(value, folder)
    if not all(_HOST.fullmatch(h) for h in found):
        raise Wrong("must hold host names alone, such as images.example.org, without scheme, port or path")
    return tuple(h.lower() for h in found)


def model(value: Any, folder: Path) -> str:
    """A model's name or tag, or a path where it looks like one: it holds a slash or begins with a dot."""
    name = text(value, folder)
    local, bare = "local-dir:", name.removeprefix("local-dir:")
    if bare.startswith("hf-hub:") or not (name.startswith(local) or bare.startswith((".", "~", "/"))):
        suffix = Path(bare).suffix in (".safetensors", ".pt", ".pth", ".bin")
        if not suffix or "://" in bare:
            return name
    absolute = path(bare, folder)
    return f"{local}{absolute}" if name.startswith(local) else absolute


def url(value: Any, folder: Path) -> str:
    """`http(s)://HOST[:PORT][/PATH]`, and no user, password, query or fragment in it."""
    example = "For example http://localhost:6333."
    address = text(value, folder).strip()
    try:
        parts = urlsplit(address)
        port = parts.port
        host = parts.hostname
    except ValueError:
        raise Wrong("is not a URL that can be read", example) from None
    if "@" in parts.netloc:
        raise Wrong("holds a user or a password", "Take them out and set `api_key`.")
    if parts.scheme not in ("http", "https"):
        raise Wrong("must begin with http:// or https://", example)
    if not host or any(c.isspace() or c in "\\<>\"'" for c in address):
        raise Wrong("is not a URL that can be read", example)
    if port == 0:
        raise Wrong("has a port that can't be used", example)
    if parts.query or parts.fragment:
        raise Wrong("holds a `?` or a `#` part", "A key belongs in `api_key`, other values in `headers`.")
    return address.rstrip("/")


def database_url(value: Any, folder: Path) -> str:
    address = text(value, folder).strip()
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        scheme = ""
    if not scheme or "://" not in address:
        raise Wrong("is not a database URL", "For example postgresql://db.example.org/plumbline.")
    return address


def database_url_in_the_open(value: Any, folder: Path) -> str:
    address = database_url(value, folder)
    parts = urlsplit(address)
    if parts.password is not None or "password" in parts.query.lower():
        raise Wrong(
            "holds a password, which does not belong in this file",
            "Put it in .streamlit/secrets.toml or in the environment.",
        )
    return address


def headers(value: Any, _folder: Path) -> dict[str, str]:
    """A table of HTTP headers, or the same as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Wrong("must be a JSON object", 'For example {"X-Api-Key": "…"}.') from None
    if not isinstance(value, Mapping):
        raise Wrong('must be a table, such as { "X-Api-Key" = "…" }')
    found: dict[str, str] = {}
    for name, held in cast("Mapping[Any, Any]", value).items():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            raise Wrong("holds a name that is no HTTP header")
        if not isinstance(held, str) or any(not " " <= c <= "~" for c in held):
            raise Wrong("holds a value that is not one line of ASCII text")
        found[name] = held
    return found


def day(value: Any, _folder: Path) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Wrong("must be a date, such as 2026-12-31") from None


def from_environment(raw: str, check: Check) -> Any:
    """The TOML value that a variable's text stands for, by what `check` expects."""
    if check is flag:
        low = raw.strip().lower()
        if low in ("1", "true", "yes", "on"):
            return True
        if low in ("0", "false", "no", "off"):
            return False
        raise Wrong("must be true or false")
    try:
        if check is seconds:
            return float(raw)
        if getattr(check, "__qualname__", "").startswith("integer."):
            return int(raw)
    except ValueError:
        raise Wrong("must be a number") from None
    return raw
