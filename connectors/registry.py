"""Kind of connection -> adapter. Only the client of the database in question is imported."""

from __future__ import annotations

from connectors.errors import PlumblineError
from connectors.model import ConnectionSpec
from connectors.protocol import Connector


def connect(spec: ConnectionSpec) -> Connector:
    """An open connector for a configured connection. Opening does not yet reach the server.

    Raises `settings` where the spec names neither a server nor a folder that its kind can use.
    """
    if spec.snapshot is not None:
        raise PlumblineError(
            "unsupported",
            "Snapshot files can't be examined by this version yet.",
            where=spec.name,
            hint="Restore the snapshot into a server, or wait for the version that brings `check`.",
        )
    if spec.kind == "qdrant":
        from connectors.qdrant.adapter import QdrantConnector

        return QdrantConnector(spec)
    from connectors.weaviate.adapter import WeaviateConnector

    return WeaviateConnector(spec)
