"""How far long work is, for a terminal and for the page."""

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


class Cancelled(Exception):
    """Somebody asked for the end; what was written down stays."""


Tell = Callable[[Progress], None]


def quiet(_: Progress) -> None:
    """Tells nobody."""
