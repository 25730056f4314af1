"""New collections: the JSON of `POST /v1/schema` from a neutral plan, or from another collection's schema."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, cast

from connectors.errors import PlumblineError, unsupported
from connectors.model import CollectionPlan, PayloadField, VectorField
from connectors.weaviate.schema import DISTANCES, METRICS, Schema, join_description, split_description

_TYPES: Final = {
    "keyword": "text",
    "text": "text",
    "integer": "int",
    "float": "number",
    "bool": "boolean",
    "datetime": "date",
    "uuid": "uuid",
    "geo": "geoCoordinates",
    "phone": "phoneNumber",
    "blob": "blob",
    "object": "object",
}
_NO_ARRAYS: Final = ("geo", "phone", "blob")
_OPTIONS: Final = (
    "description",
    "invertedIndexConfig",
    "multiTenancyConfig",
    "replicationConfig",
    "shardingConfig",
    "objectTtlConfig",
)
_COUNTED: Final = ("actualCount", "actualVirtualCount", "desiredVirtualCount")
_TUNED: Final = ("hnsw", "flat", "dynamic", "hfresh")


def from_plan(name: str, plan: CollectionPlan) -> dict[str, Any]:
    """Raises `usage` or `unsupported` for what Weaviate does not have."""
    unknown = sorted(set(plan.options) - set(_OPTIONS))
    if unknown:
        raise PlumblineError(
            "usage",
            f"Weaviate has no option {unknown[0]!r}.",
            where=name,
            hint=f"It has {', '.join(_OPTIONS)}.",
        )
    options = dict(plan.options)
    made: dict[str, Any] = {
        "class": name,
        "description": join_description(str(options.pop("description", "")), plan.marker),
        "invertedIndexConfig": {
            "indexNullState": True,
            "indexTimestamps": True,
            **cast("dict[str, Any]", options.pop("invertedIndexConfig", {})),
        },
        "properties": [_property(f, name) for f in plan.payload],
    }
    if plan.tenants:
        made["multiTenancyConfig"] = {
            **cast("dict[str, Any]", options.pop("multiTenancyConfig", {})),
            "enabled": True,
        }
    made |= options
    if len(plan.vectors) == 1 and not plan.vectors[0].name:
        made |= _vector(plan.vectors[0], name)
        made["vectorizer"] = "none"
    else:
        made["vectorConfig"] = {f.name: _named(f, name) for f in plan.vectors}
    return made


def _named(field: VectorField, where: str) -> dict[str, Any]:
    if not field.name:
        raise unsupported("The unnamed vector can't stand beside named ones in a new collection.", where)
    return {**_vector(field, where), "vectorizer": {"none": {}}}


def _vector(field: VectorField, where: str) -> dict[str, Any]:
    if field.kind == "sparse":
        raise unsupported(f"Weaviate has no sparse vectors ({field.name!r}).", where)
    if field.storage not in (None, "float32"):
        raise unsupported(f"Weaviate stores float32 only ({field.name!r}: {field.storage}).", where)
    if field.metric not in DISTANCES:
        raise unsupported(f"Weaviate has no metric {field.metric!r} ({field.name!r}).", where)
    tuned = {k: v for k, v in field.index.items() if k not in ("type", "vectorizer", "distance")}
    kind = str(field.index.get("type") or "hnsw")
    if kind not in _TUNED:
        raise unsupported(f"Weaviate has no index {kind!r} ({field.name!r}).", where)
    config: dict[str, Any] = {**copy.deepcopy(tuned), "distance": DISTANCES[field.metric]}
    if field.kind == "multi":
        config["multivector"] = {**cast("dict[str, Any]", tuned.get("multivector") or {}), "enabled": True}
    if field.quantization:
        quantizer = {k: v for k, v in field.quantization.items() if k != "type"}
        config[str(field.quantization.get("type"))] = {**quantizer, "enabled": True}
    return {"vectorIndexType": kind, "vectorIndexConfig": config}


def _property(field: PayloadField, where: str) -> dict[str, Any]:
    """A property; `details` may hold Weaviate's own settings of it (tokenization, nestedProperties …).

    It gets the server's default indexes whether or not `indexed` asks for one: they can't be had later.
    """
    neutral = field.type.removesuffix("[]")
    kind = _TYPES.get(neutral)
    array = field.type.endswith("[]")
    if kind is None or (array and neutral in _NO_ARRAYS):
        raise unsupported(f"Weaviate has no type {field.type!r} ({field.name!r}).", where)
    made: dict[str, Any] = {"name": field.name, "dataType": [kind + ("[]" if array else "")]}
    if kind == "text":
        made["tokenization"] = "field" if neutral == "keyword" else "word"
        made["indexSearchable"] = neutral == "text"
    details = {k: v for k, v in field.details.items() if k not in ("name", "dataType")}
    made |= details
    if kind == "object" and not made.get("nestedProperties"):
        raise unsupported(
            f"An object property needs its keys ({field.name!r}).",
            where,
            "Give `nestedProperties` in `details`.",
        )
    return made


def like(
    source: Schema, name: str, vectors: Mapping[str, Mapping[str, Any]] | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The schema of an empty collection like `source`, and what could not be copied.

    Vectors come from outside in the copy (vectorizer `none`). `vectors` changes fields by name:
    `metric`, `index`, `quantization`; a `dimension` is that of the first vector and needs no setting.
    """
    left_out: list[str] = []
    made: dict[str, Any] = copy.deepcopy(dict(source.raw))
    made["class"] = name
    text, marker = split_description(made.get("description"))
    made["description"] = text
    if marker is not None:
        left_out.append("marker: it tells what made the source")
    if made.pop("moduleConfig", None):
        left_out.append("moduleConfig: modules that vectorize or generate")
    sharding = cast("dict[str, Any]", made.get("shardingConfig") or {})
    if source.has_tenants:
        made.pop("shardingConfig", None)
        left_out.append("tenants: none are made in the copy")
    else:
        made["shardingConfig"] = {k: v for k, v in sharding.items() if k not in _COUNTED}
    changes = dict(vectors or {})
    for field in source.vectors:
        change = changes.pop(field.name, {})
        held = made if not field.name else cast("dict[str, Any]", made["vectorConfig"][field.name])
        vectorizer = str(field.index.get("vectorizer"))
        if vectorizer != "none":
            left_out.append(f"vectorizer {vectorizer} of {field.name!r}: vectors are given from outside")
        held["vectorizer"] = {"none": {}} if field.name else "none"
        _change(held, field, change, name)
    if changes:
        raise PlumblineError(
            "not-found", f"{source.name} has no vector {sorted(changes)[0]!r}.", where=source.name
        )
    for prop in cast("list[dict[str, Any]]", made.get("properties") or []):
        prop.pop("moduleConfig", None)
        if prop.get("description") is None:
            prop.pop("description", None)
    for beacon, to in source.references.items():
        if source.name in to:
            left_out.append(f"reference {beacon}: it still points to {source.name}")
    return made, tuple(left_out)


