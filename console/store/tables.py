"""The tables of the store, as this version knows them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

HEAD: Final = "0001"
"""The newest migration; `migrations/versions` ends with it."""
VERSION_TABLE: Final = "plumbline_store_version"

metadata = MetaData()

reports = Table(
    "plumbline_reports",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("address", Text, nullable=False),
    Column("vector", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("saved", String(40), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("rows", BigInteger),
    Column("exact", Boolean, nullable=False),
    Column("root_causes", Text, nullable=False),
    Column("light", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("plumbline_reports_of", "address", "vector", "at", "id"),
)
"""`address` without the vector; `at` in UTC, ISO 8601; `saved`: when it was saved, which
orders reports of one second; `light` and `data` JSON in ASCII."""

arrays = Table(
    "plumbline_arrays",
    metadata,
    Column("report", String(40), ForeignKey(reports.c.id, ondelete="CASCADE"), primary_key=True),
    Column("part", String(20), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""`part`: `kept` (what a baseline needs) or `sample` (the ids of the rows that were sampled), as npz."""

baselines = Table(
    "plumbline_baselines",
    metadata,
    Column("address", Text, primary_key=True),
    Column("vector", Text, primary_key=True),
    Column("report", String(40), nullable=False),
    Column("at", String(40), nullable=False),
    ForeignKeyConstraint(["report"], [reports.c.id]),
)
"""The pinned report of a vector field. Its report can't be deleted while it is pinned."""
