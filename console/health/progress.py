"""How far a check is, for a terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """`phase`: what is being done, in a few plain words. `rate`: rows a second. `eta_seconds`: None, not known."""

    phase: str
    done: int = 0
    total: int | None = None
    rate: float | None = None
    eta_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Tell = Callable[[Progress], None]


def quiet(_: Progress) -> None:
    """Tells nobody."""


def duration(seconds: float) -> str:
    """`22 s`, `4 min`, `1.5 h`."""
    if seconds < 90:
        return f"{max(0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
