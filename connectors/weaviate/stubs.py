"""weaviate-client's gRPC messages and stub, without the rest of the client.

`import weaviate` costs about 1.6 s of processor time and prints deprecations; the messages alone cost
0.2 s. Its package is therefore entered for the length of this import as a bare namespace; a later
`import weaviate` by anybody else runs the client's own start as ever.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weaviate.proto.v1.v6300.v1 import aggregate_pb2 as aggregate
    from weaviate.proto.v1.v6300.v1 import base_pb2 as base
    from weaviate.proto.v1.v6300.v1 import base_search_pb2 as base_search
    from weaviate.proto.v1.v6300.v1 import batch_pb2 as batch
    from weaviate.proto.v1.v6300.v1 import properties_pb2 as properties
    from weaviate.proto.v1.v6300.v1 import search_get_pb2 as search_get
    from weaviate.proto.v1.v6300.v1 import tenants_pb2 as tenants

    stub: Any

_lock = threading.Lock()


def _load() -> ModuleType:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "weaviate" in sys.modules:
            return importlib.import_module("weaviate.proto.v1")
        spec = importlib.util.find_spec("weaviate")
        if spec is None or spec.submodule_search_locations is None:
            raise ImportError("weaviate-client is not installed")
        bare = ModuleType("weaviate")
        bare.__path__ = list(spec.submodule_search_locations)
        bare.__spec__ = spec
        sys.modules["weaviate"] = bare
        try:
            return importlib.import_module("weaviate.proto.v1")
        finally:
            for name in [n for n in sys.modules if n == "weaviate" or n.startswith("weaviate.")]:
                if name == "weaviate" or not name.startswith("weaviate.proto"):
                    del sys.modules[name]


if not TYPE_CHECKING:
    _v1 = _load()
    aggregate = _v1.aggregate_pb2
    base = _v1.base_pb2
    base_search = _v1.base_search_pb2
    batch = _v1.batch_pb2
    properties = _v1.properties_pb2
    search_get = _v1.search_get_pb2
    tenants = _v1.tenants_pb2
    stub = _v1.weaviate_pb2_grpc.WeaviateStub

__all__ = ["aggregate", "base", "base_search", "batch", "properties", "search_get", "stub", "tenants"]
