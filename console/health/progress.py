"""How far a check is, for a terminal and for the page."""

from typing import Protocol

from console.progress import Progress, Tell, quiet

__all__ = ["Progress", "Tell", "amounts", "duration", "quiet"]


class Counted(Protocol):
    """What counts rows on its way: a progress, or a run of a process of its own."""

    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int | None: ...
    @property
    def rate(self) -> float | None: ...
    @property
    def eta_seconds(self) -> float | None: ...


def amounts(held: Counted, rate: str) -> list[str]:
    """`12,000 of 1,000,000`, `45,000 rows/s`, `22 s left`: what is known of it. `rate`: the unit of the second."""
    parts: list[str] = []
    if held.total:
        parts.append(f"{held.done:,} of {held.total:,}")
    elif held.done:
        parts.append(f"{held.done:,}")
    if held.rate:
        parts.append(f"{held.rate:,.0f} {rate}")
    if held.eta_seconds is not None and held.eta_seconds >= 1:
        parts.append(f"{duration(held.eta_seconds)} left")
    return parts


def duration(seconds: float) -> str:
    """`22 s`, `4 min`, `1.5 h`."""
    if seconds < 90:
        return f"{max(0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
