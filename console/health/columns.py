"""What the payload columns of a scan say of each row: groups, source, content, length, time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from connectors.model import Batch
from console.health.options import FieldNames
from console.health.table import F64, U16, U64, Codes
from console.health.values import Key, canonical, empty, hash64, key_of, rank_of, seconds, text_of

VALUES: Final = 2_048
"""Values of one field that have codes of their own. What is put away on the way takes codes too: of N values
VALUES (1 + ln(N / VALUES)) in the mean, 29,000 of 10^9, so that a uint16 suffices."""
LONGEST: Final = 256
"""Characters of a group's value; a longer one names no group that a person would read, and is with the others."""
MOST_CODES: Final = 65_535
_PLAIN: Final = frozenset({type(None), str, int, float, bool})
TENANT: Final = "tenant"
"""The group field of a row's part."""

OTHER_CODE: Final = 1
"""Within one range: code 1 is every value past the bound, 2 and on are values in the order of their first row."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """n entries each, as in `RowTable`; `codes` are one range's own."""

    source: U64
    content: U64
    text_length: npt.NDArray[np.int32]
    time: F64
    codes: Mapping[str, U16]


class Coder:
    """Codes for the values of one field as they come. Past the bound, values that rank last go to the others."""

    def __init__(self, *, tag: bool = False, heavy: frozenset[Key] = frozenset()) -> None:
        self._tag = tag
        self.heavy = heavy
        self.values: list[Any] = []
        self.dead: list[bool] = []
        self._plain: dict[str, int] = {}
        self._known: dict[Key, int] = {}
        self._ranks: list[tuple[int, int, Key]] = []
        self._last: int | None = None
        self._away: list[Key] = []
        self.over = False
        """Whether a row was put with the others."""

    def encode(self, column: Iterable[Any]) -> U16:
        plain = self._plain
        self._away = []
        return np.array(
            [plain[v] if type(v) is str and v in plain else self._code(v) for v in column], np.uint16
        )

    def codes(self, codes: U16) -> Codes:
        """The codes of the block that was encoded last, on their own terms; `other` is past the last value."""
        held = codes.astype(np.int64) - OTHER_CODE
        other = len(self.values) + 1
        alive = np.array([*(not d for d in self.dead), True], np.bool_)
        named = (held > 0) & alive[np.maximum(held, 1) - 1]
        others = Counter(self._away)
        if self.over:
            gone = np.bincount(held[(held > 0) & ~named], minlength=1)
            for code in np.flatnonzero(gone).tolist():
                others[key_of(self.values[code - 1])] += int(gone[code])
        held = np.where(codes == 0, 0, np.where(named, held, other))
        return Codes(held.astype(np.uint16), tuple(self.values), other, others)

    def alive(self) -> list[tuple[int, Key, Any]]:
        """(code, key, value) of what is kept, in the order of first rows."""
        return [(i + 1 + OTHER_CODE, key_of(v), v) for i, v in enumerate(self.values) if not self.dead[i]]

    def _code(self, value: Any) -> int:
        value = grouped(value, tag=self._tag)
        if value is None:
            return 0
        if isinstance(value, str) and len(value) > LONGEST:
            return self._other(key_of(value))
        key = key_of(value)
        code = self._known.get(key)
        return self._meet(key, value) if code is None else code

    def _meet(self, key: Key, value: Any) -> int:
        rank = rank_of(key, self.heavy)
        code = len(self.values) + 1 + OTHER_CODE
        if code >= MOST_CODES or (self._last is not None and rank > self._last):
            return self._other(key)
        self.values.append(value)
        self.dead.append(False)
        self._known[key] = code
        heapq.heappush(self._ranks, (-rank, code, key))
        if isinstance(value, str):
            self._plain[value] = code
        if len(self._ranks) > VALUES:
            _, out, gone = heapq.heappop(self._ranks)
            self.dead[out - 1 - OTHER_CODE] = True
            self.over = True
            del self._known[gone]
            self._plain.pop(gone[1], 0)
        if len(self._ranks) == VALUES:
            self._last = -self._ranks[0][0]
        return code

    def _other(self, key: Key) -> int:
        self.over = True
        self._away.append(key)
        return OTHER_CODE


