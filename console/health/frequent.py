"""The common ones among values too many to count one by one, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, Final

import datasketches  # pyright: ignore[reportMissingTypeStubs]

from console.health.values import Key, hash64, text_of

LG_SIZE: Final = 10
"""Frequent items (Anderson and others 2017): 768 values, exact while there are no more; beyond, the bounds of a
value's rows lie apart by at most 3.5 / 2^10 of all rows."""
LG_DISTINCT: Final = 11
"""CPC (Lang 2017): the number of values, to 1.3% (one standard deviation)."""
DEVIATIONS: Final = 3
HEAVY: Final = 0.01
"""Share of the rows put away from which a value is heavy: three times what the bounds may lie apart, so at most
152 are told, each with .66% or more."""
PENDING: Final = 4_096
"""Values whose rows are added up before the sketch sees them: it takes five times as long as a dict."""
WHOLE: Final = 256
"""Characters of a value's JSON text that is kept; of a longer one its head and a hash."""
HEAD: Final = 60

_STRINGS: Final[Any] = getattr(datasketches, "frequent_strings_sketch")  # noqa: B009
_CPC: Final[Any] = getattr(datasketches, "cpc_sketch")  # noqa: B009
_UNION: Final[Any] = getattr(datasketches, "cpc_union")  # noqa: B009
_KINDS: Final[Any] = getattr(datasketches, "frequent_items_error_type")  # noqa: B009
_ABSENT: Final = ""
"""No value's JSON text: its upper bound is that of every value which the sketch does not hold."""


@dataclass(frozen=True, slots=True)
class Heavy:
    """A value that `OTHER` stands for, and bounds on its rows there. `value` is cut short where `cut`."""

    value: Any
    at_least: int
    at_most: int
    cut: bool = False

    @property
    def name(self) -> str:
        """As people and JSON have it: whole text that can be written, not one line."""
        text = text_of(self.value).encode("utf-8", "replace").decode("utf-8")
        return text + "…" if self.cut else text


@dataclass(frozen=True, slots=True)
class Others:
    """The values past the bound: `rows`, how many values, and the heavy ones, those of most rows first."""

    rows: int
    values: int
    at_least: int
    at_most: int
    """Bounds on `values`: equal where they were counted, else three standard deviations."""
    heavy: tuple[Heavy, ...]
    """Every value of more than `HEAVY` of the rows, and perhaps some with little less."""
    apart: int
    """What the bounds on a value's rows may lie apart; a value of so many rows or fewer may have gone unseen."""

    def to_json(self) -> dict[str, Any]:
        return {
            "values": self.values,
            "values_at_least": self.at_least,
            "values_at_most": self.at_most,
            "heavy": [{"value": h.name, "at_least": h.at_least, "at_most": h.at_most} for h in self.heavy],
        }


class Frequent:
    """Counts the rows of values, by their JSON text: 1, 1.0, true and "1" are four values."""

    def __init__(self) -> None:
        self._counts: Any = _STRINGS(LG_SIZE)
        self._distinct: Any = _CPC(LG_DISTINCT)
        self._pending: dict[Key, int] = {}

    @classmethod
    def of(cls, parts: Iterable[Frequent]) -> Frequent:
        """All together; the parts do not change."""
        made = cls()
        union: Any = _UNION(LG_DISTINCT)
        for part in parts:
            part._flush()
            made._counts.merge(part._counts)
            union.update(part._distinct)
        made._distinct = union.get_result()
        return made

    @property
    def size(self) -> int:
        """Bytes, written down."""
        self._flush()
        return int(self._counts.get_serialized_size_bytes()) + len(self._distinct.serialize())

    def update(self, rows: Mapping[Key, int]) -> None:
        """Rows, above 0, of each value."""
        pending = self._pending
        for key, n in rows.items():
            value = key[1]
            if type(value) is str and len(value) > WHOLE:
                self._count(key, n)
            else:
                pending[key] = pending.get(key, 0) + n
        if len(pending) > PENDING:
            self._flush()

    def _flush(self) -> None:
        for key, n in self._pending.items():
            self._count(key, n)
        self._pending.clear()

    def _count(self, key: Key, n: int) -> None:
        item = _item(key)
        self._counts.update(item, n)
        self._distinct.update(item)

    def among(self, rows: int, share: float = HEAVY) -> Others:
        """Of `rows` in all. Rows whose values nobody counted may be of any value: they widen the bounds."""
        self._flush()
        unknown = max(0, rows - int(self._counts.total_weight))
        error = int(self._counts.get_upper_bound(_ABSENT))
        line = max(0, int(share * rows) - unknown)
        found: list[tuple[str, int, int, int]] = self._counts.get_frequent_items(
            _KINDS.NO_FALSE_NEGATIVES, line
        )
        heavy = [_heavy(item, low, min(rows, high + unknown)) for item, _, low, high in found]
        values = low = high = int(self._counts.num_active_items)
        if error:
            low = max(low, int(self._distinct.get_lower_bound(DEVIATIONS)))
            high = int(self._distinct.get_upper_bound(DEVIATIONS)) + 1
            values = min(rows, round(self._distinct.get_estimate()))
        return Others(
            rows,
            values,
            low,
            min(rows, high + unknown),
            tuple(sorted(heavy, key=lambda h: (-h.at_least, -h.at_most, h.name))),
            error + unknown,
        )


def _item(key: Key) -> str:
    """ASCII without control characters, the same for the same key only (a hash tells long ones apart)."""
    value = key[1]
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) <= WHOLE:
        item = encode_basestring_ascii(text) if isinstance(value, str) else text
        if len(item) <= WHOLE:
            return item
    return json.dumps([text[:HEAD], f"{hash64(repr(key)):x}"])


def _heavy(item: str, at_least: int, at_most: int) -> Heavy:
    value = json.loads(item)
    if isinstance(value, list):
        return Heavy(value[0], at_least, at_most, cut=True)
    return Heavy(value, at_least, at_most)
