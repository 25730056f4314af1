"""What there is: connections, their collections, and one collection described.

One dead server never blocks the others: each connection is asked in a thread of its own, and what it
raises stands in its place.
"""

from console.catalogue.asking import (
    collections,
    collections_as_they_come,
    connection,
    connections,
    connections_as_they_come,
    describe,
    encoder_of,
    fault_json,
    version_field_of,
    version_shares,
)
from console.catalogue.shapes import ConnectionState, Described, EncoderKnown, Fault, Listed

__all__ = [
    "ConnectionState",
    "Described",
    "EncoderKnown",
    "Fault",
    "Listed",
    "collections",
    "collections_as_they_come",
    "connection",
    "connections",
    "connections_as_they_come",
    "describe",
    "encoder_of",
    "fault_json",
    "version_field_of",
    "version_shares",
]