def grouped(value: Any, *, tag: bool) -> Any:
    """The value that a row's group goes by, None where it has none. `tag`: a list of one tag is that tag."""
    if tag and isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = cast("list[Any]", value)[0]
    if empty(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) else canonical(value)


class Reading:
    """One range's reading of payload columns."""

    def __init__(
        self,
        names: FieldNames,
        heavy: Mapping[str, frozenset[Key]] | None = None,
        *,
        parts: bool = False,
    ) -> None:
        self._names = names
        self.coders = {
            name: Coder(tag=name == names.version, heavy=(heavy or {}).get(name, frozenset()))
            for name in names.groups
        }
        self._parts = parts and TENANT not in self.coders
        if self._parts:
            self.coders[TENANT] = Coder()

    def read(self, batch: Batch) -> Columns:
        n, names = len(batch), self._names
        nothing: list[Any] = [None] * n
        columns = {path: batch.columns.get(path, nothing) for path in names.columns}

        def column(path: str) -> Sequence[Any]:
            return columns[path] if path in columns else batch.columns.get(path, nothing)

        texts = None if names.text is None else column(names.text)
        images = None if names.image is None else column(names.image)
        length = (
            np.full(n, -1, np.int32)
            if texts is None
            else np.array([len(v) if isinstance(v, str) else -1 for v in texts], np.int32)
        )
        time = np.full(n, np.nan)
        if names.time is not None:
            time[:] = [seconds(v) for v in column(names.time)]
        codes = {
            name: coder.encode([batch.part] * n if self._parts and name == TENANT else column(name))
            for name, coder in self.coders.items()
        }
        return Columns(
            _sources(images, texts, n),
            _content([values for path, values in columns.items() if path != names.time], n),
            length,
            time,
            codes,
        )


def merged(coders: Sequence[Coder]) -> tuple[tuple[Any, ...], int | None, list[U16]]:
    """The values of all ranges in the order of their first rows, the code of the others, and a map per range."""
    order: dict[Key, Any] = {}
    for coder in coders:
        for _, key, value in coder.alive():
            order.setdefault(key, value)
    over = any(coder.over for coder in coders)
    if len(order) > VALUES:
        over = True
        heavy = frozenset[Key]().union(*(coder.heavy for coder in coders))
        kept = set(sorted(order, key=lambda key: rank_of(key, heavy))[:VALUES])
        order = {key: value for key, value in order.items() if key in kept}
    code = {key: i + 1 for i, key in enumerate(order)}
    other = len(order) + 1
    maps: list[U16] = []
    for coder in coders:
        to = np.full(len(coder.values) + 1 + OTHER_CODE, other, np.uint16)
        to[0] = 0
        for own, key, _ in coder.alive():
            to[own] = code.get(key, other)
        maps.append(to)
    return tuple(order.values()), other if over else None, maps


def _sources(images: Sequence[Any] | None, texts: Sequence[Any] | None, n: int) -> U64:
    """Hashes of the picture, else the text of each row; 0 where it has neither."""
    first, second = (_said(c) for c in (images, texts))
    if first is None or second is None:
        only = second if first is None else first
        found = [0] * n if only is None else [0 if v is None else hash64(v) for v in only]
    else:
        found = [
            hash64(a) if a is not None else 0 if b is None else hash64(b)
            for a, b in zip(first, second, strict=True)
        ]
    return np.array(found, np.uint64)


def _said(column: Sequence[Any] | None) -> list[str | None] | None:
    """Values as text, None where they say nothing."""
    if column is None:
        return None
    return [
        v if type(v) is str and v and not v.isspace() else None if empty(v) else text_of(v) for v in column
    ]


def _content(columns: Sequence[Sequence[Any]], n: int) -> U64:
    """0 for a row with none of the fields."""
    if not columns:
        return np.zeros(n, np.uint64)
    plain = [
        [canonical(v) if isinstance(v, (list, dict)) else v for v in values]
        if not _PLAIN.issuperset(map(type, values))
        else values
        for values in columns
    ]
    nothing = (None,) * len(columns)
    return np.array(
        [0 if row == nothing else hash64(repr(row)) for row in zip(*plain, strict=True)], np.uint64
    )
