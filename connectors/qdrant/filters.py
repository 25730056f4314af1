"""Filters in Qdrant's words.

Each atom becomes a condition P and, where the server may judge some rows otherwise than the reference does, two
more: `over` holds the rows that P may let through wrongly, `under` those that it may lose. `P or under` loses no
matching row, `not P or over` no other one, and a count is exact over the rows outside both plus a recheck of the
rows inside. Where nothing can be said, the atom lets all rows through and all are rechecked.

What the server does, from its sources (1.18.3) and tried on its engine:
- paths go through objects and never through lists, as ours do; `is_empty` is missing, null or [];
- `match` of text compares code points, but over a `uuid` index it compares UUIDs, whatever their spelling;
- `match` of an integer passes over 1.0, so numbers are compared by `range`, which works on doubles: integers
  beyond 2**53 are in doubt;
- an `integer` index holds no fractions, and a range over it passes over them; a `datetime` or `uuid` index
  answers a range of numbers by its own internal numbers, and numeric indexes a range of times by theirs, and a
  match of a UUID as text by none;
- numbers in a payload are read back through a JSON reader that can miss the last bits of a long fraction
  (serde_json without float_roundtrip), while an index keeps them as they came: neighbours of a bound are in doubt;
- times are kept to the microsecond in an index, and some spellings of RFC 3339 are not read at all.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors.filters import (
    AnyOf,
    Atom,
    Between,
    Equals,
    Exists,
    Filter,
    Ids,
    IsEmpty,
    Scalar,
    Translated,
    instant,
    split_path,
    translate,
)
from connectors.qdrant.stubs import pb
from connectors.qdrant.values import json_path
from connectors.qdrant.wire import point_id

EXACT: Final = 2**53
WIDEST: Final = 1.7976931348623157e308
MANY: Final = 128
"""More numbers than this in one `any_of` become one range and a recheck."""

ULPS: Final = 8
SHORT: Final = 16
"""The JSON reader is right about numbers that are written in fewer characters."""

IndexKind = Literal["none", "keyword", "integer", "lookup", "float", "datetime", "uuid", "other"]


@dataclass(frozen=True, slots=True)
class Said:
    """P, over and under of an atom. `condition` None: nothing can be said, every row is in doubt."""

    condition: Any | None
    over: Any | None = None
    under: Any | None = None


def index_kinds(schema: Mapping[str, Any]) -> dict[tuple[str, ...], IndexKind]:
    """From the collection's payload schema: what answers a condition on a path."""
    kinds: dict[tuple[str, ...], IndexKind] = {}
    for name, info in schema.items():
        match info.data_type:
            case pb.PayloadSchemaType.Integer:
                params = info.params.integer_index_params
                ranged = not params.HasField("range") or params.range
                kind: IndexKind = "integer" if ranged else "lookup"
            case pb.PayloadSchemaType.Keyword:
                kind = "keyword"
            case pb.PayloadSchemaType.Float:
                kind = "float"
            case pb.PayloadSchemaType.Datetime:
                kind = "datetime"
            case pb.PayloadSchemaType.Uuid:
                kind = "uuid"
            case _:
                kind = "other"
        kinds[split_path(name)] = kind
    return kinds


class QdrantDialect:
    """Implements `connectors.filters.Dialect`. One instance per translation: it gathers the doubts."""

    def __init__(self, schema: Mapping[str, Any], json: bool = False) -> None:
        """`json`: the filter travels as JSON, and its own numbers are read that way."""
        self._json = json
        self._kinds = index_kinds(schema)
        self.doubts: list[Any] = []
        self.opaque = False
        """True where some atom could not be said at all."""

    def atom(self, atom: Atom, negated: bool) -> Translated[Any]:
        said = self._say(atom)
        if said.condition is None:
            self.opaque = True
            return Translated(None, False)
        condition = none_of([said.condition]) if negated else said.condition
        doubts = [d for d in (said.over, said.under) if d is not None]
        if not doubts:
            return Translated(condition, True)
        self.doubts.extend(doubts)
        lost = said.over if negated else said.under
        return Translated(condition if lost is None else any_of([condition, lost]), False)

    def all_of(self, parts: Sequence[Any]) -> Any:
        return all_of(parts)

    def any_of(self, parts: Sequence[Any]) -> Any:
        return any_of(parts)

    def nothing(self) -> Any:
        return nothing()

    def _say(self, atom: Atom) -> Said:
        if isinstance(atom, Ids):
            return Said(_has_id(atom))
        key = json_path(atom.field)
        if key is None:
            return Said(None)
        kind = self._kinds.get(split_path(atom.field), "none")
        match atom:
            case Equals(_, value):
                return self._one_of(key, kind, (value,))
            case AnyOf(_, values):
                return self._one_of(key, kind, values)
            case Between():
                return _times(key, kind, atom) if atom.of_instants else _numbers(key, kind, atom, self._json)
            case Exists():
                return Said(none_of([_empty(key)]))
            case IsEmpty():
                return Said(_empty(key))

    def _one_of(self, key: str, kind: IndexKind, values: Sequence[Scalar]) -> Said:
        said: list[Said] = []
        texts = list(dict.fromkeys(v for v in values if isinstance(v, str)))
        numbers = list(
            dict.fromkeys(v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool))
        )
        if any(_broken(t) for t in texts):
            return Said(None)
        if texts:
            said.append(_texts(key, kind, texts))
        said.extend(
            Said(_match(key, boolean=truth)) for truth in (True, False) if any(v is truth for v in values)
        )
        if len(numbers) > MANY:
            between = Between(key, gte=min(numbers), lte=max(numbers))
            inside = _numbers(key, kind, between, self._json)
            if inside.condition is None:
                return Said(None)
            said.append(Said(inside.condition, inside.condition, inside.under))
        else:
            said.extend(_numbers(key, kind, Between(key, gte=n, lte=n), self._json) for n in numbers)
        return _any(said)


