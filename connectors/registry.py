"""Kind of connection -> adapter. Only the client of the database in question is imported."""

from __future__ import annotations

from typing import cast

from connectors.model import ConnectionSpec
from connectors.protocol import Connector


def connect(spec: ConnectionSpec) -> Connector:
    """An open connector for a configured connection. Opening does not yet reach the server.

    Raises `settings` where the spec names neither a server nor a folder that its kind can use.
    """
    if spec.snapshot is not None:
        from connectors.qdrant.snapshot.connector import SnapshotConnector

        return cast("Connector", SnapshotConnector(spec))
    if spec.kind == "qdrant":
        from connectors.qdrant.adapter import QdrantConnector

        return QdrantConnector(spec)
    from connectors.weaviate.adapter import WeaviateConnector

    return WeaviateConnector(spec)
