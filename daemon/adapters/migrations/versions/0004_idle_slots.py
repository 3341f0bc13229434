"""Since when the slot of a job was free for it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns; consumers of the version before do not know them and go on."""
    op.add_column("jobs", sa.Column("free_since", TIME))
    op.add_column("models", sa.Column("unwanted_at", TIME))
    ended = sa.text("ended_at IS NOT NULL")
    op.create_index(
        "ix_jobs_ended", "jobs", ["base_model", "ended_at"], sqlite_where=ended, postgresql_where=ended
    )


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_index("ix_jobs_ended", "jobs")
    op.drop_column("models", "unwanted_at")
    op.drop_column("jobs", "free_since")
