"""Snapshot files that an operator took from a Qdrant server, read by the embedded engine: no load on the server."""
