"""Qdrant's REST JSON as the gRPC messages that the connector reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from connectors.qdrant import values, wire
from connectors.qdrant.stubs import message, pb

Json = dict[str, Any]

NEW_STATE: Final = 999
"""A replica's state that this version of the interface has no number for; the default would be the one in use."""


def answer(method: str, held: Any) -> bytes:
    """An answer's JSON as the bytes of its gRPC message. Raises KeyError, TypeError or ValueError."""
    if method == "Qdrant/HealthCheck":
        return pb.HealthCheckReply(title=held["title"], version=held.get("version", "")).SerializeToString()
    return _ANSWERS[method](held["result"]).SerializeToString()


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


def described(held: Json) -> Any:
    """The answer to a description from REST JSON: `config` is also what a snapshot's `config.json` holds."""
    made = pb.GetCollectionInfoResponse()
    info = fill(made.result, {k: v for k, v in held.items() if k not in ("config", "optimizer_status")})
    optimizer = held.get("optimizer_status", "ok")
    info.optimizer_status.ok = optimizer == "ok"
    if isinstance(optimizer, Mapping):
        info.optimizer_status.error = str(cast("Json", optimizer).get("error", ""))
    config: Any = held["config"]
    fill(info.config, config)
    optimizing: Json = config.get("optimizer_config") or {}
    threads = optimizing.get("max_optimization_threads")
    if isinstance(threads, int):
        info.config.optimizer_config.max_optimization_threads.value = threads
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
    made = fill(pb.CollectionClusterInfoResponse(), held)
    for name in ("shard_transfers", "resharding_operations"):
        for move in cast("list[Json]", held.get(name) or []):
            fill(getattr(made, name).add(), move)
    for name in ("local_shards", "remote_shards"):
        for shard in held.get(name, []):
            entry = fill(getattr(made, name).add(), {k: v for k, v in shard.items() if k != "shard_key"})
            if _enum_number(pb.ReplicaState.DESCRIPTOR, str(shard.get("state"))) is None:
                entry.state = NEW_STATE
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


_ANSWERS: Final[dict[str, Callable[[Any], Any]]] = {
    "Collections/List": _listed,
    "Collections/Get": described,
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
