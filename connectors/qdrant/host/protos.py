"""Qdrant's gRPC messages, with dense vectors as bytes.

A packed `repeated float` and a `bytes` field have the same wire form (protocol-buffers encoding guide),
so the host speaks Qdrant's own protocol through a copy of its descriptors in which dense vectors are
bytes: no Python float is made on the way in or out, and NaN bits stay what they are.
The descriptors are read from the installed qdrant-client without importing it, which takes 2 s.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

_FILES: Final = (
    "json_with_int_pb2",
    "qdrant_common_pb2",
    "collections_pb2",
    "points_pb2",
    "qdrant_pb2",
    "collections_service_pb2",
    "points_service_pb2",
    "snapshots_service_pb2",
)
_AS_BYTES: Final = {
    ("DenseVector", "data"),
    ("Vector", "data"),
    ("VectorOutput", "data"),
    ("SearchPoints", "vector"),
}


@dataclass(frozen=True, slots=True)
class Method:
    """One unary method of a service: `qdrant.Points`, `Upsert`, and its two message classes."""

    service: str
    name: str
    request: Any
    answer: Any

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"


def _serialized(path: Path) -> bytes:
    """The file descriptor that a generated `_pb2.py` registers. Raises ImportError where there is none."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "AddSerializedFile"
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, bytes)
        ):
            return node.args[0].value
    raise ImportError(f"no file descriptor in {path}")


def _descriptors() -> list[descriptor_pb2.FileDescriptorProto]:
    spec = find_spec("qdrant_client")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("qdrant-client is not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / "grpc"
    left = [
        descriptor_pb2.FileDescriptorProto.FromString(_serialized(folder / f"{name}.py")) for name in _FILES
    ]
    timestamp = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(timestamp)
    ordered = [timestamp]
    while left:
        known = {f.name for f in ordered}
        ready = [f for f in left if known.issuperset(f.dependency)]
        if not ready:
            raise ImportError("qdrant-client's descriptors depend on files that are not known")
        ordered += ready
        left = [f for f in left if f not in ready]
    return ordered


def _load() -> tuple[SimpleNamespace, tuple[Method, ...]]:
    pool = descriptor_pool.DescriptorPool()
    messages: dict[str, Any] = {}
    services: list[Any] = []
    for file in _descriptors():
        for message in file.message_type:
            for field in message.field:
                if (message.name, field.name) in _AS_BYTES:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                    field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
                    field.options.Clear()
        described: Any = pool.Add(file) or pool.FindFileByName(file.name)
        for name, descriptor in described.message_types_by_name.items():
            messages[name] = message_factory.GetMessageClass(descriptor)
        services += described.services_by_name.values()
    methods = tuple(
        Method(s.full_name, m.name, messages[m.input_type.name], messages[m.output_type.name])
        for s in services
        for m in s.methods
    )
    return SimpleNamespace(**messages), methods


_LOADED: Final = _load()
pb: Final[Any] = _LOADED[0]
METHODS: Final[tuple[Method, ...]] = _LOADED[1]
