"""The configuration of a collection in a snapshot, in the form that the embedded store keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from google.protobuf import json_format

from connectors.qdrant import restanswers

MOST_SHARDS: Final = 10_000
"""Each is a folder and threads of its own on a node: no cluster holds as many of one collection."""

_STORAGES: Final = {"float32": None, "float16": "float16", "uint8": "uint8"}


def of_collection(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config.json` of a collection snapshot. Strict mode is left out: nobody else is served by a snapshot.

    Raises KeyError, TypeError or ValueError for what is no configuration.
    """
    held = {k: v for k, v in config.items() if k != "strict_mode_config"}
    params = {
        k: v for k, v in dict(held["params"]).items() if k not in ("sharding_method", "read_fan_out_factor")
    }
    held["params"] = params
    described = restanswers.described({"config": held, "optimizer_status": "ok"})
    return json_format.MessageToDict(described.result.config)


def of_segments(folder: Path) -> dict[str, Any]:
    """What the segments of an unpacked shard say of its vectors; the rest stays at the server's defaults.

    Raises ValueError where no segment can be read.
    """
    vectors: dict[str, Any] = {}
    sparse: dict[str, Any] = {}
    read = 0
    quantization: Any = None
    hnsw: dict[str, Any] = {}
    for file in sorted(folder.glob("segments/*/segment.json")):
        try:
            config = cast("dict[str, Any]", json.loads(file.read_bytes())["config"])
            for name, held in cast("dict[str, Any]", config.get("vector_data", {})).items():
                vectors[name] = _vector(held)
                quantization = quantization or held.get("quantization_config")
                if dict(held.get("index") or {}).get("type") == "hnsw":
                    hnsw = {k: v for k, v in held["index"]["options"].items() if v is not None}
            for name in cast("dict[str, Any]", config.get("sparse_vector_data", {})):
                sparse[name] = {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        read += 1
    if not read:
        raise ValueError("none of its segments can be read")
    params: dict[str, Any] = {"vectors": vectors[""] if set(vectors) == {""} else vectors}
    if sparse:
        params["sparse_vectors"] = sparse
    config = {"params": {**params, "shard_number": 1, "on_disk_payload": True}, "hnsw_config": hnsw}
    if quantization:
        config["quantization_config"] = quantization
    return of_collection(config)


def _vector(held: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"size": int(held["size"]), "distance": str(held["distance"])}
    storage = _STORAGES.get(str(held.get("datatype") or "float32").lower())
    if storage:
        made["datatype"] = storage
    if held.get("multivector_config"):
        made["multivector_config"] = held["multivector_config"]
    return made


def shards_wanted(config: Mapping[str, Any]) -> range:
    """The shards of the collection, on all nodes together; none where they have keys: those are not numbered so.

    Raises ValueError for more than `MOST_SHARDS`.
    """
    params: Any = config.get("params")
    held: dict[str, Any] = cast("dict[str, Any]", params) if isinstance(params, dict) else {}
    if held.get("sharding_method") == "custom":
        return range(0)
    number: Any = held.get("shard_number")
    if not isinstance(number, int) or number < 1:
        return range(1)
    if number > MOST_SHARDS:
        raise ValueError(f"it names more than {MOST_SHARDS:,} shards")
    return range(number)
