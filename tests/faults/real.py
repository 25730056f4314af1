"""Planted rows in a real database: the embedded engine, a Weaviate server, a Qdrant server."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from connectors.model import (
    CollectionPlan,
    ConnectionSpec,
    InsertMode,
    PayloadField,
    Row,
    RowId,
    Target,
    VectorField,
)
from connectors.protocol import Connector
from console.health.keeping import keep
from console.health.options import CheckOptions
from console.health.report import Report
from console.health.run import check
from console.settings import Address, CollectionSettings, Settings
from console.settings.model import ImageSettings
from console.store import Store
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


@dataclass
class Database:
    name: str
    kind: str
    spec: ConnectionSpec
    connector: Connector


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
    named = {"caption": "text", "ingested_at": "datetime"}
    held = {k: v for p in base.payloads for k, v in p.items()}
    return tuple(
        PayloadField(n, named.get(n) or _type(held[n]), indexed=n != "caption") for n in sorted(held)
    )


def _type(value: Any) -> str:
    if isinstance(value, list):
        return "keyword[]"
    return "integer" if isinstance(value, int) else "keyword"


def put(
    connector: Connector,
    name: str,
    base: Base,
    index: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    d = base.matrix.shape[1]
    vector = VectorField("", dimension=d, metric=base.metric, storage=base.storage, index=index or {})  # type: ignore[arg-type]
    connector.create(name, CollectionPlan((vector,), fields_of(base), options=options or {}))
    write(connector, name, base, range(len(base)))


def write(connector: Connector, name: str, base: Base, at: Iterable[int], mode: InsertMode = "new") -> None:
    rows: list[Row] = []
    for i in at:
        vectors: dict[str, Any] = {"": base.matrix[i]} if base.present[i] else {}
        rows.append(Row(base.ids[i], vectors, dict(base.payloads[i])))
    done = connector.insert(Target(name), rows, mode)
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


@dataclass
class Place:
    """One collection in a real database, under a console that keeps its home: reports and baselines last."""

    database: Database
    home: Path
    pictures: Path | None = None
    name: str = field(default_factory=lambda: f"Faults{uuid.uuid4().hex[:10]}")
    base: Base | None = None

    def settings(self) -> Settings:
        assert self.base is not None
        fields = {
            "caption": "text_field",
            "ingested_at": "time_field",
            "modality": "modality_field",
            "image": "image_field",
        }
        named: dict[str, Any] = {
            setting: name for name, setting in fields.items() if any(name in p for p in self.base.payloads)
        }
        spec = self.database.spec
        return Settings(
            home=self.home,
            connections={spec.name: spec},
            collections={Address(spec.name, self.name): CollectionSettings(**named)},
            images=ImageSettings(roots=() if self.pictures is None else (self.pictures,)),
        )

    def make(
        self, base: Base, index: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        self.base = base
        put(self.database.connector, self.name, base, index, options)

    def add(self, base: Base, start: int) -> None:
        """The rows of `base` from `start` on, which were not there before."""
        self.base = base
        write(self.database.connector, self.name, base, range(start, len(base)))

    def replace(self, base: Base, at: Iterable[int]) -> None:
        self.base = base
        write(self.database.connector, self.name, base, [int(i) for i in at], "replace")

    def make_again(self, base: Base, at: Iterable[int]) -> None:
        """With these rows alone, under the same name."""
        chosen = [int(i) for i in at]
        self.drop()
        self.make(
            base.but(
                matrix=base.matrix[chosen],
                payloads=[base.payloads[i] for i in chosen],
                ids=[base.ids[i] for i in chosen],
                present=base.present[chosen],
                topics=base.topics[chosen],
            )
        )

    def drop(self) -> None:
        self.database.connector.drop(self.name)

    def check(self, **options: Any) -> Report:
        chosen = CheckOptions(**{"sample": None, "budget": 120.0, **options})
        with Workspace(self.settings()) as ws:
            (report,) = check(ws, Address(self.database.spec.name, self.name), chosen)
            assert keep(ws, report) is None
        return report

    def pin(self, report: Report) -> None:
        with Store.open(self.settings()) as store:
            store.set_baseline(report.data["address"], report.data["id"])
