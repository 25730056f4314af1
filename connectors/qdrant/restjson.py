"""Between Qdrant's gRPC messages and its REST JSON, for the calls that the connector makes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import Sparse
from connectors.qdrant import values, wire
from connectors.qdrant.stubs import message, pb

Json = dict[str, Any]


def request(method: str, asked: Any) -> Json | None:
    """The body of a request, None where there is none."""
    made = _REQUESTS.get(method)
    return None if made is None else made(asked)


def answer(method: str, held: Any) -> bytes:
    """An answer's JSON as the bytes of its gRPC message. Raises KeyError, TypeError or ValueError."""
    if method == "Qdrant/HealthCheck":
        return pb.HealthCheckReply(title=held["title"], version=held.get("version", "")).SerializeToString()
    return _ANSWERS[method](held["result"]).SerializeToString()


# Requests


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


# Answers


def fill(into: Any, held: Mapping[str, Any]) -> Any:
    """A settings message from REST JSON. What the message does not know is left out."""
    for field in into.DESCRIPTOR.fields:
        value = held.get(field.name)
        if value is None or field.is_repeated:
            continue
        if field.enum_type is not None:
            number = _enum_number(field.enum_type, str(value))
            if number is not None:
                setattr(into, field.name, number)
        elif field.message_type is None:
            setattr(into, field.name, value)
        elif isinstance(value, Mapping):
            inner = getattr(into, field.name)
            inner.SetInParent()
            fill(inner, cast("Mapping[str, Any]", value))
    return into


def _enum_number(kind: Any, text: str) -> int | None:
    plain = text.replace("_", "").lower()
    return next((v.number for v in kind.values if v.name.replace("_", "").lower() == plain), None)


def _listed(held: Any) -> Any:
    names = [pb.CollectionDescription(name=c["name"]) for c in held["collections"]]
    return pb.ListCollectionsResponse(collections=names)


def _described(held: Json) -> Any:
    made = pb.GetCollectionInfoResponse()
    info = fill(made.result, {k: v for k, v in held.items() if k not in ("config", "optimizer_status")})
    optimizer = held.get("optimizer_status", "ok")
    info.optimizer_status.ok = optimizer == "ok"
    if isinstance(optimizer, Mapping):
        info.optimizer_status.error = str(cast("Json", optimizer).get("error", ""))
    config: Any = held["config"]
    fill(info.config, config)
    params = info.config.params
    _vectors_config(params.vectors_config, config["params"].get("vectors") or {})
    sparse_vectors: Json = config["params"].get("sparse_vectors") or {}
    for name, sparse in sparse_vectors.items():
        entry = params.sparse_vectors_config.map[name]
        entry.SetInParent()
        fill(entry, sparse or {})
    values.put_all(info.config.metadata, config.get("metadata") or {})
    schemas: Json = held.get("payload_schema") or {}
    for name, schema in schemas.items():
        entry = fill(info.payload_schema[name], {k: v for k, v in schema.items() if k != "params"})
        details = schema.get("params")
        if isinstance(details, Mapping):
            kind = pb.PayloadSchemaType.Name(entry.data_type).lower()
            chosen = getattr(entry.params, f"{kind}_index_params")
            chosen.SetInParent()
            fill(chosen, cast("Json", details))
    warnings: list[Json] = held.get("warnings") or []
    for warning in warnings:
        info.warnings.add(message=str(warning.get("message", "")))
    return made


def _vectors_config(into: Any, held: Json) -> None:
    if isinstance(held.get("size"), int):
        fill(into.params, held)
        return
    for name, params in held.items():
        fill(into.params_map.map[name], params)


def _aliases(held: Any) -> Any:
    made = pb.ListAliasesResponse()
    for alias in held["aliases"]:
        made.aliases.add(alias_name=alias["alias_name"], collection_name=alias["collection_name"])
    return made


def _cluster(held: Any) -> Any:
    made = pb.CollectionClusterInfoResponse()
    for name in ("local_shards", "remote_shards"):
        for shard in held.get(name, []):
            entry = fill(getattr(made, name).add(), {k: v for k, v in shard.items() if k != "shard_key"})
            if shard.get("shard_key") is not None:
                entry.shard_key.CopyFrom(_shard_key(shard["shard_key"]))
    return made


