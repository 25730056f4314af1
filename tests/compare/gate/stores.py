"""Two sides in real stores, and what happens there while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from connectors.model import Row, RowId, Target
from console.compare.gate.evidence import IdSets
from console.compare.gate.gather.ids import Tags, id_sets
from console.compare.gate.gather.sides import Side


def row(i: RowId, tag: str | None = "v2", **more: Any) -> Row:
    payload = {**more, **({} if tag is None else {"embedding_version": tag})}
    return Row(i, {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}, payload)


class Busy:
    """The connector, with what happens before and after the first reading of a collection."""

    def __init__(
        self,
        connector: Any,
        after: Mapping[str, Callable[[], Any]],
        before: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        self._connector, self._after, self._before = connector, dict(after), dict(before or {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def scan(self, t: Target, *args: Any, **more: Any) -> Iterator[Any]:
        self._before.pop(t.collection, lambda: None)()
        yield from self._connector.scan(t, *args, **more)
        self._after.pop(t.collection, lambda: None)()


def looked(pair: tuple[Side, Side], **more: Any) -> tuple[IdSets, Tags]:
    given = {"settle": 0.0, "tell": lambda _: None, "cancelled": lambda: False, **more}
    return id_sets(*pair, **given)


def counts(found: IdSets) -> tuple[int, int, int, int]:
    """Missing and moved, on the left only and on the right only."""
    left, right = found.on_left_only, found.on_right_only
    return left.rows, left.moved, right.rows, right.moved
