"""Comparisons, gates, evaluations, and golden sets with their pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plumbline_comparisons",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("left_address", sa.Text(), nullable=False),
        sa.Column("right_address", sa.Text(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("saved", sa.String(40), nullable=False),
        sa.Column("light", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("arrays", sa.LargeBinary()),
    )
    op.create_index("plumbline_comparisons_at", "plumbline_comparisons", ["at", "saved", "id"])
    op.create_table(
        "plumbline_gates",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("left_address", sa.Text(), nullable=False),
        sa.Column("right_address", sa.Text(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("saved", sa.String(40), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("light", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_index("plumbline_gates_at", "plumbline_gates", ["at", "saved", "id"])
    op.create_table(
        "plumbline_evaluations",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("golden", sa.Text(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("saved", sa.String(40), nullable=False),
        sa.Column("light", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_index("plumbline_evaluations_at", "plumbline_evaluations", ["at", "saved", "id"])
    op.create_table(
        "plumbline_golden_sets",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("light", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_table(
        "plumbline_golden_pictures",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "plumbline_golden_shown",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["plumbline_golden_sets.name", "plumbline_golden_sets.version"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["sha256"], ["plumbline_golden_pictures.sha256"]),
    )


def downgrade() -> None:
    op.drop_table("plumbline_golden_shown")
    op.drop_table("plumbline_golden_pictures")
    op.drop_table("plumbline_golden_sets")
    op.drop_table("plumbline_evaluations")
    op.drop_table("plumbline_gates")
    op.drop_table("plumbline_comparisons")
