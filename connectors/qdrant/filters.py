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
- an atom that allows for such odd rows is no more answered by the index, so whether a field has any is counted
  first, and believed for 30 s: what somebody else writes meanwhile can be missed that long;
- times are kept to the microsecond in an index, and some spellings of RFC 3339 are not read at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import PlumblineError
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
    split_path,
    translate,
)
from connectors.qdrant.comparisons import IndexKind, Said, compare_numbers, compare_times
from connectors.qdrant.conditions import (
    all_of,
    any_of,
    distinct,
    has_id,
    is_empty,
    joined,
    match_of,
    none_of,
    nothing,
)
from connectors.qdrant.stubs import pb
from connectors.qdrant.values import json_path

MANY: Final = 128
"""More numbers than this in one `any_of` become one range and a recheck."""


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
        try:
            kinds[split_path(name)] = kind
        except PlumblineError:
            # A path through lists ("a[].b", "a[0]"), which none of ours is.
            continue
    return kinds


class QdrantDialect:
    """Implements `connectors.filters.Dialect`. One instance per translation: it gathers the doubts."""

    def __init__(
        self, schema: Mapping[str, Any], odd: Callable[[Any], bool] | None = None, json: bool = False
    ) -> None:
        """`odd`: whether any row meets a condition (None: some may). Rows that an index passes over are rare, and a
        filter that allows for them is answered without the index: slowly, and by a walk that misses rows.
        `json`: the filter travels as JSON, and its own numbers are read that way.
        """
        self._odd = odd or _may_be
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
        odd = said.odd if said.odd is not None and self._odd(said.odd) else None
        under = joined([said.under, odd])
        doubts = [d for d in (said.over, under) if d is not None]
        if not doubts:
            return Translated(condition, True)
        self.doubts.extend(doubts)
        lost = said.over if negated else under
        return Translated(condition if lost is None else any_of([condition, lost]), False)

    def all_of(self, parts: Sequence[Any]) -> Any:
        return all_of(parts)

    def any_of(self, parts: Sequence[Any]) -> Any:
        return any_of(parts)

    def nothing(self) -> Any:
        return nothing()

    def _say(self, atom: Atom) -> Said:
        if isinstance(atom, Ids):
            return Said(has_id(atom))
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
                return (
                    compare_times(key, kind, atom)
                    if atom.of_instants
                    else compare_numbers(key, kind, atom, self._json)
                )
            case Exists():
                return Said(none_of([is_empty(key)]))
            case IsEmpty():
                return Said(is_empty(key))

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
            Said(match_of(key, boolean=truth)) for truth in (True, False) if any(v is truth for v in values)
        )
        if len(numbers) > MANY:
            between = Between(key, gte=min(numbers), lte=max(numbers))
            inside = compare_numbers(key, kind, between, self._json)
            if inside.condition is None:
                return Said(None)
            said.append(Said(inside.condition, inside.condition, inside.under, inside.odd))
        else:
            said.extend(compare_numbers(key, kind, Between(key, gte=n, lte=n), self._json) for n in numbers)
        return _any(said)


@dataclass(frozen=True, slots=True)
class ServerFilter:
    """`where` as the server is told it. `exact`: no recheck. `doubt`: the rows to recheck; None: all of them."""

    filter: Any | None
    exact: bool
    doubt: Any | None


def server_filter(
    where: Filter | None,
    schema: Mapping[str, Any],
    odd: Callable[[Any], bool] | None = None,
    json: bool = False,
) -> ServerFilter:
    dialect = QdrantDialect(schema, odd, json)
    translated = translate(where, dialect)
    conditions = [] if translated.server is None else [translated.server]
    doubt = None if dialect.opaque or not dialect.doubts else any_of(distinct(dialect.doubts))
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


def _any(said: Sequence[Said]) -> Said:
    if not said:
        return Said(nothing())
    conditions = [s.condition for s in said]
    if any(c is None for c in conditions):
        return Said(None)
    return Said(
        any_of(conditions),
        joined(s.over for s in said),
        joined(s.under for s in said),
        joined(s.odd for s in said),
    )


def _texts(key: str, kind: IndexKind, texts: Sequence[str]) -> Said:
    condition = (
        match_of(key, keyword=texts[0])
        if len(texts) == 1
        else match_of(key, keywords=pb.RepeatedStrings(strings=texts))
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
    return _any(
        [_texts(key, "uuid", [t]) if _uuid_like(t) else Said(match_of(key, keyword=t)) for t in texts]
    )


def _uuid_like(text: str) -> bool:
    """Whatever the server might read as a UUID: plain, braced, as an URN, without hyphens."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _may_be(condition: Any) -> bool:
    return True


def _broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