@dataclass(frozen=True, slots=True)
class ServerFilter:
    """`where` as the server is told it. `exact`: no recheck. `doubt`: the rows to recheck; None: all of them."""

    filter: Any | None
    exact: bool
    doubt: Any | None


def server_filter(where: Filter | None, schema: Mapping[str, Any], json: bool = False) -> ServerFilter:
    dialect = QdrantDialect(schema, json)
    translated = translate(where, dialect)
    conditions = [] if translated.server is None else [translated.server]
    doubt = None if dialect.opaque or not dialect.doubts else any_of(_distinct(dialect.doubts))
    return ServerFilter(
        pb.Filter(must=conditions) if conditions else None,
        translated.exact,
        None if translated.exact else doubt,
    )


def narrowed(server: ServerFilter, inside: bool) -> Any:
    """The rows of a filter inside or outside its doubt."""
    return pb.Filter(
        must=[pb.Condition(filter=server.filter)] if server.filter is not None else [],
        **{"should" if inside else "must_not": [server.doubt]},
    )


def all_of(parts: Sequence[Any]) -> Any:
    return pb.Condition(filter=pb.Filter(must=list(parts)))


def any_of(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else pb.Condition(filter=pb.Filter(should=list(parts)))


def none_of(parts: Sequence[Any]) -> Any:
    return pb.Condition(filter=pb.Filter(must_not=list(parts)))


def nothing() -> Any:
    return pb.Condition(has_id=pb.HasIdCondition(has_id=[]))


def keyword(key: str, value: str) -> Any:
    return pb.Condition(field=pb.FieldCondition(key=key, match=pb.Match(keyword=value)))


def _has_id(atom: Ids) -> Any:
    return pb.Condition(has_id=pb.HasIdCondition(has_id=[point_id(i) for i in atom.ids]))


def _empty(key: str) -> Any:
    return pb.Condition(is_empty=pb.IsEmptyCondition(key=key))


def _match(key: str, **value: Any) -> Any:
    return pb.Condition(field=pb.FieldCondition(key=key, match=pb.Match(**value)))


def _range(key: str, **bounds: float) -> Any:
    return pb.Condition(field=pb.FieldCondition(key=key, range=pb.Range(**bounds)))


def _any(said: Sequence[Said]) -> Said:
    if not said:
        return Said(nothing())
    conditions = [s.condition for s in said]
    if any(c is None for c in conditions):
        return Said(None)
    return Said(any_of(conditions), _join(s.over for s in said), _join(s.under for s in said))


def _join(conditions: Iterable[Any]) -> Any | None:
    """Any of the conditions that are there, None where none is."""
    held = _distinct([c for c in conditions if c is not None])
    return any_of(held) if held else None


def _distinct(conditions: Sequence[Any]) -> list[Any]:
    return list({c.SerializeToString(deterministic=True): c for c in conditions}.values())


def _texts(key: str, kind: IndexKind, texts: Sequence[str]) -> Said:
    condition = (
        _match(key, keyword=texts[0])
        if len(texts) == 1
        else _match(key, keywords=pb.RepeatedStrings(strings=texts))
    )
    if kind in ("integer", "float", "datetime") and any(_uuid_like(t) for t in texts):
        # A numeric index takes a text that reads as a UUID for a number of its own, and finds nothing (1.18.3).
        return Said(None)
    if kind != "uuid":
        return Said(condition)
    # Over a uuid index a match of UUIDs finds other spellings too; a list with one other text is not answered
    # by the index at all, and then exactly.
    return Said(condition, condition) if all(_uuid_like(t) for t in texts) else _uuids_apart(key, texts)


def _uuids_apart(key: str, texts: Sequence[str]) -> Said:
    return _any([_texts(key, "uuid", [t]) if _uuid_like(t) else Said(_match(key, keyword=t)) for t in texts])


def _uuid_like(text: str) -> bool:
    """Whatever the server might read as a UUID: plain, braced, as an URN, without hyphens."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _numbers(key: str, kind: IndexKind, between: Between, json: bool) -> Said:
    bounds: dict[str, float] = {}
    risky: list[Any] = []
    for name, bound in between.bounds().items():
        assert not isinstance(bound, str)
        near, safe = _double(bound)
        if not safe:
            name = {"gt": "gte", "lt": "lte"}.get(name, name)
            risky.append(_range(key, gte=near, lte=near))
        elif kind == "float" or json:
            risky.extend(_neighbours(key, near))
        # An index may order -0.0 below 0.0.
        bounds[name] = near or (0.0 if name in ("gt", "lte") else -0.0)
    match kind:
        case "datetime" | "uuid":
            return Said(None)
        case "integer":
            return _integers(key, between)
        case _:
            # An integer index made for lookup only answers no range: the payload does.
            return Said(_range(key, **bounds), _join(risky), _join(risky))


def _integers(key: str, between: Between) -> Said:
    """Over an integer index, which compares integers. It holds no fractions, older servers cut fractional bounds
    off, and a bound travels as a double."""
    whole: dict[str, float] = {}
    unsure: list[Any] = []
    for name, bound in between.bounds().items():
        assert not isinstance(bound, str)
        lower = name in ("gt", "gte")
        inside = {"gt": math.floor(bound) + 1, "gte": math.ceil(bound)}.get(name)
        if inside is None:
            inside = math.ceil(bound) - 1 if name == "lt" else math.floor(bound)
        near = float(min(max(inside, -(2**63)), 2**63))
        if abs(inside) >= EXACT:
            unsure.append(_range(key, gte=_step(near, -4), lte=_step(near, 4)))
        side = "gte" if lower else "lte"
        held = whole.get(side)
        whole[side] = near if held is None else (max(held, near) if lower else min(held, near))
    others = [
        none_of([_empty(key), _range(key, gte=-WIDEST)]),
        pb.Condition(field=pb.FieldCondition(key=key, values_count=pb.ValuesCount(gt=1))),
    ]
    return Said(_range(key, **whole), _join(unsure), _join([*unsure, *others]))


def _step(value: float, steps: int) -> float:
    for _ in range(abs(steps)):
        value = math.nextafter(value, math.copysign(math.inf, steps))
    return value


def _neighbours(key: str, bound: float) -> list[Any]:
    """Values that differ from a bound in the last bits only, and the bound where it is a long fraction itself."""
    low, high = _step(bound, -ULPS), _step(bound, ULPS)
    if len(repr(bound)) > SHORT:
        return [_range(key, gte=low, lte=high)]
    return [_range(key, gte=low, lt=bound), _range(key, gt=bound, lte=high)]


def _double(bound: float) -> tuple[float, bool]:
    """The nearest double, and whether comparing doubles with it is comparing the numbers themselves."""
    try:
        near = float(bound)
    except OverflowError:
        near = math.inf if bound > 0 else -math.inf
    if math.isinf(near):
        return math.copysign(WIDEST, near), False
    return near, abs(near) < EXACT


def _times(key: str, kind: IndexKind, between: Between) -> Said:
    if kind in ("integer", "float", "uuid"):
        return Said(None)
    bounds: dict[str, Any] = {}
    near: list[Any] = []
    for name, bound in between.bounds().items():
        moment = instant(str(bound))
        if moment is None:
            return Said(None)
        if not _EARLIEST <= moment <= _LATEST:
            return Said(None)
        bounds[name] = _stamp(moment)
        near.append(
            _datetimes(key, gte=_stamp(moment - moment % 1000), lte=_stamp(moment - moment % 1000 + 1000))
        )
    # The server reads some text as a time that is none to us ("2026-1-5"), and the other way round (no seconds,
    # but a zone): what it finds is rechecked, and so is every row where it finds no time.
    found = _datetimes(key, **bounds)
    unread = none_of([_empty(key), _datetimes(key, gte=_stamp(_EARLIEST))])
    many = pb.Condition(field=pb.FieldCondition(key=key, values_count=pb.ValuesCount(gt=1)))
    return Said(found, found, _join([*near, unread, many]))


def _datetimes(key: str, **bounds: Any) -> Any:
    return pb.Condition(field=pb.FieldCondition(key=key, datetime_range=pb.DatetimeRange(**bounds)))


def _stamp(moment: int) -> Any:
    made = pb.DatetimeRange().gt.__class__()
    made.seconds, made.nanos = divmod(moment, 10**9)
    return made


_EARLIEST: Final = -62135596800 * 10**9
_LATEST: Final = 253402300799 * 10**9
