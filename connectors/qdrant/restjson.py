"""The connector's requests, made as gRPC messages, as Qdrant's REST JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import Sparse
from connectors.qdrant import values, wire
from connectors.qdrant.stubs import pb

Json = dict[str, Any]


def request(method: str, asked: Any) -> Json | None:
    """The body of a request, None where there is none."""
    made = _REQUESTS.get(method)
    return None if made is None else made(asked)


def _id(point: Any) -> int | str:
    return wire.row_id(point)


def _common(asked: Any) -> Json:
    made: Json = {}
    if asked.HasField("filter") and asked.filter.ByteSize():
        made["filter"] = filter_json(asked.filter)
    if asked.HasField("shard_key_selector"):
        made["shard_key"] = [_shard_json(k) for k in asked.shard_key_selector.shard_keys]
    return made


def _selections(asked: Any) -> Json:
    payload, vectors = asked.with_payload, asked.with_vectors
    which = payload.WhichOneof("selector_options")
    made: Json = {"with_payload": list(payload.include.fields) if which == "include" else payload.enable}
    which = vectors.WhichOneof("selector_options")
    made["with_vector"] = list(vectors.include.names) if which == "include" else vectors.enable
    return made


def _scroll(asked: Any) -> Json:
    made = {**_common(asked), **_selections(asked), "limit": asked.limit}
    if asked.HasField("offset"):
        made["offset"] = _id(asked.offset)
    return made


def _get(asked: Any) -> Json:
    made: Json = {"ids": [_id(i) for i in asked.ids], **_selections(asked)}
    if asked.HasField("shard_key_selector"):
        made["shard_key"] = [_shard_json(k) for k in asked.shard_key_selector.shard_keys]
    return made


def _count(asked: Any) -> Json:
    return {**_common(asked), "exact": asked.exact}


def _facet(asked: Any) -> Json:
    return {**_common(asked), "key": asked.key, "limit": asked.limit, "exact": asked.exact}


def _query_batch(asked: Any) -> Json:
    searches: list[Json] = []
    for query in asked.query_points:
        made: Json = {**_common(query), **_selections(query), "limit": query.limit}
        if query.query.WhichOneof("variant") == "sample":
            made["query"] = {"sample": "random"}
        else:
            made["query"] = wire.floats(query.query.nearest.dense.data).tolist()
        if query.HasField("using"):
            made["using"] = query.using
        if query.params.ByteSize():
            made["params"] = dump(query.params)
        searches.append(made)
    return {"searches": searches}


def _upsert(asked: Any) -> Json:
    points: list[Json] = []
    for point in asked.points:
        named = {name: _vector_json(v) for name, v in point.vectors.vectors.vectors.items()}
        points.append(
            {
                "id": _id(point.id),
                "vector": named[""] if set(named) == {""} else named,
                "payload": values.payload(point.payload),
            }
        )
    made: Json = {"points": points}
    if asked.HasField("shard_key_selector"):
        made["shard_key"] = [_shard_json(k) for k in asked.shard_key_selector.shard_keys]
    if asked.HasField("update_mode"):
        made["update_mode"] = "insert_only" if asked.update_mode == pb.UpdateMode.InsertOnly else "upsert"
    return made


def _vector_json(vector: Any) -> Any:
    held = wire.whole(vector)
    numbers = held.values if isinstance(held, Sparse) else held
    if numbers is None or not np.isfinite(numbers).all():
        raise PlumblineError(
            "usage",
            "A vector holds NaN or Inf, which JSON can't carry.",
            hint="Let the server be reached by gRPC.",
        )
    if isinstance(held, Sparse):
        return {"indices": held.indices.tolist(), "values": held.values.tolist()}
    return numbers.tolist()


def _create(asked: Any) -> Json:
    made = dump(asked, skip=("collection_name", "vectors_config", "sparse_vectors_config", "metadata"))
    config = asked.vectors_config
    made["vectors"] = (
        dump(config.params)
        if config.WhichOneof("config") == "params"
        else {name: dump(params) for name, params in config.params_map.map.items()}
    )
    if asked.HasField("sparse_vectors_config"):
        held = asked.sparse_vectors_config.map.items()
        made["sparse_vectors"] = {name: dump(params) for name, params in held}
    if asked.metadata:
        made["metadata"] = values.payload(asked.metadata)
    return made


def _update(asked: Any) -> Json:
    return {"metadata": values.payload(asked.metadata)}


def _index(asked: Any) -> Json:
    kind = pb.FieldType.Name(asked.field_type).removeprefix("FieldType").lower()
    which = asked.field_index_params.WhichOneof("index_params")
    schema = {"type": kind, **dump(getattr(asked.field_index_params, which))} if which else kind
    return {"field_name": asked.field_name, "field_schema": schema}


def _add_shard_key(asked: Any) -> Json:
    return {"shard_key": _shard_json(asked.request.shard_key)}


def _shard_json(key: Any) -> int | str:
    return key.number if key.WhichOneof("key") == "number" else key.keyword


def filter_json(held: Any) -> Json:
    return {
        name: [_condition(c) for c in conditions]
        for name in ("must", "should", "must_not")
        if (conditions := getattr(held, name))
    }


def _condition(condition: Any) -> Json:
    match condition.WhichOneof("condition_one_of"):
        case "filter":
            return filter_json(condition.filter)
        case "has_id":
            return {"has_id": [_id(i) for i in condition.has_id.has_id]}
        case "is_empty":
            return {"is_empty": {"key": condition.is_empty.key}}
        case _:
            return _field(condition.field)


def _field(field: Any) -> Json:
    made: Json = {"key": field.key}
    if field.HasField("match"):
        which = field.match.WhichOneof("match_value")
        value = getattr(field.match, which)
        match which:
            case "keywords":
                made["match"] = {"any": list(value.strings)}
            case "integers":
                made["match"] = {"any": list(value.integers)}
            case "text":
                made["match"] = {"text": value}
            case _:
                made["match"] = {"value": value}
    for name in ("range", "values_count"):
        if field.HasField(name):
            made[name] = {f.name: _number(v) for f, v in getattr(field, name).ListFields()}
    if field.HasField("datetime_range"):
        made["range"] = {f.name: _instant(v) for f, v in field.datetime_range.ListFields()}
    return made


def _number(value: float) -> float:
    # The server's JSON reader rounds "9007199254740991.0" wrongly, and not "9007199254740991" (serde_json 1.0).
    return int(value) if value == int(value) and abs(value) <= 2**53 else value


def _instant(stamp: Any) -> str:
    moment = datetime.fromtimestamp(stamp.seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{stamp.nanos:09d}Z"


def dump(held: Any, skip: Sequence[str] = ()) -> Json:
    """A settings message as REST JSON: what is set, enums in REST's spelling."""
    made: Json = {}
    for field in held.DESCRIPTOR.fields:
        value = getattr(held, field.name)
        if field.name in skip or not _is_set(held, field, value):
            continue
        if field.enum_type is not None:
            made[field.name] = _enum_json(field.enum_type, value)
        elif field.message_type is None:
            made[field.name] = list(value) if field.is_repeated else value
        elif field.message_type.name == "MaxOptimizationThreads":
            made[field.name] = value.value if value.WhichOneof("variant") == "value" else "auto"
        elif not field.is_repeated:
            made[field.name] = dump(value)
    return made


def _is_set(held: Any, field: Any, value: Any) -> bool:
    if field.is_repeated:
        return len(value) > 0
    if field.has_presence:
        return held.HasField(field.name)
    # An enum's first value is not on the wire: MaxSim, x4. Where it means nothing it is called Unknown.
    if field.enum_type is not None:
        return not field.enum_type.values_by_number[value].name.startswith("Unknown")
    return bool(value)


def _enum_json(kind: Any, number: int) -> str:
    name = kind.values_by_number[number].name
    return name if kind.name == "Distance" else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_REQUESTS: Final[dict[str, Callable[[Any], Json]]] = {
    "Points/Scroll": _scroll,
    "Points/Get": _get,
    "Points/Count": _count,
    "Points/Facet": _facet,
    "Points/QueryBatch": _query_batch,
    "Points/Upsert": _upsert,
    "Points/CreateFieldIndex": _index,
    "Collections/Create": _create,
    "Collections/Update": _update,
    "Collections/CreateShardKey": _add_shard_key,
}
