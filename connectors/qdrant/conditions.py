"""Qdrant's conditions, one function each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.filters import Ids
from connectors.qdrant.stubs import pb
from connectors.qdrant.wire import point_id


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


def has_id(atom: Ids) -> Any:
    return pb.Condition(has_id=pb.HasIdCondition(has_id=[point_id(i) for i in atom.ids]))


def is_empty(key: str) -> Any:
    return pb.Condition(is_empty=pb.IsEmptyCondition(key=key))


def match_of(key: str, **value: Any) -> Any:
    return pb.Condition(field=pb.FieldCondition(key=key, match=pb.Match(**value)))


def range_of(key: str, **bounds: float) -> Any:
    return pb.Condition(field=pb.FieldCondition(key=key, range=pb.Range(**bounds)))


def joined(conditions: Iterable[Any]) -> Any | None:
    """Any of the conditions that are there, None where none is."""
    held = distinct([c for c in conditions if c is not None])
    return any_of(held) if held else None


def distinct(conditions: Sequence[Any]) -> list[Any]:
    return list({c.SerializeToString(deterministic=True): c for c in conditions}.values())


def times_of(key: str, **bounds: Any) -> Any:
    return pb.Condition(field=pb.FieldCondition(key=key, datetime_range=pb.DatetimeRange(**bounds)))


def stamp(moment: int) -> Any:
    made = pb.DatetimeRange().gt.__class__()
    made.seconds, made.nanos = divmod(moment, 10**9)
    return made