def _change(held: dict[str, Any], field: VectorField, change: Mapping[str, Any], where: str) -> None:
    unknown = sorted(set(change) - {"dimension", "metric", "index", "quantization"})
    if unknown:
        raise PlumblineError("usage", f"A vector field has no setting {unknown[0]!r}.", where=where)
    config = cast("dict[str, Any]", held.setdefault("vectorIndexConfig", {}))
    if "metric" in change:
        if change["metric"] not in METRICS.values():
            raise unsupported(f"Weaviate has no metric {change['metric']!r}.", where)
        config["distance"] = DISTANCES[change["metric"]]
    if "index" in change:
        wanted = dict(cast("Mapping[str, Any]", change["index"]))
        held["vectorIndexType"] = str(wanted.pop("type", held.get("vectorIndexType", "hnsw")))
        wanted.pop("vectorizer", None)
        config |= wanted
    if "quantization" in change:
        for kind in ("pq", "bq", "sq", "rq"):
            config.pop(kind, None)
        quantizer = cast("Mapping[str, Any] | None", change["quantization"])
        if quantizer:
            rest = {k: v for k, v in quantizer.items() if k != "type"}
            config[str(quantizer.get("type"))] = {**rest, "enabled": True}
        else:
            config["skipDefaultQuantization"] = True
