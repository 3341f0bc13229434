"""Budgets, canaries, reuse, estimates, and sources that were measured twice."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

USD = sa.Numeric(38, 12).with_variant(sa.BigInteger(), "sqlite")
ADDED = {
    "batches": ("options", "budget_usd", "committed_usd", "stopped", "canary"),
    "files": ("tokens",),
    "chunks": ("committed_usd", "committed_on"),
    "chunk_files": ("measured_again",),
    "models": ("proven",),
}


def upgrade() -> None:
    """Add the columns; consumers of the version before do not know them and go on."""
    _add("batches", sa.Column("options", sa.Text(), nullable=False, server_default=""))
    _add("batches", sa.Column("budget_usd", USD))
    _add("batches", sa.Column("committed_usd", USD, nullable=False, server_default="0"))
    _add("batches", sa.Column("stopped", sa.Text(), nullable=False, server_default=""))
    _add("batches", sa.Column("canary", sa.Integer()))
    _add("files", sa.Column("tokens", sa.BigInteger(), nullable=False, server_default="0"))
    _add("chunks", sa.Column("committed_usd", USD))
    _add("chunks", sa.Column("committed_on", sa.Text()))
    _add("chunk_files", sa.Column("measured_again", sa.Boolean(), nullable=False, server_default=sa.false()))
    _add("models", sa.Column("proven", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "days",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("committed_usd", USD, nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_days"),
    )


def _add(table: str, column: sa.Column[object]) -> None:
    op.add_column(table, column)


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_table("days")
    for table, names in ADDED.items():
        for name in names:
            op.drop_column(table, name)
