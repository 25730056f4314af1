"""The adapter for Weaviate 1.32 and later, made for 1.39.

It speaks weaviate-client's gRPC messages for rows, searches and counts, and the REST interface for
schemas. The parts: `core` (names, versions, tenants), `about`, `reading`, `searching`, `writing`.
"""

from __future__ import annotations

from connectors.protocol import Connector
from connectors.weaviate.writing import Writing


class WeaviateConnector(Writing, Connector):
    """A `connectors.protocol.Connector`; opening it reaches nothing yet."""
