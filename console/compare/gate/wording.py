"""Lists and counts in a condition's sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

NAMED: Final = 3
"""Of what is listed, so many are named; the others are counted."""


def named(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b, c and 4 more"."""
    shown = [*names] if len(names) <= NAMED else [*names[:NAMED], f"{len(names) - NAMED:,} more"]
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last


def few(n: int, one: str, many: str) -> str:
    """`one` or `many` with the number in place of {}; "" for none."""
    return (one if n == 1 else many).format(f"{n:,}") if n > 0 else ""
