"""Ids of what is stored: short, in the order of time, selected whole by a double click."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Final, Literal

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, and sorted as ASCII is."""
_START: Final = datetime(2020, 1, 1, tzinfo=UTC)
_ID: Final = re.compile(r"[a-z][0-9a-hjkmnp-tv-z]{11}", re.ASCII)

IdKind = Literal["r", "c", "g", "e"]
"""Report, comparison, gate, evaluation."""


def new_id(at: datetime | None = None, kind: IdKind = "r") -> str:
    """The kind, 8 digits of milliseconds since 2020 (until 2054), 3 by chance: 12 characters."""
    at = at or datetime.now(UTC)
    time = _base32(int((at - _START).total_seconds() * 1000), 8)
    return f"{kind}{time}{_base32(secrets.randbelow(32**3), 3)}"


def is_id(text: str, kind: IdKind = "r") -> bool:
    return text.startswith(kind) and _ID.fullmatch(text) is not None


def _base32(value: int, width: int) -> str:
    value = max(0, value) % 32**width
    return "".join(_DIGITS[(value >> 5 * i) & 31] for i in reversed(range(width)))
