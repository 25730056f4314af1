"""`plumbline settings`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import cast

from console.cli.context import Context
from console.cli.output import printable, shown, table


def settings(_args: Namespace, context: Context) -> int:
    """Each setting, its value (secrets masked), where it came from, and whether it has an effect yet."""
    held = context.settings
    data = {
        "settings": [entry.to_json() for entry in held.entries],
        "notes": list(held.notes),
        "files": [str(path) for path in held.files],
    }

    def lines() -> Iterator[str]:
        yield from table(
            ("Setting", "Value", "Source", ""),
            [(e.key, _value(e.value), e.source, "" if e.used else "no effect yet") for e in held.entries],
        )
        for note in held.notes:
            yield ""
            yield printable(note)

    context.out.show(data, lines)
    return 0


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(shown(v) for v in cast("list[object]", value)) or "none"
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else shown(value)
