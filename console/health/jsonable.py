"""Values of a report as JSON takes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any, Final, cast

import numpy as np

_DEEPEST: Final = 24


def jsonable(value: Any, deep: int = 0) -> Any:
    """Plain values; a number that is not finite is None, a key is text, what JSON does not know is its text."""
    if value is None or isinstance(value, (bool, int, str)):
        return _whole(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return jsonable(value.item(), deep)
    if deep >= _DEEPEST:
        return "…"
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist(), deep)
    if isinstance(value, Mapping):
        held = cast("Mapping[Any, Any]", value)
        return {
            str(_whole(k if isinstance(k, str) else str(k))): jsonable(v, deep + 1) for k, v in held.items()
        }
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (bytes, bytearray)):
        return [jsonable(v, deep + 1) for v in cast("Sequence[Any]", value)]
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name), deep + 1) for f in fields(value)}
    return str(value)


def _whole(value: bool | int | str | None) -> bool | int | str | None:
    """Text without halves of surrogate pairs, which no encoder takes."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
