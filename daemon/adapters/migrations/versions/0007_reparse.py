"""How far a reparse of a batch is, and what the last one came to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; consumers of the version before do not know them and go on."""
    op.add_column("batches", sa.Column("reparse_next", sa.Integer))
    op.add_column("batches", sa.Column("reparse", sa.Text))
    under_way = sa.text("reparse_next IS NOT NULL")
    op.create_index(
        "ix_batches_reparsing", "batches", ["batch_id"], sqlite_where=under_way, postgresql_where=under_way
    )


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_index("ix_batches_reparsing", "batches")
    op.drop_column("batches", "reparse")
    op.drop_column("batches", "reparse_next")
