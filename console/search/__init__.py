"""Live cross-modal queries: what is asked (`QueryRequest`), `run`, and what came back (`QueryAnswer`).

Importing this loads neither an encoder nor a database's client.
"""

from console.search.answer import EncoderUsed, FusedFrom, HitRow, QueryAnswer, Side, Timings, VersionMix
from console.search.request import QueryRequest, RowPart, Upload
from console.search.run import run

__all__ = [
    "EncoderUsed",
    "FusedFrom",
    "HitRow",
    "QueryAnswer",
    "QueryRequest",
    "RowPart",
    "Side",
    "Timings",
    "Upload",
    "VersionMix",
    "run",
]
