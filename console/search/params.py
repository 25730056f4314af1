"""The fields of a URL, each checked as it is read, and the words of a shell command."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from console.search.request import Params, Upload, usage

_WHOLE: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


class Fields:
    """The fields of a query string, in their order. Every reading raises `usage` naming the field at fault."""

    def __init__(self, params: Params) -> None:
        self._held: dict[str, list[str]] = {}
        if isinstance(params, Mapping):
            for name, values in cast("Mapping[str, str | Sequence[str]]", params).items():
                self._held[name] = [values] if isinstance(values, str) else list(values)
        else:
            for name, value in params:
                self._held.setdefault(name, []).append(value)

    def every(self, name: str) -> tuple[str, ...]:
        return tuple(self._held.get(name, ()))

    def one(self, name: str) -> str | None:
        values = self._held.get(name, ())
        if len(values) > 1:
            raise usage(f"`{name}` is in the URL more than once.", name)
        return values[0] if values else None

    def whole(self, name: str) -> int | None:
        text = self.one(name)
        if text is not None and not _WHOLE.fullmatch(text):
            raise usage(f"`{name}` in the URL is not a whole number.", name)
        return None if text is None else int(text)

    def number(self, name: str) -> float | None:
        text = self.one(name)
        return None if text is None else number(name, text)

    def flag(self, name: str) -> bool:
        value = self.one(name)
        if value not in (None, "0", "1"):
            raise usage(f"`{name}` in the URL is 0 or 1.", name)
        return value == "1"

    def images(self, name: str) -> tuple[Upload, ...]:
        found = [Upload.parse(text) for text in self.every(name)]
        if None in found:
            raise usage("An image in the URL is an upload's hash.", name, "Upload the picture again.")
        return tuple(image for image in found if image is not None)


def number(name: str, text: str) -> float:
    """A finite number of a field. Raises `usage`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise usage(f"`{name}` in the URL is not a finite number.", name)
    return value


def compact(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def option(name: str, value: str) -> list[str]:
    """The words of an option; a value that looks like an option is joined to it."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]
