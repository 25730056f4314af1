"""What Plumbline remembers. SQLAlchemy is imported when the store is, not before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from console.store.ids import is_id, new_id

if TYPE_CHECKING:
    from console.store.comparisons import Comparisons
    from console.store.evaluations import Evaluations
    from console.store.gates import Gates
    from console.store.golden_sets import GoldenSets
    from console.store.headlines import Headline
    from console.store.store import Store, Stored

__all__ = [
    "Comparisons",
    "Evaluations",
    "Gates",
    "GoldenSets",
    "Headline",
    "Store",
    "Stored",
    "is_id",
    "new_id",
]

_ROOMS: Final = {
    "Comparisons": "comparisons",
    "Evaluations": "evaluations",
    "Gates": "gates",
    "GoldenSets": "golden_sets",
    "Headline": "headlines",
    "Store": "store",
    "Stored": "store",
}


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"console.store.{room}"), name)
