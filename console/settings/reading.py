"""Checking tables against the schema, and remembering where each value came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, cast

from connectors.errors import PlumblineError
from console.settings import schema
from console.settings.document import Document
from console.settings.document import Keys as Trail
from console.settings.model import Entry
from console.settings.values import Wrong

MASK: Final = "***"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def dotted(trail: Trail) -> str:
    """The name of a setting as TOML writes it."""
    return ".".join(k if _BARE.fullmatch(k) else f'"{k}"' for k in trail)


def refusal(doc: Document, trail: Trail, why: str, hint: str = "") -> PlumblineError:
    return PlumblineError("settings", f"`{dotted(trail)}` {why}.", where=doc.at(trail), hint=hint)


@dataclass(slots=True)
class Ledger:
    """What has been read so far, for `plumbline settings`."""

    entries: list[Entry] = field(default_factory=list[Entry])
    notes: list[str] = field(default_factory=list[str])

    def put(self, trail: Trail, value: Any, source: str, key: schema.Key) -> None:
        shown = MASK if key.secret else plain(value)
        self.entries.append(Entry(dotted(trail), shown, source, key.used))

    def defaults(self, trail: Trail, keys: schema.Keys, held: Iterable[str]) -> None:
        """The defaults of the settings that nobody set."""
        there = set(held)
        for name, key in keys.items():
            if name not in there and key.default is not None:
                self.put((*trail, name), key.default, "default", key)


def plain(value: Any) -> Any:
    """A value as JSON."""
    if isinstance(value, (Path, date)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in cast("Iterable[Any]", value)]
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    return value


def table(doc: Document, trail: Trail, held: Any) -> dict[str, Any]:
    if not isinstance(held, dict):
        raise refusal(doc, trail, "must be a section", f"Write it as [{dotted(trail)}].")
    return cast("dict[str, Any]", held)


def section(doc: Document, trail: Trail, held: Any, keys: schema.Keys, ledger: Ledger) -> dict[str, Any]:
    """The checked values of one section. Raises `settings` at the first that is wrong."""
    found: dict[str, Any] = {}
    for name, value in table(doc, trail, held).items():
        key = keys.get(name)
        here = (*trail, name)
        if key is None:
            raise refusal(doc, here, "is not a setting", schema.nearest(name, keys))
        found[name] = value_of(doc, here, value, key)
        ledger.put(here, found[name], doc.at(here), key)
    for name, key in keys.items():
        if key.required and name not in found:
            raise refusal(doc, trail, f"lacks `{name}`")
    return found


def value_of(doc: Document, trail: Trail, value: Any, key: schema.Key) -> Any:
    try:
        return key.check(value, doc.folder)
    except Wrong as fault:
        raise refusal(doc, trail, fault.why, fault.hint) from None
