"""Reports, what is kept beside them, and pinned baselines."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plumbline_reports",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("vector", sa.Text(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("saved", sa.String(40), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("root_causes", sa.Text(), nullable=False),
        sa.Column("light", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_index("plumbline_reports_of", "plumbline_reports", ["address", "vector", "at", "id"])
    op.create_table(
        "plumbline_arrays",
        sa.Column(
            "report",
            sa.String(40),
            sa.ForeignKey("plumbline_reports.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("part", sa.String(20), primary_key=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "plumbline_baselines",
        sa.Column("address", sa.Text(), primary_key=True),
        sa.Column("vector", sa.Text(), primary_key=True),
        sa.Column("report", sa.String(40), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["plumbline_reports.id"]),
    )


def downgrade() -> None:
    op.drop_table("plumbline_baselines")
    op.drop_table("plumbline_arrays")
    op.drop_table("plumbline_reports")
