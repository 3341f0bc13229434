"""What results need: parts an answer lacks, records to send again, output of others, raw lines removed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns; consumers of the version before do not know them and go on."""
    op.add_column("records", sa.Column("missing", sa.Integer))
    op.add_column("chunks", sa.Column("to_resend", sa.Integer, nullable=False, server_default="0"))
    op.add_column("chunks", sa.Column("output_uri", sa.Text))
    op.add_column("chunks", sa.Column("raw_removed_at", TIME))
    waiting = sa.text("to_resend > 0")
    op.create_index(
        "ix_chunks_to_resend", "chunks", ["batch_id"], sqlite_where=waiting, postgresql_where=waiting
    )


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_index("ix_chunks_to_resend", "chunks")
    op.drop_column("chunks", "raw_removed_at")
    op.drop_column("chunks", "output_uri")
    op.drop_column("chunks", "to_resend")
    op.drop_column("records", "missing")
