"""What Plumbline remembers. SQLAlchemy is imported when the store is, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.store.ids import is_id, new_id

if TYPE_CHECKING:
    from console.store.headlines import Headline
    from console.store.store import Store, Stored

__all__ = ["Headline", "Store", "Stored", "is_id", "new_id"]


def __getattr__(name: str) -> Any:
    if name in ("Store", "Stored"):
        from console.store import store

        return getattr(store, name)
    if name == "Headline":
        from console.store.headlines import Headline

        return Headline
    raise AttributeError(name)
