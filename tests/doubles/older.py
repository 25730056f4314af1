"""What an older server does with a newer client's message: protobuf drops the fields that it does not know.

Versions from FACTS and the release notes: `update_filter` on writes 1.16, collection `metadata` 1.16,
`update_mode` 1.17, named vectors added and deleted live 1.18, the filter condition `slice` 1.19.
A condition whose kind is unknown was ignored by a real 1.18.3 server: it counted every row.
"""

from __future__ import annotations

from typing import Any

import grpc

from connectors.qdrant.host.protos import Method
from connectors.qdrant.host.refused import Refused

Version = tuple[int, int]

_FIELDS: tuple[tuple[Version, str], ...] = (
    ((1, 16), "update_filter"),
    ((1, 16), "metadata"),
    ((1, 17), "update_mode"),
)
_METHODS: dict[str, Version] = {
    "CreateVectorName": (1, 18),
    "DeleteVectorName": (1, 18),
    "Facet": (1, 12),
    "Query": (1, 10),
    "QueryBatch": (1, 10),
}
_SLICE: Version = (1, 19)


def version_of(text: str) -> Version:
    major, minor, *_ = text.split(".")
    return int(major), int(minor)


def forget(version: Version, method: Method, request: Any) -> None:
    """Drop from a request what the version does not know. Raises UNIMPLEMENTED for methods it lacks."""
    since = _METHODS.get(method.name)
    if since is not None and method.service == "qdrant.Points" and version < since:
        raise Refused(grpc.StatusCode.UNIMPLEMENTED, "")
    for known_since, name in _FIELDS:
        if version < known_since and name in request.DESCRIPTOR.fields_by_name:
            request.ClearField(name)
    if version < _SLICE:
        _drop_slices(request)


def forget_answer(version: Version, answer: Any) -> None:
    """Drop from an answer what the version would not send."""
    if answer.DESCRIPTOR.name == "GetCollectionInfoResponse":
        if version < (1, 16):
            answer.result.config.ClearField("metadata")
        if version < (1, 17):
            answer.result.ClearField("update_queue")


def _drop_slices(message: Any) -> None:
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if not field.is_repeated:
            _drop_slices(value)
            continue
        for inner in value:
            _drop_slices(inner)
        if field.message_type.name == "Condition":
            kept = [c for c in value if c.WhichOneof("condition_one_of") != "slice"]
            if len(kept) < len(value):
                copies = [type(c).FromString(c.SerializeToString()) for c in kept]
                del value[:]
                value.extend(copies)
