"""Planted rows in a real database: the embedded engine, a Weaviate server, a Qdrant server."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from connectors.model import CollectionPlan, ConnectionSpec, PayloadField, Row, RowId, Target, VectorField
from connectors.protocol import Connector
from console.health.options import CheckOptions
from console.health.report import Report
from console.health.run import check
from console.settings import Address, CollectionSettings, Settings
from console.workspace import Workspace
from tests.faults.bases import Base
from tests.faults.plants import Planted

SPACE = uuid.UUID("5ad1f1a0-9d53-4a2e-8d5c-0d9d0f5d3b11")

NOT_APPLICABLE: Mapping[tuple[str, str], str] = {
    ("lost-by-index", "embedded"): "the engine's index can't be told to lose rows",
    ("lost-by-index", "weaviate"): "the server's index can't be told to lose rows",
    ("lost-by-index", "qdrant"): "the server's index can't be told to lose rows",
}
"""(fault, database) -> why the cell cannot be."""


DAMAGED: Final = frozenset({"nan", "inf", "overflow"})
"""Faults that an index keeps when their rows are gone (recall .82 on Weaviate, .05 on Qdrant): that it loses
neighbours is then a fault of its own, and whether a build meets one depends on the order in which it links rows."""


def as_stored(name: str, planted: Planted) -> Planted:
    """The truth of a fault in a real database."""
    return replace(planted, beside=(*planted.beside, "low-ann-recall")) if name in DAMAGED else planted


def with_uuids(planted: Planted) -> Planted:
    """The same under UUIDs, which is all that Weaviate takes."""
    base = planted.base
    if not base.ids or isinstance(base.ids[0], str):
        return planted
    return replace(planted, base=base.but(ids=[str(uuid.uuid5(SPACE, str(i))) for i in base.ids]))


def fields_of(base: Base) -> tuple[PayloadField, ...]:
    kinds = {"caption": "text", "ingested_at": "datetime"}
    names = sorted({k for p in base.payloads for k in p})
    return tuple(PayloadField(n, kinds.get(n, "keyword"), indexed=n != "caption") for n in names)


def put(connector: Connector, name: str, base: Base) -> None:
    d = base.matrix.shape[1]
    field = VectorField("", dimension=d, metric=base.metric, storage=base.storage)  # type: ignore[arg-type]
    connector.create(name, CollectionPlan((field,), fields_of(base)))
    rows: list[Row] = []
    for i, row in enumerate(base.ids):
        vectors: dict[str, Any] = {"": base.matrix[i]} if base.present[i] else {}
        rows.append(Row(row, vectors, dict(base.payloads[i])))
    done = connector.insert(Target(name), rows)
    assert not done.failed, list(done.failed.items())[:2]
    assert len(done.done) == len(rows)


def examine(home: Path, spec: ConnectionSpec, name: str, planted: Planted, **options: Any) -> Report:
    """A check of the collection through a console of its own."""
    base = planted.base
    first = base.payloads[0] if base.payloads else {}
    names = CollectionSettings(
        text_field="caption" if any("caption" in p for p in base.payloads) else None,
        time_field="ingested_at" if "ingested_at" in first else None,
        modality_field="modality" if "modality" in first else None,
    )
    settings = Settings(
        home=home, connections={spec.name: spec}, collections={Address(spec.name, name): names}
    )
    chosen = CheckOptions(**{"sample": None, "budget": 120.0, **planted.options, **options})
    with Workspace(settings) as ws:
        (report,) = check(ws, Address(spec.name, name), chosen)
    return report


def as_ids(planted: Planted) -> set[RowId]:
    assert planted.rows is not None
    return {planted.base.ids[int(i)] for i in np.asarray(planted.rows)}