def _shard_key(key: int | str) -> Any:
    return pb.ShardKey(number=key) if isinstance(key, int) else pb.ShardKey(keyword=key)


def _point(into: Any, held: Json) -> None:
    into.id.MergeFromString(wire.point_id(held["id"]).SerializeToString())
    values.put_all(into.payload, _sound(held.get("payload") or {}))
    vector = held.get("vector")
    if isinstance(vector, Mapping):
        into.vectors.vectors.SetInParent()
        for name, value in cast("Json", vector).items():
            _vector(into.vectors.vectors.vectors[name], value)
    elif vector is not None:
        _vector(into.vectors.vector, vector)
    if held.get("shard_key") is not None:
        into.shard_key.MergeFromString(_shard_key(held["shard_key"]).SerializeToString())


def _sound(value: Any) -> Any:
    """Integers beyond 64 bits as doubles, as gRPC gives them."""
    if isinstance(value, int) and not values.SMALLEST <= value <= values.LARGEST:
        return float(value)
    if isinstance(value, list):
        return [_sound(v) for v in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {k: _sound(v) for k, v in cast("Json", value).items()}
    return value


def _vector(into: Any, held: Any) -> None:
    if isinstance(held, Mapping):
        sparse = cast("Json", held)
        into.sparse.values = wire.raw(_numbers(sparse["values"]))
        into.sparse.indices.extend(sparse["indices"])
    elif held and isinstance(held[0], list):
        for inner in held:
            into.multi_dense.vectors.add(data=wire.raw(_numbers(inner)))
    else:
        into.dense.data = wire.raw(_numbers(held))


def _numbers(held: Sequence[float | None]) -> Any:
    return np.array([math.nan if v is None else v for v in held], np.float32)


def _scrolled(held: Any) -> Any:
    made = wire.message("ScrollResponse")()
    for point in held["points"]:
        _point(made.result.add(), point)
    following = held.get("next_page_offset")
    if following is not None:
        made.next_page_offset.MergeFromString(wire.point_id(following).SerializeToString())
    return made


def _got(held: Any) -> Any:
    made = wire.message("GetResponse")()
    for point in held:
        _point(made.result.add(), point)
    return made


def _queried(held: Any) -> Any:
    made = wire.message("QueryBatchResponse")()
    for batch in held:
        entry = made.result.add()
        for point in batch["points"]:
            scored = entry.result.add()
            _point(scored, point)
            scored.score = math.nan if point.get("score") is None else point["score"]
    return made


def _counted(held: Any) -> Any:
    return pb.CountResponse(result=pb.CountResult(count=held["count"]))


def _faceted(held: Any) -> Any:
    made = pb.FacetResponse()
    for hit in held["hits"]:
        value: object = hit["value"]
        kind = "bool_value" if isinstance(value, bool) else "integer_value"
        kind = "string_value" if isinstance(value, str) else kind
        made.hits.add(value=pb.FacetValue(**{kind: value}), count=hit["count"])
    return made


def _updated(held: Any) -> Any:
    status = _enum_number(pb.UpdateStatus.DESCRIPTOR, str(held.get("status", "")))
    return pb.PointsOperationResponse(result=pb.UpdateResult(status=status or 0))


def _done(held: Any) -> Any:
    return message("CollectionOperationResponse")(result=bool(held))


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
_ANSWERS: Final[dict[str, Callable[[Any], Any]]] = {
    "Collections/List": _listed,
    "Collections/Get": _described,
    "Collections/Create": _done,
    "Collections/Update": _done,
    "Collections/Delete": _done,
    "Collections/CreateShardKey": _done,
    "Collections/ListAliases": _aliases,
    "Collections/CollectionClusterInfo": _cluster,
    "Points/Scroll": _scrolled,
    "Points/Get": _got,
    "Points/Count": _counted,
    "Points/Facet": _faceted,
    "Points/QueryBatch": _queried,
    "Points/Upsert": _updated,
    "Points/CreateFieldIndex": _updated,
}
