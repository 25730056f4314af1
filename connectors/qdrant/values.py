"""Payload values between Python and Qdrant's `Value`, exactly, and paths into payloads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from connectors.filters import MISSING, lookup, split_path
from connectors.model import ALL, Payload
from connectors.qdrant.stubs import pb

LARGEST: Final = 2**63 - 1
SMALLEST: Final = -(2**63)
DEEPEST: Final = 90

Choice = Sequence[str] | str


def payload(fields: Mapping[str, Any]) -> Payload:
    """A payload map as Python values. Integers and floats keep their kind."""
    return {key: plain(value) for key, value in fields.items()}


def plain(value: Any) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "integer_value":
            return value.integer_value
        case "double_value":
            return value.double_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [plain(v) for v in value.list_value.values]
        case "struct_value":
            return payload(value.struct_value.fields)
        case _:
            return None


def put(into: Any, value: Any, depth: int = 0) -> None:
    """Fill a `Value`. Raises ValueError where Qdrant can't hold the value as it is."""
    if depth > DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    match value:
        case None:
            into.null_value = 0
        case bool():
            into.bool_value = value
        case int():
            if not SMALLEST <= value <= LARGEST:
                raise ValueError("an integer needs more than 64 bits with a sign")
            into.integer_value = value
        case float():
            if not math.isfinite(value):
                raise ValueError("a number is not finite, which JSON can't hold")
            into.double_value = value
        case str():
            into.string_value = _text(value)
        case list() | tuple():
            into.list_value.SetInParent()
            for item in cast("Sequence[Any]", value):
                put(into.list_value.values.add(), item, depth + 1)
        case Mapping():
            into.struct_value.SetInParent()
            put_all(into.struct_value.fields, cast("Mapping[Any, Any]", value), depth + 1)
        case _:
            raise ValueError(f"a value of type {type(value).__name__} is not JSON")


def put_all(into: Any, fields: Mapping[Any, Any], depth: int = 0) -> None:
    """Fill a map of `Value`s. Raises ValueError."""
    for key, value in fields.items():
        if not isinstance(key, str):
            raise ValueError("a key is not text")
        put(into[_text(key)], value, depth)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("text holds half of a surrogate pair, which UTF-8 can't hold") from None
    return text


def json_path(path: str) -> str | None:
    """Our field path as Qdrant's, or None where Qdrant can't say it: a key with a quote or a backslash."""
    segments = split_path(path)
    return None if any(not _sayable(s) for s in segments) else ".".join(_segment(s) for s in segments)


def top(path: str) -> str | None:
    """The top-level key of a path as a path of Qdrant's."""
    first = split_path(path)[0]
    return _segment(first) if _sayable(first) else None


def _sayable(segment: str) -> bool:
    return '"' not in segment and "\\" not in segment


def _segment(segment: str) -> str:
    bare = bool(segment) and all(c.isalnum() or c in "_-" for c in segment)
    return segment if bare and segment.isascii() else f'"{segment}"'


def selector(choice: Sequence[str] | str, also: Sequence[str] = ()) -> Any:
    """What of the payload the server is to send: the top-level keys of the chosen paths."""
    if isinstance(choice, str):
        if choice != ALL:
            raise ValueError("payload is ALL or a sequence of field paths")
        return pb.WithPayloadSelector(enable=True)
    keys = [top(path) for path in (*choice, *also)]
    if None in keys:
        return pb.WithPayloadSelector(enable=True)
    if not keys:
        return pb.WithPayloadSelector(enable=False)
    names = list(dict.fromkeys(cast("list[str]", keys)))
    return pb.WithPayloadSelector(include=pb.PayloadIncludeSelector(fields=names))


def columns(rows: Sequence[Payload], paths: Sequence[str]) -> dict[str, list[Any]]:
    """Field path -> one value per row, None where the row lacks it."""
    return {path: [_or_none(lookup(row, path)) for row in rows] for path in paths}


def chosen(row: Payload, choice: Sequence[str] | str) -> Payload:
    """The whole payload, or the chosen paths that the row has, each under its full path."""
    if isinstance(choice, str):
        return row
    held = ((path, lookup(row, path)) for path in choice)
    return {path: value for path, value in held if value is not MISSING}


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value
