"""Counts and chances in sentences."""

from __future__ import annotations


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,200 rows`; `many` where an s does not make it."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def queries(number: int) -> str:
    return plural(number, "query", "queries")


def chance(p: float) -> str:
    """A p-value; a randomisation test never says 0."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
