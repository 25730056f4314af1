"""The highest version that each golden set ever had; and hashes that do not depend on the order of smoke items."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KINDS = ("must", "must_not")


def upgrade() -> None:
    numbers = op.create_table(
        "plumbline_golden_numbers",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    sets = sa.table(
        "plumbline_golden_sets",
        sa.column("name", sa.String()),
        sa.column("version", sa.Integer()),
        sa.column("hash", sa.String()),
        sa.column("data", sa.Text()),
    )
    connection = op.get_bind()
    newest: dict[str, dict[str, Any]] = {}
    for name, version, was in connection.execute(
        sa.select(sets.c.name, sets.c.version, sets.c.hash).order_by(sets.c.name, sets.c.version)
    ).all():
        data = connection.execute(
            sa.select(sets.c.data).where(sets.c.name == name, sets.c.version == version)
        ).scalar_one()
        said = _ordered(data)
        if said is not None and was == _hash(json.loads(data)):
            was = _hash(said)
            connection.execute(
                sa.update(sets).where(sets.c.name == name, sets.c.version == version).values(hash=was)
            )
        if version:
            newest[name] = {"name": name, "version": version, "hash": was}
    if newest:
        op.bulk_insert(numbers, list(newest.values()))


def _ordered(data: str) -> dict[str, Any] | None:
    """What a set says with its smoke items in order; None where they are already, or where it can't be read."""
    try:
        said: dict[str, Any] = json.loads(data)
        queries: list[dict[str, Any]] = said["queries"]
        if all(q.get(kind, []) == sorted(q.get(kind, [])) for q in queries for kind in KINDS):
            return None
        for query in queries:
            query.update({kind: sorted(query[kind]) for kind in KINDS if kind in query})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return said


def _hash(said: dict[str, Any]) -> str:
    """As `console.search.golden.form.content_hash` had it when this was written."""
    said = {**said}
    said.pop("note", None)
    queries: list[dict[str, Any]] = said["queries"]
    rules: list[Any] = said["rules"]
    said["queries"] = sorted(queries, key=lambda q: str(q["id"]))
    said["judgements"] = sorted(said["judgements"])
    said["rules"] = sorted(rules, key=lambda r: json.dumps(r, sort_keys=True))
    text = json.dumps(said, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def downgrade() -> None:
    op.drop_table("plumbline_golden_numbers")
