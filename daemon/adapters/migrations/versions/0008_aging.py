"""What ages: when something was last done that is done once a day, and which chunks have raw lines."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and an index; consumers of the version before do not know them and go on."""
    op.create_table(
        "timers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_timers"),
    )
    has_raw = sa.text("results_fetched_at IS NOT NULL AND raw_removed_at IS NULL")
    op.create_index("ix_chunks_raw", "chunks", ["batch_id"], sqlite_where=has_raw, postgresql_where=has_raw)


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_chunks_raw", "chunks")
    op.drop_table("timers")
