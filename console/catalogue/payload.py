"""Payload fields that no schema tells of: seen in a few rows, said to be unindexed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.errors import PlumblineError

if TYPE_CHECKING:
    from connectors.model import Description, PayloadField, Target
    from connectors.protocol import Connector

ROWS: Final = 64


def seen_fields(
    connector: Connector, target: Target, description: Description, timeout: float | None = None
) -> tuple[PayloadField, ...]:
    """Top-level fields of `ROWS` sampled rows that the description lacks, in the order of names.

    A server with a schema (Weaviate) tells all of them; where the rows can't be read, none are added.
    """
    from connectors.model import ALL, PayloadField

    if connector.spec.kind == "weaviate" or not description.rows:
        return ()
    try:
        rows = connector.sample(target, ROWS, (), ALL, timeout=timeout).payloads or ()
    except PlumblineError:
        return ()
    listed = {p.name for p in description.payload}
    types: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            if name not in listed and (kind := type_of(value)) is not None:
                types.setdefault(name, set()).add(kind)
    details = {"seen_in_rows": len(rows)}
    return tuple(
        PayloadField(name, _common(kinds), indexed=False, details=details)
        for name, kinds in sorted(types.items())
    )


def type_of(value: Any) -> str | None:
    """The neutral type of a payload value; None for null and for an empty list, which have none."""
    if isinstance(value, list):
        kinds = {k for v in cast("list[Any]", value) if (k := type_of(v)) is not None}
        return f"{_common(kinds)}[]" if kinds else None
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    return "object" if isinstance(value, Mapping) else "keyword"


def _common(kinds: Iterable[str]) -> str:
    held = set(kinds)
    if held == {"integer", "float"}:
        return "float"
    return held.pop() if len(held) == 1 else "mixed"
