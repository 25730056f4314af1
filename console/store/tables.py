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

HEAD: Final = "0003"
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

comparisons = Table(
    "plumbline_comparisons",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("left_address", Text, nullable=False),
    Column("right_address", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("saved", String(40), nullable=False),
    Column("light", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("arrays", LargeBinary),
    Index("plumbline_comparisons_at", "at", "saved", "id"),
)
"""`light`: the headline as JSON; `arrays`: npz, where there are some."""

gates = Table(
    "plumbline_gates",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("left_address", Text, nullable=False),
    Column("right_address", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("saved", String(40), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("light", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("plumbline_gates_at", "at", "saved", "id"),
)

evaluations = Table(
    "plumbline_evaluations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("address", Text, nullable=False),
    Column("golden", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Column("saved", String(40), nullable=False),
    Column("light", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("plumbline_evaluations_at", "at", "saved", "id"),
)

golden_sets = Table(
    "plumbline_golden_sets",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("light", Text, nullable=False),
    Column("data", Text, nullable=False),
)
"""`version` 0 is the draft; the others are never written again. `hash`: SHA-256 of what a set says."""

golden_numbers = Table(
    "plumbline_golden_numbers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""The highest version that a name ever had, with its hash; it outlives the set, so that a number means one thing for ever."""

golden_pictures = Table(
    "plumbline_golden_pictures",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""The pictures that golden queries show: uploads are let go after some days, these are not."""

golden_shown = Table(
    "plumbline_golden_shown",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), ForeignKey(golden_pictures.c.sha256), primary_key=True),
    ForeignKeyConstraint(
        ["name", "version"], [golden_sets.c.name, golden_sets.c.version], ondelete="CASCADE"
    ),
)
"""Which set shows which picture; a picture that none shows is let go."""
